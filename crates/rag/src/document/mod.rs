//! What a person stores, and what becomes of it: document, chunk, receipt of the store.

use std::collections::BTreeMap;

/// What else is said of a document, by name: searches are narrowed by it.
pub type Fields = BTreeMap<String, Field>;

/// One thing that is said of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// Words.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A finite number.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// A place on the Earth, degrees north and east.
    Place {
        /// North of the equator.
        lat: f64,
        /// East of Greenwich.
        lon: f64,
    },
    /// Several.
    List(Vec<Field>),
}

/// A text with its two instants. All spans in this crate are byte offsets into [`Document::text`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The user's key; storing the same key again replaces the document from `known_at` on.
    pub id: String,
    /// A headline; prefixed to chunks for embedding only, never quoted.
    pub title: Option<String>,
    /// The text that is chunked, searched and quoted.
    pub text: String,
    /// Where it comes from: `newswire`, `tweets`, a site's name.
    pub source: Option<String>,
    /// Venue symbols that it is about; may be empty.
    pub symbols: Vec<String>,
    /// Where a person can read it.
    pub url: Option<String>,
    /// What else is said of it.
    pub fields: Fields,
    /// When what it tells happened, ns UTC.
    pub event_at: u64,
    /// When we could first have read it, ns UTC; nothing may use it before.
    pub known_at: u64,
}

/// A document as it arrives: the two instants may be missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// As [`Document::id`].
    pub id: String,
    /// As [`Document::title`].
    pub title: Option<String>,
    /// As [`Document::text`].
    pub text: String,
    /// As [`Document::source`].
    pub source: Option<String>,
    /// As [`Document::symbols`].
    pub symbols: Vec<String>,
    /// As [`Document::url`].
    pub url: Option<String>,
    /// As [`Document::fields`].
    pub fields: Fields,
    /// `None`: the same as `known_at`.
    pub event_at: Option<u64>,
    /// `None`: now.
    pub known_at: Option<u64>,
}

impl Draft {
    /// The document, once both instants are settled: `known_at` defaults to `now_ns`, `event_at`
    /// to `known_at`.
    #[must_use]
    pub fn settle(self, now_ns: u64) -> Document {
        let known_at = self.known_at.unwrap_or(now_ns);
        Document {
            id: self.id,
            title: self.title,
            text: self.text,
            source: self.source,
            symbols: self.symbols,
            url: self.url,
            fields: self.fields,
            event_at: self.event_at.unwrap_or(known_at),
            known_at,
        }
    }
}

/// One piece of a document, ready to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddedChunk {
    /// Position in the document, from 0; chunks tile the text in this order.
    pub index: usize,
    /// First byte in [`Document::text`].
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// `document.text[start..end]`.
    pub text: String,
    /// Unit length.
    pub vector: Vec<f32>,
}

/// What a store promised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The memory's sequence number after the write.
    pub seq: u64,
    /// Whether it is on disk already.
    pub durable: bool,
    /// How many chunks were written; filled by `Asker::ingest`, a memory may leave it 0.
    pub chunks: usize,
}
