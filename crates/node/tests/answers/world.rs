//! Documents of few words, so that everything is somewhat like everything else, and an embedder that is a hash.

use std::path::Path;
use std::sync::Arc;

use collection::SyncPolicy;
use node::memory::{DayBar, document_limits};
use node::{Node, Settings};
use rag::{Asker, Document, Embed, Fault, Mode, SearchRequest};
use stdx::{ManualClock, Rng};

/// 2026-03-02T15:00:00Z.
pub const NOW: u64 = 1_772_463_600_000_000_000;
pub const MINUTE: u64 = 60_000_000_000;
const DAY: u64 = 86_400_000_000_000;
const DIM: usize = 384;
const SYMBOLS: [&str; 4] = ["ACME", "BOLT", "CORK", "DUNE"];
const WORDS: [&str; 40] = [
    "forecast", "cut", "harbour", "steel", "merger", "approval", "profit", "warning", "strike",
    "court", "recall", "factory", "dividend", "copper", "bank", "rate", "loan", "chief", "resigns",
    "tender", "bridge", "pipeline", "drug", "trial", "patent", "licence", "shipment", "delay",
    "order", "record", "fire", "storm", "audit", "fraud", "bonus", "layoff", "tariff", "quota",
    "demand", "supply",
];

/// The node of a folder.
pub fn reopen(dir: &Path, clock: &Arc<ManualClock>) -> Node {
    let settings = Settings {
        dir: dir.to_path_buf(),
        sync: SyncPolicy::Never,
        limits: document_limits(),
        embedding: node::EmbeddingLimits::default(),
    };
    Node::open(&settings, clock.clone()).expect("opens")
}

/// A node with past days of every symbol.
pub fn open(dir: &Path) -> (Node, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    let node = reopen(dir, &clock);
    let midnight = NOW - NOW % DAY;
    let bars = (1..30).flat_map(|back| {
        SYMBOLS.iter().enumerate().map(move |(idx, symbol)| DayBar {
            symbol: (*symbol).to_owned(),
            day_ns: midnight - back * DAY,
            open: 100.0 + idx as f64,
            high: 120.0,
            low: 90.0,
            close: 100.0 + ((back * 7 + idx as u64 * 3) % 11) as f64,
            volume: 1_000.0,
        })
    });
    node.days().store(&bars.collect::<Vec<_>>()).expect("days");
    (node, clock)
}

/// The node's asker with the hash in place of the model. `is_kept`: with the lists of earlier questions.
pub fn asker(node: &Node, is_kept: bool) -> Asker<'_> {
    let asker = node.asker(None);
    Asker {
        embed: &Hash,
        kept: asker.kept.filter(|_| is_kept),
        ..asker
    }
}

/// Words hashed into buckets.
pub struct Hash;

impl Embed for Hash {
    fn embed(&self, text: &str) -> Result<Vec<f32>, Fault> {
        let mut vector = vec![0.0f32; DIM];
        for word in rag::prose::content_stems(text) {
            let hash = word.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
                (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
            });
            for part in 0..4 {
                let bits = hash.rotate_left(part * 16);
                vector[(bits % DIM as u64) as usize] += if bits >> 63 == 0 { 1.0 } else { -1.0 };
            }
        }
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
        vector.iter_mut().for_each(|x| *x /= length);
        Ok(vector)
    }

    fn model_id(&self) -> String {
        "hash".to_owned()
    }
}

fn words(rng: &mut Rng, count: u64) -> String {
    let words: Vec<&str> = (0..count).map(|_| *rng.pick(&WORDS)).collect();
    words.join(" ")
}

/// A document of one to three sentences, known at `known_at`.
pub fn document(rng: &mut Rng, id: u64, known_at: u64) -> Document {
    let symbol = *rng.pick(&SYMBOLS);
    let count = rng.range(1, 4);
    let sentences = (0..count).map(|_| {
        let length = rng.range(4, 10);
        format!("{symbol} {}.", words(rng, length))
    });
    let text = sentences.collect::<Vec<_>>().join(" ");
    Document {
        id: format!("d{id}"),
        text,
        source: rng.chance(0.5).then(|| "wire".to_owned()),
        symbols: rng
            .chance(0.7)
            .then(|| symbol.to_owned())
            .into_iter()
            .collect(),
        event_at: known_at - rng.below(3 * DAY),
        known_at,
        ..Document::default()
    }
}

/// A question in words.
pub fn question(rng: &mut Rng) -> String {
    match rng.below(5) {
        0 => format!("Why did {} fall?", rng.pick(&SYMBOLS)),
        1 => "What is moving and why?".to_owned(),
        2 => format!("What happened to the {}?", words(rng, 2)),
        3 => format!("When was the {} of {}?", words(rng, 2), rng.pick(&SYMBOLS)),
        _ => words(rng, 3),
    }
}

/// A search.
pub fn request(rng: &mut Rng, q: String) -> SearchRequest {
    SearchRequest {
        q,
        k: rng.range(1, 12) as usize,
        symbols: rng
            .chance(0.3)
            .then(|| (*rng.pick(&SYMBOLS)).to_owned())
            .into_iter()
            .collect(),
        sources: rng
            .chance(0.2)
            .then(|| "wire".to_owned())
            .into_iter()
            .collect(),
        mode: *rng.pick(&[Mode::Hybrid, Mode::Hybrid, Mode::Dense, Mode::Text]),
        fold: rng.chance(0.2),
        fold_copies: rng.chance(0.5),
        ..SearchRequest::default()
    }
}
