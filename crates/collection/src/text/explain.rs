//! What a search of texts did, for whoever asks why a text is not among the answers, or why it took so long.

use super::Statistics;
use crate::plan::Step;

/// One search of texts, told step by step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextExplain {
    /// The query's words as they are looked for, with what is known of each.
    pub terms: Vec<TermTold>,
    /// How many phrases had to occur.
    pub phrases: usize,
    /// Texts visible as of the instant: those that the statistics are of.
    pub texts: u64,
    /// Their mean length in words.
    pub mean_length: f64,
    /// Where the statistics come from: `entry` or `instant` by differences of prefixes, `counted` one by one.
    pub statistics: &'static str,
    /// How many texts pass the filter; `None` where there was none.
    pub matched: Option<u64>,
    /// What was searched.
    pub parts: Vec<TextPart>,
    /// What was done, in order.
    pub steps: Vec<Step>,
}

/// A word of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct TermTold {
    /// As it stands in the index: stemmed.
    pub text: String,
    /// How often it was asked for.
    pub count: u16,
    /// Visible texts that have it.
    pub texts: u64,
}

/// A stretch of the index that was searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextPart {
    /// `segment` or `delta`.
    pub name: &'static str,
    /// Texts in it, superseded ones included.
    pub texts: u64,
    /// How many of the query's words it has.
    pub terms: usize,
    /// What reading it took.
    pub work: Work,
}

/// What reading postings took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Windows of slots that were passed over, because their bounds did not reach the best so far.
    pub windows_skipped: u64,
    /// Windows that were read.
    pub windows_read: u64,
    /// Texts whose sum was looked at.
    pub candidates: u64,
}

impl Work {
    /// What came since then.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            windows_skipped: self.windows_skipped.wrapping_sub(before.windows_skipped),
            windows_read: self.windows_read.wrapping_sub(before.windows_read),
            candidates: self.candidates.wrapping_sub(before.candidates),
        }
    }
}

impl Statistics {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Entry(_) => "entry",
            Self::Prefix { .. } => "instant",
            Self::Counted => "counted",
        }
    }
}
