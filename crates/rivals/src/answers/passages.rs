//! Text to context over many passages: `ask` without a model and `search`, stage by stage.
//!
//! There are not so many real passages here. Vectors are those of PyPI summaries, and beyond their number the same
//! with noise; texts are pieces of Reuters stories, and beyond theirs the same with every eighth word drawn anew. Questions
//! are real headlines and questions made of them; each list is made anew.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use collection::SyncPolicy;
use node::{DigestCheck, Node, Pump, Settings};
use rag::{Asker, Document, EmbeddedChunk, Question, Receipt, SearchRequest};
use stdx::{Clock, ManualClock, Rng, SystemClock};

use super::evidence::{PACE, WARM, publish};
use super::load::Load;
use super::questions::by_stage;
use crate::Size;
use crate::measure::{quantile, time_ns};
use crate::report::{Better, Figure, Report};
use crate::vectors::{Set, find_set, load_texts};

const PASSAGES: usize = 250_000;
/// Names another number of passages.
const PASSAGES_ENV: &str = "OUZEL_BENCH_PASSAGES";
const ROUNDS: usize = 3;
const PIECE_WORDS: usize = 80;
/// One word in so many of a repeated text is another one.
const REDRAWN: u64 = 8;
const NOISE: f32 = 0.03;
const SECOND: u64 = 1_000_000_000;
/// Between a change of the stream and the questions timed.
const SETTLED: Duration = Duration::from_millis(500);

/// A way of asking; its receipt.
type Way<'a> = &'a dyn Fn(&str) -> Result<Receipt>;

/// Figures over a memory of that many passages; none where the vectors are not here.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    let Some(set) = find_set("text", 1)? else {
        return Ok(());
    };
    let count = match std::env::var(PASSAGES_ENV) {
        Ok(asked) => asked
            .parse()
            .with_context(|| format!("{PASSAGES_ENV}={asked:?} is no number"))?,
        Err(_) => size.of(PASSAGES),
    };
    let texts = load_texts(usize::MAX);
    let folder = tempfile::tempdir()?;
    let settings = Settings {
        dir: folder.path().to_path_buf(),
        sync: SyncPolicy::Never,
        limits: node::memory::document_limits(),
        // Every question is embedded each time.
        embedding: node::EmbeddingLimits {
            kept_bytes: 0,
            ..node::EmbeddingLimits::default()
        },
    };
    let now = SystemClock.now_ns();
    let node = Arc::new(Node::open(&settings, Arc::new(SystemClock))?);
    report.step("answers: filling the memory with passages");
    let pieces = pieces(&texts.texts);
    fill(&node, (&set, &pieces), count, now)?;
    let note = format!(
        "{count} passages (vectors of {} PyPI summaries and the same with noise, {} pieces of {}, and the same with words redrawn), one question at a time",
        set.count(),
        pieces.len(),
        texts.words,
    );
    report.step("answers: questions over passages");
    let middle = now - count as u64 / 2 * SECOND;
    // As in a server, no thread that asks has stored everything: its heap would be in a million pieces.
    let figures = std::thread::scope(|threads| {
        let asking = threads.spawn(|| measure(&node, &texts.queries, middle, &note));
        asking.join().unwrap_or_else(|panic| resume_unwind(panic))
    })?;
    figures.into_iter().for_each(|figure| report.add(figure));
    report.step("answers: the same while the stream runs");
    under_stream(&node, &texts.queries, &note)?
        .into_iter()
        .for_each(|figure| report.add(figure));
    drop(node);
    report.step("answers: opening again");
    let (mut opened, mut first) = (None, None);
    let open_ms = time_ns(|| opened = Some(Node::open(&settings, Arc::new(SystemClock)))) / 1e6;
    let node = opened.context("an opening that was timed has ended")??;
    let question = SearchRequest {
        q: texts.queries.first().cloned().unwrap_or_default(),
        ..SearchRequest::default()
    };
    let first_ms = time_ns(|| first = Some(node.asker(None).search(&question))) / 1e6;
    first.context("a search that was timed has ended")??;
    let coded_ms = time_ns(|| node.documents().collection().settle()) / 1e6;
    for (name, ms) in [
        ("open", open_ms),
        ("first_search", first_ms),
        ("all_coded", coded_ms),
    ] {
        let name = format!("answers.passages.{name}");
        report.add(Figure::new(name, "ms", Better::Less, vec![ms]).note(note.clone()));
    }
    Ok(())
}

/// Runs of words.
fn pieces(texts: &[String]) -> Vec<Vec<&str>> {
    let words = texts.iter().map(|text| text.split_whitespace());
    let mut pieces = Vec::new();
    for words in words {
        let words: Vec<&str> = words.collect();
        pieces.extend(words.chunks(PIECE_WORDS).map(<[&str]>::to_vec));
    }
    pieces
}

fn fill(node: &Node, (set, pieces): (&Set, &[Vec<&str>]), count: usize, now: u64) -> Result<()> {
    let mut rng = Rng::new(17);
    for n in 0..count {
        let text = text(&mut rng, pieces, n);
        let known_at = now - (count - n) as u64 * SECOND;
        let document = Document {
            id: format!("p{n}"),
            text: text.clone(),
            source: Some("wire".to_owned()),
            event_at: known_at,
            known_at,
            ..Document::default()
        };
        let chunk = EmbeddedChunk {
            index: 0,
            start: 0,
            end: text.len(),
            text,
            vector: vector(&mut rng, set, n),
        };
        node.documents().store(&document, vec![chunk])?;
    }
    // As in a server that has run for a while: the checkpoint that so much text sets off would else be written meanwhile.
    let collection = node.documents().collection();
    collection.settle();
    collection.checkpoint()?;
    Ok(())
}

fn text(rng: &mut Rng, pieces: &[Vec<&str>], n: usize) -> String {
    let mut words = pieces[n % pieces.len()].clone();
    if n >= pieces.len() {
        for word in &mut words {
            if rng.below(REDRAWN) == 0 {
                let other = rng.pick(pieces);
                *word = *rng.pick(other);
            }
        }
    }
    words.join(" ")
}

fn vector(rng: &mut Rng, set: &Set, n: usize) -> Vec<f32> {
    let mut row = set.row((n % set.count()) as u32).to_vec();
    if n >= set.count() {
        row.iter_mut()
            .for_each(|x| *x += NOISE * rng.normal() as f32);
        // Never zero: of unit length, and noise far shorter.
        let _zero = vector::normalise(&mut row);
    }
    row
}

fn measure(node: &Node, queries: &[String], middle: u64, note: &str) -> Result<Vec<Figure>> {
    let asker = Asker {
        kept: None,
        ..node.asker(None)
    };
    let search = |q: &str, as_of: Option<u64>| -> Result<Receipt> {
        let request = SearchRequest {
            q: q.to_owned(),
            as_of,
            ..SearchRequest::default()
        };
        Ok(asker.search(&request)?.receipt)
    };
    let now = SystemClock.now_ns();
    const SEARCH: usize = 1;
    let ways: [(&str, Way<'_>); 4] = [
        ("ask", &|q| {
            Ok(asker
                .ask(&Question::new(q.to_owned()), &mut |_| true)?
                .receipt)
        }),
        ("search", &|q| search(q, None)),
        ("search_as_of_now", &|q| search(q, Some(now))),
        ("search_as_of_middle", &|q| search(q, Some(middle))),
    ];
    let mut seen: Vec<Vec<Vec<Receipt>>> = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for ((_, way), seen) in ways.iter().zip(&mut seen) {
            let round: Result<Vec<Receipt>> = queries.iter().map(|q| way(q)).collect();
            seen.push(round?);
        }
    }
    let mut figures = Vec::new();
    for ((name, _), rounds) in ways.iter().zip(&seen) {
        let all: Vec<&Receipt> = rounds.iter().flatten().collect();
        let paths = all.first().map(|receipt| receipt.paths.clone());
        let stages: Vec<&rag::Stages> = all.iter().map(|receipt| &receipt.stages_us).collect();
        let stages = by_stage(&stages, &[0.5, 0.99]);
        let note = format!("{note}; {paths:?}; us by stage: {stages}");
        for (tag, q) in [("p50", 0.5), ("p99", 0.99)] {
            let figure = Figure::new(
                format!("answers.passages.{name}.{tag}"),
                "ms",
                Better::Less,
                totals(rounds, q),
            );
            let figure = match name.starts_with("search_") {
                true => figure.beside("the same without as_of", &totals(&seen[SEARCH], q)),
                false => figure,
            };
            figures.push(figure.note(note.clone()));
        }
    }
    Ok(figures)
}

/// `ask` while half a million messages a second come through sockets and lane, and in turn while none do.
fn under_stream(node: &Arc<Node>, queries: &[String], note: &str) -> Result<Vec<Figure>> {
    let clock = Arc::new(ManualClock::at(SystemClock.now_ns()));
    let (load, lane) = Load::start(PACE, clock)?;
    let check = Arc::new(DigestCheck::default());
    let pump = Pump::spawn(Arc::clone(node), vec![lane], 0, check)?;
    load.flow(true);
    publish(node, &load, WARM)?;
    let asker = Asker {
        kept: None,
        ..node.asker(None)
    };
    let ask = |q: &String| -> Result<Receipt> {
        let question = Question::new(q.clone());
        Ok(asker.ask(&question, &mut |_| true)?.receipt)
    };
    let round = || queries.iter().map(ask).collect::<Result<Vec<Receipt>>>();
    let (mut flowing, mut held) = (Vec::new(), Vec::new());
    let (mut said, mut took) = (0, Duration::ZERO);
    for _ in 0..ROUNDS {
        load.flow(true);
        sleep(SETTLED);
        let (before, began) = (load.said(), Instant::now());
        flowing.push(round()?);
        said += load.said() - before;
        took += began.elapsed();
        load.flow(false);
        sleep(SETTLED);
        held.push(round()?);
    }
    drop((load, pump));
    let lost = node.market().feeds().first().map_or(0, |feed| feed.lost);
    let rate = said as f64 / took.as_secs_f64();
    let stages: Vec<&rag::Stages> = flowing.iter().flatten().map(|r| &r.stages_us).collect();
    let stages = by_stage(&stages, &[0.5, 0.99]);
    let note = format!("{note}; {rate:.0} messages/s, {lost} lost; us by stage: {stages}");
    let figure = |(tag, q)| {
        let name = format!("answers.passages.ask_under_stream.{tag}");
        Figure::new(name, "ms", Better::Less, totals(&flowing, q))
            .beside("the same, stream held", &totals(&held, q))
            .note(note.clone())
    };
    Ok([("p50", 0.5), ("p99", 0.99)].map(figure).into())
}

/// A quantile of each round's times, ms.
fn totals(rounds: &[Vec<Receipt>], q: f64) -> Vec<f64> {
    let of_round = |round: &Vec<Receipt>| {
        let totals = round.iter().map(|receipt| receipt.stages_us.total);
        let mut ms: Vec<f64> = totals.map(|us| us as f64 / 1e3).collect();
        quantile(&mut ms, q)
    };
    rounds.iter().map(of_round).collect()
}
