//! How an index sees vectors: moved to the centre of a sample, scaled to about unit length, rotated.
//!
//! All distances inside are squared Euclidean ones in that frame. Moving and rotating keep them;
//! scaling by a power of two keeps their order and every bit but the exponent, and puts the factors
//! of the codes within the range of half-precision numbers.

use crate::Metric;
use crate::arch::Kernels;
use crate::code::Query;
use crate::rotate::Rotation;

/// The frame of one index.
#[derive(Clone, Debug)]
pub struct Frame {
    metric: Metric,
    rotation: Rotation,
    seed: u64,
    /// What is taken from every vector.
    centre: Vec<f32>,
    /// What every vector is multiplied by; a power of two.
    unit: f32,
}

/// Memory to bring one vector into the frame.
#[derive(Clone, Debug, Default)]
pub struct FrameScratch {
    values: Vec<f32>,
}

impl FrameScratch {
    /// The vector that was brought in last.
    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }
}

impl Frame {
    /// The frame that suits `sample` (`[n, dim]`, row-major). More rows make a better centre; a few
    /// thousand are plenty, and none give the origin.
    ///
    /// # Panics
    /// When `dim` is 0, the sample is not whole rows, or the metric is `Ip`: products without equal
    /// lengths are no distances.
    #[must_use]
    pub fn new(metric: Metric, dim: usize, sample: &[f32], seed: u64) -> Self {
        assert!(metric != Metric::Ip, "an index orders by distance");
        assert!(dim > 0 && sample.len().is_multiple_of(dim), "whole rows");
        let count = (sample.len() / dim).max(1) as f64;
        let mut sums = vec![0.0f64; dim];
        for row in sample.chunks_exact(dim) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += f64::from(value);
            }
        }
        let centre: Vec<f32> = sums.iter().map(|sum| (sum / count) as f32).collect();
        let squares: f64 = sample
            .chunks_exact(dim)
            .flat_map(|row| row.iter().zip(&centre))
            .map(|(&value, &centre)| (f64::from(value) - f64::from(centre)).powi(2))
            .sum();
        let length = (squares / count).sqrt();
        let unit = if length > 0.0 {
            -length.log2().round()
        } else {
            0.0
        };
        Self {
            metric,
            rotation: Rotation::new(dim, seed),
            seed,
            centre,
            unit: (unit.clamp(-120.0, 120.0)).exp2() as f32,
        }
    }

    /// The frame that was written before.
    pub(crate) fn restored(metric: Metric, centre: Vec<f32>, unit: f32, seed: u64) -> Self {
        Self {
            metric,
            rotation: Rotation::new(centre.len(), seed),
            seed,
            centre,
            unit,
        }
    }

    /// What is taken from every vector.
    pub(crate) fn centre(&self) -> &[f32] {
        &self.centre
    }

    /// What every vector is multiplied by.
    pub(crate) fn unit(&self) -> f32 {
        self.unit
    }

    /// Components of a vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.rotation.dim()
    }

    /// Components inside: `dim` rounded up to a multiple of 64.
    #[must_use]
    pub fn padded(&self) -> usize {
        self.rotation.padded()
    }

    /// How vectors are compared.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// What the rotation was made from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Brings a vector in; the result lies in the scratch.
    ///
    /// # Panics
    /// When the vector has another dimension.
    pub(crate) fn bring<'s>(
        &self,
        kernels: &Kernels,
        vector: &[f32],
        scratch: &'s mut FrameScratch,
    ) -> &'s [f32] {
        assert_eq!(
            vector.len(),
            self.dim(),
            "a vector of the index's dimension"
        );
        let values = &mut scratch.values;
        values.clear();
        let moved = vector.iter().zip(&self.centre);
        values.extend(moved.map(|(value, centre)| (value - centre) * self.unit));
        values.resize(self.padded(), 0.0);
        self.rotation.apply(kernels, values);
        values
    }

    /// Prepares a query.
    pub(crate) fn query(
        &self,
        kernels: &Kernels,
        vector: &[f32],
        query: &mut Query,
        scratch: &mut FrameScratch,
    ) {
        query.set(kernels, self.bring(kernels, vector, scratch));
    }

    /// The score of a squared distance inside.
    pub(crate) fn score(&self, distance: f32) -> f32 {
        let squared = distance / self.unit / self.unit;
        match self.metric {
            Metric::L2 | Metric::Ip => squared,
            // Of unit vectors |a - b|^2 = 2 - 2 <a, b>.
            Metric::Cosine => 1.0 - squared / 2.0,
        }
    }

    /// The squared distance inside of a score; of unit vectors under `Cosine`.
    pub(crate) fn distance(&self, score: f32) -> f32 {
        let squared = match self.metric {
            Metric::L2 | Metric::Ip => score,
            Metric::Cosine => 2.0 - 2.0 * score,
        };
        squared * self.unit * self.unit
    }

    /// By how much [`distance`](Self::distance) may differ from the truth beside what is in proportion
    /// to it: scores of unit vectors near each other have lost the digits that tell them apart.
    pub(crate) fn distance_error(&self) -> f32 {
        match self.metric {
            Metric::L2 | Metric::Ip => 0.0,
            Metric::Cosine => self.unit * self.unit / 262_144.0,
        }
    }
}
