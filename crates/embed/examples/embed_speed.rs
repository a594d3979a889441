//! Prints how long one thread takes for a 12-token question, a 128-token passage and a batch of 32 x 128.
//!
//!     cargo run --release -p embed --example embed_speed [avx512-vnni | avx2 | portable]
#![allow(
    clippy::disallowed_methods,
    reason = "a measurement reads the monotonic clock"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use embed::{Embedder, Error, Kernel};

const QUESTION: &str = "Why did gross margin fall in the quarter?";
const SENTENCE: &str = "Net sales rose 4.2% to $1.31 billion as volume in the packaging segment offset lower prices, \
    while higher freight and resin costs reduced operating income by $12 million from the prior year. ";

fn main() -> Result<(), Error> {
    let started = Instant::now();
    let embedder = Embedder::packaged()?;
    println!(
        "load         {:8.1} ms",
        started.elapsed().as_secs_f64() * 1e3
    );
    let wanted = std::env::args().nth(1);
    let kernel = Kernel::available()
        .into_iter()
        .find(|kernel| wanted.as_deref() == Some(kernel.name()));
    let embedder = embedder
        .with_kernel(kernel.unwrap_or_else(Kernel::detect))
        .with_max_tokens(128)?;
    println!("{} on {}", embedder.model_id(), embedder.kernel().name());

    let passage = SENTENCE.repeat(4);
    assert_eq!(
        embedder.token_count(QUESTION).min(12),
        embedder.token_count(QUESTION)
    );
    let question = format!(
        "{QUESTION}{}",
        "?".repeat(12 - embedder.token_count(QUESTION))
    );
    assert_eq!(embedder.token_count(&question), 12);
    assert!(embedder.token_count(&passage) >= 128);

    report(
        "12 tokens",
        &measure(2000, || embedder.embed(&question).map(drop))?,
    );
    report(
        "128 tokens",
        &measure(300, || embedder.embed(&passage).map(drop))?,
    );
    let batch = vec![passage.as_str(); 32];
    let times = measure(10, || embedder.embed_batch(&batch).map(drop))?;
    report("32 x 128", &times);
    println!(
        "batch        {:8.1} passages/s",
        32.0 / times[times.len() / 2].as_secs_f64()
    );
    let batch = vec![question.as_str(); 320];
    let times = measure(10, || embedder.embed_batch(&batch).map(drop))?;
    println!(
        "questions    {:8.1} a second in batches",
        320.0 / times[times.len() / 2].as_secs_f64()
    );
    Ok(())
}

/// Sorted times of `count` calls, after a tenth as many unmeasured ones.
fn measure(
    count: usize,
    mut call: impl FnMut() -> Result<(), Error>,
) -> Result<Vec<Duration>, Error> {
    for _ in 0..count / 10 + 1 {
        call()?;
    }
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        black_box(call())?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

fn report(name: &str, times: &[Duration]) {
    let at =
        |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!(
        "{name:12} {:8.3} ms p50 {:8.3} ms p99 {:8.3} ms least",
        at(50),
        at(99),
        at(0)
    );
}
