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

/// The newest bundles.
pub async fn evidence(
    State(app): State<Arc<App>>,
    Query(query): Query<EvidenceQuery>,
) -> Result<Json<Value>, Refusal> {
    let limit = limit(query.limit, LIMIT)?;
    let symbol = query
        .symbol
        .map(|symbol| known(&app.node.market(), &symbol).map(|found| found.symbol.clone()))
        .transpose()?;
    let after = query.after.unwrap_or(0);
    let bundles = app.node.bundles();
    let last = bundles.last();
    let newest = bundles.newest(symbol.as_deref(), limit);
    let newer = newest.iter().filter(|bundle| bundle.number > after);
    let rows = rows(&app.node, newer.map(Arc::as_ref)).map_err(refuse)?;
    Ok(Json(json!({ "evidence": rows, "last": last })))
}
