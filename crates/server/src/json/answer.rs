//! Questions, answers and receipts at the border.

use collection::{Condition, Filter};
use node::{Node, Seal};
use rag::{
    Answer, Asker, Citation, Copied, Fact, Fault, Mode, Question, Rerank, SearchAnswer, SearchHit,
    SearchRequest, Semantic, Stages,
};
use serde::{Deserialize, Serialize};

use super::Instant;
use super::explain::ExplainRow;
use super::filter::{FieldsRow, parse_filter};
use super::receipt::ReceiptRow;
use crate::seal::seal;

/// Body of `/v1/ask`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskBody {
    q: String,
    #[serde(default)]
    symbol: Option<String>,
    #[serde(default)]
    as_of: Option<Instant>,
    #[serde(default)]
    k: Option<usize>,
    #[serde(default)]
    deadline_ms: Option<u64>,
    #[serde(default)]
    conversation: Vec<String>,
    /// Server-sent events instead of one object.
    #[serde(default)]
    pub stream: bool,
}

impl From<AskBody> for Question {
    fn from(body: AskBody) -> Self {
        Self {
            q: body.q,
            symbol: body
                .symbol
                .map(|s| s.trim().to_uppercase())
                .filter(|s| !s.is_empty()),
            as_of: body.as_of.map(|at| at.0),
            k: body.k.unwrap_or(0),
            deadline_ms: body.deadline_ms,
            conversation: body.conversation,
        }
    }
}

/// Body of `/v1/search`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchBody {
    q: String,
    #[serde(default)]
    k: Option<usize>,
    #[serde(default)]
    symbol: Option<String>,
    #[serde(default)]
    symbols: Vec<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    as_of: Option<Instant>,
    #[serde(default)]
    mode: ModeBody,
    #[serde(default)]
    event_from: Option<Instant>,
    #[serde(default)]
    event_to: Option<Instant>,
    #[serde(default)]
    filter: Option<FilterBody>,
    #[serde(default)]
    explain: bool,
    #[serde(default)]
    deadline_ms: Option<u64>,
    /// One hit for one piece of news.
    #[serde(default = "yes")]
    fold_copies: bool,
}

fn yes() -> bool {
    true
}

/// Read from JSON as it stands there.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "serde_json::Value")]
struct FilterBody(Filter);

impl TryFrom<serde_json::Value> for FilterBody {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        parse_filter(&value).map(Self)
    }
}

impl SearchBody {
    /// Whether both lists are asked.
    #[must_use]
    pub fn is_hybrid(&self) -> bool {
        matches!(self.mode, ModeBody::Hybrid)
    }

    /// Time allowed, from the request on.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        self.deadline_ms
    }

    /// The same, after it waited.
    #[must_use]
    pub fn since(mut self, waited_ms: u64) -> Self {
        self.deadline_ms = self.deadline_ms.map(|ms| ms.saturating_sub(waited_ms));
        self
    }

    /// What is asked, of which documents, and whether how it was done shall be told.
    #[must_use]
    pub fn into_parts(mut self) -> (SearchRequest, Option<Filter>, bool) {
        let mut filter = self.filter.take().map(|body| body.0);
        let (gte, lte) = (self.event_from.take(), self.event_to.take());
        if gte.is_some() || lte.is_some() {
            filter
                .get_or_insert_default()
                .must
                .push(Condition::EventAt {
                    gte: gte.map(|at| at.0),
                    lte: lte.map(|at| at.0),
                });
        }
        let explain = self.explain;
        (self.into(), filter, explain)
    }
}

/// Searches what passes the body's filter, and tells how it was done where that is asked for.
///
/// # Errors
/// As [`rag::Asker::search`].
pub fn search(
    node: &Node,
    body: SearchBody,
    helpers: Helpers<'_>,
) -> Result<SearchAnswered, Fault> {
    let (request, filter, explain) = body.into_parts();
    let view = node.view(filter);
    let asker = Asker {
        rerank: helpers.rerank,
        semantic: helpers.semantic.filter(|_| !explain),
        ..node.asker_over(&view, explain)
    };
    let answer = asker.search(&request)?;
    let stages = answer.receipt.stages_us;
    let mut row = SearchRow::sealed(answer, seal(node)?);
    row.explain = explain.then(|| view.told().into());
    Ok(SearchAnswered { row, stages })
}

/// What a search may make use of, where it is configured.
#[derive(Clone, Copy, Default)]
pub struct Helpers<'a> {
    /// The cross-encoder.
    pub rerank: Option<&'a dyn Rerank>,
    /// Questions by their meaning.
    pub semantic: Option<&'a Semantic>,
}

/// A search's answer, ready to be sent.
pub struct SearchAnswered {
    /// As JSON.
    pub row: SearchRow,
    /// How long each stage took.
    pub stages: Stages,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ModeBody {
    #[default]
    Hybrid,
    Dense,
    Text,
}

impl From<SearchBody> for SearchRequest {
    fn from(body: SearchBody) -> Self {
        let symbols = body.symbols.into_iter().chain(body.symbol);
        Self {
            q: body.q,
            k: body.k.unwrap_or(0),
            symbols: symbols.map(|s| s.trim().to_uppercase()).collect(),
            sources: body.source.into_iter().collect(),
            as_of: body.as_of.map(|at| at.0),
            mode: match body.mode {
                ModeBody::Hybrid => Mode::Hybrid,
                ModeBody::Dense => Mode::Dense,
                ModeBody::Text => Mode::Text,
            },
            fold_copies: body.fold_copies,
            deadline_ms: body.deadline_ms,
            ..Self::default()
        }
    }
}

/// An answer.
#[derive(Clone, Debug, Serialize)]
pub struct AnswerRow {
    /// Plain text.
    pub answer: String,
    /// No evidence.
    pub abstained: bool,
    citations: Vec<CitationRow>,
    facts: Vec<FactRow>,
    /// What it was made from.
    pub receipt: ReceiptRow,
}

impl AnswerRow {
    /// With the receipt sealed.
    #[must_use]
    pub fn sealed(answer: Answer, seal: &Seal) -> Self {
        Self {
            answer: answer.answer,
            abstained: answer.abstained,
            citations: answer
                .citations
                .into_iter()
                .map(CitationRow::from)
                .collect(),
            facts: answer.facts.into_iter().map(FactRow::from).collect(),
            receipt: ReceiptRow::sealed(answer.receipt, seal),
        }
    }
}

/// Verbatim evidence.
#[derive(Clone, Debug, Serialize)]
pub struct CitationRow {
    document_id: String,
    title: Option<String>,
    source: Option<String>,
    start: usize,
    end: usize,
    quote: String,
    event_at: Instant,
    known_at: Instant,
    score: f64,
}

impl From<Citation> for CitationRow {
    fn from(c: Citation) -> Self {
        Self {
            document_id: c.document_id,
            title: c.title,
            source: c.source,
            start: c.start,
            end: c.end,
            quote: c.quote,
            event_at: Instant(c.event_at),
            known_at: Instant(c.known_at),
            score: score(c.score),
        }
    }
}

/// Six digits: as many as an `f32` holds, and the same however the answer is sent.
pub(super) fn score(score: f32) -> f64 {
    (f64::from(score) * 1e6).round() / 1e6
}

#[derive(Clone, Debug, Serialize)]
struct FactRow {
    symbol: String,
    text: String,
    at: Instant,
    integrity: String,
}

impl From<Fact> for FactRow {
    fn from(fact: Fact) -> Self {
        Self {
            symbol: fact.symbol,
            text: fact.text,
            at: Instant(fact.at),
            integrity: fact.integrity,
        }
    }
}

/// The stages as a `Server-Timing` header.
#[must_use]
pub fn server_timing(s: &Stages) -> String {
    let ms = |us: u64| us as f64 / 1_000.0;
    format!(
        "facts;dur={:.3}, embed;dur={:.3}, dense;dur={:.3}, text;dur={:.3}, fuse;dur={:.3}, \
         rerank;dur={:.3}, assemble;dur={:.3}, answer;dur={:.3}, verify;dur={:.3}, total;dur={:.3}",
        ms(s.facts),
        ms(s.embed),
        ms(s.dense),
        ms(s.text),
        ms(s.fuse),
        ms(s.rerank),
        ms(s.assemble),
        ms(s.answer),
        ms(s.verify),
        ms(s.total),
    )
}

/// Hits of a search.
#[derive(Clone, Debug, Serialize)]
pub struct SearchRow {
    hits: Vec<HitRow>,
    receipt: ReceiptRow,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<ExplainRow>,
}

#[derive(Clone, Debug, Serialize)]
struct HitRow {
    document_id: String,
    chunk_id: String,
    title: Option<String>,
    source: Option<String>,
    symbols: Vec<String>,
    fields: FieldsRow,
    text: String,
    start: usize,
    end: usize,
    event_at: Instant,
    known_at: Instant,
    score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rerank_score: Option<f32>,
    ranks: RanksRow,
    also: Vec<CopiedRow>,
}

/// A later copy of a hit.
#[derive(Clone, Debug, Serialize)]
struct CopiedRow {
    document_id: String,
    source: Option<String>,
    known_at: Instant,
}

impl From<Copied> for CopiedRow {
    fn from(copied: Copied) -> Self {
        Self {
            document_id: copied.document_id,
            source: copied.source,
            known_at: Instant(copied.known_at),
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
struct RanksRow {
    dense: Option<usize>,
    text: Option<usize>,
}

impl SearchRow {
    /// What it was made from.
    #[must_use]
    pub fn receipt(&self) -> &ReceiptRow {
        &self.receipt
    }

    fn sealed(answer: SearchAnswer, seal: &Seal) -> Self {
        Self {
            hits: answer.hits.into_iter().map(HitRow::from).collect(),
            receipt: ReceiptRow::sealed(answer.receipt, seal),
            explain: None,
        }
    }
}

impl From<SearchHit> for HitRow {
    fn from(hit: SearchHit) -> Self {
        let passage = hit.passage;
        Self {
            document_id: passage.document_id,
            chunk_id: passage.id,
            title: passage.title,
            source: passage.source,
            symbols: passage.symbols,
            fields: FieldsRow(passage.fields),
            text: passage.text,
            start: passage.start,
            end: passage.end,
            event_at: Instant(passage.event_at),
            known_at: Instant(passage.known_at),
            score: score(passage.score),
            rerank_score: hit.rerank,
            ranks: RanksRow {
                dense: hit.rank_dense,
                text: hit.rank_text,
            },
            also: hit.also.into_iter().map(CopiedRow::from).collect(),
        }
    }
}
