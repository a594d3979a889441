//! Which rows of bytes cannot be among the nearest, by whole numbers.
//!
//! Making floats of bytes costs more than reading them. With `q = step * w + e`, where `w` has 15 bits a
//! component and `e` at most half a step, `<q, r>` lies within `|e| |r|` of `step * <w, r>`, and the product
//! of whole numbers is exact and four times as fast. Rows that may enter for all of that are scored as any
//! other row, so the answer is the same, bit for bit.

use crate::Metric;
use crate::arch::{Kernels, Planes};

/// What sixteen lanes of sums round, for each component and in parts of the sum of absolute products.
const ROUNDING: f64 = 1.0 / 16_777_216.0;

/// A query for rows of bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Sieve {
    planes: Planes,
    padded: Vec<f32>,
    is_l2: bool,
    /// Worth of a step of the planes.
    step: f64,
    /// What a score cannot be better than, above what the whole numbers say: `|q|^2` under `L2`, and all
    /// that the query leaves out and floats round, for the longest of rows.
    offset: f64,
}

impl Sieve {
    /// Takes a query. False where its scores may be beyond the range of floats: then nothing is known of
    /// what comes out, and every row is to be scored.
    pub fn set(&mut self, kernels: &Kernels, metric: Metric, query: &[f32]) -> bool {
        let dim = query.len();
        let squared: f64 = query.iter().map(|&q| f64::from(q) * f64::from(q)).sum();
        let most = query.iter().fold(0.0f32, |most, q| most.max(q.abs()));
        let (length, longest) = (squared.sqrt(), 128.0 * (dim as f64).sqrt());
        let reach = length + longest;
        // Longer rows than are tested have sums that no lane holds.
        let is_narrow = reach * reach < f64::from(f32::MAX) / 4.0;
        if dim > crate::DIM_MAX || !is_narrow {
            return false;
        }
        // Below this a component has no inverse.
        let has_range = most > f32::MIN_POSITIVE * 65_536.0;
        // A little less than all of the range: the quotient is rounded twice.
        let all = f32::from(Planes::MAX) - 1.0;
        let step = if has_range { most / all } else { 0.0 };
        self.padded.clear();
        self.padded.extend_from_slice(query);
        self.padded.resize(dim.next_multiple_of(64), 0.0);
        self.planes.set(kernels, &self.padded, step);
        self.step = f64::from(step);
        let left_out = if has_range {
            0.51 * self.step * (dim as f64).sqrt()
        } else {
            length
        };
        let rounding = ROUNDING * (dim as f64 / 8.0 + 16.0);
        // What numbers too small for a float may add up to.
        let least = f64::from(f32::MIN_POSITIVE) * dim as f64;
        self.is_l2 = metric == Metric::L2;
        self.offset = if self.is_l2 {
            squared - 2.0 * left_out * longest - rounding * reach * reach - least
        } else {
            left_out * longest + rounding * length * longest + least
        };
        true
    }

    /// Whether a row may score as well as `worst`; `ahead` is a row that is asked next.
    #[inline]
    pub fn may_enter(&self, kernels: &Kernels, row: &[i8], ahead: &[i8], worst: f32) -> bool {
        let product = self.step * kernels.dot_signed(row, &self.planes, ahead) as f64;
        if self.is_l2 {
            let squares = f64::from(kernels.squares(row));
            self.offset + squares - 2.0 * product <= f64::from(worst)
        } else {
            self.offset + product >= f64::from(worst)
        }
    }
}
