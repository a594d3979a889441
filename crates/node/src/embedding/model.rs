//! Whose vectors a data folder has: those of one model, which the folder names.

use std::path::Path;

use rag::Fault;

use crate::NodeError;

/// The file that names the model, in the data folder: its name and the dimension, a line each.
pub const MODEL_FILE: &str = "model";

/// A model that is not the packaged one.
pub trait TextModel: Send + Sync {
    /// Its name; vectors of one name are of one model.
    fn id(&self) -> &str;

    /// Components of its vectors.
    fn dim(&self) -> usize;

    /// Vectors of unit length, in order.
    ///
    /// # Errors
    /// When it cannot: questions go on by words, documents are not stored.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Fault>;
}

/// What a data folder says of its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeBy {
    /// The model's name.
    pub id: String,
    /// Components of its vectors.
    pub dim: usize,
}

impl MadeBy {
    /// Reads what the folder says; `None` where it says nothing, or nothing that can be read.
    #[must_use]
    pub fn of(dir: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(dir.join(MODEL_FILE)).ok()?;
        let (id, dim) = text.trim_end().rsplit_once('\n')?;
        let (id, dim) = (id.to_owned(), dim.parse().ok()?);
        Some(Self { id, dim })
    }

    /// Refuses a folder of another model, and has a new one name this. A folder that names none was made before folders
    /// did, by the packaged model.
    ///
    /// # Errors
    /// `OtherModel`, or `Folder` where the name cannot be written.
    pub(crate) fn claim(&self, dir: &Path, packaged: &Self) -> Result<(), NodeError> {
        let is_used = dir.join("documents").is_dir();
        let found = Self::of(dir).or_else(|| is_used.then(|| packaged.clone()));
        match found {
            Some(found) if found != *self => {
                return Err(NodeError::OtherModel {
                    dir: dir.to_path_buf(),
                    found,
                    asked: self.clone(),
                });
            }
            Some(_) if dir.join(MODEL_FILE).is_file() => return Ok(()),
            _ => {}
        }
        let folder = |source| NodeError::Folder {
            dir: dir.to_path_buf(),
            source,
        };
        // All of it or nothing, should the power go.
        let (new, file) = (dir.join("model.new"), dir.join(MODEL_FILE));
        std::fs::write(&new, format!("{}\n{}\n", self.id, self.dim)).map_err(folder)?;
        std::fs::rename(&new, &file).map_err(folder)
    }
}

impl std::fmt::Display for MadeBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} dimensions)", self.id, self.dim)
    }
}
