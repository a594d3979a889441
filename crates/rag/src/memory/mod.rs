//! The seam to whatever stores chunks and finds them again. `rag` drives; the memory answers.

use stdx::Clock;

use crate::document::{Document, EmbeddedChunk, Fields, Stored};
use crate::fault::Fault;

/// Stored chunks, searchable by meaning and by words, as of any instant.
pub trait Memory: Send + Sync {
    /// The `search.k` chunks nearest to a unit vector; `score` is the cosine, largest first.
    ///
    /// # Errors
    /// When the memory cannot answer; the caller goes on without this list and says so.
    fn dense(&self, vector: &[f32], search: &Search) -> Result<Vec<Passage>, Fault>;

    /// The `search.k` chunks that share the most telling words with `query` (BM25), best first.
    ///
    /// # Errors
    /// As [`Memory::dense`].
    fn text(&self, query: &str, search: &Search) -> Result<Vec<Passage>, Fault>;

    /// As [`dense`](Self::dense), and by which path: the plan and the parts that were searched, in
    /// a word or two. Empty where the memory does not tell.
    ///
    /// # Errors
    /// As [`Memory::dense`].
    fn dense_told(&self, vector: &[f32], search: &Search) -> Result<(Vec<Passage>, String), Fault> {
        Ok((self.dense(vector, search)?, String::new()))
    }

    /// As [`text`](Self::text), and by which path.
    ///
    /// # Errors
    /// As [`Memory::text`].
    fn text_told(&self, query: &str, search: &Search) -> Result<(Vec<Passage>, String), Fault> {
        Ok((self.text(query, search)?, String::new()))
    }

    /// The lists of [`dense_told`](Self::dense_told) and [`text_told`](Self::text_told) for one search, each with how long it took by `clock`. A
    /// memory may make them at once.
    fn both_told(
        &self,
        vector: &[f32],
        query: &str,
        search: &Search,
        clock: &dyn Clock,
    ) -> [List; 2] {
        [
            List::timed(clock, || self.dense_told(vector, search)),
            List::timed(clock, || self.text_told(query, search)),
        ]
    }

    /// How far the memory has got.
    fn head(&self) -> MemoryHead;

    /// The instant that a question without one is about, ns UTC: all that was known by then is
    /// stored, and nothing that is stored from now on becomes known at or before it, unless its
    /// owner says so. `None` where the memory cannot promise that; it then searches what it has.
    fn instant(&self) -> Option<u64> {
        None
    }

    /// Which documents are searched, where it is part of a larger memory; `None` where that cannot be told, and what was
    /// found is not kept.
    fn scope(&self) -> Option<String> {
        Some(String::new())
    }

    /// What vouches for lists found at `instant`, of a question about an instant of its own or about now (`is_past`):
    /// with an equal stamp the same search finds the same. `None`: nobody vouches.
    fn stamp(&self, _instant: u64, _is_past: bool) -> Option<Stamp> {
        None
    }

    /// Stores all chunks and removes every chunk of an earlier version of `document.id`, as one
    /// atomic batch.
    ///
    /// # Errors
    /// When nothing was stored.
    fn store(&self, document: &Document, chunks: Vec<EmbeddedChunk>) -> Result<Stored, Fault>;

    /// As [`store`](Self::store), unless the memory has come to have vectors of another generation than these, which is
    /// [`Fault::Busy`]: embed and store again.
    ///
    /// # Errors
    /// As `store`.
    fn store_of(
        &self,
        document: &Document,
        chunks: Vec<EmbeddedChunk>,
        _generation: Option<u32>,
    ) -> Result<Stored, Fault> {
        self.store(document, chunks)
    }
}

/// A list as a memory made it.
#[derive(Debug)]
pub struct List {
    /// Passages, best first, and by which path.
    pub found: Result<(Vec<Passage>, String), Fault>,
    /// Time it took.
    pub ns: u64,
}

impl List {
    /// Makes a list.
    pub fn timed(
        clock: &dyn Clock,
        make: impl FnOnce() -> Result<(Vec<Passage>, String), Fault>,
    ) -> Self {
        let start = clock.now_ns();
        let found = make();
        let ns = clock.now_ns().saturating_sub(start);
        Self { found, ns }
    }
}

/// What to look for, and where not to look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Search {
    /// How many passages at most.
    pub k: usize,
    /// Only what was known by then; `None`: all that is known now.
    pub as_of: Option<u64>,
    /// Only passages tagged with any of these; empty: no condition.
    pub symbols: Vec<String>,
    /// Only passages from any of these; empty: no condition.
    pub sources: Vec<String>,
    /// Only passages with `event_at >=` this.
    pub event_from: Option<u64>,
    /// Only passages with `event_at <=` this.
    pub event_to: Option<u64>,
    /// Among which of the memory's vectors, where it has those of several models one after the other: the number that came
    /// with the vector. `None`: those of the instant. Words are the same in all.
    pub generation: Option<u32>,
}

/// A chunk as retrieved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Passage {
    /// The memory's key of the chunk; the same chunk has the same key in every list.
    pub id: String,
    /// The user's key of the document.
    pub document_id: String,
    /// The document's headline.
    pub title: Option<String>,
    /// Where the document comes from.
    pub source: Option<String>,
    /// Symbols the document is tagged with.
    pub symbols: Vec<String>,
    /// What else is said of the document.
    pub fields: Fields,
    /// The chunk: bytes `start..end` of the document's text.
    pub text: String,
    /// First byte in the document's text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// When what it tells happened, ns UTC.
    pub event_at: u64,
    /// When it became known, ns UTC.
    pub known_at: u64,
    /// The write that made this version, as the memory numbers them; 0 where it does not.
    pub seq: u64,
    /// In the measure of the list it came from; larger is better.
    pub score: f32,
}

/// A state of a memory, as far as a search can tell: its last write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(pub u64);

/// How far a memory has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryHead {
    /// Its last sequence number.
    pub seq: u64,
    /// The latest `known_at` stored; `None` when empty.
    pub newest_known_at: Option<u64>,
}
