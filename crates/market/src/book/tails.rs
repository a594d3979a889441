//! The levels of every side behind its best ones: sorted arrays in chunks.
//!
//! ```text
//! entries   | -900 c7:16 | -310 c2:11 | 12 c4:7 |   a side's block: least rank, chunk, levels in it
//! chunks    c4 [12 13 15 .. 40 MAX MAX] + totals    ascending, vacant places at the end
//! ```
//!
//! Like the leaves of a B+ tree with one level above them. Books are hundreds of levels deep and many
//! changes add or remove a level far from the touch, so one long array would move kilobytes each
//! time; a chunk moves a few hundred bytes. A price far away is one more entry at the other end;
//! nothing is sized by the distance between prices.
//!
//! All sides share three arrays. A side with an array of its own would spread a market over
//! thousands of pages of memory, and finding the page would cost as much as reading it.
//!
//! Neighbours that would fit three quarters of a chunk are joined, so thinly used chunks cannot
//! pile up: `n` levels need at most `n / 6 + 2` chunks. A side's block doubles when it is full; the
//! old block waits for another side of its size.

use super::rows::{Row, Rows};
use super::total::Total;

/// Levels in a chunk.
const CHUNK: usize = 16;
/// Neighbours with so many levels together are joined.
pub(super) const JOINED: usize = 12;
/// Entries of the smallest block.
const BLOCK: usize = 4;
/// Blocks of `BLOCK << class` entries: more levels than an order number can name.
const CLASSES: usize = 28;
/// Entries in a cache line.
const ENTRIES_A_LINE: usize = 64 / size_of::<Entry>();
/// Lines of entries that are read ahead.
const LINES_AHEAD: usize = 4;

/// Where the far levels of a side are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// Where its block of entries starts.
    block: u32,
    /// Entries used.
    pub(super) chunks: u32,
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

const NO_ENTRY: Entry = Entry {
    first: i64::MAX,
    chunk: 0,
    len: 0,
};

/// A place in a tail; valid until its next insert or remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    /// In the side's block.
    pub(super) entry: u32,
    /// In the entry's chunk.
    pub(super) idx: u32,
}

/// The far levels of all sides.
#[derive(Debug)]
pub(super) struct Tails {
    entries: Vec<Entry>,
    chunks: Vec<Rows<CHUNK>>,
    /// For each chunk the orders that trade last; empty unless queues are kept.
    lasts: Vec<[u32; CHUNK]>,
    has_lasts: bool,
    free_chunks: Vec<u32>,
    free_blocks: [Vec<u32>; CLASSES],
    growths: u64,
}

impl Tails {
    /// Room for `sides_limit` sides with `levels_limit` levels together.
    pub(super) fn new(sides_limit: usize, levels_limit: usize, has_lasts: bool) -> Self {
        let chunks = levels_limit / (JOINED / 2) + 2 * sides_limit;
        let mut free_blocks = [const { Vec::new() }; CLASSES];
        for (class, free) in free_blocks.iter_mut().enumerate() {
            // A side leaves at most one block of a size behind.
            if BLOCK << class <= chunks {
                free.reserve(sides_limit);
            }
        }
        Self {
            // Blocks are at least half full but for the smallest, and each leaves half its size
            // behind, a quarter and so on.
            entries: Vec::with_capacity(4 * chunks + BLOCK * sides_limit),
            chunks: Vec::with_capacity(chunks),
            lasts: Vec::with_capacity(if has_lasts { chunks } else { 0 }),
            has_lasts,
            free_chunks: Vec::with_capacity(chunks),
            free_blocks,
            growths: 0,
        }
    }

    pub(super) fn growths(&self) -> u64 {
        self.growths
    }

    /// A tail for one more side.
    pub(super) fn open(&mut self) -> Tail {
        Tail {
            block: self.take_block(0),
            chunks: 0,
            class: 0,
        }
    }

    /// Where a rank is, or where it belongs.
    #[inline]
    pub(super) fn find(&self, tail: &Tail, rank: i64) -> Result<At, At> {
        let entries = self.entries_of(tail);
        let at = entries.partition_point(|entry| entry.first <= rank);
        let at = at.saturating_sub(1);
        let Some(&Entry { chunk, len, .. }) = entries.get(at) else {
            return Err(At { entry: 0, idx: 0 });
        };
        let place = |idx: usize| At {
            entry: at as u32,
            idx: idx as u32,
        };
        let found = self.chunks[chunk as usize].find(len as usize, rank);
        found.map(place).map_err(place)
    }

    /// What rests at a place.
    #[inline]
    pub(super) fn total_mut(&mut self, tail: &Tail, at: At) -> &mut Total {
        let chunk = self.entries[(tail.block + at.entry) as usize].chunk;
        &mut self.chunks[chunk as usize].totals[at.idx as usize]
    }

    /// The order that trades last at a place.
    pub(super) fn last(&self, tail: &Tail, at: At) -> Option<u32> {
        let chunk = self.entries[(tail.block + at.entry) as usize].chunk;
        Some(self.lasts.get(chunk as usize)?[at.idx as usize])
    }

    /// The same, to be changed.
    pub(super) fn last_mut(&mut self, tail: &Tail, at: At) -> Option<&mut u32> {
        let chunk = self.entries[(tail.block + at.entry) as usize].chunk;
        let lasts = self.lasts.get_mut(chunk as usize)?;
        Some(&mut lasts[at.idx as usize])
    }

    /// The levels of a tail, best first.
    pub(super) fn best_first(&self, tail: &Tail) -> impl Iterator<Item = (i64, Total)> + '_ {
        let entries = self.entries_of(tail).iter().rev();
        entries.flat_map(|entry| {
            let (rows, len) = (&self.chunks[entry.chunk as usize], entry.len as usize);
            let totals = rows.totals[..len].iter().copied();
            rows.ranks[..len].iter().copied().zip(totals).rev()
        })
    }

    /// Adds a level where [`Tails::find`] said it belongs.
    #[inline]
    pub(super) fn insert(&mut self, tail: &mut Tail, mut at: At, row: Row) {
        let is_full = self
            .entries_of(tail)
            .get(at.entry as usize)
            .is_none_or(|entry| entry.len as usize == CHUNK);
        if is_full {
            at = self.split(tail, at);
        }
        let entry = &mut self.entries[(tail.block + at.entry) as usize];
        let (idx, len) = (at.idx as usize, entry.len as usize);
        self.chunks[entry.chunk as usize].insert(len, idx, row);
        if let Some(lasts) = self.lasts.get_mut(entry.chunk as usize) {
            lasts.copy_within(idx..len, idx + 1);
            lasts[idx] = row.last;
        }
        entry.len += 1;
        entry.first = row.rank.min(entry.first);
    }

    /// Takes a level out.
    #[inline]
    pub(super) fn remove(&mut self, tail: &mut Tail, at: At) {
        let entry = &mut self.entries[(tail.block + at.entry) as usize];
        let (idx, len) = (at.idx as usize, entry.len as usize);
        self.chunks[entry.chunk as usize].remove(len, idx);
        if let Some(lasts) = self.lasts.get_mut(entry.chunk as usize) {
            lasts.copy_within(idx + 1..len, idx);
        }
        entry.len -= 1;
        if len - 1 <= JOINED / 2 {
            self.join_at(tail, at.entry as usize);
        }
    }

    /// Takes the best level out; `None` of an empty tail.
    pub(super) fn pop_best(&mut self, tail: &mut Tail) -> Option<Row> {
        let last = tail.chunks.checked_sub(1)?;
        let entry = self.entries[(tail.block + last) as usize];
        let (chunk, idx) = (entry.chunk as usize, entry.len as usize - 1);
        let rows = &self.chunks[chunk];
        let row = Row {
            rank: rows.ranks[idx],
            total: rows.totals[idx],
            last: self.lasts.get(chunk).map_or(0, |lasts| lasts[idx]),
        };
        let at = At {
            entry: last,
            idx: idx as u32,
        };
        self.remove(tail, at);
        Some(row)
    }

    /// Adds a level that is better than all.
    pub(super) fn push_best(&mut self, tail: &mut Tail, row: Row) {
        let entry = tail.chunks.saturating_sub(1);
        let idx = self.entries_of(tail).last().map_or(0, |entry| entry.len);
        self.insert(tail, At { entry, idx }, row);
    }

    /// Takes all levels of a tail out.
    pub(super) fn clear(&mut self, tail: &mut Tail) {
        for at in 0..tail.chunks {
            let entry = self.entries[(tail.block + at) as usize];
            self.free_chunks.push(entry.chunk);
        }
        tail.chunks = 0;
    }

    /// For reading ahead: a tail's entries.
    #[inline]
    pub(super) fn hint_entries(&self, tail: &Tail) {
        let lines = (tail.chunks as usize).div_ceil(ENTRIES_A_LINE);
        for line in 0..lines.min(LINES_AHEAD) {
            stdx::hint::soon(&self.entries, tail.block as usize + line * ENTRIES_A_LINE);
        }
    }

    /// For reading ahead: the ranks of the chunk where a rank belongs, and which that is.
    #[inline]
    pub(super) fn hint_ranks(&self, tail: &Tail, rank: i64) -> u32 {
        let entries = self.entries_of(tail);
        let at = entries.partition_point(|entry| entry.first <= rank);
        let entry = entries.get(at.saturating_sub(1));
        let chunk = entry.map_or(0, |entry| entry.chunk);
        if let Some(rows) = self.chunks.get(chunk as usize) {
            rows.hint_ranks();
        }
        chunk
    }

    /// For reading ahead: the totals from the place of a rank in a chunk on.
    #[inline]
    pub(super) fn hint_totals(&self, chunk: u32, rank: i64) {
        if let Some(rows) = self.chunks.get(chunk as usize) {
            rows.hint_totals(rank);
        }
    }

    #[inline]
    fn entries_of(&self, tail: &Tail) -> &[Entry] {
        let start = tail.block as usize;
        &self.entries[start..start + tail.chunks as usize]
    }

    /// Makes room at `at`: cuts a full chunk in two, or starts the first chunk.
    #[cold]
    #[inline(never)]
    fn split(&mut self, tail: &mut Tail, at: At) -> At {
        let fresh = self.take_chunk();
        self.make_room(tail);
        let (start, count) = (tail.block as usize, tail.chunks as usize);
        tail.chunks += 1;
        let entries = &mut self.entries[start..=start + count];
        if count == 0 {
            entries[0] = Entry {
                chunk: fresh,
                ..NO_ENTRY
            };
            return At { entry: 0, idx: 0 };
        }
        let (cut, half) = (at.entry as usize, CHUNK / 2);
        let both = [entries[cut].chunk as usize, fresh as usize];
        let [full, new] = pair(&mut self.chunks, both);
        full.cut(half, new);
        if self.has_lasts {
            let [full, new] = pair(&mut self.lasts, both);
            new[..CHUNK - half].copy_from_slice(&full[half..]);
        }
        entries[cut].len = half as u32;
        entries.copy_within(cut + 1..count, cut + 2);
        entries[cut + 1] = Entry {
            first: self.chunks[fresh as usize].ranks[0],
            chunk: fresh,
            len: (CHUNK - half) as u32,
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
    fn join_at(&mut self, tail: &mut Tail, at: usize) {
        let entries = self.entries_of(tail);
        let len = entries[at].len as usize;
        if len == 0 {
            self.drop_entry(tail, at);
            return;
        }
        let fits = |other: Option<&Entry>| other.is_some_and(|o| o.len as usize + len <= JOINED);
        if fits(entries.get(at + 1)) {
            self.join(tail, at);
        } else if at > 0 && fits(entries.get(at - 1)) {
            self.join(tail, at - 1);
        }
    }

    /// Moves the levels of the chunk after `at` into it.
    #[cold]
    fn join(&mut self, tail: &mut Tail, at: usize) {
        let entries = self.entries_of(tail);
        let (kept, left) = (entries[at], entries[at + 1]);
        let (end, count) = (kept.len as usize, left.len as usize);
        let both = [kept.chunk as usize, left.chunk as usize];
        let [to, from] = pair(&mut self.chunks, both);
        to.append(end, from, count);
        if self.has_lasts {
            let [to, from] = pair(&mut self.lasts, both);
            to[end..end + count].copy_from_slice(&from[..count]);
        }
        self.entries[tail.block as usize + at].len += left.len;
        self.drop_entry(tail, at + 1);
    }

    fn drop_entry(&mut self, tail: &mut Tail, at: usize) {
        let start = tail.block as usize;
        let entries = &mut self.entries[start..start + tail.chunks as usize];
        tail.chunks -= 1;
        let chunk = entries[at].chunk;
        entries.copy_within(at + 1.., at);
        self.free_chunks.push(chunk);
    }

    /// Moves a tail whose block is full to one of twice the size.
    fn make_room(&mut self, tail: &mut Tail) {
        if (tail.chunks as usize) < BLOCK << tail.class {
            return;
        }
        let larger = self.take_block(tail.class + 1);
        let (from, count) = (tail.block as usize, tail.chunks as usize);
        self.entries
            .copy_within(from..from + count, larger as usize);
        let free = &mut self.free_blocks[tail.class as usize];
        self.growths += u64::from(free.len() == free.capacity());
        free.push(tail.block);
        (tail.block, tail.class) = (larger, tail.class + 1);
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
        if let Some(chunk) = self.free_chunks.pop() {
            self.chunks[chunk as usize] = Rows::VACANT;
            return chunk;
        }
        if self.chunks.len() == self.chunks.capacity() {
            // All arrays grow: every chunk may be free at once.
            self.growths += 2;
            let more = self.chunks.len().max(4);
            self.chunks.reserve_exact(more);
            let total = self.chunks.len() + more;
            self.free_chunks
                .reserve_exact(total - self.free_chunks.len());
        }
        self.chunks.push(Rows::VACANT);
        if self.has_lasts {
            self.lasts.push([0; CHUNK]);
        }
        self.chunks.len() as u32 - 1
    }
}

/// Two different items.
fn pair<T>(items: &mut [T], places: [usize; 2]) -> [&mut T; 2] {
    items
        .get_disjoint_mut(places)
        .expect("two entries never share a chunk")
}
