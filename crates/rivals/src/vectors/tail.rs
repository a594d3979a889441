//! `vector::tail` beside the exact scan of the same rows: what unlinked rows add to a query.

use std::hint::black_box;

use anyhow::Result;
use vector::graph::{Alone, Frame};
use vector::tail::{Tail, TailScratch};
use vector::{Hit, Metric, top_k};

use super::graph::sets::{self, Set};
use crate::Size;
use crate::measure::{Run, interleave, time_ns};
use crate::report::{Better, Figure};

const K: usize = 10;
const QUERIES: usize = 200;
const ROUNDS: usize = 7;
const ROWS: [(usize, &str); 2] = [(10_000, "10k"), (100_000, "100k")];
/// Rows that the centre is taken from.
const SAMPLE: usize = 5_000;

/// Figures of the real text vectors; none when they are not here.
pub fn measure(size: &Size) -> Result<Vec<Figure>> {
    let Some(set) = sets::find("text", QUERIES)? else {
        return Ok(Vec::new());
    };
    let count = |full| size.of(full).min(set.count());
    Ok(ROWS
        .map(|(full, tag)| of_rows(&set, count(full), tag))
        .into())
}

fn of_rows(set: &Set, count: usize, tag: &str) -> Figure {
    let rows = &set.base[..count * set.dim];
    let sample = &rows[..set.dim * SAMPLE.min(count)];
    let mut tail = Tail::new(Frame::new(Metric::Cosine, set.dim, sample, 7));
    for (slot, row) in (0..).zip(rows.chunks_exact(set.dim)) {
        tail.push(slot, row);
    }
    let queries: Vec<&[f32]> = set.queries.chunks_exact(set.dim).collect();
    let exact = |query: &[f32]| top_k(Metric::Cosine, set.dim, rows, query, K, |_| true);
    let mut scratch = TailScratch::default();
    let mut ours = |query: &[f32]| {
        tail.search(
            (query, K),
            |_| true,
            |slot| set.row(slot),
            &Alone,
            &mut scratch,
        )
    };
    let recall = recall(&queries, exact, &mut ours);
    let per_query = |search: &mut dyn FnMut(&[f32]) -> Vec<Hit>| {
        let all = || {
            queries
                .iter()
                .for_each(|query| drop(black_box(search(query))))
        };
        time_ns(all) / queries.len() as f64 / 1e3
    };
    let mut contestants: [Run<'_>; 2] = [
        Box::new(|| per_query(&mut ours)),
        Box::new(|| per_query(&mut |query| exact(query))),
    ];
    let values = interleave(ROUNDS, &mut contestants);
    drop(contestants);
    Figure::new(
        format!("vector.tail.{tag}"),
        "us/query",
        Better::Less,
        values[0].clone(),
    )
    .beside("exact scan, f32", &values[1])
    .recall(recall)
    .note(format!(
        "{count} x {} text vectors, cosine, top {K}, one thread; {} B a row beside the rows",
        set.dim,
        tail.size_bytes() / count
    ))
}

/// Share of the exact answers, scores and all, that are the same.
fn recall(
    queries: &[&[f32]],
    exact: impl Fn(&[f32]) -> Vec<Hit>,
    ours: &mut impl FnMut(&[f32]) -> Vec<Hit>,
) -> f64 {
    let same = queries.iter().map(|query| {
        let (want, got) = (exact(query), ours(query));
        want.iter().filter(|hit| got.contains(hit)).count()
    });
    same.sum::<usize>() as f64 / (K * queries.len()) as f64
}
