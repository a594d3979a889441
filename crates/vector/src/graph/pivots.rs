//! Where walks begin: a flat scan of the codes of some rows, relative to the centre.
//!
//! A share of `DENSITY / sqrt(slot)` of the slots are pivots, drawn by a hash of the slot, so there are
//! about `2 DENSITY sqrt(n)` of them whenever one asks, and none is ever chosen anew. They take the place of the
//! upper layers of HNSW: no structure to keep, and reading them is reading memory in order.

use zerocopy::IntoBytes;

use super::arena::Arena;
use crate::arch::{BLOCK, Codes, Kernels, Line, Range, Table};
use crate::code::{Factors, Query, write_signs};

/// See the module.
const DENSITY: f64 = 2.0;
/// Vertices that a walk begins with.
pub(super) const STARTS: usize = 4;

/// All pivots.
pub(super) struct Pivots {
    padded: usize,
    slots: Vec<u32>,
    add: Vec<[u16; BLOCK]>,
    mul: Vec<[u16; BLOCK]>,
    codes: Vec<Line>,
    signs: Vec<u16>,
}

impl Pivots {
    pub fn new(padded: usize) -> Self {
        Self {
            padded,
            slots: Vec::new(),
            add: Vec::new(),
            mul: Vec::new(),
            codes: Vec::new(),
            signs: vec![0; padded / 16],
        }
    }

    pub fn size_bytes(&self) -> usize {
        self.slots.len() * 4 + self.add.len() * BLOCK * 4 + self.codes.len() * 64
    }

    /// Whether the row at the slot becomes a pivot: it is drawn, or there is none yet.
    pub fn wants(&self, slot: u32) -> bool {
        (self.slots.is_empty() || is_drawn(slot)) && !self.has(slot)
    }

    /// Pivots that were written before.
    pub fn restored(kernels: &Kernels, slots: &[u32], arena: &Arena) -> Self {
        let mut pivots = Self::new(arena.padded());
        for &slot in slots {
            pivots.push(kernels, slot, arena);
        }
        pivots
    }

    /// All of them, in the order of the scan.
    pub fn slots(&self) -> &[u32] {
        &self.slots
    }

    /// Takes the row at the slot.
    pub fn push(&mut self, kernels: &Kernels, slot: u32, arena: &Arena) {
        if self.slots.len().is_multiple_of(BLOCK) {
            self.add.push([0; BLOCK]);
            self.mul.push([0; BLOCK]);
            let lines = self.codes.len() + self.padded / 16;
            self.codes.resize(lines, Line([0; 64]));
        }
        self.slots.push(slot);
        self.write(kernels, self.slots.len() - 1, arena);
    }

    /// Whether the slot is a pivot.
    pub fn has(&self, slot: u32) -> bool {
        self.slots.contains(&slot)
    }

    /// Gives the place of a pivot to `other`, or when there is none to the last pivot.
    pub fn replace(&mut self, kernels: &Kernels, slot: u32, other: Option<u32>, arena: &Arena) {
        let Some(at) = self.slots.iter().position(|&pivot| pivot == slot) else {
            return;
        };
        match other {
            Some(other) => self.slots[at] = other,
            None => {
                self.slots.swap_remove(at);
            }
        }
        if at < self.slots.len() {
            self.write(kernels, at, arena);
        }
        let blocks = self.slots.len().div_ceil(BLOCK);
        self.add.truncate(blocks);
        self.mul.truncate(blocks);
        self.codes.truncate(blocks * (self.padded / 16));
    }

    /// Writes the code of pivot `at`.
    fn write(&mut self, kernels: &Kernels, at: usize, arena: &Arena) {
        let (row, scale) = arena.width().widened(arena.row(self.slots[at]));
        // The centre is the vertex of all zeros.
        let sums = kernels.edge((&row, 0.0), (&row, scale.step), &mut self.signs);
        let factors = Factors::new(sums, self.padded);
        let (block, place) = (at / BLOCK, at % BLOCK);
        self.add[block][place] = factors.add;
        self.mul[block][place] = factors.mul;
        let lines = self.padded / 16;
        let codes = &mut self.codes[block * lines..(block + 1) * lines];
        write_signs(codes.as_mut_bytes(), place, &self.signs);
    }

    /// The pivots that seem nearest, nearest first, with their estimates.
    pub fn nearest(&self, kernels: &Kernels, query: &Query) -> impl Iterator<Item = (f32, u32)> {
        let mut best = [(f32::INFINITY, u32::MAX); STARTS];
        let (table, mut out): (Table<'_>, _) = (query.table(), [0.0; BLOCK]);
        let codes = self.codes.as_bytes().chunks_exact(self.padded * 4);
        for (block, (bytes, slots)) in codes.zip(self.slots.chunks(BLOCK)).enumerate() {
            let codes = Codes {
                bytes,
                add: &self.add[block],
                mul: &self.mul[block],
            };
            let range = Range {
                base: query.norm(),
                bound: best[STARTS - 1].0,
                ahead: &[],
            };
            let mut below = kernels.estimate(&codes, &table, &range, &mut out);
            while below != 0 {
                let n = below.trailing_zeros() as usize;
                below &= below - 1;
                if n < slots.len() && out[n] < best[STARTS - 1].0 {
                    best[STARTS - 1] = (out[n], slots[n]);
                    best.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                }
            }
        }
        best.into_iter().filter(|start| start.1 != u32::MAX)
    }
}

fn is_drawn(slot: u32) -> bool {
    let share = (DENSITY / f64::from(slot + 1).sqrt()).min(1.0);
    let hash = (u64::from(slot) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    ((hash >> 32) as f64) < share * 2f64.powi(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(
        miri,
        ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
    )]
    fn about_four_roots_of_pivots_the_first_among_them() {
        assert!(is_drawn(0));
        for n in [10_000u32, 60_000, 1_000_000] {
            let count = (0..n).filter(|&slot| is_drawn(slot)).count() as f64;
            let want = 2.0 * DENSITY * f64::from(n).sqrt();
            assert!((count / want - 1.0).abs() < 0.15, "{n}: {count} {want}");
        }
    }
}
