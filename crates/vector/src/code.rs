//! Vectors as codes: rows of one byte a component, and one bit a component of the way from a vertex
//! to its neighbour.
//!
//! A *row* is `step * (byte - 128)` for each component, with the step that uses all of the range.
//!
//! An *edge code* keeps the signs `s` of `r = x - v` (Gao and Long, "RaBitQ", SIGMOD 2024; relative
//! to the vertex as in Gou et al., "SymphonyQG", SIGMOD 2025). A search stands at `v`, knows the
//! distance `|q - v|^2` exactly and wants that of `x`:
//!
//! ```text
//! |q - x|^2 = |q - v|^2 + |r|^2 - 2 <q - v, r>
//! <q - v, r> is estimated as f * <q - v, s>   with  f = |r|^2 / <r, s> = |r|^2 / sum |r_i|
//!           = |q - v|^2 + (|r|^2 + 2 f <v, s>) - 2 f <q, s>
//!             base        add                    mul * (slope * sum + offset)
//! ```
//!
//! The estimate has no bias, and its error falls with the root of the dimension. `<q, s>` for 32
//! neighbours at once comes from a table of the query ([`Table`]): with `b` the bits of `s`,
//! `<q, s> = 2 <q, b> - sum q`, and `<q, b>` is looked up four dimensions at a time.

use zerocopy::{Immutable, IntoBytes};

use crate::arch::{ENTRY_MAX, EdgeSums, Kernels, Line, Planes, Spread, Table, nearest};

/// What scales a row of bytes and completes its distances.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowScale {
    /// Worth of one step of a byte; 0 of a row of zeros.
    pub step: f32,
    /// `|v|^2` of the row as its bytes say it, less what rounding to bytes added on average, so that
    /// distances come out without bias.
    pub norm: f32,
}

/// Writes `values` as bytes above 128.
///
/// # Panics
/// When the lengths differ.
pub fn encode_row(values: &[f32], bytes: &mut [u8]) -> RowScale {
    assert_eq!(values.len(), bytes.len(), "a byte a component");
    let most = values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
    let step = if inverse.is_finite() {
        most / 127.0
    } else {
        0.0
    };
    let inverse = if inverse.is_finite() { inverse } else { 0.0 };
    let (mut norm, mut error) = (0.0f64, 0.0f64);
    for (byte, &value) in bytes.iter_mut().zip(values) {
        let level = nearest(value * inverse);
        *byte = (level as i32 + 128) as u8;
        let said = f64::from(level) * f64::from(step);
        norm += said * said;
        error += (said - f64::from(value)) * (said - f64::from(value));
    }
    RowScale {
        step,
        norm: (norm - error).max(0.0) as f32,
    }
}

/// What a row of four bits a component says of the whole row `r`: `ô` are its levels (`nibble - 7.5`).
#[derive(Clone, Copy, Debug, Default, PartialEq, IntoBytes, Immutable)]
#[repr(C)]
pub struct NibbleScale {
    /// `|r|^2`.
    pub squared: f32,
    /// `|r|^2 / <ô, r>`, which makes `<q, ô>` an estimate of `<q, r>` without bias.
    pub mul: f32,
    /// `|ô|^2 |r|^2 / <ô, r>^2`, at least 1: by how much squared lengths grow on the way to the levels.
    pub growth: f32,
}

/// Writes `values` in four bits each, as [`Kernels::dot_nibbles`] wants them.
///
/// # Panics
/// When there are not 32 bytes for each 64 values.
pub fn encode_nibbles(kernels: &Kernels, values: &[f32], bytes: &mut [u8]) -> NibbleScale {
    assert!(values.len().is_multiple_of(64), "whole lines");
    assert_eq!(values.len(), 2 * bytes.len(), "half a byte a component");
    // Of sixteen even levels these lose least of a normal component (Max, "Quantizing for minimum
    // distortion", 1960).
    const STEP: f32 = 0.335;
    let squared = kernels.dot(values, values);
    let inverse = (values.len() as f32 / squared).sqrt() / STEP;
    let inverse = if inverse.is_finite() { inverse } else { 0.0 };
    let level = |value: f32| (value * inverse + 8.0).clamp(0.0, 15.0) as i32;
    let (mut products, mut lengths) = ([0.0f32; 32], [0i32; 32]);
    for (values, bytes) in values.chunks_exact(64).zip(bytes.chunks_exact_mut(32)) {
        let (low, high) = values.split_at(32);
        for i in 0..32 {
            let (a, b) = (level(low[i]), level(high[i]));
            bytes[i] = (a | b << 4) as u8;
            // Twice the levels, which are whole.
            let (a, b) = (2 * a - 15, 2 * b - 15);
            products[i] += a as f32 * low[i] + b as f32 * high[i];
            lengths[i] += a * a + b * b;
        }
    }
    let product = products.iter().sum::<f32>() / 2.0;
    let length = lengths.iter().sum::<i32>() as f32 / 4.0;
    if inverse == 0.0 || product <= 0.0 {
        return NibbleScale {
            squared,
            mul: 0.0,
            growth: 1.0,
        };
    }
    let mul = squared / product;
    NibbleScale {
        squared,
        mul,
        growth: (length * mul / product).max(1.0),
    }
}

/// The squared distance of two rows; never negative.
#[inline]
#[must_use]
pub fn row_distance(kernels: &Kernels, a: (&[u8], RowScale), b: (&[u8], RowScale)) -> f32 {
    let product = f64::from(kernels.dot_rows(a.0, b.0)) as f32 * (a.1.step * b.1.step);
    (a.1.norm + b.1.norm - 2.0 * product).max(0.0)
}

/// The two factors of an edge, as half-precision bits (see the module).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Factors {
    /// `|r|^2 + 2 f <v, s>`.
    pub add: u16,
    /// `f * sqrt(dim)`, which is about `1.25 |r|` and so within the range of a half.
    pub mul: u16,
}

impl Factors {
    /// Of the sums of an edge.
    #[must_use]
    pub fn new(sums: EdgeSums, dim: usize) -> Self {
        let f = if sums.l1 > 0.0 {
            sums.l2_squared / sums.l1
        } else {
            0.0
        };
        Self {
            add: to_half(sums.l2_squared + 2.0 * f * sums.signed_vertex),
            mul: to_half(f * (dim as f32).sqrt()),
        }
    }
}

/// About `|r|^2`, from the factor alone: the components of a rotated vector are spread like normal
/// ones, whose mean absolute value is `sqrt(2 / pi)` of the root mean square. Within a few percent.
#[inline]
#[must_use]
pub fn length_squared_about(mul: f32) -> f32 {
    mul * mul * std::f32::consts::FRAC_2_PI
}

/// Writes the signs, bit `i % 16` of entry `i / 16` set where component `i` is not negative, and
/// returns the sum of the absolute values.
#[must_use]
pub fn signs_of(values: &[f32], signs: &mut [u16]) -> f32 {
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

/// Writes the signs of an edge as neighbour `place` of a block of codes.
///
/// # Panics
/// When `place` is not below 32 or the codes are not a line for 16 signs.
pub fn write_signs(codes: &mut [u8], place: usize, signs: &[u16]) {
    assert!(place < 32, "a place of the block");
    assert_eq!(codes.len(), signs.len() * 64, "a line for 16 signs");
    let (byte, shift) = (place % 16, place / 16 * 4);
    let keep = !(15u8 << shift);
    for (line, &signs) in codes.chunks_exact_mut(64).zip(signs) {
        for group in 0..4 {
            let four = (signs >> (4 * group) & 15) as u8;
            let at = &mut line[16 * group + byte];
            *at = *at & keep | four << shift;
        }
    }
}

/// The signs of neighbour `place` of a block of codes.
#[must_use]
pub fn read_signs(codes: &[u8], place: usize) -> Vec<u16> {
    let (byte, shift) = (place % 16, place / 16 * 4);
    let four = |line: &[u8], group: usize| u16::from(line[16 * group + byte] >> shift & 15);
    let lines = codes.chunks_exact(64);
    lines
        .map(|line| (0..4).map(|group| four(line, group) << (4 * group)).sum())
        .collect()
}

/// A query as the kernels want it.
#[derive(Clone, Debug, Default)]
pub struct Query {
    planes: Planes,
    /// Worth of one step of the planes.
    step: f32,
    /// `|q|^2`.
    norm: f32,
    table: Vec<Line>,
    slope: f32,
    offset: f32,
}

impl Query {
    /// Takes the components of a rotated query, a multiple of 64 of them.
    pub fn set(&mut self, kernels: &Kernels, values: &[f32]) {
        self.set_with(kernels, values, u8::MAX);
    }

    /// As [`set`](Self::set), with a table whose entries are at most `most_entry`.
    pub fn set_with(&mut self, kernels: &Kernels, values: &[f32], most_entry: u8) {
        self.norm = kernels.dot(values, values);
        let spread = kernels.spread(values);
        // Below this a component has no place among normal numbers, and its inverse none at all.
        let has_range = spread.most > f32::MIN_POSITIVE * 65_536.0;
        let most = if has_range { spread.most } else { 0.0 };
        // A little less than all of the range: the quotient is rounded twice.
        self.step = most / (f32::from(Planes::MAX) - 1.0);
        self.planes.set(kernels, values, self.step);
        self.set_table(kernels, values, &spread, most_entry);
    }

    fn set_table(&mut self, kernels: &Kernels, values: &[f32], spread: &Spread, most_entry: u8) {
        let has_range = self.step > 0.0;
        let steps = if has_range {
            // Half a step is kept free, because entries are rounded.
            (f32::from(ENTRY_MAX.min(most_entry)) - 0.5) / spread.most_of_four
        } else {
            0.0
        };
        self.table.resize(values.len() / 16, Line([0; 64]));
        let bytes = self.table.as_mut_bytes();
        kernels.lookup(values, steps, bytes);
        // <q, s> = 2 (least + sum / steps) - total, times -2, and mul holds f * sqrt(dim).
        let scale = -2.0 / (values.len() as f32).sqrt();
        let worth = if steps > 0.0 { 1.0 / steps } else { 0.0 };
        self.slope = scale * 2.0 * worth;
        self.offset = scale * (2.0 * spread.negative - spread.total);
    }

    /// The table of the estimates.
    #[inline]
    #[must_use]
    pub fn table(&self) -> Table<'_> {
        Table {
            bytes: self.table.as_bytes(),
            slope: self.slope,
            offset: self.offset,
        }
    }

    /// The squared distance to a row; never negative.
    #[inline]
    #[must_use]
    pub fn distance(&self, kernels: &Kernels, row: &[u8], scale: RowScale) -> f32 {
        let product = kernels.dot_planes(row, &self.planes) as f32 * (self.step * scale.step);
        (self.norm + scale.norm - 2.0 * product).max(0.0)
    }

    /// The inner product with the levels of a row of four bits, of the query in seven bits.
    #[inline]
    #[must_use]
    pub fn levels_product(&self, kernels: &Kernels, nibbles: &[u8]) -> f32 {
        // Steps of the high plane are 128 of the query's, and the kernel gives twice the sum.
        kernels.dot_nibbles(nibbles, &self.planes) as f32 * (64.0 * self.step)
    }

    /// The squared length of what seven bits leave out of the query.
    #[must_use]
    pub fn left_out(&self) -> f32 {
        self.planes.low_squared() * self.step * self.step
    }

    /// The components in steps of [`step`](Self::step).
    #[inline]
    #[must_use]
    pub fn planes(&self) -> &Planes {
        &self.planes
    }

    /// Worth of one step of the planes.
    #[inline]
    #[must_use]
    pub fn step(&self) -> f32 {
        self.step
    }

    /// `|q|^2`.
    #[must_use]
    pub fn norm(&self) -> f32 {
        self.norm
    }
}

/// The nearest half-precision number, ties to even; beyond the greatest finite one that one, and
/// NaN is 0.
#[must_use]
pub fn to_half(value: f32) -> u16 {
    const MOST: f32 = 65_504.0;
    if value.is_nan() {
        return 0;
    }
    let sign = (value.to_bits() >> 16 & 0x8000) as u16;
    let magnitude = value.abs().min(MOST);
    // Powers of two as quotients: how `powi` rounds is not said.
    let smallest_normal = 1.0 / 16_384.0;
    let rest = if magnitude < smallest_normal {
        // Steps of 2^-24; 1,024 of them are the smallest normal number, whose bits follow on.
        (magnitude * 16_777_216.0).round_ties_even() as u16
    } else {
        let bits = magnitude.to_bits();
        let odd = bits >> 13 & 1;
        ((bits + 0xfff + odd - (112 << 23)) >> 13) as u16
    };
    sign | rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stdx::Rng;

    use super::*;
    use crate::arch::{Codes, Range};
    use crate::cases::cases;

    fn half(bits: u16) -> f32 {
        crate::arch::half(bits)
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn the_nearest_half(value in -70_000.0f32..70_000.0, shift in 0i32..30) {
            let value = value * 2f32.powi(-shift);
            let bits = to_half(value);
            let error = (half(bits) - value.clamp(-65_504.0, 65_504.0)).abs();
            for other in [bits.wrapping_sub(1), bits.wrapping_add(1)] {
                if other & 0x7c00 != 0x7c00 {
                    prop_assert!(error <= (half(other) - value).abs(), "{value} {bits:#x}");
                }
            }
        }

        #[test]
        fn every_half_is_its_own_nearest(bits in 0u16..0x7c00) {
            prop_assert_eq!(to_half(half(bits)), bits);
            prop_assert_eq!(to_half(half(bits | 0x8000)), bits | 0x8000);
        }
    }

    fn normal(rng: &mut Rng, dim: usize) -> Vec<f32> {
        (0..dim)
            .map(|_| rng.normal() as f32 / (dim as f32).sqrt())
            .collect()
    }

    fn squared(a: &[f32], b: &[f32]) -> f64 {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
            .sum()
    }

    #[test]
    fn signs_are_read_as_they_were_written() {
        let mut rng = Rng::new(2);
        let mut codes = vec![0; 6 * 64];
        let all: Vec<Vec<u16>> = (0..32)
            .map(|_| (0..6).map(|_| rng.next_u64() as u16).collect())
            .collect();
        for _ in 0..2 {
            for (place, signs) in all.iter().enumerate() {
                write_signs(&mut codes, place, signs);
            }
        }
        for (place, signs) in all.iter().enumerate() {
            assert_eq!(&read_signs(&codes, place), signs);
        }
    }

    #[test]
    fn rows_and_queries_keep_distances() {
        let (mut rng, kernels) = (Rng::new(5), Kernels::get());
        for dim in [64, 128, 384, 832] {
            let (a, b) = (normal(&mut rng, dim), normal(&mut rng, dim));
            let (mut bytes_a, mut bytes_b) = (vec![0; dim], vec![0; dim]);
            let scale_a = encode_row(&a, &mut bytes_a);
            let scale_b = encode_row(&b, &mut bytes_b);
            let want = squared(&a, &b);
            let rows = row_distance(kernels, (&bytes_a, scale_a), (&bytes_b, scale_b));
            assert!(
                (f64::from(rows) - want).abs() < 0.01 * want,
                "{dim}: {rows} {want}"
            );
            let mut query = Query::default();
            query.set(kernels, &b);
            let got = f64::from(query.distance(kernels, &bytes_a, scale_a));
            assert!((got - want).abs() < 0.01 * want, "{dim}: {got} {want}");
            let own = f64::from(query.distance(kernels, &bytes_b, scale_b));
            assert!(own < 0.001 * want, "{dim}: {own}");
        }
    }

    #[test]
    fn zeros_are_rows_and_queries_too() {
        let kernels = Kernels::get();
        for value in [0.0f32, f32::MIN_POSITIVE / 8.0] {
            let (values, mut bytes) = ([value; 64], [0; 64]);
            let scale = encode_row(&values, &mut bytes);
            let mut query = Query::default();
            query.set(kernels, &values);
            assert!(query.distance(kernels, &bytes, scale) < 1e-30);
            assert!(query.table().slope.is_finite() && query.table().offset.is_finite());
        }
    }

    /// Estimates against exact distances: no bias, and an error that falls with the dimension.
    #[test]
    #[cfg_attr(
        miri,
        ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
    )]
    fn estimates_have_no_bias() {
        let (mut rng, kernels) = (Rng::new(8), Kernels::get());
        for dim in [128, 384, 832, 2048] {
            let (mut sum, mut squares, mut count) = (0.0f64, 0.0f64, 0.0f64);
            for _ in 0..12 {
                let vertex = normal(&mut rng, dim);
                let mut vertex_bytes = vec![0; dim];
                let vertex_scale = encode_row(&vertex, &mut vertex_bytes);
                let mut codes = vec![0; dim * 4];
                let (mut add, mut mul) = ([0; 32], [0; 32]);
                let rows: Vec<Vec<f32>> = (0..32)
                    .map(|_| {
                        let step = normal(&mut rng, dim);
                        vertex.iter().zip(&step).map(|(v, s)| v + 0.5 * s).collect()
                    })
                    .collect();
                for (place, row) in rows.iter().enumerate() {
                    let mut bytes = vec![0; dim];
                    let scale = encode_row(row, &mut bytes);
                    let mut signs = vec![0; dim / 16];
                    let sums = kernels.edge(
                        (&vertex_bytes, vertex_scale.step),
                        (&bytes, scale.step),
                        &mut signs,
                    );
                    write_signs(&mut codes, place, &signs);
                    let factors = Factors::new(sums, dim);
                    (add[place], mul[place]) = (factors.add, factors.mul);
                    let about = length_squared_about(half(factors.mul));
                    assert!((about / sums.l2_squared - 1.0).abs() < 0.3, "{about}");
                }
                let values: Vec<f32> = vertex
                    .iter()
                    .map(|v| v + 0.7 * rng.normal() as f32 / (dim as f32).sqrt())
                    .collect();
                let mut query = Query::default();
                query.set(kernels, &values);
                let base = query.distance(kernels, &vertex_bytes, vertex_scale);
                let block = Codes {
                    bytes: &codes,
                    add: &add,
                    mul: &mul,
                };
                let mut out = [0.0; 32];
                let range = Range {
                    base,
                    bound: 0.0,
                    ahead: &[],
                };
                kernels.estimate(&block, &query.table(), &range, &mut out);
                for (estimate, row) in out.iter().zip(&rows) {
                    let error = f64::from(*estimate) - squared(&values, row);
                    (sum, squares, count) = (sum + error, squares + error * error, count + 1.0);
                }
            }
            // 2 |q - v| |r| sqrt(pi / 2 - 1) / sqrt(dim), with |q - v| = 0.7 and |r| = 0.5.
            let expected = 2.0 * 0.7 * 0.5 * 0.755 / (dim as f64).sqrt();
            let (mean, deviation) = (sum / count, (squares / count).sqrt());
            assert!(deviation < 1.2 * expected, "{dim}: {deviation} {expected}");
            assert!(mean.abs() < 0.3 * expected, "{dim}: {mean} {expected}");
        }
    }
}
