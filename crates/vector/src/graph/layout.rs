//! What a slot holds: a row in eight or four bits a component, and the codes of its neighbours or none.
//!
//! ```text
//! wide     [ header | row, 8 bits | ids | factors and codes of all neighbours ]    a visit estimates 32 at once
//! compact  [ header | row, 4 or 8 bits | ids ]                      a visit reads the rows of all neighbours
//! ```
//!
//! A compact slot is a sixth of a wide one, and its walks take a few times as long. Four bits are levels of
//! normal components ([`encode_nibbles`]): `step * (nibble - 7.5)`, with the step that leaves products without bias.

use std::borrow::Cow;

use super::tuning::Ranks;
use super::{Frame, Settings};
use crate::arch::{Kernels, Planes};
use crate::code::{Query, RowScale, encode_nibbles, encode_row, row_distance};

/// What a slot holds of its vertex.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// A row in bytes, and codes beside the links: the fastest.
    #[default]
    Wide,
    /// A row and links alone: the smallest.
    Compact(Width),
}

/// Bits of a component of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Half a byte.
    Four,
    /// A byte.
    Eight,
}

/// Rows that are ordered again for each that is asked for, at most, before wider rows are better.
const DEPTH_FACTOR: u32 = 4;
/// Nearest rows that a depth is measured for.
const K: u32 = 10;

impl Layout {
    /// The compact layout with the narrowest rows that reach `target` when at most four times the rows
    /// asked for are ordered again, measured on `sample` (`[n, dim]`, row-major).
    ///
    /// # Panics
    /// When the sample is not whole rows.
    #[must_use]
    pub fn compact(frame: &Frame, sample: &[f32], target: f32) -> Self {
        let four = Self::Compact(Width::Four);
        let settings = Settings {
            layout: four,
            ..Settings::default()
        };
        let tuning = Ranks::of_sample(frame, settings, sample).tuning(target, 0);
        if tuning.recall >= target && tuning.depth <= DEPTH_FACTOR * K {
            four
        } else {
            Self::Compact(Width::Eight)
        }
    }

    /// How rows are kept.
    #[must_use]
    pub fn width(self) -> Width {
        match self {
            Self::Wide => Width::Eight,
            Self::Compact(width) => width,
        }
    }

    /// Whether codes of the neighbours lie beside the links.
    #[inline(always)]
    pub(super) fn is_coded(self) -> bool {
        self == Self::Wide
    }
}

/// A row of an arena.
pub(super) type Row<'a> = (&'a [u8], RowScale);

/// A row that others are compared with.
pub(super) enum Own<'a> {
    Bytes(Row<'a>),
    Levels(Planes, RowScale),
}

impl Width {
    /// Bytes of a row of `padded` components.
    pub(super) fn bytes(self, padded: usize) -> usize {
        match self {
            Self::Four => padded / 2,
            Self::Eight => padded,
        }
    }

    /// A row of these values.
    pub(super) fn encode(self, kernels: &Kernels, values: &[f32]) -> (Vec<u8>, RowScale) {
        let mut row = vec![0; self.bytes(values.len())];
        let scale = match self {
            Self::Four => {
                let scale = encode_nibbles(kernels, values, &mut row);
                RowScale {
                    step: scale.mul,
                    norm: scale.squared,
                }
            }
            Self::Eight => encode_row(values, &mut row),
        };
        (row, scale)
    }

    /// The squared distance of a query to a row; never negative.
    #[inline(always)]
    pub(super) fn distance(self, kernels: &Kernels, query: &Query, (row, scale): Row<'_>) -> f32 {
        match self {
            Self::Four => {
                let product = query.levels_product(kernels, row) * scale.step;
                (query.norm() + scale.norm - 2.0 * product).max(0.0)
            }
            Self::Eight => query.distance(kernels, row, scale),
        }
    }

    /// A row to compare others with.
    pub(super) fn own(self, row: Row<'_>) -> Own<'_> {
        match self {
            Self::Four => Own::Levels(Planes::of_nibbles(row.0), row.1),
            Self::Eight => Own::Bytes(row),
        }
    }

    /// The row in bytes.
    pub(super) fn widened(self, (row, scale): Row<'_>) -> (Cow<'_, [u8]>, RowScale) {
        if self == Self::Eight {
            return (Cow::Borrowed(row), scale);
        }
        let mut bytes = Vec::with_capacity(2 * row.len());
        for nibbles in row.chunks(32) {
            // Twice the levels, which are whole.
            bytes.extend(nibbles.iter().map(|n| 128 - 15 + 2 * (n & 15)));
            bytes.extend(nibbles.iter().map(|n| 128 - 15 + 2 * (n >> 4)));
        }
        let step = scale.step / 2.0;
        (Cow::Owned(bytes), RowScale { step, ..scale })
    }
}

impl Own<'_> {
    /// The squared distance to another row; never negative.
    #[inline]
    pub fn distance(&self, kernels: &Kernels, other: Row<'_>) -> f32 {
        match self {
            Self::Bytes(own) => row_distance(kernels, *own, other),
            Self::Levels(planes, scale) => {
                // Twice the levels, by what is twice the product with levels.
                let product = kernels.dot_nibbles(other.0, planes) as f32 * 0.25;
                let product = product * (scale.step * other.1.step);
                (scale.norm + other.1.norm - 2.0 * product).max(0.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use stdx::Rng;

    use super::*;

    /// Rows of both widths against sums in f64.
    #[test]
    fn rows_keep_distances() {
        let (mut rng, kernels) = (Rng::new(3), Kernels::get());
        for (width, within) in [(Width::Four, 0.05), (Width::Eight, 0.01)] {
            for dim in [64, 384, 832] {
                let mut values = || -> Vec<f32> {
                    let scale = 1.0 / (dim as f32).sqrt();
                    (0..dim).map(|_| rng.normal() as f32 * scale).collect()
                };
                let (a, b) = (values(), values());
                let want: f32 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum();
                let (row_a, scale_a) = width.encode(kernels, &a);
                let (row_b, scale_b) = width.encode(kernels, &b);
                let mut query = Query::default();
                query.set(kernels, &b);
                let own = width.own((&row_b, scale_b));
                let wide = (
                    width.widened((&row_a, scale_a)),
                    width.widened((&row_b, scale_b)),
                );
                let got = [
                    width.distance(kernels, &query, (&row_a, scale_a)),
                    own.distance(kernels, (&row_a, scale_a)),
                    row_distance(kernels, (&wide.0.0, wide.0.1), (&wide.1.0, wide.1.1)),
                ];
                for got in got {
                    let slack = within * 2.0 * (64.0 / dim as f32).sqrt().max(0.5);
                    assert!(
                        (got / want - 1.0).abs() < slack,
                        "{width:?} {dim}: {got} {want}"
                    );
                }
                assert!((got[1] / got[2] - 1.0).abs() < 1e-4, "the same rows");
            }
        }
    }
}
