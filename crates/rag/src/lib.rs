//! Question to cited answer, as pure logic over five seams: memory, facts, embedder, cross-encoder,
//! model.
//!
//! What is absent: no JSON, no HTTP, no files, no clock of its own. The caller implements the
//! traits and hands in the time; this crate decides what to search, what to believe and what to say.

// What goes in, what comes out, and the seams.
pub mod document;
pub mod facts;
pub mod fault;
pub mod memory;
pub mod model;
pub mod receipt;
pub mod settings;

// Reading: text to sentences, documents to chunks, questions to queries.
pub mod chunk;
pub mod ingest;
pub mod prose;
pub mod query;

// Evidence: lists to candidates, candidates to citations.
pub mod abstain;
pub mod cache;
pub mod cite;
pub mod context;
pub mod fuse;
pub mod rank;
mod rerank;
mod semantic;

// The joins: answers in words, passages for a query, questions against market and memory.
pub mod answer;
pub mod ask;
pub mod search;

pub use ask::{Answer, Asker, Citation, Explained, Fact, PeerNews, Question, Shock};
pub use cache::{Kept, KeptCounts};
pub use document::{Document, Draft, EmbeddedChunk, Field, Fields, Stored};
pub use facts::{Facts, Halt, Jump, Mover, StreamHead, SymbolFacts, SymbolName};
pub use fault::Fault;
pub use memory::{List, Memory, MemoryHead, Passage, Search, Stamp};
pub use model::{Embed, Embedded, Model, Prompt, Rerank};
pub use receipt::{
    Candidates, FromEarlier, MemorySeen, ModelsUsed, Paths, Receipt, Reranked, SpanSeen, Stages,
    StreamSeen,
};
pub use search::{Copied, Mode, SearchAnswer, SearchHit, SearchRequest};
pub use semantic::Semantic;
pub use settings::Settings;
