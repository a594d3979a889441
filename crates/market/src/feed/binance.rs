//! Binance depth: a snapshot stitched to a chain of differences, several symbols at once.
//!
//! The venue's rule (API documentation, "How to manage a local order book correctly"): keep the
//! differences that come, take a snapshot, drop those that end before it, check that the first
//! kept one spans it, then require each to follow the one before: on spot `U == previous u + 1`,
//! on USD-M futures `pu == previous u`. A break empties the book and asks for a new snapshot.
//!
//! Without a snapshot (none comes for `snapshot_wait_ns`, or a capture that goes on where another
//! stopped) the book is built from the differences alone. It is then right where levels have
//! changed since and silent elsewhere, so it stays *stale* until a snapshot fits; the request for
//! one stays open and is repeated.

use std::collections::VecDeque;

use wire::binance::{Depth, Snapshot};

pub use super::SyncState;
use super::{emit_side, level_of};
use crate::event::{Event, InstrumentId, Price, Qty, Side, Stamp};

/// When to ask for snapshots, and how much to keep meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthConfig {
    /// How long to wait for a snapshot before starting from differences alone, ns of receive time.
    pub snapshot_wait_ns: u64,
    /// How long until an unanswered request for a snapshot is repeated, ns.
    pub snapshot_retry_ns: u64,
    /// Levels of waiting differences kept for each symbol.
    pub waiting_levels: usize,
}

impl Default for DepthConfig {
    fn default() -> Self {
        Self {
            snapshot_wait_ns: 5_000_000_000,
            snapshot_retry_ns: 2_000_000_000,
            waiting_levels: 65_536,
        }
    }
}

/// What became of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepthOutcome {
    /// Its levels were given out.
    Applied,
    /// Kept until a snapshot comes.
    Kept,
    /// Older than the book.
    Old,
    /// It does not follow: the book was cleared and the difference kept.
    Broken,
}

/// A snapshot that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotFault {
    /// The differences at hand start after it; a newer one was asked for.
    #[error("snapshot is older than the first difference kept: a newer one is needed")]
    TooOld,
    /// The book is in step already, at or beyond it.
    #[error("snapshot is not needed: the book is in step")]
    NotNeeded,
}

#[derive(Clone, Copy, Debug)]
struct WaitingDiff {
    first: u64,
    last: u64,
    previous: Option<u64>,
    stamp: Stamp,
    bids: usize,
    asks: usize,
}

#[derive(Debug)]
struct Symbol {
    state: SyncState,
    last_update_id: u64,
    /// The next difference is the first after a snapshot and must span it.
    is_first: bool,
    since_ns: Option<u64>,
    asked_ns: Option<u64>,
    /// Event time of the newest difference, used or not.
    changed_ns: Option<u64>,
    diffs: VecDeque<WaitingDiff>,
    levels: VecDeque<(Price, Qty)>,
}

/// Chains of all symbols of one connection. Symbols are numbered by [`InstrumentId`].
#[derive(Debug)]
pub struct DepthSync {
    config: DepthConfig,
    symbols: Vec<Symbol>,
    breaks: u64,
}

impl DepthSync {
    /// No symbol yet.
    #[must_use]
    pub fn new(config: DepthConfig, instruments_limit: usize) -> Self {
        Self {
            config,
            symbols: Vec::with_capacity(instruments_limit),
            breaks: 0,
        }
    }

    /// Starts the chain of the next symbol; takes its memory.
    pub fn open(&mut self) -> InstrumentId {
        let id = InstrumentId(self.symbols.len() as u32);
        self.symbols.push(Symbol {
            state: SyncState::Waiting,
            last_update_id: 0,
            is_first: false,
            since_ns: None,
            asked_ns: None,
            changed_ns: None,
            diffs: VecDeque::with_capacity(1_024),
            levels: VecDeque::with_capacity(self.config.waiting_levels),
        });
        id
    }

    /// How far a symbol is in step.
    #[must_use]
    pub fn state(&self, id: InstrumentId) -> SyncState {
        let symbol = self.symbols.get(id.0 as usize);
        symbol.map_or(SyncState::Waiting, |symbol| symbol.state)
    }

    /// The last update in a symbol's book.
    #[must_use]
    pub fn last_update_id(&self, id: InstrumentId) -> u64 {
        let symbol = self.symbols.get(id.0 as usize);
        symbol.map_or(0, |symbol| symbol.last_update_id)
    }

    /// Chains broken so far.
    #[must_use]
    pub fn breaks(&self) -> u64 {
        self.breaks
    }

    /// True when every symbol is in step.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        let mut symbols = self.symbols.iter();
        symbols.all(|symbol| symbol.state == SyncState::Synced)
    }

    /// Whether a symbol has waited for its snapshot for less than `limit_ns`.
    #[must_use]
    pub fn is_waiting(&self, now_ns: u64, limit_ns: u64) -> bool {
        self.symbols.iter().any(|symbol| {
            let since_ns = symbol
                .since_ns
                .filter(|_| symbol.state == SyncState::Waiting);
            since_ns.is_some_and(|at| now_ns < at.saturating_add(limit_ns))
        })
    }

    /// The next symbol that needs a snapshot now; it is not named again until the retry time.
    pub fn next_snapshot(&mut self, now_ns: u64) -> Option<InstrumentId> {
        let retry_ns = self.config.snapshot_retry_ns;
        let is_due = |symbol: &Symbol| {
            symbol.state != SyncState::Synced
                && symbol.since_ns.is_some()
                && symbol
                    .asked_ns
                    .is_none_or(|at| at.saturating_add(retry_ns) <= now_ns)
        };
        let mut symbols = self.symbols.iter_mut().enumerate();
        let (idx, symbol) = symbols.find(|(_, symbol)| is_due(symbol))?;
        symbol.asked_ns = Some(now_ns);
        Some(InstrumentId(idx as u32))
    }

    /// The symbol that a snapshot without a name belongs to: of those not in step, the one whose
    /// kept differences have the most levels within one percent of its best bid. Update ids do not
    /// tell symbols apart, since futures share one counter. A connection of one symbol leaves no
    /// doubt; `None` when no symbol stands out.
    #[must_use]
    pub fn owner_of(&self, snapshot: &Snapshot<'_>) -> Option<InstrumentId> {
        if self.symbols.len() == 1 {
            return Some(InstrumentId(0));
        }
        let bid = snapshot.bids.iter().next()?.price_e9;
        let is_near = |price: i64| price.abs_diff(bid) <= bid.unsigned_abs() / 100;
        let (mut owner, mut owner_score) = (None, 0);
        for (idx, symbol) in self.symbols.iter().enumerate() {
            if symbol.state == SyncState::Synced {
                continue;
            }
            let score = symbol
                .levels
                .iter()
                .filter(|level| is_near(level.0.0))
                .count();
            if score > owner_score {
                (owner, owner_score) = (Some(InstrumentId(idx as u32)), score);
            } else if score == owner_score {
                owner = None;
            }
        }
        owner
    }

    /// Takes one difference; gives `Clear` and `Level` events to `emit`.
    pub fn depth(
        &mut self,
        id: InstrumentId,
        ts_recv: u64,
        depth: &Depth<'_>,
        mut emit: impl FnMut(Stamp, Event),
    ) -> DepthOutcome {
        let Some(symbol) = self.symbols.get_mut(id.0 as usize) else {
            return DepthOutcome::Old;
        };
        let diff = WaitingDiff {
            first: depth.first_update_id,
            last: depth.final_update_id,
            previous: depth.previous_final_update_id,
            stamp: Stamp {
                seq: depth.final_update_id,
                ts_event: depth.transaction_ns.unwrap_or(depth.event_ns),
                ts_recv,
            },
            bids: depth.bids.len(),
            asks: depth.asks.len(),
        };
        symbol.changed_ns = symbol.changed_ns.max(Some(diff.stamp.ts_event));
        if symbol.state != SyncState::Waiting {
            match symbol.link(&diff) {
                Link::Old => return DepthOutcome::Old,
                Link::Follows => {
                    if symbol.state == SyncState::DiffsOnly {
                        symbol.keep(&diff, depth, self.config.waiting_levels);
                    }
                    emit_side(Side::Bid, &depth.bids, diff.stamp, &mut emit);
                    emit_side(Side::Ask, &depth.asks, diff.stamp, &mut emit);
                    symbol.last_update_id = diff.last;
                    symbol.is_first = false;
                    return DepthOutcome::Applied;
                }
                Link::Broken => {
                    self.breaks += 1;
                    symbol.break_off();
                    emit(diff.stamp, Event::Clear);
                    symbol.since_ns = Some(ts_recv);
                    symbol.keep(&diff, depth, self.config.waiting_levels);
                    return DepthOutcome::Broken;
                }
            }
        }
        let since = *symbol.since_ns.get_or_insert(ts_recv);
        let is_full = !symbol.keep(&diff, depth, self.config.waiting_levels);
        if is_full {
            // The present difference found no room among those kept: it is applied like the next.
            symbol.start_from_diffs(&mut emit);
            return self.depth(id, ts_recv, depth, emit);
        }
        if ts_recv.saturating_sub(since) >= self.config.snapshot_wait_ns {
            symbol.start_from_diffs(&mut emit);
            return DepthOutcome::Applied;
        }
        DepthOutcome::Kept
    }

    /// Takes a snapshot of one symbol and stitches the differences kept to it. One without a time
    /// (spot) gets that of the difference it is stitched to, or of the newest when it is ahead of
    /// all: never ours, for event time would leap to it and make late what the stream brings next.
    ///
    /// # Errors
    /// When it cannot be used; ask [`DepthSync::next_snapshot`] again.
    pub fn snapshot(
        &mut self,
        id: InstrumentId,
        ts_recv: u64,
        snapshot: &Snapshot<'_>,
        mut emit: impl FnMut(Stamp, Event),
    ) -> Result<(), SnapshotFault> {
        let Some(symbol) = self.symbols.get_mut(id.0 as usize) else {
            return Err(SnapshotFault::NotNeeded);
        };
        if symbol.state == SyncState::Synced {
            return Err(SnapshotFault::NotNeeded);
        }
        let last = snapshot.last_update_id;
        symbol.drop_before(last);
        if symbol.diffs.front().is_some_and(|diff| !diff.spans(last)) {
            symbol.asked_ns = None;
            return Err(SnapshotFault::TooOld);
        }
        let next_ns = symbol.diffs.front().map(|diff| diff.stamp.ts_event);
        let told_ns = snapshot.transaction_ns.or(snapshot.event_ns);
        let ts_event = told_ns.or(next_ns).or(symbol.changed_ns);
        let stamp = Stamp {
            seq: last,
            ts_event: ts_event.unwrap_or(ts_recv),
            ts_recv,
        };
        emit(stamp, Event::Clear);
        emit_side(Side::Bid, &snapshot.bids, stamp, &mut emit);
        emit_side(Side::Ask, &snapshot.asks, stamp, &mut emit);
        symbol.state = SyncState::Synced;
        symbol.last_update_id = last;
        symbol.is_first = true;
        symbol.since_ns = None;
        symbol.asked_ns = None;
        symbol.release(&mut emit);
        Ok(())
    }
}

enum Link {
    Follows,
    Old,
    Broken,
}

impl WaitingDiff {
    /// Whether this may be the first difference after a snapshot of update `last`.
    fn spans(&self, last: u64) -> bool {
        match self.previous {
            Some(previous) => {
                self.first <= last.saturating_add(1) && last <= self.last || previous == last
            }
            None => self.first <= last + 1 && last < self.last,
        }
    }
}

impl Symbol {
    fn link(&self, diff: &WaitingDiff) -> Link {
        let last = self.last_update_id;
        let follows = match (self.is_first, diff.previous) {
            (true, _) => diff.spans(last),
            (false, Some(previous)) => previous == last,
            (false, None) => diff.first == last + 1,
        };
        if follows {
            Link::Follows
        } else if diff.last <= last {
            Link::Old
        } else {
            Link::Broken
        }
    }

    /// False when there was no room: everything kept so far is dropped, the newest is kept.
    fn keep(&mut self, diff: &WaitingDiff, depth: &Depth<'_>, limit: usize) -> bool {
        let has_room = self.levels.len() + diff.bids + diff.asks <= limit;
        if !has_room && self.state == SyncState::Waiting {
            return false;
        }
        if !has_room {
            self.diffs.clear();
            self.levels.clear();
        }
        let levels = depth.bids.iter().chain(depth.asks.iter());
        self.levels.extend(levels.map(level_of));
        self.diffs.push_back(*diff);
        true
    }

    fn break_off(&mut self) {
        self.state = SyncState::Waiting;
        self.is_first = false;
        self.asked_ns = None;
        self.diffs.clear();
        self.levels.clear();
    }

    fn drop_before(&mut self, last: u64) {
        while let Some(diff) = self.diffs.front() {
            let is_old = match diff.previous {
                Some(_) => diff.last < last,
                None => diff.last <= last,
            };
            if !is_old {
                break;
            }
            self.levels.drain(..diff.bids + diff.asks);
            self.diffs.pop_front();
        }
    }

    /// Gives out everything kept, up to a break in it.
    fn release(&mut self, emit: &mut impl FnMut(Stamp, Event)) {
        while let Some(diff) = self.diffs.pop_front() {
            let follows = matches!(self.link(&diff), Link::Follows);
            for idx in 0..diff.bids + diff.asks {
                let Some((price, qty)) = self.levels.pop_front() else {
                    break;
                };
                let side = if idx < diff.bids {
                    Side::Bid
                } else {
                    Side::Ask
                };
                if follows {
                    emit(diff.stamp, Event::Level { side, price, qty });
                }
            }
            if follows {
                self.last_update_id = diff.last;
                self.is_first = false;
            }
        }
    }

    /// Applies what is kept to an empty book, and goes on keeping for the snapshot to come.
    fn start_from_diffs(&mut self, emit: &mut impl FnMut(Stamp, Event)) {
        let mut levels = self.levels.iter();
        for diff in &self.diffs {
            for idx in 0..diff.bids + diff.asks {
                let Some(&(price, qty)) = levels.next() else {
                    break;
                };
                let side = if idx < diff.bids {
                    Side::Bid
                } else {
                    Side::Ask
                };
                emit(diff.stamp, Event::Level { side, price, qty });
            }
            self.last_update_id = diff.last;
        }
        self.state = SyncState::DiffsOnly;
    }
}
