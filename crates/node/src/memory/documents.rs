//! Documents as chunks in a collection: one point a chunk, all of a version in one log entry.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use collection::plan::Explain;
use collection::text::TextExplain;
use collection::{
    Ack, AsOf, Collection, Condition, Effort, Error, Filter, Op, Payload, Point, Scored, Value,
    Wanted,
};
use rag::{Document, EmbeddedChunk, Fault, Fields, MemoryHead, Passage, Search, Stamp, Stored};
use stdx::Clock;

use super::arrivals::Arrivals;
use super::present::Present;
use super::{fields, paths};
use crate::generation::Generations;

/// The documents' collection.
pub struct Documents {
    generations: Arc<Generations>,
    /// Held by writers, so that a change of model finds none.
    door: RwLock<()>,
    /// Latest `known_at` that had been reached when its document was stored; 0: none yet.
    newest_known_at: AtomicU64,
    arrivals: Arrivals,
    present: Present,
    clock: Arc<dyn Clock>,
}

/// Nobody writes while it lives.
pub(crate) struct Closed<'a> {
    documents: &'a Documents,
    _door: RwLockWriteGuard<'a, ()>,
}

impl Closed<'_> {
    /// Calls `set` with the first instant that no question has been about, and none is while it runs.
    pub fn border<T>(self, set: impl FnOnce(u64) -> T) -> T {
        let now = self.documents.clock.now_ns();
        self.documents.present.border_at(now, set)
    }
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
    /// What else is said of it.
    pub fields: Fields,
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

/// A piece of a stored version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanStored {
    /// The user's key of the document.
    pub document_id: String,
    /// The bytes.
    pub text: String,
    /// When what it tells happened, ns UTC.
    pub event_at: u64,
}

impl Documents {
    /// Of generations that are open.
    ///
    /// # Errors
    /// As the collection says.
    pub(crate) fn new(generations: Arc<Generations>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let newest = generations.now().latest_known(clock.now_ns())?;
        Ok(Self {
            generations,
            door: RwLock::default(),
            newest_known_at: AtomicU64::new(newest),
            arrivals: Arrivals::default(),
            present: Present::default(),
            clock,
        })
    }

    /// The collection that answers about now, for figures about it. It is another one when the model has changed.
    #[must_use]
    pub fn collection(&self) -> Arc<Collection> {
        self.generations.now()
    }

    /// Keeps writers out: those who are writing end first.
    pub(crate) fn close(&self) -> Closed<'_> {
        Closed {
            documents: self,
            _door: self.door.write().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Writes to what answers about now, which is the same until this is done.
    pub(crate) fn apply(&self, ops: Vec<Op>) -> Result<Ack, Error> {
        let _door = self.door();
        self.collection().apply(ops)
    }

    fn door(&self) -> RwLockReadGuard<'_, ()> {
        self.door.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was stored in this run and known by then, for readers who are told as it comes.
    #[must_use]
    pub fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// Nearest chunks, and which way they were found.
    ///
    /// # Errors
    /// When the collection refuses the vector.
    pub fn dense(&self, vector: &[f32], search: &Search) -> Result<(Vec<Passage>, String), Fault> {
        let filter = filter(search);
        let (found, explain) = self.explain_dense(vector, search, filter.as_ref(), &|| 0)?;
        Ok((found, paths::dense(&explain)))
    }

    /// Best chunks by words, and which way they were found. Double quotes are words like others.
    ///
    /// # Errors
    /// When the collection cannot answer.
    pub fn text(&self, query: &str, search: &Search) -> Result<(Vec<Passage>, String), Fault> {
        let (filter, query) = (filter(search), query.replace('"', " "));
        let (found, explain) = self.explain_text(&query, search, filter.as_ref(), &|| 0)?;
        Ok((found, paths::text(&explain)))
    }

    /// What "now" means to a question: all that was known by then is stored, and what is stored from now on becomes
    /// known later, unless it is history.
    #[must_use]
    pub fn instant(&self) -> u64 {
        self.present.ask(self.clock.now_ns())
    }

    /// As [`dense`](Self::dense) among what passes `filter`, and how it was done; `now` reads a clock, ns.
    ///
    /// # Errors
    /// When the collection refuses the vector or the filter.
    pub(super) fn explain_dense(
        &self,
        vector: &[f32],
        search: &Search,
        filter: Option<&Filter>,
        now: &dyn Fn() -> u64,
    ) -> Result<(Vec<Passage>, Explain), Fault> {
        let table = self.generations.table();
        let instant = search.as_of.unwrap_or_else(|| self.clock.now_ns());
        let generation = match search.generation {
            Some(number) => table.numbered(number).ok_or_else(|| {
                Fault::unavailable("memory", "the vectors to compare with were just dropped")
            })?,
            None => table.at(instant)?,
        };
        let wanted = Wanted {
            vector,
            k: search.k,
            as_of: &self.as_of(search.as_of),
            filter,
            effort: Effort::Usual,
        };
        let found = generation.collection.explain_dense(&wanted, now);
        let (found, explain) = found.map_err(fault)?;
        Ok((found.into_iter().map(passage).collect(), explain))
    }

    /// As [`text`](Self::text) among what passes `filter`, words in double quotes in a row, and how it was done.
    ///
    /// # Errors
    /// When the collection refuses the words or the filter.
    pub(super) fn explain_text(
        &self,
        query: &str,
        search: &Search,
        filter: Option<&Filter>,
        now: &dyn Fn() -> u64,
    ) -> Result<(Vec<Passage>, TextExplain), Fault> {
        let as_of = self.as_of(search.as_of);
        let found = self
            .collection()
            .explain_text(query, search.k, &as_of, filter, now);
        let (found, explain) = found.map_err(fault)?;
        Ok((found.into_iter().map(passage).collect(), explain))
    }

    /// Versions of passages, superseded ones included.
    pub(crate) fn passages(&self) -> u64 {
        self.collection().version_count()
    }

    /// How far it has got.
    #[must_use]
    pub fn head(&self) -> MemoryHead {
        let stats = self.collection().stats();
        let newest = self.newest_known_at.load(Ordering::Relaxed);
        MemoryHead {
            seq: stats.head_seq,
            newest_known_at: (newest > 0).then_some(newest),
        }
    }

    /// What vouches for what a search found at `instant`: the log's last entry. For a question about now there is none
    /// while something stored has yet to become known.
    #[must_use]
    pub fn stamp(&self, instant: u64, is_past: bool) -> Option<Stamp> {
        let latest = self.collection().latest_known(u64::MAX).ok()?;
        (is_past || latest <= instant).then(|| Stamp(self.collection().head_seq()))
    }

    /// Writes all chunks of one version and removes what an earlier, longer one left over. What arrives, that is within
    /// a minute of its `known_at`, becomes known after every question that was answered without it.
    ///
    /// # Errors
    /// When the log refuses the entry; nothing is stored then.
    pub fn store(&self, document: &Document, chunks: Vec<EmbeddedChunk>) -> Result<Stored, Fault> {
        self.store_of(document, chunks, None)
    }

    /// As [`store`](Self::store), if the vectors are of the generation that answers about now.
    ///
    /// # Errors
    /// As `store`; `Busy` when they are not.
    pub fn store_of(
        &self,
        document: &Document,
        chunks: Vec<EmbeddedChunk>,
        generation: Option<u32>,
    ) -> Result<Stored, Fault> {
        fields::check(&document.fields)?;
        let _door = self.door();
        let now = self.generations.table().now.number;
        if generation.is_some_and(|of| of != now) {
            return Err(Fault::Busy {
                part: "memory",
                what: "its model has just changed".to_owned(),
            });
        }
        let (known_at, _writing) = self.present.write(document.known_at, self.clock.now_ns());
        let document = &Document {
            known_at,
            ..document.clone()
        };
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
        ops.extend(self.surplus(document, count)?);
        let ack = self.collection().apply(ops).map_err(fault)?;
        if document.known_at <= self.clock.now_ns() {
            let newest = &self.newest_known_at;
            newest.fetch_max(document.known_at, Ordering::Relaxed);
            self.arrivals.push(document);
        }
        Ok(Stored {
            seq: ack.seq,
            durable: ack.durable,
            chunks: count,
        })
    }

    /// What a version that arrives late, behind a later one, must give up when that one begins:
    /// the chunks that the later version, or the deletion, does not have.
    fn surplus(&self, document: &Document, count: usize) -> Result<Vec<Op>, Fault> {
        let first = chunk_id(&document.id, 0);
        let versions = self.collection().history(&first).map_err(fault)?;
        let later = versions
            .iter()
            .map(|v| v.known_at)
            .filter(|at| *at > document.known_at)
            .min();
        let Some(later) = later else {
            return Ok(Vec::new());
        };
        let kept = self.chunks(&document.id, &AsOf::Known(later))?.len();
        let delete = |chunk| Op::Delete {
            id: chunk_id(&document.id, chunk),
            known_at: later,
        };
        Ok((kept..count).map(delete).collect())
    }

    /// Removes a document from `known_at` on, or from the instant at which it would become known;
    /// `None` when there is none.
    ///
    /// # Errors
    /// When the log refuses the entry.
    pub fn delete(&self, id: &str, known_at: u64) -> Result<Option<u64>, Fault> {
        let chunks = self.chunks(id, &AsOf::Now)?;
        let Some(first) = chunks.first() else {
            return Ok(None);
        };
        let filter = Filter {
            must: vec![is("document_id", id)],
            must_not: Vec::new(),
        };
        let known_at = known_at.max(first.known_at);
        let _door = self.door();
        let (known_at, _writing) = self.present.write(known_at, self.clock.now_ns());
        let ack = self
            .collection()
            .apply(vec![Op::DeleteWhere { filter, known_at }]);
        Ok(Some(ack.map_err(fault)?.seq))
    }

    /// One document as of an instant.
    ///
    /// # Errors
    /// When the collection cannot answer.
    pub fn get(&self, id: &str, as_of: Option<u64>) -> Result<Option<StoredDocument>, Fault> {
        let chunks = self.chunks(id, &self.as_of(as_of))?;
        let Some(first) = chunks.first() else {
            return Ok(None);
        };
        let summary = summary(first);
        let text = chunks.iter().map(|point| own_text(point)).collect();
        Ok(Some(StoredDocument { summary, text }))
    }

    /// Whether a document was stored once and has been deleted since.
    ///
    /// # Errors
    /// When the collection cannot answer.
    pub fn is_deleted(&self, id: &str) -> Result<bool, Fault> {
        let versions = self.collection().history(&chunk_id(id, 0)).map_err(fault)?;
        Ok(versions.last().is_some_and(|last| last.point.is_none()))
    }

    /// When each version of a document became known, ns UTC, earliest first; trimmed ones and deletions are none.
    ///
    /// # Errors
    /// When the collection cannot answer.
    pub fn versions(&self, id: &str) -> Result<Vec<u64>, Fault> {
        let versions = self.collection().history(&chunk_id(id, 0)).map_err(fault)?;
        let stored = versions.iter().filter(|version| version.point.is_some());
        Ok(stored.map(|version| version.known_at).collect())
    }

    /// The id of a stored document of `source` whose text field `field` is `value`.
    ///
    /// # Errors
    /// When the collection cannot answer.
    pub fn with_field(
        &self,
        source: &str,
        field: &str,
        value: &str,
    ) -> Result<Option<String>, Fault> {
        let filter = Filter {
            must: vec![is(field, value), is("source", source)],
            must_not: Vec::new(),
        };
        let as_of = self.as_of(None);
        let found = self.collection().scroll(Some(&filter), &as_of, None, 1);
        let found = found.map_err(fault)?;
        Ok(found.first().map(|found| summary(&found.point).id))
    }

    /// Bytes `start..end` of the document that a chunk belongs to, in the version of the chunk that entry `seq` wrote as
    /// known at `known_at`; `None` where no such version is kept, or those bytes are not in it.
    ///
    /// # Errors
    /// When the collection cannot answer.
    pub fn span(
        &self,
        chunk_id: &str,
        (seq, known_at): (u64, u64),
        (start, end): (usize, usize),
    ) -> Result<Option<SpanStored>, Fault> {
        let versions = self.collection().history(chunk_id).map_err(fault)?;
        let version = versions
            .into_iter()
            .find(|v| v.seq_from == seq && v.known_at == known_at);
        let Some(point) = version.and_then(|v| v.point) else {
            return Ok(None);
        };
        let offset = whole(&point.payload, "start");
        let within = start.checked_sub(offset).zip(end.checked_sub(offset));
        let text = within.and_then(|(from, to)| own_text(&point).get(from..to));
        Ok(text.map(|text| SpanStored {
            document_id: words(&point.payload, "document_id").unwrap_or_default(),
            text: text.to_owned(),
            event_at: point.event_at,
        }))
    }

    /// The chunks of one document, in order: they are numbered without a hole.
    fn chunks(&self, id: &str, as_of: &AsOf) -> Result<Vec<Arc<Point>>, Fault> {
        let mut chunks = Vec::new();
        while let Some(found) = self
            .collection()
            .get(&chunk_id(id, chunks.len()), as_of)
            .map_err(fault)?
        {
            chunks.push(found.point);
        }
        Ok(chunks)
    }

    /// Nothing is used before it is known: without an instant, the present one is meant.
    fn as_of(&self, as_of: Option<u64>) -> AsOf {
        AsOf::Known(as_of.unwrap_or_else(|| self.clock.now_ns()))
    }

    /// Newest known first.
    ///
    /// # Errors
    /// When the collection cannot answer.
    pub fn list(&self, symbol: Option<&str>, limit: usize) -> Result<Vec<DocumentSummary>, Fault> {
        let mut must = vec![Condition::Any {
            field: "chunk".to_owned(),
            values: vec![Value::Int(0)],
        }];
        must.extend(symbol.map(|s| is("symbols", s)));
        let filter = Filter {
            must,
            must_not: Vec::new(),
        };
        let first_chunks =
            self.collection()
                .scroll(Some(&filter), &self.as_of(None), None, usize::MAX);
        let first_chunks = first_chunks.map_err(fault)?;
        let mut found: Vec<_> = first_chunks.iter().map(|s| summary(&s.point)).collect();
        found.sort_by(|a, b| b.known_at.cmp(&a.known_at).then_with(|| a.id.cmp(&b.id)));
        found.truncate(limit);
        Ok(found)
    }
}

fn chunk_id(document: &str, chunk: usize) -> String {
    format!("{document}#{chunk}")
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

pub(super) fn filter(search: &Search) -> Option<Filter> {
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
    let title = document.title.as_deref().map_or("", str::trim);
    let mut text = String::with_capacity(title.len() + 1 + chunk.text.len());
    if !title.is_empty() {
        text.push_str(title);
        text.push('\n');
        put(fields::OWN, Value::Int(text.len() as i64));
    }
    text.push_str(&chunk.text);
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
    for (name, field) in &document.fields {
        put(name, fields::value(field));
    }
    Point {
        id: chunk_id(&document.id, chunk.index),
        vector: chunk.vector,
        text,
        payload,
        event_at: document.event_at,
        known_at: document.known_at,
    }
}

/// The user's key of the document that a chunk belongs to.
pub(crate) fn document_of(point: &Point) -> &str {
    match point.payload.0.get("document_id") {
        Some(Value::Str(id)) => id,
        _ => &point.id,
    }
}

/// The bytes of the document that a chunk is.
pub(crate) fn span_of(point: &Point) -> (usize, usize) {
    (whole(&point.payload, "start"), whole(&point.payload, "end"))
}

/// A chunk without the title that is searched with it.
pub(crate) fn own_text(point: &Point) -> &str {
    let own = whole(&point.payload, fields::OWN);
    point.text.get(own..).unwrap_or(&point.text)
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
        fields: summary.fields,
        text: own_text(point).to_owned(),
        start: whole(&point.payload, "start"),
        end: whole(&point.payload, "end"),
        event_at: point.event_at,
        known_at: point.known_at,
        seq: scored.seq_from,
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
        fields: fields::of_payload(&point.payload),
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

/// What the caller can mend is told as such.
fn fault(error: Error) -> Fault {
    match error {
        Error::Query(refusal) => Fault::invalid(refusal.to_string(), "mend it and ask again"),
        Error::Refused { source, .. } => {
            Fault::invalid(source.to_string(), "mend it and send it again")
        }
        Error::BatchTooLarge { .. } => {
            Fault::invalid(error.to_string(), "split it into several documents")
        }
        Error::Trimmed { .. } | Error::Ahead { .. } => {
            Fault::invalid(error.to_string(), "ask about another instant")
        }
        error => Fault::unavailable("memory", error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collection::SyncPolicy;
    use stdx::ManualClock;

    const NOW: u64 = 1_000;

    fn documents() -> (Documents, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("dir");
        let settings = crate::memory::document_settings(2, SyncPolicy::Never);
        let clock = Arc::new(ManualClock::at(NOW));
        let (collection, _) = Collection::open(dir.path(), settings).expect("opens");
        let generations = Arc::new(Generations::of_one(dir.path(), collection));
        (Documents::new(generations, clock).expect("reads"), dir)
    }

    fn store(documents: &Documents, known_at: u64, parts: &[&str]) {
        let document = Document {
            id: "d".into(),
            known_at,
            ..Document::default()
        };
        let chunk = |(index, text): (usize, &&str)| EmbeddedChunk {
            index,
            start: 0,
            end: text.len(),
            text: (*text).to_owned(),
            vector: vec![1.0, 0.0],
        };
        let chunks = parts.iter().enumerate().map(chunk).collect();
        documents.store(&document, chunks).expect("stores");
    }

    fn text(documents: &Documents, as_of: Option<u64>) -> Option<String> {
        documents.get("d", as_of).expect("answers").map(|d| d.text)
    }

    #[test]
    fn an_older_version_that_arrives_late_leaves_nothing_in_the_later_one() {
        let (documents, _dir) = documents();
        store(&documents, 200, &["new"]);
        store(&documents, 100, &["old", "older", "oldest"]);
        assert_eq!(
            text(&documents, Some(150)).as_deref(),
            Some("oldolderoldest")
        );
        assert_eq!(text(&documents, Some(200)).as_deref(), Some("new"));
        let search = Search {
            k: 9,
            ..Search::default()
        };
        assert!(
            documents
                .text("oldest", &search)
                .expect("answers")
                .0
                .is_empty()
        );
    }

    #[test]
    fn an_older_version_that_arrives_after_a_deletion_stays_deleted() {
        let (documents, _dir) = documents();
        store(&documents, 100, &["one"]);
        assert_eq!(documents.is_deleted("d"), Ok(false));
        documents.delete("d", 300).expect("deletes");
        store(&documents, 200, &["two", "three"]);
        assert_eq!(documents.is_deleted("d"), Ok(true));
        assert_eq!(documents.is_deleted("nobody"), Ok(false));
        assert_eq!(text(&documents, Some(250)).as_deref(), Some("twothree"));
        assert_eq!(text(&documents, Some(300)), None);
    }

    #[test]
    fn the_future_is_not_known_yet_and_can_be_deleted() {
        let (documents, _dir) = documents();
        store(&documents, NOW + 1, &["tomorrow"]);
        assert_eq!(text(&documents, None), None);
        assert!(documents.list(None, 9).expect("lists").is_empty());
        assert_eq!(documents.head().newest_known_at, None);
        assert!(documents.delete("d", NOW).expect("deletes").is_some());
        assert_eq!(text(&documents, Some(NOW + 9)), None);
        assert_eq!(documents.delete("nobody", NOW).expect("answers"), None);
    }
}
