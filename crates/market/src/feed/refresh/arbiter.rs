//! Which message is next: the first arrival of each channel sequence, from whichever line.

use std::collections::BTreeMap;

use super::{Entry, RefreshConfig};

/// Old numbers that must rise one after the other before a restart is believed.
const RESTART_RUN: u32 = 3;
/// How near a second packet must be to agree with one far ahead.
const AGREES_WITHIN: u64 = 1_000;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The one that is due: apply it.
    Next,
    /// The first of all: apply it.
    First,
    /// Ahead of a hole: kept.
    Held,
    /// Known.
    Old,
    /// Not believed.
    Refused,
    /// The venue started again without a word.
    Restart,
}

#[derive(Debug)]
struct Held {
    ts_recv: u64,
    entries: Vec<Entry>,
}

#[derive(Debug)]
pub(super) struct Arbiter {
    next_seq: Option<u64>,
    head_seq: u64,
    held: BTreeMap<u64, Held>,
    spare: Vec<Vec<Entry>>,
    hole_since_ns: Option<u64>,
    /// One past the last sequence that may be missing for good.
    doubt_end: u64,
    far: Option<u64>,
    last_new_ns: u64,
    old_last: u64,
    old_run: u32,
    gaps: u64,
    lost: u64,
    delivered: u64,
    gap_wait_ns: u64,
    held_limit: usize,
    far_ahead: u64,
    restart_after_ns: u64,
}

impl Arbiter {
    pub(super) fn new(config: &RefreshConfig) -> Self {
        Self {
            next_seq: None,
            head_seq: 0,
            held: BTreeMap::new(),
            spare: Vec::with_capacity(config.held_messages),
            hole_since_ns: None,
            doubt_end: 0,
            far: None,
            last_new_ns: 0,
            old_last: 0,
            old_run: 0,
            gaps: 0,
            lost: 0,
            delivered: 0,
            gap_wait_ns: config.gap_wait_ns,
            held_limit: config.held_messages.max(1),
            far_ahead: config.far_ahead,
            restart_after_ns: config.restart_after_ns,
        }
    }

    pub(super) fn next_seq(&self) -> Option<u64> {
        self.next_seq
    }

    pub(super) fn head_seq(&self) -> u64 {
        self.head_seq
    }

    pub(super) fn doubt_end(&self) -> u64 {
        self.doubt_end
    }

    pub(super) fn has_hole(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn gaps(&self) -> u64 {
        self.gaps
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    pub(super) fn delivered_count(&self) -> u64 {
        self.delivered
    }

    pub(super) fn is_new(&self, seq: u64) -> bool {
        self.next_seq.is_none_or(|next| seq >= next) && !self.held.contains_key(&seq)
    }

    /// Judges a message, and keeps it where it must wait.
    pub(super) fn offer(&mut self, seq: u64, ts_recv: u64, entries: &[Entry]) -> Arrival {
        let Some(next) = self.next_seq else {
            // What came before the first is unknown to us.
            self.doubt_end = seq;
            self.last_new_ns = ts_recv;
            self.delivered(seq);
            return Arrival::First;
        };
        if seq < next {
            return self.old(seq, ts_recv);
        }
        if seq - next > self.far_ahead && !self.agrees(seq) {
            return Arrival::Refused;
        }
        if self.held.contains_key(&seq) {
            return Arrival::Old;
        }
        self.old_run = 0;
        self.far = None;
        self.last_new_ns = ts_recv;
        self.head_seq = self.head_seq.max(seq.saturating_add(1));
        if seq == next {
            self.delivered(seq);
            return Arrival::Next;
        }
        if self.held.is_empty() {
            self.gaps += 1;
            self.hole_since_ns = Some(ts_recv);
        }
        let mut kept = self.spare.pop().unwrap_or_default();
        kept.clear();
        kept.extend_from_slice(entries);
        let held = Held {
            ts_recv,
            entries: kept,
        };
        self.held.insert(seq, held);
        Arrival::Held
    }

    /// The message of this number was applied.
    pub(super) fn delivered(&mut self, seq: u64) {
        self.next_seq = Some(seq.saturating_add(1));
        self.head_seq = self.head_seq.max(seq.saturating_add(1));
        self.delivered += 1;
    }

    /// The next held message, when it is due.
    pub(super) fn take_next(&mut self) -> Option<(u64, u64, Vec<Entry>)> {
        let next = self.next_seq?;
        let first = self.held.first_entry()?;
        if *first.key() != next {
            return None;
        }
        let held = first.remove();
        self.delivered(next);
        // A further hole has its own time to be filled.
        self.hole_since_ns = self.held.values().next().map(|held| held.ts_recv);
        Some((next, held.ts_recv, held.entries))
    }

    pub(super) fn give_back(&mut self, entries: Vec<Entry>) {
        if self.spare.len() < self.held_limit {
            self.spare.push(entries);
        }
    }

    /// Gives the first hole up when it is due, or too much waits behind it; true when it did.
    pub(super) fn give_up_due(&mut self, now_ns: Option<u64>) -> bool {
        let (Some(next), Some((&first, _))) = (self.next_seq, self.held.first_key_value()) else {
            return false;
        };
        let is_aged = self
            .hole_since_ns
            .zip(now_ns)
            .is_some_and(|(since, now_ns)| since.saturating_add(self.gap_wait_ns) <= now_ns);
        if !is_aged && self.held.len() <= self.held_limit {
            return false;
        }
        self.lost += first - next;
        self.doubt_end = first;
        self.next_seq = Some(first);
        true
    }

    /// Numbers start again at `new_seq`.
    pub(super) fn restart(&mut self, new_seq: u64) {
        while let Some((_, held)) = self.held.pop_first() {
            self.give_back(held.entries);
        }
        self.hole_since_ns = None;
        self.next_seq = Some(new_seq);
        self.head_seq = new_seq;
        self.doubt_end = new_seq;
        self.old_run = 0;
        self.far = None;
    }

    fn old(&mut self, seq: u64, ts_recv: u64) -> Arrival {
        self.old_run = if seq > self.old_last {
            self.old_run + 1
        } else {
            0
        };
        self.old_last = seq;
        let is_quiet = ts_recv.saturating_sub(self.last_new_ns) >= self.restart_after_ns;
        if is_quiet && self.old_run >= RESTART_RUN {
            self.last_new_ns = ts_recv;
            return Arrival::Restart;
        }
        Arrival::Old
    }

    fn agrees(&mut self, seq: u64) -> bool {
        let agrees = self
            .far
            .is_some_and(|far| seq > far && seq - far <= AGREES_WITHIN);
        if !agrees {
            self.far = Some(seq);
        }
        agrees
    }
}
