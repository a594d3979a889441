//! The last rung of recovery for an order feed: all books anew from a snapshot.
//!
//! ```text
//! messages lost, or joined late            snapshot as of N arrives
//!        |                                        |
//!  ------x----- delivered, flagged stale ---------v------> ok
//!        |        kept: [from, ...]         books := snapshot, then what was kept from N on
//!        '-> asked for
//! ```
//!
//! While a snapshot is on its way, messages go on being delivered to the stale books, so that prints
//! are shown (flagged) and time goes on; a copy of each is kept. When the snapshot is there and the
//! feed has reached its number, the books are loaded and brought up to date from the copies, which
//! print nothing a second time. The copies have a bound: when it is reached they start again from
//! there, and a snapshot that is older is refused and asked for again. Each failure doubles the wait
//! for the next try, up to a limit; there is always a next try, since stale books are worth nothing.

use crate::event::Event;
use crate::publish::Integrity;

/// When snapshots are asked for, and what may be kept meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotConfig {
    /// How long one snapshot may take, ns.
    pub timeout_ns: u64,
    /// The wait after the first failure, ns; doubled by each further one.
    pub retry_ns: u64,
    /// The longest wait, ns.
    pub retry_limit_ns: u64,
    /// Between two snapshots that are only for symbols under suspicion, ns.
    pub suspect_interval_ns: u64,
    /// Bytes of live messages kept while a snapshot is on its way: two more than its own for each
    /// message. Taken at start where there is a snapshot server.
    pub kept_bytes_limit: usize,
}

impl Default for SnapshotConfig {
    fn default() -> Self {
        Self {
            timeout_ns: 30_000_000_000,
            retry_ns: 250_000_000,
            retry_limit_ns: 10_000_000_000,
            suspect_interval_ns: 10_000_000_000,
            kept_bytes_limit: 16 << 20,
        }
    }
}

/// What became of a snapshot that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// The books are those of the snapshot and what followed it.
    Taken,
    /// It is ahead of the feed: offer it again when the feed has gone on.
    Early,
    /// It is of no use, and another will be asked for.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// To be asked for at this instant.
    Wanted(u64),
    /// Asked for at this instant.
    Asked(u64),
}

/// Asks, waits, keeps.
#[derive(Debug)]
pub(super) struct SnapshotWish {
    config: SnapshotConfig,
    is_possible: bool,
    state: State,
    is_request_due: bool,
    failures_in_row: u32,
    done_ns: u64,
    /// Live messages since the request, each behind its two length bytes.
    kept: Vec<u8>,
    /// The number of the first kept.
    kept_from: u64,
    pub(super) asked: u64,
    pub(super) failed: u64,
    pub(super) taken: u64,
}

impl SnapshotWish {
    pub(super) fn new(config: SnapshotConfig, is_possible: bool) -> Self {
        let bytes = if is_possible {
            config.kept_bytes_limit
        } else {
            0
        };
        Self {
            config,
            is_possible,
            state: State::Idle,
            is_request_due: false,
            failures_in_row: 0,
            done_ns: 0,
            kept: Vec::with_capacity(bytes),
            kept_from: 0,
            asked: 0,
            failed: 0,
            taken: 0,
        }
    }

    /// A snapshot is wanted or on its way.
    pub(super) fn is_pending(&self) -> bool {
        self.state != State::Idle
    }

    /// Messages were lost: nothing else helps.
    pub(super) fn want(&mut self, now_ns: u64) {
        if self.is_possible && self.state == State::Idle {
            self.state = State::Wanted(now_ns);
        }
    }

    /// A symbol is under suspicion: worth a snapshot, but not many.
    pub(super) fn want_for_suspect(&mut self, now_ns: u64) {
        let due = self.done_ns.saturating_add(self.config.suspect_interval_ns);
        self.want(now_ns.max(due));
    }

    /// Lets time pass. `next_seq` is the number of the next message to be delivered.
    pub(super) fn tick(&mut self, now_ns: u64, next_seq: u64) {
        match self.state {
            State::Wanted(at) if now_ns >= at => {
                self.state = State::Asked(now_ns);
                self.is_request_due = true;
                self.asked += 1;
                self.keep_from(next_seq);
            }
            State::Asked(at) if now_ns >= at.saturating_add(self.config.timeout_ns) => {
                self.fail(now_ns);
            }
            _ => {}
        }
    }

    /// True once for each request to be sent.
    pub(super) fn take_request(&mut self) -> bool {
        std::mem::take(&mut self.is_request_due)
    }

    /// Whether delivered messages are to be kept.
    #[inline]
    pub(super) fn keeps(&self) -> bool {
        matches!(self.state, State::Asked(_))
    }

    #[cold]
    pub(super) fn keep(&mut self, seq: u64, bytes: &[u8]) {
        let size = bytes.len() + 2;
        if self.kept.len() + size > self.config.kept_bytes_limit {
            self.keep_from(seq);
        }
        if size <= self.config.kept_bytes_limit && bytes.len() <= usize::from(u16::MAX) {
            self.kept
                .extend_from_slice(&(bytes.len() as u16).to_be_bytes());
            self.kept.extend_from_slice(bytes);
        }
    }

    /// What was kept is of no use: messages before `seq` are missing from it.
    pub(super) fn keep_from(&mut self, seq: u64) {
        self.kept.clear();
        self.kept_from = seq;
    }

    /// What a snapshot as of `snapshot_seq` is good for, when `next_seq` is to be delivered next.
    pub(super) fn judge(&self, snapshot_seq: u64, next_seq: u64) -> Offered {
        if !self.keeps() || snapshot_seq < self.kept_from {
            Offered::Refused
        } else if snapshot_seq > next_seq {
            Offered::Early
        } else {
            Offered::Taken
        }
    }

    /// The request failed, or its snapshot is of no use.
    pub(super) fn fail(&mut self, now_ns: u64) {
        if !self.keeps() {
            return;
        }
        self.failed += 1;
        let doubled = self.config.retry_ns << self.failures_in_row.min(20);
        self.failures_in_row += 1;
        self.is_request_due = false;
        let wait_ns = doubled.min(self.config.retry_limit_ns);
        self.state = State::Wanted(now_ns.saturating_add(wait_ns));
        self.kept.clear();
    }

    /// The snapshot was loaded.
    pub(super) fn done(&mut self, now_ns: u64) {
        self.state = State::Idle;
        self.failures_in_row = 0;
        self.taken += 1;
        self.done_ns = now_ns;
        self.kept.clear();
    }

    /// A new session: what was wanted is of the old one.
    pub(super) fn forget(&mut self) {
        self.state = State::Idle;
        self.is_request_due = false;
        self.failures_in_row = 0;
        self.kept.clear();
    }

    /// Lends what was kept, and the number of its first message, to be given back as it was.
    pub(super) fn lend(&mut self) -> (u64, Vec<u8>) {
        (self.kept_from, std::mem::take(&mut self.kept))
    }

    /// Takes back what was lent.
    pub(super) fn give_back(&mut self, kept: Vec<u8>) {
        self.kept = kept;
    }
}

/// Where in event time prints may be missing for good. Sixteen spans; when there are more, the two
/// oldest become one, which flags more than it must and never less.
#[derive(Clone, Debug, Default)]
pub(super) struct Holes {
    spans: [(u64, u64); 16],
    count: usize,
    /// Where the hole began that is still open.
    open_from: Option<u64>,
}

impl Holes {
    /// A hole begins at `after_ns`, unless one is open.
    pub(super) fn open(&mut self, after_ns: u64) {
        self.open_from.get_or_insert(after_ns);
    }

    /// The open hole ends; its span, if one was open.
    pub(super) fn close(&mut self, until_ns: u64) -> Option<(u64, u64)> {
        let span = (self.open_from.take()?, until_ns);
        if self.count == self.spans.len() {
            self.spans[1].0 = self.spans[0].0;
            self.spans.copy_within(1.., 0);
            self.count -= 1;
        }
        self.spans[self.count] = span;
        self.count += 1;
        Some(span)
    }

    /// Whether `[from, to)` touches a hole.
    pub(super) fn touch(&self, from: u64, to: u64) -> bool {
        let is_open = self.open_from.is_some_and(|open| to > open);
        let spans = &self.spans[..self.count];
        is_open
            || spans
                .iter()
                .any(|&(open, until)| open < to && from <= until)
    }
}

/// Which of the facts that a snapshot tells too.
pub(super) fn told_idx(event: &Event) -> Option<usize> {
    match event {
        Event::State { .. } => Some(0),
        Event::ShortSale(_) => Some(1),
        Event::OperationalHalt { .. } => Some(2),
        _ => None,
    }
}

/// What holes, and a symbol's own time under suspicion, say of `[from, to)`: prints may be missing
/// there.
pub(super) fn over(
    holes: &Holes,
    suspicion: Option<&Option<(u64, u64)>>,
    from: u64,
    to: u64,
) -> Integrity {
    if holes.touch(from, to) {
        return Integrity::Stale;
    }
    match suspicion {
        Some(&Some((begun, until))) if begun < to && from <= until => Integrity::Suspect,
        _ => Integrity::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_joined_and_never_forgotten() {
        let mut holes = Holes::default();
        for n in 0..40 {
            holes.open(n * 100);
            holes.open(n * 100 + 5);
            assert_eq!(holes.close(n * 100 + 10), Some((n * 100, n * 100 + 10)));
        }
        assert_eq!(holes.close(9), None);
        for n in 0..40 {
            assert!(holes.touch(n * 100 + 10, n * 100 + 11), "{n}");
        }
        assert!(!holes.touch(3_911, 4_000));
        holes.open(5_000);
        assert!(holes.touch(9_000, 9_001) && !holes.touch(4_900, 5_000));
    }

    #[test]
    fn failures_wait_longer_each_time_and_never_give_up() {
        let config = SnapshotConfig::default();
        let mut wish = SnapshotWish::new(config, true);
        wish.want(0);
        let (mut now_ns, mut waits) = (0, Vec::new());
        for _ in 0..8 {
            let from = now_ns;
            while !wish.take_request() {
                now_ns += 1_000_000;
                wish.tick(now_ns, 1);
            }
            waits.push((now_ns - from) / 1_000_000);
            wish.fail(now_ns);
        }
        assert_eq!(waits, [1, 250, 500, 1_000, 2_000, 4_000, 8_000, 10_000]);
        assert_eq!((wish.asked, wish.failed), (8, 8));
        // A request that is never answered fails by itself.
        while !wish.take_request() {
            now_ns += 1_000_000;
            wish.tick(now_ns, 1);
        }
        wish.tick(now_ns + config.timeout_ns, 1);
        assert_eq!(wish.failed, 9);
    }

    #[test]
    fn a_snapshot_must_join_what_was_kept() {
        let config = SnapshotConfig {
            kept_bytes_limit: 30,
            ..SnapshotConfig::default()
        };
        let mut wish = SnapshotWish::new(config, true);
        assert_eq!(wish.judge(5, 5), Offered::Refused, "nobody asked");
        wish.want(0);
        wish.tick(0, 10);
        (10..12).for_each(|seq| wish.keep(seq, &[0; 10]));
        assert_eq!(wish.judge(9, 12), Offered::Refused);
        assert_eq!(wish.judge(10, 12), Offered::Taken);
        assert_eq!(wish.judge(12, 12), Offered::Taken);
        assert_eq!(wish.judge(13, 12), Offered::Early);
        // The bound: what was kept starts again.
        wish.keep(12, &[0; 10]);
        assert_eq!(wish.judge(11, 13), Offered::Refused);
        assert_eq!(wish.judge(12, 13), Offered::Taken);
    }
}
