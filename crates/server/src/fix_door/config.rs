//! Who may log on: a JSON file, or the sessions of the demonstration.

use std::io;
use std::path::{Path, PathBuf};

use ::fix::{Config, Dictionaries, Dictionary, DictionaryError, FileStore, Session};
use serde::Deserialize;

use crate::json::from_object;

/// Bytes of sent messages that a session keeps, in its file.
const STORE_BYTES_LIMIT: u64 = 64 << 20;

/// Why the door cannot open.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read or made.
    #[error("FIX: cannot use {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The configuration says something that it cannot mean.
    #[error("FIX configuration: {0}")]
    Text(String),
    /// A dictionary cannot be read.
    #[error("FIX dictionary {path}")]
    Dictionary {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: DictionaryError,
    },
}

/// What both sides speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Version {
    /// FIX 4.2.
    #[serde(rename = "FIX.4.2")]
    Fix42,
    /// FIX 4.4.
    #[serde(rename = "FIX.4.4")]
    Fix44,
    /// FIX 5.0SP2 over FIXT 1.1.
    #[serde(rename = "FIX.5.0SP2")]
    Fix50Sp2,
}

impl Version {
    const fn begin_string(self) -> &'static str {
        match self {
            Self::Fix42 => "FIX.4.2",
            Self::Fix44 => "FIX.4.4",
            Self::Fix50Sp2 => "FIXT.1.1",
        }
    }

    /// What a configured session speaks.
    pub(super) fn of(config: &Config) -> Self {
        match config.begin_string.as_str() {
            "FIX.4.2" => Self::Fix42,
            "FIX.4.4" => Self::Fix44,
            _ => Self::Fix50Sp2,
        }
    }
}

/// One session.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counterparty {
    /// Their CompID.
    pub target: String,
    /// The version.
    pub version: Version,
    /// Numbers start again with each Logon.
    #[serde(default)]
    pub reset_on_logon: bool,
    /// Numbers start again at this second of the day UTC.
    #[serde(default)]
    pub reset_at_s: Option<u32>,
    /// A full data dictionary in QuickFIX's format, in place of ours.
    #[serde(default)]
    pub dictionary: Option<PathBuf>,
    /// The one of FIXT 1.1, needed with `dictionary` for FIX.5.0SP2.
    #[serde(default)]
    pub transport_dictionary: Option<PathBuf>,
    /// Take fields that the dictionary does not have.
    #[serde(default)]
    pub allow_unknown_fields: bool,
}

/// The whole door.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixConfig {
    /// Our CompID.
    pub sender: String,
    /// The folder of the sessions' numbers and sent messages.
    pub store: PathBuf,
    /// Wait for the disk before anything is sent: numbers outlive a power cut, each message costs a sync.
    #[serde(default)]
    pub sync: bool,
    /// Who may log on.
    pub sessions: Vec<Counterparty>,
}

impl FixConfig {
    /// `OUZEL` for the counterparties `CLIENT42`, `CLIENT44` and `CLIENT50`.
    #[must_use]
    pub fn demo(store: PathBuf) -> Self {
        let counterparty = |target: &str, version| Counterparty {
            target: target.to_owned(),
            version,
            reset_on_logon: false,
            reset_at_s: None,
            dictionary: None,
            transport_dictionary: None,
            allow_unknown_fields: false,
        };
        Self {
            sender: "OUZEL".to_owned(),
            store,
            sync: false,
            sessions: vec![
                counterparty("CLIENT42", Version::Fix42),
                counterparty("CLIENT44", Version::Fix44),
                counterparty("CLIENT50", Version::Fix50Sp2),
            ],
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or says something that it cannot mean.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read(path).map_err(|source| ConfigError::File {
            path: path.to_path_buf(),
            source,
        })?;
        let config: Self = from_object(&text).map_err(ConfigError::Text)?;
        if config.sessions.is_empty() {
            return Err(ConfigError::Text(
                "no session: nobody could log on".to_owned(),
            ));
        }
        Ok(config)
    }

    pub(super) fn sessions(&self) -> Result<Vec<Session<FileStore>>, ConfigError> {
        let file = |path: &Path, source| ConfigError::File {
            path: path.to_path_buf(),
            source,
        };
        std::fs::create_dir_all(&self.store).map_err(|e| file(&self.store, e))?;
        let mut names = std::collections::HashSet::new();
        let mut sessions = Vec::new();
        for counterparty in &self.sessions {
            let begin = counterparty.version.begin_string();
            check_name(&self.sender)?;
            check_name(&counterparty.target)?;
            let name = format!("{begin}-{}-{}", self.sender, counterparty.target);
            if !names.insert(name.clone()) {
                return Err(ConfigError::Text(format!("session {name} is there twice")));
            }
            let path = self.store.join(format!("{name}.fixlog"));
            let store =
                FileStore::open(&path, STORE_BYTES_LIMIT, self.sync).map_err(|e| file(&path, e))?;
            let mut config = Config::acceptor(begin, &self.sender, &counterparty.target);
            config.reset_on_logon = counterparty.reset_on_logon;
            config.reset_at_s = counterparty.reset_at_s;
            config.rules.unknown_fields = !counterparty.allow_unknown_fields;
            config.rules.user_defined_fields = !counterparty.allow_unknown_fields;
            sessions.push(Session::new(
                config,
                counterparty.dictionaries(begin)?,
                store,
            ));
        }
        Ok(sessions)
    }
}

/// A CompID is part of a file's name.
fn check_name(name: &str) -> Result<(), ConfigError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(good) && !name.starts_with('.') {
        return Ok(());
    }
    let why = format!("CompID {name:?}: 1 to 64 letters, digits, '-', '_' and '.' are taken");
    Err(ConfigError::Text(why))
}

impl Counterparty {
    fn dictionaries(&self, begin: &str) -> Result<Dictionaries, ConfigError> {
        let Some(application) = &self.dictionary else {
            return Ok(Dictionaries::packaged(begin.as_bytes()));
        };
        match (&self.transport_dictionary, self.version) {
            (None, Version::Fix42 | Version::Fix44) => Ok(Dictionaries::one(read(application)?)),
            (Some(transport), Version::Fix50Sp2) => {
                Ok(Dictionaries::two(read(transport)?, read(application)?))
            }
            (None, Version::Fix50Sp2) => Err(ConfigError::Text(
                "FIX.5.0SP2 with a dictionary needs transport_dictionary too".to_owned(),
            )),
            (Some(_), Version::Fix42 | Version::Fix44) => Err(ConfigError::Text(
                "only FIX.5.0SP2 has a transport_dictionary".to_owned(),
            )),
        }
    }
}

fn read(path: &Path) -> Result<Dictionary, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File {
        path: path.to_path_buf(),
        source,
    })?;
    Dictionary::parse(&text).map_err(|source| ConfigError::Dictionary {
        path: path.to_path_buf(),
        source,
    })
}
