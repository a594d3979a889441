//! Flat search over codes: every visible row is estimated by one or four bits a component, and the ones
//! that seem nearest are candidates, to be taken as they are or ordered again by their whole rows.
//!
//! ```text
//! a block, 32 rows     one bit:   signs in the layout of FastScan, 4 D bytes | add, mul as halves
//!                      four bits: nibbles of one row after the other, 16 D   | add, mul as floats
//! |q - r|^2 - |q|^2  = add + mul * <q, code>          D: components of the frame, in whole lines
//! ```
//!
//! Row and query are seen as `frame` sees them: less a centre, rotated, in a unit that suits a sample. The
//! estimates have no bias (`code` says why); that of one bit is off by about `1.5 |q| |r| / sqrt(D)`, that
//! of four bits by a seventh of it. Blocks lie behind each other in large pieces and are read in one
//! direction, at the speed of memory.

use zerocopy::{FromBytes, IntoBytes};

use super::lowest::Lowest;
use super::{Hit, Scan, Scratch};
use crate::arch::{BLOCK, Codes, Kernels, Line, Range, Table, prefetch_lines};
use crate::code::{Query, encode_nibbles, signs_of, to_half, write_signs};
use crate::graph::{Frame, FrameScratch, distance};

/// Bits of a component's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// The sign: 52 bytes a row of 384 components. Wants some 20 candidates for each row asked for.
    One,
    /// One of sixteen levels: 200 bytes a row of 384 components. Wants two or three candidates.
    Four,
}

/// Bytes of a piece, but never less than a block: growing copies no row, and a large page fits.
const PIECE: usize = 4 << 20;
/// Bytes between the block that is read and what is asked for.
const AHEAD: usize = 1_536;
/// Beyond it a factor is kept apart; a half holds little more.
const HALF_MAX: f32 = 60_000.0;

/// Codes of rows; the rows themselves stay with the owner. The slot of a row is its number.
pub struct FlatCodes {
    frame: Frame,
    kernels: &'static Kernels,
    bits: Bits,
    count: usize,
    pieces: Vec<Vec<Line>>,
    /// Rows of one bit whose factors no half holds, in order of their slots.
    far: Vec<Far>,
    scratch: FrameScratch,
    signs: Vec<u16>,
}

/// A row with its factors in full.
struct Far {
    slot: u32,
    add: f32,
    mul: f32,
}

/// Memory that a thread keeps between searches.
#[derive(Clone, Debug, Default)]
pub struct CodesScratch {
    frame: FrameScratch,
    query: Query,
    lowest: Vec<u64>,
    rerank: Scratch,
}

impl FlatCodes {
    /// No rows, to be seen as `frame` sees them.
    #[must_use]
    pub fn new(frame: Frame, bits: Bits) -> Self {
        Self::with_kernels(frame, bits, Kernels::get())
    }

    fn with_kernels(frame: Frame, bits: Bits, kernels: &'static Kernels) -> Self {
        Self {
            frame,
            kernels,
            bits,
            count: 0,
            pieces: Vec::new(),
            far: Vec::new(),
            scratch: FrameScratch::default(),
            signs: Vec::new(),
        }
    }

    /// Rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes that a search reads: all codes with their factors.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.pieces().map(<[u8]>::len).sum()
    }

    /// The codes as they lie, in whole blocks: what a search reads, in the order in which it does.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| piece.as_bytes())
    }

    /// Takes a row behind all others; its slot is the number of rows before it. Under `Cosine` it has unit
    /// length.
    ///
    /// # Panics
    /// When the row has not the frame's dimension.
    pub fn push(&mut self, row: &[f32]) {
        let (slot, place) = (self.count as u32, self.count % BLOCK);
        let (lines, factors) = (self.block_bytes() / 64, self.factor_bytes());
        if place == 0 {
            self.grow(lines);
        }
        let values = self.frame.bring(self.kernels, row, &mut self.scratch);
        let Some(piece) = self.pieces.last_mut() else {
            return;
        };
        let start = piece.len() - lines;
        let block = piece[start..].as_mut_bytes();
        let at = block.len() - 2 * factors * BLOCK;
        let (codes, rest) = block.split_at_mut(at);
        let (add, mul) = rest.split_at_mut(factors * BLOCK);
        match self.bits {
            Bits::One => {
                let (signs, factors) = (&mut self.signs, halves(add, mul));
                let far = write_one(self.kernels, values, signs, (codes, place), factors);
                self.far
                    .extend(far.map(|(add, mul)| Far { slot, add, mul }));
            }
            Bits::Four => write_four(self.kernels, values, (codes, place), floats(add, mul)),
        }
        self.count += 1;
    }

    /// The `count` visible rows that seem nearest, nearest first, ties to the smaller slot; scores are
    /// estimates. A row too long for its square to be a float comes first. Under `Cosine` the query has
    /// unit length.
    ///
    /// # Panics
    /// When the query has not the frame's dimension.
    #[must_use]
    pub fn candidates(
        &self,
        query: &[f32],
        count: usize,
        visible: impl Fn(u32) -> bool,
        scratch: &mut CodesScratch,
    ) -> Vec<Hit> {
        let (prepared, frame) = (&mut scratch.query, &mut scratch.frame);
        let stretch = self.frame.query(self.kernels, query, prepared, frame);
        let base = scratch.query.norm();
        self.estimate(count, visible, scratch);
        let hits = scratch.lowest.iter().map(|&found| Hit {
            slot: found as u32,
            score: self
                .frame
                .score(base + distance((found >> 32) as u32), stretch),
        });
        hits.collect()
    }

    /// The `k` nearest by their whole rows of the `depth` candidates, nearest first: what the exact scan
    /// says of those rows, bit for bit. `row` gives the whole row of a slot.
    ///
    /// # Panics
    /// When the query or a row has not the frame's dimension.
    #[must_use]
    pub fn search<'r>(
        &self,
        query: &[f32],
        (k, depth): (usize, usize),
        visible: impl Fn(u32) -> bool,
        row: impl Fn(u32) -> &'r [f32],
        scratch: &mut CodesScratch,
    ) -> Vec<Hit> {
        let (prepared, frame) = (&mut scratch.query, &mut scratch.frame);
        let _stretch = self.frame.query(self.kernels, query, prepared, frame);
        self.estimate(depth.max(k), visible, scratch);
        let mut scan = Scan::new(self.frame.metric(), query, k, &mut scratch.rerank);
        scan.slots(scratch.lowest.iter().map(|&found| found as u32), row);
        scan.finish()
    }

    /// Leaves the `count` lowest estimates in the scratch, in order.
    fn estimate(&self, count: usize, visible: impl Fn(u32) -> bool, scratch: &mut CodesScratch) {
        let (query, entries) = (&scratch.query, &mut scratch.lowest);
        if count == 0 || self.count == 0 {
            entries.clear();
            return;
        }
        let mut lowest = Lowest::new(entries, count.min(self.count));
        match self.bits {
            Bits::One => self.scan_one(query, &visible, &mut lowest),
            Bits::Four => self.scan_four(query, &visible, &mut lowest),
        }
        lowest.finish();
        entries.sort_unstable();
    }

    fn scan_one(&self, query: &Query, visible: &impl Fn(u32) -> bool, lowest: &mut Lowest<'_>) {
        let (table, mut out) = (query.table(), [0.0; BLOCK]);
        self.each_block(|first, block, ahead| {
            let range = Range {
                base: 0.0,
                bound: lowest.limit,
                ahead,
            };
            let Some(codes) = self.codes(block) else {
                return;
            };
            let mut below = self.kernels.estimate(&codes, &table, &range, &mut out);
            while below != 0 {
                let at = below.trailing_zeros();
                below &= below - 1;
                let (slot, estimate) = (first + at, out[at as usize]);
                if (slot as usize) < self.count
                    && estimate < lowest.limit
                    && !self.is_far(slot)
                    && visible(slot)
                {
                    lowest.push(estimate, slot);
                }
            }
        });
        self.scan_far(&table, visible, lowest);
    }

    fn is_far(&self, slot: u32) -> bool {
        !self.far.is_empty() && self.far.binary_search_by_key(&slot, |far| far.slot).is_ok()
    }

    /// Rows with factors of their own: the products of a block at a time, with factors that say no more.
    fn scan_far(&self, table: &Table<'_>, visible: &impl Fn(u32) -> bool, lowest: &mut Lowest<'_>) {
        const ONE: u16 = 0x3c00;
        let (mut products, mut known) = ([0.0; BLOCK], None);
        let range = Range {
            base: 0.0,
            bound: 0.0,
            ahead: &[],
        };
        for far in self.far.iter().filter(|far| visible(far.slot)) {
            let block = far.slot as usize / BLOCK;
            if known != Some(block)
                && let Some(codes) = self.codes(self.block(block))
            {
                let codes = Codes {
                    bytes: codes.bytes,
                    add: &[0; BLOCK],
                    mul: &[ONE; BLOCK],
                };
                let _below = self.kernels.estimate(&codes, table, &range, &mut products);
                known = Some(block);
            }
            let product = products[far.slot as usize % BLOCK];
            offer(lowest, far.mul.mul_add(product, far.add), far.slot);
        }
    }

    fn scan_four(&self, query: &Query, visible: &impl Fn(u32) -> bool, lowest: &mut Lowest<'_>) {
        let bytes = self.frame.padded() / 2;
        self.each_block(|first, block, ahead| {
            let (nibbles, factors) = block.split_at(bytes * BLOCK);
            let (add, mul) = factors.split_at(factors.len() / 2);
            let (Ok(add), Ok(mul)) = (
                <[f32; BLOCK]>::ref_from_bytes(add),
                <[f32; BLOCK]>::ref_from_bytes(mul),
            ) else {
                return;
            };
            let rows = nibbles.chunks_exact(bytes).zip(add.iter().zip(mul));
            let left = self.count - first as usize;
            for (n, (row, (&add, &mul))) in rows.enumerate().take(left) {
                let coming = ahead.get(n * bytes..(n + 1) * bytes);
                prefetch_lines(coming.unwrap_or_default());
                let product = query.levels_product(self.kernels, row);
                let (estimate, slot) = (mul.mul_add(product, add), first + n as u32);
                if (estimate < lowest.limit || estimate.is_nan()) && visible(slot) {
                    offer(lowest, estimate, slot);
                }
            }
        });
    }

    /// Calls `work` with the first slot of each block, the block, and what is to be asked for meanwhile.
    fn each_block(&self, mut work: impl FnMut(u32, &[u8], &[u8])) {
        let bytes = self.block_bytes();
        let ahead = AHEAD.div_ceil(bytes) * bytes;
        let mut first = 0;
        for (n, piece) in self.pieces.iter().enumerate() {
            let (piece, next) = (piece.as_bytes(), self.pieces.get(n + 1));
            for at in (0..piece.len()).step_by(bytes) {
                let coming = piece.get(at + ahead..at + ahead + bytes);
                let coming = coming.or_else(|| next?.as_bytes().get(..bytes));
                work(first, &piece[at..at + bytes], coming.unwrap_or_default());
                first += BLOCK as u32;
            }
        }
    }

    /// A block of rows of one bit.
    fn codes<'a>(&self, block: &'a [u8]) -> Option<Codes<'a>> {
        let (bytes, factors) = block.split_at_checked(4 * self.frame.padded())?;
        let (add, mul) = factors.split_at_checked(2 * BLOCK)?;
        Some(Codes {
            bytes,
            add: FromBytes::ref_from_bytes(add).ok()?,
            mul: FromBytes::ref_from_bytes(mul).ok()?,
        })
    }

    fn block(&self, number: usize) -> &[u8] {
        let (bytes, blocks) = (self.block_bytes(), self.piece_blocks());
        let at = number % blocks * bytes;
        &self.pieces[number / blocks].as_bytes()[at..at + bytes]
    }

    fn grow(&mut self, lines: usize) {
        let blocks = self.piece_blocks();
        if (self.count / BLOCK).is_multiple_of(blocks) {
            self.pieces.push(Vec::with_capacity(blocks * lines));
        }
        if let Some(piece) = self.pieces.last_mut() {
            piece.resize(piece.len() + lines, Line([0; 64]));
        }
    }

    fn piece_blocks(&self) -> usize {
        (PIECE / self.block_bytes()).max(1)
    }

    /// Bytes of one factor.
    fn factor_bytes(&self) -> usize {
        match self.bits {
            Bits::One => 2,
            Bits::Four => 4,
        }
    }

    /// Bytes of a block, whole lines.
    fn block_bytes(&self) -> usize {
        let codes = match self.bits {
            Bits::One => BLOCK / 8 * self.frame.padded(),
            Bits::Four => BLOCK / 2 * self.frame.padded(),
        };
        codes + 2 * BLOCK * self.factor_bytes()
    }
}

/// Pushes an estimate below the limit; what is no number is as near as can be.
fn offer(lowest: &mut Lowest<'_>, estimate: f32, slot: u32) {
    let estimate = if estimate.is_finite() {
        estimate
    } else {
        f32::NEG_INFINITY
    };
    if estimate < lowest.limit {
        lowest.push(estimate, slot);
    }
}

/// Both factors of 32 rows, as they are written.
type Pair<'a, T> = [&'a mut [T]; 2];

fn halves<'a>(add: &'a mut [u8], mul: &'a mut [u8]) -> Pair<'a, u16> {
    [add, mul].map(|bytes| FromBytes::mut_from_bytes(bytes).unwrap_or_default())
}

fn floats<'a>(add: &'a mut [u8], mul: &'a mut [u8]) -> Pair<'a, f32> {
    [add, mul].map(|bytes| FromBytes::mut_from_bytes(bytes).unwrap_or_default())
}

/// Writes a row of one bit; gives its factors where halves do not hold them.
fn write_one(
    kernels: &Kernels,
    values: &[f32],
    signs: &mut Vec<u16>,
    (codes, place): (&mut [u8], usize),
    [add, mul]: Pair<'_, u16>,
) -> Option<(f32, f32)> {
    signs.resize(values.len() / 16, 0);
    let l1 = signs_of(values, signs);
    write_signs(codes, place, signs);
    let (squared, dim) = (kernels.dot(values, values), values.len() as f32);
    let factor = if l1 > 0.0 { squared / l1 } else { 0.0 };
    let scaled = factor * dim.sqrt();
    let is_near = squared <= HALF_MAX && scaled <= HALF_MAX;
    (add[place], mul[place]) = if is_near {
        (to_half(squared), to_half(scaled))
    } else {
        (to_half(HALF_MAX), 0)
    };
    (!is_near).then_some((squared, scaled))
}

/// Writes a row of four bits. What is too long for floats has no numbers as factors.
fn write_four(
    kernels: &Kernels,
    values: &[f32],
    (codes, place): (&mut [u8], usize),
    [add, mul]: Pair<'_, f32>,
) {
    let bytes = values.len() / 2;
    let nibbles = &mut codes[place * bytes..(place + 1) * bytes];
    let scale = encode_nibbles(kernels, values, nibbles);
    (add[place], mul[place]) = if scale.squared.is_finite() && scale.mul.is_finite() {
        (scale.squared, -2.0 * scale.mul)
    } else {
        (f32::NAN, 0.0)
    };
}

#[cfg(test)]
mod tests;
