//! Questions of many clients through the embedder's queue, at a share of what it can do.
//!
//! Each client asks at instants that do not depend on the answers (a Poisson process), and an answer's time counts from the
//! instant meant: who asks late because the last answer was late has waited as well.

use std::sync::Arc;
use std::thread::{available_parallelism, scope, sleep};
use std::time::{Duration, Instant};

use anyhow::Result;
use embed::Embedder;
use node::{Embedding, EmbeddingLimits};
use stdx::{Rng, SystemClock};

use crate::Size;
use crate::measure::{median, quantile};
use crate::report::{Better, Figure};

const ROUNDS: usize = 5;
const CLIENTS: u64 = 200;
const LOAD: f64 = 0.7;
/// How long a round finds out what the queue can do, and how long the clients ask.
const FULL: Duration = Duration::from_millis(1_500);
const ASKED: Duration = Duration::from_secs(5);

/// What a round of the clients saw.
#[derive(Default)]
struct Round {
    ms: Vec<f64>,
    refused: usize,
}

/// Capacity, and the times at 70 % of it.
pub fn measure(size: &Size) -> Result<Vec<Figure>> {
    let limits = EmbeddingLimits {
        // Every question is worked for: no two have the same words, and none is kept.
        kept_bytes: 0,
        ..EmbeddingLimits::default()
    };
    let embedding = Embedding::new(Embedder::packaged()?, limits, Arc::new(SystemClock));
    let asked = if size.quick { ASKED / 10 } else { ASKED };
    let (mut capacity, mut middle, mut tail) = (Vec::new(), Vec::new(), Vec::new());
    let (mut offered, mut answered, mut refused) = (Vec::new(), 0, 0);
    for round in 0..ROUNDS as u64 {
        let full = rate_when_full(&embedding, round);
        let rate = LOAD * full;
        let mut seen = clients(&embedding, rate, asked, round);
        capacity.push(full);
        offered.push(rate);
        middle.push(quantile(&mut seen.ms, 0.5));
        tail.push(quantile(&mut seen.ms, 0.99));
        answered += seen.ms.len();
        refused += seen.refused;
    }
    let counts = embedding.counts().queue;
    let note = format!(
        "{CLIENTS} open-loop clients, {:.0} questions of 11 to 12 tokens a second offered ({:.0} % of capacity), {answered} answered, {refused} refused, \
         {:.1} texts a pass in all; clients and embedder share the processors",
        median(&offered),
        LOAD * 100.0,
        counts.texts as f64 / counts.passes.max(1) as f64,
    );
    let figure = |name: &str, unit, better, values: &[f64]| {
        let name = format!("answers.embed_queue.{name}");
        Figure::new(name, unit, better, values.to_vec()).note(note.clone())
    };
    Ok(vec![
        figure("capacity", "questions/s", Better::More, &capacity),
        figure("p50", "ms", Better::Less, &middle),
        figure("p99", "ms", Better::Less, &tail),
    ])
}

fn question(round: u64, client: u64, number: usize) -> String {
    format!(
        "Why did margins of unit {} fall in {}?",
        (round * CLIENTS + client) % 1_000,
        number % 10_000
    )
}

/// Questions a second when somebody always waits.
fn rate_when_full(embedding: &Embedding, round: u64) -> f64 {
    let askers = 16 * available_parallelism().map_or(1, usize::from) as u64;
    let start = Instant::now();
    let done: usize = scope(|threads| {
        let ask = |asker: u64| {
            let mut done = 0;
            while start.elapsed() < FULL {
                done += usize::from(embedding.question(&question(round, asker, done)).is_ok());
            }
            done
        };
        let threads: Vec<_> = (0..askers)
            .map(|asker| threads.spawn(move || ask(asker)))
            .collect();
        let done = threads.into_iter().map(|thread| thread.join().unwrap_or(0));
        done.sum()
    });
    done as f64 / start.elapsed().as_secs_f64()
}

fn clients(embedding: &Embedding, rate: f64, asked: Duration, round: u64) -> Round {
    let start = Instant::now();
    let mean = CLIENTS as f64 / rate;
    let all = scope(|threads| {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|client| {
                threads.spawn(move || one_client(embedding, start, mean, asked, (round, client)))
            })
            .collect();
        let seen = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_default());
        seen.collect::<Vec<Round>>()
    });
    all.into_iter().fold(Round::default(), |mut sum, one| {
        sum.ms.extend(one.ms);
        sum.refused += one.refused;
        sum
    })
}

fn one_client(
    embedding: &Embedding,
    start: Instant,
    mean: f64,
    asked: Duration,
    (round, client): (u64, u64),
) -> Round {
    let mut rng = Rng::new(round * CLIENTS + client + 1);
    let (mut seen, mut at) = (Round::default(), 0.0);
    for number in 0.. {
        at += rng.exponential(mean);
        let due = start + Duration::from_secs_f64(at);
        if at > asked.as_secs_f64() {
            break;
        }
        sleep(due.saturating_duration_since(Instant::now()));
        match embedding.question(&question(round, client, number)) {
            Ok(_) => seen.ms.push(due.elapsed().as_secs_f64() * 1e3),
            Err(_) => seen.refused += 1,
        }
    }
    seen
}
