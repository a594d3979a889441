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
use rag::{Answer, Asker, Fault, Model, Prompt, Question, Rerank};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::mpsc;

use super::error::{Refusal, refuse};
use super::extract::Body;
use super::timing::{Cached, Timing};
use crate::app::{App, Place, Undone};
use crate::json::answer::{AnswerRow, AskBody, Helpers, SearchBody, search as searched};
use crate::json::from_object;
use crate::seal::seal;

/// Pieces of an answer that wait for a slow reader before the writer waits too.
pub(super) const PIECES_LIMIT: usize = 256;

/// Largest body of a question.
const BODY_LIMIT: usize = 256 << 10;
/// Time for a model where the question names none: longer than a patient reader waits.
const DEADLINE_MS: u64 = 30_000;
/// Time in which a search finds a place at the cross-encoder where it names no deadline.
const SEARCH_PATIENCE_MS: u64 = 2_000;

pub async fn search(
    State(app): State<Arc<App>>,
    Body(body): Body<BODY_LIMIT>,
) -> Result<Response, Refusal> {
    let asked = Instant::now();
    let body = parse::<SearchBody>(&body)?;
    // Only a hybrid list is put in order.
    let place = match app.rerank.is_some() && body.is_hybrid() {
        true => place(&app, body.deadline_ms().unwrap_or(SEARCH_PATIENCE_MS)).await?,
        false => None,
    };
    let job = move |app: &App, is_placed: bool| {
        let waited_ms = elapsed_ms(asked);
        let rerank: Option<&dyn Rerank> = match is_placed {
            true => app.rerank.as_deref(),
            false => app.rerank.as_ref().map(|_| &NoPlace as &dyn Rerank),
        };
        let helpers = Helpers {
            rerank,
            semantic: app.semantic.as_ref(),
        };
        searched(&app.node, body.since(waited_ms), helpers)
    };
    let found = match place {
        Some(place) => app.work_at(place, move |app| job(app, true)).await,
        None => app.work(move |app| job(app, false)).await,
    };
    let answer = found?.map_err(refuse)?;
    app.metrics.answer("search", &answer.stages, false);
    let timing = Timing::of(&answer.stages);
    let cached = Cached::of(answer.row.receipt());
    Ok((timing, cached, Json(answer.row)).into_response())
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
    Ok((timing, Cached::of(&row.receipt), Json(row)).into_response())
}

/// Answers within the deadline, which runs from the moment of asking: a question that waited too
/// long for a place at the model is answered without it.
pub(super) async fn answered(
    app: &Arc<App>,
    mut question: Question,
    asked: Instant,
    mut on_text: impl FnMut(&str) -> bool + Send + 'static,
) -> Result<Result<Answer, Refusal>, Undone> {
    let mut found = None;
    if app.waits() {
        let deadline_ms = *question.deadline_ms.get_or_insert(DEADLINE_MS);
        found = place(app, deadline_ms).await?;
    }
    let late = app.waits() && found.is_none();
    let job = move |app: &App| {
        let waited_ms = elapsed_ms(asked);
        let left = |ms: u64| ms.saturating_sub(waited_ms);
        question.deadline_ms = question.deadline_ms.map(left);
        let (mut model, mut rerank) = (app.model.as_deref(), app.rerank.as_deref());
        if late {
            model = model.map(|_| &NoPlace as &dyn Model);
            rerank = rerank.map(|_| &NoPlace as &dyn Rerank);
        }
        let asker = Asker {
            rerank,
            semantic: app.semantic.as_ref(),
            ..app.node.asker(model)
        };
        answer(app, &asker, &question, &mut on_text).map_err(refuse)
    };
    match found {
        Some(place) => app.work_at(place, job).await,
        None => app.work(job).await,
    }
}

/// A place for waiting for outside models; `None`: there was none in three quarters of the time. The last quarter is for
/// doing without them.
async fn place(app: &App, deadline_ms: u64) -> Result<Option<Place>, Undone> {
    let patience = Duration::from_millis(deadline_ms.saturating_mul(3) / 4);
    let place = tokio::time::timeout(patience, app.writer()).await;
    place.ok().transpose()
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The models for a question that got no place at the real ones in time.
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

impl Rerank for NoPlace {
    fn id(&self) -> &str {
        "none"
    }

    fn limit(&self) -> usize {
        1
    }

    fn scores(&self, _: &str, _: &[&str], _: u64) -> Result<Vec<f32>, Fault> {
        Err(Fault::Deadline { part: "rerank" })
    }
}

fn answer(
    app: &App,
    asker: &Asker<'_>,
    question: &Question,
    on_text: &mut dyn FnMut(&str) -> bool,
) -> Result<Answer, Fault> {
    let answer = asker.ask(question, on_text)?;
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
