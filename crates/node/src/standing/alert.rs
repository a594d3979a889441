//! What is told when a question is answered, and the newest of it for readers who come back.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use collection::{Payload, Point, Value};
use sha2::{Digest, Sha256};

use super::matcher::{Answered, Standing};

/// Alerts kept for readers who are behind.
const KEPT: usize = 16_384;
/// Bytes of a passage that an alert carries.
const QUOTE_SIZE_MAX: usize = 2_048;

/// A question was answered.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The same each time the same question is told of the same arrival, also by another run.
    pub id: String,
    /// Its number in this run, from 1.
    pub n: u64,
    /// The question.
    pub standing: Arc<Standing>,
    /// When it was matched, ns UTC.
    pub at: u64,
    /// By what.
    pub of: Arrival,
}

/// What answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrival {
    /// A document.
    Document(Box<DocumentArrival>),
    /// A state of the market.
    State(StateArrival),
}

/// The version of a document that answers, by its best passage.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentArrival {
    /// The user's key.
    pub document_id: String,
    /// Of the best passage.
    pub chunk_id: String,
    /// Headline.
    pub title: Option<String>,
    /// Where it comes from.
    pub source: Option<String>,
    /// Where a person can read it.
    pub url: Option<String>,
    /// Symbols it is tagged with.
    pub symbols: Vec<String>,
    /// First byte of the passage in the document's text.
    pub start: usize,
    /// One past its last.
    pub end: usize,
    /// The passage's beginning, 2 KiB at most.
    pub quote: String,
    /// How well it answers: a cosine, or the share of the words.
    pub score: f32,
    /// Passages of the document that answer.
    pub passages: usize,
    /// When it happened, ns UTC.
    pub event_at: u64,
    /// When it became known, ns UTC.
    pub known_at: u64,
    /// The entry of the log that stored it.
    pub seq: u64,
}

/// A state that came near enough.
#[derive(Clone, Debug, PartialEq)]
pub struct StateArrival {
    /// Whose.
    pub symbol: String,
    /// When it ended, ns UTC.
    pub end_ns: u64,
    /// When it was known, ns UTC.
    pub known_ns: u64,
    /// The root of the mean squared difference of components.
    pub distance: f32,
}

impl Alert {
    /// Of a document stored by entry `seq`.
    pub(super) fn of_document(answered: &Answered, passages: &[Point], seq: u64, at: u64) -> Self {
        let point = &passages[answered.passage];
        let of = document(answered, point, seq);
        let key = format!("{}\0{seq}", of.document_id);
        Self {
            id: id(&answered.standing, &key),
            n: 0,
            standing: Arc::clone(&answered.standing),
            at,
            of: Arrival::Document(Box::new(of)),
        }
    }

    /// Of a market state.
    pub(super) fn of_state(standing: &Arc<Standing>, state: StateArrival, at: u64) -> Self {
        let key = format!("{}\0{}", state.symbol, state.end_ns);
        Self {
            id: id(standing, &key),
            n: 0,
            standing: Arc::clone(standing),
            at,
            of: Arrival::State(state),
        }
    }
}

fn id(standing: &Standing, arrival: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(standing.question.id.as_bytes());
    digest.update([0]);
    digest.update(standing.after_seq.to_le_bytes());
    digest.update(arrival.as_bytes());
    let hex = |byte: &u8| format!("{byte:02x}");
    let short: String = digest.finalize().iter().take(16).map(hex).collect();
    format!("alert_{short}")
}

fn document(answered: &Answered, point: &Point, seq: u64) -> DocumentArrival {
    let Payload(fields) = &point.payload;
    let text = |key: &str| match fields.get(key) {
        Some(Value::Str(text)) => Some(text.clone()),
        _ => None,
    };
    let whole = |key: &str| match fields.get(key) {
        Some(Value::Int(n)) => usize::try_from(*n).unwrap_or(0),
        _ => 0,
    };
    let symbols = match fields.get("symbols") {
        Some(Value::List(values)) => values.as_slice(),
        _ => &[],
    };
    let symbol = |value: &Value| match value {
        Value::Str(symbol) => Some(symbol.clone()),
        _ => None,
    };
    let own = point.text.get(whole(crate::memory::OWN)..);
    let own = own.unwrap_or(&point.text);
    DocumentArrival {
        // Documents are stored with their id; a point that is none would be shown by its own.
        document_id: text("document_id").unwrap_or_else(|| point.id.clone()),
        chunk_id: point.id.clone(),
        title: text("title"),
        source: text("source"),
        url: text("url"),
        symbols: symbols.iter().filter_map(symbol).collect(),
        start: whole("start"),
        end: whole("end"),
        quote: own[..own.floor_char_boundary(QUOTE_SIZE_MAX)].to_owned(),
        score: answered.score,
        passages: answered.passages,
        event_at: point.event_at,
        known_at: point.known_at,
        seq,
    }
}

/// What was told since a reader last looked.
#[derive(Clone, Debug, Default)]
pub struct AlertsSince {
    /// In the order of their matching.
    pub alerts: Vec<Arc<Alert>>,
    /// Alerts that the reader did not have and that are no longer kept.
    pub missed: u64,
    /// The number that the next look begins behind.
    pub last: u64,
}

/// The newest alerts of this run, numbered from 1. What is beyond [`KEPT`] goes, the oldest first; a reader is told.
#[derive(Debug, Default)]
pub struct AlertLog {
    /// Read without the lock: most looks find nothing.
    last: AtomicU64,
    kept: Mutex<VecDeque<Arc<Alert>>>,
}

impl AlertLog {
    pub(super) fn push(&self, mut alert: Alert) -> Arc<Alert> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        alert.n = self.last() + 1;
        let alert = Arc::new(alert);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Arc::clone(&alert));
        self.last.store(alert.n, Ordering::Release);
        alert
    }

    /// The number of the newest; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// Those behind number `after`, `limit` at most.
    #[must_use]
    pub fn since(&self, after: u64, limit: usize) -> AlertsSince {
        if after >= self.last() {
            return AlertsSince {
                last: after.min(self.last()),
                ..AlertsSince::default()
            };
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.last() - kept.len() as u64;
        let skipped = usize::try_from(after.saturating_sub(before)).unwrap_or(usize::MAX);
        let alerts: Vec<_> = kept.iter().skip(skipped).take(limit).cloned().collect();
        AlertsSince {
            missed: before.saturating_sub(after),
            last: alerts.last().map_or(after, |alert| alert.n),
            alerts,
        }
    }
}
