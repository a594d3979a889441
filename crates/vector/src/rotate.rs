//! A seeded rotation that spreads every vector evenly over its components.
//!
//! One bit a component tells little of a vector whose length lies in a few of them. After a random
//! rotation every component holds about the same share, whatever the data looked like, and a sign is
//! worth the same everywhere (Gao and Long, "RaBitQ", SIGMOD 2024). A full random matrix would cost
//! `dim` squared; random signs and Hadamard transforms cost `dim * log(dim)` and do as well:
//!
//! ```text
//! round:  signs -> Hadamard over a window of a power of two -> sums and differences of the halves
//! window: at the start in even rounds, at the end in odd ones, so that all components mix
//! ```
//!
//! Same seed, same bits, on every machine.

use stdx::Rng;

use crate::arch::Kernels;

/// One round leaves vectors that the transform itself maps to few components, the second does not.
const ROUNDS_WHOLE: usize = 2;
/// A window that is not all of the components needs one more, to mix what it left out.
const ROUNDS_PARTS: usize = 3;

/// An orthonormal map from `dim` to [`padded`](Self::padded) components.
#[derive(Clone, Debug)]
pub struct Rotation {
    dim: usize,
    padded: usize,
    /// Length of the Hadamard window: the greatest power of two within `padded`.
    window: usize,
    /// `[rounds, padded]`: a random sign times what makes the round orthonormal.
    factors: Vec<f32>,
}

impl Rotation {
    /// The rotation of `seed` for vectors of `dim` components.
    ///
    /// # Panics
    /// When `dim` is 0.
    #[must_use]
    pub fn new(dim: usize, seed: u64) -> Self {
        assert!(dim > 0, "vectors have components");
        let padded = dim.next_multiple_of(64);
        let window = 1 << padded.ilog2();
        let mut rng = Rng::new(seed);
        let is_whole = window == padded;
        let rounds = if is_whole { ROUNDS_WHOLE } else { ROUNDS_PARTS };
        let mut factors = Vec::with_capacity(rounds * padded);
        for round in 0..rounds {
            let start = window_start(padded, window, round);
            for i in 0..padded {
                let in_window = (start..start + window).contains(&i);
                let mut factor = 1.0f64;
                if in_window {
                    factor /= (window as f64).sqrt();
                }
                if !is_whole {
                    factor /= 2f64.sqrt();
                }
                let sign = if rng.next_u64() >> 63 == 1 { -1.0 } else { 1.0 };
                factors.push((sign * factor) as f32);
            }
        }
        Self {
            dim,
            padded,
            window,
            factors,
        }
    }

    /// Components of a vector that goes in.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Components of a vector that comes out: `dim` rounded up to a multiple of 64.
    #[must_use]
    pub fn padded(&self) -> usize {
        self.padded
    }

    /// Rotates `values`, `padded` of them with zeros behind the first `dim`, in place.
    ///
    /// # Panics
    /// When `values` has another length.
    pub fn apply(&self, kernels: &Kernels, values: &mut [f32]) {
        assert_eq!(values.len(), self.padded, "a padded vector");
        for (round, factors) in self.factors.chunks_exact(self.padded).enumerate() {
            for (value, factor) in values.iter_mut().zip(factors) {
                *value *= factor;
            }
            let start = window_start(self.padded, self.window, round);
            kernels.hadamard(&mut values[start..start + self.window]);
            if self.window < self.padded {
                let (low, high) = values.split_at_mut(self.padded / 2);
                for (a, b) in low.iter_mut().zip(high) {
                    (*a, *b) = (*a + *b, *a - *b);
                }
            }
        }
    }
}

fn window_start(padded: usize, window: usize, round: usize) -> usize {
    if round.is_multiple_of(2) {
        0
    } else {
        padded - window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotated(rotation: &Rotation, vector: &[f32]) -> Vec<f32> {
        let mut values = vector.to_vec();
        values.resize(rotation.padded(), 0.0);
        rotation.apply(Kernels::get(), &mut values);
        values
    }

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| f64::from(a) * f64::from(b))
            .sum()
    }

    #[test]
    #[cfg_attr(
        miri,
        ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
    )]
    fn products_stay_as_they_were() {
        let mut rng = Rng::new(3);
        for dim in [1, 2, 63, 64, 65, 100, 128, 384, 784, 1000, 1536, 4096] {
            let rotation = Rotation::new(dim, 9);
            let mut vector = || -> Vec<f32> { (0..dim).map(|_| rng.normal() as f32).collect() };
            let (a, b) = (vector(), vector());
            let (ra, rb) = (rotated(&rotation, &a), rotated(&rotation, &b));
            let scale = (dot(&a, &a) * dot(&b, &b)).sqrt();
            assert!((dot(&ra, &rb) - dot(&a, &b)).abs() < 1e-5 * scale, "{dim}");
            assert!(
                (dot(&ra, &ra) - dot(&a, &a)).abs() < 1e-5 * dot(&a, &a),
                "{dim}"
            );
        }
    }

    #[test]
    #[cfg_attr(
        miri,
        ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
    )]
    fn a_single_component_is_spread_evenly() {
        for dim in [64, 100, 384, 784] {
            for at in [0, dim / 2, dim - 1] {
                let mut vector = vec![0.0; dim];
                vector[at] = 1.0;
                let values = rotated(&Rotation::new(dim, 1), &vector);
                // Of a random unit vector the greatest component is about this at most.
                let bound = 5.0 / (values.len() as f32).sqrt();
                let most = values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
                assert!(most < bound, "{dim} {at}: {most} {bound}");
            }
        }
    }

    #[test]
    fn the_seed_decides_every_bit() {
        let vector: Vec<f32> = (0..100).map(|i| i as f32).collect();
        let of = |seed| rotated(&Rotation::new(100, seed), &vector);
        assert_eq!(of(4), of(4));
        assert_ne!(of(4), of(5));
    }
}
