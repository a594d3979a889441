//! Bundles, kept for readers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rag::Explained;
use stdx::Buckets;

use super::trigger::Trigger;
use crate::moments::{Similar, Unanswered};

/// Bundles kept at most.
const KEPT_LIMIT: usize = 1_000;

/// What is known of a shock as of its instant.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Counts from 1 in each run.
    pub number: u64,
    /// What asked for it, with the book at the instant.
    pub trigger: Trigger,
    /// The instant that it is as of, ns UTC: that of the signal, or one just before it while something was being stored that
    /// says it was known by then.
    pub at: u64,
    /// The bundle before it, where the signal tells again of the same move.
    pub follows: Option<u64>,
    /// Cited passages, or that no cause was found.
    pub explained: Explained,
    /// Past moments like it and what followed, or why there are none.
    pub similar: Result<Similar, Unanswered>,
    /// Window of the moments compared, ns.
    pub window_ns: u64,
    /// From the signal's arrival at the node until the worker had it, ns.
    pub waited_ns: u64,
    /// From the signal's arrival at the node until the bundle was there, ns.
    pub took_ns: u64,
}

/// What became of triggers.
#[derive(Clone, Debug, Default)]
pub struct EvidenceCounts {
    /// Signals that asked for evidence.
    pub triggers: u64,
    /// Of those, dropped because too many waited.
    pub dropped: u64,
    /// Of those, given up because nothing could be searched.
    pub failed: u64,
    /// Bundles made.
    pub bundles: u64,
    /// Of those, without a cause.
    pub no_cause: u64,
    /// Trigger to bundle, ns.
    pub took_ns: Buckets,
}

/// The newest bundles.
#[derive(Default)]
pub struct Bundles(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    kept: VecDeque<Arc<Bundle>>,
    counts: EvidenceCounts,
}

impl Bundles {
    /// Keeps a bundle, whose number is given here.
    pub(super) fn push(&self, mut bundle: Bundle) -> u64 {
        let mut inner = self.lock();
        inner.counts.bundles += 1;
        inner.counts.no_cause += u64::from(bundle.explained.answer.abstained);
        inner.counts.took_ns.record(bundle.took_ns, 1);
        bundle.number = inner.counts.bundles;
        if inner.kept.len() == KEPT_LIMIT {
            inner.kept.pop_front();
        }
        let number = bundle.number;
        inner.kept.push_back(Arc::new(bundle));
        number
    }

    pub(super) fn fail(&self) {
        self.lock().counts.failed += 1;
    }

    /// Those with a number above `after`, oldest first.
    #[must_use]
    pub fn after(&self, after: u64) -> Vec<Arc<Bundle>> {
        let inner = self.lock();
        let newer = inner.kept.iter().rev().take_while(|b| b.number > after);
        let mut newer: Vec<Arc<Bundle>> = newer.cloned().collect();
        newer.reverse();
        newer
    }

    /// The oldest `limit` with a number above `after`, of one symbol or of all, newest first.
    #[must_use]
    pub fn next(&self, symbol: Option<&str>, after: u64, limit: usize) -> Vec<Arc<Bundle>> {
        let inner = self.lock();
        let is_of = |b: &&Arc<Bundle>| {
            b.number > after && symbol.is_none_or(|symbol| b.trigger.symbol == symbol)
        };
        let mut next: Vec<Arc<Bundle>> = inner
            .kept
            .iter()
            .filter(is_of)
            .take(limit)
            .cloned()
            .collect();
        next.reverse();
        next
    }

    /// The newest `limit`, of one symbol or of all, newest first.
    #[must_use]
    pub fn newest(&self, symbol: Option<&str>, limit: usize) -> Vec<Arc<Bundle>> {
        let inner = self.lock();
        let is_of = |b: &&Arc<Bundle>| symbol.is_none_or(|symbol| b.trigger.symbol == symbol);
        let newest = inner.kept.iter().rev().filter(is_of);
        newest.take(limit).cloned().collect()
    }

    /// The number of the newest; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.lock().counts.bundles
    }

    /// The bundles' part of the counts.
    pub(crate) fn counts(&self) -> EvidenceCounts {
        self.lock().counts.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
