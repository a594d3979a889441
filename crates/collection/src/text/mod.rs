//! Words in, ranked points out: BM25 over an in-memory inverted index, as of any instant.

mod analyse;
mod index;

pub(crate) use analyse::{Terms, analyse};
pub(crate) use index::{TextIndex, TextScratch};

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
