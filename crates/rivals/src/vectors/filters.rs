//! Filtered search, `collection::plan` over `vector::graph`, beside qdrant-edge with its index of payloads.
//!
//! A hundredth, a tenth and a half of the rows pass: drawn at random, or those of some regions, so that
//! most queries have none of them near, or all. What is compared is the speed at one recall, of answers
//! ordered by whole rows.

mod ours;

use anyhow::Result;
use collection::plan::PlanScratch;
use stdx::Rng;
use vector::flat::{Scan, top_k};
use vector::{Metric, Scratch};

use super::graph::peers::{Peers, Script};
use super::graph::sets::{self, Set};
use super::graph::{Curve, K};
use crate::Size;
use crate::report::{Better, Figure, Report};
use ours::{Ours, Told};

const QUERIES: usize = 500;
const ROUNDS: usize = 3;
const EFFORTS: [usize; 6] = [20, 50, 100, 200, 400, 800];
const RECALL: f64 = 0.99;
const PERCENTS: [usize; 3] = [1, 10, 50];
/// Regions: the rows nearest to so many rows.
const REGIONS: usize = 200;
/// Question by question as ours, and all questions in one call, which reads rows that pass once for all.
const PEERS: [&str; 2] = ["qdrant-edge", "qdrant-edge-batch"];

/// One kind of filter.
struct Kind {
    /// `random_10`; also the name of the field whose value is `in` for rows that pass.
    name: String,
    passes: Vec<bool>,
    /// The exact nearest of each query among them.
    truth: Vec<Vec<u32>>,
}

/// Figures of the set that is here.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    let Some(set) = sets::find("text", size.of(QUERIES))? else {
        report.step(&format!("skipped: filters: no set in {}", sets::FOLDER));
        return Ok(());
    };
    report.step("vector: filters");
    let figures = measure(&set, Metric::Cosine, size)?;
    figures.into_iter().for_each(|figure| report.add(figure));
    Ok(())
}

fn measure(set: &Set, metric: Metric, size: &Size) -> Result<Vec<Figure>> {
    let kinds = kinds(set, metric);
    let tags = tempfile::tempdir()?;
    let path = tags.path().join("tags.txt");
    std::fs::write(&path, tag_lines(&kinds))?;
    let script = Script {
        path: "crates/rivals/python/filter_peers.py",
        packages: &["numpy", "qdrant-edge-py==0.9.0"],
        more: &[path.display().to_string()],
    };
    let mut peers = Peers::start_script(size, set, metric, &script)?;
    let has_peer = peers
        .as_mut()
        .and_then(|peers| peers.build(PEERS[0]))
        .is_some();
    let ours = Ours::new(set, metric, &kinds);
    ours.tell_costs(set);
    let mut figures = Vec::new();
    for kind in &kinds {
        let mut curves = ["ours", PEERS[0], PEERS[1]].map(|name| Curve::new(name, 0.0, 0.0));
        let mut scratch = (PlanScratch::default(), Scratch::default());
        let mut told = Told::default();
        for round in 0..=ROUNDS {
            for (n, &effort) in EFFORTS.iter().enumerate() {
                told = Told::default();
                let (seconds, ids) = ours.search(set, kind, effort, &mut scratch, &mut told);
                if round == 0 {
                    eprintln!(
                        "{} ef {effort}: recall {:.4}, {told:?}",
                        kind.name,
                        kind.recall(&ids)
                    );
                }
                curves[0].keep(round, n, seconds, kind.recall(&ids));
                for (peer, curve) in PEERS.iter().zip(&mut curves[1..]) {
                    let asked = format!("{peer}:{}", kind.name);
                    let theirs = peers.as_mut().filter(|_| has_peer);
                    if let Some((seconds, ids)) = theirs.and_then(|p| p.search(&asked, effort)) {
                        curve.keep(round, n, seconds, kind.recall(&ids));
                    }
                }
            }
        }
        figures.extend(figures_of(set, kind, &curves, &told));
    }
    Ok(figures)
}

fn figures_of(set: &Set, kind: &Kind, curves: &[Curve; 3], told: &Told) -> Vec<Figure> {
    let Some(speeds) = curves[0].speeds(RECALL, set.query_count()) else {
        return Vec::new();
    };
    let input = format!(
        "{} x {}, {} queries, top {K} of what passes, ordered by whole rows, one thread, CPU time",
        set.count(),
        set.dim,
        set.query_count()
    );
    let note = format!("{input}; at the widest beam {told:?}");
    let figure = |peer: &Curve| {
        let named = format!("vector.filters.{}.{}", kind.name, peer.name);
        let figure = Figure::new(named, "queries/s", Better::More, speeds.clone()).recall(RECALL);
        match peer.speeds(RECALL, set.query_count()) {
            Some(theirs) => figure.beside(peer.name.clone(), &theirs).note(note.clone()),
            None => figure.note(format!("{note}; {} did not reach the recall", peer.name)),
        }
    };
    curves[1..].iter().map(figure).collect()
}

impl Kind {
    fn recall(&self, found: &[Vec<u32>]) -> f64 {
        let hits = found.iter().zip(&self.truth);
        let hits = hits.map(|(found, truth)| truth.iter().filter(|s| found.contains(s)).count());
        hits.sum::<usize>() as f64 / self.truth.iter().map(Vec::len).sum::<usize>() as f64
    }
}

fn kinds(set: &Set, metric: Metric) -> Vec<Kind> {
    let mut rng = Rng::new(17);
    let order = region_order(set, metric, &mut rng);
    let mut kinds = Vec::new();
    for percent in PERCENTS {
        let count = set.count() * percent / 100;
        let random = (0..set.count())
            .map(|_| rng.below(100) < percent as u64)
            .collect();
        let mut regions = vec![false; set.count()];
        order[..count]
            .iter()
            .for_each(|&slot| regions[slot as usize] = true);
        for (name, passes) in [("random", random), ("region", regions)] {
            let truth = truth(set, metric, &passes);
            let name = format!("{name}_{percent}");
            kinds.push(Kind {
                name,
                passes,
                truth,
            });
        }
    }
    kinds
}

/// All rows, region by region: each lies in that of the nearest of some rows.
fn region_order(set: &Set, metric: Metric, rng: &mut Rng) -> Vec<u32> {
    let centres: Vec<f32> = (0..REGIONS)
        .flat_map(|_| {
            set.row(rng.below(set.count() as u64) as u32)
                .iter()
                .copied()
        })
        .collect();
    let region = |slot: u32| {
        let nearest = top_k(metric, set.dim, &centres, set.row(slot), 1, |_| true);
        nearest.first().map_or(0, |hit| hit.slot)
    };
    let mut order: Vec<(u32, u32)> = (0..set.count() as u32)
        .map(|slot| (region(slot), slot))
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, slot)| slot).collect()
}

fn truth(set: &Set, metric: Metric, passes: &[bool]) -> Vec<Vec<u32>> {
    let passing: Vec<u32> = (0..)
        .zip(passes)
        .filter(|(_, p)| **p)
        .map(|(s, _)| s)
        .collect();
    let mut scratch = Scratch::default();
    let queries = set.queries.chunks_exact(set.dim);
    queries
        .map(|query| {
            let mut scan = Scan::new(metric, query, K, &mut scratch);
            scan.slots(passing.iter().copied(), |slot| set.row(slot));
            scan.finish().iter().map(|hit| hit.slot).collect()
        })
        .collect()
}

/// For the peer: a line for each kind, its name and a character for each row.
fn tag_lines(kinds: &[Kind]) -> String {
    let lines = kinds.iter().map(|kind| {
        let tags = kind
            .passes
            .iter()
            .map(|&passes| if passes { '1' } else { '0' });
        format!("{} {}\n", kind.name, tags.collect::<String>())
    });
    lines.collect()
}
