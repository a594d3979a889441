//! Search and ask over a node's memory, with and without a market stream through the same process.
//!
//! The two take turns on one node: the venue speaks for one round and is held still for the next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use collection::SyncPolicy;
use node::{DigestCheck, Node, Pump, Settings};
use rag::{Question, SearchRequest};
use stdx::{Clock, ManualClock, SystemClock};

use super::load::Load;
use super::memory::{document, fill};
use crate::Size;
use crate::measure::{median, quantile, time_ns};
use crate::report::{Better, Figure, Report};

const RATE: f64 = 100_000.0;
const DOCUMENTS: usize = 20_000;
const ROUNDS: usize = 5;
const CALLS: usize = 100;
/// Long enough for some shocks and the news that caused them.
const WARM: Duration = Duration::from_secs(10);
/// Between switching the stream and measuring.
const SETTLE: Duration = Duration::from_millis(200);

/// One round's latencies and what became of the questions.
#[derive(Default)]
struct Round {
    search_ms: Vec<f64>,
    ask_ms: Vec<f64>,
    cited: usize,
    abstained: usize,
    per_second: f64,
}

/// Which latencies of a round.
type Side = fn(&mut Round) -> &mut Vec<f64>;

/// All rounds.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(ManualClock::at(SystemClock.now_ns()));
    let settings = Settings {
        dir: folder.path().to_path_buf(),
        sync: SyncPolicy::Never,
        limits: collection::Options::default(),
    };
    let shared: Arc<dyn Clock> = clock.clone();
    let node = Arc::new(Node::open(&settings, shared)?);
    report.step("answers: filling the memory");
    let documents = fill(&node, size.of(DOCUMENTS), clock.now_ns())?;
    let (load, lane) = Load::start(RATE, clock)?;
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
    let asker = node.asker(None);
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
        found.context("a search that was timed has ended")??;
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
    let mut figures = Vec::new();
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
