//! The kernels, one file per instruction set, and the one place that chooses among them.
//!
//! All of them run the same algorithm (`generic`) over sixteen lanes: lane `i` adds the products of
//! components `i, i + 16, i + 32, ..` with fused multiply-add, the last block is padded with zeros,
//! and the lanes are folded in halves (16, 8, 4, 2, 1). The order of additions is therefore the same
//! everywhere, and so are the bits of the result: scalar, AVX2, AVX-512 and NEON agree exactly, and
//! a row scores the same alone or among four.
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
mod generic;
mod lists;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod scalar;

use std::sync::OnceLock;

use codes::CodeKernels;
pub(crate) use codes::prefetch_lines;
pub use codes::{BLOCK, Codes, Line, Planes, Range, Table};
pub use lists::{ListKernels, SCAN_MOST, pack};
pub use portable::{EdgeSums, Spread};
pub(crate) use portable::{half, nearest};

type One = fn(&[f32], &[f32]) -> f32;
type Four = fn(&[f32], [&[f32]; 4]) -> [f32; 4];

/// The kernels of one instruction set. All slices of a call must have one length.
#[derive(Clone, Copy)]
pub struct Kernels {
    /// `avx512`, `avx2`, `neon` or `scalar`.
    pub name: &'static str,
    dot: One,
    l2_squared: One,
    dot4: Four,
    l2_squared4: Four,
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
        (self.dot)(a, b)
    }

    /// The squared Euclidean distance.
    ///
    /// # Panics
    /// When the lengths differ.
    #[must_use]
    pub fn l2_squared(&self, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len(), "vectors of one length");
        (self.l2_squared)(a, b)
    }

    /// The inner products of one query and four rows, bit for bit those of [`dot`](Self::dot). For rows
    /// scattered over memory, whose waits then overlap; rows in order are faster one by one.
    ///
    /// # Panics
    /// When the lengths differ.
    #[must_use]
    pub fn dot4(&self, query: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
        assert!(
            rows.iter().all(|row| row.len() == query.len()),
            "vectors of one length"
        );
        (self.dot4)(query, rows)
    }

    /// The squared distances of one query and four rows, bit for bit those of
    /// [`l2_squared`](Self::l2_squared).
    ///
    /// # Panics
    /// When the lengths differ.
    #[must_use]
    pub fn l2_squared4(&self, query: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
        assert!(
            rows.iter().all(|row| row.len() == query.len()),
            "vectors of one length"
        );
        (self.l2_squared4)(query, rows)
    }
}

/// Asks for the first lines of a row that is compared soon; the processor guesses the rest. Without
/// it a scan reads at three quarters of the memory's speed, with it at all of it (`benches/scan.rs`).
#[inline]
pub(crate) fn prefetch(row: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(16).take(4) {
        // SAFETY: a prefetch never faults, and the address is inside a live slice.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

#[cfg(test)]
mod codes_tests;
#[cfg(test)]
mod tests;
