//! What a change of model costs: texts embedded anew a second, and how long questions take meanwhile beside how long they
//! take when nothing else is done. `cargo bench -p node --bench change`.
//!
//! Both models are the packaged one, under two names: the old one past the queue, the new one by it, so that each question and
//! each text costs what it does in use. Texts are synthetic. Questions are open loop, 50 a second, and timed from the
//! instant at which they were due.

#![allow(clippy::disallowed_methods, reason = "it measures the machine's time")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use collection::SyncPolicy;
use embed::Embedder;
use node::memory::document_limits;
use node::{EmbeddingLimits, Maker, Models, Node, ReembedWorker, Settings, TextModel};
use rag::{Document, Fault, SearchRequest};
use stdx::{Histogram, Rng, SystemClock};

const PASSAGES: u64 = 3_000;
const WORDS_EACH: u64 = 90;
const EVERY: Duration = Duration::from_millis(20);
const IDLE: Duration = Duration::from_secs(20);

struct Old(Embedder);

impl TextModel for Old {
    fn id(&self) -> &str {
        "old"
    }

    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Fault> {
        let vectors = self.0.embed_batch(texts);
        vectors.map_err(|e| Fault::unavailable("embedder", e.to_string()))
    }
}

fn open(dir: &std::path::Path, is_changed: bool) -> Arc<Node> {
    let settings = Settings {
        dir: dir.to_path_buf(),
        sync: SyncPolicy::Always,
        limits: document_limits(),
        embedding: EmbeddingLimits::default(),
    };
    let old = Maker::Elsewhere(Box::new(Old(Embedder::packaged().expect("is packaged"))));
    let mut models = Models {
        reembed: is_changed,
        ..Models::default()
    };
    match is_changed {
        false => models.model = old,
        true => models.before.push(old),
    }
    let node = Node::open_among(&settings, Arc::new(SystemClock), None, models);
    Arc::new(node.expect("opens"))
}

fn words(rng: &mut Rng, count: u64) -> String {
    let words = (0..count).map(|_| format!("{:x}", rng.below(4_000)));
    words.collect::<Vec<_>>().join(" ")
}

/// Asks until told to stop; nanoseconds from when each question was due.
fn ask(node: &Node, is_over: &dyn Fn() -> bool) -> Histogram {
    let (mut rng, mut spent, begun) = (Rng::new(7), Histogram::new(), Instant::now());
    let mut due = Duration::ZERO;
    while !is_over() {
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        let request = SearchRequest {
            q: words(&mut rng, 8),
            literal: true,
            ..SearchRequest::default()
        };
        node.asker(None).search(&request).expect("answers");
        spent.record(begun.elapsed().saturating_sub(due).as_nanos() as u64);
        due += EVERY;
    }
    spent
}

fn told(name: &str, spent: &Histogram) {
    let ms = |share: f64| spent.quantile(share).unwrap_or_default() as f64 / 1e6;
    let (p50, p99) = (ms(0.5), ms(0.99));
    println!(
        "{name}: {} questions, p50 {p50:.1} ms, p99 {p99:.1} ms",
        spent.count()
    );
}

fn main() {
    let dir = tempfile::tempdir().expect("a folder");
    let node = open(dir.path(), false);
    let mut rng = Rng::new(5);
    for n in 0..PASSAGES {
        let document = Document {
            id: n.to_string(),
            text: words(&mut rng, WORDS_EACH),
            ..Document::default()
        };
        node.asker(None).ingest(&document).expect("stores");
    }
    drop(node);
    let node = open(dir.path(), true);
    let begun = Instant::now();
    told("idle", &ask(&node, &|| begun.elapsed() > IDLE));
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let begun = Instant::now();
    let worker = ReembedWorker::spawn(Arc::clone(&node), move |what| {
        println!("{what}");
        over.store(true, Ordering::Release);
    });
    let worker = worker.expect("starts");
    let meanwhile = ask(&node, &|| is_over.load(Ordering::Acquire));
    let seconds = begun.elapsed().as_secs_f64();
    told("meanwhile", &meanwhile);
    println!("{:.0} texts/s", PASSAGES as f64 / seconds);
    drop(worker);
}
