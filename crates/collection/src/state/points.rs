//! Points by slot, without their vectors: whole blocks as a checkpoint's files have them, read when asked
//! for, and those behind them in memory.

use std::sync::Arc;

use bytes::Bytes;

use super::BLOCK_SLOTS;
use crate::Point;
use crate::codec::{read_point, write_point};

/// Points by slot.
#[derive(Default)]
pub(super) struct Points {
    blocks: Vec<Block>,
    /// Of the first slot in memory: those of `blocks` are whole.
    tail: Vec<Arc<Point>>,
}

/// Where each point ends, u64 each, and the points.
#[derive(Clone)]
pub(super) struct Block {
    ends: Bytes,
    points: Bytes,
}

impl Block {
    /// A block that a file has; `None` when the ends do not fit the points.
    pub fn open(ends: Bytes, points: Bytes) -> Option<Self> {
        let numbers = ends.chunks_exact(8).map(number);
        let fits = numbers.clone().next_back() == Some(points.len());
        (ends.len() == BLOCK_SLOTS * 8 && numbers.is_sorted() && fits)
            .then_some(Self { ends, points })
    }

    fn get(&self, at: usize) -> Arc<Point> {
        let end = |at: usize| number(&self.ends[at * 8..at * 8 + 8]);
        let bytes = &self.points[at.checked_sub(1).map_or(0, end)..end(at)];
        // None of a forgotten version whose bytes were given back. Else only bytes that changed after their checksum was made
        // are none; the watch over the files tells.
        Arc::new(read_point(bytes).unwrap_or_default())
    }
}

fn number(bytes: &[u8]) -> usize {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes")) as usize
}

impl Points {
    /// Whole blocks, and the points behind them.
    pub fn open(blocks: Vec<Block>, tail: Vec<Arc<Point>>) -> Self {
        Self { blocks, tail }
    }

    pub fn len(&self) -> usize {
        self.blocks.len() * BLOCK_SLOTS + self.tail.len()
    }

    pub fn push(&mut self, point: Arc<Point>) {
        self.tail.push(point);
    }

    /// The point at `slot`.
    ///
    /// # Panics
    /// When there is none.
    pub fn get(&self, slot: u32) -> Arc<Point> {
        let at = slot as usize;
        match self.blocks.get(at / BLOCK_SLOTS) {
            Some(block) => block.get(at % BLOCK_SLOTS),
            None => Arc::clone(&self.tail[at - self.blocks.len() * BLOCK_SLOTS]),
        }
    }

    /// Blocks that lie in files.
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// Puts blocks of a file in the place of others, from block `at` on; those come back.
    pub fn map_again(&mut self, at: usize, blocks: Vec<Block>) -> Vec<Block> {
        self.blocks.splice(at..at + blocks.len(), blocks).collect()
    }

    /// Puts the next blocks of a file in the place of the same points in memory, which come back.
    pub fn map(&mut self, blocks: Vec<Block>) -> Vec<Arc<Point>> {
        let rest = self.tail.split_off(blocks.len() * BLOCK_SLOTS);
        self.blocks.extend(blocks);
        std::mem::replace(&mut self.tail, rest)
    }
}

/// Points of those of some slots that are kept as bytes: where each ends, and all of them.
pub(super) fn freeze(
    points: &Points,
    slots: std::ops::Range<u32>,
    is_kept: impl Fn(u32) -> bool,
) -> (Vec<u8>, Vec<u8>) {
    let (mut ends, mut bytes) = (Vec::new(), Vec::new());
    for slot in slots {
        if is_kept(slot) {
            write_point(&points.get(slot), &mut bytes);
        }
        ends.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    }
    (ends, bytes)
}
