//! The kernels, one file per instruction set, and the one place that chooses among them.
//!
//! All of them run the same algorithm (`generic`) over sixteen lanes: lane `i` adds the products of
//! components `i, i + 16, i + 32, ..` with fused multiply-add, the last block is padded with zeros,
//! and the lanes are folded in halves (16, 8, 4, 2, 1). The order of additions is therefore the same
//! everywhere, and so are the bits of the result: scalar, AVX2, AVX-512 and NEON agree exactly.
//!
//! ```text
//! a: [ a0 .. a15 | a16 .. a31 | a32 .. 0 0 ]      acc[i] = fma(a[i + 16 j], b[i + 16 j], acc[i])
//! b: [ b0 .. b15 | b16 .. b31 | b32 .. 0 0 ]      sum    = fold(fold(fold(fold(acc))))
//! ```

#![allow(
    unsafe_code,
    reason = "the only folder with intrinsics; each block carries its proof"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2_codes;
#[cfg(target_arch = "x86_64")]
mod avx2_lists;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_codes;
mod codes;
mod element;
mod generic;
mod lists;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_codes;
mod portable;
mod scalar;
mod shapes;
mod tiles;

use std::sync::OnceLock;

use crate::Metric;

use codes::CodeKernels;
pub use codes::{BLOCK, Codes, ENTRY_MAX, Line, Planes, Range, Table};
pub use element::{Bf16, Element, F16};
use element::{ElementKernels, Pairs};
pub use lists::{ListKernels, SCAN_MOST, pack};
pub use portable::{EdgeSums, Spread};
pub(crate) use portable::{half, nearest};
pub use shapes::{PIECES, ShapeKernels, ShapePieces, WindowSums};
pub use tiles::{TILE, TILE_DIM_MAX, TileKernels};

/// The kernels of one instruction set. All slices of a call must have one length.
#[derive(Clone, Copy)]
pub struct Kernels {
    /// `avx512`, `avx2`, `neon` or `scalar`.
    pub name: &'static str,
    f32: Pairs<f32>,
    others: ElementKernels,
    codes: CodeKernels,
}

impl Kernels {
    /// The kernels this machine runs, detected once.
    #[must_use]
    pub fn get() -> &'static Self {
        static CHOSEN: OnceLock<Kernels> = OnceLock::new();
        CHOSEN.get_or_init(|| *Self::available().last().expect("scalar is always there"))
    }

    /// All kernels this machine can run, slowest first; tests compare them.
    #[must_use]
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "some targets have the scalar kernels alone")]
        let mut all = vec![scalar::KERNELS];
        #[cfg(target_arch = "x86_64")]
        {
            if avx2::is_here() {
                all.push(avx2::KERNELS);
            }
            if avx512::is_here() {
                all.push(avx512::KERNELS);
            }
        }
        #[cfg(target_arch = "aarch64")]
        all.push(neon::KERNELS);
        all
    }

    /// The inner product.
    ///
    /// # Panics
    /// When the lengths differ.
    #[must_use]
    pub fn dot(&self, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len(), "vectors of one length");
        (self.f32.dot)(a, b, &[])
    }

    /// The squared Euclidean distance.
    ///
    /// # Panics
    /// When the lengths differ.
    #[must_use]
    pub fn l2_squared(&self, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len(), "vectors of one length");
        (self.f32.l2_squared)(a, b, &[])
    }

    /// The score of a row of any element type under a metric: the squared distance, or for `Ip` and
    /// `Cosine` the inner product.
    ///
    /// # Panics
    /// When the lengths differ.
    #[inline]
    #[must_use]
    pub fn score<E: Element>(&self, metric: Metric, query: &[f32], row: &[E]) -> f32 {
        self.score_ahead(metric, query, row, &[])
    }

    /// [`score`](Self::score) while a row that is compared soon is on its way from memory.
    ///
    /// # Panics
    /// When the lengths of query and row differ.
    #[inline]
    #[must_use]
    pub fn score_ahead<E: Element>(
        &self,
        metric: Metric,
        query: &[f32],
        row: &[E],
        ahead: &[E],
    ) -> f32 {
        assert_eq!(query.len(), row.len(), "vectors of one length");
        let pairs = E::pairs(self);
        match metric {
            Metric::L2 => (pairs.l2_squared)(query, row, ahead),
            Metric::Ip | Metric::Cosine => (pairs.dot)(query, row, ahead),
        }
    }

    /// The scores of four rows, bit for bit those of [`score`](Self::score).
    ///
    /// # Panics
    /// When the lengths differ.
    #[inline]
    #[must_use]
    pub fn score4<E: Element>(&self, metric: Metric, query: &[f32], rows: [&[E]; 4]) -> [f32; 4] {
        assert!(
            rows.iter().all(|row| row.len() == query.len()),
            "vectors of one length"
        );
        let pairs = E::pairs(self);
        match metric {
            Metric::L2 => (pairs.l2_squared4)(query, rows),
            Metric::Ip | Metric::Cosine => (pairs.dot4)(query, rows),
        }
    }
}

/// Asks for the line of element `at` of `row`, if the row has one.
#[inline(always)]
pub(crate) fn prefetch<E>(row: &[E], at: usize) {
    if let Some(element) = row.get(at) {
        line(element);
    }
}

/// Asks for the line that something lies in. Miri knows no such instruction.
#[inline(always)]
fn line<T>(place: &T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch never faults, and the address is that of a live value.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast());
    }
    #[cfg(any(not(target_arch = "x86_64"), miri))]
    let _ = place;
}

/// Asks for every line of `row`, as far as 24 of them.
#[inline(always)]
pub(crate) fn prefetch_lines<E>(row: &[E]) {
    for elements in row.chunks(64 / size_of::<E>()).take(24) {
        line(&elements[0]);
    }
}

#[cfg(test)]
mod codes_tests;
#[cfg(test)]
mod tests;
