//! A book as it is published, whatever kind of book it is.

use super::board::Symbol;
use crate::book::{LevelBook, OrderBook};
use crate::event::{InstrumentId, Side};
use crate::publish::{BookTop, Integrity, Level, Quote, TOP_LEVELS};

/// What a published book reads of either kind of book.
pub(super) trait Touch {
    fn top(&self, side: Side, top: &mut [Level]) -> usize;
    fn is_locked(&self) -> bool;
    fn is_crossed(&self) -> bool;
}

/// The best of both sides; since when is for the caller to say.
#[inline]
pub(super) fn quote_of(book: &impl Touch) -> Quote {
    let best = |side| {
        let mut level = [Level::default()];
        (book.top(side, &mut level) > 0).then(|| (level[0].price, level[0].qty))
    };
    Quote {
        since_ns: 0,
        bid: best(Side::Bid),
        ask: best(Side::Ask),
    }
}

/// `None` where the instrument has no book yet.
pub(super) fn top_of(
    id: InstrumentId,
    symbol: &Symbol,
    feed_integrity: Integrity,
    book: Option<&impl Touch>,
) -> BookTop {
    let mut top = BookTop {
        instrument: id,
        stamp: symbol.stamp,
        bids: [Level::default(); TOP_LEVELS],
        asks: [Level::default(); TOP_LEVELS],
        bid_count: 0,
        ask_count: 0,
        locked: false,
        crossed: false,
        integrity: Integrity::Ok,
        state: symbol.state(),
        last: symbol.last,
    };
    if let Some(book) = book {
        top.bid_count = book.top(Side::Bid, &mut top.bids) as u8;
        top.ask_count = book.top(Side::Ask, &mut top.asks) as u8;
        top.locked = book.is_locked();
        top.crossed = book.is_crossed();
    }
    top.integrity = symbol.integrity(feed_integrity, top.crossed);
    top
}

impl Touch for OrderBook<'_> {
    fn top(&self, side: Side, top: &mut [Level]) -> usize {
        OrderBook::top(*self, side, top)
    }

    fn is_locked(&self) -> bool {
        OrderBook::is_locked(*self)
    }

    fn is_crossed(&self) -> bool {
        OrderBook::is_crossed(*self)
    }
}

impl Touch for LevelBook {
    fn top(&self, side: Side, top: &mut [Level]) -> usize {
        self.top(side, top)
    }

    fn is_locked(&self) -> bool {
        self.is_locked()
    }

    fn is_crossed(&self) -> bool {
        self.is_crossed()
    }
}
