//! Coinbase books: a snapshot, then changes that carry a time and no number.
//!
//! What tells of loss is beside the book: trade numbers rise by one per product, and a heartbeat
//! names the newest. A trade number that was skipped, a heartbeat that knows more than was
//! received, or a change older than the one before it, breaks the book.

use wire::coinbase::{Heartbeat, Match, Snapshot, Update};

use super::stream_sync::{Outcome, StreamSync};
use super::{SyncState, emit_side, level_of};
use crate::event::{Event, InstrumentId, Side, Stamp};

/// What a trade's number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Print {
    /// It follows the one before, or is the first.
    Next,
    /// Trades are missing before it, and perhaps changes of the book: it is void.
    AfterGap,
    /// Seen before, or older than the subscription: no new trade.
    Old,
}

#[derive(Clone, Copy, Debug, Default)]
struct Symbol {
    changed_ns: u64,
    last_trade_id: Option<u64>,
}

/// Books of one connection. Symbols are numbered by [`InstrumentId`].
#[derive(Debug)]
pub struct CoinbaseSync {
    /// Which symbols are in step.
    pub sync: StreamSync,
    symbols: Vec<Symbol>,
}

impl CoinbaseSync {
    /// No symbol yet.
    #[must_use]
    pub fn new(sync: StreamSync) -> Self {
        Self {
            sync,
            symbols: Vec::new(),
        }
    }

    /// Starts the next symbol.
    pub fn open(&mut self, now_ns: u64) -> InstrumentId {
        self.symbols.push(Symbol::default());
        self.sync.open(now_ns)
    }

    /// Takes a whole book; gives `Clear` and `Level` events to `emit`. A message without a time gets
    /// that of the newest change, or ours.
    pub fn snapshot(
        &mut self,
        id: InstrumentId,
        ts_recv: u64,
        snapshot: &Snapshot<'_>,
        mut emit: impl FnMut(Stamp, Event),
    ) -> Stamp {
        let changed_ns = self.symbols.get(id.0 as usize).map_or(0, |s| s.changed_ns);
        let known_ns = match changed_ns {
            0 => ts_recv,
            newest => newest,
        };
        let stamp = Stamp {
            seq: self.sync.count(),
            ts_event: snapshot.event_ns.unwrap_or(known_ns),
            ts_recv,
        };
        emit(stamp, Event::Clear);
        emit_side(Side::Bid, &snapshot.bids, stamp, &mut emit);
        emit_side(Side::Ask, &snapshot.asks, stamp, &mut emit);
        self.sync.synced(id, ts_recv);
        stamp
    }

    /// Takes changed levels.
    pub fn update(
        &mut self,
        id: InstrumentId,
        ts_recv: u64,
        update: &Update<'_>,
        mut emit: impl FnMut(Stamp, Event),
    ) -> (Outcome, Stamp) {
        let stamp = Stamp {
            seq: self.sync.count(),
            ts_event: update.event_ns,
            ts_recv,
        };
        let Some(symbol) = self.symbols.get_mut(id.0 as usize) else {
            return (Outcome::Early, stamp);
        };
        let is_late = update.event_ns < symbol.changed_ns;
        symbol.changed_ns = symbol.changed_ns.max(update.event_ns);
        if self.sync.state(id) != SyncState::Synced {
            return (Outcome::Early, stamp);
        }
        if is_late {
            self.sync.break_off(id, ts_recv);
            return (Outcome::Broken, stamp);
        }
        for change in &update.changes {
            let side = if change.is_bid { Side::Bid } else { Side::Ask };
            let (price, qty) = level_of(change.level);
            emit(stamp, Event::Level { side, price, qty });
        }
        (Outcome::Applied, stamp)
    }

    /// Takes a trade's number.
    pub fn trade(&mut self, id: InstrumentId, ts_recv: u64, trade: &Match<'_>) -> Print {
        let Some(symbol) = self.symbols.get_mut(id.0 as usize) else {
            return Print::Old;
        };
        let before = symbol.last_trade_id;
        if before.is_some_and(|last| trade.trade_id <= last) {
            return Print::Old;
        }
        symbol.last_trade_id = Some(trade.trade_id);
        let has_gap = before.is_some_and(|last| trade.trade_id != last + 1);
        match (trade.is_past, has_gap) {
            // A new subscription tells the newest trade there was: those missed are known missed.
            (true, _) => Print::Old,
            (false, true) => {
                self.sync.break_off(id, ts_recv);
                Print::AfterGap
            }
            (false, false) => Print::Next,
        }
    }

    /// Takes a heartbeat; false: trades are missing, and perhaps changes of the book.
    pub fn heartbeat(&mut self, id: InstrumentId, ts_recv: u64, beat: &Heartbeat<'_>) -> bool {
        let Some(symbol) = self.symbols.get_mut(id.0 as usize) else {
            return true;
        };
        let known = symbol.last_trade_id;
        if known.is_none_or(|last| beat.last_trade_id <= last) {
            return true;
        }
        // Told once: the next heartbeat knows the same.
        symbol.last_trade_id = Some(beat.last_trade_id);
        self.sync.break_off(id, ts_recv);
        false
    }
}
