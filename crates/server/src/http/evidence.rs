//! `/v1/evidence`: what was found when the market asked by itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{Refusal, refuse};
use super::extract::Query;
use super::market::{known, limit};
use crate::app::App;
use crate::json::evidence::rows;

/// Bundles shown where the caller does not say.
const LIMIT: usize = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceQuery {
    symbol: Option<String>,
    limit: Option<usize>,
    /// Only bundles with a higher number.
    after: Option<u64>,
}

/// The newest bundles, or the next after a number.
pub async fn evidence(
    State(app): State<Arc<App>>,
    Query(query): Query<EvidenceQuery>,
) -> Result<Json<Value>, Refusal> {
    let limit = limit(query.limit, LIMIT)?;
    let symbol = query
        .symbol
        .map(|symbol| known(&app.node.market(), &symbol).map(|found| found.symbol.clone()))
        .transpose()?;
    let bundles = app.node.bundles();
    let last = bundles.last();
    // Whoever goes on from a number gets what comes next, however much there is.
    let found = match query.after {
        Some(after) => bundles.next(symbol.as_deref(), after, limit),
        None => bundles.newest(symbol.as_deref(), limit),
    };
    let rows = rows(&app.node, found.iter().map(Arc::as_ref)).map_err(refuse)?;
    Ok(Json(json!({ "evidence": rows, "last": last })))
}
