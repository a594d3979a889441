//! Shapes in series: the windows of long series that run most like a short one, whatever their level
//! and size.
//!
//! The distance of two windows is the Euclidean one after each is brought to mean 0 and variance 1
//! (Mueen and others, MASS, 2017); a constant window is all zeros then. The search is exact. A window's
//! distance has a lower bound from the sums of eight pieces of it, which differences of prefix sums give
//! in a few operations (Keogh and others, Dimensionality reduction for fast similarity search, 2001),
//! and from how much of each window the piecewise means leave out; only windows whose bound is below the
//! `k`-th best distance so far are compared point by point. Prefix sums begin anew every few thousand
//! windows, around the mean there, so that they stay exact however long the series is.

use std::collections::BinaryHeap;

use crate::arch::{Kernels, PIECES, ShapeKernels, ShapePieces};

/// Windows that share prefix sums; the first ones fewer, so that the rest are held against a good find.
const CHUNK: usize = 4_096;
const FIRST: usize = 64;
/// A sum of squares below this share of what is around it is too small for prefix sums to tell.
const TELLABLE: f64 = 1e-7;
/// A correlation that a bound denies is this much below what is asked, for what rounding may have added.
const SLACK: f64 = 1e-5;
/// A window is constant below this deviation, relative to its largest value.
const CONSTANT: f64 = 1e-12;

/// A window like the one that was looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShapeHit {
    /// Which series.
    pub series: u32,
    /// Its first point.
    pub start: u32,
    /// Euclidean distance of the normalised windows, from 0 to `2 sqrt(points)`.
    pub distance: f64,
}

/// The `k` windows nearest to `shape` in all `series`, nearest first; ties by series, then by start.
/// A series shorter than the shape has none. Every value is finite.
///
/// # Panics
/// When `shape` has fewer than [`POINTS_MIN`] points.
#[must_use]
pub fn nearest_shapes(shape: &[f64], series: &[&[f64]], k: usize) -> Vec<ShapeHit> {
    assert!(shape.len() >= POINTS_MIN, "a shape has points");
    let mut search = Search::new(shape, k);
    for (number, values) in (0..).zip(series) {
        search.series(number, values);
    }
    let mut hits: Vec<ShapeHit> = search.best.into_iter().map(|entry| entry.0).collect();
    hits.sort_by_key(|hit| Entry(*hit));
    hits
}

/// The fewest points of a shape: one a piece.
pub const POINTS_MIN: usize = PIECES;

/// The greatest on top: the farthest, the last.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry(ShapeHit);

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let place = |hit: &ShapeHit| (hit.series, hit.start);
        let by_distance = self.0.distance.total_cmp(&other.0.distance);
        by_distance.then_with(|| place(&self.0).cmp(&place(&other.0)))
    }
}

struct Search {
    kernels: ShapeKernels,
    /// Normalised.
    shape: Vec<f64>,
    is_constant: bool,
    pieces: ShapePieces,
    k: usize,
    best: BinaryHeap<Entry>,
    sums: Vec<f64>,
    squares: Vec<f64>,
    gains: Vec<f64>,
}

impl Search {
    fn new(shape: &[f64], k: usize) -> Self {
        let mut normal = shape.to_vec();
        let is_constant = !normalise(&mut normal);
        Self {
            kernels: ShapeKernels::of(Kernels::get()),
            pieces: pieces(&normal),
            shape: normal,
            is_constant,
            k,
            best: BinaryHeap::with_capacity(k + 1),
            sums: Vec::new(),
            squares: Vec::new(),
            gains: Vec::new(),
        }
    }

    /// Squared distances at or above it are not among the best.
    fn limit(&self) -> f64 {
        match self.best.peek() {
            Some(worst) if self.best.len() >= self.k => worst.0.distance.powi(2),
            _ => f64::INFINITY,
        }
    }

    fn series(&mut self, number: u32, values: &[f64]) {
        let points = self.shape.len();
        if values.len() < points || self.k == 0 {
            return;
        }
        let windows = values.len() - points + 1;
        let (mut from, mut length) = (
            0,
            if self.best.len() < self.k {
                FIRST
            } else {
                CHUNK
            },
        );
        while from < windows {
            let to = (from + length).min(windows);
            self.chunk(number, from, &values[from..to + points - 1]);
            from = to;
            length = (2 * length).min(CHUNK);
        }
    }

    /// The windows of a stretch of a series that begins at `from`.
    fn chunk(&mut self, number: u32, from: usize, values: &[f64]) {
        self.bound(values);
        let points = self.shape.len();
        for at in 0..self.gains.len() {
            if self.gains[at] <= 0.0 {
                continue;
            }
            let distance = self.distance(&values[at..at + points]);
            let hit = ShapeHit {
                series: number,
                start: (from + at) as u32,
                distance,
            };
            if self.best.len() < self.k {
                self.best.push(Entry(hit));
            } else if self.best.peek().is_some_and(|worst| Entry(hit) < *worst) {
                self.best.pop();
                self.best.push(Entry(hit));
            }
        }
    }

    /// Which windows of the stretch may be nearer than the `k`-th best so far.
    fn bound(&mut self, values: &[f64]) {
        let points = self.shape.len();
        self.gains.clear();
        self.gains.resize(values.len() + 1 - points, f64::INFINITY);
        let limit = self.limit();
        if self.is_constant || limit.is_infinite() {
            return;
        }
        self.sums.resize(values.len() + 1, 0.0);
        self.squares.resize(values.len() + 1, 0.0);
        let (sums, squares) = (&mut self.sums, &mut self.squares);
        self.kernels.add_up(values, sums, squares);
        let least = 1.0 - limit / (2.0 * points as f64) - SLACK;
        let tellable = TELLABLE * squares[values.len()];
        let sums = (self.sums.as_slice(), self.squares.as_slice());
        let gains = &mut self.gains;
        self.kernels
            .gains(&self.pieces, sums, least, tellable, gains);
    }

    /// The distance of a window, point by point.
    fn distance(&self, window: &[f64]) -> f64 {
        let count = window.len() as f64;
        let sums = self.kernels.window(window, &self.shape);
        let is_constant = (sums.square / count).sqrt() <= CONSTANT * sums.most;
        let squared = match (is_constant, self.is_constant) {
            (true, true) => 0.0,
            (true, false) | (false, true) => count,
            (false, false) => 2.0 * (count - sums.dot * (count / sums.square).sqrt()),
        };
        squared.max(0.0).sqrt()
    }
}

fn pieces(normal: &[f64]) -> ShapePieces {
    let points = normal.len();
    let ends = std::array::from_fn(|piece| (piece + 1) * points / PIECES);
    let mut means = [0.0; PIECES];
    let (mut from, mut told) = (0, 0.0);
    for (mean, end) in means.iter_mut().zip(ends) {
        let length = (end - from) as f64;
        *mean = normal[from..end].iter().sum::<f64>() / length;
        told += *mean * *mean * length;
        from = end;
    }
    let whole: f64 = normal.iter().map(|value| value * value).sum();
    ShapePieces {
        means,
        ends,
        rest: (whole - told).max(0.0).sqrt(),
    }
}

/// Brings values to mean 0 and variance 1; a constant becomes zeros, and false.
fn normalise(values: &mut [f64]) -> bool {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let most = values
        .iter()
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    let square: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (square / count).sqrt();
    let varies = deviation > CONSTANT * most;
    for value in values {
        *value = if varies {
            (*value - mean) / deviation
        } else {
            0.0
        };
    }
    varies
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases::cases;

    /// Every window normalised and compared.
    fn naive(shape: &[f64], series: &[&[f64]], k: usize) -> Vec<ShapeHit> {
        let mut shape = shape.to_vec();
        normalise(&mut shape);
        let mut hits = Vec::new();
        for (number, values) in (0..).zip(series) {
            for (start, window) in (0..).zip(values.windows(shape.len())) {
                let mut window = window.to_vec();
                normalise(&mut window);
                let squares = window.iter().zip(&shape).map(|(a, b)| (a - b).powi(2));
                hits.push(ShapeHit {
                    series: number,
                    start,
                    distance: squares.sum::<f64>().sqrt(),
                });
            }
        }
        hits.sort_by_key(|hit| Entry(*hit));
        hits.truncate(k);
        hits
    }

    fn walk(steps: &[i8], level: f64) -> Vec<f64> {
        let sums = steps.iter().scan(level, |at, step| {
            *at += f64::from(*step);
            Some(*at)
        });
        sums.collect()
    }

    proptest! {
        #![proptest_config(cases(200))]

        #[test]
        fn equals_comparing_every_window(
            lists in prop::collection::vec(prop::collection::vec(-3i8..4, 0..300), 1..4),
            shape in prop::collection::vec(-3i8..4, 8..40),
            level in prop_oneof![Just(0.0), Just(1e6), Just(-3e3)],
            k in 1usize..12,
        ) {
            let series: Vec<Vec<f64>> = lists.iter().map(|steps| walk(steps, level)).collect();
            let series: Vec<&[f64]> = series.iter().map(Vec::as_slice).collect();
            let shape = walk(&shape, 10.0);
            let got = nearest_shapes(&shape, &series, k);
            let exact = naive(&shape, &series, k);
            prop_assert_eq!(got.len(), exact.len());
            for (got, exact) in got.iter().zip(&exact) {
                // Equal shapes may come in another order by the last bits of their distances.
                prop_assert!((got.distance - exact.distance).abs() < 1e-5, "{:?} {:?}", got, exact);
            }
        }
    }

    #[test]
    fn a_planted_shape_is_found_at_any_level_and_size_behind_a_long_series() {
        let mut rng = stdx::Rng::new(9);
        let mut level = 0.0;
        let noise = (0..30_000).map(|_| {
            level += rng.normal();
            level
        });
        let mut values: Vec<f64> = noise.collect();
        let wave: Vec<f64> = (0..64).map(|at| (f64::from(at) / 9.0).sin()).collect();
        for (start, size) in [(5_000, 1e-3), (20_000, 40.0)] {
            for (at, value) in wave.iter().enumerate() {
                values[start + at] = values[start] + value * size;
            }
        }
        let hits = nearest_shapes(&wave, &[&values], 2);
        let starts: Vec<u32> = hits.iter().map(|hit| hit.start).collect();
        assert!(
            starts.contains(&5_000) && starts.contains(&20_000),
            "{hits:?}"
        );
        assert!(hits.iter().all(|hit| hit.distance < 1e-3), "{hits:?}");
    }

    #[test]
    fn a_constant_is_like_constants_alone() {
        let values = [vec![7.0; 20], (0..20).map(f64::from).collect()].concat();
        let hits = nearest_shapes(&[3.0; 10], &[&values], 40);
        assert_eq!((hits[0].start, hits[0].distance), (0, 0.0));
        assert_eq!(hits[30].distance, 10f64.sqrt());
    }
}
