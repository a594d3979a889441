//! Whose vectors a folder that nobody has open keeps, and what they take; and dropping them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::file::{self, Entry, Stage};
use crate::NodeError;
use crate::embedding::MadeBy;
use crate::node::lock;

/// One model's vectors in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whose they are.
    pub made_by: MadeBy,
    /// What they are to questions.
    pub stage: Stage,
    /// The first instant that they answer about, ns UTC.
    pub from: u64,
    /// Bytes on disk, of the texts beside them as well.
    pub bytes: u64,
}

/// Why nothing was dropped.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// The folder cannot be used.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// There are none of it.
    #[error("data folder {dir} has no vectors of {id}; it has {has}")]
    Unknown {
        /// Which folder.
        dir: PathBuf,
        /// Whose were to be dropped.
        id: String,
        /// Whose there are.
        has: String,
    },
    /// They answer about now.
    #[error(
        "the vectors of {id} answer about now: change to another model first (serve --reembed)"
    )]
    Current {
        /// Whose.
        id: String,
    },
}

/// Whose vectors the folder has, earliest first. Empty where it names no model yet.
///
/// # Errors
/// When it cannot be read.
pub fn held_models(dir: &Path) -> Result<Vec<Held>, NodeError> {
    let folder = |source| NodeError::Folder {
        dir: dir.to_path_buf(),
        source,
    };
    let entries = file::read(dir).map_err(folder)?.unwrap_or_default();
    let held = entries.into_iter().map(|entry| {
        Ok(Held {
            bytes: size(&dir.join(Entry::folder(entry.number)))?,
            made_by: entry.made_by,
            stage: entry.stage,
            from: entry.from,
        })
    });
    held.collect::<io::Result<_>>().map_err(folder)
}

/// Drops the vectors of an earlier model, so that its instants cannot be asked about by meaning any more, or those that are being
/// made for one to come. Says how many bytes that gave.
///
/// # Errors
/// When there are none, they answer about now, or another process has the folder.
pub fn forget_model(dir: &Path, id: &str) -> Result<u64, ForgetError> {
    let folder = |source| NodeError::Folder {
        dir: dir.to_path_buf(),
        source,
    };
    let _lock = lock(dir)?;
    let entries = file::read(dir).map_err(folder)?.unwrap_or_default();
    let is_gone = |e: &Entry| e.made_by.id == id && matches!(e.stage, Stage::Past | Stage::Coming);
    let (gone, mut kept): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(is_gone);
    if gone.is_empty() {
        let id = id.to_owned();
        let is_now = |e: &&Entry| e.stage == Stage::Now && e.made_by.id == id;
        if kept.iter().any(|e| is_now(&e)) {
            return Err(ForgetError::Current { id });
        }
        let has: Vec<&str> = kept.iter().map(|e| e.made_by.id.as_str()).collect();
        return Err(ForgetError::Unknown {
            dir: dir.to_path_buf(),
            id,
            has: has.join(", "),
        });
    }
    let numbers: Vec<u32> = gone.iter().map(|e| e.number).collect();
    let past = gone.into_iter().filter(|e| e.stage == Stage::Past);
    kept.extend(past.map(|e| Entry {
        stage: Stage::Forgotten,
        ..e
    }));
    kept.sort_by_key(|e| e.number);
    file::write(dir, &kept).map_err(folder)?;
    let mut bytes = 0;
    for number in numbers {
        let of = dir.join(Entry::folder(number));
        if of.is_dir() {
            bytes += size(&of).map_err(folder)?;
            fs::remove_dir_all(of).map_err(folder)?;
        }
    }
    Ok(bytes)
}

fn size(dir: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        // Dropped, or not begun.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(e),
    };
    let mut bytes = 0;
    for entry in entries {
        let about = entry?.metadata()?;
        bytes += if about.is_file() { about.len() } else { 0 };
    }
    Ok(bytes)
}
