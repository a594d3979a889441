//! `/v1/outlets`: who reads what the node publishes, and what each one missed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::app::App;

pub async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let row = |outlet: node::outlet::OutletStatus| {
        let totals = outlet.totals;
        let far = totals.far.map(|far| {
            json!({
                "confirmed": far.confirmed, "uncertain": far.uncertain,
                "refused": far.refused, "connects": far.connects,
            })
        });
        json!({
            "id": outlet.id, "name": outlet.name, "policy": outlet.policy.name(),
            "capacity": outlet.capacity, "waiting": outlet.waiting, "sent": totals.sent,
            "conflated": totals.conflated, "dropped": totals.dropped,
            "spilled": totals.spilled,
            "blocked_ns": totals.blocked_ns, "far": far, "trouble": outlet.trouble,
        })
    };
    let rows: Vec<Value> = app.node.outlets().status().into_iter().map(row).collect();
    Json(json!({"outlets": rows}))
}
