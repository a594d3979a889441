//! Documents at the border.

use node::memory::{DocumentSummary, StoredDocument};
use rag::Draft;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Instant;

/// A document as a client sends it.
#[derive(Clone, Debug, Deserialize)]
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
    event_at: Option<Instant>,
    #[serde(default)]
    known_at: Option<Instant>,
}

/// Numbers are common as keys in data sets; they become their text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
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

/// Reads one document, an array, `{"documents": [..]}` or JSON lines.
///
/// # Errors
/// When the body as a whole is none of these.
pub fn parse_documents(body: &str) -> Result<Vec<Parsed>, String> {
    let trimmed = body.trim_start_matches('\u{feff}').trim();
    if trimmed.is_empty() {
        return Err("the body is empty".to_owned());
    }
    match serde_json::from_str::<Value>(trimmed) {
        Ok(Value::Array(items)) => Ok(draft_all(items)),
        Ok(Value::Object(mut object)) => match object.remove("documents") {
            Some(Value::Array(items)) => Ok(draft_all(items)),
            Some(_) => Err("\"documents\" is not an array".to_owned()),
            None => Ok(draft_all(vec![Value::Object(object)])),
        },
        Ok(_) => Err("the body is neither an object nor an array".to_owned()),
        Err(whole) => json_lines(trimmed, &whole),
    }
}

fn json_lines(body: &str, whole: &serde_json::Error) -> Result<Vec<Parsed>, String> {
    let lines: Vec<&str> = body
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    if lines.len() < 2 || serde_json::from_str::<Value>(lines[0]).is_err() {
        return Err(format!("not JSON: {whole}"));
    }
    let parsed = lines
        .iter()
        .enumerate()
        .map(|(index, line)| match serde_json::from_str(line) {
            Ok(value) => draft(index, value),
            Err(e) => Err(Unreadable {
                index,
                id: None,
                reason: format!("line {}: {e}", index + 1),
            }),
        });
    Ok(parsed.collect())
}

fn draft_all(items: Vec<Value>) -> Vec<Parsed> {
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| draft(index, item))
        .collect()
}

fn draft(index: usize, value: Value) -> Parsed {
    let id = match value.get("id") {
        Some(Value::String(id)) => Some(id.clone()),
        Some(Value::Number(id)) => Some(id.to_string()),
        _ => None,
    };
    serde_json::from_value::<DraftBody>(value)
        .map(Draft::from)
        .map_err(|e| Unreadable {
            index,
            id,
            reason: e.to_string(),
        })
}

/// A document in a list.
#[derive(Clone, Debug, Serialize)]
pub struct SummaryRow {
    id: String,
    title: Option<String>,
    source: Option<String>,
    symbols: Vec<String>,
    url: Option<String>,
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

    fn ids(body: &str) -> Vec<Option<String>> {
        let parsed = parse_documents(body).expect("readable");
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
        for bad in ["", "hello", "3", "{\"documents\": 3}"] {
            assert!(parse_documents(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn symbols_become_upper_case() {
        let parsed = parse_documents(r#"{"id": "a", "text": "x", "symbol": "aapl"}"#);
        assert_eq!(
            parsed.expect("ok")[0].as_ref().expect("ok").symbols,
            ["AAPL"]
        );
    }
}
