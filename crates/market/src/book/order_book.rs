//! One instrument's book in a [`BookSet`](super::BookSet), seen as levels.

use super::digest_of_ladders;
use super::price_of;
use super::sides::{Sides, side_number};
use crate::event::{InstrumentId, Price, Qty, Side};
use crate::publish::Level;

/// The levels of one instrument: a view of the set that holds them, cheap to make and to copy.
#[derive(Clone, Copy, Debug)]
pub struct OrderBook<'a> {
    pub(super) sides: &'a Sides,
    pub(super) instrument: InstrumentId,
}

impl<'a> OrderBook<'a> {
    /// The best level of a side.
    #[must_use]
    pub fn best(self, side: Side) -> Option<Level> {
        self.levels(side).next()
    }

    /// The levels of a side, best first.
    pub fn levels(self, side: Side) -> impl Iterator<Item = Level> + 'a {
        let levels = self.sides.best_first(side_number(self.instrument, side));
        levels.map(move |(rank, qty, orders)| Level {
            price: price_of(side, rank),
            qty: Qty(qty),
            orders,
        })
    }

    /// Copies the best levels of a side to `top`; returns how many there were room and levels for.
    #[inline]
    pub fn top(self, side: Side, top: &mut [Level]) -> usize {
        let number = side_number(self.instrument, side);
        self.sides.top(number, top, |rank, qty, orders| Level {
            price: price_of(side, rank),
            qty: Qty(qty),
            orders,
        })
    }

    /// How many levels a side has.
    #[must_use]
    pub fn depth(self, side: Side) -> usize {
        self.sides.len(side_number(self.instrument, side))
    }

    /// The best price of a side.
    #[must_use]
    pub fn best_price(self, side: Side) -> Option<Price> {
        let rank = self.sides.best(side_number(self.instrument, side))?;
        Some(price_of(side, rank))
    }

    /// Best bid equals best ask.
    #[must_use]
    pub fn is_locked(self) -> bool {
        self.best_prices().is_some_and(|(bid, ask)| bid == ask)
    }

    /// Best bid is above best ask.
    #[must_use]
    pub fn is_crossed(self) -> bool {
        self.best_prices().is_some_and(|(bid, ask)| bid > ask)
    }

    /// The middle of best bid and best ask, rounded towards minus infinity.
    #[must_use]
    pub fn mid(self) -> Option<Price> {
        let (Price(bid), Price(ask)) = self.best_prices()?;
        // The sum of two prices may not fit; their common bits and half of the others do.
        Some(Price((bid & ask) + ((bid ^ ask) >> 1)))
    }

    /// A hash of all levels of both sides, salted with `key`; equal for equal books.
    #[must_use]
    pub fn digest(self, key: u64) -> u64 {
        let flat = |side: Side, out: &mut dyn FnMut(i64, u64, u32)| {
            let levels = self.sides.best_first(side_number(self.instrument, side));
            levels.for_each(|(rank, qty, orders)| out(rank, qty, orders));
        };
        digest_of_ladders(key, |out| flat(Side::Bid, out), |out| flat(Side::Ask, out))
    }

    fn best_prices(self) -> Option<(Price, Price)> {
        Some((self.best_price(Side::Bid)?, self.best_price(Side::Ask)?))
    }
}
