//! Trigger to bundle while the simulated venue speaks through sockets, lane and node; and what was found of its planted
//! causes. All news and moves are simulated, and the templates of the news were known when the ranker was written: real words are
//! in `crates/rag/tests/shocks`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use collection::SyncPolicy;
use node::{Bundle, DigestCheck, EvidenceWorker, Node, Pump, Settings};
use stdx::{Clock, ManualClock, SystemClock};
use venue::Shock;

use super::load::{Load, Pace};
use super::memory::{document, fill};
use super::questions::by_stage;
use crate::Size;
use crate::measure::quantile;
use crate::report::{Better, Figure, Report};

/// As fast as the brief asks for, a shock each half second.
pub(super) const PACE: Pace = Pace {
    rate: 500_000.0,
    symbols: 1_000,
    gap_ns: (400_000_000, 600_000_000),
};
const DOCUMENTS: usize = 20_000;
/// How long the venue speaks.
const SECONDS: usize = 150;
/// The opening of a thousand books, which nobody times.
pub(super) const WARM: Duration = Duration::from_secs(5);

/// Which time of a bundle, ns.
type Time = fn(&Bundle) -> u64;

/// Figures of one run.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    report.step("answers: shocks at 500,000 messages a second");
    let folder = tempfile::tempdir()?;
    let settings = Settings {
        dir: folder.path().to_path_buf(),
        sync: SyncPolicy::Never,
        limits: collection::Options::default(),
        embedding: node::EmbeddingLimits::default(),
    };
    let node = Arc::new(Node::open(&settings, Arc::new(SystemClock))?);
    let documents = fill(&node, size.of(DOCUMENTS), SystemClock.now_ns())?;
    node.documents().collection().settle();
    let clock = Arc::new(ManualClock::at(SystemClock.now_ns()));
    let (load, lane) = Load::start(PACE, clock)?;
    let worker = EvidenceWorker::spawn(Arc::clone(&node))?;
    let check = Arc::new(DigestCheck::default());
    let pump = Pump::spawn(Arc::clone(&node), vec![lane], 0, check)?;
    load.flow(true);
    publish(&node, &load, WARM)?;
    let (before, began) = (load.said(), Instant::now());
    publish(&node, &load, Duration::from_secs(size.of(SECONDS) as u64))?;
    let (said, took) = (load.said() - before, began.elapsed());
    let planted = load.planted();
    let feed = node.market().feeds().first().copied().unwrap_or_default();
    drop((load, pump, worker));
    let bundles = node.bundles().after(0);
    ensure!(!bundles.is_empty(), "no signal asked for evidence");
    let counts = node.evidence_counts();
    let states = node.moments().counts().states;
    let found = judged(&bundles, &planted);
    let rate = said as f64 / took.as_secs_f64();
    let note = format!(
        "{} bundles of {} triggers, {} dropped; stream {rate:.0} messages/s, {} messages lost; {documents} passages and \
         {states} market states; {found}; simulated",
        counts.bundles, counts.triggers, counts.dropped, feed.lost,
    );
    figures(&bundles, &note)
        .into_iter()
        .for_each(|figure| report.add(figure));
    Ok(())
}

fn figures(bundles: &[Arc<Bundle>], note: &str) -> Vec<Figure> {
    let since = |of: Time| -> Vec<f64> {
        let times = bundles.iter().map(|bundle| of(bundle) as f64 / 1e6);
        times.collect()
    };
    let sides: [(&str, Time); 2] = [
        ("trigger_to_bundle", |b| b.took_ns),
        ("received_to_bundle", |b| {
            let queued = b
                .trigger
                .had_ns
                .saturating_sub(b.trigger.signal.stamp.ts_recv);
            queued + b.took_ns
        }),
    ];
    let receipts = bundles
        .iter()
        .map(|b| &b.explained.answer.receipt.stages_us);
    let stages = by_stage(&receipts.collect::<Vec<_>>(), &[0.5, 0.99]);
    let waited = |q: f64| quantile(&mut since(|b| b.waited_ns), q);
    let note = format!(
        "{note}; us by stage: {stages}; waited for the worker {:.1} ms at p50, {:.1} at p99",
        waited(0.5),
        waited(0.99)
    );
    let answered: Time = |b| b.explained.answer.receipt.stages_us.total * 1_000;
    let mut figures = Vec::new();
    for (name, side) in sides {
        for (q_name, q) in [("p50", 0.5), ("p99", 0.99)] {
            let value = quantile(&mut since(side), q);
            let name = format!("evidence.{name}.{q_name}");
            let figure = Figure::new(name, "ms", Better::Less, vec![value]).note(note.clone());
            let answer = quantile(&mut since(answered), q);
            figures.push(figure.beside("the answer alone", &[answer]));
        }
    }
    figures
}

/// Makes items of news known as they are published, for so long.
pub(super) fn publish(node: &Node, load: &Load, length: Duration) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < length {
        if let Ok(item) = load.news.recv_timeout(Duration::from_millis(50)) {
            let stored = node.asker(None).ingest(&document("live", &item));
            stored.context("storing an item of news")?;
        }
    }
    Ok(())
}

/// Of the first move of each symbol: an earlier one's cause may be taken for a later one's.
fn judged(bundles: &[Arc<Bundle>], planted: &[Shock]) -> String {
    let mut seen = HashSet::new();
    let (mut caused, mut hits, mut uncaused, mut invented) = (0, 0, 0, 0);
    for shock in planted
        .iter()
        .filter(|shock| seen.insert(shock.symbol.clone()))
    {
        let within = shock.at_ns..=shock.at_ns + shock.span_ns;
        let of_it = |b: &&Arc<Bundle>| {
            b.trigger.symbol == shock.symbol && within.contains(&b.trigger.signal.stamp.ts_event)
        };
        let Some(bundle) = bundles.iter().find(of_it) else {
            continue;
        };
        let cited = &bundle.explained.answer.citations;
        match shock.cause {
            Some(id) => {
                caused += 1;
                let id = format!("live-{id}");
                hits += usize::from(cited.iter().take(3).any(|c| c.document_id == id));
            }
            None => {
                uncaused += 1;
                invented += usize::from(!cited.is_empty());
                if let Some(first) = cited.first() {
                    eprintln!(
                        "... no cause of {}, and cited: {}",
                        shock.symbol, first.quote
                    );
                }
            }
        }
    }
    format!("hit@3 {hits} of {caused}, false causes {invented} of {uncaused}")
}
