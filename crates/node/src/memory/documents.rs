//! Documents as chunks in a collection: one point a chunk, all of a version in one log entry.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use collection::{
    AsOf, Collection, Condition, Error, Filter, Op, Payload, Point, Recovery, Scored, Settings,
    Value,
};
use rag::{Document, EmbeddedChunk, Fault, MemoryHead, Passage, Search, Stored};

/// Chunks read for one document at most: its text limit over the smallest chunk.
const CHUNKS_LIMIT: usize = 65_536;

/// The documents' collection.
pub struct Documents {
    collection: Collection,
    /// Latest `known_at` of any chunk ever stored; 0: none yet.
    newest_known_at: AtomicU64,
}

/// A document without its text.
#[derive(Clone, Debug)]
pub struct DocumentSummary {
    /// The user's key.
    pub id: String,
    /// Its headline.
    pub title: Option<String>,
    /// Where it comes from.
    pub source: Option<String>,
    /// Symbols it is tagged with.
    pub symbols: Vec<String>,
    /// Where a person can read it.
    pub url: Option<String>,
    /// When it happened, ns UTC.
    pub event_at: u64,
    /// When it became known, ns UTC.
    pub known_at: u64,
}

/// A document with its text, put together from its chunks.
#[derive(Clone, Debug)]
pub struct StoredDocument {
    /// All but the text.
    pub summary: DocumentSummary,
    /// The text as stored.
    pub text: String,
}

impl Documents {
    /// Opens or makes the collection in `dir`.
    ///
    /// # Errors
    /// As the collection says.
    pub fn open(dir: &Path, settings: Settings) -> Result<(Self, Recovery), Error> {
        let (collection, recovery) = Collection::open(dir, settings)?;
        let stored = collection.scroll(None, &AsOf::Now, None, usize::MAX)?;
        let newest = stored
            .iter()
            .map(|found| found.point.known_at)
            .max()
            .unwrap_or(0);
        Ok((
            Self {
                collection,
                newest_known_at: AtomicU64::new(newest),
            },
            recovery,
        ))
    }

    /// The collection itself, for figures about it.
    #[must_use]
    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    /// Nearest chunks.
    ///
    /// # Errors
    /// When the collection refuses the vector.
    pub fn dense(&self, vector: &[f32], search: &Search) -> Result<Vec<Passage>, Fault> {
        let found = self.collection.search_dense(
            vector,
            search.k,
            &as_of(search.as_of),
            filter(search).as_ref(),
        );
        Ok(found.map_err(fault)?.into_iter().map(passage).collect())
    }

    /// Best chunks by words.
    ///
    /// # Errors
    /// When the collection cannot answer.
    pub fn text(&self, query: &str, search: &Search) -> Result<Vec<Passage>, Fault> {
        let found = self.collection.search_text(
            query,
            search.k,
            &as_of(search.as_of),
            filter(search).as_ref(),
        );
        Ok(found.map_err(fault)?.into_iter().map(passage).collect())
    }

    /// How far it has got.
    #[must_use]
    pub fn head(&self) -> MemoryHead {
        let stats = self.collection.stats();
        let newest = self.newest_known_at.load(Ordering::Relaxed);
        MemoryHead {
            seq: stats.head_seq,
            newest_known_at: (newest > 0).then_some(newest),
        }
    }

    /// Writes all chunks of one version and removes what an earlier, longer one left over.
    ///
    /// # Errors
    /// When the log refuses the entry; nothing is stored then.
    pub fn store(&self, document: &Document, chunks: Vec<EmbeddedChunk>) -> Result<Stored, Fault> {
        let count = chunks.len();
        let leftover = Filter {
            must: vec![
                is("document_id", &document.id),
                Condition::Range {
                    field: "chunk".to_owned(),
                    gte: Some(Value::Int(count as i64)),
                    lte: None,
                },
            ],
            must_not: Vec::new(),
        };
        let mut ops: Vec<Op> = chunks
            .into_iter()
            .map(|chunk| Op::Upsert(point(document, chunk)))
            .collect();
        ops.push(Op::DeleteWhere {
            filter: leftover,
            known_at: document.known_at,
        });
        let ack = self.collection.apply(ops).map_err(fault)?;
        self.newest_known_at
            .fetch_max(document.known_at, Ordering::Relaxed);
        Ok(Stored {
            seq: ack.seq,
            durable: ack.durable,
            chunks: count,
        })
    }

    /// Removes a document from `known_at` on; false when there was none.
    ///
    /// # Errors
    /// When the log refuses the entry.
    pub fn delete(&self, id: &str, known_at: u64) -> Result<Option<u64>, Fault> {
        if self.get(id, None)?.is_none() {
            return Ok(None);
        }
        let filter = Filter {
            must: vec![is("document_id", id)],
            must_not: Vec::new(),
        };
        let ack = self
            .collection
            .apply(vec![Op::DeleteWhere { filter, known_at }]);
        Ok(Some(ack.map_err(fault)?.seq))
    }

    /// One document as of an instant.
    ///
    /// # Errors
    /// When the collection cannot answer.
    pub fn get(&self, id: &str, as_of_ns: Option<u64>) -> Result<Option<StoredDocument>, Fault> {
        let filter = Filter {
            must: vec![is("document_id", id)],
            must_not: Vec::new(),
        };
        let at = as_of(as_of_ns);
        let chunks = self
            .collection
            .scroll(Some(&filter), &at, None, CHUNKS_LIMIT);
        let mut chunks: Vec<_> = chunks
            .map_err(fault)?
            .into_iter()
            .map(|s| s.point)
            .collect();
        chunks.sort_by_key(|point| whole(&point.payload, "chunk"));
        let Some(first) = chunks.first() else {
            return Ok(None);
        };
        let summary = summary(first);
        let text = chunks.iter().map(|point| point.text.as_str()).collect();
        Ok(Some(StoredDocument { summary, text }))
    }

    /// Newest known first.
    ///
    /// # Errors
    /// When the collection cannot answer.
    pub fn list(&self, symbol: Option<&str>, limit: usize) -> Result<Vec<DocumentSummary>, Fault> {
        let mut must = vec![Condition::Range {
            field: "chunk".to_owned(),
            gte: None,
            lte: Some(Value::Int(0)),
        }];
        must.extend(symbol.map(|s| is("symbols", s)));
        let filter = Filter {
            must,
            must_not: Vec::new(),
        };
        let first_chunks = self
            .collection
            .scroll(Some(&filter), &AsOf::Now, None, usize::MAX);
        let first_chunks = first_chunks.map_err(fault)?;
        let mut found: Vec<_> = first_chunks.iter().map(|s| summary(&s.point)).collect();
        found.sort_by(|a, b| b.known_at.cmp(&a.known_at).then_with(|| a.id.cmp(&b.id)));
        found.truncate(limit);
        Ok(found)
    }
}

fn as_of(known: Option<u64>) -> AsOf {
    known.map_or(AsOf::Now, AsOf::Known)
}

fn is(field: &str, value: &str) -> Condition {
    Condition::Any {
        field: field.to_owned(),
        values: vec![Value::Str(value.to_owned())],
    }
}

fn any(field: &str, values: &[String]) -> Option<Condition> {
    let values: Vec<Value> = values.iter().cloned().map(Value::Str).collect();
    (!values.is_empty()).then(|| Condition::Any {
        field: field.to_owned(),
        values,
    })
}

fn filter(search: &Search) -> Option<Filter> {
    let mut must = Vec::new();
    must.extend(any("symbols", &search.symbols));
    must.extend(any("source", &search.sources));
    if search.event_from.is_some() || search.event_to.is_some() {
        must.push(Condition::EventAt {
            gte: search.event_from,
            lte: search.event_to,
        });
    }
    (!must.is_empty()).then(|| Filter {
        must,
        must_not: Vec::new(),
    })
}

fn point(document: &Document, chunk: EmbeddedChunk) -> Point {
    let mut payload = Payload::default();
    let mut put = |key: &str, value: Value| {
        payload.0.insert(key.to_owned(), value);
    };
    put("document_id", Value::Str(document.id.clone()));
    put("chunk", Value::Int(chunk.index as i64));
    put("start", Value::Int(chunk.start as i64));
    put("end", Value::Int(chunk.end as i64));
    let symbols = document.symbols.iter().cloned().map(Value::Str).collect();
    put("symbols", Value::List(symbols));
    for (key, value) in [
        ("title", &document.title),
        ("source", &document.source),
        ("url", &document.url),
    ] {
        if let Some(value) = value {
            put(key, Value::Str(value.clone()));
        }
    }
    Point {
        id: format!("{}#{}", document.id, chunk.index),
        vector: chunk.vector,
        text: chunk.text,
        payload,
        event_at: document.event_at,
        known_at: document.known_at,
    }
}

fn passage(scored: Scored) -> Passage {
    let point = &scored.point;
    let summary = summary(point);
    Passage {
        id: scored.id,
        document_id: summary.id,
        title: summary.title,
        source: summary.source,
        symbols: summary.symbols,
        text: point.text.clone(),
        start: whole(&point.payload, "start"),
        end: whole(&point.payload, "end"),
        event_at: point.event_at,
        known_at: point.known_at,
        score: scored.score,
    }
}

fn summary(point: &Point) -> DocumentSummary {
    let symbols = match point.payload.0.get("symbols") {
        Some(Value::List(items)) => items.iter().filter_map(as_text).collect(),
        _ => Vec::new(),
    };
    DocumentSummary {
        id: words(&point.payload, "document_id").unwrap_or_default(),
        title: words(&point.payload, "title"),
        source: words(&point.payload, "source"),
        symbols,
        url: words(&point.payload, "url"),
        event_at: point.event_at,
        known_at: point.known_at,
    }
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Str(text) => Some(text.clone()),
        _ => None,
    }
}

fn words(payload: &Payload, key: &str) -> Option<String> {
    payload.0.get(key).and_then(as_text)
}

fn whole(payload: &Payload, key: &str) -> usize {
    match payload.0.get(key) {
        Some(Value::Int(n)) => usize::try_from(*n).unwrap_or(0),
        _ => 0,
    }
}

fn fault(error: Error) -> Fault {
    Fault::unavailable("memory", error.to_string())
}
