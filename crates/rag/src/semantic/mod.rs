//! Questions that mean what an earlier one meant, answered from the lists of that one.
//!
//! People ask the same thing in other words. A question whose vector is near that of an earlier one, and that claims the
//! same (`Signature`), is searched as the earlier one was: its lists are the kept ones, vouched for by the memory's stamp
//! like any (`cache`), and everything after them, the order and the answer, is done for the question that was asked. The
//! receipt names the earlier question. Nothing crosses what a list depends on: scope, filter, instant, embedder.

mod signature;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;

use crate::cache::{KeptCounts, Key};
pub(crate) use signature::Signature;

/// Kinds of questions remembered.
const FRAMES: usize = 1_024;
/// Questions of one kind that are remembered; of more the oldest go.
const QUESTIONS: usize = 16;

/// Remembers questions by what they mean. Shared by all threads.
pub struct Semantic {
    cosine_min: f32,
    frames: Cache<Frame, Arc<Mutex<Vec<Arc<Earlier>>>>>,
    hits: AtomicU64,
    stale: AtomicU64,
    misses: AtomicU64,
}

/// What two questions must have in common beside their meaning.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    /// All that their lists depend on, without the words.
    key: Key,
    signature: Signature,
    /// Companies that the directory finds in it, however they are written, in order.
    symbols: Vec<String>,
}

/// A question that was searched.
#[derive(Clone, Debug)]
pub(crate) struct Earlier {
    pub(crate) q: String,
    /// Of unit length.
    pub(crate) vector: Vec<f32>,
}

/// What became of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Lists of an earlier question were taken.
    Hit,
    /// There was one, but its lists are not true any more.
    Stale,
    /// There was none.
    Miss,
}

impl Frame {
    pub(crate) fn of(key: &Key, q: &str, symbols: &[String]) -> Self {
        let mut symbols = symbols.to_vec();
        symbols.sort_unstable();
        Self {
            key: Key {
                query: String::new(),
                ..key.clone()
            },
            signature: Signature::of(q),
            symbols,
        }
    }
}

impl Semantic {
    /// Takes questions for the same whose vectors have at least this cosine.
    #[must_use]
    pub fn new(cosine_min: f32) -> Self {
        Self {
            cosine_min,
            frames: Cache::new(FRAMES),
            hits: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Counts since the start; a question whose own lists were kept is not looked for.
    #[must_use]
    pub fn counts(&self) -> KeptCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        KeptCounts {
            hits: read(&self.hits),
            stale: read(&self.stale),
            misses: read(&self.misses),
        }
    }

    pub(crate) fn count(&self, look: Look) {
        let count = match look {
            Look::Hit => &self.hits,
            Look::Stale => &self.stale,
            Look::Miss => &self.misses,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Earlier questions near enough, nearest first, with their cosine.
    pub(crate) fn near(&self, frame: &Frame, vector: &[f32]) -> Vec<(f32, Arc<Earlier>)> {
        let Some(questions) = self.frames.get(frame) else {
            return Vec::new();
        };
        let questions = questions.lock().unwrap_or_else(PoisonError::into_inner);
        let scored = questions.iter().map(|earlier| {
            let product = earlier.vector.iter().zip(vector).map(|(a, b)| a * b);
            (product.sum::<f32>(), Arc::clone(earlier))
        });
        let mut near: Vec<_> = scored
            .filter(|(cosine, _)| *cosine >= self.cosine_min)
            .collect();
        near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        near
    }

    /// Remembers a question that was searched by its own words.
    pub(crate) fn learn(&self, frame: Frame, q: &str, vector: &[f32]) {
        let questions = self
            .frames
            .get_or_insert_with(&frame, || Ok::<_, std::convert::Infallible>(Arc::default()));
        let Ok(questions) = questions;
        let mut questions = questions.lock().unwrap_or_else(PoisonError::into_inner);
        if questions.iter().any(|earlier| earlier.q == q) {
            return;
        }
        if questions.len() == QUESTIONS {
            questions.remove(0);
        }
        questions.push(Arc::new(Earlier {
            q: q.to_owned(),
            vector: vector.to_vec(),
        }));
    }
}
