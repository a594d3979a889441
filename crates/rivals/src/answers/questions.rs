//! Search and ask over a node's memory, with and without a market stream through the same process.
//!
//! The two take turns on one node: the venue speaks for one round and is held still for the next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use collection::SyncPolicy;
use node::{DigestCheck, Node, Pump, Settings};
use rag::{Asker, Question, SearchRequest};
use stdx::{Clock, ManualClock, SystemClock};

use super::load::{Load, Pace};
use super::memory::{document, fill};
use crate::Size;
use crate::measure::{median, quantile, time_ns};
use crate::report::{Better, Figure, Report};

const PACE: Pace = Pace {
    rate: 100_000.0,
    symbols: 100,
    gap_ns: (2_000_000_000, 3_000_000_000),
};
const DOCUMENTS: usize = 20_000;
/// Names another number of documents, for a look at how times grow with them.
const DOCUMENTS_ENV: &str = "OUZEL_BENCH_DOCUMENTS";
const ROUNDS: usize = 5;
const CALLS: usize = 100;
/// Between the instants of the past that are asked about: six hours.
const PAST_NS: u64 = 6 * 3_600_000_000_000;
/// Long enough for some shocks and the news that caused them.
const WARM: Duration = Duration::from_secs(10);
/// Between switching the stream and measuring.
const SETTLE: Duration = Duration::from_millis(200);

/// One round's latencies and what became of the questions.
#[derive(Default)]
struct Round {
    search_ms: Vec<f64>,
    ask_ms: Vec<f64>,
    /// The same searches as of the present, and as of some instant of the week before.
    as_of_ms: Vec<f64>,
    past_ms: Vec<f64>,
    stages: Vec<rag::Stages>,
    cited: usize,
    abstained: usize,
    per_second: f64,
}

/// Which latencies of a round.
type Side = fn(&mut Round) -> &mut Vec<f64>;

/// Which time of a search.
type Stage = fn(&rag::Stages) -> u64;

/// All rounds.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(ManualClock::at(SystemClock.now_ns()));
    let settings = Settings {
        dir: folder.path().to_path_buf(),
        sync: SyncPolicy::Never,
        limits: node::memory::document_limits(),
        embedding: node::EmbeddingLimits::default(),
    };
    let shared: Arc<dyn Clock> = clock.clone();
    let node = Arc::new(Node::open(&settings, shared)?);
    report.step("answers: filling the memory");
    let asked = std::env::var(DOCUMENTS_ENV).ok();
    let count = asked.and_then(|text| text.parse().ok());
    let documents = fill(&node, count.unwrap_or(size.of(DOCUMENTS)), clock.now_ns())?;
    node.documents().collection().settle();
    let (load, lane) = Load::start(PACE, clock)?;
    let pump = Pump::spawn(
        Arc::clone(&node),
        vec![lane],
        0,
        Arc::new(DigestCheck::default()),
    )?;
    report.step("answers: a market opens and moves");
    load.flow(true);
    std::thread::sleep(WARM);
    take_news(&node, &load)?;
    let questions = questions(&node);
    report.step("answers: questions with and without the stream");
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        with.push(round(&node, &load, &questions, size.of(CALLS), true)?);
        without.push(round(&node, &load, &questions, size.of(CALLS), false)?);
        take_news(&node, &load)?;
    }
    let feed = node.market().feeds().first().copied().unwrap_or_default();
    let said = load.said();
    drop(load);
    drop(pump);
    ensure!(
        feed.next_seq > 1,
        "the lane heard nothing of {said} messages"
    );
    let note = format!(
        "{documents} chunks of simulated news, {} questions; stream {:.0} messages/s, {} of {said} lost",
        questions.len(),
        median(
            &with
                .iter()
                .map(|round| round.per_second)
                .collect::<Vec<_>>()
        ),
        feed.lost,
    );
    figures(&mut with, &mut without, &note)
        .into_iter()
        .for_each(|figure| report.add(figure));
    Ok(())
}

/// The items published since the last call, made known to the node.
fn take_news(node: &Node, load: &Load) -> Result<()> {
    let asker = node.asker(None);
    for item in load.news.try_iter() {
        asker
            .ingest(&document("live", &item))
            .context("storing an item of news")?;
    }
    Ok(())
}

/// About what moves, about each mover, and about as many that did not move.
fn questions(node: &Node) -> Vec<String> {
    let view = node.market();
    let moved = view
        .signals_from(0)
        .filter_map(|s| view.symbols().get(s.symbol_idx));
    let mut movers: Vec<String> = moved.map(|s| s.symbol.clone()).collect();
    movers.sort();
    movers.dedup();
    let still = view.symbols().iter().map(|s| s.symbol.clone());
    let still: Vec<String> = still
        .filter(|s| !movers.contains(s))
        .take(movers.len().max(3))
        .collect();
    let mut questions = vec!["What is moving and why?".to_owned()];
    questions.extend(
        movers
            .iter()
            .chain(&still)
            .map(|s| format!("Why did {s} move?")),
    );
    questions
}

fn round(
    node: &Node,
    load: &Load,
    questions: &[String],
    calls: usize,
    flows: bool,
) -> Result<Round> {
    load.flow(flows);
    std::thread::sleep(SETTLE);
    // Every list is asked for: what is kept from the last round would answer at once.
    // Stages by the machine's clock: the node's is the venue's.
    let asker = Asker {
        kept: None,
        clock: &SystemClock,
        ..node.asker(None)
    };
    let mut round = Round::default();
    let (said, start) = (load.said(), Instant::now());
    for question in questions.iter().cycle().take(calls) {
        let request = SearchRequest {
            q: question.clone(),
            ..SearchRequest::default()
        };
        let mut found = None;
        round
            .search_ms
            .push(time_ns(|| found = Some(asker.search(&request))) / 1e6);
        let found = found.context("a search that was timed has ended")??;
        let now = found.receipt.memory.instant.unwrap_or_default();
        round.stages.push(found.receipt.stages_us);
        let back = 1 + round.past_ms.len() as u64 % 24;
        for (as_of, times) in [
            (now, &mut round.as_of_ms),
            (now - back * PAST_NS, &mut round.past_ms),
        ] {
            let request = SearchRequest {
                as_of: Some(as_of),
                ..request.clone()
            };
            let mut then = None;
            times.push(time_ns(|| then = Some(asker.search(&request))) / 1e6);
            then.context("a search as of an instant has ended")??;
        }
        let mut answer = None;
        let question = Question::new(question.clone());
        round
            .ask_ms
            .push(time_ns(|| answer = Some(asker.ask(&question, &mut |_| true))) / 1e6);
        let answer = answer.context("a question that was timed has ended")??;
        round.cited += usize::from(!answer.citations.is_empty());
        round.abstained += usize::from(answer.abstained);
    }
    round.per_second = (load.said() - said) as f64 / start.elapsed().as_secs_f64();
    Ok(round)
}

fn figures(with: &mut [Round], without: &mut [Round], note: &str) -> Vec<Figure> {
    let counts = |rounds: &[Round]| {
        let cited: usize = rounds.iter().map(|r| r.cited).sum();
        let abstained: usize = rounds.iter().map(|r| r.abstained).sum();
        format!("{cited} cited, {abstained} abstained")
    };
    let note = format!(
        "{note}; with the stream {}, without {}",
        counts(with),
        counts(without)
    );
    let at = |rounds: &mut [Round], side: fn(&mut Round) -> &mut Vec<f64>, q: f64| -> Vec<f64> {
        rounds
            .iter_mut()
            .map(|round| quantile(side(round), q))
            .collect()
    };
    let sides: [(&str, Side); 2] = [
        ("search", |round| &mut round.search_ms),
        ("ask", |round| &mut round.ask_ms),
    ];
    let stages: Vec<&rag::Stages> = without.iter().flat_map(|round| &round.stages).collect();
    let stages = by_stage(&stages, &[0.5]);
    let note = format!("{note}; search by stage, us at p50: {stages}");
    let mut figures = Vec::new();
    let now = at(without, |round| &mut round.search_ms, 0.5);
    let as_of: [(&str, Side); 2] = [
        ("as_of_now", |round| &mut round.as_of_ms),
        ("as_of_past", |round| &mut round.past_ms),
    ];
    for (name, side) in as_of {
        let name = format!("answers.search_{name}.p50");
        let figure = Figure::new(name, "ms", Better::Less, at(without, side, 0.5));
        figures.push(
            figure
                .beside("the same without as_of", &now)
                .note(note.clone()),
        );
    }
    for (name, side) in sides {
        for (q_name, q) in [("p50", 0.5), ("p99", 0.99)] {
            let name = format!("answers.{name}_under_stream.{q_name}");
            let figure = Figure::new(name, "ms", Better::Less, at(with, side, q));
            figures.push(
                figure
                    .beside("the same, stream held", &at(without, side, q))
                    .note(note.clone()),
            );
        }
    }
    figures
}

/// Quantiles of the time of each stage, us.
pub fn by_stage(all: &[&rag::Stages], quantiles: &[f64]) -> String {
    let stages: [(&str, Stage); 8] = [
        ("facts", |s| s.facts),
        ("embed", |s| s.embed),
        ("dense", |s| s.dense),
        ("text", |s| s.text),
        ("fuse", |s| s.fuse),
        ("assemble", |s| s.assemble),
        ("verify", |s| s.verify),
        ("total", |s| s.total),
    ];
    let words = stages.map(|(name, stage)| {
        let mut times: Vec<f64> = all.iter().map(|one| stage(one) as f64).collect();
        let at = quantiles
            .iter()
            .map(|q| format!(" {:.0}", quantile(&mut times, *q)));
        let at: String = at.collect();
        format!("{name}{at}")
    });
    words.join(", ")
}
