//! Codes of rows, 32 to a block and blocks behind each other in one piece of memory, and what no row is
//! nearer than.
//!
//! With `q` and `r` as the frame sees query and row, `D` the number of their components, `o` the levels that
//! two planes of signs give `r` (see `planes`) and `f = |r|^2 / <o, r>`, `<q, r>` is estimated as `f <q, o>`.
//! The error is `f <q, w>` with `w = o - (<o, r> / |r|^2) r`, which is orthogonal to `r` and of length
//! `sqrt(|o|^2 - <o, r>^2 / |r|^2)`. A random rotation turns `w` anywhere, so `<q, w>` is spread like a
//! component of a random vector: nearly normal, with a deviation of at most `|q| |w| / sqrt(D - 1)`. Source:
//! Gao and Long, "RaBitQ" (SIGMOD 2024), theorem 3.2, and Gao et al., "Practical and asymptotically optimal
//! quantization" (SIGMOD 2025), for more than one bit.
//!
//! [`DEVIATIONS`] of them are taken off the estimate. The table of the query rounds each entry by at
//! most half a step, which is one more independent error; what factors and floats round is taken off
//! in full. `f sqrt(D)` is the factor that a row has anyway, and `|w|` is so nearly the same
//! for all rows that one for 32 costs next to nothing: the bound needs no third factor of each row,
//! and the kernel for estimates gives bounds when it is handed another offset.

use zerocopy::{FromBytes, IntoBytes};

use crate::arch::{BLOCK, Codes, Kernels, Line, Range, Table, half, prefetch_lines};
use crate::code::{NibbleScale, Query, encode_nibbles, to_half};
use crate::graph::Frame;

use super::planes::{PLANES, TwoPlanes, write_planes};

/// Standard deviations between an estimate and its bound: a normal error is greater once in twenty
/// million, and there are two of them, of two bits and of four bits a component.
const DEVIATIONS: f32 = 5.35;
/// Vectors of fewer components have no directions to be turned to at random: their errors are taken for
/// the greatest there are.
const DIM_SPREAD: usize = 64;
/// Beyond it a row has no bound; a half holds little more.
const FACTOR_MAX: f32 = 60_000.0;

/// Blocks in one piece of memory, read from one end to the other.
pub(super) struct Piece {
    padded: usize,
    /// Of each block both planes of signs, then the factors: `|r|^2`, rounded down, and `f sqrt(D)`, as halves.
    codes: Vec<Line>,
    marks: Vec<Marks>,
    slots: Vec<u32>,
    /// Half a byte a component of each row, one row after the other.
    nibbles: Vec<Line>,
    scales: Vec<NibbleScale>,
}

/// What the rows of a block have in common.
#[derive(Clone, Copy, Default)]
struct Marks {
    /// The greatest `|w| / sqrt(D)`.
    slant: f32,
    /// Not less than the greatest `|r|`.
    length: f32,
    /// Rows whose factors no half holds: they may be at any distance.
    unbounded: u32,
}

/// Lines of the factors of a block.
const FACTOR_LINES: usize = 2;

/// A query for bounds.
pub(super) struct Asked<'a> {
    table: Table<'a>,
    query: &'a Query,
    norm: f32,
    length: f32,
    /// Square of the deviations to allow for of a component of a random vector of length 1.
    turned: f32,
    /// Square of those to allow for of the products with the table.
    rounded: f32,
    /// What seven bits leave out of the query, squared.
    left_out: f32,
    /// Error of the distance that is made from a score.
    score: f32,
}

impl<'a> Asked<'a> {
    /// A query that `frame` prepared, and its sums over both planes.
    pub fn new(query: &'a Query, planes: &'a TwoPlanes, frame: &Frame) -> Self {
        let (table, dim) = (planes.table(), frame.padded() as f32);
        let deviations = DEVIATIONS * DEVIATIONS;
        // What is rotated from few components is not turned anywhere, but may lie as it likes.
        let is_spread = frame.dim() >= DIM_SPREAD;
        Self {
            table,
            query,
            norm: query.norm(),
            length: query.norm().sqrt(),
            // Twice, as two such errors may add up.
            turned: if is_spread {
                deviations / (dim - 1.0)
            } else {
                2.0
            },
            // Within half a step of the truth, so of at most this variance in effect (Hoeffding's
            // lemma), in each of the groups of four of both planes.
            rounded: deviations * table.slope * table.slope * dim / 8.0,
            left_out: query.left_out(),
            score: frame.distance_error(),
        }
    }
}

impl Piece {
    /// No rows, for `padded` components, with room for `blocks`. Room that no row has come to costs no
    /// memory.
    pub fn with_room(padded: usize, blocks: usize) -> Self {
        let rows = blocks * BLOCK;
        Self {
            padded,
            codes: Vec::with_capacity(blocks * lines_of(padded)),
            marks: Vec::with_capacity(blocks),
            slots: Vec::with_capacity(rows),
            nibbles: Vec::with_capacity(rows * padded / 128),
            scales: Vec::with_capacity(rows),
        }
    }

    /// Blocks.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Bytes of all blocks.
    pub fn size_bytes(&self) -> usize {
        let lines = (self.codes.len() + self.nibbles.len()) * size_of::<Line>();
        let row = size_of::<NibbleScale>() + size_of::<u32>();
        lines + self.len() * size_of::<Marks>() + self.slots.len() * row
    }

    /// The slot of the row at `place` of the piece.
    #[inline]
    pub fn slot(&self, place: usize) -> u32 {
        self.slots[place]
    }

    /// Codes and factors of block `n` as they lie; nothing where there is no such block.
    pub fn codes(&self, n: usize) -> &[u8] {
        let lines = lines_of(self.padded);
        let block = self.codes.get(n * lines..(n + 1) * lines);
        block.unwrap_or_default().as_bytes()
    }

    /// Writes the row of `slot`, which the frame sees as `values`, at `place` of the piece, the first
    /// that has no row.
    pub fn write(&mut self, kernels: &Kernels, place: usize, slot: u32, values: &[f32]) {
        let (block, at) = (place / BLOCK, place % BLOCK);
        if at == 0 {
            self.grow();
        }
        let lines = lines_of(self.padded);
        let bytes = self.codes[block * lines..(block + 1) * lines].as_mut_bytes();
        let (codes, factors) = bytes.split_at_mut(bytes.len() - FACTOR_LINES * 64);
        let squared = kernels.dot(values, values);
        let levels = write_planes(codes, at, values, squared);
        self.slots[place] = slot;
        let marks = &mut self.marks[block];
        let dim = values.len() as f32;
        let f = if levels.product > 0.0 {
            squared / levels.product
        } else {
            0.0
        };
        let mul = f * dim.sqrt();
        if !(squared <= FACTOR_MAX && mul <= FACTOR_MAX) {
            marks.unbounded |= 1 << at;
            return;
        }
        let factors = [half_below(squared), to_half(mul)]
            .into_iter()
            .zip(factors.chunks_exact_mut(64));
        for (factor, line) in factors {
            line[2 * at..2 * at + 2].copy_from_slice(&factor.to_ne_bytes());
        }
        let bytes = values.len() / 2;
        let nibbles = &mut self.nibbles.as_mut_bytes()[place * bytes..(place + 1) * bytes];
        self.scales[place] = encode_nibbles(kernels, values, nibbles);
        let along = if squared > 0.0 {
            levels.product * levels.product / squared
        } else {
            levels.squared
        };
        // A little more than it is, for what the sums rounded.
        let slant = ((levels.squared - along) / dim).max(0.0).sqrt() + 1e-3;
        marks.slant = marks.slant.max(slant);
        marks.length = marks.length.max(squared.sqrt() * 1.001);
    }

    /// Adds a block without rows.
    fn grow(&mut self) {
        let (blocks, zero) = (self.len() + 1, Line([0; 64]));
        let rows = blocks * BLOCK;
        self.codes.resize(blocks * lines_of(self.padded), zero);
        self.marks.resize(blocks, Marks::default());
        self.slots.resize(rows, 0);
        self.nibbles.resize(rows * self.padded / 128, zero);
        self.scales.resize(rows, NibbleScale::default());
    }

    /// Writes the bounds of all places of block `n`; bit `i` of the answer is set where bound `i` is below
    /// `limit`. `ahead` is what is read next.
    pub fn bounds(
        &self,
        kernels: &Kernels,
        asked: &Asked<'_>,
        (n, limit, ahead): (usize, f32, &[u8]),
        out: &mut [f32; BLOCK],
    ) -> u32 {
        let marks = &self.marks[n];
        let range = Range {
            base: marks.base(asked),
            bound: limit,
            ahead,
        };
        let Some(codes) = self.factored(n).filter(|_| range.base.is_finite()) else {
            out.fill(f32::NEG_INFINITY);
            return u32::MAX;
        };
        let table = Table {
            offset: asked.table.offset - marks.margin(asked),
            ..asked.table
        };
        let below = kernels.estimate(&codes, &table, &range, out);
        let mut unbounded = marks.unbounded;
        while unbounded != 0 {
            out[unbounded.trailing_zeros() as usize] = f32::NEG_INFINITY;
            unbounded &= unbounded - 1;
        }
        below | marks.unbounded
    }

    /// Block `n` as the kernel takes it.
    #[inline]
    fn factored(&self, n: usize) -> Option<Codes<'_>> {
        let block = self.codes(n);
        let (bytes, factors) =
            block.split_at_checked(block.len().checked_sub(64 * FACTOR_LINES)?)?;
        let (add, mul) = factors.split_at_checked(64)?;
        Some(Codes {
            bytes,
            add: FromBytes::ref_from_bytes(add).ok()?,
            mul: FromBytes::ref_from_bytes(mul).ok()?,
        })
    }

    /// Asks for what [`closer`](Self::closer) needs.
    #[inline]
    pub fn prefetch(&self, place: usize) {
        prefetch_lines(self.nibbles(place));
        prefetch_lines(self.scales[place].as_bytes());
    }

    /// The bound of the row at `place` of the piece by four bits a component, if it does not pass `limit`.
    /// Here only what of the query is orthogonal to the row turns into error; of a query near the row that
    /// is little.
    #[inline]
    pub fn closer(
        &self,
        kernels: &Kernels,
        asked: &Asked<'_>,
        place: usize,
        limit: f32,
    ) -> Option<f32> {
        let marks = &self.marks[place / BLOCK];
        let base = marks.base(asked);
        if marks.unbounded >> (place % BLOCK) & 1 == 1 || !base.is_finite() {
            return Some(f32::NEG_INFINITY);
        }
        let scale = &self.scales[place];
        let product = Product {
            estimate: scale.mul * asked.query.levels_product(kernels, self.nibbles(place)),
            most: asked.norm * scale.squared,
            turned: asked.turned * (scale.growth - 1.0),
            rounded: asked.turned * asked.left_out * scale.squared * scale.growth,
        };
        let base = base + scale.squared;
        let may_pass = product.may_reach((base - limit) / 2.0);
        may_pass.then(|| base - 2.0 * product.greatest())
    }

    fn nibbles(&self, place: usize) -> &[u8] {
        let bytes = self.padded / 2;
        &self.nibbles.as_bytes()[place * bytes..(place + 1) * bytes]
    }
}

impl Marks {
    /// What is taken off an estimate for each unit of a row's factor.
    #[inline]
    fn margin(&self, asked: &Asked<'_>) -> f32 {
        let turned = 4.0 * asked.norm * asked.turned * self.slant * self.slant;
        (turned + asked.rounded).sqrt() + asked.length / 512.0
    }

    /// The squared length of the query less all that floats and factors round: a float by 2^-24 each
    /// time, a factor by 2^-11 or 2^-25, whichever is more.
    #[inline]
    fn base(&self, asked: &Asked<'_>) -> f32 {
        let reach = asked.length + self.length;
        let rounded = reach * reach / 262_144.0 + asked.length / 4_194_304.0 + asked.score;
        asked.norm - rounded
    }
}

/// Lines of the codes of a block with their factors.
const fn lines_of(padded: usize) -> usize {
    PLANES * padded / 16 + FACTOR_LINES
}

/// What is known of `<q, r>`.
struct Product {
    estimate: f32,
    /// `|q|^2 |r|^2`.
    most: f32,
    /// Square of the deviations to allow for, of a `q` of length 1 that is orthogonal to an `r` of
    /// length 1.
    turned: f32,
    /// The same for what rounding the query does.
    rounded: f32,
}

impl Product {
    /// Whether the truth may be as great as `p`. It would then be `p` less the estimate off, with a
    /// part of `q` orthogonal to `r` of which `sqrt(most - p^2)` is left.
    #[inline]
    fn may_reach(&self, p: f32) -> bool {
        let off = p - self.estimate;
        off <= 0.0 || off * off <= self.turned * (self.most - p * p).max(0.0) + self.rounded
    }

    /// The greatest that it may reach.
    #[inline]
    fn greatest(&self) -> f32 {
        let (limit, turned) = (self.most.sqrt(), self.turned);
        let e = self.estimate.clamp(-limit, limit);
        let squared = turned * (self.most * (1.0 + turned) - e * e) + self.rounded * (1.0 + turned);
        ((e + squared.max(0.0).sqrt()) / (1.0 + turned)).min(limit)
    }
}

/// The greatest half that is not greater than `value`, which is not negative.
fn half_below(value: f32) -> u16 {
    let bits = to_half(value);
    if half(bits) > value { bits - 1 } else { bits }
}
