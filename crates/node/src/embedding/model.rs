//! Whose vectors a data folder has: those of one model, which the folder names.

use std::io;
use std::path::Path;

use embed::Embedder;
use rag::Fault;

use crate::generation::{Stage, read_file};

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
    /// Whose vectors the folder says that it answers by; `None` where it says nothing.
    ///
    /// # Errors
    /// When the file cannot be read, or is not what was written: whose vectors they are is not guessed.
    pub fn of(dir: &Path) -> io::Result<Option<Self>> {
        let said = read_file(dir)?.unwrap_or_default();
        let mut now = said.into_iter().filter(|entry| entry.stage == Stage::Now);
        Ok(now.next().map(|entry| entry.made_by))
    }
}

impl std::fmt::Display for MadeBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} dimensions)", self.id, self.dim)
    }
}
