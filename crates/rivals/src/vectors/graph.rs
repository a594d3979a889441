//! `vector::graph` beside SymphonyQG and hnswlib on real sets, at equal recall.
//!
//! The sets are prepared outside (`docs/benchmarks.md` says how) as NAME.base.npy, NAME.query.npy and
//! NAME.gt.npy; a set that is not there is passed over. Every effort is timed in every round, ours and
//! the peers' by turns; what is compared is the speed at one recall, interpolated between efforts.

pub mod peers;
pub mod sets;

use anyhow::Result;
use vector::Metric;
use vector::graph::{Alone, Frame, Graph, Layout, Ranks, Settings, WalkScratch};

use crate::Size;
use crate::report::{Better, Figure, Report};
use peers::Peers;
use sets::Set;

/// Answers.
pub const K: usize = 10;
const ROUNDS: usize = 3;
const QUERIES: usize = 1_000;
/// Beams, of ours and of the peers alike.
const EFFORTS: [usize; 11] = [10, 14, 20, 28, 40, 60, 90, 140, 220, 300, 400];
/// Rows found that are ordered again by their whole rows, where that is not left to the sample.
const RERANK: usize = 20;
/// Rows of the sample that layout and depths are chosen from.
const CHOSEN_FROM: usize = 4_096;
pub(super) const RECALLS: [(f64, &str); 3] = [(0.90, "r90"), (0.95, "r95"), (0.99, "r99")];
const PEERS: [&str; 6] = [
    "symphonyqg",
    "symphonyqg8",
    "hnswlib",
    "usearch",
    "scann",
    "qdrant-edge",
];
/// Which of them, with commas between, where not all are wanted: some build for minutes.
const CHOICE: &str = "OUZEL_VECTOR_PEERS";
/// Rows that the centre is taken from.
const SAMPLE: usize = 5_000;

/// Recall and seconds of one effort, in every round.
#[derive(Clone, Debug)]
struct Point {
    recall: f64,
    seconds: Vec<f64>,
}

/// One engine on one set.
pub struct Curve {
    /// Which.
    pub name: String,
    points: Vec<Point>,
    pub build_s: f64,
    /// Resident, of a vector.
    pub bytes: f64,
}

/// All figures of the sets that are here.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    for (name, metric) in [
        ("fashion", Metric::L2),
        ("text", Metric::Cosine),
        ("glove", Metric::Cosine),
    ] {
        match sets::find(name, size.of(QUERIES))? {
            Some(set) => {
                report.step(&format!("vector: the graph on {name}"));
                let figures = measure(name, metric, &set, size)?;
                figures.into_iter().for_each(|figure| report.add(figure));
            }
            None => report.step(&format!(
                "skipped: vector graph on {name}: no set in {}",
                sets::FOLDER
            )),
        }
    }
    Ok(())
}

/// One of ours: a graph, and how many rows are ordered again; none when it is 0.
struct Own<'a> {
    kind: String,
    graph: &'a Graph,
    depth: usize,
}

fn measure(name: &str, metric: Metric, set: &Set, size: &Size) -> Result<Vec<Figure>> {
    let (wide, wide_s) = built(metric, set);
    let (compact, compact_s) = built_as(metric, set, compact_layout(metric, set));
    let owns = owns(name, set, &wide, &compact);
    let mut curves: Vec<Curve> = owns
        .iter()
        .map(|own| {
            let build_s = if own.graph.settings().layout == Layout::Wide {
                wide_s
            } else {
                compact_s
            };
            let bytes = own.graph.size_bytes() as f64 / set.count() as f64;
            Curve::new(&own.kind, build_s, bytes)
        })
        .collect();
    let mut peers = Peers::start(size, set, metric)?;
    let choice = std::env::var(CHOICE).ok();
    let is_wanted =
        |peer: &str| (choice.as_deref()).is_none_or(|all| all.split(',').any(|one| one == peer));
    let mut others = Vec::new();
    for peer in PEERS.into_iter().filter(|peer| is_wanted(peer)) {
        if let Some((seconds, bytes)) = peers.as_mut().and_then(|peers| peers.build(peer)) {
            others.push(peer);
            curves.push(Curve::new(peer, seconds, bytes));
        }
    }
    let mut scratch = WalkScratch::default();
    for round in 0..=ROUNDS {
        // The first round warms up and is not kept.
        for (n, &effort) in EFFORTS.iter().enumerate() {
            for (own, curve) in owns.iter().zip(&mut curves) {
                let (seconds, ids) = ours(own.graph, set, effort, own.depth, &mut scratch);
                curve.keep(round, n, seconds, set.recall(&ids));
            }
            for (peer, curve) in others.iter().zip(curves.iter_mut().skip(owns.len())) {
                if let Some((seconds, ids)) = peers.as_mut().and_then(|p| p.search(peer, effort)) {
                    curve.keep(round, n, seconds, set.recall(&ids));
                }
            }
        }
    }
    let (own, others) = curves.split_at(owns.len());
    Ok(figures(name, set, own, others))
}

/// What is measured of ours: rows of bytes alone, the nearest 20 by whole rows, and as many by whole rows as
/// were chosen for each recall, of both layouts.
fn owns<'a>(name: &str, set: &Set, wide: &'a Graph, compact: &'a Graph) -> Vec<Own<'a>> {
    let mut owns = Vec::new();
    for (kind, depth) in [("bytes", 0), ("reranked", RERANK)] {
        owns.push(Own {
            kind: kind.to_owned(),
            graph: wide,
            depth,
        });
    }
    for (kind, graph) in [("chosen", wide), ("compact", compact)] {
        let mut ranks = Ranks::default();
        let row = |slot| set.row(slot);
        let questions = graph.questions(&[]);
        ranks.add(
            graph,
            &questions,
            |_| true,
            row,
            &mut WalkScratch::default(),
        );
        for (recall, tag) in RECALLS {
            // Half of what may be lost is left to the walk.
            let tuning = ranks.tuning(1.0 - (1.0 - recall as f32) / 2.0, 0);
            eprintln!(
                "{name} {kind} {tag}: {tuning:?}, {:?}",
                graph.settings().layout
            );
            let depth = tuning.depth as usize;
            owns.push(Own {
                kind: format!("{kind}.{tag}"),
                graph,
                depth: if depth > K { depth } else { 0 },
            });
        }
    }
    owns
}

/// The graph over all rows, and the CPU seconds that took.
pub fn built(metric: Metric, set: &Set) -> (Graph, f64) {
    built_as(metric, set, Layout::Wide)
}

fn frame(metric: Metric, set: &Set) -> Frame {
    let sample = &set.base[..set.dim * SAMPLE.min(set.count())];
    Frame::new(metric, set.dim, sample, 7)
}

/// The compact layout, its width chosen for the highest of the recalls.
fn compact_layout(metric: Metric, set: &Set) -> Layout {
    let sample = &set.base[..set.dim * CHOSEN_FROM.min(set.count())];
    Layout::compact(&frame(metric, set), sample, 0.995)
}

fn built_as(metric: Metric, set: &Set, layout: Layout) -> (Graph, f64) {
    let settings = Settings {
        layout,
        ..Settings::default()
    };
    let mut graph = Graph::new(frame(metric, set), settings);
    let start = sets::cpu_seconds();
    graph.insert(&set.base, &Alone);
    (graph, sets::cpu_seconds() - start)
}

/// All queries, one after the other; nothing is re-ranked when `depth` is 0.
fn ours(
    graph: &Graph,
    set: &Set,
    effort: usize,
    depth: usize,
    scratch: &mut WalkScratch,
) -> (f64, Vec<Vec<u32>>) {
    let start = sets::cpu_seconds();
    let queries = set.queries.chunks_exact(set.dim);
    let ids = queries
        .map(|query| {
            let hits = if depth == 0 {
                graph.search(query, K, effort, |_| true, scratch)
            } else {
                let row = |slot| set.row(slot);
                graph.search_reranked(query, K, (effort, depth), |_| true, row, scratch)
            };
            hits.iter().map(|hit| hit.slot).collect()
        })
        .collect();
    (sets::cpu_seconds() - start, ids)
}

impl Curve {
    /// Nothing measured yet.
    pub fn new(name: &str, build_s: f64, bytes: f64) -> Self {
        let points = Vec::new();
        Self {
            name: name.to_owned(),
            points,
            build_s,
            bytes,
        }
    }

    /// Keeps what one round of one effort gave.
    pub fn keep(&mut self, round: usize, effort: usize, seconds: f64, recall: f64) {
        if self.points.len() <= effort {
            self.points.push(Point {
                recall,
                seconds: Vec::new(),
            });
        }
        if round > 0 {
            self.points[effort].seconds.push(seconds);
        }
    }

    /// Queries a second at `recall` in each round; nothing when no effort reaches it.
    pub fn speeds(&self, recall: f64, queries: usize) -> Option<Vec<f64>> {
        let at = self
            .points
            .iter()
            .position(|point| point.recall >= recall)?;
        let speed = |point: &Point, round: usize| queries as f64 / point.seconds[round];
        let rounds = self.points[at].seconds.len();
        let high = &self.points[at];
        Some(
            (0..rounds)
                .map(
                    |round| match at.checked_sub(1).map(|low| &self.points[low]) {
                        None => speed(high, round),
                        Some(low) => {
                            let share = (recall - low.recall) / (high.recall - low.recall);
                            let (from, to) = (speed(low, round).ln(), speed(high, round).ln());
                            (from + (to - from) * share).exp()
                        }
                    },
                )
                .collect(),
        )
    }
}

fn figures(name: &str, set: &Set, owns: &[Curve], peers: &[Curve]) -> Vec<Figure> {
    let mut figures = Vec::new();
    let input = format!(
        "{} x {}, {} queries, top {K}, one thread, CPU time",
        set.count(),
        set.dim,
        set.query_count()
    );
    for own in owns {
        // What was chosen for one recall is compared at that one.
        let (kind, meant) = own.name.split_once('.').unwrap_or((&own.name, ""));
        let meant = RECALLS
            .iter()
            .filter(|(_, tag)| meant.is_empty() || meant == *tag);
        for &(recall, tag) in meant {
            let Some(speeds) = own.speeds(recall, set.query_count()) else {
                continue;
            };
            for peer in peers {
                let named = format!("vector.graph.{name}.{kind}.{tag}.{}", peer.name);
                let note = format!(
                    "{input}; {:.0} B a vector beside {:.0} (resident)",
                    own.bytes, peer.bytes
                );
                let figure = Figure::new(named, "queries/s", Better::More, speeds.clone());
                let figure = figure.recall(recall);
                figures.push(match peer.speeds(recall, set.query_count()) {
                    Some(theirs) => figure.beside(peer.name.clone(), &theirs).note(note),
                    None => figure.note(format!("{note}; {} does not reach it", peer.name)),
                });
            }
        }
    }
    let (wide, compact) = (owns.first(), owns.last());
    for (kind, own) in [("indexed", wide), ("compact_indexed", compact)] {
        for (own, peer) in own
            .into_iter()
            .flat_map(|own| peers.iter().map(move |p| (own, p)))
        {
            let named = format!("vector.graph.{name}.{kind}.{}", peer.name);
            let rate = |curve: &Curve| set.count() as f64 / curve.build_s;
            figures.push(
                Figure::new(named, "vectors/s", Better::More, vec![rate(own)])
                    .beside(peer.name.clone(), &[rate(peer)])
                    .note(format!(
                        "{input}; ours is inserted in batches of 256, searchable after each"
                    )),
            );
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_at_a_recall_is_interpolated_between_efforts() {
        let mut curve = Curve::new("x", 1.0, 1.0);
        for round in 0..2 {
            curve.keep(round, 0, 1.0, 0.8);
            curve.keep(round, 1, 4.0, 0.9);
        }
        let at = |recall| curve.speeds(recall, 8).map(|speeds| speeds[0].round());
        assert_eq!(
            (at(0.7), at(0.85), at(0.9), at(0.95)),
            (Some(8.0), Some(4.0), Some(2.0), None)
        );
    }
}
