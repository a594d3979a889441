//! All vectors, by slot, in blocks that never move: growth allocates and copies nothing old, and a whole block
//! may lie in a file, all of it or the rows that trimming left.

use std::sync::Arc;

use bytes::Bytes;
use zerocopy::{FromBytes, IntoBytes};

use super::BLOCK_SLOTS;

/// Rows of `dim` floats.
pub(crate) struct Arena {
    dim: usize,
    count: usize,
    blocks: Vec<Block>,
    own_blocks: usize,
    /// In the place of a row that was given back.
    zeros: Arc<[f32]>,
}

/// The rows of a block as a file has them.
pub(crate) struct BlockRows {
    /// One behind the other.
    pub rows: Bytes,
    /// One bit a slot: whose rows these are; `None` where they are all there.
    pub kept: Option<Bytes>,
}

#[derive(Clone)]
pub(crate) struct Block {
    floats: Floats,
    /// Where the row of each slot lies, or [`GONE`]; `None` where it lies at its slot.
    places: Option<Arc<[u16]>>,
    /// Rows.
    held: usize,
}

const GONE: u16 = u16::MAX;

#[derive(Clone)]
enum Floats {
    /// The one that grows is held by nobody else.
    Own(Arc<Box<[f32]>>),
    /// Whole rows that start where floats may.
    Mapped(Bytes),
}

impl Block {
    fn whole(floats: Floats) -> Self {
        Self {
            floats,
            places: None,
            held: BLOCK_SLOTS,
        }
    }

    #[inline]
    fn floats(&self) -> &[f32] {
        match &self.floats {
            Floats::Own(floats) => floats,
            Floats::Mapped(bytes) => {
                <[f32]>::ref_from_bytes(bytes).expect("checked when it was mapped")
            }
        }
    }

    fn has(&self, at: usize) -> bool {
        self.places.as_ref().is_none_or(|places| places[at] != GONE)
    }

    #[inline]
    fn row(&self, at: usize, dim: usize) -> Option<&[f32]> {
        let place = match &self.places {
            None => at,
            Some(places) if places[at] == GONE => return None,
            Some(places) => usize::from(places[at]),
        };
        Some(&self.floats()[place * dim..(place + 1) * dim])
    }
}

impl Arena {
    /// An empty arena.
    pub(crate) fn new(dim: usize) -> Self {
        Self {
            dim,
            count: 0,
            blocks: Vec::new(),
            own_blocks: 0,
            zeros: vec![0.0; dim].into(),
        }
    }

    /// Rows that whole blocks of files have, and the rows behind them; `None` when a block is not whole.
    pub(crate) fn open(dim: usize, blocks: Vec<BlockRows>, tail: &[f32]) -> Option<Self> {
        let mut arena = Self::new(dim);
        for rows in blocks {
            let block = arena.mapped(rows)?;
            arena.blocks.push(block);
            arena.count += BLOCK_SLOTS;
        }
        tail.chunks_exact(dim).for_each(|row| arena.push(row));
        Some(arena)
    }

    /// Floats of a row.
    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    /// Stores the row of the next slot.
    pub(crate) fn push(&mut self, row: &[f32]) {
        assert_eq!(row.len(), self.dim, "the door checks the length");
        let at = self.count % BLOCK_SLOTS;
        if at == 0 {
            // Zeroed memory is not touched before it is written, so a small collection stays small.
            let zeros = vec![0.0; BLOCK_SLOTS * self.dim];
            let floats = Floats::Own(Arc::new(zeros.into_boxed_slice()));
            self.blocks.push(Block::whole(floats));
            self.own_blocks += 1;
        }
        let block = match self.blocks.last_mut().map(|block| &mut block.floats) {
            Some(Floats::Own(block)) => Arc::get_mut(block),
            _ => None,
        };
        let block = block.expect("the block that grows is our own, and only whole ones are shared");
        block[at * self.dim..(at + 1) * self.dim].copy_from_slice(row);
        self.count += 1;
    }

    /// The row at `slot`; zeros of one that was given back.
    #[inline]
    pub(crate) fn row(&self, slot: u32) -> &[f32] {
        let block = &self.blocks[slot as usize / BLOCK_SLOTS];
        let row = block.row(slot as usize % BLOCK_SLOTS, self.dim);
        row.unwrap_or(&self.zeros)
    }

    /// Whether the row at `slot` was not given back.
    pub(crate) fn has(&self, slot: u32) -> bool {
        self.blocks[slot as usize / BLOCK_SLOTS].has(slot as usize % BLOCK_SLOTS)
    }

    /// Rows that some blocks have.
    pub(crate) fn held(&self, blocks: std::ops::Range<usize>) -> usize {
        self.blocks[blocks].iter().map(|block| block.held).sum()
    }

    /// Whether all rows that a file's block lacks are those of slots that are `gone`.
    pub(crate) fn lacks_only(at: usize, block: &BlockRows, gone: impl Fn(u32) -> bool) -> bool {
        let Some(kept) = &block.kept else {
            return true;
        };
        let first = (at * BLOCK_SLOTS) as u32;
        let bits = kept
            .iter()
            .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
        (first..)
            .zip(bits)
            .all(|(slot, is_kept)| is_kept || gone(slot))
    }

    /// The rows of some slots of one block that gave none back, as they lie.
    pub(crate) fn rows(&self, slots: std::ops::Range<u32>) -> &[u8] {
        if slots.is_empty() {
            return &[];
        }
        let from = slots.start as usize % BLOCK_SLOTS * self.dim;
        let block = self.blocks[slots.start as usize / BLOCK_SLOTS].floats();
        block[from..from + slots.len() * self.dim].as_bytes()
    }

    /// Puts a file's rows in the place of the same rows, from block `at` on; blocks that are not whole are left. What was
    /// there before comes back, to be dropped where nobody waits.
    pub(crate) fn map(&mut self, at: usize, blocks: Vec<BlockRows>) -> Vec<Block> {
        let mut old = Vec::new();
        for (at, rows) in (at..).zip(blocks) {
            if let Some(block) = self.mapped(rows) {
                let before = std::mem::replace(&mut self.blocks[at], block);
                self.own_blocks -= usize::from(matches!(before.floats, Floats::Own(_)));
                old.push(before);
            }
        }
        old
    }

    /// The rows of whole blocks, to be read without the arena: they never change.
    pub(crate) fn whole(&self) -> WholeRows {
        WholeRows {
            dim: self.dim,
            blocks: self.blocks[..self.count / BLOCK_SLOTS].to_vec(),
            zeros: Arc::clone(&self.zeros),
        }
    }

    /// Bytes of the rows in memory of our own.
    pub(crate) fn size_bytes(&self) -> u64 {
        let own = self.own_blocks * BLOCK_SLOTS;
        (self.count.min(own) * self.dim * 4) as u64
    }

    fn mapped(&mut self, block: BlockRows) -> Option<Block> {
        let BlockRows { rows, kept } = block;
        let places = match &kept {
            Some(kept) => Some(places(kept)?),
            None => None,
        };
        let held = places.as_ref().map_or(BLOCK_SLOTS, |places| {
            places.iter().filter(|&&place| place != GONE).count()
        });
        if rows.len() != held * self.dim * 4 {
            return None;
        }
        let floats = if <[f32]>::ref_from_bytes(&rows).is_ok() {
            Floats::Mapped(rows)
        } else {
            // Read, not mapped, to where floats may not lie.
            let floats = rows.chunks_exact(4);
            let floats = floats.map(|b| f32::from_le_bytes(b.try_into().expect("four bytes")));
            self.own_blocks += 1;
            Floats::Own(Arc::new(floats.collect()))
        };
        Some(Block {
            floats,
            places,
            held,
        })
    }
}

/// Where the row of each slot lies when only those with a bit are there; `None` when these are not the bits of a block.
fn places(kept: &[u8]) -> Option<Arc<[u16]>> {
    if kept.len() != BLOCK_SLOTS / 8 {
        return None;
    }
    let mut next = 0;
    let places = (0..BLOCK_SLOTS).map(|at| {
        if kept[at / 8] >> (at % 8) & 1 == 0 {
            return GONE;
        }
        next += 1;
        next - 1
    });
    Some(places.collect())
}

/// Rows of whole blocks.
pub(crate) struct WholeRows {
    dim: usize,
    blocks: Vec<Block>,
    zeros: Arc<[f32]>,
}

impl WholeRows {
    /// Slots below this one.
    pub(crate) fn count(&self) -> u32 {
        (self.blocks.len() * BLOCK_SLOTS) as u32
    }

    /// Whether the row at `slot` was not given back.
    pub(crate) fn has(&self, slot: u32) -> bool {
        self.blocks[slot as usize / BLOCK_SLOTS].has(slot as usize % BLOCK_SLOTS)
    }

    /// The row at `slot`; zeros of one that was given back.
    pub(crate) fn row(&self, slot: u32) -> &[f32] {
        let block = &self.blocks[slot as usize / BLOCK_SLOTS];
        let row = block.row(slot as usize % BLOCK_SLOTS, self.dim);
        row.unwrap_or(&self.zeros)
    }
}
