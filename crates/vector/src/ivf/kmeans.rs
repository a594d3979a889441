//! Centroids of a sample: Lloyd's rounds, whose assignments are searches among the centroids' codes.

use std::sync::Mutex;

use stdx::Rng;

use super::centroids::{Centroids, NearestScratch, prepare};
use crate::arch::Kernels;
use crate::code::Query;
use crate::graph::{Team, map};

/// Memory of one assignment.
#[derive(Default)]
struct Assign {
    query: Query,
    nearest: NearestScratch,
}

/// `count` centroids of the rows of `sample` (`[n, padded]`, in the frame), or one a row where there are
/// fewer; one at the origin where there is none. A function of rows and seed at any size of team.
pub(super) fn train(
    kernels: &'static Kernels,
    padded: usize,
    sample: &[f32],
    (count, rounds): (usize, usize),
    seed: u64,
    team: &dyn Team,
) -> Centroids {
    let rows: Vec<&[f32]> = sample.chunks_exact(padded).collect();
    let mut rng = Rng::new(seed);
    let mut centroids = Centroids::new(padded);
    for at in draw(&mut rng, rows.len(), count) {
        centroids.push(kernels, rows[at]);
    }
    if centroids.len() == 0 {
        centroids.push(kernels, &vec![0.0; padded]);
    }
    let scratches = Mutex::default();
    for _ in 0..rounds {
        let view = centroids.view();
        let nearest = map(
            team,
            rows.len(),
            &scratches,
            Assign::default,
            |at, scratch| {
                prepare(kernels, rows[at], &mut scratch.query);
                view.nearest(kernels, &scratch.query, 1, |_| 0.0, &mut scratch.nearest);
                scratch.nearest.nearest.first().map_or(0, |near| near.list)
            },
        );
        let (means, sizes) = means(padded, &rows, &nearest, centroids.len());
        for (list, mean) in means.chunks_exact(padded).enumerate() {
            if sizes[list] > 0 {
                centroids.set(kernels, list, mean);
            } else if !rows.is_empty() {
                // Nobody's centroid starts again somewhere.
                centroids.set(kernels, list, rows[rng.below(rows.len() as u64) as usize]);
            }
        }
    }
    centroids
}

/// The mean of the rows of each list, and how many there are.
fn means(padded: usize, rows: &[&[f32]], nearest: &[u32], lists: usize) -> (Vec<f32>, Vec<usize>) {
    let mut sums = vec![0.0f32; lists * padded];
    let mut sizes = vec![0usize; lists];
    for (row, &list) in rows.iter().zip(nearest) {
        let sum = &mut sums[list as usize * padded..][..padded];
        sum.iter_mut()
            .zip(*row)
            .for_each(|(sum, value)| *sum += value);
        sizes[list as usize] += 1;
    }
    for (sum, &size) in sums.chunks_exact_mut(padded).zip(&sizes) {
        sum.iter_mut().for_each(|sum| *sum /= size.max(1) as f32);
    }
    (sums, sizes)
}

/// `count` different numbers below `n`, or all of them.
fn draw(rng: &mut Rng, n: usize, count: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    for at in 0..count.min(n) {
        let other = at + rng.below((n - at) as u64) as usize;
        all.swap(at, other);
    }
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Alone;

    #[test]
    fn clusters_far_apart_get_a_centroid_each() {
        let (mut rng, kernels, dim) = (Rng::new(11), Kernels::get(), 64);
        let centres: Vec<Vec<f32>> = (0..12)
            .map(|_| (0..dim).map(|_| rng.normal() as f32).collect())
            .collect();
        let mut sample = Vec::new();
        for n in 0..600 {
            let centre = &centres[n % 12];
            sample.extend(centre.iter().map(|c| c + 0.02 * rng.normal() as f32));
        }
        // Twice as many centroids as clusters, so that no start leaves a cluster without.
        let centroids = train(kernels, dim, &sample, (40, 6), 5, &Alone);
        let view = centroids.view();
        let (mut query, mut scratch) = (Query::default(), NearestScratch::default());
        for centre in &centres {
            prepare(kernels, centre, &mut query);
            view.nearest(kernels, &query, 1, |_| 0.0, &mut scratch);
            assert!(
                scratch.nearest[0].distance < 0.5,
                "{}",
                scratch.nearest[0].distance
            );
        }
    }

    #[test]
    fn few_rows_and_none() {
        let kernels = Kernels::get();
        assert_eq!(train(kernels, 64, &[], (4, 2), 1, &Alone).len(), 1);
        assert_eq!(train(kernels, 64, &[0.5; 192], (9, 2), 1, &Alone).len(), 3);
    }
}
