//! One side of a book: levels sorted so that the best is the last.

use crate::event::{Price, Side};

/// Levels looked at without a jump: two cache lines of ranks.
const NEAR: usize = 16;

/// Price levels of one side, worst first.
///
/// A level's key is its *rank*: the price on the bid side, its bitwise complement on the ask side.
/// The complement reverses the order of all `i64` without overflow, so both sides share one code
/// path and the best level is always at the end.
#[derive(Clone, Debug)]
pub struct Ladder<T> {
    ranks: Vec<i64>,
    levels: Vec<T>,
    growths: u64,
}

/// The rank of a price: larger is nearer the touch.
#[inline]
pub(super) fn rank_of(side: Side, price: Price) -> i64 {
    match side {
        Side::Bid => price.0,
        Side::Ask => !price.0,
    }
}

/// The inverse of [`rank_of`].
#[inline]
pub(super) fn price_of(side: Side, rank: i64) -> Price {
    match side {
        Side::Bid => Price(rank),
        Side::Ask => Price(!rank),
    }
}

impl<T: Copy> Ladder<T> {
    pub(super) fn new(levels_reserve: usize) -> Self {
        Self {
            ranks: Vec::with_capacity(levels_reserve),
            levels: Vec::with_capacity(levels_reserve),
            growths: 0,
        }
    }

    /// How many levels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranks.len()
    }

    /// True when no level has quantity.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    /// How often the arrays had to grow after start.
    #[must_use]
    pub fn growths(&self) -> u64 {
        self.growths
    }

    /// Ranks and levels, best first.
    pub fn best_first(&self) -> impl Iterator<Item = (i64, T)> + '_ {
        let levels = self.levels.iter().rev();
        self.ranks
            .iter()
            .rev()
            .zip(levels)
            .map(|(&rank, &level)| (rank, level))
    }

    #[inline]
    pub(super) fn best(&self) -> Option<(i64, T)> {
        Some((*self.ranks.last()?, *self.levels.last()?))
    }

    /// The index of a rank, or where it belongs.
    #[inline]
    pub(super) fn find(&self, rank: i64) -> Result<usize, usize> {
        let near = self.ranks.len().saturating_sub(NEAR);
        let tail = &self.ranks[near..];
        let idx = match tail.first() {
            Some(&first) if first > rank => self.ranks[..near].partition_point(|&r| r < rank),
            // Counting has no branch to mispredict.
            _ => near + tail.iter().map(|&r| usize::from(r < rank)).sum::<usize>(),
        };
        if self.ranks.get(idx) == Some(&rank) {
            Ok(idx)
        } else {
            Err(idx)
        }
    }

    /// How many levels are better than the one at `idx`.
    #[inline]
    pub(super) fn depth(&self, idx: usize) -> usize {
        self.ranks.len().saturating_sub(idx + 1)
    }

    #[inline]
    pub(super) fn level_mut(&mut self, idx: usize) -> &mut T {
        &mut self.levels[idx]
    }

    #[inline]
    pub(super) fn insert(&mut self, idx: usize, rank: i64, level: T) {
        self.growths += u64::from(self.ranks.len() == self.ranks.capacity());
        self.ranks.insert(idx, rank);
        self.levels.insert(idx, level);
    }

    #[inline]
    pub(super) fn remove(&mut self, idx: usize) {
        self.ranks.remove(idx);
        self.levels.remove(idx);
    }

    pub(super) fn clear(&mut self) {
        self.ranks.clear();
        self.levels.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranks_survive_the_extremes() {
        for price in [Price(i64::MIN), Price(-1), Price(0), Price(i64::MAX)] {
            for side in [Side::Bid, Side::Ask] {
                assert_eq!(price_of(side, rank_of(side, price)), price);
            }
        }
        assert!(rank_of(Side::Ask, Price(1)) > rank_of(Side::Ask, Price(2)));
    }

    proptest! {
        #[test]
        fn find_equals_binary_search(mut ranks in prop::collection::vec(-60i64..60, 0..80), rank in -61i64..61) {
            ranks.sort_unstable();
            ranks.dedup();
            let mut ladder = Ladder::new(0);
            for (idx, &rank) in ranks.iter().enumerate() {
                ladder.insert(idx, rank, ());
            }
            prop_assert_eq!(ladder.find(rank), ranks.binary_search(&rank));
        }
    }
}
