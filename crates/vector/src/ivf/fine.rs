//! Fine codes: the residual of a row in 4, 6 or 8 bits a component, in two halves.
//!
//! With `r = x - c` the way from the centroid to the row, the code `y` keeps `r / step` rounded to half
//! integers. As with one bit (Gao and Long, "RaBitQ", SIGMOD 2024; Gao et al., "Practical and asymptotically
//! optimal quantization", SIGMOD 2025) the product is scaled so that it has no bias:
//!
//! ```text
//! |q - x|^2 = |q - c|^2 + |r|^2 - 2 <q - c, r>,   <q - c, r> about f <q - c, y>,  f = |r|^2 / <r, y>
//!           = |q - c|^2 + (|r|^2 + 2 f <c, y>) - 2 f <q, y>
//!             base        add                    mul <q, y>
//! error of the estimate, one standard deviation: |q - c| * error,
//!             error = 2 |r| sqrt((1 / cos^2 - 1) / (D - 1)),  cos the one between r and y
//! ```
//!
//! The top four bits alone are such a code too, with factors of their own: most rows that one bit could
//! not decide are decided by them, and the rest of the bytes is not touched.
//!
//! ```text
//! add | mul | error | 0 (f32 each) | high D / 2 bytes || add | mul | 0 | 0 | low (bits - 4) D / 8 bytes
//! ```

use crate::arch::{Kernels, ListKernels, pack};
use crate::code::Query;

/// Bytes of factors before each half.
const FACTORS: usize = 16;

/// Where a row's fine code has what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FineShape {
    padded: usize,
    bits: usize,
}

impl FineShape {
    /// # Panics
    /// When the width is not 4, 6 or 8.
    pub fn new(padded: usize, bits: usize) -> Self {
        assert!(super::WIDTHS.contains(&bits), "a width of fine codes");
        Self { padded, bits }
    }

    pub fn bits(&self) -> usize {
        self.bits
    }

    /// Bytes of the first half.
    pub fn high_bytes(&self) -> usize {
        FACTORS + self.padded / 2
    }

    /// Bytes of a row.
    pub fn bytes(&self) -> usize {
        let low = (self.bits - 4) * self.padded / 8;
        self.high_bytes() + if low > 0 { FACTORS + low } else { 0 }
    }

    /// The least width that is as good as `bits`, which estimates from the first half alone.
    pub fn is_one_half(&self) -> bool {
        self.bits == 4
    }
}

/// A query for fine codes.
#[derive(Clone, Copy)]
pub(super) struct FineQuery<'q> {
    query: &'q Query,
    /// Half of the greatest code times the sum of the query, of the high and the whole code.
    middles: [f64; 2],
    kernels: ListKernels,
    shape: FineShape,
}

impl<'q> FineQuery<'q> {
    pub fn new(kernels: &Kernels, query: &'q Query, shape: FineShape) -> Self {
        let (wide, high) = query.planes().totals();
        let most = ((1u32 << shape.bits) - 1) as f64;
        Self {
            query,
            middles: [7.5 * high as f64, most / 2.0 * wide as f64],
            kernels: ListKernels::of(kernels),
            shape,
        }
    }

    /// The estimate from the first half of a row, and its error times `|q - c|`.
    #[inline(always)]
    pub fn rough(&self, row: &[u8]) -> (f32, f32) {
        let sum = self
            .kernels
            .dot_high(&row[FACTORS..self.shape.high_bytes()], self.query.planes());
        let product = (f64::from(sum) - self.middles[0]) as f32 * (128.0 * self.query.step());
        (float(row, 1).mul_add(product, float(row, 0)), float(row, 2))
    }

    /// The estimate from the whole row, less `|q - c|^2`.
    #[inline(always)]
    pub fn close(&self, row: &[u8]) -> f32 {
        let (high, rest) = row.split_at(self.shape.high_bytes());
        let (factors, low) = rest.split_at(FACTORS);
        let sum = self
            .kernels
            .dot_fine(&high[FACTORS..], low, self.query.planes());
        let product = (sum as f64 - self.middles[1]) as f32 * self.query.step();
        float(factors, 1).mul_add(product, float(factors, 0))
    }
}

#[inline(always)]
fn float(bytes: &[u8], at: usize) -> f32 {
    let b = &bytes[4 * at..4 * at + 4];
    f32::from_le_bytes([b[0], b[1], b[2], b[3]])
}

/// Memory to encode one row.
#[derive(Clone, Debug, Default)]
pub(super) struct FineScratch {
    codes: Vec<u8>,
    values: Vec<f32>,
}

/// Shares of the greatest component that the codes may span: few bits do better when they let the
/// largest components go.
fn spans(bits: usize) -> &'static [f32] {
    match bits {
        4 => &[1.0, 0.9, 0.8, 0.7, 0.6],
        6 => &[1.0, 0.9, 0.8],
        _ => &[1.0],
    }
}

/// Appends the fine code of the residual `way` of a row from its centroid.
pub(super) fn encode(
    kernels: &Kernels,
    shape: FineShape,
    way: &[f32],
    centroid: &[f32],
    scratch: &mut FineScratch,
    out: &mut Vec<u8>,
) {
    let most = way.iter().fold(
        0.0f32,
        |most, v| if v.abs() > most { v.abs() } else { most },
    );
    let length = kernels.dot(way, way);
    let levels = (1u32 << shape.bits) as f32;
    let mut best = (f32::NEG_INFINITY, 0.0);
    for &span in spans(shape.bits) {
        let inverse = inverse(most * span, levels);
        quantise(way, inverse, levels, scratch);
        let (product, norm) = products(kernels, way, scratch);
        let likeness = product * product / norm;
        if likeness > best.0 {
            best = (likeness, inverse);
        }
    }
    quantise(way, best.1, levels, scratch);
    let start = out.len();
    out.resize(start + shape.bytes(), 0);
    let (high, rest) = out[start..].split_at_mut(shape.high_bytes());
    let (factors, low) = rest.split_at_mut(if rest.is_empty() { 0 } else { FACTORS });
    pack(&scratch.codes, &mut high[FACTORS..], low);
    if !shape.is_one_half() {
        let whole = Factors::new(kernels, way, centroid, length, scratch);
        put(factors, &[whole.add, whole.mul]);
        let low_bits = shape.bits - 4;
        let values = scratch.values.iter_mut().zip(&scratch.codes);
        values.for_each(|(value, &code)| *value = f32::from(code >> low_bits) - 7.5);
    }
    let rough = Factors::new(kernels, way, centroid, length, scratch);
    put(high, &[rough.add, rough.mul, rough.error]);
}

/// Levels a unit, or 0 where there is nothing to tell apart.
fn inverse(most: f32, levels: f32) -> f32 {
    let inverse = levels / 2.0 / most;
    if inverse.is_finite() { inverse } else { 0.0 }
}

fn quantise(way: &[f32], inverse: f32, levels: f32, scratch: &mut FineScratch) {
    scratch.codes.clear();
    scratch.codes.extend(way.iter().map(|&value| {
        let level = (value * inverse + levels / 2.0).max(0.0).min(levels - 1.0);
        // Below 256 and not negative: the cast rounds down.
        level as i32 as u8
    }));
    let middle = (levels - 1.0) / 2.0;
    scratch.values.clear();
    let codes = scratch.codes.iter();
    scratch
        .values
        .extend(codes.map(|&code| f32::from(code) - middle));
}

/// `<r, y>` and `|y|^2`.
fn products(kernels: &Kernels, way: &[f32], scratch: &FineScratch) -> (f32, f32) {
    let y = &scratch.values;
    (kernels.dot(way, y), kernels.dot(y, y))
}

struct Factors {
    add: f32,
    mul: f32,
    error: f32,
}

impl Factors {
    /// Of the code that lies in the scratch.
    fn new(
        kernels: &Kernels,
        way: &[f32],
        centroid: &[f32],
        length: f32,
        scratch: &FineScratch,
    ) -> Self {
        let (product, norm) = products(kernels, way, scratch);
        let f = if product > 0.0 { length / product } else { 0.0 };
        // 1 / cos^2 - 1.
        let spread = if f > 0.0 {
            f * norm / product - 1.0
        } else {
            0.0
        };
        let dim = way.len() as f32;
        Self {
            add: length + 2.0 * f * kernels.dot(centroid, &scratch.values),
            mul: -2.0 * f,
            error: 2.0 * (length * spread.max(0.0) / (dim - 1.0)).sqrt(),
        }
    }
}

fn put(bytes: &mut [u8], values: &[f32]) {
    for (bytes, value) in bytes.chunks_exact_mut(4).zip(values) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use stdx::Rng;

    use super::*;

    fn normal(rng: &mut Rng, dim: usize, scale: f32) -> Vec<f32> {
        let root = (dim as f32).sqrt();
        (0..dim)
            .map(|_| rng.normal() as f32 * scale / root)
            .collect()
    }

    /// Both estimates against exact distances: no bias, and as far off as they say.
    #[test]
    fn estimates_are_as_good_as_they_say() {
        let (mut rng, kernels) = (Rng::new(3), Kernels::get());
        for (bits, want) in [(4, 0.06), (6, 0.015), (8, 0.005)] {
            for dim in [64, 384, 832] {
                let shape = FineShape::new(dim, bits);
                let (mut bias, mut spread, mut worst, mut close) = (0.0, 0.0, 0.0f32, 0.0f32);
                for _ in 0..60 {
                    let centroid = normal(&mut rng, dim, 1.0);
                    let way = normal(&mut rng, dim, 0.7);
                    let from = normal(&mut rng, dim, 0.8);
                    let row: Vec<f32> = centroid.iter().zip(&way).map(|(c, w)| c + w).collect();
                    let values: Vec<f32> = centroid.iter().zip(&from).map(|(c, w)| c + w).collect();
                    let mut code = Vec::new();
                    encode(
                        kernels,
                        shape,
                        &way,
                        &centroid,
                        &mut FineScratch::default(),
                        &mut code,
                    );
                    assert_eq!(code.len(), shape.bytes());
                    let mut query = Query::default();
                    query.set(kernels, &values);
                    let fine = FineQuery::new(kernels, &query, shape);
                    let base = kernels.l2_squared(&values, &centroid);
                    let exact = kernels.l2_squared(&values, &row);
                    let (rough, error) = fine.rough(&code);
                    let off = (base + rough - exact) / (error * base.sqrt());
                    bias += off / 60.0;
                    spread += off * off / 60.0;
                    worst = worst.max(off.abs());
                    let whole = if shape.is_one_half() {
                        rough
                    } else {
                        fine.close(&code)
                    };
                    close = close.max((base + whole - exact).abs());
                }
                assert!(
                    bias.abs() < 0.6 && worst < 5.0,
                    "{bits} {dim}: {bias} {worst}"
                );
                assert!((0.4..2.5).contains(&spread), "{bits} {dim}: {spread}");
                assert!(
                    close < want * (384.0 / dim as f32).sqrt().max(1.0),
                    "{bits} {dim}: {close}"
                );
            }
        }
    }

    #[test]
    fn a_row_at_its_centroid_is_there() {
        let (kernels, shape) = (Kernels::get(), FineShape::new(64, 8));
        let (centroid, mut code) = (vec![0.25; 64], Vec::new());
        encode(
            kernels,
            shape,
            &[0.0; 64],
            &centroid,
            &mut FineScratch::default(),
            &mut code,
        );
        let mut query = Query::default();
        query.set(kernels, &[0.5; 64]);
        let fine = FineQuery::new(kernels, &query, shape);
        assert_eq!((fine.rough(&code), fine.close(&code)), ((0.0, 0.0), 0.0));
    }
}
