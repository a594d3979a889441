//! Words in, ranked points out: BM25 as of any instant.
//!
//! The index is a row of parts: immutable compressed segments, then a delta in memory that takes new texts. Each
//! part holds a stretch of births and a stretch of deaths of texts, so that counts over the texts visible as of
//! any entry are differences of prefixes, and neighbours merge by writing them one after the other.
//! It can be used by itself; a collection uses it for its points.
//!
//! ```
//! use collection::text::{
//!     Analyser, EverySlot, Statistics, TextIndex, TextQuery, TextScratch, TextSearch, TextSettings,
//! };
//!
//! let analyser = Analyser::new(&TextSettings::default());
//! let mut index = TextIndex::new(TextSettings::default());
//! index.push(0, 1, &analyser.read("The bank raised its rate by 25 basis points"));
//! index.push(1, 2, &analyser.read("Points on a chart, no basis for a rate"));
//! let search = TextSearch {
//!     query: &TextQuery::parse("rates \"basis points\"", &analyser),
//!     k: 10,
//!     bm25: Default::default(),
//!     statistics: Statistics::Entry(2),
//!     visible: &EverySlot,
//!     allowed: None::<&EverySlot>,
//! };
//! let hits = index.search(&search, &mut TextScratch::default());
//! assert_eq!(hits.iter().map(|hit| hit.slot).collect::<Vec<_>>(), [0]);
//! ```

mod analyse;
mod columns;
mod cursor;
mod delta;
mod events;
mod explain;
mod freeze;
mod impacts;
mod index;
mod part;
mod query;
mod rules;
mod score;
mod search;
mod segment;
mod settings;
mod terms;
#[cfg(test)]
mod tests;
mod top;

pub use analyse::Analyser;
#[cfg(test)]
pub(crate) use analyse::analyse;
pub use explain::{TermTold, TextExplain, TextPart, Work};
pub use freeze::{BadText, Sealed, tiers};
pub use index::{Statistics, TextIndex, TextSearch};
pub use query::TextQuery;
pub(crate) use rules::TextReader;
pub use rules::TextRules;
pub use search::TextScratch;
pub use segment::BadSegment;
pub use settings::{Language, StopWords, TextSettings};
pub use terms::{Term, Terms};

/// The two knobs of BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bm25 {
    /// How soon repetition of a word stops counting.
    pub k1: f32,
    /// How much long texts are held back, 0 to 1.
    pub b: f32,
}

impl Default for Bm25 {
    /// The values of Anserini and Lucene benchmarks, fit for short passages.
    fn default() -> Self {
        Self { k1: 0.9, b: 0.4 }
    }
}

/// A set of slots, as a search asks for it.
pub trait Slots {
    /// Whether `slot` is in.
    fn has(&self, slot: u32) -> bool;

    /// The first slot of the set at or after `slot`; an earlier one that is not in will do where the set
    /// cannot tell.
    fn next(&self, slot: u32) -> Option<u32>;
}

/// All slots.
#[derive(Clone, Copy, Debug, Default)]
pub struct EverySlot;

impl Slots for EverySlot {
    fn has(&self, _: u32) -> bool {
        true
    }

    fn next(&self, slot: u32) -> Option<u32> {
        Some(slot)
    }
}
