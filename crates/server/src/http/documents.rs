//! `/v1/documents` and `/v1/days`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{Refusal, refuse};
use super::extract::{Body, Path, Query};
use crate::app::{App, Place};
use crate::json::document::{DocumentRow, SummaryRow, parse_documents};
use crate::json::{BodyError, parse_instant};
use crate::load;

/// Largest body of a bulk, in bytes.
const BODY_LIMIT: usize = 16 << 20;
/// Most documents of a bulk.
const DOCUMENTS_LIMIT: usize = 20_000;
const LIST_LIMIT: usize = 1_000;
const SHAPE: &str =
    "send {\"id\": \"..\", \"text\": \"..\"}, an array of these, or one a line; see /openapi.json";

pub async fn store(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let (place, body) = bulk(&app, request).await?;
    let done = app.work(move |app| {
        let _place = place;
        let parsed = parse_documents(utf8(&body)?, DOCUMENTS_LIMIT);
        let parsed = parsed.map_err(|why| match why {
            BodyError::TooMany(_) => Refusal::too_large(why.to_string()),
            BodyError::Malformed(why) => Refusal::bad_request(why, SHAPE),
        })?;
        drop(body);
        Ok::<_, Refusal>(load::documents(&app.node, parsed))
    });
    let report = done.await??;
    let status = if report.stored == 0 && !report.rejected.is_empty() {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    let mut body = json!(report);
    if status == StatusCode::BAD_REQUEST {
        let first = &report.rejected[0].reason;
        let refusal = Refusal::bad_request(format!("no document was stored: {first}"), SHAPE);
        body["error"] = refusal.body()["error"].take();
    }
    Ok((status, Json(body)))
}

pub async fn store_days(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let (place, body) = bulk(&app, request).await?;
    let done = app.work(move |app| {
        let _place = place;
        utf8(&body)?;
        let hint = "send CSV with a header: date,ticker,open,high,low,close,volume";
        let bars = node::memory::read_csv(&body[..]);
        let bars = bars.map_err(|why| Refusal::bad_request(why, hint))?;
        drop(body);
        app.node.days().store(&bars).map_err(refuse)?;
        Ok::<_, Refusal>(bars.len())
    });
    let count = done.await??;
    Ok(Json(json!({ "stored": count })))
}

/// A bulk's body, read only once there is a place for it.
async fn bulk(app: &Arc<App>, request: Request) -> Result<(Place, Bytes), Refusal> {
    let place = app.bulk().await?;
    let Body(body) = Body::<BODY_LIMIT>::from_request(request, app).await?;
    Ok((place, body))
}

/// Query of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    limit: Option<usize>,
    symbol: Option<String>,
}

pub async fn list(
    State(app): State<Arc<App>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Refusal> {
    let limit = query.limit.unwrap_or(100);
    if limit == 0 || limit > LIST_LIMIT {
        let what = format!("limit={limit} is outside 1 to {LIST_LIMIT}");
        return Err(Refusal::bad_request(what, "ask for fewer"));
    }
    let symbol = query.symbol.map(|s| s.to_uppercase());
    let found = app
        .work(move |app| app.node.documents().list(symbol.as_deref(), limit))
        .await;
    let found = found?.map_err(refuse)?;
    let rows: Vec<SummaryRow> = found.into_iter().map(SummaryRow::from).collect();
    Ok(Json(json!({ "documents": rows })))
}

/// Query of one document.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetQuery {
    as_of: Option<String>,
}

pub async fn get(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(query): Query<GetQuery>,
) -> Result<Json<DocumentRow>, Refusal> {
    let as_of = query.as_of.as_deref().map(parse_instant).transpose();
    let as_of = as_of.map_err(|why| Refusal::bad_request(format!("as_of: {why}"), "mend as_of"))?;
    let wanted = id.clone();
    let found = app
        .work(move |app| app.node.documents().get(&wanted, as_of))
        .await;
    let document = found?.map_err(refuse)?.ok_or_else(|| no_document(&id))?;
    Ok(Json(document.into()))
}

pub async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let wanted = id.clone();
    let done = app.work(move |app| {
        let now = app.node.clock().now_ns();
        app.node.documents().delete(&wanted, now)
    });
    let seq = done.await?.map_err(refuse)?;
    let seq = seq.ok_or_else(|| no_document(&id))?;
    Ok(Json(json!({"deleted": true, "seq": seq})))
}

fn no_document(id: &str) -> Refusal {
    let hint = "GET /v1/documents lists what is stored; as_of shows the past";
    Refusal::not_found(format!("no document {id:?}"), hint)
}

fn utf8(body: &Bytes) -> Result<&str, Refusal> {
    std::str::from_utf8(body).map_err(|e| {
        let what = format!("the body is not UTF-8 at byte {}", e.valid_up_to());
        Refusal::bad_request(what, "send UTF-8 text")
    })
}
