//! Two bits a component, as two planes of signs: the level of a component is its first sign and half its
//! second, so one of -1.5, -0.5, 0.5 and 1.5.
//!
//! ```text
//! <q, level> = <q, first> + <q / 2, second> = <(q, q / 2), (first, second)>
//! ```
//!
//! To the kernels a row is thus one of twice as many components and one bit, and needs none of its own.

use crate::arch::{Kernels, Table};
use crate::code::{Query, signs_of, write_signs};

/// Planes of signs.
pub(super) const PLANES: usize = 2;
/// From this root mean square on a component is at an outer level (Max, "Quantizing for minimum distortion",
/// 1960).
const OUTER_FROM: f32 = 0.996;
/// Sums of more components would not fit 16 bits with entries as great as they may be ...
const DIM_FULL: usize = 2048;
/// ... and fit with these: 1,024 of them and as many of half their size.
const ENTRY_LESS: u8 = 42;

/// A query for sums over both planes.
#[derive(Clone, Debug, Default)]
pub(super) struct TwoPlanes {
    query: Query,
    values: Vec<f32>,
}

impl TwoPlanes {
    /// Takes the components of a rotated query.
    pub fn set(&mut self, kernels: &Kernels, values: &[f32]) {
        self.values.clear();
        self.values.extend_from_slice(values);
        self.values.extend(values.iter().map(|value| value / 2.0));
        let most_entry = if values.len() > DIM_FULL {
            ENTRY_LESS
        } else {
            u8::MAX
        };
        self.query.set_with(kernels, &self.values, most_entry);
    }

    /// The table; products of its sums are those of rows of `values.len()` components.
    pub fn table(&self) -> Table<'_> {
        let table = self.query.table();
        // A query takes its factors to be those of as many components as it has.
        let scale = (PLANES as f32).sqrt();
        Table {
            slope: table.slope * scale,
            offset: table.offset * scale,
            ..table
        }
    }
}

/// What the levels `o` say of the row `r` they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Levels {
    /// `<o, r>`.
    pub product: f32,
    /// `|o|^2`.
    pub squared: f32,
}

/// Writes both planes of a row, of that squared length, as row `at` of a block of codes.
///
/// # Panics
/// When `at` is not below 32 or there are not two lines for 16 components.
pub(super) fn write_planes(codes: &mut [u8], at: usize, values: &[f32], squared: f32) -> Levels {
    let outer_from = OUTER_FROM * (squared / values.len() as f32).sqrt();
    let mut room = [[0u16; crate::DIM_MAX / 16]; PLANES];
    let [first, second] = &mut room;
    let (first, second) = (
        &mut first[..values.len() / 16],
        &mut second[..values.len() / 16],
    );
    let l1 = signs_of(values, first);
    let (mut outer, mut sums) = (0, [0.0f32; 16]);
    let firsts = first.iter().zip(&mut *second);
    for (values, (first, second)) in values.as_chunks::<16>().0.iter().zip(firsts) {
        let mut is_outer = 0;
        for (i, &value) in values.iter().enumerate() {
            let passes = value.abs() >= outer_from;
            is_outer |= u16::from(passes) << i;
            sums[i] += if passes { value.abs() } else { 0.0 };
        }
        outer += is_outer.count_ones();
        // Outwards the second sign is the first, inwards the other one.
        *second = !(first ^ is_outer);
    }
    let (lines, seconds) = codes.split_at_mut(codes.len() / PLANES);
    write_signs(lines, at, first);
    write_signs(seconds, at, second);
    Levels {
        product: l1 / 2.0 + sums.iter().sum::<f32>(),
        squared: values.len() as f32 / 4.0 + 2.0 * outer as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{BLOCK, Codes, Range};
    use crate::code::{read_signs, to_half};
    use stdx::Rng;

    /// The level of each component, read back from both planes.
    fn levels(codes: &[u8], at: usize) -> Vec<f32> {
        let (first, second) = codes.split_at(codes.len() / PLANES);
        let sign =
            |signs: &[u16], i: usize| f32::from((signs[i / 16] >> (i % 16) & 1) as i8 * 2 - 1);
        let (first, second) = (read_signs(first, at), read_signs(second, at));
        let components = 0..first.len() * 16;
        components
            .map(|i| sign(&first, i) + sign(&second, i) / 2.0)
            .collect()
    }

    #[test]
    fn sums_over_both_planes_are_products_with_the_levels() {
        let mut rng = Rng::new(9);
        let mut normal =
            |dim: usize| -> Vec<f32> { (0..dim).map(|_| rng.normal() as f32).collect() };
        for dim in [64, 384, 2048, 2112, 4096] {
            let (kernels, query, row) = (Kernels::get(), normal(dim), normal(dim));
            let mut codes = vec![0; PLANES * dim * 4];
            let squared = kernels.dot(&row, &row);
            let said = write_planes(&mut codes, 7, &row, squared);
            let levels = levels(&codes, 7);
            assert!((kernels.dot(&levels, &row) - said.product).abs() < 1e-3 * said.product);
            assert_eq!(kernels.dot(&levels, &levels), said.squared);
            let mut planes = TwoPlanes::default();
            planes.set(kernels, &query);
            let range = Range {
                base: 0.0,
                bound: f32::INFINITY,
                ahead: &[],
            };
            let one = [to_half(1.0); BLOCK];
            let codes = Codes {
                bytes: &codes,
                add: &[0; BLOCK],
                mul: &one,
            };
            let mut out = [0.0; BLOCK];
            kernels.estimate(&codes, &planes.table(), &range, &mut out);
            let want = -2.0 * kernels.dot(&query, &levels) / (dim as f32).sqrt();
            // Each entry is rounded by half a step at most: by chance these add up to a few tenths.
            assert!((out[7] - want).abs() < 0.7, "{dim}: {} {want}", out[7]);
        }
    }
}
