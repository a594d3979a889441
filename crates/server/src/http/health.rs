//! `/livez`: the process answers. `/readyz`: every part does its work. `/healthz`: both, in words.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::app::App;

pub async fn livez() -> Json<Value> {
    Json(json!({"status": "ok", "checks": []}))
}

pub async fn readyz(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    let checks = app.checks();
    let ok = checks.iter().all(|(_, check)| check.ok);
    let rows: Vec<Value> = checks
        .iter()
        .map(|(name, check)| json!({"name": name, "ok": check.ok, "detail": check.detail}))
        .collect();
    let status = if ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let word = if ok { "ok" } else { "unavailable" };
    (status, Json(json!({"status": word, "checks": rows})))
}

pub async fn healthz(state: State<Arc<App>>) -> (StatusCode, Json<Value>) {
    readyz(state).await
}

pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (kind, app.metrics.page(&app)).into_response()
}
