//! All vectors, by slot, in blocks that never move: growth allocates and copies nothing old, and a whole block
//! may lie in a file.

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
}

#[derive(Clone)]
enum Block {
    /// The one that grows is held by nobody else.
    Own(Arc<Box<[f32]>>),
    /// Whole rows that start where floats may.
    Mapped(Bytes),
}

impl Block {
    #[inline]
    fn floats(&self) -> &[f32] {
        match self {
            Self::Own(floats) => floats,
            Self::Mapped(bytes) => {
                <[f32]>::ref_from_bytes(bytes).expect("checked when it was mapped")
            }
        }
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
        }
    }

    /// Rows that whole blocks of files have, and the rows behind them; `None` when a block is not whole.
    pub(crate) fn open(dim: usize, blocks: Vec<Bytes>, tail: &[f32]) -> Option<Self> {
        let mut arena = Self::new(dim);
        for bytes in blocks {
            let block = arena.mapped(bytes)?;
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
            self.blocks
                .push(Block::Own(Arc::new(zeros.into_boxed_slice())));
            self.own_blocks += 1;
        }
        let block = match self.blocks.last_mut() {
            Some(Block::Own(block)) => Arc::get_mut(block),
            _ => None,
        };
        let block = block.expect("the block that grows is our own, and only whole ones are shared");
        block[at * self.dim..(at + 1) * self.dim].copy_from_slice(row);
        self.count += 1;
    }

    /// The row at `slot`.
    #[inline]
    pub(crate) fn row(&self, slot: u32) -> &[f32] {
        let at = slot as usize % BLOCK_SLOTS * self.dim;
        &self.blocks[slot as usize / BLOCK_SLOTS].floats()[at..at + self.dim]
    }

    /// The rows of some slots of one block, as they lie.
    pub(crate) fn rows(&self, slots: std::ops::Range<u32>) -> &[u8] {
        if slots.is_empty() {
            return &[];
        }
        let from = slots.start as usize % BLOCK_SLOTS * self.dim;
        let block = self.blocks[slots.start as usize / BLOCK_SLOTS].floats();
        block[from..from + slots.len() * self.dim].as_bytes()
    }

    /// Puts a file's rows in the place of the same rows in memory, from block `at` on; blocks that are not whole
    /// are left. What was there before comes back, to be dropped where nobody waits.
    pub(crate) fn map(&mut self, at: usize, blocks: Vec<Bytes>) -> Vec<Arc<Box<[f32]>>> {
        let mut old = Vec::new();
        for (at, bytes) in (at..).zip(blocks) {
            if let Some(block) = self.mapped(bytes)
                && let Block::Own(floats) = std::mem::replace(&mut self.blocks[at], block)
            {
                self.own_blocks -= 1;
                old.push(floats);
            }
        }
        old
    }

    /// The rows of whole blocks, to be read without the arena: they never change.
    pub(crate) fn whole(&self) -> WholeRows {
        WholeRows {
            dim: self.dim,
            blocks: self.blocks[..self.count / BLOCK_SLOTS].to_vec(),
        }
    }

    /// Bytes of the rows in memory of our own.
    pub(crate) fn size_bytes(&self) -> u64 {
        let own = self.own_blocks * BLOCK_SLOTS;
        (self.count.min(own) * self.dim * 4) as u64
    }

    fn mapped(&mut self, bytes: Bytes) -> Option<Block> {
        if bytes.len() != BLOCK_SLOTS * self.dim * 4 {
            return None;
        }
        if let Ok(floats) = <[f32]>::ref_from_bytes(&bytes) {
            let _ = floats;
            return Some(Block::Mapped(bytes));
        }
        // Read, not mapped, to where floats may not lie.
        let floats = bytes.chunks_exact(4);
        let floats = floats.map(|b| f32::from_le_bytes(b.try_into().expect("four bytes")));
        self.own_blocks += 1;
        Some(Block::Own(Arc::new(floats.collect())))
    }
}

/// Rows of whole blocks.
pub(crate) struct WholeRows {
    dim: usize,
    blocks: Vec<Block>,
}

impl WholeRows {
    /// Slots below this one.
    pub(crate) fn count(&self) -> u32 {
        (self.blocks.len() * BLOCK_SLOTS) as u32
    }

    /// The row at `slot`.
    pub(crate) fn row(&self, slot: u32) -> &[f32] {
        let at = slot as usize % BLOCK_SLOTS * self.dim;
        &self.blocks[slot as usize / BLOCK_SLOTS].floats()[at..at + self.dim]
    }
}
