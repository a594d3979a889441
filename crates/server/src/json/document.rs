//! Documents at the border.

use node::memory::{DocumentSummary, StoredDocument};
use rag::{Draft, Fields};
use serde::{Deserialize, Serialize};

use super::Instant;
use super::body::{BodyError, Layout, layout};
use super::filter::{FieldsRow, fields};
use super::words;

/// Longest reason or id in a report: what is wrong may itself be megabytes.
const SHOWN_BYTES_LIMIT: usize = 300;

/// A document as a client sends it.
#[derive(Clone, Debug, Deserialize)]
#[serde(expecting = "a document, which is a JSON object")]
pub struct DraftBody {
    id: IdBody,
    text: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    symbols: Vec<String>,
    #[serde(default)]
    symbol: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    fields: Option<FieldsBody>,
    #[serde(default)]
    event_at: Option<Instant>,
    #[serde(default)]
    known_at: Option<Instant>,
}

/// What else is said of a document.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "serde_json::Map<String, serde_json::Value>")]
struct FieldsBody(Fields);

impl TryFrom<serde_json::Map<String, serde_json::Value>> for FieldsBody {
    type Error = String;

    fn try_from(object: serde_json::Map<String, serde_json::Value>) -> Result<Self, String> {
        fields(&object).map(Self)
    }
}

/// Numbers are common as keys in data sets; they become their text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "`id` must be a text or a whole number")]
enum IdBody {
    Text(String),
    Number(i64),
}

impl From<DraftBody> for Draft {
    fn from(body: DraftBody) -> Self {
        let mut symbols = body.symbols;
        symbols.extend(body.symbol);
        Self {
            id: match body.id {
                IdBody::Text(id) => id,
                IdBody::Number(id) => id.to_string(),
            },
            title: body.title,
            text: body.text,
            source: body.source,
            symbols: symbols
                .into_iter()
                .map(|s| s.trim().to_uppercase())
                .collect(),
            url: body.url,
            fields: body.fields.map(|body| body.0).unwrap_or_default(),
            event_at: body.event_at.map(|at| at.0),
            known_at: body.known_at.map(|at| at.0),
        }
    }
}

/// One document of a body, or why it cannot be read, with its place and its id if that is legible.
pub type Parsed = Result<Draft, Unreadable>;

/// A document that cannot be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unreadable {
    /// Its place in the body, from 0.
    pub index: usize,
    /// Its id, where that is legible.
    pub id: Option<String>,
    /// What is wrong.
    pub reason: String,
}

impl Unreadable {
    /// A document that cannot be read, with words of bounded length.
    #[must_use]
    pub fn new(index: usize, id: Option<String>, reason: impl Into<String>) -> Self {
        Self {
            index,
            id: id.map(shortened),
            reason: shortened(reason.into()),
        }
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > SHOWN_BYTES_LIMIT {
        text.truncate(text.floor_char_boundary(SHOWN_BYTES_LIMIT));
        text.push('\u{2026}');
    }
    text
}

/// Reads at most `count_limit` documents: one, an array, `{"documents": [..]}` or JSON lines.
///
/// # Errors
/// When the body as a whole is none of these, or holds more.
pub fn parse_documents(body: &str, count_limit: usize) -> Result<Vec<Parsed>, BodyError> {
    match layout(body, count_limit)? {
        Layout::Items(items) => {
            let each = items.iter().enumerate();
            Ok(each.map(|(index, item)| draft(index, item.get())).collect())
        }
        Layout::Lines(lines) => {
            let each = lines.into_iter().enumerate();
            Ok(each.map(|(index, line)| draft(index, line)).collect())
        }
    }
}

fn draft(index: usize, text: &str) -> Parsed {
    if !text.trim_start().starts_with('{') {
        return Err(Unreadable::new(index, None, "is not a JSON object"));
    }
    let read = serde_json::from_str::<DraftBody>(text);
    read.map(Draft::from)
        .map_err(|e| Unreadable::new(index, legible_id(text), words(&e)))
}

/// The id of a document that is unreadable otherwise.
fn legible_id(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Identified {
        id: IdBody,
    }
    match serde_json::from_str::<Identified>(text).ok()?.id {
        IdBody::Text(id) => Some(id),
        IdBody::Number(id) => Some(id.to_string()),
    }
}

/// A document in a list.
#[derive(Clone, Debug, Serialize)]
pub struct SummaryRow {
    id: String,
    title: Option<String>,
    source: Option<String>,
    symbols: Vec<String>,
    url: Option<String>,
    fields: FieldsRow,
    event_at: Instant,
    known_at: Instant,
}

impl From<DocumentSummary> for SummaryRow {
    fn from(summary: DocumentSummary) -> Self {
        Self {
            id: summary.id,
            title: summary.title,
            source: summary.source,
            symbols: summary.symbols,
            url: summary.url,
            fields: FieldsRow(summary.fields),
            event_at: Instant(summary.event_at),
            known_at: Instant(summary.known_at),
        }
    }
}

/// A document with its text.
#[derive(Clone, Debug, Serialize)]
pub struct DocumentRow {
    #[serde(flatten)]
    summary: SummaryRow,
    text: String,
}

impl From<StoredDocument> for DocumentRow {
    fn from(document: StoredDocument) -> Self {
        Self {
            summary: document.summary.into(),
            text: document.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Vec<Parsed> {
        parse_documents(body, 10).expect("readable")
    }

    fn ids(body: &str) -> Vec<Option<String>> {
        let parsed = read(body);
        parsed.into_iter().map(|p| p.ok().map(|d| d.id)).collect()
    }

    #[test]
    fn every_documented_body_is_read() {
        let a = r#"{"id": "a", "text": "x", "symbols": ["aapl"], "known_at": "2014-01-28"}"#;
        let one = Some("a".to_owned());
        assert_eq!(ids(a), vec![one.clone()]);
        assert_eq!(ids(&format!("[{a}, {a}]")), vec![one.clone(), one.clone()]);
        assert_eq!(ids(&format!("{{\"documents\": [{a}]}}")), vec![one.clone()]);
        assert_eq!(ids(&format!("{a}\n\n{a}\n")), vec![one.clone(), one]);
        assert_eq!(
            ids(r#"[{"id": 7, "text": "x"}, {"id": "b"}]"#),
            vec![Some("7".into()), None]
        );
    }

    #[test]
    fn symbols_become_upper_case() {
        let parsed = read(r#"{"id": "a", "text": "x", "symbol": "aapl"}"#);
        assert_eq!(parsed[0].as_ref().expect("ok").symbols, ["AAPL"]);
    }

    #[test]
    fn a_bad_document_is_told_in_plain_and_short_words() {
        let long = format!(
            r#"{{"id": "{0}", "text": 3, "url": "{0}"}}"#,
            "x".repeat(1_000)
        );
        let bodies = [
            (r#"["a", "text"]"#.to_owned(), "is not a JSON object"),
            (r#"{"text": "x"}"#.to_owned(), "missing field `id`"),
            (r#"{"id": true, "text": "x"}"#.to_owned(), "`id` must be"),
            (
                r#"{"id": "a", "text": "x", "symbols": 3}"#.to_owned(),
                "expected an array",
            ),
            (
                r#"{"id": "a", "text": "x", "known_at": {}}"#.to_owned(),
                "instant",
            ),
            (long, "expected a string"),
        ];
        for (body, word) in bodies {
            let parsed = read(&format!("[{body}]"));
            let why = parsed[0].as_ref().expect_err("unreadable");
            assert!(why.reason.contains(word), "{}", why.reason);
            let shown = why.reason.len() + why.id.as_ref().map_or(0, String::len);
            assert!(shown < 2 * SHOWN_BYTES_LIMIT + 10, "{shown}");
            for internal in ["struct", "untagged", "sequence", "map", "usize"] {
                assert!(!why.reason.contains(internal), "{}", why.reason);
            }
        }
    }
}
