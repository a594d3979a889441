//! Passages for a query: by meaning, by words, or both joined.

use crate::memory::Passage;
use crate::receipt::Receipt;

/// What to search for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// In plain words.
    pub q: String,
    /// How many hits at most; 0: 10.
    pub k: usize,
    /// Only documents tagged with any of these.
    pub symbols: Vec<String>,
    /// Only documents from any of these.
    pub sources: Vec<String>,
    /// Only what was known by then.
    pub as_of: Option<u64>,
    /// Which lists to use.
    pub mode: Mode,
}

/// Which lists a search uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Both, joined by weighted reciprocal ranks.
    #[default]
    Hybrid,
    /// Meaning alone.
    Dense,
    /// Words alone.
    Text,
}

/// Hits, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchAnswer {
    /// Best first.
    pub hits: Vec<SearchHit>,
    /// What they were made from.
    pub receipt: Receipt,
}

/// One passage and where each list had it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchHit {
    /// The passage; its `score` is the joined score in hybrid mode, else the list's own.
    pub passage: Passage,
    /// Rank in the list by meaning, from 1.
    pub rank_dense: Option<usize>,
    /// Rank in the list by words, from 1.
    pub rank_text: Option<usize>,
}
