//! Whole best levels to the changes between them.

use crate::event::{Band, Event, Price, Qty, Side};

/// Levels of a side that a record can hold.
const DEPTH: usize = 10;

/// One level as a record tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Quote {
    pub(super) price: Price,
    pub(super) qty: Qty,
}

/// The levels that the last record told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quotes {
    sides: [([Quote; DEPTH], usize); 2],
    /// The newest price limits.
    pub(super) band: Band,
}

impl Quotes {
    /// Emits what turns a side's last levels into `told`. A level that fell out of the record's
    /// depth is gone from the book: nobody will say more of it.
    pub(super) fn replace(
        &mut self,
        side: Side,
        told: impl Iterator<Item = Quote>,
        emit: &mut impl FnMut(&Event),
    ) {
        let (before, count) = &mut self.sides[usize::from(side == Side::Ask)];
        let (mut after, mut after_count) = ([Quote::default(); DEPTH], 0);
        for (slot, quote) in after.iter_mut().zip(told) {
            *slot = quote;
            after_count += 1;
        }
        let (old, new) = (&before[..*count], &after[..after_count]);
        for gone in old
            .iter()
            .filter(|level| !new.iter().any(|kept| kept.price == level.price))
        {
            emit(&Event::Level {
                side,
                price: gone.price,
                qty: Qty(0),
            });
        }
        for &Quote { price, qty } in new.iter().filter(|level| !old.contains(level)) {
            emit(&Event::Level { side, price, qty });
        }
        (*before, *count) = (after, after_count);
    }

    /// The book was emptied.
    pub(super) fn clear(&mut self) {
        self.sides = Default::default();
    }
}
