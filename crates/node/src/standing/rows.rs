//! Directions that every arrival is compared with, in half the memory: what a comparison of halves cannot rule out is
//! judged by the whole vector.

use vector::Metric;
use vector::arch::{F16, Kernels};

/// How far the inner product of a unit vector with the halves of another may be from the one with the whole: each
/// component is off by `2^-11` of itself at most, or `2^-25` where it is tiny, which is `2^-11 + 2^-25 * 64` over 4,096
/// components (Cauchy and Schwarz), and both sums of singles round by less than `2^-13` between them.
const MARGIN: f32 = 1.0 / 2048.0 + 1.0 / 8192.0 + 1.0 / 65536.0;
/// Rows compared with all passages of an arrival before the next ones: some 100 KiB, which stay in the cache.
const TILE: usize = 128;

/// Rows of one length, each with the least cosine that is asked for and whose it is.
#[derive(Debug, Default)]
pub(super) struct Rows {
    dim: usize,
    halves: Vec<F16>,
    cosines: Vec<f32>,
    owners: Vec<u32>,
}

impl Rows {
    /// Adds one.
    pub fn push(&mut self, owner: u32, vector: &[f32], cosine_min: f32) {
        debug_assert!(self.owners.is_empty() || self.dim == vector.len());
        self.dim = vector.len();
        self.halves.extend(vector.iter().map(|v| F16::nearest(*v)));
        self.cosines.push(cosine_min);
        self.owners.push(owner);
    }

    /// Takes the row of `owner` away; the last takes its place.
    pub fn remove(&mut self, owner: u32) {
        let Some(at) = self.owners.iter().position(|of| *of == owner) else {
            return;
        };
        let last = self.owners.len() - 1;
        self.owners.swap_remove(at);
        self.cosines.swap_remove(at);
        let from = last * self.dim;
        self.halves
            .copy_within(from..from + self.dim, at * self.dim);
        self.halves.truncate(from);
    }

    /// Bytes that an arrival is compared with.
    pub fn size_bytes(&self) -> usize {
        self.halves.len() * size_of::<F16>() + self.owners.len() * 8
    }

    /// Calls `found` with each passage and owner that may be near enough.
    pub fn near(&self, passages: &[&[f32]], found: &mut impl FnMut(usize, u32)) {
        let kernels = Kernels::get();
        for from in (0..self.owners.len()).step_by(TILE) {
            let to = (from + TILE).min(self.owners.len());
            for (at, passage) in passages.iter().enumerate() {
                self.tile(kernels, from..to, passage, &mut |owner| found(at, owner));
            }
        }
    }

    fn tile(
        &self,
        kernels: &Kernels,
        rows: std::ops::Range<usize>,
        passage: &[f32],
        found: &mut impl FnMut(u32),
    ) {
        let row = |at: usize| &self.halves[at * self.dim..(at + 1) * self.dim];
        let mut look = |at: usize, cosine: f32| {
            if cosine >= self.cosines[at] - MARGIN {
                found(self.owners[at]);
            }
        };
        let whole = rows.start + rows.len() / 4 * 4;
        for at in (rows.start..whole).step_by(4) {
            let four = [row(at), row(at + 1), row(at + 2), row(at + 3)];
            let cosines = kernels.score4(Metric::Ip, passage, four);
            for (n, cosine) in cosines.into_iter().enumerate() {
                look(at + n, cosine);
            }
        }
        for at in whole..rows.end {
            look(at, kernels.score(Metric::Ip, passage, row(at)));
        }
    }
}
