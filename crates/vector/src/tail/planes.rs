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
    let (mut outer, mut outer_l1) = (0, 0.0);
    for ((values, first), second) in values
        .as_chunks::<16>()
        .0
        .iter()
        .zip(&*first)
        .zip(&mut *second)
    {
        let mut is_outer = 0;
        for (i, value) in values.iter().enumerate() {
            let passes = value.abs() >= outer_from;
            is_outer |= u16::from(passes) << i;
            outer_l1 += if passes { value.abs() } else { 0.0 };
        }
        outer += is_outer.count_ones();
        // Outwards the second sign is the first, inwards the other one.
        *second = !(first ^ is_outer);
    }
    let (lines, seconds) = codes.split_at_mut(codes.len() / PLANES);
    write_signs(lines, at, first);
    write_signs(seconds, at, second);
    Levels {
        product: l1 / 2.0 + outer_l1,
        squared: values.len() as f32 / 4.0 + 2.0 * outer as f32,
    }
}
