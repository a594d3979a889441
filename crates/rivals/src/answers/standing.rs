//! Ten thousand standing questions against documents as they come: the matcher beside asking every question, and beside
//! reading the memory that it has to read.

use std::sync::Arc;

use anyhow::{Result, ensure};
use collection::text::Analyser;
use collection::{Condition, Filter, Payload, Point, TextQuery, Value};
use embed::Embedder;
use node::standing::{Answered, Matcher, Meaning, Question, Standing, Words};
use rag::chunk::{Chunk, chunks, embedded_text};

use crate::Size;
use crate::measure::{median, quantile, time_ns};
use crate::report::{Better, Figure, Report};
use crate::vectors::texts;

const QUESTIONS: usize = 10_000;
const ARRIVALS: usize = 400;
const ROUNDS: usize = 3;
/// As many as a desk may tag its documents with.
const SYMBOLS: usize = 500;
const MIN_COSINE: f32 = 0.55;

/// All figures.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    let (count, arrivals) = (size.of(QUESTIONS), size.of(ARRIVALS));
    let loaded = texts::load(count + arrivals);
    report.step("answers: standing questions, embedding");
    let embedder = Embedder::packaged()?;
    let stories = &loaded.texts;
    ensure!(
        stories.len() > arrivals * 2,
        "{} texts are too few",
        stories.len()
    );
    let (asked, coming) = stories.split_at(stories.len() - arrivals);
    let directions = directions(&embedder, asked, count)?;
    let documents = coming.iter().enumerate();
    let documents = documents.map(|(at, text)| document(&embedder, at, text));
    let documents = documents.collect::<Result<Vec<_>>>()?;
    let passages: usize = documents.iter().map(Vec::len).sum();
    let input = format!(
        "{count} questions of {}, {arrivals} documents of {passages} passages",
        loaded.words
    );
    report.step("answers: standing questions");
    for (kind, mixed) in [("mixed", true), ("by_meaning", false)] {
        let matcher = matcher(asked, &directions, mixed);
        measure(kind, &matcher, &documents, &input, report)?;
    }
    Ok(())
}

/// The first words of each text, as a vector.
fn directions(embedder: &Embedder, texts: &[String], count: usize) -> Result<Vec<Vec<f32>>> {
    let start = |at: usize| {
        let words = texts[at % texts.len()].split_whitespace();
        // Where there are fewer texts than questions, the next round begins further on.
        let words = words.skip(at / texts.len() * 12).take(12);
        Ok(embedder.embed(&words.collect::<Vec<_>>().join(" "))?)
    };
    (0..count).map(start).collect()
}

fn document(embedder: &Embedder, at: usize, text: &str) -> Result<Vec<Point>> {
    let spans = chunks(text).into_iter().enumerate();
    let point = |(index, chunk): (usize, Chunk)| {
        let own = &text[chunk.span.clone()];
        let symbol = Value::Str(format!("S{}", at % SYMBOLS));
        Ok(Point {
            id: format!("d{at}#{index}"),
            vector: embedder.embed(&embedded_text(None, text, &chunk))?,
            text: own.to_owned(),
            payload: Payload([("symbols".to_owned(), Value::List(vec![symbol]))].into()),
            ..Point::default()
        })
    };
    spans.map(point).collect()
}

/// A fifth each: all of three words, one of three, two words in a row, a meaning, and a meaning of one symbol; or meanings
/// alone.
fn matcher(texts: &[String], directions: &[Vec<f32>], mixed: bool) -> Matcher {
    let analyser = Analyser::default();
    let mut matcher = Matcher::default();
    for (at, vector) in directions.iter().enumerate() {
        let words: Vec<&str> = texts[at % texts.len()].split_whitespace().collect();
        let from = words.len() / 2;
        let some = |count: usize| words[from..(from + count).min(words.len())].join(" ");
        let words = |query: TextQuery, any: bool| Some(Words { query, any });
        let mut question = Question {
            id: format!("q{at}"),
            ..Question::default()
        };
        match if mixed { at % 5 } else { 3 } {
            0 => question.words = words(TextQuery::plain(&some(3), &analyser), false),
            1 => question.words = words(TextQuery::plain(&some(3), &analyser), true),
            2 => question.words = words(TextQuery::phrase(&some(2), &analyser), false),
            kind => {
                question.meaning = Some(Meaning {
                    vector: vector.clone(),
                    cosine_min: MIN_COSINE,
                });
                if kind == 4 {
                    question.filter = Some(of_symbol(at));
                }
            }
        }
        matcher.put(Arc::new(Standing {
            question,
            after_seq: 0,
            definition: "".into(),
        }));
    }
    matcher
}

fn of_symbol(at: usize) -> Filter {
    let values = vec![Value::Str(format!("S{}", at % SYMBOLS))];
    let field = "symbols".to_owned();
    Filter {
        must: vec![Condition::Any { field, values }],
        must_not: Vec::new(),
    }
}

fn measure(
    kind: &str,
    matcher: &Matcher,
    documents: &[Vec<Point>],
    input: &str,
    report: &mut Report,
) -> Result<()> {
    let analyser = Analyser::default();
    let memory = vec![1u64; matcher.scanned_bytes() / 8 + 1];
    let (mut ours, mut naive, mut limit) = ([vec![], vec![]], [vec![], vec![]], vec![]);
    let (mut alerts, mut missed) = (0, 0);
    for _ in 0..ROUNDS {
        let (mut fast_ms, mut naive_ms, mut read_ms) = (Vec::new(), Vec::new(), Vec::new());
        for passages in documents {
            let (mut fast, mut slow) = (Vec::new(), Vec::new());
            let ms = |work: &mut dyn FnMut()| time_ns(work) / 1e6;
            fast_ms.push(ms(&mut || fast = matcher.answered(passages, &analyser, 1)));
            naive_ms.push(ms(&mut || {
                slow = matcher.answered_naive(passages, &analyser, 1)
            }));
            read_ms.push(time_ns(|| memory.iter().fold(0u64, |a, b| a ^ b)) / 1e6);
            alerts += fast.len();
            missed += unlike(&fast, &slow);
        }
        for (place, q) in [0.5, 0.99].into_iter().enumerate() {
            ours[place].push(quantile(&mut fast_ms, q));
            naive[place].push(quantile(&mut naive_ms, q));
        }
        limit.push(median(&read_ms));
    }
    let megabytes = matcher.scanned_bytes() as f64 / 1e6;
    let note = format!(
        "{input}; {alerts} alerts in {ROUNDS} rounds, {missed} unlike the twin's; {megabytes:.1} MB of directions"
    );
    let name = |what: &str| format!("answers.standing.{kind}.{what}");
    for (place, what) in ["p50", "p99"].into_iter().enumerate() {
        let figure = Figure::new(name(what), "ms", Better::Less, ours[place].clone());
        report.add(
            figure
                .beside("every question asked", &naive[place])
                .note(note.clone()),
        );
    }
    let figure = Figure::new(name("above_memory"), "ms", Better::Less, ours[0].clone());
    let note = "p50 beside a limit: reading the directions' memory once; a document of several passages is compared with it several times";
    report.add(figure.beside("memory read once", &limit).note(note));
    ensure!(missed == 0, "{missed} answers differ from the twin's");
    Ok(())
}

/// Question, passage, score and passages.
type Row = (String, usize, u32, usize);

/// Answers that only one of both has, or that differ.
fn unlike(fast: &[Answered], slow: &[Answered]) -> usize {
    let row = |a: &Answered| {
        let id = a.standing.question.id.clone();
        (id, a.passage, a.score.to_bits(), a.passages)
    };
    let (fast, slow): (Vec<_>, Vec<_>) = (
        fast.iter().map(row).collect(),
        slow.iter().map(row).collect(),
    );
    let only = |a: &[Row], b: &[Row]| a.iter().filter(|row| !b.contains(row)).count();
    only(&fast, &slow) + only(&slow, &fast)
}
