//! `/v1/search` and `/v1/ask`: one object, or server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use futures_util::StreamExt;
use rag::{Answer, Fault, Model, Prompt, Question};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::mpsc;

use super::error::{Refusal, refuse};
use super::extract::Body;
use super::timing::Timing;
use crate::app::{App, Undone};
use crate::json::answer::{AnswerRow, AskBody, SearchBody, search as searched};
use crate::json::from_object;
use crate::seal::seal;

/// Pieces of an answer that wait for a slow reader before the writer waits too.
pub(super) const PIECES_LIMIT: usize = 256;

/// Largest body of a question.
const BODY_LIMIT: usize = 256 << 10;
/// Time for a model where the question names none: longer than a patient reader waits.
const DEADLINE_MS: u64 = 30_000;

pub async fn search(
    State(app): State<Arc<App>>,
    Body(body): Body<BODY_LIMIT>,
) -> Result<Response, Refusal> {
    let body = parse::<SearchBody>(&body)?;
    let found = app.work(move |app| searched(&app.node, body)).await;
    let answer = found?.map_err(refuse)?;
    app.metrics.answer("search", &answer.stages, false);
    let timing = Timing::of(&answer.stages);
    Ok((timing, Json(answer.row)).into_response())
}

pub async fn ask(
    State(app): State<Arc<App>>,
    Body(body): Body<BODY_LIMIT>,
) -> Result<Response, Refusal> {
    let asked = Instant::now();
    let body = parse::<AskBody>(&body)?;
    let stream = body.stream;
    let question = Question::from(body);
    if stream {
        return Ok(streamed(app, question, asked));
    }
    let answer = answered(&app, question, asked, |_| true).await??;
    let timing = Timing::of(&answer.receipt.stages_us);
    let seal = seal(&app.node).map_err(refuse)?;
    let row = AnswerRow::sealed(answer, seal);
    Ok((timing, Json(row)).into_response())
}

/// Answers within the deadline, which runs from the moment of asking: a question that waited too
/// long for a place at the model is answered without it.
pub(super) async fn answered(
    app: &Arc<App>,
    mut question: Question,
    asked: Instant,
    mut on_text: impl FnMut(&str) -> bool + Send + 'static,
) -> Result<Result<Answer, Refusal>, Undone> {
    let mut place = None;
    if app.model.is_some() {
        let deadline_ms = *question.deadline_ms.get_or_insert(DEADLINE_MS);
        // The last quarter is for answering without it.
        let patience = Duration::from_millis(deadline_ms.saturating_mul(3) / 4);
        place = match tokio::time::timeout(patience, app.writer()).await {
            Ok(place) => Some(place?),
            Err(_elapsed) => None,
        };
    }
    let late = app.model.is_some() && place.is_none();
    let job = move |app: &App| {
        let waited_ms = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
        let left = |ms: u64| ms.saturating_sub(waited_ms);
        question.deadline_ms = question.deadline_ms.map(left);
        let model: Option<&dyn Model> = match late {
            true => Some(&NoPlace),
            false => app.model.as_deref(),
        };
        answer(app, model, &question, &mut on_text).map_err(refuse)
    };
    match place {
        Some(place) => app.work_at(place, job).await,
        None => app.work(job).await,
    }
}

/// The model for a question that got no place at the real one in time.
struct NoPlace;

impl Model for NoPlace {
    fn id(&self) -> &str {
        "none"
    }

    fn complete(
        &self,
        _prompt: &Prompt,
        _deadline_ns: Option<u64>,
        _on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<String, Fault> {
        Err(Fault::Deadline { part: "model" })
    }
}

fn answer(
    app: &App,
    model: Option<&dyn Model>,
    question: &Question,
    on_text: &mut dyn FnMut(&str) -> bool,
) -> Result<Answer, Fault> {
    let answer = app.node.asker(model).ask(question, on_text)?;
    app.metrics
        .answer("ask", &answer.receipt.stages_us, answer.abstained);
    Ok(answer)
}

fn streamed(app: Arc<App>, question: Question, asked: Instant) -> Response {
    let (pieces, receiver) = mpsc::channel(PIECES_LIMIT);
    tokio::spawn(async move {
        let last = pieces.clone();
        let show = move |text: &str| {
            let piece = event("token", &json!({ "text": text }));
            pieces.blocking_send(piece).is_ok()
        };
        let outcome = answered(&app, question, asked, show).await;
        let row = outcome.map_err(Refusal::from).flatten().and_then(|answer| {
            let seal = seal(&app.node).map_err(refuse)?;
            let row = serde_json::to_value(AnswerRow::sealed(answer, seal));
            row.map_err(|e| Refusal::internal(e.to_string()))
        });
        let closing = match row {
            Ok(row) => event("answer", &row),
            Err(refusal) => event("error", &refusal.body()),
        };
        // A reader that has gone does not need the end of its answer.
        let _gone = last.send(closing).await;
    });
    Sse::new(Pieces(receiver).map(Ok::<_, Infallible>))
        .keep_alive(KeepAlive::default())
        .into_response()
}

fn event(name: &'static str, data: &serde_json::Value) -> Event {
    Event::default().event(name).data(data.to_string())
}

/// The channel's receiving end as a stream.
pub(super) struct Pieces<T>(pub mpsc::Receiver<T>);

impl<T> Stream for Pieces<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(ctx)
    }
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    from_object(body).map_err(|why| {
        let hint = "send JSON such as {\"q\": \"why did AAPL move?\", \"k\": 3}; see /openapi.json";
        Refusal::bad_request(format!("the body cannot be read: {why}"), hint)
    })
}
