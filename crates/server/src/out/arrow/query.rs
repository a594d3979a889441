//! Batches of the numbered stream: what `/v1/arrow/{table}` and Flight answer.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use market::event::Instrument;
use market::feed::ouzel;
use market::publish::Frame;
use wire::ouzel::Message;

use super::table::{Rows, Table, Whose};
use crate::app::App;

/// Rows of a batch, about.
const ROWS: usize = 8_192;
/// Messages looked at in one go: as long is the history locked.
const LOOK: u64 = 4_096;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Which table.
    pub table: Table,
    /// One symbol, as people know it; `None`: all.
    pub symbol: Option<String>,
    /// The first number of the stream that is wanted.
    pub from: u64,
    /// The number after the last one that is looked at.
    pub to: u64,
}

impl Query {
    /// All that is kept now of `table`, from number `from` on.
    #[must_use]
    pub fn now(app: &App, table: Table, symbol: Option<String>, from: u64) -> Self {
        Self {
            table,
            symbol,
            from,
            to: app.history.next_seq(),
        }
    }
}

/// The batches of one answer.
pub struct Batches {
    app: Arc<App>,
    query: Query,
    next: u64,
    schema: SchemaRef,
    names: HashMap<(usize, u32), Named>,
    rows: Rows,
    is_done: bool,
}

struct Named {
    symbol: String,
    instrument: Instrument,
    is_wanted: bool,
}

impl Batches {
    /// Reads what `query` asks for.
    #[must_use]
    pub fn new(app: Arc<App>, query: Query) -> Self {
        let next = query.from.max(app.history.oldest());
        let metadata = HashMap::from([
            ("session".to_owned(), app.history.session_text()),
            ("from".to_owned(), next.to_string()),
            ("next".to_owned(), query.to.to_string()),
        ]);
        let fields = query.table.schema().fields().clone();
        Self {
            next,
            schema: Arc::new(Schema::new_with_metadata(fields, metadata)),
            rows: Rows::new(query.table),
            names: HashMap::new(),
            is_done: false,
            app,
            query,
        }
    }

    /// The table's columns, and in the metadata: the run of the server (`session`), the number to ask from
    /// next time (`next`), and the first number that could be given (`from`), which is greater than the one
    /// asked for when the history does not reach back so far. Every batch has it.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Reads on until a batch is full or the end is reached.
    fn batch(&mut self) -> Option<Result<RecordBatch, ArrowError>> {
        while !self.is_done && self.rows.len() < ROWS {
            let limit = LOOK.min(self.query.to.saturating_sub(self.next));
            if limit == 0 {
                self.is_done = true;
                break;
            }
            let kind = self.query.table.wire_kind();
            let mut frames: Vec<(u64, usize, Frame)> = Vec::new();
            let history = &self.app.history;
            let next = history.read(self.next, limit, &mut |n, message| {
                let parsed = Message::parse(message).ok();
                let wanted = parsed.filter(|message| message.head().kind == kind);
                let read = wanted.and_then(|message| ouzel::read(&message));
                frames.extend(read.map(|(lane, frame)| (n, lane, frame)));
            });
            self.is_done = next >= self.query.to || next == self.next;
            self.next = next;
            for (n, lane, frame) in &frames {
                self.row(*n, *lane, frame);
            }
        }
        let rows = (!self.rows.is_empty()).then(|| self.rows.finish())?;
        Some(rows.and_then(|batch| batch.with_schema(self.schema())))
    }

    fn row(&mut self, n: u64, lane: usize, frame: &Frame) {
        let id = match frame {
            Frame::Trade(print) => print.instrument,
            Frame::Bar(bar) => bar.instrument,
            _ => return,
        };
        if !self.names.contains_key(&(lane, id.0)) {
            self.learn();
        }
        // Named before its first frame; one that is not known was never named to anybody.
        let Some(named) = self.names.get(&(lane, id.0)).filter(|n| n.is_wanted) else {
            return;
        };
        let whose = Whose {
            n,
            lane,
            symbol: &named.symbol,
            instrument: &named.instrument,
        };
        self.rows.push(whose, frame);
    }

    /// Takes over all names, so that the view is not locked while rows are made.
    fn learn(&mut self) {
        let view = self.app.node.market();
        for of in view.symbols() {
            let wanted = self.query.symbol.as_ref();
            let named = Named {
                symbol: of.symbol.clone(),
                instrument: of.instrument,
                is_wanted: wanted.is_none_or(|wanted| *wanted == of.symbol),
            };
            self.names.insert((of.lane, of.instrument.id.0), named);
        }
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch()
    }
}
