//! Digests of all books after given messages.

use std::collections::VecDeque;

/// Digests wanted or taken but not fetched, at most.
const DIGESTS: usize = 64;

/// Digests to be taken after given messages, so that two machines compare the same moment.
#[derive(Debug)]
pub(super) struct Digests {
    /// Ascending.
    pub(super) wanted: VecDeque<u64>,
    pub(super) taken: VecDeque<(u64, u64)>,
    /// The first of `wanted`, or `u64::MAX`.
    pub(super) next_seq: u64,
}

impl Digests {
    pub(super) fn new() -> Self {
        Self {
            wanted: VecDeque::with_capacity(DIGESTS),
            taken: VecDeque::with_capacity(DIGESTS),
            next_seq: u64::MAX,
        }
    }

    pub(super) fn want(&mut self, seq: u64) {
        let idx = self.wanted.partition_point(|&wanted| wanted < seq);
        if self.wanted.len() < DIGESTS && self.wanted.get(idx) != Some(&seq) {
            self.wanted.insert(idx, seq);
        }
        self.forget_before(0);
    }

    /// Takes those whose message has been applied: all before `next_seq` have.
    #[inline]
    pub(super) fn look(&mut self, next_seq: u64, digest: impl FnOnce() -> u64) {
        if next_seq > self.next_seq {
            self.take_before(next_seq, digest());
        }
    }

    /// The oldest taken and not fetched: `(seq, digest)`.
    pub(super) fn fetch(&mut self) -> Option<(u64, u64)> {
        self.taken.pop_front()
    }

    /// Messages that came in one packet have one digest.
    #[cold]
    fn take_before(&mut self, next_seq: u64, digest: u64) {
        while let Some(seq) = self.wanted.pop_front_if(|seq| *seq < next_seq) {
            self.keep(seq, digest);
        }
        self.forget_before(next_seq);
    }

    pub(super) fn keep(&mut self, seq: u64, digest: u64) {
        if self.taken.len() == DIGESTS {
            self.taken.pop_front();
        }
        self.taken.push_back((seq, digest));
    }

    pub(super) fn forget_before(&mut self, seq: u64) {
        while self.wanted.front().is_some_and(|&wanted| wanted < seq) {
            self.wanted.pop_front();
        }
        self.next_seq = self.wanted.front().copied().unwrap_or(u64::MAX);
    }

    pub(super) fn clear(&mut self) {
        self.wanted.clear();
        self.forget_before(0);
    }
}
