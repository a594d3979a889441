//! The sorted prices of every side of every book: levels by rank, the best at the end.
//!
//! ```text
//! Side     | near | best | block | ... |           two to a cache line: bids and asks of one book
//! entries  | -900 c7:16 | -310 c2:11 | 12 c4:7 |   the side's block: least rank, chunk, levels in it
//! chunks   c4 [12 13 15 .. 40 MAX MAX] + numbers   ascending, vacant places at the end
//! ```
//!
//! A sorted array in chunks, like the leaves of a B+ tree with one level above them. Books are
//! hundreds of levels deep and a quarter of all changes add or remove a level far from the touch,
//! so one long array would move kilobytes each time; a chunk moves a few hundred bytes. A price far
//! away is one more entry at the other end; nothing is sized by the distance between prices.
//!
//! All sides share three arrays. A side with an array of its own would spread a market over
//! thousands of pages of memory, and finding the page would cost as much as reading it.
//!
//! Neighbours that would fit three quarters of a chunk are joined, so thinly used chunks cannot
//! pile up: `n` levels need at most `n / 6 + 2` chunks. A side's block doubles when it is full; the
//! old block waits for another side of its size.

use crate::publish::TOP_LEVELS;

/// Levels in a chunk.
const CHUNK: usize = 16;
/// Neighbours with so many levels together are joined.
const JOINED: usize = 12;
/// In vacant places: the search needs no length, since nothing is larger.
const VACANT: i64 = i64::MAX;
/// A level among so many best ones is near the touch.
pub(super) const TOP: usize = TOP_LEVELS;
/// Entries of the smallest block.
const BLOCK: usize = 4;
/// Blocks of `BLOCK << class` entries: more levels than an order number can name.
const CLASSES: usize = 28;

/// One side of one book.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(super) struct Side {
    /// The rank of the last level among the best [`TOP`]; the least number when there are fewer.
    near: i64,
    /// The best rank; means nothing on an empty side.
    best: i64,
    /// Where its block of entries starts.
    block: u32,
    /// Entries used.
    chunks: u32,
    /// How many levels.
    levels: u32,
    /// The size of its block.
    class: u32,
}

/// A chunk of a side.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// A lower bound of the ranks in it.
    first: i64,
    chunk: u32,
    /// Levels in it, never 0.
    len: u32,
}

/// Whole cache lines: two of ranks, one of numbers.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Chunk {
    ranks: [i64; CHUNK],
    levels: [u32; CHUNK],
}

/// A place in a side; valid until its next insert or remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    /// In the side's block.
    entry: u32,
    /// In the entry's chunk.
    idx: u32,
}

/// The sides of all books.
#[derive(Debug)]
pub(super) struct Sides {
    sides: Vec<Side>,
    entries: Vec<Entry>,
    chunks: Vec<Chunk>,
    free_chunks: Vec<u32>,
    free_blocks: [Vec<u32>; CLASSES],
    growths: u64,
}

const EMPTY: Side = Side {
    near: i64::MIN,
    best: i64::MIN,
    block: 0,
    chunks: 0,
    levels: 0,
    class: 0,
};

const NO_ENTRY: Entry = Entry {
    first: VACANT,
    chunk: 0,
    len: 0,
};

impl Sides {
    /// Room for `sides_limit` sides with `levels_limit` levels together.
    pub(super) fn new(sides_limit: usize, levels_limit: usize) -> Self {
        let chunks = levels_limit / (JOINED / 2) + 2 * sides_limit;
        let mut free_blocks = [const { Vec::new() }; CLASSES];
        for (class, free) in free_blocks.iter_mut().enumerate() {
            // A side leaves at most one block of a size behind.
            if BLOCK << class <= chunks {
                free.reserve(sides_limit);
            }
        }
        Self {
            sides: Vec::with_capacity(sides_limit),
            // Blocks are at least half full but for the smallest, and each leaves half its size
            // behind, a quarter and so on.
            entries: Vec::with_capacity(4 * chunks + BLOCK * sides_limit),
            chunks: Vec::with_capacity(chunks),
            free_chunks: Vec::with_capacity(chunks),
            free_blocks,
            growths: 0,
        }
    }

    /// One more side; its number is its index.
    pub(super) fn open(&mut self) {
        let block = self.take_block(0);
        self.growths += u64::from(self.sides.len() == self.sides.capacity());
        self.sides.push(Side { block, ..EMPTY });
    }

    pub(super) fn growths(&self) -> u64 {
        self.growths
    }

    /// How many levels.
    pub(super) fn len(&self, side: u32) -> usize {
        self.sides[side as usize].levels as usize
    }

    /// The best rank.
    #[inline]
    pub(super) fn best(&self, side: u32) -> Option<i64> {
        let side = &self.sides[side as usize];
        (side.levels > 0).then_some(side.best)
    }

    /// Whether a level of this rank is, or would be, among the best [`TOP`].
    #[inline]
    pub(super) fn is_near(&self, side: u32, rank: i64) -> bool {
        rank >= self.sides[side as usize].near
    }

    /// The numbers of a side's levels, best first.
    pub(super) fn best_first(&self, side: u32) -> impl Iterator<Item = u32> + '_ {
        let entries = self.entries_of(side).iter().rev();
        entries.flat_map(|entry| {
            let levels = &self.chunks[entry.chunk as usize].levels[..entry.len as usize];
            levels.iter().rev().copied()
        })
    }

    /// The number of the level with this rank, or where it belongs.
    #[inline]
    pub(super) fn find(&self, side: u32, rank: i64) -> Result<(At, u32), At> {
        let entries = self.entries_of(side);
        let at = entries.partition_point(|entry| entry.first <= rank);
        let at = at.saturating_sub(1);
        let Some(&Entry { chunk, len, .. }) = entries.get(at) else {
            return Err(At { entry: 0, idx: 0 });
        };
        let chunk = &self.chunks[chunk as usize];
        let idx = below(&chunk.ranks, rank);
        let place = At {
            entry: at as u32,
            idx: (idx as u32).min(len),
        };
        if idx < len as usize && chunk.ranks[idx] == rank {
            Ok((place, chunk.levels[idx]))
        } else {
            Err(place)
        }
    }

    /// Adds a level where [`Sides::find`] said it belongs. True: it is among the best.
    #[inline]
    pub(super) fn insert(&mut self, side: u32, mut at: At, rank: i64, level: u32) -> bool {
        let is_full = self
            .entries_of(side)
            .get(at.entry as usize)
            .is_none_or(|entry| entry.len as usize == CHUNK);
        if is_full {
            at = self.split(side, at);
        }
        let header = &mut self.sides[side as usize];
        header.levels += 1;
        let entry = &mut self.entries[header.block as usize + at.entry as usize];
        let chunk = &mut self.chunks[entry.chunk as usize];
        let (idx, len) = (at.idx as usize, entry.len as usize);
        chunk.ranks.copy_within(idx..len, idx + 1);
        chunk.levels.copy_within(idx..len, idx + 1);
        (chunk.ranks[idx], chunk.levels[idx]) = (rank, level);
        entry.len += 1;
        entry.first = rank.min(entry.first);
        self.came_or_went(side, rank)
    }

    /// Takes a level out. True: it was among the best.
    #[inline]
    pub(super) fn remove(&mut self, side: u32, at: At) -> bool {
        let header = &mut self.sides[side as usize];
        header.levels -= 1;
        let entry = &mut self.entries[header.block as usize + at.entry as usize];
        let chunk = &mut self.chunks[entry.chunk as usize];
        let (idx, len) = (at.idx as usize, entry.len as usize);
        let rank = chunk.ranks[idx];
        chunk.ranks.copy_within(idx + 1..len, idx);
        chunk.levels.copy_within(idx + 1..len, idx);
        chunk.ranks[len - 1] = VACANT;
        entry.len -= 1;
        if len - 1 <= JOINED / 2 {
            self.join_at(side, at.entry as usize);
        }
        self.came_or_went(side, rank)
    }

    /// Takes all levels of a side out.
    pub(super) fn clear(&mut self, side: u32) {
        for at in 0..self.sides[side as usize].chunks {
            let entry = self.entries[(self.sides[side as usize].block + at) as usize];
            self.free_chunks.push(entry.chunk);
        }
        let header = &mut self.sides[side as usize];
        *header = Side {
            block: header.block,
            class: header.class,
            ..EMPTY
        };
    }

    /// For reading ahead: the side itself.
    #[inline]
    pub(super) fn hint_side(&self, side: u32) {
        stdx::hint::soon(&self.sides, side as usize);
    }

    /// For reading ahead: the start of the side's block.
    #[inline]
    pub(super) fn hint_entries(&self, side: u32) {
        let header = self.sides.get(side as usize).unwrap_or(&EMPTY);
        let block = header.block as usize;
        let middle = header.chunks as usize / 2;
        stdx::hint::soon(&self.entries, block);
        stdx::hint::soon(&self.entries, block + middle);
    }

    /// For reading ahead: the chunk where a rank belongs, whose ranks are asked for.
    #[inline]
    pub(super) fn hint_chunk(&self, side: u32, rank: i64) -> u32 {
        let header = self.sides.get(side as usize).unwrap_or(&EMPTY);
        let start = header.block as usize;
        let entries = self
            .entries
            .get(start..start + header.chunks as usize)
            .unwrap_or_default();
        let at = entries.partition_point(|entry| entry.first <= rank);
        let chunk = entries
            .get(at.saturating_sub(1))
            .map_or(0, |entry| entry.chunk);
        stdx::hint::soon_all(&self.chunks, chunk as usize);
        chunk
    }

    /// For reading ahead: the number of the level at the place of a rank in a chunk, whatever its
    /// rank is.
    #[inline]
    pub(super) fn peek_level(&self, chunk: u32, rank: i64) -> u32 {
        let Some(chunk) = self.chunks.get(chunk as usize) else {
            return 0;
        };
        let idx = below(&chunk.ranks, rank);
        chunk.levels.get(idx).copied().unwrap_or(0)
    }

    /// For reading the best levels: the entry of the best.
    #[inline]
    pub(super) fn hint_best_entry(&self, side: u32) {
        if let Some(header) = self.sides.get(side as usize) {
            let last = header.block + header.chunks.saturating_sub(1);
            stdx::hint::soon(&self.entries, last as usize);
        }
    }

    /// For reading the best levels: the numbers of the best and of those behind them.
    #[inline]
    pub(super) fn hint_best_numbers(&self, side: u32) {
        for entry in self.entries_of(side).iter().rev().take(2) {
            if let Some(chunk) = self.chunks.get(entry.chunk as usize) {
                stdx::hint::soon(&chunk.levels, 0);
            }
        }
    }

    #[inline]
    fn entries_of(&self, side: u32) -> &[Entry] {
        let header = &self.sides[side as usize];
        let start = header.block as usize;
        &self.entries[start..start + header.chunks as usize]
    }

    /// Keeps the cached ranks true after a change at `rank`, and says whether it was near.
    #[inline]
    fn came_or_went(&mut self, side: u32, rank: i64) -> bool {
        let is_near = self.is_near(side, rank);
        if is_near {
            self.refresh(side);
        }
        // What came may have pushed the border beyond itself; then it was not near.
        is_near
    }

    /// Reads the best rank and the border of what is near.
    fn refresh(&mut self, side: u32) {
        let mut wanted = TOP;
        let (mut best, mut near) = (i64::MIN, i64::MIN);
        for entry in self.entries_of(side).iter().rev() {
            let (chunk, len) = (&self.chunks[entry.chunk as usize], entry.len as usize);
            if wanted == TOP {
                best = chunk.ranks[len - 1];
            }
            if len >= wanted {
                near = chunk.ranks[len - wanted];
                break;
            }
            wanted -= len;
        }
        let header = &mut self.sides[side as usize];
        (header.best, header.near) = (best, near);
    }

    /// Makes room at `at`: cuts a full chunk in two, or starts the first chunk.
    #[cold]
    #[inline(never)]
    fn split(&mut self, side: u32, at: At) -> At {
        let fresh = self.take_chunk();
        self.make_room(side);
        let header = &mut self.sides[side as usize];
        let (start, count) = (header.block as usize, header.chunks as usize);
        header.chunks += 1;
        let entries = &mut self.entries[start..=start + count];
        if count == 0 {
            entries[0] = Entry {
                chunk: fresh,
                ..NO_ENTRY
            };
            return At { entry: 0, idx: 0 };
        }
        let (cut, half) = (at.entry as usize, CHUNK / 2);
        let full_chunk = entries[cut].chunk as usize;
        let [full, new] = self
            .chunks
            .get_disjoint_mut([full_chunk, fresh as usize])
            .expect("a fresh chunk is no other");
        new.ranks[..half].copy_from_slice(&full.ranks[half..]);
        new.levels[..half].copy_from_slice(&full.levels[half..]);
        full.ranks[half..].fill(VACANT);
        entries[cut].len = half as u32;
        entries.copy_within(cut + 1..count, cut + 2);
        entries[cut + 1] = Entry {
            first: new.ranks[0],
            chunk: fresh,
            len: half as u32,
        };
        if at.idx as usize <= half {
            at
        } else {
            At {
                entry: at.entry + 1,
                idx: at.idx - half as u32,
            }
        }
    }

    /// Lets an empty chunk go, or joins a thin one with a neighbour that is thin enough.
    fn join_at(&mut self, side: u32, at: usize) {
        let entries = self.entries_of(side);
        let len = entries[at].len as usize;
        if len == 0 {
            self.drop_entry(side, at);
            return;
        }
        let fits = |other: Option<&Entry>| other.is_some_and(|o| o.len as usize + len <= JOINED);
        if fits(entries.get(at + 1)) {
            self.join(side, at);
        } else if at > 0 && fits(entries.get(at - 1)) {
            self.join(side, at - 1);
        }
    }

    /// Moves the levels of the chunk after `at` into it.
    #[cold]
    fn join(&mut self, side: u32, at: usize) {
        let entries = self.entries_of(side);
        let (kept, left) = (entries[at], entries[at + 1]);
        let (end, count) = (kept.len as usize, left.len as usize);
        let [to, from] = self
            .chunks
            .get_disjoint_mut([kept.chunk as usize, left.chunk as usize])
            .expect("two entries never share a chunk");
        to.ranks[end..end + count].copy_from_slice(&from.ranks[..count]);
        to.levels[end..end + count].copy_from_slice(&from.levels[..count]);
        let start = self.sides[side as usize].block as usize;
        self.entries[start + at].len += left.len;
        self.drop_entry(side, at + 1);
    }

    fn drop_entry(&mut self, side: u32, at: usize) {
        let header = &mut self.sides[side as usize];
        let start = header.block as usize;
        let entries = &mut self.entries[start..start + header.chunks as usize];
        header.chunks -= 1;
        let chunk = entries[at].chunk;
        entries.copy_within(at + 1.., at);
        self.free_chunks.push(chunk);
    }

    /// Moves a side whose block is full to one of twice the size.
    fn make_room(&mut self, side: u32) {
        let Side {
            block,
            chunks,
            class,
            ..
        } = self.sides[side as usize];
        if (chunks as usize) < BLOCK << class {
            return;
        }
        let larger = self.take_block(class + 1);
        let (from, count) = (block as usize, chunks as usize);
        self.entries
            .copy_within(from..from + count, larger as usize);
        let free = &mut self.free_blocks[class as usize];
        self.growths += u64::from(free.len() == free.capacity());
        free.push(block);
        let header = &mut self.sides[side as usize];
        (header.block, header.class) = (larger, class + 1);
    }

    fn take_block(&mut self, class: u32) -> u32 {
        if let Some(block) = self.free_blocks[class as usize].pop() {
            return block;
        }
        let (start, size) = (self.entries.len(), BLOCK << class);
        self.growths += u64::from(start + size > self.entries.capacity());
        self.entries.resize(start + size, NO_ENTRY);
        start as u32
    }

    /// A vacant chunk.
    fn take_chunk(&mut self) -> u32 {
        let vacant = Chunk {
            ranks: [VACANT; CHUNK],
            levels: [0; CHUNK],
        };
        if let Some(chunk) = self.free_chunks.pop() {
            self.chunks[chunk as usize] = vacant;
            return chunk;
        }
        if self.chunks.len() == self.chunks.capacity() {
            // Both arrays grow: every chunk may be free at once.
            self.growths += 2;
            let more = self.chunks.len().max(4);
            self.chunks.reserve_exact(more);
            let total = self.chunks.len() + more;
            self.free_chunks
                .reserve_exact(total - self.free_chunks.len());
        }
        self.chunks.push(vacant);
        self.chunks.len() as u32 - 1
    }
}

/// How many ranks are below `rank`.
#[inline]
fn below(ranks: &[i64; CHUNK], rank: i64) -> usize {
    ranks.partition_point(|&r| r < rank)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Sets or removes a level at each rank of a side in turn; after each step the side equals a
    /// map, whatever the other sides do.
    fn check(steps: &[(u32, i64, bool)], levels_limit: usize) -> Sides {
        let mut sides = Sides::new(3, levels_limit);
        (0..3).for_each(|_| sides.open());
        let mut naive: [BTreeMap<i64, u32>; 3] = Default::default();
        for (n, &(side, rank, is_removal)) in steps.iter().enumerate() {
            let map = &mut naive[side as usize];
            let place = map.keys().rev().position(|&r| r == rank);
            match (sides.find(side, rank), is_removal) {
                (Ok((at, level)), true) => {
                    assert_eq!(map.remove(&rank), Some(level));
                    let near = sides.remove(side, at);
                    assert_eq!(near, place.is_some_and(|place| place < TOP));
                }
                (Ok((_, level)), false) => assert_eq!(map.get(&rank), Some(&level)),
                (Err(_), true) => assert!(!map.contains_key(&rank)),
                (Err(at), false) => {
                    let better = map.range(rank..).count();
                    map.insert(rank, n as u32);
                    assert_eq!(sides.insert(side, at, rank, n as u32), better < TOP);
                }
            }
            for (side, map) in naive.iter().enumerate() {
                let side = side as u32;
                assert_eq!(sides.len(side), map.len());
                assert_eq!(sides.best(side), map.last_key_value().map(|(&r, _)| r));
                assert!(sides.best_first(side).eq(map.values().rev().copied()));
                for (depth, &rank) in map.keys().rev().enumerate() {
                    assert_eq!(sides.is_near(side, rank), depth < TOP);
                }
                let chunks = sides.sides[side as usize].chunks as usize;
                assert!(chunks <= map.len() / (JOINED / 2) + 2);
            }
        }
        sides
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
        assert!(sides.is_near(1, i64::MIN));
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
