//! A folder, a clock, and embedders that are hashes: letters in pairs into buckets, differently for each name.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use collection::SyncPolicy;
use node::memory::document_limits;
use node::{
    EmbeddingLimits, Maker, Models, Node, NodeError, Reembedding, Settings, TextModel, Turned,
};
use rag::{Document, Fault, Mode, Receipt, SearchAnswer, SearchRequest};
use stdx::{Clock, ManualClock, Rng};

pub const NOW: u64 = 1_772_463_600_000_000_000;
pub const MINUTE: u64 = 60_000_000_000;

const WORDS: [&str; 24] = [
    "forecast", "cut", "harbour", "steel", "merger", "approval", "profit", "warning", "strike",
    "court", "recall", "factory", "dividend", "copper", "bank", "rate", "loan", "tender", "drug",
    "trial", "patent", "delay", "storm", "tariff",
];

/// A model without one.
pub struct Pairs {
    id: String,
    dim: usize,
    is_down: Arc<AtomicBool>,
}

impl TextModel for Pairs {
    fn id(&self) -> &str {
        &self.id
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Fault> {
        if self.is_down.load(Ordering::Relaxed) {
            return Err(Fault::unavailable("embedder", "it is down"));
        }
        Ok(texts.iter().map(|text| self.one(text)).collect())
    }
}

impl Pairs {
    fn one(&self, text: &str) -> Vec<f32> {
        let mut vector = vec![0.01f32; self.dim];
        let text = text.to_lowercase();
        let seed = self.id.bytes().map(u64::from).sum::<u64>();
        for pair in text.as_bytes().windows(2) {
            let hash = (u64::from(pair[0]) * 256 + u64::from(pair[1]) + seed)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
            vector[(hash >> 32) as usize % self.dim] += 1.0;
        }
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= length);
        vector
    }
}

/// A folder and what it is opened with.
pub struct World {
    pub dir: tempfile::TempDir,
    pub clock: Arc<ManualClock>,
    pub is_down: Arc<AtomicBool>,
}

impl World {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a folder"),
            clock: Arc::new(ManualClock::at(NOW)),
            is_down: Arc::default(),
        }
    }

    pub fn model(&self, id: &str, dim: usize) -> Box<dyn TextModel> {
        Box::new(Pairs {
            id: id.to_owned(),
            dim,
            is_down: Arc::clone(&self.is_down),
        })
    }

    /// Opened by the first of the models, the others beside it.
    pub fn open(&self, models: &[(&str, usize)], reembed: bool) -> Result<Arc<Node>, NodeError> {
        self.open_in(self.dir.path(), models, reembed)
    }

    pub fn open_in(
        &self,
        dir: &Path,
        models: &[(&str, usize)],
        reembed: bool,
    ) -> Result<Arc<Node>, NodeError> {
        let settings = Settings {
            dir: dir.to_path_buf(),
            sync: SyncPolicy::Never,
            limits: document_limits(),
            embedding: EmbeddingLimits::default(),
        };
        let mut models = models.iter().map(|(id, dim)| self.model(id, *dim));
        let models = Models {
            model: models.next().map_or(Maker::Packaged, Maker::Elsewhere),
            before: models.map(Maker::Elsewhere).collect(),
            reembed,
        };
        let node = Node::open_among(&settings, self.clock.clone(), None, models)?;
        Ok(Arc::new(node))
    }

    pub fn now(&self) -> u64 {
        self.clock.now_ns()
    }
}

pub fn store(node: &Node, id: &str, text: &str, known_at: u64) {
    let document = Document {
        id: id.to_owned(),
        title: Some(format!("About {id}")),
        text: text.to_owned(),
        event_at: known_at,
        known_at,
        ..Document::default()
    };
    node.asker(None).ingest(&document).expect("stores");
}

pub fn sentence(rng: &mut Rng) -> String {
    let count = rng.range(3, 9);
    let words: Vec<&str> = (0..count).map(|_| *rng.pick(&WORDS)).collect();
    words.join(" ")
}

/// A search and what it found.
pub struct Asked(pub SearchRequest, pub SearchAnswer);

pub fn ask(node: &Node, q: &str, mode: Mode, as_of: Option<u64>) -> Result<Asked, Fault> {
    let request = SearchRequest {
        q: q.to_owned(),
        k: 8,
        mode,
        as_of,
        ..SearchRequest::default()
    };
    let found = node.asker(None).search(&request)?;
    Ok(Asked(request, found))
}

/// What must be the same later: all but the times, and how far the log has got.
fn comparable(receipt: &Receipt) -> Receipt {
    Receipt {
        as_of: None,
        asked_at: 0,
        stages_us: rag::Stages::default(),
        memory: rag::MemorySeen::default(),
        paths: rag::Paths::default(),
        kept: 0,
        ..receipt.clone()
    }
}

/// The same is found as of then: documents, scores, and by which model.
pub fn same(node: &Node, asked: &Asked) {
    let Asked(request, then) = asked;
    let as_of = request.as_of.or(then.receipt.memory.instant);
    let again = node.asker(None).search(&SearchRequest {
        as_of,
        ..request.clone()
    });
    let again = again.expect("searches");
    assert_eq!(again.hits, then.hits, "{request:?} as of {as_of:?}");
    assert_eq!(comparable(&again.receipt), comparable(&then.receipt));
}

/// Turns until there is nothing left to do; whether the model changed.
pub fn turn_to_the_end(node: &Arc<Node>) -> bool {
    let mut work = Reembedding::new(Arc::clone(node));
    let mut swapped = false;
    loop {
        match work.turn(Duration::ZERO).expect("gets on") {
            Turned::Idle => return swapped,
            Turned::Swapped => swapped = true,
            Turned::Told(_) => {}
        }
    }
}

pub fn by(asked: &Asked) -> Option<&str> {
    asked.1.receipt.models.embed.as_deref()
}

pub fn ids(asked: &Asked) -> Vec<&str> {
    let hits = asked.1.hits.iter();
    hits.map(|hit| hit.passage.document_id.as_str()).collect()
}
