//! How text is read: sentences with byte spans, words with byte spans.
//!
//! Everything returns spans into the text it was given, never copies, so that a quote can always
//! be traced to the bytes it came from.

pub mod sentence;
pub mod word;

pub use sentence::sentences;
pub use word::{Word, content_stems, shared_stems, words};
