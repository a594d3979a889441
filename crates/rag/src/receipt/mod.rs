//! What an answer was made from: sequences seen, freshness, flags, stage times, what was skipped.

pub(crate) mod watch;

use sha2::{Digest, Sha256};

use crate::ask::Citation;
use crate::memory::Passage;

/// Proof of work, part of every answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receipt {
    /// The instant asked about; `None`: now.
    pub as_of: Option<u64>,
    /// When the question arrived, ns UTC.
    pub asked_at: u64,
    /// The feed when the facts were read; `None` without a feed.
    pub stream: Option<StreamSeen>,
    /// The memory when the search began.
    pub memory: MemorySeen,
    /// What a reader should know before trusting the answer, as short kebab-case words with the
    /// symbol after a colon where one is meant: `book-stale:AAPL`, `passage-after-as-of-dropped`.
    pub flags: Vec<String>,
    /// Which models took part.
    pub models: ModelsUsed,
    /// How many passages each step saw.
    pub candidates: Candidates,
    /// Which way the memory took to them.
    pub paths: Paths,
    /// Searches whose lists were kept from an earlier question and are still true.
    pub kept: usize,
    /// The earlier question whose lists these are, where this one means the same.
    pub from_earlier: Option<FromEarlier>,
    /// The question as it was understood, where it stood on earlier ones.
    pub rewritten: Option<String>,
    /// What is shown, by place and hash: the citations of an answer, the hits of a search, in
    /// their order.
    pub spans: Vec<SpanSeen>,
    /// SHA-256 of the question's words, in hexadecimal.
    pub question_sha256: String,
    /// SHA-256 of the answer's text; `None` for a search.
    pub answer_sha256: Option<String>,
    /// SHA-256 of the market sentences beside the answer, a line each; `None` for a search.
    pub facts_sha256: Option<String>,
    /// What a cross-encoder said of the passages that it read, best first; empty where none was asked or it was skipped.
    pub reranked: Vec<Reranked>,
    /// Where the time went, microseconds.
    pub stages_us: Stages,
    /// What was left out, and why: `model: deadline`, `dense: embedder is unavailable ...`.
    pub skipped: Vec<String>,
}

/// The feed, as seen by an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamSeen {
    /// Newest sequence number applied.
    pub seq: u64,
    /// Its event time, ns UTC.
    pub ts_event: u64,
    /// Age of the newest event when asked; negative when the feed's clock runs ahead of ours.
    pub freshness_ms: f64,
    /// The worst integrity of any book.
    pub integrity: String,
    /// Where the feed stood.
    pub feed_state: String,
}

/// The memory, as seen by an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MemorySeen {
    /// Its last sequence number when the search began.
    pub seq: u64,
    /// The same when the search was over; nothing from a later write is in the answer.
    pub seq_end: u64,
    /// The instant searched at, ns UTC: the same question with this as its `as_of` finds the same
    /// documents. `None` where the memory knows no instants.
    pub instant: Option<u64>,
    /// The latest `known_at` stored; never after the question's `as_of`.
    pub newest_known_at: Option<u64>,
    /// Age of that at the instant asked about, at least 0; `None` when documents came since.
    pub freshness_ms: Option<f64>,
}

/// A piece of a stored document, as it was shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanSeen {
    /// The user's key of the document.
    pub document_id: String,
    /// The memory's key of the chunk that it is in.
    pub chunk_id: String,
    /// First byte in the document's text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// SHA-256 of those bytes, in hexadecimal.
    pub sha256: String,
    /// The write that made this version; not after [`MemorySeen::seq_end`].
    pub seq: u64,
    /// When what it tells happened, ns UTC.
    pub event_at: u64,
    /// When this version became known, ns UTC.
    pub known_at: u64,
}

impl From<&Passage> for SpanSeen {
    fn from(passage: &Passage) -> Self {
        Self {
            document_id: passage.document_id.clone(),
            chunk_id: passage.id.clone(),
            start: passage.start,
            end: passage.end,
            sha256: sha256(passage.text.as_bytes()),
            seq: passage.seq,
            event_at: passage.event_at,
            known_at: passage.known_at,
        }
    }
}

impl From<&Citation> for SpanSeen {
    fn from(cited: &Citation) -> Self {
        Self {
            document_id: cited.document_id.clone(),
            chunk_id: cited.chunk_id.clone(),
            start: cited.start,
            end: cited.end,
            sha256: sha256(cited.quote.as_bytes()),
            seq: cited.seq,
            event_at: cited.event_at,
            known_at: cited.known_at,
        }
    }
}

/// An earlier question that was searched in place of this one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FromEarlier {
    /// In its own words.
    pub q: String,
    /// Of both questions' vectors.
    pub cosine: f32,
}

/// A passage and what a cross-encoder said of it: what another call would say is not known, so it stands here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reranked {
    /// The memory's key of the chunk.
    pub chunk_id: String,
    /// In the model's own measure; larger is better.
    pub score: f32,
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Which way the memory took to its lists, in its own words; `None` for a list that was not asked
/// for, or whose memory does not tell. Several searches: each way once, joined by `; `.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// By meaning: `walk ef 128 (graph, tail)`, `among (rows)`.
    pub dense: Option<String>,
    /// By words: `statistics by entry (segment, delta)`.
    pub text: Option<String>,
}

impl Paths {
    /// Adds a way to those of a list.
    pub(crate) fn add(list: &mut Option<String>, path: String) {
        if path.is_empty() {
            return;
        }
        match list {
            Some(taken) if taken.split("; ").any(|one| one == path) => {}
            Some(taken) => *taken = format!("{taken}; {path}"),
            None => *list = Some(path),
        }
    }
}

/// Which models took part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelsUsed {
    /// The embedder; `None` when dense search was skipped.
    pub embed: Option<String>,
    /// The cross-encoder; `None` where none was asked or it was skipped.
    pub rerank: Option<String>,
    /// The writer; `None` for an extractive answer.
    pub answer: Option<String>,
}

/// How many passages each step saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// From the search by meaning.
    pub dense: usize,
    /// From the search by words.
    pub text: usize,
    /// Distinct ones after fusion.
    pub fused: usize,
}

/// Microseconds by stage; a stage that ran more than once (several movers) is summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// Reading the market.
    pub facts: u64,
    /// Question to vector.
    pub embed: u64,
    /// Search by meaning.
    pub dense: u64,
    /// Search by words.
    pub text: u64,
    /// Joining and ranking the lists.
    pub fuse: u64,
    /// Waiting for a cross-encoder.
    pub rerank: u64,
    /// Choosing passages and sentences.
    pub assemble: u64,
    /// Writing the answer, model included.
    pub answer: u64,
    /// Checking quotes and citations.
    pub verify: u64,
    /// All of it.
    pub total: u64,
}
