//! Two threads beside one, on a real set: the whole build, batches into a graph that is there, and queries.
//!
//! Wall time, as what a second thread saves is time. On a machine of two cores with other work the second
//! thread shares its core, so that the load beside each figure belongs to it.

use anyhow::Result;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use vector::Metric;
use vector::graph::{Alone, Frame, Graph, Settings, Team, WalkScratch};

use super::graph::K;
use super::graph::sets::{self, Set};
use crate::Size;
use crate::measure::{Run, interleave, time_ns};
use crate::report::{Better, Figure};

const THREADS: usize = 2;
const ROUNDS: usize = 3;
const QUERIES: usize = 1_000;
/// Rows of the graphs that are built.
const ROWS: usize = 30_000;
/// Rows that come later, in one call: 16 batches.
const LATER: usize = 4_096;
const EFFORT: usize = 60;

/// As many threads that wait for jobs, each taking the next.
struct Pair(ThreadPool);

impl Team for Pair {
    fn run(&self, count: usize, job: &(dyn Fn(usize) + Sync)) {
        self.0.install(|| (0..count).into_par_iter().for_each(job));
    }
}

/// Figures of the real text vectors; none when they are not here.
pub fn measure(size: &Size) -> Result<Vec<Figure>> {
    let Some(set) = sets::find("text", QUERIES)? else {
        return Ok(Vec::new());
    };
    let rows = size.of(ROWS).min(set.count());
    let later = size.of(LATER).min(set.count() - rows);
    let pair = Pair(ThreadPoolBuilder::new().num_threads(THREADS).build()?);
    let (one, two) = (&Alone as &dyn Team, &pair as &dyn Team);
    let parts = [0..rows, rows..rows + later];
    let [mut built, mut inserted] = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    let mut graph = empty(&set);
    // By turns, alone first.
    for round in 0..2 * ROUNDS {
        let team = round % 2;
        graph = empty(&set);
        for (part, rates) in parts.iter().zip([&mut built, &mut inserted]) {
            let come = &set.base[part.start * set.dim..part.end * set.dim];
            let ns = time_ns(|| graph.insert(come, [one, two][team]));
            rates[team].push(part.len() as f64 / ns * 1e9);
        }
    }
    let queried = by_turns(
        set.query_count(),
        &|team| queries(&graph, &set, team),
        [one, two],
    );
    let note = format!("{rows} x {} text vectors, wall time", set.dim);
    Ok([
        ("build", "vectors/s", built),
        ("queries", "queries/s", queried),
        ("inserts", "vectors/s", inserted),
    ]
    .into_iter()
    .map(|(what, unit, [alone, both])| {
        Figure::new(format!("vector.threads.{what}"), unit, Better::More, both)
            .beside("one thread", &alone)
            .note(note.clone())
    })
    .collect())
}

fn empty(set: &Set) -> Graph {
    let sample = &set.base[..set.dim * ROWS.min(set.count()) / 6];
    Graph::new(
        Frame::new(Metric::Cosine, set.dim, sample, 7),
        Settings::default(),
    )
}

/// Items a second with either team, by turns.
fn by_turns(
    items: usize,
    run: &dyn Fn(&dyn Team) -> f64,
    [one, two]: [&dyn Team; 2],
) -> [Vec<f64>; 2] {
    let rate = |ns: f64| items as f64 / ns * 1e9;
    let mut contestants: [Run<'_>; 2] = [Box::new(|| rate(run(one))), Box::new(|| rate(run(two)))];
    let mut values = interleave(ROUNDS, &mut contestants).into_iter();
    [(); 2].map(|()| values.next().unwrap_or_default())
}

/// Nanoseconds for all queries, a share of them to each of the team.
fn queries(graph: &Graph, set: &Set, team: &dyn Team) -> f64 {
    const SHARES: usize = 20;
    let queries: Vec<&[f32]> = set.queries.chunks_exact(set.dim).collect();
    let share = queries.len().div_ceil(SHARES);
    time_ns(|| {
        team.run(SHARES, &|n| {
            let mut scratch = WalkScratch::default();
            for query in queries.iter().skip(n * share).take(share) {
                std::hint::black_box(graph.search(query, K, EFFORT, |_| true, &mut scratch));
            }
        });
    })
}
