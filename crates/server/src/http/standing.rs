//! `/v1/standing` and `/v1/alerts`: questions that wait for their answers, and what came.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use node::standing::{RenewQuestion, StandingError};
use rag::Embed;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Refusal;
use super::extract::{Body, Path, Query};
use crate::app::App;
use crate::json::standing::{AlertRow, Definition, StandingRow};

const BODY_LIMIT: usize = 16 << 20;
/// Questions of one request: each is embedded, some milliseconds.
const QUESTIONS_LIMIT: usize = 1_000;
const LIST_LIMIT: usize = 1_000;
const WAIT_MS_MAX: u64 = 30_000;
/// Between two looks for one who waits.
const LOOK: Duration = Duration::from_millis(25);
const SHAPE: &str =
    "send {\"id\": \"..\", \"text\": \"..\"} or an array of these; see docs/standing.md";

pub async fn put(
    State(app): State<Arc<App>>,
    Body(body): Body<BODY_LIMIT>,
) -> Result<Json<Value>, Refusal> {
    let asked = read(&body)?;
    let done = app.work(move |app| keep(app, &asked));
    Ok(Json(json!({"questions": done.await??})))
}

/// One, a list, or a list in `questions`.
fn read(body: &[u8]) -> Result<Vec<Value>, Refusal> {
    let refuse = |why: String| Refusal::bad_request(why, SHAPE);
    let body: Value = serde_json::from_slice(body)
        .map_err(|e| refuse(format!("the body cannot be read: {e}")))?;
    let asked = match body {
        Value::Array(asked) => asked,
        Value::Object(mut object) if object.len() == 1 && object.contains_key("questions") => {
            match object.remove("questions") {
                Some(Value::Array(asked)) => asked,
                _ => return Err(refuse("questions is no list".to_owned())),
            }
        }
        one => vec![one],
    };
    match asked.len() {
        0 => Err(refuse("there is no question".to_owned())),
        1..=QUESTIONS_LIMIT => Ok(asked),
        count => {
            let what = format!("{count} questions, more than {QUESTIONS_LIMIT} in one request");
            Err(Refusal::too_large(what))
        }
    }
}

/// Who embeds all questions by a new model may have been there before these.
fn keep(app: &App, asked: &[Value]) -> Result<Vec<StandingRow>, Refusal> {
    let model = app.node.generation();
    let kept = keep_once(app, asked)?;
    if app.node.generation() != model {
        let node = Arc::clone(&app.node);
        let renew: RenewQuestion = Box::new(move |kept| Definition::renew(kept, &node));
        let renewed = app.node.standing().renew(&renew);
        renewed.map_err(|why| refuse(&why))?;
    }
    Ok(kept)
}

fn keep_once(app: &App, asked: &[Value]) -> Result<Vec<StandingRow>, Refusal> {
    let (standing, documents) = (app.node.standing(), app.node.documents());
    let mut new = Vec::with_capacity(asked.len());
    for (at, asked) in asked.iter().enumerate() {
        let settled = Definition::parse(asked).and_then(|asked| asked.settle(&app.node));
        new.push(settled.map_err(|why| {
            let what = format!("question {at}: {why}; none was kept");
            Refusal::bad_request(what, SHAPE)
        })?);
    }
    let ids: Vec<String> = new.iter().map(|new| new.question.id.clone()).collect();
    let head = documents.collection().head_seq();
    standing.put(new, head).map_err(|why| refuse(&why))?;
    let kept = ids.iter().filter_map(|id| standing.get(id));
    Ok(kept.map(|kept| StandingRow::whole(&kept)).collect())
}

/// Query of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    after: Option<String>,
    limit: Option<usize>,
}

pub async fn list(
    State(app): State<Arc<App>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Refusal> {
    let limit = limit(query.limit, 100)?;
    let standing = app.node.standing();
    let after = query.after.unwrap_or_default();
    let found = standing.list(&after, limit);
    let next = found.last().filter(|_| found.len() == limit);
    let next = next.map(|last| last.question.id.clone());
    let rows: Vec<StandingRow> = found.iter().map(|one| StandingRow::open(one)).collect();
    let counts = standing.counts();
    Ok(Json(json!({
        "questions": rows, "next": next, "count": counts.questions,
        "matched_seq": counts.matched_seq, "settled_seq": counts.settled_seq,
        "missed": counts.missed, "webhooks": webhooks(&app),
    })))
}

fn webhooks(app: &App) -> Value {
    let Some(outbox) = app.outbox() else {
        return Value::Null;
    };
    let counts = outbox.counts();
    let dead = outbox.dead().into_iter().map(|letter| {
        json!({
            "id": letter.id, "question_id": letter.question_id,
            "attempts": letter.attempts, "why": letter.why,
        })
    });
    json!({
        "waiting": counts.waiting, "delivered": counts.delivered, "failed": counts.failed,
        "dead": counts.dead, "last_dead": dead.collect::<Vec<_>>(),
    })
}

pub async fn get(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<StandingRow>, Refusal> {
    let found = app.node.standing().get(&id);
    found
        .map(|one| Json(StandingRow::open(&one)))
        .ok_or_else(|| no_question(&id))
}

pub async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let wanted = id.clone();
    let done = app.work(move |app| app.node.standing().remove(&wanted));
    match done.await?.map_err(|why| refuse(&why))? {
        true => Ok(Json(json!({"deleted": true}))),
        false => Err(no_question(&id)),
    }
}

/// Query of the alerts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertsQuery {
    after: Option<u64>,
    limit: Option<usize>,
    question: Option<String>,
    wait_ms: Option<u64>,
}

pub async fn alerts(
    State(app): State<Arc<App>>,
    Query(query): Query<AlertsQuery>,
) -> Result<Json<Value>, Refusal> {
    let limit = limit(query.limit, 100)?;
    let wait = Duration::from_millis(query.wait_ms.unwrap_or(0).min(WAIT_MS_MAX));
    let (log, asked) = (app.node.standing().alerts(), Instant::now());
    let is_asked = |alert: &AlertRow| query.question.as_ref().is_none_or(|id| alert.is_of(id));
    let (mut after, mut missed) = (query.after.unwrap_or(0), 0);
    let rows = loop {
        let since = log.since(after, limit);
        (after, missed) = (since.last, missed + since.missed);
        let rows = since.alerts.iter().map(|alert| AlertRow::of(alert));
        let rows: Vec<AlertRow> = rows.filter(is_asked).collect();
        if !rows.is_empty() || (since.alerts.is_empty() && asked.elapsed() >= wait) {
            break rows;
        }
        if since.alerts.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let session = app.history.session_text();
    Ok(Json(
        json!({"alerts": rows, "last": after, "missed": missed, "session": session}),
    ))
}

fn limit(asked: Option<usize>, usual: usize) -> Result<usize, Refusal> {
    let limit = asked.unwrap_or(usual);
    if (1..=LIST_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    let what = format!("limit={limit} is outside 1 to {LIST_LIMIT}");
    Err(Refusal::bad_request(what, "ask for fewer"))
}

fn no_question(id: &str) -> Refusal {
    let hint = "GET /v1/standing lists the questions that wait";
    Refusal::not_found(format!("no standing question {id:?}"), hint)
}

fn refuse(why: &StandingError) -> Refusal {
    match why {
        StandingError::Full { .. } => {
            Refusal::too_large(format!("{why}; remove some that nobody reads"))
        }
        StandingError::Closed => {
            let hint = "put the question to a server (ouzel serve)";
            Refusal::bad_request(why.to_string(), hint)
        }
        StandingError::Disk(source) => Refusal::internal(format!("{why}: {source}")),
        StandingError::Unreadable { .. } => Refusal::internal(why.to_string()),
    }
}
