//! Blocks of 32 rows as the estimates read them: codes, factors, slots, one behind the other.
//!
//! ```text
//! codes 4 D bytes | add 32 x half | mul 32 x half | slots 32 x u32        D: padded dimension
//! ```

use zerocopy::{FromBytes, IntoBytes};

use crate::arch::{BLOCK, Codes, Line, half};
use crate::code::{Factors, length_squared_about, read_signs, write_signs};

/// Bytes of one block.
pub(super) fn block_bytes(padded: usize) -> usize {
    4 * padded + 8 * BLOCK
}

/// One block.
pub(super) struct Block<'a> {
    pub codes: Codes<'a>,
    slots: &'a [u8],
}

impl<'a> Block<'a> {
    /// Nothing when the bytes are too few or lie at an odd address.
    #[inline(always)]
    pub fn of(bytes: &'a [u8], padded: usize) -> Option<Self> {
        let (codes, rest) = bytes.split_at_checked(4 * padded)?;
        let (add, rest) = rest.split_at_checked(2 * BLOCK)?;
        let (mul, slots) = rest.split_at_checked(2 * BLOCK)?;
        let codes = Codes {
            bytes: codes,
            add: FromBytes::ref_from_bytes(add).ok()?,
            mul: FromBytes::ref_from_bytes(mul).ok()?,
        };
        Some(Self { codes, slots })
    }

    /// The slot of row `n`.
    #[inline(always)]
    pub fn slot(&self, n: usize) -> u32 {
        let bytes = self.slots.get(4 * n..4 * n + 4);
        bytes.map_or(u32::MAX, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }
}

/// What a block keeps of a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    /// Bit `i % 16` of entry `i / 16` is set where component `i` of the residual is not negative.
    pub signs: Vec<u16>,
    pub factors: Factors,
}

/// Blocks that grow and shrink at the end.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    padded: usize,
    rows: usize,
    lines: Vec<Line>,
}

impl Blocks {
    pub fn new(padded: usize) -> Self {
        Self {
            padded,
            rows: 0,
            lines: Vec::new(),
        }
    }

    /// Blocks that were written before; behind the last row is whatever the bytes say.
    pub fn restored(padded: usize, rows: usize, bytes: &[u8]) -> Self {
        let mut lines = vec![Line([0; 64]); bytes.len() / 64];
        lines.as_mut_bytes().copy_from_slice(bytes);
        Self {
            padded,
            rows,
            lines,
        }
    }

    pub fn len(&self) -> usize {
        self.rows
    }

    pub fn bytes(&self) -> &[u8] {
        self.lines.as_bytes()
    }

    pub fn slots(&self) -> impl Iterator<Item = u32> {
        (0..self.rows).map(|at| self.slot(at))
    }

    pub fn slot(&self, at: usize) -> u32 {
        self.block(at).slot(at % BLOCK)
    }

    /// About the mean squared length of the rows' residuals; 0 of none.
    pub fn spread(&self) -> f32 {
        let squares = (0..self.rows).map(|at| self.block(at).codes.mul[at % BLOCK]);
        let sum: f32 = squares.map(|mul| length_squared_about(half(mul))).sum();
        sum / self.rows.max(1) as f32
    }

    /// Puts a row behind the others.
    pub fn push(&mut self, sketch: &Sketch, slot: u32) {
        if self.rows.is_multiple_of(BLOCK) {
            let lines = self.lines.len() + block_bytes(self.padded) / 64;
            self.lines.resize(lines, Line([0; 64]));
        }
        self.rows += 1;
        self.write(self.rows - 1, sketch, slot);
    }

    /// Puts the last row in the place of row `at`.
    pub fn swap_remove(&mut self, at: usize) {
        let last = self.rows - 1;
        if at != last {
            let (sketch, slot) = self.read(last);
            self.write(at, &sketch, slot);
        }
        self.rows = last;
        let size = block_bytes(self.padded) / 64;
        self.lines.truncate(last.div_ceil(BLOCK) * size);
    }

    pub fn write(&mut self, at: usize, sketch: &Sketch, slot: u32) {
        let (size, padded, n) = (block_bytes(self.padded), self.padded, at % BLOCK);
        let bytes = &mut self.lines.as_mut_bytes()[at / BLOCK * size..][..size];
        write_signs(&mut bytes[..4 * padded], n, &sketch.signs);
        let rest = &mut bytes[4 * padded..];
        rest[2 * n..2 * n + 2].copy_from_slice(&sketch.factors.add.to_ne_bytes());
        rest[2 * (BLOCK + n)..][..2].copy_from_slice(&sketch.factors.mul.to_ne_bytes());
        rest[4 * (BLOCK + n)..][..4].copy_from_slice(&slot.to_le_bytes());
    }

    /// Gives row `at` another slot.
    pub fn name(&mut self, at: usize, slot: u32) {
        let (sketch, _) = self.read(at);
        self.write(at, &sketch, slot);
    }

    fn read(&self, at: usize) -> (Sketch, u32) {
        let (block, n) = (self.block(at), at % BLOCK);
        let factors = Factors {
            add: block.codes.add[n],
            mul: block.codes.mul[n],
        };
        let signs = read_signs(block.codes.bytes, n);
        (Sketch { signs, factors }, block.slot(n))
    }

    fn block(&self, at: usize) -> Block<'_> {
        let size = block_bytes(self.padded);
        let bytes = &self.bytes()[at / BLOCK * size..][..size];
        Block::of(bytes, self.padded).expect("whole lines of one block")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases::{cases, most};

    proptest! {
        #![proptest_config(cases(256))]

        /// Against a plain vector.
        #[test]
        fn rows_come_and_go(steps in prop::collection::vec((any::<u16>(), any::<u8>()), 1..most(150, 40))) {
            let mut blocks = Blocks::new(64);
            let mut twin: Vec<(u16, u32)> = Vec::new();
            for (n, (word, choice)) in steps.into_iter().enumerate() {
                if choice % 3 == 0 && !twin.is_empty() {
                    let at = usize::from(choice) % twin.len();
                    twin.swap_remove(at);
                    blocks.swap_remove(at);
                } else {
                    let factors = Factors { add: word & 0x7bff, mul: word >> 2 };
                    blocks.push(&Sketch { signs: vec![word; 4], factors }, n as u32);
                    twin.push((word, n as u32));
                }
                prop_assert_eq!(blocks.len(), twin.len());
            }
            for (at, &(word, slot)) in twin.iter().enumerate() {
                let (sketch, found) = blocks.read(at);
                prop_assert_eq!((found, sketch.signs), (slot, vec![word; 4]));
                prop_assert_eq!(sketch.factors.mul, word >> 2);
            }
        }
    }
}
