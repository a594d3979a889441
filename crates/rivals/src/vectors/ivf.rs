//! `vector::ivf` beside rabitqlib's IVF of 5 bits on real sets, at equal recall.
//!
//! Ours is searched in the bytes of its segment. Bytes a vector are what must be in memory: of ours the
//! part before the fine codes, of the peer what its process grew by. Fine codes are read from the page
//! cache here; how many of them a search reads is in the note. Sets and turns as for the graph.

use anyhow::Result;
use vector::Metric;
use vector::graph::{Alone, Frame};
use vector::ivf::{Counts, Effort, Index, SearchScratch, Segment, Settings};

use super::graph::peers::Peers;
use super::graph::sets::{self, Set};
use super::graph::{Curve, K, RECALLS};
use crate::Size;
use crate::report::{Better, Figure, Report};

const ROUNDS: usize = 5;
const QUERIES: usize = 1_000;
/// Lists probed, by ours and by the peer.
const EFFORTS: [usize; 15] = [4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];
const PEERS: [&str; 2] = ["rabitq-ivf", "rabitq-ivf-same"];
/// Rows that the centre is taken from.
const SAMPLE: usize = 5_000;

/// All figures of the sets that are here.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    let sets = [
        ("fashion", Metric::L2),
        ("text", Metric::Cosine),
        ("glove", Metric::Cosine),
        ("synth1m", Metric::Cosine),
    ];
    for (name, metric) in sets {
        match sets::find(name, size.of(QUERIES))? {
            Some(set) => {
                report.step(&format!("vector: lists on {name}"));
                let figures = measure(name, metric, &set, size)?;
                figures.into_iter().for_each(|figure| report.add(figure));
            }
            None => report.step(&format!(
                "skipped: vector lists on {name}: no set in {}",
                sets::FOLDER
            )),
        }
    }
    Ok(())
}

/// What a search of ours does, on average.
#[derive(Clone, Copy)]
struct Work {
    recall: f64,
    rows: f64,
    cold_reads: f64,
}

fn measure(name: &str, metric: Metric, set: &Set, size: &Size) -> Result<Vec<Figure>> {
    let (bytes, build_s) = built(metric, set);
    let segment = Segment::open(bytes.as_slice())?;
    let resident = segment.hot_range().len() as f64 / set.count() as f64;
    let mut peers = Peers::start(size, set, metric)?;
    let mut curves = vec![Curve::new("ours", build_s, resident)];
    let mut others = Vec::new();
    for peer in PEERS {
        // The second has as many lists as ours.
        let ask = format!("{peer} {}", segment.lists());
        if let Some((seconds, bytes)) = peers.as_mut().and_then(|peers| peers.build(&ask)) {
            others.push(peer);
            curves.push(Curve::new(peer, seconds, bytes));
        }
    }
    let (mut scratch, mut work) = (SearchScratch::default(), Vec::new());
    for round in 0..=ROUNDS {
        // The first round warms up and is not kept.
        for (n, &effort) in EFFORTS.iter().enumerate() {
            let (seconds, ids, counts) = ours(&segment, set, effort, &mut scratch);
            let recall = set.recall(&ids);
            curves[0].keep(round, n, seconds, recall);
            if round == 0 {
                let each = |count: usize| count as f64 / ids.len() as f64;
                work.push(Work {
                    recall,
                    rows: each(counts.rows),
                    cold_reads: each(counts.cold_reads),
                });
            }
            for (peer, curve) in others.iter().zip(curves.iter_mut().skip(1)) {
                if let Some((seconds, ids)) = peers.as_mut().and_then(|p| p.search(peer, effort)) {
                    curve.keep(round, n, seconds, set.recall(&ids));
                }
            }
        }
    }
    let disk = bytes.len() as f64 / set.count() as f64;
    Ok(figures(name, set, &curves, &work, (segment.lists(), disk)))
}

fn built(metric: Metric, set: &Set) -> (Vec<u8>, f64) {
    let sample = &set.base[..set.dim * SAMPLE.min(set.count())];
    let frame = Frame::new(metric, set.dim, sample, 7);
    let slots: Vec<u32> = (0..set.count() as u32).collect();
    let start = sets::cpu_seconds();
    let mut index = Index::new(frame, Settings::default(), &set.base, set.count(), &Alone);
    index.insert(&slots, |slot| set.row(slot), &Alone);
    let bytes = index.to_bytes();
    (bytes, sets::cpu_seconds() - start)
}

/// All queries, one after the other.
fn ours(
    segment: &Segment<&[u8]>,
    set: &Set,
    probes: usize,
    scratch: &mut SearchScratch,
) -> (f64, Vec<Vec<u32>>, Counts) {
    let mut sum = Counts::default();
    let start = sets::cpu_seconds();
    let queries = set.queries.chunks_exact(set.dim);
    let ids = queries.map(|query| {
        let found = segment.search(query, K, Effort::probes(probes), |_| true, scratch);
        sum.rows += found.counts.rows;
        sum.cold_reads += found.counts.cold_reads;
        found.hits.iter().map(|hit| hit.slot).collect()
    });
    let ids = ids.collect();
    (sets::cpu_seconds() - start, ids, sum)
}

fn figures(
    name: &str,
    set: &Set,
    curves: &[Curve],
    work: &[Work],
    (lists, disk): (usize, f64),
) -> Vec<Figure> {
    let mut figures = Vec::new();
    let queries = set.query_count();
    let input = format!(
        "{} x {}, {lists} lists, {queries} queries, top {K}, one thread, CPU time",
        set.count(),
        set.dim
    );
    let own = &curves[0];
    for (recall, tag) in RECALLS {
        let (Some(speeds), Some(work)) = (
            own.speeds(recall, queries),
            work.iter().find(|work| work.recall >= recall),
        ) else {
            continue;
        };
        let figure = |named: String| {
            Figure::new(named, "queries/s", Better::More, speeds.clone()).recall(recall)
        };
        let note = format!(
            "{input}; {:.0} rows scanned and {:.0} fine codes read a query; {:.0} B a vector resident, {disk:.0} on disk",
            work.rows, work.cold_reads, own.bytes
        );
        let mut is_beside = false;
        for peer in &curves[1..] {
            if let Some(theirs) = peer.speeds(recall, queries) {
                is_beside = true;
                let named = format!("vector.ivf.{name}.{tag}.{}", peer.name);
                let note = format!("{note}, beside {:.0}", peer.bytes);
                figures.push(figure(named).beside(peer.name.clone(), &theirs).note(note));
            }
        }
        if !is_beside {
            let note = format!("{note}; no peer reaches it");
            figures.push(figure(format!("vector.ivf.{name}.{tag}")).note(note));
        }
    }
    let rate = |curve: &Curve| set.count() as f64 / curve.build_s;
    for peer in &curves[1..] {
        let named = format!("vector.ivf.{name}.built.{}", peer.name);
        figures.push(
            Figure::new(named, "vectors/s", Better::More, vec![rate(own)])
                .beside(peer.name.clone(), &[rate(peer)])
                .note(format!(
                    "{input}; ours is inserted in chunks of 1,024, lists split on the way"
                )),
        );
    }
    figures
}
