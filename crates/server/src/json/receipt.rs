//! Receipts at the border, and the seal by which a changed one is told.

use node::Seal;
use rag::receipt::sha256;
use rag::{Candidates, FromEarlier, Receipt, Reranked, SpanSeen, Stages};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Instant;
use super::answer::score;

/// The shape of receipts.
pub const VERSION: u32 = 1;
/// The field that the seal is in.
pub const SEAL: &str = "seal";

/// A receipt.
#[derive(Clone, Debug, Serialize)]
pub struct ReceiptRow {
    version: u32,
    as_of: Option<Instant>,
    asked_at: Instant,
    stream: Option<StreamRow>,
    memory: MemoryRow,
    flags: Vec<String>,
    models: ModelsRow,
    candidates: CandidatesRow,
    paths: PathsRow,
    kept: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<CacheRow>,
    rewritten: Option<String>,
    spans: Vec<SpanRow>,
    question_sha256: String,
    answer_sha256: Option<String>,
    facts_sha256: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reranked: Vec<RerankedRow>,
    stages_us: StagesRow,
    skipped: Vec<String>,
    seal: String,
}

#[derive(Clone, Debug, Serialize)]
struct PathsRow {
    dense: Option<String>,
    text: Option<String>,
}

/// A piece of a stored document, by place and hash.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SpanRow {
    /// The user's key.
    pub document_id: String,
    /// The chunk that it is in.
    pub chunk_id: String,
    /// First byte in the document's text.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Of those bytes, in hexadecimal.
    pub sha256: String,
    /// The entry that wrote this version.
    pub seq: u64,
    /// When what it tells happened.
    pub event_at: Instant,
    /// When this version became known.
    pub known_at: Instant,
}

impl From<SpanSeen> for SpanRow {
    fn from(span: SpanSeen) -> Self {
        Self {
            document_id: span.document_id,
            chunk_id: span.chunk_id,
            start: span.start,
            end: span.end,
            sha256: span.sha256,
            seq: span.seq,
            event_at: Instant(span.event_at),
            known_at: Instant(span.known_at),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct StreamRow {
    seq: u64,
    ts_event: Instant,
    freshness_ms: f64,
    integrity: String,
    feed_state: String,
}

#[derive(Clone, Debug, Serialize)]
struct MemoryRow {
    seq: u64,
    seq_end: u64,
    instant: Option<Instant>,
    newest_known_at: Option<Instant>,
    freshness_ms: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
struct ModelsRow {
    embed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rerank: Option<String>,
    answer: Option<String>,
}

/// The earlier question whose lists these are.
#[derive(Clone, Debug, Serialize)]
pub struct CacheRow {
    kind: &'static str,
    question: String,
    /// Of the earlier question's words.
    pub question_sha256: String,
    cosine: f64,
}

impl From<FromEarlier> for CacheRow {
    fn from(earlier: FromEarlier) -> Self {
        Self {
            kind: "semantic",
            question_sha256: sha256(earlier.q.as_bytes()),
            question: earlier.q,
            cosine: score(earlier.cosine),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct RerankedRow {
    chunk_id: String,
    /// Whole: how large the differences are that decide is the model's own.
    score: f32,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct CandidatesRow {
    dense: usize,
    text: usize,
    fused: usize,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct StagesRow {
    facts: u64,
    embed: u64,
    dense: u64,
    text: u64,
    fuse: u64,
    rerank: u64,
    assemble: u64,
    answer: u64,
    verify: u64,
    total: u64,
}

impl ReceiptRow {
    /// The earlier question whose lists these are, where it is another's.
    #[must_use]
    pub fn cache(&self) -> Option<&CacheRow> {
        self.cache.as_ref()
    }

    /// With the seal of the data folder that answered.
    #[must_use]
    pub fn sealed(receipt: Receipt, seal: &Seal) -> Self {
        let mut row = Self::from(receipt);
        // A value of strings, numbers and lists alone cannot fail to be one.
        let value = serde_json::to_value(&row).unwrap_or_default();
        row.seal = seal.of(canonical(&value).as_bytes());
        row
    }
}

/// What is sealed: the receipt without its seal, keys in order, no white space.
#[must_use]
pub fn canonical(receipt: &Value) -> String {
    let mut text = String::new();
    write(receipt, true, &mut text);
    text
}

fn write(value: &Value, is_outermost: bool, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.retain(|name| !is_outermost || *name != SEAL);
            names.sort_unstable();
            text.push('{');
            for (idx, name) in names.into_iter().enumerate() {
                if idx > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(&fields[name], false, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (idx, item) in items.iter().enumerate() {
                if idx > 0 {
                    text.push(',');
                }
                write(item, false, text);
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

impl From<Receipt> for ReceiptRow {
    fn from(r: Receipt) -> Self {
        Self {
            version: VERSION,
            as_of: r.as_of.map(Instant),
            asked_at: Instant(r.asked_at),
            stream: r.stream.map(|s| StreamRow {
                seq: s.seq,
                ts_event: Instant(s.ts_event),
                freshness_ms: micros(s.freshness_ms),
                integrity: s.integrity,
                feed_state: s.feed_state,
            }),
            memory: MemoryRow {
                seq: r.memory.seq,
                seq_end: r.memory.seq_end,
                instant: r.memory.instant.map(Instant),
                newest_known_at: r.memory.newest_known_at.map(Instant),
                freshness_ms: r.memory.freshness_ms.map(micros),
            },
            flags: r.flags,
            models: ModelsRow {
                embed: r.models.embed,
                rerank: r.models.rerank,
                answer: r.models.answer,
            },
            candidates: candidates(r.candidates),
            paths: PathsRow {
                dense: r.paths.dense,
                text: r.paths.text,
            },
            kept: r.kept,
            cache: r.from_earlier.map(CacheRow::from),
            rewritten: r.rewritten,
            spans: r.spans.into_iter().map(SpanRow::from).collect(),
            question_sha256: r.question_sha256,
            answer_sha256: r.answer_sha256,
            facts_sha256: r.facts_sha256,
            reranked: r.reranked.into_iter().map(reranked).collect(),
            stages_us: stages(r.stages_us),
            skipped: r.skipped,
            seal: String::new(),
        }
    }
}

/// Whole microseconds: as few digits as every reader of JSON reads back as they were.
fn micros(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

fn reranked(r: Reranked) -> RerankedRow {
    RerankedRow {
        chunk_id: r.chunk_id,
        score: r.score,
    }
}

fn candidates(c: Candidates) -> CandidatesRow {
    CandidatesRow {
        dense: c.dense,
        text: c.text,
        fused: c.fused,
    }
}

fn stages(s: Stages) -> StagesRow {
    StagesRow {
        facts: s.facts,
        embed: s.embed,
        dense: s.dense,
        text: s.text,
        fuse: s.fuse,
        rerank: s.rerank,
        assemble: s.assemble,
        answer: s.answer,
        verify: s.verify,
        total: s.total,
    }
}
