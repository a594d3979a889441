//! `vector::flat` beside the scan one writes first.

use std::hint::black_box;

use anyhow::Result;
use stdx::Rng;
use vector::{Metric, top_k};

use crate::Size;
use crate::measure::{Run, interleave, time_ns};
use crate::report::{Better, Figure};

const ROWS: usize = 100_000;
pub const DIM: usize = 384;
const K: usize = 10;
const QUERIES: usize = 8;
const ROUNDS: usize = 7;

/// Rows on the unit sphere, uniformly: no structure that a search could use.
pub fn unit_rows(count: usize, rng: &mut Rng) -> Vec<f32> {
    let mut rows: Vec<f32> = (0..count * DIM).map(|_| rng.normal() as f32).collect();
    for row in rows.chunks_exact_mut(DIM) {
        // A random row is never zero, the only one that has no direction.
        let _zero = vector::normalise(row);
    }
    rows
}

/// Top 10 of 100,000 rows of 384 floats on one thread.
pub fn measure(size: &Size) -> Result<Vec<Figure>> {
    let mut rng = Rng::new(7);
    let rows = unit_rows(size.of(ROWS), &mut rng);
    let queries = unit_rows(QUERIES, &mut rng);
    let queries: Vec<&[f32]> = queries.chunks_exact(DIM).collect();
    let recall = recall(&rows, &queries);
    let per_query = |search: &dyn Fn(&[f32])| {
        time_ns(|| queries.iter().for_each(|query| search(query))) / QUERIES as f64 / 1e6
    };
    let mut contestants: [Run<'_>; 2] = [
        Box::new(|| {
            per_query(&|query| {
                black_box(top_k(Metric::Ip, DIM, &rows, query, K, |_| true));
            })
        }),
        Box::new(|| {
            per_query(&|query| {
                black_box(naive(&rows, query));
            })
        }),
    ];
    let values = interleave(ROUNDS, &mut contestants);
    let top10 = Figure::new(
        "vector.flat.top10",
        "ms/query",
        Better::Less,
        values[0].clone(),
    )
    .beside("naive scan, f32 loop", &values[1])
    .recall(recall)
    .note(format!(
        "{} x {DIM} f32, uniform directions, inner product, one thread",
        rows.len() / DIM
    ));
    let mut figures = vec![top10];
    figures.extend(super::scan::measure(size)?);
    Ok(figures)
}

/// Share of the exact ten that the search finds.
fn recall(rows: &[f32], queries: &[&[f32]]) -> f64 {
    recall_of(rows, queries, |query| {
        let hits = top_k(Metric::Ip, DIM, rows, query, K, |_| true);
        hits.iter().map(|hit| hit.slot).collect()
    })
}

/// Share of the exact ten rows by inner product, summed in f64, among those that `search` gives.
pub fn recall_of(rows: &[f32], queries: &[&[f32]], search: impl Fn(&[f32]) -> Vec<u32>) -> f64 {
    let found = queries.iter().map(|query| {
        let dot = |row: &[f32]| -> f64 {
            let products = row.iter().zip(*query);
            products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let mut all: Vec<(f64, u32)> = rows.chunks_exact(DIM).map(dot).zip(0..).collect();
        all.select_nth_unstable_by(K - 1, |a, b| b.0.total_cmp(&a.0));
        let hits = search(query);
        hits.iter()
            .filter(|slot| all[..K].iter().any(|exact| exact.1 == **slot))
            .count()
    });
    found.sum::<usize>() as f64 / (K * queries.len()) as f64
}

/// The scan one writes first: a loop over each row, the best ten in a sorted list.
fn naive(rows: &[f32], query: &[f32]) -> Vec<(f32, u32)> {
    let mut best: Vec<(f32, u32)> = Vec::with_capacity(K + 1);
    for (slot, row) in (0..).zip(rows.chunks_exact(DIM)) {
        let mut score = 0.0;
        for (a, b) in row.iter().zip(query) {
            score += a * b;
        }
        if best.len() < K || score > best[K - 1].0 {
            let at = best.partition_point(|hit| hit.0 >= score);
            best.insert(at, (score, slot));
            best.truncate(K);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_naive_scan_and_ours_agree() {
        let mut rng = Rng::new(3);
        let rows = unit_rows(2_000, &mut rng);
        let query = unit_rows(1, &mut rng);
        let ours: Vec<u32> = top_k(Metric::Ip, DIM, &rows, &query, K, |_| true)
            .iter()
            .map(|h| h.slot)
            .collect();
        let theirs: Vec<u32> = naive(&rows, &query).iter().map(|hit| hit.1).collect();
        assert_eq!(ours, theirs);
        assert_eq!(recall(&rows, &[&query]), 1.0);
    }
}
