//! The sorted levels of every side of every book, the best ones beside the side itself.
//!
//! ```text
//! Side    | floor, tail, counts | -12 -11 .. -3 MAX | totals |   seven lines one behind the other
//! Tails   everything below the floor, in chunks
//! ```
//!
//! Most of what happens to a book happens near its touch, and its best levels are what is
//! published. So each side keeps its best levels, [`TOP`] at least where it has so many, in one
//! block with its own numbers, and no change there goes anywhere else; the levels behind them are
//! in a [`Tails`]. Levels move between the two a few at a time, when the block is full or has too
//! few. Nothing is kept twice.

use super::rows::{Row, Rows};
use super::tails::{self, Tail, Tails};
use super::total::{Total, Wide};
use crate::event::InstrumentId;
use crate::publish::TOP_LEVELS;

/// A level among so many best ones is near the touch.
pub(super) const TOP: usize = TOP_LEVELS;
/// Room for the best levels of a side: whole cache lines.
const ROOM: usize = 24;
/// So many stay when the block was full, and so many are there when it had too few.
const KEPT: usize = (TOP + ROOM) / 2;
/// Says of a place that it is among the best levels.
const BEST: u32 = u32::MAX;

/// The number of a side: two for each instrument.
#[inline]
pub(super) fn side_number(instrument: InstrumentId, side: crate::event::Side) -> u32 {
    instrument.0 << 1 | u32::from(side == crate::event::Side::Ask)
}

/// Whose side has a number.
#[inline]
pub(super) fn instrument_of(side: u32) -> InstrumentId {
    InstrumentId(side >> 1)
}

/// Which side of its book has a number.
#[inline]
pub(super) fn side_of(side: u32) -> crate::event::Side {
    match side & 1 {
        0 => crate::event::Side::Bid,
        _ => crate::event::Side::Ask,
    }
}

/// The numbers of a side.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Header {
    /// Ranks below it are in the tail, the others in the block.
    floor: i64,
    tail: Tail,
    /// How many levels in all.
    levels: u32,
    /// How many in the block: [`TOP`] at least unless the tail is empty.
    len: u32,
}

/// One side of one book.
#[derive(Clone, Debug)]
#[repr(C)]
struct Side {
    header: Header,
    best: Rows<ROOM>,
}

/// A place in a side; valid until its next insert or remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At(tails::At);

/// The sides of all books.
#[derive(Debug)]
pub(super) struct Sides {
    sides: Vec<Side>,
    tails: Tails,
    wide: Wide,
    /// For each side the orders that trade last at its best levels; empty unless queues are kept.
    lasts: Vec<[u32; ROOM]>,
    has_lasts: bool,
    growths: u64,
}

impl Sides {
    /// Room for `sides_limit` sides with `levels_limit` levels together; with a place for the order
    /// that trades last at each level if wanted.
    pub(super) fn new(sides_limit: usize, levels_limit: usize, has_lasts: bool) -> Self {
        Self {
            sides: Vec::with_capacity(sides_limit),
            tails: Tails::new(sides_limit, levels_limit, has_lasts),
            wide: Wide::new(),
            lasts: Vec::with_capacity(if has_lasts { sides_limit } else { 0 }),
            has_lasts,
            growths: 0,
        }
    }

    /// One more side; its number is its index.
    pub(super) fn open(&mut self) {
        self.growths += u64::from(self.sides.len() == self.sides.capacity());
        self.sides.push(Side {
            header: Header {
                floor: i64::MIN,
                tail: self.tails.open(),
                levels: 0,
                len: 0,
            },
            best: Rows::VACANT,
        });
        if self.has_lasts {
            self.lasts.push([0; ROOM]);
        }
    }

    pub(super) fn growths(&self) -> u64 {
        self.growths + self.tails.growths() + self.wide.growths()
    }

    /// How many levels.
    pub(super) fn len(&self, side: u32) -> usize {
        self.sides[side as usize].header.levels as usize
    }

    /// The best rank.
    #[inline]
    pub(super) fn best(&self, side: u32) -> Option<i64> {
        let side = &self.sides[side as usize];
        let last = (side.header.len as usize).checked_sub(1)?;
        Some(side.best.ranks[last])
    }

    /// The levels of a side, best first: rank, quantity, orders.
    pub(super) fn best_first(&self, side: u32) -> impl Iterator<Item = (i64, u64, u32)> + '_ {
        let Side { header, best } = &self.sides[side as usize];
        let len = header.len as usize;
        let totals = best.totals[..len].iter().copied();
        let near = best.ranks[..len].iter().copied().zip(totals).rev();
        let all = near.chain(self.tails.best_first(&header.tail));
        all.map(move |(rank, total)| {
            let (qty, orders) = self.wide.shown(total, side, rank);
            (rank, qty, orders)
        })
    }

    /// Copies the best levels of a side to `top`, as `of` says; returns how many. Up to [`TOP`] they
    /// are all in one block.
    #[inline]
    pub(super) fn top<T>(
        &self,
        side: u32,
        top: &mut [T],
        of: impl Fn(i64, u64, u32) -> T,
    ) -> usize {
        let Side { header, best } = &self.sides[side as usize];
        let len = header.len as usize;
        let rows = best.ranks[..len].iter().zip(&best.totals[..len]);
        let mut count = 0;
        for (slot, (&rank, &total)) in top.iter_mut().zip(rows.rev()) {
            let (qty, orders) = self.wide.shown(total, side, rank);
            *slot = of(rank, qty, orders);
            count += 1;
        }
        if count < top.len() && header.levels > header.len {
            for (slot, (rank, qty, orders)) in top.iter_mut().zip(self.best_first(side)) {
                *slot = of(rank, qty, orders);
            }
            count = top.len().min(header.levels as usize);
        }
        count
    }

    /// The level with this rank, or where it belongs.
    #[inline]
    pub(super) fn find(&self, side: u32, rank: i64) -> Result<At, At> {
        let Side { header, best } = &self.sides[side as usize];
        if rank < header.floor {
            return self.tails.find(&header.tail, rank).map(At).map_err(At);
        }
        let place = |idx: usize| {
            At(tails::At {
                entry: BEST,
                idx: idx as u32,
            })
        };
        let found = best.find(header.len as usize, rank);
        found.map(place).map_err(place)
    }

    /// Whether the level at a place is among the best [`TOP`].
    #[inline]
    pub(super) fn is_near(&self, side: u32, At(at): At) -> bool {
        let len = self.sides[side as usize].header.len;
        at.entry == BEST && at.idx as usize + TOP >= len as usize
    }

    /// One more order at a level.
    #[inline]
    pub(super) fn gain(&mut self, side: u32, at: At, rank: i64, qty: u64) {
        let (total, wide) = self.total_mut(side, at);
        wide.gain(total, side, rank, qty);
    }

    /// So much less at a level, in `orders` orders less; returns how many orders are left. A level
    /// without orders is to be removed.
    #[inline]
    pub(super) fn lose(&mut self, side: u32, at: At, rank: i64, qty: u64, orders: u32) -> u32 {
        let (total, wide) = self.total_mut(side, at);
        wide.lose(total, side, rank, qty, orders)
    }

    /// The order that trades last at a level, where there is such a level and queues are kept.
    pub(super) fn last(&self, side: u32, rank: i64) -> Option<u32> {
        let At(at) = self.find(side, rank).ok()?;
        if at.entry != BEST {
            return self.tails.last(&self.sides[side as usize].header.tail, at);
        }
        Some(self.lasts.get(side as usize)?[at.idx as usize])
    }

    /// The same, to be changed.
    pub(super) fn last_mut(&mut self, side: u32, rank: i64) -> Option<&mut u32> {
        let At(at) = self.find(side, rank).ok()?;
        if at.entry != BEST {
            return self
                .tails
                .last_mut(&self.sides[side as usize].header.tail, at);
        }
        let lasts = self.lasts.get_mut(side as usize)?;
        Some(&mut lasts[at.idx as usize])
    }

    /// Adds a level of one order, where [`Sides::find`] said it belongs; `last` is what
    /// [`Sides::last_mut`] gives first. True: it is among the best.
    #[inline]
    pub(super) fn insert(&mut self, side: u32, at: At, rank: i64, qty: u64, last: u32) -> bool {
        let mut total = Total::VACANT;
        self.wide.gain(&mut total, side, rank, qty);
        let row = Row { rank, total, last };
        self.sides[side as usize].header.levels += 1;
        if at.0.entry == BEST {
            self.insert_best(side, at.0.idx as usize, row)
        } else {
            let tail = &mut self.sides[side as usize].header.tail;
            self.tails.insert(tail, at.0, row);
            false
        }
    }

    /// Takes a level out. True: it was among the best.
    #[inline]
    pub(super) fn remove(&mut self, side: u32, at: At) -> bool {
        let is_near = self.is_near(side, at);
        let Side { header, best } = &mut self.sides[side as usize];
        header.levels -= 1;
        if at.0.entry != BEST {
            self.tails.remove(&mut header.tail, at.0);
            if header.tail.chunks == 0 {
                header.floor = i64::MIN;
            }
            return false;
        }
        let (idx, len) = (at.0.idx as usize, header.len as usize);
        best.remove(len, idx);
        if let Some(lasts) = self.lasts.get_mut(side as usize) {
            lasts.copy_within(idx + 1..len, idx);
        }
        header.len -= 1;
        if len <= TOP && header.tail.chunks > 0 {
            self.refill(side);
        }
        is_near
    }

    /// Takes all levels of a side out.
    pub(super) fn clear(&mut self, side: u32) {
        let Side { header, best } = &mut self.sides[side as usize];
        self.tails.clear(&mut header.tail);
        (header.floor, header.levels, header.len) = (i64::MIN, 0, 0);
        *best = Rows::VACANT;
        self.wide.clear(side);
    }

    #[inline]
    fn total_mut(&mut self, side: u32, At(at): At) -> (&mut Total, &mut Wide) {
        let Side { header, best } = &mut self.sides[side as usize];
        let total = if at.entry == BEST {
            &mut best.totals[at.idx as usize]
        } else {
            self.tails.total_mut(&header.tail, at)
        };
        (total, &mut self.wide)
    }

    #[inline]
    fn insert_best(&mut self, side: u32, mut idx: usize, row: Row) -> bool {
        if self.sides[side as usize].header.len as usize == ROOM {
            let spilt = self.spill(side);
            if idx <= spilt {
                // It belongs behind the best now.
                let Side { header, .. } = &mut self.sides[side as usize];
                let at = self.tails.find(&header.tail, row.rank);
                let (Ok(at) | Err(at)) = at;
                self.tails.insert(&mut header.tail, at, row);
                return false;
            }
            idx -= spilt;
        }
        let Side { header, best } = &mut self.sides[side as usize];
        let len = header.len as usize;
        best.insert(len, idx, row);
        if let Some(lasts) = self.lasts.get_mut(side as usize) {
            lasts.copy_within(idx..len, idx + 1);
            lasts[idx] = row.last;
        }
        header.len += 1;
        len - idx < TOP
    }

    /// Moves the worst levels of a full block to the tail; returns how many.
    #[cold]
    #[inline(never)]
    fn spill(&mut self, side: u32) -> usize {
        let Side { header, best } = &mut self.sides[side as usize];
        let mut lasts = self.lasts.get_mut(side as usize);
        let len = header.len as usize;
        let spilt = len - KEPT;
        for idx in 0..spilt {
            let row = Row {
                rank: best.ranks[idx],
                total: best.totals[idx],
                last: lasts.as_ref().map_or(0, |lasts| lasts[idx]),
            };
            self.tails.push_best(&mut header.tail, row);
        }
        best.drop_worst(len, spilt);
        if let Some(lasts) = &mut lasts {
            lasts.copy_within(spilt..len, 0);
        }
        header.len = KEPT as u32;
        header.floor = best.ranks[0];
        spilt
    }

    /// Moves levels of the tail to a block that has too few.
    #[cold]
    #[inline(never)]
    fn refill(&mut self, side: u32) {
        let Side { header, best } = &mut self.sides[side as usize];
        let mut lasts = self.lasts.get_mut(side as usize);
        let wanted = (KEPT - header.len as usize).min((header.levels - header.len) as usize);
        let len = header.len as usize;
        best.make_room(len, wanted);
        if let Some(lasts) = &mut lasts {
            lasts.copy_within(..len, wanted);
        }
        for idx in (0..wanted).rev() {
            let Some(row) = self.tails.pop_best(&mut header.tail) else {
                debug_assert!(false, "the tail holds all levels that the block does not");
                break;
            };
            (best.ranks[idx], best.totals[idx]) = (row.rank, row.total);
            if let Some(lasts) = &mut lasts {
                lasts[idx] = row.last;
            }
        }
        header.len = (len + wanted) as u32;
        header.floor = if header.tail.chunks == 0 {
            i64::MIN
        } else {
            best.ranks[0]
        };
    }
}

/// Steps of reading ahead; each reads what the one before asked for.
impl Sides {
    /// The numbers of a side.
    #[inline]
    pub(super) fn hint_side(&self, side: u32) {
        stdx::hint::soon(&self.sides, side as usize);
    }

    /// What says where a rank is: the best ranks, or the entries of the tail.
    #[inline]
    pub(super) fn hint_index(&self, side: u32, rank: i64) {
        let Some(Side { header, best }) = self.sides.get(side as usize) else {
            return;
        };
        if rank < header.floor {
            self.tails.hint_entries(&header.tail);
        } else {
            best.hint_ranks();
        }
    }

    /// What is there: a total among the best, or the ranks of a chunk of the tail.
    #[inline]
    pub(super) fn hint_place(&self, side: u32, rank: i64) -> u32 {
        let Some(Side { header, best }) = self.sides.get(side as usize) else {
            return BEST;
        };
        if rank < header.floor {
            self.tails.hint_ranks(&header.tail, rank)
        } else {
            best.hint_totals(rank);
            BEST
        }
    }

    /// The total of a level of the tail, in the chunk that [`Sides::hint_place`] said.
    #[inline]
    pub(super) fn hint_total(&self, chunk: u32, rank: i64) {
        self.tails.hint_totals(chunk, rank);
    }

    /// All of a side that is published.
    #[inline]
    pub(super) fn hint_best(&self, side: u32) {
        stdx::hint::soon_all(&self.sides, side as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tails::JOINED;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Sets or removes a level at each rank of a side in turn; after each step the side equals a
    /// map, whatever the other sides do.
    fn check(steps: &[(u32, i64, bool)], levels_limit: usize) -> Sides {
        let mut sides = Sides::new(3, levels_limit, true);
        (0..3).for_each(|_| sides.open());
        let mut naive: [BTreeMap<i64, (u64, u32)>; 3] = Default::default();
        for (n, &(side, rank, is_removal)) in steps.iter().enumerate() {
            let map = &mut naive[side as usize];
            let place = map.keys().rev().position(|&r| r == rank);
            match (sides.find(side, rank), is_removal) {
                (Ok(at), true) => {
                    let (qty, orders) = map.remove(&rank).expect("the map has it too");
                    assert_eq!(sides.lose(side, at, rank, qty, orders), 0);
                    let near = sides.remove(side, at);
                    assert_eq!(near, place.is_some_and(|place| place < TOP));
                }
                (Ok(at), false) => {
                    let level = map.get_mut(&rank).expect("the map has it too");
                    *level = (level.0 + 1, level.1 + 1);
                    sides.gain(side, at, rank, 1);
                }
                (Err(_), true) => assert!(!map.contains_key(&rank)),
                (Err(at), false) => {
                    let better = map.range(rank..).count();
                    map.insert(rank, (n as u64 + 1, 1));
                    let near = sides.insert(side, at, rank, n as u64 + 1, last_of(rank));
                    assert_eq!(near, better < TOP);
                }
            }
            for (side, map) in naive.iter().enumerate() {
                check_side(&mut sides, side as u32, map);
            }
        }
        sides
    }

    /// What stands for the order that trades last at a level.
    fn last_of(rank: i64) -> u32 {
        rank as u32 ^ 0x5555
    }

    fn check_side(sides: &mut Sides, side: u32, map: &BTreeMap<i64, (u64, u32)>) {
        assert_eq!(sides.len(side), map.len());
        assert_eq!(sides.best(side), map.last_key_value().map(|(&r, _)| r));
        let levels = map
            .iter()
            .rev()
            .map(|(&r, &(qty, orders))| (r, qty, orders));
        assert!(sides.best_first(side).eq(levels.clone()));
        for room in [1, TOP, ROOM + 5] {
            let mut top = vec![(0, 0, 0); room];
            let count = sides.top(side, &mut top, |rank, qty, orders| (rank, qty, orders));
            assert_eq!(count, room.min(map.len()));
            assert!(top[..count].iter().copied().eq(levels.clone().take(room)));
        }
        for (depth, &rank) in map.keys().rev().enumerate() {
            let at = sides.find(side, rank).expect("it is in the map");
            assert_eq!(sides.is_near(side, at), depth < TOP);
            assert_eq!(sides.last(side, rank), Some(last_of(rank)));
            assert_eq!(sides.last_mut(side, rank), Some(&mut last_of(rank)));
        }
        let Header {
            tail, levels, len, ..
        } = sides.sides[side as usize].header;
        assert!(
            len as usize >= TOP.min(levels as usize),
            "{len} of {levels}"
        );
        let far = (levels - len) as usize;
        assert!(tail.chunks as usize <= far / (JOINED / 2) + 2);
    }

    #[test]
    fn a_full_reserve_never_grows() {
        let up = (0..200).map(|n| (1, n * 7, false));
        let between = (0..200).map(|n| (1, n * 7 + 3, false));
        let down = (0..200).rev().map(|n| (1, n * 7, true));
        let steps: Vec<_> = up.chain(between).chain(down).collect();
        assert_eq!(check(&steps, 400).growths(), 0);
        assert!(check(&steps, 4).growths() > 0);
    }

    #[test]
    fn a_cleared_side_is_empty_and_the_others_are_not() {
        let steps: Vec<_> = (0..100).map(|n| (n % 3, i64::from(n), false)).collect();
        let mut sides = check(&steps, 100);
        sides.clear(1);
        assert_eq!((sides.len(0), sides.len(1), sides.len(2)), (34, 0, 33));
        assert_eq!(sides.best(1), None);
        check_side(&mut sides, 1, &BTreeMap::new());
    }

    #[test]
    fn lines_are_where_reading_ahead_looks_for_them() {
        assert_eq!((align_of::<Side>(), size_of::<Side>() % 64), (64, 0));
        assert_eq!(std::mem::offset_of!(Side, best), 64);
    }

    proptest! {
        #[test]
        fn equals_maps(
            steps in prop::collection::vec(
                (0u32..3, prop_oneof![
                    20 => -150i64..150,
                    1 => Just(i64::MAX),
                    1 => Just(i64::MIN),
                ], prop::bool::weighted(0.4)),
                0..700,
            ),
        ) {
            check(&steps, 4);
        }
    }
}
