//! Codes of 32 rows, and what no row is nearer than.
//!
//! With `q` and `r` as the frame sees query and row, `s` the signs of `r`, `D` their number and
//! `x = sum |r_i| / (|r| sqrt(D))`, `<q, r>` is estimated as `f <q, s>` (see `code`). The error is
//! `f <q, w>` with `w = s - (sum |r_i| / |r|^2) r`, which is orthogonal to `r` and of length
//! `sqrt(D (1 - x^2))`. A random rotation turns `w` anywhere, so `<q, w>` is spread like a component
//! of a random vector: nearly normal, with a deviation of at most `|q| |w| / sqrt(D - 1)`. Source:
//! Gao and Long, "RaBitQ" (SIGMOD 2024), theorem 3.2.
//!
//! [`DEVIATIONS`] of them are taken off the estimate. The table of the query rounds each entry by at
//! most half a step, which is one more independent error; what factors and floats round is taken off
//! in full. `f sqrt(D)` is the factor that a row has anyway, and `sqrt(1 - x^2)` is so nearly the same
//! for all rows that one for 32 costs next to nothing: the bound needs no third factor of each row,
//! and the kernel for estimates gives bounds when it is handed another offset.

use zerocopy::IntoBytes;

use crate::arch::{BLOCK, Codes, Kernels, Line, Range, Table, half};
use crate::code::{Query, to_half, write_signs};

/// Standard deviations between an estimate and its bound: a normal error is greater once in ten
/// million.
const DEVIATIONS: f32 = 5.2;
/// Beyond it a row has no bound; a half holds little more.
const FACTOR_MAX: f32 = 60_000.0;

/// Up to 32 rows.
pub(super) struct Block {
    codes: Vec<Line>,
    /// `|r|^2`, rounded down.
    add: [u16; BLOCK],
    /// `f sqrt(D)`.
    mul: [u16; BLOCK],
    pub slots: [u32; BLOCK],
    /// The greatest `sqrt(1 - x^2)`.
    slant: f32,
    /// Not less than the greatest `|r|`.
    length: f32,
    /// Rows whose factors no half holds: they may be at any distance.
    unbounded: u32,
}

/// A query for bounds.
pub(super) struct Asked<'a> {
    table: Table<'a>,
    norm: f32,
    length: f32,
    /// Deviation of the product with a row of `slant` and factor 1.
    spread: f32,
    /// Variance of what the table rounds.
    rounded: f32,
    /// Error of the distance that is made from a score.
    score: f32,
}

impl<'a> Asked<'a> {
    /// `score` is the error of distances that are made from scores.
    pub fn new(query: &'a Query, score: f32) -> Self {
        let (table, length) = (query.table(), query.norm().sqrt());
        let dim = (table.bytes.len() / 4) as f32;
        Self {
            table,
            norm: query.norm(),
            length,
            spread: 2.0 * length / (dim - 1.0).sqrt(),
            // Within half a step of the truth, so of at most this variance in effect (Hoeffding's
            // lemma), in each of the groups of four.
            rounded: table.slope * table.slope * dim / 16.0,
            score,
        }
    }
}

impl Block {
    /// No rows, for `padded` components.
    pub fn empty(padded: usize) -> Self {
        Self {
            codes: vec![Line([0; 64]); padded / 16],
            add: [0; BLOCK],
            mul: [0; BLOCK],
            slots: [0; BLOCK],
            slant: 0.0,
            length: 0.0,
            unbounded: 0,
        }
    }

    /// The codes as they lie.
    pub fn codes(&self) -> &[u8] {
        self.codes.as_bytes()
    }

    /// Writes the row of `slot`, which the frame sees as `values`, at `place`.
    pub fn write(&mut self, kernels: &Kernels, place: usize, slot: u32, values: &[f32]) {
        let mut room = [0u16; crate::DIM_MAX / 16];
        let signs = &mut room[..values.len() / 16];
        let l1 = signs_of(values, signs);
        write_signs(self.codes.as_mut_bytes(), place, signs);
        self.slots[place] = slot;
        let (squared, dim) = (kernels.dot(values, values), values.len() as f32);
        let f = if l1 > 0.0 { squared / l1 } else { 0.0 };
        let mul = f * dim.sqrt();
        if !(squared <= FACTOR_MAX && mul <= FACTOR_MAX) {
            self.unbounded |= 1 << place;
            return;
        }
        (self.add[place], self.mul[place]) = (half_below(squared), to_half(mul));
        let share = if squared > 0.0 {
            l1 * l1 / (squared * dim)
        } else {
            1.0
        };
        // A little more than it is, for what the sums rounded.
        self.slant = self.slant.max((1.0 - share).max(0.0).sqrt() + 1e-3);
        self.length = self.length.max(squared.sqrt() * 1.001);
    }

    /// Writes the bounds of all places; bit `n` of the answer is set where bound `n` is below `limit`.
    pub fn bounds(
        &self,
        kernels: &Kernels,
        asked: &Asked<'_>,
        (limit, ahead): (f32, &[u8]),
        out: &mut [f32; BLOCK],
    ) -> u32 {
        let spread = asked.spread * self.slant;
        let deviation = (spread * spread + asked.rounded).sqrt();
        let reach = asked.length + self.length;
        // Floats are rounded by 2^-24 each time, factors by 2^-11 or 2^-25, whichever is more.
        let rounded = reach * reach / 262_144.0 + asked.length / 4_194_304.0 + asked.score;
        let range = Range {
            base: asked.norm - rounded,
            bound: limit,
            ahead,
        };
        if !range.base.is_finite() {
            out.fill(f32::NEG_INFINITY);
            return u32::MAX;
        }
        let table = Table {
            offset: asked.table.offset - DEVIATIONS * deviation - asked.length / 512.0,
            ..asked.table
        };
        let codes = Codes {
            bytes: self.codes(),
            add: &self.add,
            mul: &self.mul,
        };
        let below = kernels.estimate(&codes, &table, &range, out);
        let mut unbounded = self.unbounded;
        while unbounded != 0 {
            out[unbounded.trailing_zeros() as usize] = f32::NEG_INFINITY;
            unbounded &= unbounded - 1;
        }
        below | self.unbounded
    }
}

/// Writes the signs, bit `i % 16` of entry `i / 16` set where component `i` is not negative, and
/// returns the sum of the absolute values.
fn signs_of(values: &[f32], signs: &mut [u16]) -> f32 {
    let mut sums = [0.0f32; 16];
    for (values, bits) in values.as_chunks::<16>().0.iter().zip(signs) {
        *bits = 0;
        for (i, &value) in values.iter().enumerate() {
            *bits |= u16::from(value >= 0.0) << i;
            sums[i] += value.abs();
        }
    }
    sums.iter().sum()
}

/// The greatest half that is not greater than `value`, which is not negative.
fn half_below(value: f32) -> u16 {
    let bits = to_half(value);
    if half(bits) > value { bits - 1 } else { bits }
}
