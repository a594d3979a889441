//! What an answer was made from: sequences seen, freshness, flags, stage times, what was skipped.

pub(crate) mod watch;

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
    /// Its last sequence number.
    pub seq: u64,
    /// The latest `known_at` stored; never after the question's `as_of`.
    pub newest_known_at: Option<u64>,
    /// Age of that at the instant asked about, at least 0; `None` when documents came since.
    pub freshness_ms: Option<f64>,
}

/// Which models took part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelsUsed {
    /// The embedder; `None` when dense search was skipped.
    pub embed: Option<String>,
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
    /// Choosing passages and sentences.
    pub assemble: u64,
    /// Writing the answer, model included.
    pub answer: u64,
    /// Checking quotes and citations.
    pub verify: u64,
    /// All of it.
    pub total: u64,
}
