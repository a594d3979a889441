//! Copies of a data folder that is in use, and what of its past is kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use collection::{Disk, FsDisk, Op, Snapshot};

use crate::generation::{Entry, write_file};
use crate::moments::copy_states;
use crate::node::STATES_DIR;
use crate::seal::SEAL_FILE;
use crate::standing::{MARK_FILE, QUESTIONS_FILE};
use crate::{Node, NodeError};

/// The folder of copies, in the data folder.
const BACKUPS: &str = "backups";
/// Longest name of a copy.
const NAME_BYTES_LIMIT: usize = 64;

/// A copy that was made.
#[derive(Clone, Debug)]
pub struct Backup {
    /// A data folder like any other.
    pub dir: PathBuf,
    /// Of each store, the entry it ends with and the digest of it.
    pub stores: Vec<(String, Snapshot)>,
}

/// Why there is no copy, or nothing was forgotten.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The name would be no folder's, or one elsewhere.
    #[error(
        "{name:?} is no name for a copy: use up to 64 letters, digits, `-`, `_` and `.`, and begin with a letter or digit"
    )]
    Name {
        /// What was asked.
        name: String,
    },
    /// There is one.
    #[error("there is a copy called {name:?} already: choose another name, or remove its folder")]
    Taken {
        /// What was asked.
        name: String,
    },
    /// Forgetting all there is and all that comes until then.
    #[error("that instant lies ahead: what is current now could not be asked about any more")]
    Ahead,
    /// A store says no.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl Node {
    /// Copies what the stores hold to a new folder under the data folder, while they are in use. What is stored meanwhile
    /// may be in the copy or not; each store's copy is of one entry.
    ///
    /// # Errors
    /// When the name is none or taken, or the disk refuses; what was copied then says that it is unfinished.
    pub fn backup(&self, name: &str) -> Result<Backup, BackupError> {
        if !is_name(name) {
            let name = name.to_owned();
            return Err(BackupError::Name { name });
        }
        let dir = self.dir().join(BACKUPS).join(name);
        let folder = |source| NodeError::Folder {
            dir: dir.clone(),
            source,
        };
        std::fs::create_dir_all(self.dir().join(BACKUPS)).map_err(folder)?;
        match std::fs::create_dir(&dir) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                let name = name.to_owned();
                return Err(BackupError::Taken { name });
            }
            made => made.map_err(folder)?,
        }
        copy_small_files(self.dir(), &dir)?;
        copy_states(&self.dir().join(STATES_DIR), &dir.join(STATES_DIR)).map_err(folder)?;
        // Before the stores: a copy may have vectors that the file does not name, and not the other way round.
        let _unchanged = self.generations().unchanged();
        let settled = self.generations().settled();
        write_file(&dir, &settled).map_err(folder)?;
        let mut stores = Vec::new();
        self.each_store(|name, collection| {
            let is_named = settled.iter().any(|e| Entry::folder(e.number) == name);
            if !is_named && name != "days" {
                return Ok(());
            }
            let store = |source| NodeError::Store {
                dir: dir.join(name),
                source,
            };
            let disk: Arc<dyn Disk> = Arc::new(FsDisk::open(&dir.join(name)).map_err(store)?);
            stores.push((name.to_owned(), collection.snapshot(&disk).map_err(store)?));
            Ok::<(), NodeError>(())
        })?;
        Ok(Backup { dir, stores })
    }

    /// The names of the copies under the data folder, in order.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn backups(&self) -> Result<Vec<String>, NodeError> {
        let dir = self.dir().join(BACKUPS);
        let names = std::fs::read_dir(&dir).and_then(|entries| {
            let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
            names.collect::<std::io::Result<Vec<_>>>()
        });
        match names {
            Ok(mut names) => {
                names.sort_unstable();
                Ok(names)
            }
            // None was made yet.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(NodeError::Folder { dir, source }),
        }
    }

    /// Forgets what was superseded or deleted before `known_before`, ns UTC, and the vectors of models that answered about no
    /// instant since: the past before it cannot be asked about from then on. Says of each store the entry that says so.
    ///
    /// # Errors
    /// When the instant lies ahead, or a log refuses the entry.
    pub fn trim(&self, known_before: u64) -> Result<Vec<(&'static str, u64)>, BackupError> {
        if known_before > self.clock().now_ns() {
            return Err(BackupError::Ahead);
        }
        let refused = |name: &str| {
            let dir = self.dir().join(name);
            move |source| NodeError::Store { dir, source }
        };
        let ops = vec![Op::Trim { known_before }];
        let documents = self.documents().apply(ops.clone());
        let documents = documents.map_err(refused("documents"))?;
        let days = self.days().collection().apply(ops);
        let days = days.map_err(refused("days"))?;
        let forgotten = self.generations().forget_before(known_before);
        forgotten.map_err(|source| NodeError::Folder {
            dir: self.dir().to_path_buf(),
            source,
        })?;
        Ok(vec![("documents", documents.seq), ("days", days.seq)])
    }
}

/// Receipts that the folder gave are checked by its copy as well, and its standing questions go on there.
pub(crate) fn copy_small_files(from: &Path, to: &Path) -> Result<(), NodeError> {
    for name in [SEAL_FILE, QUESTIONS_FILE, MARK_FILE] {
        let file = from.join(name);
        if file.is_file() {
            let copied = std::fs::copy(file, to.join(name));
            copied.map_err(|source| NodeError::Folder {
                dir: to.to_path_buf(),
                source,
            })?;
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    name.len() <= NAME_BYTES_LIMIT
        && name.bytes().all(is_plain)
        && name
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric())
}
