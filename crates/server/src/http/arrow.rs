//! `/v1/arrow/{table}`: prints and bars of the numbered stream as an Arrow IPC stream.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::error::Refusal;
use super::extract::{Path, Query};
use crate::app::App;

/// Query of `/v1/arrow/{table}`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    not(feature = "arrow"),
    allow(dead_code, reason = "read by the feature alone")
)]
pub struct ArrowQuery {
    symbol: Option<String>,
    /// The first number of the stream that is wanted.
    from: Option<u64>,
}

#[cfg(not(feature = "arrow"))]
pub async fn table(
    State(_app): State<Arc<App>>,
    Path(_table): Path<String>,
    Query(_query): Query<ArrowQuery>,
) -> Result<Response, Refusal> {
    Err(Refusal::new(
        axum::http::StatusCode::NOT_IMPLEMENTED,
        "not_built_in",
        "this server was built without the feature arrow",
        "build with `cargo build --release --features arrow`",
    ))
}

#[cfg(feature = "arrow")]
pub use with_arrow::table;

#[cfg(feature = "arrow")]
mod with_arrow {
    use arrow_ipc::writer::StreamWriter;
    use arrow_schema::ArrowError;
    use axum::body::{Body, Bytes};
    use axum::http::header;
    use futures_util::stream;

    use super::*;
    use crate::http::known;
    use crate::out::arrow::{Batches, Query as Wish, Table};

    pub async fn table(
        State(app): State<Arc<App>>,
        Path(table): Path<String>,
        Query(query): Query<ArrowQuery>,
    ) -> Result<Response, Refusal> {
        let table = Table::parse(&table)
            .ok_or_else(|| Refusal::not_found(format!("no table {table:?}"), "trades or bars"))?;
        let symbol = match &query.symbol {
            None => None,
            Some(symbol) => Some(known(&app.node.market(), symbol)?.symbol.clone()),
        };
        let wish = Wish::now(&app, table, symbol, query.from.unwrap_or(0));
        let batches = Batches::new(Arc::clone(&app), wish);
        let answer = Answer::new(batches).map_err(|e| Refusal::internal(e.to_string()))?;
        let body = Body::from_stream(stream::iter(answer));
        let kind = [(header::CONTENT_TYPE, "application/vnd.apache.arrow.stream")];
        Ok(axum::response::IntoResponse::into_response((kind, body)))
    }

    /// The stream in parts: the schema, each batch, the end.
    struct Answer {
        batches: Batches,
        /// `None` once the end was written.
        writer: Option<StreamWriter<Vec<u8>>>,
    }

    impl Answer {
        fn new(batches: Batches) -> Result<Self, ArrowError> {
            let writer = StreamWriter::try_new(Vec::new(), &batches.schema())?;
            Ok(Self {
                batches,
                writer: Some(writer),
            })
        }
    }

    impl Iterator for Answer {
        type Item = Result<Bytes, ArrowError>;

        fn next(&mut self) -> Option<Self::Item> {
            let writer = self.writer.as_mut()?;
            let (done, is_end) = match self.batches.next() {
                Some(batch) => (batch.and_then(|batch| writer.write(&batch)), false),
                None => (writer.finish(), true),
            };
            let part = std::mem::take(writer.get_mut());
            if is_end || done.is_err() {
                self.writer = None;
            }
            Some(done.map(|()| part.into()))
        }
    }
}
