//! One side of a book: levels sorted so that the best is the last.
//!
//! A sorted array in chunks, like the leaves of a B+ tree with one level above them. Books are
//! hundreds of levels deep and a quarter of all changes add or remove a level far from the touch,
//! so one long array would move kilobytes each time; a chunk moves a few hundred bytes.
//!
//! ```text
//! firsts   | -900 |  -310 |   12 |      a lower bound of each chunk, ascending
//! slots      c7:16   c2:11  c4:7        where the chunk lies, and how many levels it holds
//! chunks   c4 [12 13 15 .. 40 MAX MAX]  ascending, vacant places at the end
//! ```
//!
//! Neighbours that would fit three quarters of a chunk are joined, so thinly used chunks cannot
//! pile up: `n` levels need at most `n / 6 + 2` chunks.

use crate::event::{Price, Side};

/// Levels in a chunk.
const CHUNK: usize = 16;
/// Neighbours with so many levels together are joined.
const JOINED: usize = 12;
/// In vacant places: the search needs no length, since nothing is larger.
const VACANT: i64 = i64::MAX;

/// Price levels of one side, worst first.
///
/// A level's key is its *rank*: the price on the bid side, its bitwise complement on the ask side.
/// The complement reverses the order of all `i64` without overflow, so both sides share one code
/// path and the best level is always at the end.
#[derive(Clone, Debug)]
pub struct Ladder<T> {
    firsts: Vec<i64>,
    slots: Vec<Slot>,
    chunks: Vec<Chunk<T>>,
    free: Vec<u32>,
    count: usize,
    growths: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    chunk: u32,
    /// Levels in it, never 0.
    len: u32,
}

/// Whole cache lines, so that the ranks are two.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Chunk<T> {
    ranks: [i64; CHUNK],
    levels: [T; CHUNK],
}

/// A place in a ladder; valid until the next insert or remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    slot: usize,
    idx: usize,
}

/// The rank of a price: larger is nearer the touch.
#[inline]
pub(crate) fn rank_of(side: Side, price: Price) -> i64 {
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

impl<T: Copy + Default> Ladder<T> {
    pub(super) fn new(levels_reserve: usize) -> Self {
        let chunks = levels_reserve / (JOINED / 2) + 2;
        Self {
            firsts: Vec::with_capacity(chunks),
            slots: Vec::with_capacity(chunks),
            chunks: Vec::with_capacity(chunks),
            free: Vec::with_capacity(chunks),
            count: 0,
            growths: 0,
        }
    }

    /// How many levels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True when no level has quantity.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How often the arrays had to grow after start.
    #[must_use]
    pub fn growths(&self) -> u64 {
        self.growths
    }

    /// Ranks and levels, best first.
    pub fn best_first(&self) -> impl Iterator<Item = (i64, T)> + '_ {
        self.slots.iter().rev().flat_map(|slot| {
            let chunk = &self.chunks[slot.chunk as usize];
            let len = slot.len as usize;
            let ranks = chunk.ranks[..len].iter().rev();
            ranks
                .copied()
                .zip(chunk.levels[..len].iter().rev().copied())
        })
    }

    /// The place of a rank, or where it belongs.
    #[inline]
    pub(super) fn find(&self, rank: i64) -> Result<At, At> {
        let slot = self.firsts.partition_point(|&first| first <= rank);
        let slot = slot.saturating_sub(1);
        let Some(&Slot { chunk, len }) = self.slots.get(slot) else {
            return Err(At { slot: 0, idx: 0 });
        };
        let ranks = &self.chunks[chunk as usize].ranks;
        let idx = ranks.partition_point(|&r| r < rank);
        let at = At { slot, idx };
        if idx < len as usize && ranks[idx] == rank {
            Ok(at)
        } else {
            Err(At {
                idx: idx.min(len as usize),
                ..at
            })
        }
    }

    /// Whether fewer than `limit` levels are better than the one at `at`.
    #[inline]
    pub(super) fn is_among_best(&self, at: At, limit: usize) -> bool {
        let mut slots = self.slots[at.slot..].iter().map(|slot| slot.len as usize);
        let mut reach = limit + at.idx + 1;
        // Counted from the chunk's start, so that its own length is treated like the others'.
        slots.all(|len| {
            let is_within = len < reach;
            reach = reach.saturating_sub(len);
            is_within
        })
    }

    #[inline]
    pub(super) fn level_mut(&mut self, at: At) -> &mut T {
        let chunk = self.slots[at.slot].chunk as usize;
        &mut self.chunks[chunk].levels[at.idx]
    }

    /// Adds a level where [`Ladder::find`] said it belongs; returns where it is.
    #[inline]
    pub(super) fn insert(&mut self, mut at: At, rank: i64, level: T) -> At {
        match self.slots.get(at.slot) {
            Some(slot) if (slot.len as usize) < CHUNK => {}
            _ => at = self.split(at),
        }
        let slot = &mut self.slots[at.slot];
        let chunk = &mut self.chunks[slot.chunk as usize];
        let (idx, len) = (at.idx, slot.len as usize);
        chunk.ranks.copy_within(idx..len, idx + 1);
        chunk.levels.copy_within(idx..len, idx + 1);
        (chunk.ranks[idx], chunk.levels[idx]) = (rank, level);
        slot.len += 1;
        self.count += 1;
        let first = &mut self.firsts[at.slot];
        *first = rank.min(*first);
        at
    }

    #[inline]
    pub(super) fn remove(&mut self, at: At) {
        self.count -= 1;
        let slot = &mut self.slots[at.slot];
        let chunk = &mut self.chunks[slot.chunk as usize];
        let len = slot.len as usize;
        chunk.ranks.copy_within(at.idx + 1..len, at.idx);
        chunk.levels.copy_within(at.idx + 1..len, at.idx);
        chunk.ranks[len - 1] = VACANT;
        slot.len -= 1;
        if len - 1 <= JOINED / 2 {
            self.join_at(at.slot);
        }
    }

    pub(super) fn clear(&mut self) {
        self.free
            .extend(self.slots.drain(..).map(|slot| slot.chunk));
        self.firsts.clear();
        self.count = 0;
    }

    /// Makes room at `at`: cuts a full chunk in two, or starts the first chunk.
    #[cold]
    #[inline(never)]
    fn split(&mut self, at: At) -> At {
        let fresh = self.take_chunk();
        let Some(&Slot { chunk, .. }) = self.slots.get(at.slot) else {
            self.firsts.push(VACANT);
            self.slots.push(Slot {
                chunk: fresh,
                len: 0,
            });
            return At { slot: 0, idx: 0 };
        };
        let half = CHUNK / 2;
        let (full, new) = pair_mut(&mut self.chunks, chunk as usize, fresh as usize);
        new.ranks = [VACANT; CHUNK];
        new.ranks[..half].copy_from_slice(&full.ranks[half..]);
        new.levels[..half].copy_from_slice(&full.levels[half..]);
        full.ranks[half..].fill(VACANT);
        let slot = Slot {
            chunk: fresh,
            len: half as u32,
        };
        let first = new.ranks[0];
        self.slots[at.slot].len = half as u32;
        self.slots.insert(at.slot + 1, slot);
        self.firsts.insert(at.slot + 1, first);
        if at.idx <= half {
            at
        } else {
            At {
                slot: at.slot + 1,
                idx: at.idx - half,
            }
        }
    }

    /// Lets an empty chunk go, or joins a thin one with a neighbour that is thin enough.
    fn join_at(&mut self, slot: usize) {
        let len = self.slots[slot].len as usize;
        if len == 0 {
            self.drop_slot(slot);
            return;
        }
        let fits = |other: Option<&Slot>| other.is_some_and(|o| o.len as usize + len <= JOINED);
        if fits(self.slots.get(slot + 1)) {
            self.join(slot);
        } else if slot > 0 && fits(self.slots.get(slot - 1)) {
            self.join(slot - 1);
        }
    }

    /// Moves the levels of the chunk after `slot` into it.
    #[cold]
    fn join(&mut self, slot: usize) {
        let (kept, left) = (self.slots[slot], self.slots[slot + 1]);
        let (at, count) = (kept.len as usize, left.len as usize);
        let (to, from) = pair_mut(&mut self.chunks, kept.chunk as usize, left.chunk as usize);
        to.ranks[at..at + count].copy_from_slice(&from.ranks[..count]);
        to.levels[at..at + count].copy_from_slice(&from.levels[..count]);
        self.slots[slot].len += left.len;
        self.drop_slot(slot + 1);
    }

    fn drop_slot(&mut self, slot: usize) {
        let Slot { chunk, .. } = self.slots.remove(slot);
        self.firsts.remove(slot);
        self.free.push(chunk);
    }

    /// A vacant chunk.
    fn take_chunk(&mut self) -> u32 {
        let vacant = Chunk {
            ranks: [VACANT; CHUNK],
            levels: [T::default(); CHUNK],
        };
        if let Some(chunk) = self.free.pop() {
            self.chunks[chunk as usize] = vacant;
            return chunk;
        }
        if self.chunks.len() == self.chunks.capacity() {
            // All four arrays grow.
            self.growths += 4;
            let more = self.chunks.len().max(4);
            self.chunks.reserve_exact(more);
            let total = self.chunks.len() + more;
            self.firsts.reserve_exact(total - self.firsts.len());
            self.slots.reserve_exact(total - self.slots.len());
            self.free.reserve_exact(total - self.free.len());
        }
        self.chunks.push(vacant);
        self.chunks.len() as u32 - 1
    }
}

/// Two different elements.
fn pair_mut<T>(items: &mut [T], a: usize, b: usize) -> (&mut T, &mut T) {
    let [a, b] = items
        .get_disjoint_mut([a, b])
        .expect("two slots never share a chunk");
    (a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn ranks_survive_the_extremes() {
        for price in [Price(i64::MIN), Price(-1), Price(0), Price(i64::MAX)] {
            for side in [Side::Bid, Side::Ask] {
                assert_eq!(price_of(side, rank_of(side, price)), price);
            }
        }
        assert!(rank_of(Side::Ask, Price(1)) > rank_of(Side::Ask, Price(2)));
    }

    /// Sets or removes a level at each rank in turn; after each step the ladder equals a map.
    fn check(steps: &[(i64, bool)], reserve: usize) -> Ladder<i64> {
        let mut ladder = Ladder::new(reserve);
        let mut naive: BTreeMap<i64, i64> = BTreeMap::new();
        for (n, &(rank, is_removal)) in steps.iter().enumerate() {
            let level = n as i64;
            match (ladder.find(rank), is_removal) {
                (Ok(at), true) => ladder.remove(at),
                (Ok(at), false) => *ladder.level_mut(at) = level,
                (Err(_), true) => assert!(!naive.contains_key(&rank)),
                (Err(at), false) => {
                    let at = ladder.insert(at, rank, level);
                    assert_eq!(ladder.find(rank), Ok(at));
                }
            }
            if is_removal {
                naive.remove(&rank);
            } else {
                naive.insert(rank, level);
            }
            assert_eq!(ladder.len(), naive.len());
            assert_eq!(
                ladder.best_first().next(),
                naive.last_key_value().map(|(&r, &l)| (r, l))
            );
            assert!(ladder.slots.len() <= naive.len() / (JOINED / 2) + 2);
        }
        assert!(
            ladder
                .best_first()
                .eq(naive.iter().rev().map(|(&r, &l)| (r, l)))
        );
        for (depth, &rank) in naive.keys().rev().enumerate() {
            let at = ladder.find(rank).expect("it is in the map");
            assert_eq!(ladder.is_among_best(at, 10), depth < 10, "{rank}");
        }
        ladder
    }

    #[test]
    fn a_full_reserve_never_grows() {
        let up = (0..500).map(|n| (n * 7, false));
        let between = (0..500).map(|n| (n * 7 + 3, false));
        let down = (0..500).rev().map(|n| (n * 7, true));
        let steps: Vec<_> = up.chain(between).chain(down).collect();
        assert_eq!(check(&steps, 1_000).growths(), 0);
        assert!(check(&steps, 10).growths() > 0);
    }

    proptest! {
        #[test]
        fn equals_a_map(
            steps in prop::collection::vec(
                (prop_oneof![
                    20 => -150i64..150,
                    1 => Just(i64::MAX),
                    1 => Just(i64::MIN),
                ], prop::bool::weighted(0.4)),
                0..1_500,
            ),
        ) {
            check(&steps, 4);
        }
    }
}
