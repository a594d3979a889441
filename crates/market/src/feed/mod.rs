//! Packets and texts to ordered, normalised events. The only place that knows `wire`.
//!
//! Nothing here sends or receives: a feed takes bytes and our time, gives events and notes to its
//! handler, and holds requests (retransmit, snapshot) as values until someone asks for them.

pub mod binance;
pub mod coinbase;
pub mod dbn;
pub mod fast;
pub mod iex;
pub mod itch;
pub mod kraken;
pub mod mdp3;
pub mod mold;
pub mod okx;
pub mod ouzel;
pub mod refresh;
pub mod stream_sync;

use wire::json::{Level, Levels};

use crate::event::{Event, Price, Qty, Side, Stamp};

/// How far a book that is told in levels is in step with its venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SyncState {
    /// No snapshot yet, or a break was found: the book is empty, or as of before a lost connection.
    #[default]
    Waiting,
    /// Built from differences alone: stale.
    DiffsOnly,
    /// Snapshot and everything since.
    Synced,
}

fn level_of(level: Level) -> (Price, Qty) {
    let qty = u64::try_from(level.qty_e8).unwrap_or(0);
    (Price(level.price_e9), Qty(qty))
}

fn level_removed(side: Side, price: Price) -> Event {
    let qty = Qty(0);
    Event::Level { side, price, qty }
}

fn emit_side(side: Side, levels: &Levels<'_>, stamp: Stamp, emit: &mut impl FnMut(Stamp, Event)) {
    for (price, qty) in levels.iter().map(level_of) {
        emit(stamp, Event::Level { side, price, qty });
    }
}
