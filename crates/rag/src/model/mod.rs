//! The seams to the models: text to vector, question and passages to scores, passages to prose.

use crate::fault::Fault;

/// Text to a unit vector.
pub trait Embed: Send + Sync {
    /// The vector of one text; over-long text is cut by the embedder.
    ///
    /// # Errors
    /// When the embedder fails; a question then goes on by words alone, a store is refused.
    fn embed(&self, text: &str) -> Result<Vec<f32>, Fault>;

    /// The vectors of many texts, in order. One at a time unless the embedder knows better.
    ///
    /// # Errors
    /// As [`Embed::embed`].
    fn embed_batch(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Fault> {
        texts.iter().map(|text| self.embed(text)).collect()
    }

    /// The vector of a question about an instant, ns UTC, by the model that answers about it; `None`: about now. Where
    /// there is one model for all instants, that of [`embed`](Self::embed).
    ///
    /// # Errors
    /// As [`Embed::embed`]; `Invalid` where the vectors to compare with are gone.
    fn embed_as_of(&self, text: &str, _as_of: Option<u64>) -> Result<Embedded, Fault> {
        Ok(Embedded {
            vector: self.embed(text)?,
            model: self.model_id(),
            generation: None,
        })
    }

    /// Among which of the memory's vectors those of now are; `None` where there is one model for all instants.
    fn generation(&self) -> Option<u32> {
        None
    }

    /// Name and version of the model of now, for the receipt.
    fn model_id(&self) -> String;
}

/// A question's vector, and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// Unit length.
    pub vector: Vec<f32>,
    /// The model's name and version.
    pub model: String,
    /// Among which of the memory's vectors it is looked for, as [`Search::generation`](crate::Search::generation) says.
    pub generation: Option<u32>,
}

/// A cross-encoder: it reads a question and a passage together, and says how well one answers the other. Optional: without
/// one, lists stay as they were joined.
pub trait Rerank: Send + Sync {
    /// Name, for the receipt.
    fn id(&self) -> &str;

    /// How many passages of one question it is to read, the first of the list; at most [`RERANK_LIMIT`](crate::settings::RERANK_LIMIT).
    fn limit(&self) -> usize;

    /// A finite score for each of `texts`, in their order; larger is better, and what a score means is the model's own.
    /// `deadline_ns` is an instant (ns UTC) by which to give up with [`Fault::Deadline`].
    ///
    /// # Errors
    /// When not every text got its score: the question then goes on with the list as it was.
    fn scores(&self, question: &str, texts: &[&str], deadline_ns: u64) -> Result<Vec<f32>, Fault>;
}

/// A writer of prose. Optional: without one, answers are extractive.
pub trait Model: Send + Sync {
    /// Name, for the receipt.
    fn id(&self) -> &str;

    /// Writes the whole answer, handing each piece to `on_text` as it comes; when `on_text`
    /// returns false the reader is gone and the model stops with [`Fault::Stopped`].
    /// `deadline_ns` is an instant (ns UTC) by which to give up with [`Fault::Deadline`].
    ///
    /// # Errors
    /// When no whole answer came.
    fn complete(
        &self,
        prompt: &Prompt,
        deadline_ns: Option<u64>,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<String, Fault>;
}

/// What a model is given: two messages and a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The rules.
    pub system: String,
    /// The market facts, the numbered passages and the question.
    pub user: String,
    /// How long the answer may be.
    pub tokens_limit: usize,
}
