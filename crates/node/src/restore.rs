//! Copies of a data folder that nobody has open.

use std::path::Path;
use std::sync::Arc;

use collection::{Disk, FsDisk, Restored, SyncPolicy, Until};
use embed::Embedder;

use crate::backup::copy_small_files;
use crate::memory::{day_settings, document_settings};
use crate::moments::copy_states;
use crate::node::STATES_DIR;
use crate::{MadeBy, NodeError};

/// Copies what the stores of a data folder hold to an empty folder, reads the copies back, and says of each which entry it
/// ends with.
///
/// # Errors
/// When the folder is not one, is in use or damaged, or the other has files.
pub fn restore(
    from: &Path,
    to: &Path,
    until: Until,
) -> Result<Vec<(&'static str, Restored)>, NodeError> {
    let named = MadeBy::of(from).map_err(|source| NodeError::Folder {
        dir: from.to_path_buf(),
        source,
    });
    let dim = match named? {
        Some(made_by) => made_by.dim,
        None => Embedder::packaged()?.dim(),
    };
    let stores = [
        ("documents", document_settings(dim, SyncPolicy::Always)),
        ("days", day_settings(SyncPolicy::Always)),
    ];
    let mut restored = Vec::new();
    for (name, settings) in stores {
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
        let outcome = outcome.map_err(|error| match error {
            error @ collection::Error::NotEmpty { .. } => store(&to)(error),
            error => store(&from)(error),
        });
        restored.push((name, outcome?));
    }
    copy_small_files(from, to)?;
    let copied = copy_states(&from.join(STATES_DIR), &to.join(STATES_DIR));
    copied.map_err(|source| NodeError::Folder {
        dir: to.join(STATES_DIR),
        source,
    })?;
    Ok(restored)
}
