//! Fakes behind the seams: a memory with exact search, a hashing embedder, a settable market.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::RwLock;

use rag::*;

/// 2026-03-02T15:00:00Z, a Monday.
pub const NOW: u64 = 1_772_463_600 * SECOND;
pub const SECOND: u64 = 1_000_000_000;
pub const MINUTE: u64 = 60 * SECOND;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;

struct Row {
    passage: Passage,
    vector: Vec<f32>,
    /// Counts of its words.
    words: HashMap<String, f32>,
    length: f32,
}

/// Chunks in a vector; `as_of` and filters by looking at every one.
#[derive(Default)]
pub struct FakeMemory {
    rows: RwLock<Vec<Row>>,
    /// Word to number of chunks that have it.
    frequency: RwLock<HashMap<String, usize>>,
    /// Ignores `as_of`, to test the second line of defence.
    pub leaky: bool,
    /// Fails every search.
    pub down: bool,
    /// Documents that no search finds.
    hidden: RwLock<HashSet<String>>,
}

impl FakeMemory {
    pub fn len(&self) -> usize {
        self.rows.read().expect("not poisoned").len()
    }

    /// Finds every document but these from now on.
    pub fn hide(&self, documents: HashSet<String>) {
        *self.hidden.write().expect("not poisoned") = documents;
    }

    fn top(&self, search: &Search, score: impl Fn(&Row) -> f32) -> Result<Vec<Passage>, Fault> {
        if self.down {
            return Err(Fault::unavailable("memory", "switched off"));
        }
        let rows = self.rows.read().expect("not poisoned");
        let hidden = self.hidden.read().expect("not poisoned");
        let mut found: Vec<Passage> = rows
            .iter()
            .filter(|row| self.leaky || search.as_of.is_none_or(|t| row.passage.known_at <= t))
            .filter(|row| fits(&row.passage, search))
            .filter(|row| !hidden.contains(&row.passage.document_id))
            .map(|row| Passage {
                score: score(row),
                ..row.passage.clone()
            })
            .filter(|p| p.score > 0.0)
            .collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
        found.truncate(search.k);
        Ok(found)
    }
}

fn fits(p: &Passage, search: &Search) -> bool {
    let any = |wanted: &[String], have: &[String]| {
        wanted.is_empty() || wanted.iter().any(|w| have.contains(w))
    };
    any(&search.symbols, &p.symbols)
        && (search.sources.is_empty()
            || p.source
                .as_ref()
                .is_some_and(|s| search.sources.contains(s)))
        && search.event_from.is_none_or(|t| p.event_at >= t)
        && search.event_to.is_none_or(|t| p.event_at <= t)
}

impl Memory for FakeMemory {
    fn dense(&self, vector: &[f32], search: &Search) -> Result<Vec<Passage>, Fault> {
        self.top(search, |row| {
            row.vector.iter().zip(vector).map(|(a, b)| a * b).sum()
        })
    }

    fn text(&self, query: &str, search: &Search) -> Result<Vec<Passage>, Fault> {
        let frequency = self.frequency.read().expect("not poisoned");
        let total = self.len() as f32;
        let terms = rag::prose::content_stems(query);
        let weight = |term: &String| {
            let n = *frequency.get(term).unwrap_or(&0) as f32;
            (1.0 + (total - n + 0.5) / (n + 0.5)).ln()
        };
        let idf: Vec<(&String, f32)> = terms.iter().map(|t| (t, weight(t))).collect();
        self.top(search, |row| {
            idf.iter()
                .map(|(term, idf)| {
                    let tf = row.words.get(*term).copied().unwrap_or(0.0);
                    idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * row.length / 40.0))
                })
                .sum()
        })
    }

    fn head(&self) -> MemoryHead {
        let rows = self.rows.read().expect("not poisoned");
        MemoryHead {
            seq: rows.len() as u64,
            newest_known_at: rows.iter().map(|r| r.passage.known_at).max(),
        }
    }

    fn store(&self, document: &Document, chunks: Vec<EmbeddedChunk>) -> Result<Stored, Fault> {
        let mut rows = self.rows.write().expect("not poisoned");
        let mut frequency = self.frequency.write().expect("not poisoned");
        // Scanning for an earlier version is left out for big loads, which have none.
        if rows.len() < 10_000 {
            rows.retain(|row| row.passage.document_id != document.id);
        }
        for chunk in chunks {
            let mut words: HashMap<String, f32> = HashMap::new();
            let title = document.title.as_deref().unwrap_or("");
            for stem in rag::prose::content_stems(&format!("{title} {}", chunk.text)) {
                *frequency.entry(stem.clone()).or_default() += 1;
                *words.entry(stem).or_default() += 1.0;
            }
            rows.push(Row {
                length: words.len() as f32,
                words,
                vector: chunk.vector,
                passage: Passage {
                    id: format!("{}#{}", document.id, chunk.index),
                    document_id: document.id.clone(),
                    title: document.title.clone(),
                    source: document.source.clone(),
                    symbols: document.symbols.clone(),
                    fields: document.fields.clone(),
                    text: chunk.text,
                    start: chunk.start,
                    end: chunk.end,
                    event_at: document.event_at,
                    known_at: document.known_at,
                    seq: 0,
                    score: 0.0,
                },
            });
        }
        Ok(Stored {
            seq: rows.len() as u64,
            durable: true,
            chunks: 0,
        })
    }
}

/// Stems hashed into 256 signed buckets: texts with common words are near, all others are not.
pub struct HashEmbedder;

impl Embed for HashEmbedder {
    fn embed(&self, text: &str) -> Result<Vec<f32>, Fault> {
        let mut vector = vec![0.0f32; 256];
        for stem in rag::prose::content_stems(text) {
            let hash = stem.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
                (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
            });
            vector[(hash % 256) as usize] += if hash >> 63 == 0 { 1.0 } else { -1.0 };
        }
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
        vector.iter_mut().for_each(|x| *x /= length);
        Ok(vector)
    }

    fn model_id(&self) -> String {
        "hash-256".to_owned()
    }
}

/// One dimension, so that loading costs nothing; questions go without it.
pub struct FlatEmbedder;

impl Embed for FlatEmbedder {
    fn embed(&self, _: &str) -> Result<Vec<f32>, Fault> {
        Ok(vec![1.0])
    }

    fn model_id(&self) -> String {
        "flat".to_owned()
    }
}

/// The packaged sentence model.
pub struct MiniLm(embed::Embedder);

impl MiniLm {
    pub fn packaged() -> Self {
        Self(embed::Embedder::packaged().expect("packaged"))
    }
}

impl Embed for MiniLm {
    fn embed(&self, text: &str) -> Result<Vec<f32>, Fault> {
        self.0
            .embed(text)
            .map_err(|e| Fault::unavailable("embedder", e.to_string()))
    }

    fn model_id(&self) -> String {
        self.0.model_id().to_owned()
    }
}

/// An embedder that is down.
pub struct NoEmbedder;

impl Embed for NoEmbedder {
    fn embed(&self, _: &str) -> Result<Vec<f32>, Fault> {
        Err(Fault::unavailable("embedder", "switched off"))
    }

    fn model_id(&self) -> String {
        "none".to_owned()
    }
}

/// A market that says what it is told.
#[derive(Default)]
pub struct FakeFacts {
    pub all: HashMap<String, SymbolFacts>,
    pub names: Vec<SymbolName>,
    pub movers: Vec<Mover>,
    pub head: Option<StreamHead>,
}

impl FakeFacts {
    pub fn with(names: &[(&str, &str)]) -> Self {
        let name = |&(symbol, name): &(&str, &str)| SymbolName {
            symbol: symbol.into(),
            name: Some(name.into()),
        };
        Self {
            names: names.iter().map(name).collect(),
            ..Self::default()
        }
    }

    /// A jump of `bp` that ended at `at`, two seconds long.
    pub fn jump(&mut self, symbol: &str, at: u64, bp: f64) {
        let name = self
            .names
            .iter()
            .find(|n| n.symbol == symbol)
            .and_then(|n| n.name.clone());
        let to = 100.0 * (1.0 + bp / 1e4);
        let facts = self
            .all
            .entry(symbol.into())
            .or_insert_with(|| SymbolFacts {
                symbol: symbol.into(),
                name,
                at: NOW,
                open: Some(100.0),
                open_at: Some(NOW - HOUR / 2),
                state: "trading".into(),
                integrity: "ok".into(),
                ..SymbolFacts::default()
            });
        facts.last = Some(to);
        facts.jumps.push(Jump {
            at,
            span_ns: 2 * SECOND,
            from: 100.0,
            to,
            seq: 7,
        });
        self.movers.push(Mover {
            symbol: symbol.into(),
            move_bp: bp,
            at,
        });
    }
}

impl Facts for FakeFacts {
    fn as_of_facts(&self, symbol: &str, as_of: Option<u64>) -> Option<SymbolFacts> {
        let mut facts = self.all.get(symbol)?.clone();
        facts.jumps.retain(|j| as_of.is_none_or(|t| j.at <= t));
        facts.at = facts.at.min(as_of.unwrap_or(u64::MAX));
        if facts.jumps.is_empty() && !self.all[symbol].jumps.is_empty() {
            facts.last = facts.open;
        }
        Some(facts)
    }

    fn movers(&self, as_of: Option<u64>, n: usize) -> Vec<Mover> {
        let known = self
            .movers
            .iter()
            .filter(|m| as_of.is_none_or(|t| m.at <= t));
        known.take(n).cloned().collect()
    }

    fn symbols(&self) -> Vec<SymbolName> {
        self.names.clone()
    }

    fn stream_head(&self) -> Option<StreamHead> {
        self.head.clone()
    }
}

/// A `shared` folder beside the checkout, or `OUZEL_SHARED`.
pub fn shared() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("OUZEL_SHARED") {
        return Some(dir.into());
    }
    let start = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    start
        .ancestors()
        .map(|dir| dir.join("shared"))
        .find(|dir| dir.join("data").is_dir())
}
