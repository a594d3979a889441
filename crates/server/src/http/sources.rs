//! `/v1/sources`: what brings documents, and what is wrong with it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::app::App;
use crate::json::Instant;
use crate::sources::Status;

pub async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let rows: Vec<Value> = app.sources().iter().map(|source| row(source)).collect();
    Json(json!({"sources": rows}))
}

fn row(source: &Status) -> Value {
    let counts = source.counts();
    let refusals = counts.refusals.iter().map(|refusal| {
        json!({
            "at": Instant(refusal.at), "place": refusal.place, "reason": refusal.reason,
        })
    });
    json!({
        "name": source.name, "kind": source.kind, "target": source.target,
        "last_success": counts.last_success.map(Instant), "next": counts.next.map(Instant),
        "asked": counts.asked, "unchanged": counts.unchanged,
        "documents": counts.documents, "revisions": counts.revisions,
        "duplicates": counts.duplicates, "refused": counts.refused, "deleted": counts.deleted,
        "failures": counts.failures, "trouble": counts.trouble,
        "refusals": refusals.collect::<Vec<_>>(),
    })
}
