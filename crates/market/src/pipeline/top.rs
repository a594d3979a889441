//! A book as it is published, whatever kind of book it is.

use super::board::Symbol;
use crate::book::{LevelBook, OrderBook};
use crate::event::{InstrumentId, Side};
use crate::publish::{BookTop, Integrity, Level, Quote, STATE_DEPTHS, TOP_LEVELS};
use crate::window::Depths;

/// What a published book reads of either kind of book.
pub(super) trait Touch {
    fn top(&self, side: Side, top: &mut [Level]) -> usize;
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

/// How much shows in the best levels of both sides; nothing where there is no book.
pub(super) fn depths_of(book: Option<&impl Touch>) -> Depths {
    let mut depths = Depths::default();
    let Some(book) = book else {
        return depths;
    };
    for (place, side) in [Side::Bid, Side::Ask].into_iter().enumerate() {
        let mut levels = [Level::default(); TOP_LEVELS];
        let count = book.top(side, &mut levels);
        for (depth, limit) in depths.iter_mut().zip(STATE_DEPTHS) {
            let best = levels[..count.min(limit)].iter();
            depth[place] = best.fold(0, |sum: u64, level| sum.saturating_add(level.qty.0));
        }
    }
    depths
}

/// Writes a book as it is published over another one. `None` where the instrument has no book yet.
#[inline]
pub(super) fn write_top(
    top: &mut BookTop,
    id: InstrumentId,
    symbol: &Symbol,
    feed_integrity: Integrity,
    book: Option<&impl Touch>,
) {
    (top.instrument, top.stamp) = (id, symbol.stamp);
    (top.state, top.last) = (symbol.state(), symbol.last);
    top.bid_count = write_side(&mut top.bids, top.bid_count, Side::Bid, book);
    top.ask_count = write_side(&mut top.asks, top.ask_count, Side::Ask, book);
    let is_two_sided = top.bid_count > 0 && top.ask_count > 0;
    let (bid, ask) = (top.bids[0].price, top.asks[0].price);
    (top.locked, top.crossed) = (is_two_sided && bid == ask, is_two_sided && bid > ask);
    top.integrity = symbol.integrity(feed_integrity, top.crossed);
}

/// Writes the best levels of a side over `before` others; how many there are now.
#[inline]
fn write_side(
    levels: &mut [Level; TOP_LEVELS],
    before: u8,
    side: Side,
    book: Option<&impl Touch>,
) -> u8 {
    let count = book.map_or(0, |book| book.top(side, levels));
    // Those behind say nothing, but equal books are to be equal frames.
    if let Some(left) = levels.get_mut(count..usize::from(before)) {
        left.fill(Level::default());
    }
    count as u8
}

impl Touch for OrderBook<'_> {
    fn top(&self, side: Side, top: &mut [Level]) -> usize {
        OrderBook::top(*self, side, top)
    }
}

impl Touch for LevelBook {
    fn top(&self, side: Side, top: &mut [Level]) -> usize {
        self.top(side, top)
    }
}
