//! `POST /v1/chat/completions`: the last message of the user is the question, and the answer is
//! that of `/v1/ask`.

mod reply;
mod request;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use rag::{Answer, Question};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{Body, Problem, Refusal, model_names, named_model, read};
use crate::app::App;
use crate::http::ask::{PIECES_LIMIT, Pieces, answered};
use crate::http::error::refuse;
use crate::http::timing::Timing;
use reply::{Head, Told, Usage};
use request::Wish;

/// Largest body: a long conversation.
const BODY_LIMIT: usize = 2 << 20;

/// What it takes to turn an answer into a reply.
struct Teller {
    head: Head,
    base: String,
    texts: Vec<String>,
}

pub async fn complete(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Body<BODY_LIMIT>, Refusal>,
) -> Result<Response, Problem> {
    let asked = Instant::now();
    let mut fields = read(body)?;
    let model = named_model(&mut fields, &answerers(&app))?;
    let wish = Wish::read(fields)?;
    let teller = Teller {
        head: Head::new(model, app.node.clock().now_ns(), wish.usage),
        base: base(&headers),
        texts: wish.texts,
    };
    if wish.stream {
        return streamed(app, wish.question, asked, teller).await;
    }
    let answer = answered(&app, wish.question, asked, |_| true).await??;
    let timing = Timing::of(&answer.receipt.stages_us);
    let told = move |app: &App| {
        let (told, usage) = teller.tell(app, answer)?;
        Ok::<_, Refusal>(teller.head.whole(told, usage))
    };
    let whole = app.work(told).await??;
    Ok((timing, Json(whole)).into_response())
}

/// All models but the embedder.
fn answerers(app: &App) -> Vec<String> {
    let mut names = model_names(app);
    let embedder = app.node.embedding();
    names.retain(|name| name != embedder.model_id());
    names
}

/// How the client calls this server.
fn base(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    host.map(|host| format!("http://{host}"))
        .unwrap_or_default()
}

impl Teller {
    fn tell(&self, app: &App, answer: Answer) -> Result<(Told, Usage), Refusal> {
        let count = |text: &str| app.node.embedder().token_count(text);
        let told = Told::new(&app.node, &self.base, answer).map_err(refuse)?;
        let usage = Usage {
            prompt: self.texts.iter().map(|text| count(text)).sum(),
            completion: count(told.content()),
        };
        Ok((told, usage))
    }
}

/// What goes to a reader of a stream.
enum Piece {
    Chunk(Value),
    Failed(Problem),
    Done,
}

impl Piece {
    fn event(self) -> Result<Event, Infallible> {
        let event = Event::default();
        Ok(match self {
            Self::Chunk(chunk) => event.data(chunk.to_string()),
            Self::Failed(problem) => event.data(problem.body().to_string()),
            Self::Done => event.data("[DONE]"),
        })
    }
}

/// Pieces as they come. A question that fails before its first piece is refused by its status, as
/// one that is not streamed.
async fn streamed(
    app: Arc<App>,
    question: Question,
    asked: Instant,
    teller: Teller,
) -> Result<Response, Problem> {
    let (sender, mut pieces) = mpsc::channel(PIECES_LIMIT);
    let opening = Piece::Chunk(teller.head.first());
    tokio::spawn(write(app, question, asked, teller, sender));
    let first = match pieces.recv().await {
        Some(Piece::Failed(problem)) => return Err(problem),
        Some(piece) => piece,
        None => return Err(Refusal::internal("the answer broke off").into()),
    };
    let all = stream::iter([opening, first]).chain(Pieces(pieces));
    Ok(Sse::new(all.map(Piece::event))
        .keep_alive(KeepAlive::default())
        .into_response())
}

/// Answers into the stream; a reader that has gone does not need the end of its answer.
async fn write(
    app: Arc<App>,
    question: Question,
    asked: Instant,
    teller: Teller,
    pieces: mpsc::Sender<Piece>,
) {
    let (head, sender) = (teller.head.clone(), pieces.clone());
    let show = move |text: &str| sender.blocking_send(Piece::Chunk(head.piece(text))).is_ok();
    let outcome = answered(&app, question, asked, show).await;
    let answer = match outcome.map_err(Refusal::from).flatten() {
        Ok(answer) => answer,
        Err(refusal) => return drop(pieces.send(Piece::Failed(refusal.into())).await),
    };
    let told = app.work(move |app| {
        let (told, usage) = teller.tell(app, answer)?;
        Ok([Some(teller.head.last(told)), teller.head.usage(usage)])
    });
    let ending = match told.await.map_err(Refusal::from).flatten() {
        Ok(chunks) => chunks.into_iter().flatten().map(Piece::Chunk),
        Err(refusal) => return drop(pieces.send(Piece::Failed(refusal.into())).await),
    };
    for piece in ending.chain([Piece::Done]) {
        let _gone = pieces.send(piece).await;
    }
}
