//! `/v1/embedding`: whose vectors answer, and how a change of model gets on.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use node::{MadeBy, Node};
use serde_json::{Value, json};

use crate::app::App;
use crate::json::Instant;

pub async fn embedding(State(app): State<Arc<App>>) -> Json<Value> {
    Json(embedding_row(&app.node))
}

/// The models of a node's vectors, as JSON.
#[must_use]
pub fn embedding_row(node: &Node) -> Value {
    let change = node.model_change().map(|change| {
        json!({
            "to": model_row(&change.to), "done": change.done, "of": change.of,
            "waits": change.waits,
        })
    });
    let earlier = node.earlier_models().into_iter().map(|earlier| {
        json!({
            "model": earlier.made_by.id, "dimensions": earlier.made_by.dim,
            "until": Instant(earlier.until), "loaded": earlier.is_loaded,
            "behind": earlier.behind,
        })
    });
    let mut row = model_row(&node.model());
    row["change"] = change.unwrap_or(Value::Null);
    row["earlier"] = earlier.collect();
    row
}

fn model_row(made_by: &MadeBy) -> Value {
    json!({"model": made_by.id, "dimensions": made_by.dim})
}
