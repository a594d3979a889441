//! `vector::graph` beside SymphonyQG and hnswlib on real sets, at equal recall.
//!
//! The sets are prepared outside (`docs/benchmarks.md` says how) as NAME.base.npy, NAME.query.npy and
//! NAME.gt.npy; a set that is not there is passed over. Every effort is timed in every round, ours and
//! the peers' by turns; what is compared is the speed at one recall, interpolated between efforts.

pub mod peers;
pub mod sets;

use anyhow::Result;
use vector::Metric;
use vector::graph::{Alone, Frame, Graph, Settings, WalkScratch};

use crate::Size;
use crate::report::{Better, Figure, Report};
use peers::Peers;
use sets::Set;

/// Answers.
pub const K: usize = 10;
const ROUNDS: usize = 5;
const QUERIES: usize = 2_000;
/// Beams, of ours and of the peers alike.
const EFFORTS: [usize; 11] = [10, 14, 20, 28, 40, 60, 90, 140, 220, 300, 400];
/// Rows found that are ordered again by their whole rows.
const RERANK: usize = 20;
pub(super) const RECALLS: [(f64, &str); 3] = [(0.90, "r90"), (0.95, "r95"), (0.99, "r99")];
const PEERS: [&str; 3] = ["symphonyqg", "symphonyqg8", "hnswlib"];
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
    for (name, metric) in [("fashion", Metric::L2), ("text", Metric::Cosine)] {
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

fn measure(name: &str, metric: Metric, set: &Set, size: &Size) -> Result<Vec<Figure>> {
    let (graph, build_s) = built(metric, set);
    let own_bytes = graph.size_bytes() as f64 / set.count() as f64;
    let whole_bytes = own_bytes + 4.0 * set.dim as f64;
    let mut peers = Peers::start(size, set, metric)?;
    let mut curves = vec![
        Curve::new("ours", build_s, own_bytes),
        Curve::new("ours, re-ranked", build_s, whole_bytes),
    ];
    let mut others = Vec::new();
    for peer in PEERS {
        if let Some((seconds, bytes)) = peers.as_mut().and_then(|peers| peers.build(peer)) {
            others.push(peer);
            curves.push(Curve::new(peer, seconds, bytes));
        }
    }
    let mut scratch = WalkScratch::default();
    for round in 0..=ROUNDS {
        // The first round warms up and is not kept.
        for (n, &effort) in EFFORTS.iter().enumerate() {
            for (own, curve) in curves.iter_mut().take(2).enumerate() {
                let depth = own * RERANK;
                let (seconds, ids) = ours(&graph, set, effort, depth, &mut scratch);
                curve.keep(round, n, seconds, set.recall(&ids));
            }
            for (peer, curve) in others.iter().zip(curves.iter_mut().skip(2)) {
                if let Some((seconds, ids)) = peers.as_mut().and_then(|p| p.search(peer, effort)) {
                    curve.keep(round, n, seconds, set.recall(&ids));
                }
            }
        }
    }
    Ok(figures(name, set, &curves))
}

/// The graph over all rows, and the CPU seconds that took.
pub fn built(metric: Metric, set: &Set) -> (Graph, f64) {
    let sample = &set.base[..set.dim * SAMPLE.min(set.count())];
    let frame = Frame::new(metric, set.dim, sample, 7);
    let mut graph = Graph::new(frame, Settings::default());
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

fn figures(name: &str, set: &Set, curves: &[Curve]) -> Vec<Figure> {
    let mut figures = Vec::new();
    let input = format!(
        "{} x {}, {} queries, top {K}, one thread, CPU time",
        set.count(),
        set.dim,
        set.query_count()
    );
    for own in curves.iter().take(2) {
        let kind = if own.name == "ours" {
            "bytes"
        } else {
            "reranked"
        };
        for (recall, tag) in RECALLS {
            let Some(speeds) = own.speeds(recall, set.query_count()) else {
                continue;
            };
            for peer in &curves[2..] {
                let Some(theirs) = peer.speeds(recall, set.query_count()) else {
                    continue;
                };
                let named = format!("vector.graph.{name}.{kind}.{tag}.{}", peer.name);
                let note = format!(
                    "{input}; {:.0} B a vector beside {:.0} (resident)",
                    own.bytes, peer.bytes
                );
                figures.push(
                    Figure::new(named, "queries/s", Better::More, speeds.clone())
                        .beside(peer.name.clone(), &theirs)
                        .recall(recall)
                        .note(note),
                );
            }
        }
    }
    for peer in &curves[2..] {
        let named = format!("vector.graph.{name}.indexed.{}", peer.name);
        let rate = |curve: &Curve| set.count() as f64 / curve.build_s;
        figures.push(
            Figure::new(named, "vectors/s", Better::More, vec![rate(&curves[0])])
                .beside(peer.name.clone(), &[rate(peer)])
                .note(format!(
                    "{input}; ours is inserted in batches of 256, searchable after each"
                )),
        );
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
