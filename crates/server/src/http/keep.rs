//! `/v1/backups` and `/v1/trim`: copies of what is remembered, and how far back the past is kept.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use node::{Backup, BackupError};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::Refusal;
use super::extract::Body;
use crate::app::App;
use crate::json::{Instant, from_object};

const BODY_LIMIT: usize = 4 << 10;

/// Which copy to make.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupBody {
    name: String,
}

pub async fn backup(
    State(app): State<Arc<App>>,
    Body(body): Body<BODY_LIMIT>,
) -> Result<Json<Value>, Refusal> {
    let body: BackupBody = from_object(&body)
        .map_err(|why| Refusal::bad_request(why, "send {\"name\": \"monday\"}"))?;
    let place = app.bulk().await?;
    let done = app.work(move |app| {
        let _place = place;
        app.node.backup(&body.name)
    });
    Ok(Json(backup_row(done.await?.map_err(refused)?)))
}

/// A copy, as JSON.
#[must_use]
pub fn backup_row(backup: Backup) -> Value {
    let stores = backup.stores.into_iter().map(|(name, copy)| {
        let said = json!({"entry": copy.seq, "digest": format!("{:016x}", copy.digest)});
        (name.to_owned(), said)
    });
    json!({"dir": backup.dir.display().to_string(), "stores": stores.collect::<Map<_, _>>()})
}

pub async fn backups(State(app): State<Arc<App>>) -> Result<Json<Value>, Refusal> {
    let names = app.work(|app| app.node.backups()).await?;
    let names = names.map_err(|e| refused(e.into()))?;
    Ok(Json(json!({ "backups": names })))
}

/// How far back to keep.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrimBody {
    known_before: Instant,
}

pub async fn trim(
    State(app): State<Arc<App>>,
    Body(body): Body<BODY_LIMIT>,
) -> Result<Json<Value>, Refusal> {
    let body: TrimBody = from_object(&body).map_err(|why| {
        Refusal::bad_request(why, "send {\"known_before\": \"2014-01-28T21:00:00Z\"}")
    })?;
    let Instant(known_before) = body.known_before;
    let done = app.work(move |app| app.node.trim(known_before));
    let stores = done.await?.map_err(refused)?;
    Ok(Json(trim_row(known_before, stores)))
}

/// What was forgotten, as JSON.
#[must_use]
pub fn trim_row(known_before: u64, stores: Vec<(&'static str, u64)>) -> Value {
    let stores = stores
        .into_iter()
        .map(|(name, seq)| (name.to_owned(), json!({"entry": seq})));
    json!({"known_before": Instant(known_before), "stores": stores.collect::<Map<_, _>>()})
}

fn refused(error: BackupError) -> Refusal {
    match error {
        BackupError::Name { .. } | BackupError::Taken { .. } => {
            Refusal::bad_request(error.to_string(), "send another name")
        }
        BackupError::Ahead => Refusal::bad_request(error.to_string(), "send an earlier instant"),
        BackupError::Node(error) => {
            let mut what = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(inner) = source {
                what.push_str(": ");
                what.push_str(&inner.to_string());
                source = inner.source();
            }
            let hint = "look at the disk that the data folder is on";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", what, hint)
        }
    }
}
