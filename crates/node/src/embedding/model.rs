//! Whose vectors a data folder has: those of one model, which the folder names.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use embed::Embedder;
use rag::Fault;

use crate::NodeError;

/// The file that names the model, in the data folder: its name and the dimension, a line each.
pub const MODEL_FILE: &str = "model";

/// Who makes the vectors.
#[derive(Default)]
pub enum Maker {
    /// The packaged model.
    #[default]
    Packaged,
    /// A user's model, in this process.
    Here(Box<Embedder>),
    /// A model behind an endpoint.
    Elsewhere(Box<dyn TextModel>),
}

/// A model that is not in this process.
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
    /// Reads what the folder says; `None` where it says nothing.
    ///
    /// # Errors
    /// When the file cannot be read, or is not what was written: whose vectors they are is not guessed.
    pub fn of(dir: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(dir.join(MODEL_FILE)) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let found = text.trim_end().rsplit_once('\n').and_then(|(id, dim)| {
            // What is no number is refused below.
            let dim = dim.parse().ok()?;
            let id = id.to_owned();
            Some(Self { id, dim })
        });
        let what = || {
            let what = format!(
                "the file `{MODEL_FILE}` does not name a model and its dimension, a line each; take it from a backup"
            );
            io::Error::new(io::ErrorKind::InvalidData, what)
        };
        found.map(Some).ok_or_else(what)
    }

    /// Refuses a folder of another model, and has a new one name this. A folder that names none was made before folders
    /// did, by the packaged model.
    ///
    /// # Errors
    /// `OtherModel`, or `Folder` where the name cannot be read or written.
    pub(crate) fn claim(&self, dir: &Path, packaged: &Self) -> Result<(), NodeError> {
        let folder = |source| NodeError::Folder {
            dir: dir.to_path_buf(),
            source,
        };
        let is_used = dir.join("documents").is_dir();
        let named = Self::of(dir).map_err(folder)?;
        let is_named = named.is_some();
        let found = named.or_else(|| is_used.then(|| packaged.clone()));
        match found {
            Some(found) if found != *self => Err(NodeError::OtherModel {
                dir: dir.to_path_buf(),
                found,
                asked: self.clone(),
            }),
            _ if is_named => Ok(()),
            _ => self.write(dir).map_err(folder),
        }
    }

    /// All of it or nothing, should the power go.
    fn write(&self, dir: &Path) -> io::Result<()> {
        let (new, path) = (dir.join("model.new"), dir.join(MODEL_FILE));
        let mut file = File::create(&new)?;
        write!(file, "{}\n{}\n", self.id, self.dim)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(dir)?.sync_all()
    }
}

impl std::fmt::Display for MadeBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} dimensions)", self.id, self.dim)
    }
}
