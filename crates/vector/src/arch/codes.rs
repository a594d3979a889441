//! Kernels over codes: neighbourhoods of 1-bit codes, rows of bytes, and what makes both.
//!
//! ```text
//! codes of 32 neighbours, 4 dimensions a group, 16 bytes a group (the layout of FastScan):
//!   byte n of group g:  low half = the 4 sign bits of neighbour n, high half = of neighbour n + 16
//! table of a query, 16 bytes a group: the sum of the query's components for each of 16 subsets
//! ```
//!
//! One byte shuffle looks up sixteen neighbours at once. Source of the layout: Andre, Kermarrec,
//! Le Scouarnec, "Cache locality is not enough: high-performance nearest neighbor search with
//! product quantization fast scan" (VLDB 2015); of the codes: Gao and Long, "RaBitQ" (SIGMOD 2024);
//! of codes beside the links: Gou et al., "SymphonyQG" (SIGMOD 2025).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{EdgeSums, Kernels, Spread};

/// Bytes that come from memory together; what is made of lines starts at one.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Line(pub [u8; 64]);

/// Neighbours of one vertex, and codes of one block.
pub const BLOCK: usize = 32;

/// The greatest entry of a table. Four of them fit a byte, and those of 4,096 dimensions 16 bits; the
/// rounding to so few steps adds a thousandth to the error of an estimate.
pub const ENTRY_MAX: u8 = 63;

/// The codes of 32 neighbours with their factors, and where the estimate starts.
#[derive(Clone, Copy, Debug)]
pub struct Codes<'a> {
    /// `4 * dim` bytes, see the module's picture; `dim` is a multiple of 64.
    pub bytes: &'a [u8],
    /// What a neighbour adds, as half-precision bits.
    pub add: &'a [u16; BLOCK],
    /// What multiplies a neighbour's sum, as half-precision bits.
    pub mul: &'a [u16; BLOCK],
}

/// A query for the estimates: its table and the line that turns sums of entries into products.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// `4 * dim` bytes.
    pub bytes: &'a [u8],
    /// Estimate `n` is `base + add[n] + mul[n] * (slope * sum[n] + offset)`.
    pub slope: f32,
    /// See `slope`.
    pub offset: f32,
}

/// A query of 15-bit components, whole and as two planes of bytes: `wide = 128 * high + low`.
#[derive(Clone, Debug, Default)]
pub struct Planes {
    pub(super) wide: Vec<i16>,
    pub(super) high: Vec<i8>,
    pub(super) low: Vec<i8>,
    /// `128 * sum(wide)`: rows are bytes above 128, and the byte kernels multiply them as they lie.
    pub(super) excess: i64,
    /// `sum(high)`.
    high_sum: i64,
    /// `sum(low^2)`.
    low_squared: i64,
}

impl Planes {
    /// The greatest component.
    pub const MAX: i16 = 127 * 128;

    /// Takes `values / step`, each to the nearest whole number.
    ///
    /// # Panics
    /// When a quotient is beyond `MAX` or the number of values no multiple of 64.
    pub fn set(&mut self, kernels: &Kernels, values: &[f32], step: f32) {
        assert!(values.len().is_multiple_of(64), "whole lines");
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        self.wide.resize(values.len(), 0);
        self.high.resize(values.len(), 0);
        self.low.resize(values.len(), 0);
        let most = (kernels.codes.split)(values, inverse, self);
        assert!(most <= Self::MAX, "components of 15 bits");
        let low_sum = self.low.iter().map(|&low| i32::from(low)).sum::<i32>();
        let low_squared = self.low.iter().map(|&low| i32::from(low) * i32::from(low));
        self.low_squared = i64::from(low_squared.sum::<i32>());
        self.high_sum = i64::from(self.high.iter().map(|&high| i32::from(high)).sum::<i32>());
        self.excess = 128 * (128 * self.high_sum + i64::from(low_sum));
    }

    /// Twice the levels of a row of four bits a component (`2 nibble - 15`), as the high plane.
    ///
    /// # Panics
    /// When the row is not 32 bytes for each 64 components.
    #[must_use]
    pub fn of_nibbles(row: &[u8]) -> Self {
        assert!(row.len().is_multiple_of(32), "whole lines of components");
        let mut high = Vec::with_capacity(2 * row.len());
        for nibbles in row.chunks_exact(32) {
            high.extend(nibbles.iter().map(|n| 2 * (n & 15) as i8 - 15));
            high.extend(nibbles.iter().map(|n| 2 * (n >> 4) as i8 - 15));
        }
        let high_sum = i64::from(high.iter().map(|&high| i32::from(high)).sum::<i32>());
        Self {
            wide: high.iter().map(|&high| 128 * i16::from(high)).collect(),
            low: vec![0; high.len()],
            excess: 128 * 128 * high_sum,
            low_squared: 0,
            high,
            high_sum,
        }
    }

    /// The sum of the squares of what the high plane leaves out, in steps.
    #[must_use]
    pub fn low_squared(&self) -> f32 {
        self.low_squared as f32
    }

    /// Components.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.wide.len()
    }
}

/// Where estimates start, and which are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Range<'a> {
    /// The distance of the vertex itself.
    pub base: f32,
    /// Estimates below it are marked.
    pub bound: f32,
    /// Bytes that are needed next: a line of them is asked for with each line of codes, so that
    /// both the memory and the processor have something to do.
    pub ahead: &'a [u8],
}

type DotSigned = fn(&[i8], &Planes, &[i8]) -> i64;
type Edge = fn(&[u8], f32, &[u8], f32, &mut [u16]) -> EdgeSums;
type Estimate = fn(&Codes<'_>, &Table<'_>, &Range<'_>, &mut [f32; BLOCK]) -> u32;

/// The kernels over codes of one instruction set.
#[derive(Clone, Copy)]
pub(super) struct CodeKernels {
    pub(super) estimate: Estimate,
    pub(super) dot_planes: fn(&[u8], &Planes) -> i64,
    pub(super) dot_signed: DotSigned,
    pub(super) dot_rows: fn(&[u8], &[u8]) -> i32,
    pub(super) squares: fn(&[i8]) -> i32,
    /// The sum of `nibble * high`.
    pub(super) dot_nibbles: fn(&[u8], &Planes) -> i32,
    pub(super) edge: Edge,
    pub(super) at_most: fn(&[f32; BLOCK], f32) -> u32,
    pub(super) hadamard: fn(&mut [f32]),
    pub(super) lookup: fn(&[f32], f32, &mut [u8]),
    pub(super) split: fn(&[f32], f32, &mut Planes) -> i16,
    pub(super) spread: fn(&[f32]) -> Spread,
    pub(super) weigh: fn(&[u64], &[u64]) -> u32,
}

impl Kernels {
    /// Estimates of 32 neighbours at once: `base + add[n] + mul[n] * (slope * sum[n] + offset)`, with
    /// both products fused into their additions. Bit `n` of the answer is set where estimate `n` is
    /// below the bound.
    ///
    /// Entries are at most [`ENTRY_MAX`]: sums of those that are greater may be wrong.
    ///
    /// # Panics
    /// When codes and table differ in length, or the dimension is no multiple of 64.
    #[inline]
    pub fn estimate(
        &self,
        codes: &Codes<'_>,
        table: &Table<'_>,
        range: &Range<'_>,
        out: &mut [f32; BLOCK],
    ) -> u32 {
        assert_eq!(codes.bytes.len(), table.bytes.len(), "one dimension");
        assert!(codes.bytes.len().is_multiple_of(256), "fours of lines");
        (self.codes.estimate)(codes, table, range, out)
    }

    /// The sum of `(row - 128) * query`, exact.
    ///
    /// # Panics
    /// When the lengths differ.
    #[inline]
    #[must_use]
    pub fn dot_planes(&self, row: &[u8], query: &Planes) -> i64 {
        assert_eq!(row.len(), query.dim(), "vectors of one length");
        (self.codes.dot_planes)(row, query)
    }

    /// The sum of `row * query`, exact, while a row that is compared soon is on its way from memory. What
    /// the query has behind the row's length is left out.
    ///
    /// # Panics
    /// When the row is longer than the query or shorter by a line.
    #[inline]
    #[must_use]
    pub fn dot_signed(&self, row: &[i8], query: &Planes, ahead: &[i8]) -> i64 {
        assert_eq!(
            row.len().next_multiple_of(64),
            query.dim(),
            "a query in whole lines"
        );
        (self.codes.dot_signed)(row, query, ahead)
    }

    /// The sum of the squares of at most 4,096 components, exact.
    ///
    /// # Panics
    /// When there are more.
    #[inline]
    #[must_use]
    pub fn squares(&self, row: &[i8]) -> i32 {
        assert!(row.len() <= crate::DIM_MAX, "components whose squares fit");
        (self.codes.squares)(row)
    }

    /// The sum of `(a - 128) * (b - 128)`, exact.
    ///
    /// # Panics
    /// When the lengths differ or are no multiple of 64.
    #[inline]
    #[must_use]
    pub fn dot_rows(&self, a: &[u8], b: &[u8]) -> i32 {
        assert_eq!(a.len(), b.len(), "vectors of one length");
        assert!(a.len().is_multiple_of(64), "whole lines");
        (self.codes.dot_rows)(a, b)
    }

    /// Twice the sum of `(nibble - 7.5) * high`, exact: a row of four bits a component and the high
    /// plane of a query. In each 32 bytes of `row`, byte `i` holds component `i` in its low half and
    /// component `i + 32` in its high one.
    ///
    /// # Panics
    /// When the row is not half as long as the query.
    #[inline]
    #[must_use]
    pub fn dot_nibbles(&self, row: &[u8], query: &Planes) -> i64 {
        assert_eq!(2 * row.len(), query.dim(), "vectors of one length");
        2 * i64::from((self.codes.dot_nibbles)(row, query)) - 15 * query.high_sum
    }

    /// Signs and sums of `row - vertex`, each in bytes above 128 in steps of its own: bit `i % 16` of
    /// `signs[i / 16]` is set where the difference is not negative.
    ///
    /// # Panics
    /// When the lengths differ or `signs` has not one entry for 16 components.
    #[must_use]
    pub fn edge(
        &self,
        (vertex, vertex_step): (&[u8], f32),
        (row, row_step): (&[u8], f32),
        signs: &mut [u16],
    ) -> EdgeSums {
        assert_eq!(vertex.len(), row.len(), "vectors of one length");
        assert_eq!(signs.len() * 16, row.len(), "a sign a component");
        (self.codes.edge)(vertex, vertex_step, row, row_step, signs)
    }

    /// Bit `n` is set where value `n` is at most `limit`.
    #[inline]
    #[must_use]
    pub fn at_most(&self, values: &[f32; BLOCK], limit: f32) -> u32 {
        (self.codes.at_most)(values, limit)
    }

    /// The Hadamard transform in place, not scaled.
    ///
    /// # Panics
    /// When the length is no power of two.
    pub fn hadamard(&self, values: &mut [f32]) {
        assert!(values.len().is_power_of_two(), "a power of two");
        (self.codes.hadamard)(values);
    }

    /// What the codes of `values` need to know of all of them.
    ///
    /// # Panics
    /// When the length is no multiple of 64.
    #[must_use]
    pub fn spread(&self, values: &[f32]) -> Spread {
        assert!(values.len().is_multiple_of(64), "whole lines");
        (self.codes.spread)(values)
    }

    /// The sum of levels where bits are set: of each word of bits, `planes` has four words, bit `n` of
    /// a level in the `n`th.
    ///
    /// # Panics
    /// When there are not four planes a word.
    #[inline]
    #[must_use]
    pub fn weigh(&self, bits: &[u64], planes: &[u64]) -> u32 {
        assert_eq!(bits.len() * 4, planes.len(), "four planes a word");
        (self.codes.weigh)(bits, planes)
    }

    /// The table of `query` in steps of `1 / steps`, 16 bytes for each four components.
    ///
    /// # Panics
    /// When `table` is not four times as long or the length no multiple of four.
    pub fn lookup(&self, query: &[f32], steps: f32, table: &mut [u8]) {
        assert!(query.len().is_multiple_of(4), "whole groups");
        assert_eq!(query.len() * 4, table.len(), "sixteen entries a group");
        (self.codes.lookup)(query, steps, table);
    }
}

/// What is left of [`Kernels::estimate`] once the sums are known; one for all instruction sets that
/// have no better.
#[inline(always)]
pub(super) fn finish(
    sums: &[u32; BLOCK],
    codes: &Codes<'_>,
    table: &Table<'_>,
    range: &Range<'_>,
    out: &mut [f32; BLOCK],
) -> u32 {
    let mut below = 0;
    for n in 0..BLOCK {
        let product = (sums[n] as f32).mul_add(table.slope, table.offset);
        let add = range.base + super::portable::half(codes.add[n]);
        out[n] = super::portable::half(codes.mul[n]).mul_add(product, add);
        below |= u32::from(out[n] < range.bound) << n;
    }
    below
}
