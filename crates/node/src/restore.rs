//! Copies of a data folder that nobody has open.

use std::path::Path;
use std::sync::Arc;

use collection::{Disk, FsDisk, Restored, Settings, SyncPolicy, Until};
use embed::Embedder;

use crate::backup::copy_small_files;
use crate::generation::{Entry, Stage, first, read_file, write_file};
use crate::memory::{day_settings, document_settings};
use crate::moments::copy_states;
use crate::node::STATES_DIR;
use crate::{MadeBy, NodeError};

/// Copies what the stores of a data folder hold to an empty folder, reads the copies back, and says of each which entry it
/// ends with.
///
/// # Errors
/// When the folder is not one, is in use or damaged, or the other has files.
pub fn restore(from: &Path, to: &Path, until: Until) -> Result<Vec<(String, Restored)>, NodeError> {
    let named = read_file(from).map_err(|source| NodeError::Folder {
        dir: from.to_path_buf(),
        source,
    });
    let packaged = || {
        let embedder = Embedder::packaged()?;
        let (id, dim) = (embedder.model_id().to_owned(), embedder.dim());
        Ok::<_, NodeError>(vec![first(MadeBy { id, dim })])
    };
    let mut entries = named?.map_or_else(packaged, Ok)?;
    // What was on its way begins anew in the copy.
    entries.retain(|entry| entry.stage != Stage::Coming);
    let mut restored = Vec::new();
    let mut until_then = until;
    // The one of now first: no other is to have more.
    for entry in entries.iter().rev().filter(|e| e.stage != Stage::Forgotten) {
        let name = Entry::folder(entry.number);
        let shape = document_settings(entry.made_by.dim, SyncPolicy::Always);
        let outcome = match copy((from, to), &name, shape, until_then) {
            Err(NodeError::Store {
                source: collection::Error::Ahead { .. },
                ..
            }) if entry.stage == Stage::Past => {
                remove_begun(&to.join(&name))?;
                copy((from, to), &name, shape, Until::Head)?
            }
            outcome => outcome?,
        };
        until_then = match entry.stage {
            Stage::Now => Until::Seq(outcome.seq),
            _ => until_then,
        };
        restored.push((name, outcome));
    }
    let days = copy((from, to), "days", day_settings(SyncPolicy::Always), until)?;
    restored.push(("days".to_owned(), days));
    write_file(to, &entries).map_err(|source| NodeError::Folder {
        dir: to.to_path_buf(),
        source,
    })?;
    copy_small_files(from, to)?;
    let copied = copy_states(&from.join(STATES_DIR), &to.join(STATES_DIR));
    copied.map_err(|source| NodeError::Folder {
        dir: to.join(STATES_DIR),
        source,
    })?;
    Ok(restored)
}

/// Copies one store.
fn copy(
    (from, to): (&Path, &Path),
    name: &str,
    settings: Settings,
    until: Until,
) -> Result<Restored, NodeError> {
    let (from, to) = (from.join(name), to.join(name));
    if !from.is_dir() {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(NodeError::Folder { dir: from, source });
    }
    let store = |dir: &Path| {
        let dir = dir.to_path_buf();
        move |source| NodeError::Store { dir, source }
    };
    let disk: Arc<dyn Disk> = Arc::new(FsDisk::open(&from).map_err(store(&from))?);
    let copy: Arc<dyn Disk> = Arc::new(FsDisk::open(&to).map_err(store(&to))?);
    let outcome = collection::restore(&disk, &copy, settings, until);
    outcome.map_err(|error| match error {
        error @ collection::Error::NotEmpty { .. } => store(&to)(error),
        error => store(&from)(error),
    })
}

/// Makes room for another try.
fn remove_begun(dir: &Path) -> Result<(), NodeError> {
    let removed = std::fs::remove_dir_all(dir);
    removed.map_err(|source| NodeError::Folder {
        dir: dir.to_path_buf(),
        source,
    })
}
