//! Texts to vectors for everyone in this process: known ones from memory, the others by turns.
//!
//! ```text
//! text ──> tokens ──> known? ──────────────────────────────> vector
//!                       └─ no ──> queue ──> pass of the model ──┘
//! ```
//!
//! A text is known by its tokens: what the tokenizer makes equal (case, accents, white space, what is cut) has one vector, and
//! nothing else is taken for it. A model elsewhere ([`TextModel`]) has no queue here: its texts are known by their
//! characters and sent as they come.

mod model;
mod queue;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use embed::{Embedder, Role};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rag::Fault;
use stdx::Clock;

pub use model::{MadeBy, Maker, TextModel};
pub use queue::QueueCounts;
use queue::{Kind, Pass, Queue, Refused, Tokens};

/// Vectors thought to be kept at once.
const KEPT: usize = 16_384;

/// How much may wait, and how much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddingLimits {
    /// Passes of the model at once; 0: one a processor.
    pub seats: usize,
    /// Texts that may wait; one more is refused.
    pub waiting: usize,
    /// Milliseconds that a question may wait for its turn.
    pub wait_ms: u64,
    /// Bytes of vectors that are kept, about; 0: none.
    pub kept_bytes: u64,
}

impl Default for EmbeddingLimits {
    fn default() -> Self {
        Self {
            seats: 0,
            waiting: 1_024,
            wait_ms: 1_000,
            kept_bytes: 32 << 20,
        }
    }
}

/// The embedder with its queue and what it remembers.
pub struct Embedding {
    embedder: Arc<Embedder>,
    /// Whose vectors they are, where not the embedder's.
    elsewhere: Option<Box<dyn TextModel>>,
    /// Shared by models beside each other.
    queue: Arc<Queue>,
    /// Which one this is, and its passes.
    pass: Pass,
    limits: EmbeddingLimits,
    kept: Cache<Tokens, Arc<[f32]>, Weight>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmbeddingCounts {
    /// Texts whose vector was known.
    pub hits: u64,
    /// Texts that went to the model.
    pub misses: u64,
    /// What the queue did.
    pub queue: QueueCounts,
}

impl Embedding {
    /// No vectors known yet; `clock` tells how long texts wait.
    #[must_use]
    pub fn new(
        embedder: impl Into<Arc<Embedder>>,
        limits: EmbeddingLimits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::of(
            embedder.into(),
            Arc::new(Queue::new(limits, clock)),
            limits,
            0,
        )
    }

    /// Another model, by the same seats; it begins with none of the vectors known.
    #[must_use]
    pub fn beside(&self, model: Maker, place: u32) -> Self {
        let (embedder, elsewhere) = match model {
            Maker::Packaged => (Arc::clone(&self.embedder), None),
            Maker::Here(embedder) => (Arc::new(*embedder), None),
            Maker::Elsewhere(model) => (Arc::clone(&self.embedder), Some(model)),
        };
        Self {
            elsewhere,
            ..Self::of(embedder, Arc::clone(&self.queue), self.limits, place)
        }
    }

    fn of(embedder: Arc<Embedder>, queue: Arc<Queue>, limits: EmbeddingLimits, place: u32) -> Self {
        let model = Arc::clone(&embedder);
        let pass = move |texts: &[Tokens]| {
            let texts: Vec<&[u32]> = texts.iter().map(|tokens| &tokens[..]).collect();
            model.embed_tokens(&texts)
        };
        Self {
            embedder,
            elsewhere: None,
            queue,
            pass: (place, Arc::new(pass)),
            limits,
            kept: Cache::with_weighter(KEPT, limits.kept_bytes, Weight),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// By this model in place of the embedder, which still counts tokens.
    #[must_use]
    pub fn elsewhere(mut self, model: Box<dyn TextModel>) -> Self {
        self.elsewhere = Some(model);
        self
    }

    /// Name of the model that makes the vectors.
    #[must_use]
    pub fn model_id(&self) -> &str {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.map_or(self.embedder.model_id(), |model| model.id())
    }

    /// Components of a vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.map_or(self.embedder.dim(), |model| model.dim())
    }

    /// What a data folder says of vectors made here.
    #[must_use]
    pub fn made_by(&self) -> MadeBy {
        MadeBy {
            id: self.model_id().to_owned(),
            dim: self.dim(),
        }
    }

    /// Tokens that the model reads of a text; `None` where nobody here knows.
    #[must_use]
    pub fn max_tokens(&self) -> Option<usize> {
        self.is_here().then(|| self.embedder.max_tokens())
    }

    /// The model of this process itself, past the queue. Its tokenizer counts tokens whoever embeds.
    #[must_use]
    pub fn embedder(&self) -> &Embedder {
        &self.embedder
    }

    /// Counts since the start, and what waits now.
    #[must_use]
    pub fn counts(&self) -> EmbeddingCounts {
        EmbeddingCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            queue: self.queue.counts(),
        }
    }

    /// The vector of somebody's question: before all documents that wait.
    ///
    /// # Errors
    /// [`Fault::Busy`] when too much waits, [`Fault::Deadline`] when its turn did not come in time.
    pub fn question(&self, text: &str) -> Result<Vec<f32>, Fault> {
        let vectors = self.vectors(&[text], Kind::Question)?;
        let vector = vectors.into_iter().next();
        vector.ok_or_else(|| Fault::unavailable("embedder", "it gave no vector"))
    }

    /// The vectors of texts to be stored, in order. They wait as long as it takes.
    ///
    /// # Errors
    /// [`Fault::Busy`] when too much waits.
    pub fn documents(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Fault> {
        self.vectors(texts, Kind::Document)
    }

    /// The vectors of texts that were stored before, in order: after everybody else.
    ///
    /// # Errors
    /// As [`documents`](Self::documents).
    pub fn again(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Fault> {
        self.vectors(texts, Kind::Again)
    }

    /// Whether vectors are made by this process.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.elsewhere.is_none()
    }

    fn vectors(&self, texts: &[&str], kind: Kind) -> Result<Vec<Vec<f32>>, Fault> {
        let tokens: Vec<Tokens> = texts.iter().map(|text| self.tokens(text, kind)).collect();
        let known: Vec<_> = tokens.iter().map(|tokens| self.kept.get(tokens)).collect();
        let unknown: Vec<Tokens> = tokens
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none())
            .map(|(tokens, _)| Arc::clone(tokens))
            .collect();
        let (all, missing) = (texts.len() as u64, unknown.len() as u64);
        self.hits.fetch_add(all - missing, Ordering::Relaxed);
        self.misses.fetch_add(missing, Ordering::Relaxed);
        let mut found = self.ask(unknown, kind)?.into_iter();
        let vectors = tokens.into_iter().zip(known).filter_map(|(tokens, known)| {
            if let Some(vector) = known {
                return Some(vector.to_vec());
            }
            let vector = found.next()?;
            self.kept.insert(tokens, vector.as_slice().into());
            Some(vector)
        });
        Ok(vectors.collect())
    }

    fn tokens(&self, text: &str, kind: Kind) -> Tokens {
        let role = match kind {
            Kind::Question => Role::Question,
            Kind::Document | Kind::Again => Role::Passage,
        };
        match &self.elsewhere {
            None => self.embedder.tokens_as(role, text).into(),
            Some(_) => text.trim().chars().map(u32::from).collect(),
        }
    }

    fn ask(&self, texts: Vec<Tokens>, kind: Kind) -> Result<Vec<Vec<f32>>, Fault> {
        if let Some(model) = &self.elsewhere {
            return asked_elsewhere(&**model, &texts);
        }
        let found = self.queue.run(texts, kind, &self.pass);
        found.map_err(|refused| match refused {
            Refused::Full { waiting } => Fault::Busy {
                part: "embedder",
                what: format!("{waiting} texts wait for it"),
            },
            Refused::Late => Fault::Deadline { part: "embedder" },
            Refused::Broken => Fault::unavailable("embedder", "a pass of the model broke"),
        })
    }
}

/// The vectors of texts that are known by their characters.
fn asked_elsewhere(model: &dyn TextModel, texts: &[Tokens]) -> Result<Vec<Vec<f32>>, Fault> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let text = |units: &Tokens| units.iter().copied().filter_map(char::from_u32).collect();
    let texts: Vec<String> = texts.iter().map(text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = model.embed(&texts)?;
    if vectors.len() != texts.len() || vectors.iter().any(|vector| vector.len() != model.dim()) {
        let what = "it gave vectors of another number or dimension";
        return Err(Fault::unavailable("embedder", what));
    }
    Ok(vectors)
}

#[derive(Clone)]
struct Weight;

impl Weighter<Tokens, Arc<[f32]>> for Weight {
    fn weight(&self, tokens: &Tokens, vector: &Arc<[f32]>) -> u64 {
        // Both with the counts beside them, and the entry.
        (size_of_val(&tokens[..]) + size_of_val(&vector[..]) + 96) as u64
    }
}

#[cfg(test)]
mod tests;
