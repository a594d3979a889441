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

use crate::arch::{BLOCK, Codes, Kernels, Line, Range, Table, half, prefetch_lines};
use crate::code::{NibbleScale, Query, encode_nibbles, signs_of, to_half, write_signs};
use crate::graph::Frame;

/// Standard deviations between an estimate and its bound: a normal error is greater once in twenty
/// million, and there are two of them, of one bit and of four bits a component.
const DEVIATIONS: f32 = 5.35;
/// Vectors of fewer components have no directions to be turned to at random: their errors are taken for
/// the greatest there are.
const DIM_SPREAD: usize = 64;
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
    /// Half a byte a component of each row, one row after the other.
    nibbles: Vec<Line>,
    scales: [NibbleScale; BLOCK],
    /// Rows whose factors no half holds: they may be at any distance.
    unbounded: u32,
}

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
    /// A query that `frame` prepared.
    pub fn new(query: &'a Query, frame: &Frame) -> Self {
        let (table, dim) = (query.table(), frame.padded() as f32);
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
            // lemma), in each of the groups of four.
            rounded: deviations * table.slope * table.slope * dim / 16.0,
            left_out: query.left_out(),
            score: frame.distance_error(),
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
            nibbles: vec![Line([0; 64]); padded / 4],
            scales: [NibbleScale::default(); BLOCK],
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
        let bytes = values.len() / 2;
        let nibbles = &mut self.nibbles.as_mut_bytes()[place * bytes..(place + 1) * bytes];
        self.scales[place] = encode_nibbles(kernels, values, nibbles);
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
        let range = Range {
            base: self.base(asked),
            bound: limit,
            ahead,
        };
        if !range.base.is_finite() {
            out.fill(f32::NEG_INFINITY);
            return u32::MAX;
        }
        let table = Table {
            offset: asked.table.offset - self.margin(asked),
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

    /// Asks for what [`closer`](Self::closer) needs.
    #[inline]
    pub fn prefetch(&self, place: usize) {
        prefetch_lines(self.nibbles(place));
        prefetch_lines(self.scales[place].as_bytes());
    }

    /// The bound of the row at `place` by four bits a component, if it does not pass `limit`. Here only
    /// what of the query is orthogonal to the row turns into error; of a query near the row that is
    /// little.
    #[inline]
    pub fn closer(
        &self,
        kernels: &Kernels,
        asked: &Asked<'_>,
        place: usize,
        limit: f32,
    ) -> Option<f32> {
        let base = self.base(asked);
        if self.unbounded >> place & 1 == 1 || !base.is_finite() {
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
        let bytes = self.codes().len() / 8;
        &self.nibbles.as_bytes()[place * bytes..(place + 1) * bytes]
    }

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
