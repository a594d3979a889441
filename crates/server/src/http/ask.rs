//! `/v1/search` and `/v1/ask`: one object, or server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use rag::{Answer, Fault, Question, SearchRequest, Stages};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::mpsc;

use super::documents::too_busy;
use super::error::{Refusal, refuse};
use super::extract::Body;
use crate::app::App;
use crate::json::answer::{AnswerRow, AskBody, SearchBody, SearchRow, server_timing};

/// Pieces of an answer that wait for a slow reader before the writer waits too.
const PIECES_LIMIT: usize = 256;

pub async fn search(State(app): State<Arc<App>>, Body(body): Body) -> Result<Response, Refusal> {
    let request = SearchRequest::from(parse::<SearchBody>(&body)?);
    let found = app
        .work(move |app| app.node.asker(None).search(&request))
        .await;
    let answer = found.ok_or_else(too_busy)?.map_err(refuse)?;
    app.metrics
        .answer("search", &answer.receipt.stages_us, false);
    let timing = timing_header(&answer.receipt.stages_us);
    Ok(([timing], Json(SearchRow::from(answer))).into_response())
}

pub async fn ask(State(app): State<Arc<App>>, Body(body): Body) -> Result<Response, Refusal> {
    let body = parse::<AskBody>(&body)?;
    let stream = body.stream;
    let question = Question::from(body);
    if stream {
        return Ok(streamed(app, question));
    }
    let found = app
        .work(move |app| answer(app, &question, &mut |_| true))
        .await;
    let answer = found.ok_or_else(too_busy)?.map_err(refuse)?;
    let timing = timing_header(&answer.receipt.stages_us);
    Ok(([timing], Json(AnswerRow::from(answer))).into_response())
}

fn answer(
    app: &App,
    question: &Question,
    on_text: &mut dyn FnMut(&str) -> bool,
) -> Result<Answer, Fault> {
    let answer = app
        .node
        .asker(app.model.as_deref())
        .ask(question, on_text)?;
    app.metrics
        .answer("ask", &answer.receipt.stages_us, answer.abstained);
    Ok(answer)
}

fn streamed(app: Arc<App>, question: Question) -> Response {
    let (pieces, receiver) = mpsc::channel(PIECES_LIMIT);
    tokio::spawn(async move {
        let last = pieces.clone();
        let outcome = app
            .work(move |app| {
                answer(app, &question, &mut |text| {
                    let piece = event("token", &json!({ "text": text }));
                    pieces.blocking_send(piece).is_ok()
                })
            })
            .await;
        let closing = match outcome {
            Some(Ok(answer)) => match serde_json::to_value(AnswerRow::from(answer)) {
                Ok(row) => event("answer", &row),
                Err(e) => event("error", &Refusal::internal(e.to_string()).body()),
            },
            Some(Err(fault)) => event("error", &refuse(fault).body()),
            None => event("error", &too_busy().body()),
        };
        // A reader that has gone does not need the end of its answer.
        let _gone = last.send(closing).await;
    });
    Sse::new(Pieces(receiver))
        .keep_alive(KeepAlive::default())
        .into_response()
}

fn event(name: &'static str, data: &serde_json::Value) -> Event {
    Event::default().event(name).data(data.to_string())
}

/// The channel's receiving end as a stream.
struct Pieces(mpsc::Receiver<Event>);

impl Stream for Pieces {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(ctx).map(|piece| piece.map(Ok))
    }
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|e| {
        let hint = "send JSON such as {\"q\": \"why did AAPL move?\", \"k\": 3}; see /openapi.json";
        Refusal::bad_request(format!("the body cannot be read: {e}"), hint)
    })
}

fn timing_header(stages: &Stages) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::from_str(&server_timing(stages));
    (
        HeaderName::from_static("server-timing"),
        value.unwrap_or(HeaderValue::from_static("")),
    )
}
