//! What the wider windows say of one symbol, kept for readers.

use std::collections::{BTreeMap, VecDeque};

use market::publish::{ActivityBar, Bar, BarRule, JoinedPrint, Measure};

use super::symbol::push_bounded;

const MEASURES_LIMIT: usize = 600;
const ACTIVITY_LIMIT: usize = 1_000;
const JOINED_LIMIT: usize = 1_000;

/// Bounded histories, oldest first; empty where a lane was not asked for them.
#[derive(Clone, Debug, Default)]
pub struct Wider {
    /// Measures of the sliding window.
    pub measures: VecDeque<Measure>,
    /// Bars closed by activity, by what closes them.
    pub activity: BTreeMap<BarRule, VecDeque<Bar>>,
    /// Prints with the quote and the reference row in force.
    pub joined: VecDeque<JoinedPrint>,
}

impl Wider {
    pub(super) fn measure(&mut self, measure: Measure) {
        push_bounded(&mut self.measures, measure, MEASURES_LIMIT);
    }

    pub(super) fn activity(&mut self, activity: ActivityBar) {
        let bars = self.activity.entry(activity.rule).or_default();
        push_bounded(bars, activity.bar, ACTIVITY_LIMIT);
    }

    pub(super) fn joined(&mut self, joined: JoinedPrint) {
        push_bounded(&mut self.joined, joined, JOINED_LIMIT);
    }
}
