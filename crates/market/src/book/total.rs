//! What rests at a level, in one word: quantity above, number of orders below.
//!
//! Two numbers of full width would make a level half as large again, and what books wait for is
//! memory. A level that holds more than a word can say is *wide*: it is marked, and its numbers
//! stand in a map beside all levels.

use std::collections::HashMap;

const ORDERS_BITS: u32 = 22;
const ORDERS_MAX: u64 = (1 << ORDERS_BITS) - 1;
const QTY_MAX: u64 = u64::MAX >> ORDERS_BITS;
/// Wide levels expected.
const WIDE_EXPECTED: usize = 256;

/// Quantity and orders of one level; nothing while vacant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Total(u64);

/// Of a level whose numbers are in [`Wide`].
const WIDE: Total = Total(u64::MAX);

impl Total {
    pub(super) const VACANT: Self = Self(0);

    /// `None` when the numbers do not fit.
    #[inline]
    fn of(qty: u64, orders: u64) -> Option<Self> {
        let fits = qty < QTY_MAX && orders < ORDERS_MAX;
        fits.then_some(Self(qty << ORDERS_BITS | orders))
    }

    #[inline]
    fn qty(self) -> u64 {
        self.0 >> ORDERS_BITS
    }

    #[inline]
    fn orders(self) -> u64 {
        self.0 & ORDERS_MAX
    }
}

/// The levels that hold more than a [`Total`] can say, by side and rank.
#[derive(Debug)]
pub(super) struct Wide {
    levels: HashMap<(u32, i64), (u64, u64)>,
    growths: u64,
}

impl Wide {
    pub(super) fn new() -> Self {
        Self {
            levels: HashMap::with_capacity(WIDE_EXPECTED),
            growths: 0,
        }
    }

    pub(super) fn growths(&self) -> u64 {
        self.growths
    }

    /// One more order at the level of `side` and `rank`, of which `total` speaks.
    #[inline]
    pub(super) fn gain(&mut self, total: &mut Total, side: u32, rank: i64, qty: u64) {
        match Total::of(total.qty().saturating_add(qty), total.orders() + 1) {
            Some(sum) => *total = sum,
            None => self.widen(total, side, rank, qty),
        }
    }

    /// So much less, in `orders` orders less; returns how many orders are left.
    #[inline]
    pub(super) fn lose(
        &mut self,
        total: &mut Total,
        side: u32,
        rank: i64,
        qty: u64,
        orders: u32,
    ) -> u32 {
        if *total == WIDE {
            return self.narrow(total, side, rank, qty, orders);
        }
        total.0 -= qty << ORDERS_BITS | u64::from(orders);
        total.orders() as u32
    }

    /// Quantity and orders of a level.
    #[inline]
    pub(super) fn shown(&self, total: Total, side: u32, rank: i64) -> (u64, u32) {
        if total == WIDE {
            let (qty, orders) = self.at(side, rank);
            return (qty, orders as u32);
        }
        (total.qty(), total.orders() as u32)
    }

    /// Forgets the levels of a side.
    pub(super) fn clear(&mut self, side: u32) {
        if !self.levels.is_empty() {
            self.levels.retain(|&(of, _), _| of != side);
        }
    }

    fn at(&self, side: u32, rank: i64) -> (u64, u64) {
        let level = self.levels.get(&(side, rank));
        debug_assert!(level.is_some(), "a level that is marked is in the map");
        level.copied().unwrap_or_default()
    }

    #[cold]
    #[inline(never)]
    fn widen(&mut self, total: &mut Total, side: u32, rank: i64, qty: u64) {
        let (before, orders) = match *total {
            WIDE => self.at(side, rank),
            total => (total.qty(), total.orders()),
        };
        self.growths += u64::from(self.levels.len() == self.levels.capacity());
        self.levels
            .insert((side, rank), (before.saturating_add(qty), orders + 1));
        *total = WIDE;
    }

    #[cold]
    #[inline(never)]
    fn narrow(&mut self, total: &mut Total, side: u32, rank: i64, qty: u64, orders: u32) -> u32 {
        let (before, count) = self.at(side, rank);
        let (qty, orders) = (before - qty, count - u64::from(orders));
        match Total::of(qty, orders) {
            Some(fits) => {
                *total = fits;
                self.levels.remove(&(side, rank));
            }
            None => {
                self.levels.insert((side, rank), (qty, orders));
            }
        }
        orders as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Orders of any size come, shrink and leave; the total is their sum, in a word or not.
        #[test]
        fn equals_a_sum(steps in prop::collection::vec((any::<bool>(), 1u64..1 << 40), 1..60)) {
            let (mut wide, mut total, mut orders) = (Wide::new(), Total::default(), Vec::new());
            for (comes, qty) in steps {
                if comes || orders.is_empty() {
                    wide.gain(&mut total, 3, -7, qty);
                    orders.push(qty);
                } else {
                    let at = qty as usize % orders.len();
                    if orders[at] > qty {
                        wide.lose(&mut total, 3, -7, qty, 0);
                        orders[at] -= qty;
                    } else {
                        let gone = orders.swap_remove(at);
                        let left = wide.lose(&mut total, 3, -7, gone, 1);
                        prop_assert_eq!(left as usize, orders.len());
                    }
                }
                let sum = (orders.iter().sum(), orders.len() as u32);
                prop_assert_eq!(wide.shown(total, 3, -7), sum);
                prop_assert_eq!(wide.levels.len(), usize::from(total == WIDE));
            }
        }
    }

    #[test]
    fn more_orders_than_a_word_counts() {
        let (mut wide, mut total) = (Wide::new(), Total::default());
        for _ in 0..ORDERS_MAX + 5 {
            wide.gain(&mut total, 0, 0, 1);
        }
        assert_eq!(
            wide.shown(total, 0, 0),
            (ORDERS_MAX + 5, ORDERS_MAX as u32 + 5)
        );
        for left in (0..ORDERS_MAX + 5).rev() {
            assert_eq!(u64::from(wide.lose(&mut total, 0, 0, 1, 1)), left);
        }
        assert_eq!((total, wide.levels.len()), (Total::default(), 0));
    }

    #[test]
    fn a_cleared_side_forgets_its_wide_levels() {
        let (mut wide, mut totals) = (Wide::new(), [Total::default(); 2]);
        for (side, total) in totals.iter_mut().enumerate() {
            (0..6).for_each(|_| wide.gain(total, side as u32, 1, (1 << 40) - 1));
        }
        assert_eq!(wide.levels.len(), 2);
        wide.clear(0);
        assert_eq!(wide.shown(totals[1], 1, 1), (6 * ((1 << 40) - 1), 6));
        assert_eq!(wide.levels.len(), 1);
    }
}
