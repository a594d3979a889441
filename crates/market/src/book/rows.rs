//! A few levels in order: ranks ascending, what rests at each beside them.

use super::total::Total;

/// In vacant places: the search needs no length, since nothing is larger.
const VACANT: i64 = i64::MAX;

/// One level on its way from one place to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) rank: i64,
    pub(super) total: Total,
    /// The order that trades last, where queues are kept.
    pub(super) last: u32,
}

/// Room for `N` levels in whole cache lines. The best is the last: what comes and goes near the
/// touch moves little.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Rows<const N: usize> {
    pub(super) ranks: [i64; N],
    pub(super) totals: [Total; N],
}

impl<const N: usize> Rows<N> {
    pub(super) const VACANT: Self = Self {
        ranks: [VACANT; N],
        totals: [Total::VACANT; N],
    };

    /// How many ranks are below `rank`.
    #[inline]
    pub(super) fn below(&self, rank: i64) -> usize {
        self.ranks.partition_point(|&r| r < rank)
    }

    /// Where a rank is, or where it belongs, among the first `len`.
    #[inline]
    pub(super) fn find(&self, len: usize, rank: i64) -> Result<usize, usize> {
        let idx = self.below(rank).min(len);
        if idx < len && self.ranks[idx] == rank {
            Ok(idx)
        } else {
            Err(idx)
        }
    }

    /// Puts a level at `idx` of `len` levels.
    #[inline]
    pub(super) fn insert(&mut self, len: usize, idx: usize, row: Row) {
        self.ranks.copy_within(idx..len, idx + 1);
        self.totals.copy_within(idx..len, idx + 1);
        (self.ranks[idx], self.totals[idx]) = (row.rank, row.total);
    }

    /// Takes the level at `idx` of `len` levels out.
    #[inline]
    pub(super) fn remove(&mut self, len: usize, idx: usize) {
        self.ranks.copy_within(idx + 1..len, idx);
        self.totals.copy_within(idx + 1..len, idx);
        self.ranks[len - 1] = VACANT;
    }

    /// Takes the worst `count` of `len` levels out.
    pub(super) fn drop_worst(&mut self, len: usize, count: usize) {
        self.ranks.copy_within(count..len, 0);
        self.totals.copy_within(count..len, 0);
        self.ranks[len - count..len].fill(VACANT);
    }

    /// Makes room for `count` levels before the first of `len`; what stands there is to be
    /// overwritten.
    pub(super) fn make_room(&mut self, len: usize, count: usize) {
        self.ranks.copy_within(..len, count);
        self.totals.copy_within(..len, count);
    }

    /// Takes the levels from `idx` on out, to the front of `to`.
    pub(super) fn cut(&mut self, idx: usize, to: &mut Self) {
        to.ranks[..N - idx].copy_from_slice(&self.ranks[idx..]);
        to.totals[..N - idx].copy_from_slice(&self.totals[idx..]);
        self.ranks[idx..].fill(VACANT);
    }

    /// Adds the first `count` levels of `from` behind the first `len`.
    pub(super) fn append(&mut self, len: usize, from: &Self, count: usize) {
        self.ranks[len..len + count].copy_from_slice(&from.ranks[..count]);
        self.totals[len..len + count].copy_from_slice(&from.totals[..count]);
    }
}

impl<const N: usize> Rows<N> {
    /// For reading ahead: all ranks.
    #[inline]
    pub(super) fn hint_ranks(&self) {
        stdx::hint::soon_all(std::slice::from_ref(&self.ranks), 0);
    }

    /// For reading ahead: the totals that a change at `rank` touches.
    #[inline]
    pub(super) fn hint_totals(&self, rank: i64) {
        stdx::hint::soon(&self.totals, self.below(rank).min(N - 1));
        stdx::hint::soon(&self.totals, self.below(VACANT).saturating_sub(1));
    }
}
