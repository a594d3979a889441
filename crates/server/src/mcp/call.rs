//! A tool's arguments as a call of the HTTP API, and its answer as the tool's.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::client::escaped;
use crate::json::words;

/// One call of the HTTP API.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Path and query.
    pub path: String,
    /// What is posted; `None`: a `GET`.
    pub body: Option<Value>,
    /// The bytes of the document that are to be quoted.
    quote: Option<(usize, usize)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Movers {
    #[serde(default = "ten")]
    limit: u8,
}

fn ten() -> u8 {
    10
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Book {
    symbol: String,
    depth: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Why {
    symbol: Option<String>,
    as_of: Option<String>,
    k: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Shocks {
    symbol: Option<String>,
    limit: Option<usize>,
    after: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Similar {
    symbol: String,
    at: Option<String>,
    window: Option<String>,
    k: Option<usize>,
    outcomes: Option<Vec<String>>,
    shape: Option<String>,
    same_symbol: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Search {
    query: String,
    k: Option<usize>,
    symbol: Option<String>,
    source: Option<String>,
    as_of: Option<String>,
    mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Evidence {
    document_id: String,
    start: Option<usize>,
    end: Option<usize>,
    as_of: Option<String>,
}

impl Call {
    /// What a tool calls.
    ///
    /// # Errors
    /// What is wrong with the arguments, in words for an agent.
    pub fn of(tool: &str, arguments: &Map<String, Value>) -> Result<Self, String> {
        match tool {
            "movers" => read::<Movers>(arguments).map(Movers::call),
            "book" => read::<Book>(arguments).map(Book::call),
            "why_is_it_moving" => read::<Why>(arguments).map(Why::call),
            "similar_moments" => read::<Similar>(arguments).map(Similar::call),
            "shocks" => read::<Shocks>(arguments).map(Shocks::call),
            "search" => read::<Search>(arguments).map(Search::call),
            "evidence" => read::<Evidence>(arguments)?.call(),
            other => Err(format!("no tool named {other:.60?}")),
        }
    }

    /// The API's answer as the tool's.
    ///
    /// # Errors
    /// When the span that was asked for is not one of the document.
    pub fn shaped(&self, mut said: Value) -> Result<Value, String> {
        if !self.path.starts_with(DOCUMENTS) {
            return Ok(said);
        }
        said["quote"] = match self.quote {
            None => Value::Null,
            Some((start, end)) => {
                let text = said["text"].as_str().unwrap_or_default();
                let quote = text.get(start..end).ok_or_else(|| {
                    format!(
                        "bytes {start} to {end} are not text of this document, which has {} bytes; \
                         take start and end from a citation or a hit",
                        text.len()
                    )
                })?;
                json!(quote)
            }
        };
        Ok(said)
    }

    fn get(path: String) -> Self {
        Self {
            path,
            body: None,
            quote: None,
        }
    }

    fn post(path: &str, mut body: Value) -> Self {
        if let Some(object) = body.as_object_mut() {
            object.retain(|_, value| !value.is_null());
        }
        Self {
            body: Some(body),
            ..Self::get(path.to_owned())
        }
    }
}

/// Shocks told where the agent does not say how many.
const SHOCKS: usize = 5;
const DOCUMENTS: &str = "/v1/documents/";

fn read<T: DeserializeOwned>(arguments: &Map<String, Value>) -> Result<T, String> {
    let read = serde_json::from_value(Value::Object(arguments.clone()));
    read.map_err(|e| format!("the arguments cannot be read: {}", words(&e)))
}

impl Movers {
    fn call(self) -> Call {
        Call::get(format!("/v1/symbols?sort=move&limit={}", self.limit))
    }
}

impl Book {
    fn call(self) -> Call {
        let depth = self.depth.map(|depth| format!("?depth={depth}"));
        let symbol = escaped(&self.symbol);
        Call::get(format!("/v1/book/{symbol}{}", depth.unwrap_or_default()))
    }
}

impl Shocks {
    fn call(self) -> Call {
        let limit = self.limit.unwrap_or(SHOCKS);
        let after = self.after.map(|after| format!("&after={after}"));
        let after = after.unwrap_or_default();
        let symbol = self.symbol.map(|s| format!("&symbol={}", escaped(&s)));
        let symbol = symbol.unwrap_or_default();
        Call::get(format!("/v1/evidence?limit={limit}{after}{symbol}"))
    }
}

impl Similar {
    fn call(self) -> Call {
        let body = json!({
            "symbol": self.symbol, "at": self.at, "window": self.window, "k": self.k,
            "outcomes": self.outcomes, "shape": self.shape, "same_symbol": self.same_symbol,
        });
        Call::post("/v1/similar", body)
    }
}

impl Why {
    fn call(self) -> Call {
        let q = match &self.symbol {
            Some(symbol) => format!("Why is {symbol} moving?"),
            None => "What is moving and why?".to_owned(),
        };
        let body = json!({"q": q, "symbol": self.symbol, "as_of": self.as_of, "k": self.k});
        Call::post("/v1/ask", body)
    }
}

impl Search {
    fn call(self) -> Call {
        let body = json!({
            "q": self.query, "k": self.k, "symbol": self.symbol, "source": self.source,
            "as_of": self.as_of, "mode": self.mode,
        });
        Call::post("/v1/search", body)
    }
}

impl Evidence {
    fn call(self) -> Result<Call, String> {
        let quote = match (self.start, self.end) {
            (None, None) => None,
            (Some(start), Some(end)) => Some((start, end)),
            _ => return Err("start and end go together; give both or neither".to_owned()),
        };
        let as_of = self.as_of.map(|at| format!("?as_of={}", escaped(&at)));
        let id = escaped(&self.document_id);
        let path = format!("{DOCUMENTS}{id}{}", as_of.unwrap_or_default());
        Ok(Call {
            quote,
            ..Call::get(path)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(tool: &str, arguments: Value) -> Result<Call, String> {
        Call::of(tool, arguments.as_object().expect("an object"))
    }

    #[test]
    fn arguments_become_calls() {
        let path = |tool: &str, arguments| call(tool, arguments).map(|call| call.path);
        assert_eq!(
            path("movers", json!({})).as_deref(),
            Ok("/v1/symbols?sort=move&limit=10")
        );
        let book = path("book", json!({"symbol": "XBT/USD", "depth": 2}));
        assert_eq!(book.as_deref(), Ok("/v1/book/XBT%2FUSD?depth=2"));
        let shocks = path("shocks", json!({"symbol": "A&B", "after": 7}));
        let wanted = "/v1/evidence?limit=5&after=7&symbol=A%26B";
        assert_eq!(shocks.as_deref(), Ok(wanted));
        // Without a number the newest.
        let newest = path("shocks", json!({}));
        assert_eq!(newest.as_deref(), Ok("/v1/evidence?limit=5"));
        let why = call("why_is_it_moving", json!({"symbol": "AAPL"})).expect("a call");
        assert_eq!(
            why.body,
            Some(json!({"q": "Why is AAPL moving?", "symbol": "AAPL"}))
        );
    }

    #[test]
    fn evidence_quotes_the_span() {
        let asked = json!({"document_id": "a b", "start": 0, "end": 4});
        let call = call("evidence", asked).expect("a call");
        assert_eq!(call.path, "/v1/documents/a%20b");
        let said = call
            .shaped(json!({"id": "a b", "text": "Łód stopped"}))
            .map(|v| v["quote"].clone());
        assert!(said.is_ok_and(|quote| quote == "Łó"));
        assert!(call.shaped(json!({"text": "Ł"})).is_err());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (tool, arguments, word) in [
            ("book", json!({}), "symbol"),
            ("movers", json!({"limit": "many"}), "limit"),
            ("search", json!({"query": "x", "colour": 1}), "colour"),
            (
                "evidence",
                json!({"document_id": "a", "start": 1}),
                "go together",
            ),
        ] {
            let why = call(tool, arguments).expect_err("refused");
            let told = why.contains(word) || word == "limit" && why.contains("invalid type");
            assert!(told, "{why}");
        }
    }
}
