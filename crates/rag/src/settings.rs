//! Every number that shapes an answer, in one place, with the limits on what may come in.

/// Weights, windows and limits. The defaults are what the tests hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Passages asked of each list for an answer: each is read.
    pub candidates_limit: usize,
    /// Passages asked of each list for a search.
    pub search_limit: usize,
    /// Citations shown when the question does not say.
    pub citations_limit: usize,
    /// Weight of the list by meaning where a question is asked, 0 to 1; the list by words has the rest.
    pub dense_question: f32,
    /// The same where a sentence is given.
    pub dense_statement: f32,
    /// The same where words are given.
    pub dense_keywords: f32,
    /// Added to every cosine that a passage must have to support an answer (`abstain`): more, and fewer are answered.
    pub abstain_margin: f32,
    /// Added to a passage's joined score for a tag with a company that the question names.
    pub bonus_entity: f32,
    /// Added for being from the time that the question names.
    pub bonus_time: f32,
    /// Added for being of now, where the question is about what goes on.
    pub bonus_recency: f32,
    /// The age at which half of that is left, ns.
    pub recency_half_ns: u64,
    /// How long before a jump its cause may have happened, ns.
    pub jump_lookback_ns: u64,
    /// How long before a jump a report counts half as its cause, ns.
    pub jump_half_ns: u64,
    /// How long before a jump a company's own news is judged by its kind (`rank::kinds`), ns; 0 for never.
    pub fresh_ns: u64,
    /// How long before a day's move its cause may have happened, ns.
    pub day_lookback_ns: u64,
    /// How long after the end of a move its cause may have been reported, ns.
    pub report_lag_ns: u64,
    /// A jump older than this, as of the instant asked about, is not "the" move any more, ns.
    pub jump_recent_ns: u64,
    /// A day's change smaller than this is not a move that needs a cause, basis points.
    pub move_bp_min: f64,
    /// Length of the context given to a model, tokens.
    pub context_tokens_limit: usize,
    /// Length of a model's answer, tokens.
    pub answer_tokens_limit: usize,
    /// Time that must be left before the deadline for a model to be started, ns.
    pub model_reserve_ns: u64,
    /// Time that must be left before the deadline for search by meaning, ns.
    pub dense_reserve_ns: u64,
    /// Time that must be left before the deadline for a re-rank, beside the model's where one writes, ns.
    pub rerank_reserve_ns: u64,
    /// How long a question waits for a re-rank at most, ns.
    pub rerank_wait_ns: u64,
}

impl Default for Settings {
    fn default() -> Self {
        const MINUTE_NS: u64 = 60_000_000_000;
        Self {
            candidates_limit: 48,
            search_limit: 200,
            citations_limit: 3,
            dense_question: 0.6,
            dense_statement: 0.6,
            dense_keywords: 0.5,
            abstain_margin: 0.0,
            bonus_entity: 0.3,
            bonus_time: 0.1,
            bonus_recency: 0.1,
            recency_half_ns: 24 * 60 * MINUTE_NS,
            jump_lookback_ns: 6 * 60 * MINUTE_NS,
            jump_half_ns: 30 * MINUTE_NS,
            fresh_ns: 0,
            day_lookback_ns: 18 * 60 * MINUTE_NS,
            report_lag_ns: 10 * MINUTE_NS,
            jump_recent_ns: 24 * 60 * MINUTE_NS,
            move_bp_min: 50.0,
            context_tokens_limit: 1_200,
            answer_tokens_limit: 220,
            model_reserve_ns: 300_000_000,
            dense_reserve_ns: 15_000_000,
            rerank_reserve_ns: 50_000_000,
            rerank_wait_ns: 2_000_000_000,
        }
    }
}

impl Settings {
    /// For a move that the market told of by itself, at the instant of the signal: its cause is minutes old at most, and
    /// nothing that is reported later is known.
    #[must_use]
    pub fn of_shock(self) -> Self {
        const MINUTE_NS: u64 = 60_000_000_000;
        Self {
            jump_lookback_ns: 30 * MINUTE_NS,
            jump_half_ns: 5 * MINUTE_NS,
            fresh_ns: MINUTE_NS,
            report_lag_ns: 0,
            ..self
        }
    }

    /// Whether a change is a move that needs a cause, in the precision in which it is shown.
    #[must_use]
    pub fn is_move(&self, bp: f64) -> bool {
        bp.abs().round() >= self.move_bp_min
    }
}

/// Bytes in a document's id, at most.
pub const ID_BYTES_LIMIT: usize = 512;
/// Bytes in a document's title, at most.
pub const TITLE_BYTES_LIMIT: usize = 2_048;
/// Bytes in a document's text, at most.
pub const TEXT_BYTES_LIMIT: usize = 1 << 20;
/// Symbols on one document, at most.
pub const SYMBOLS_LIMIT: usize = 64;
/// Bytes in a question or query, at most.
pub const QUESTION_BYTES_LIMIT: usize = 4_096;
/// Earlier questions that may be sent with one, at most.
pub const TURNS_LIMIT: usize = 20;
/// Passages of one question that a cross-encoder may be given, at most.
pub const RERANK_LIMIT: usize = 200;
/// Citations or hits that may be asked for, at most.
pub const K_LIMIT: usize = 100;
