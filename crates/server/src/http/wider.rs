//! `/v1/measures`, `/v1/activity/{symbol}`, `/v1/joined/{symbol}`: the wider windows.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use node::market::SymbolView;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Refusal;
use super::extract::{Path, Query};
use super::market::{LIMIT_MAX, known, limit};
use crate::app::App;
use crate::json::wider::{ActivityRow, JoinedRow, MeasureRow};

/// Query of `/v1/measures`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuresQuery {
    symbol: Option<String>,
    limit: Option<usize>,
}

/// Newest measures per symbol, or the last of one.
pub async fn measures(
    State(app): State<Arc<App>>,
    Query(query): Query<MeasuresQuery>,
) -> Result<Json<Value>, Refusal> {
    let view = app.node.market();
    let rows: Vec<MeasureRow> = match &query.symbol {
        Some(symbol) => {
            let found = known(&view, symbol)?;
            last(&found.wider.measures, limit(query.limit, 300)?)
                .map(|measure| MeasureRow::new(found, measure))
                .collect()
        }
        None => {
            let newest = |s: &SymbolView| s.wider.measures.back().map(|m| MeasureRow::new(s, m));
            let most = limit(query.limit, LIMIT_MAX)?;
            view.symbols()
                .iter()
                .filter_map(newest)
                .take(most)
                .collect()
        }
    };
    let newest = view.symbols().iter().find_map(|s| s.wider.measures.back());
    let window = newest.map(|measure| super::span_name(measure.length_ns));
    drop(view);
    Ok(Json(json!({ "window": window, "values": rows })))
}

/// Query of the histories of one symbol.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitQuery {
    limit: Option<usize>,
}

/// Bars closed by activity, oldest first within each rule.
pub async fn activity(
    State(app): State<Arc<App>>,
    Path(symbol): Path<String>,
    Query(query): Query<LimitQuery>,
) -> Result<Json<Value>, Refusal> {
    let count = limit(query.limit, 300)?;
    let view = app.node.market();
    let found = known(&view, &symbol)?;
    let rows: Vec<ActivityRow> = found
        .wider
        .activity
        .iter()
        .flat_map(|(rule, bars)| last(bars, count).map(move |bar| (rule, bar)))
        .map(|(rule, bar)| ActivityRow::new(&found.instrument, *rule, bar))
        .collect();
    let symbol = found.symbol.clone();
    drop(view);
    Ok(Json(json!({ "symbol": symbol, "bars": rows })))
}

/// Prints with the quote and the reference row in force, oldest first.
pub async fn joined(
    State(app): State<Arc<App>>,
    Path(symbol): Path<String>,
    Query(query): Query<LimitQuery>,
) -> Result<Json<Value>, Refusal> {
    let count = limit(query.limit, 300)?;
    let view = app.node.market();
    let found = known(&view, &symbol)?;
    let rows: Vec<JoinedRow> = last(&found.wider.joined, count)
        .map(|joined| JoinedRow::new(&found.instrument, joined))
        .collect();
    let symbol = found.symbol.clone();
    drop(view);
    Ok(Json(json!({ "symbol": symbol, "prints": rows })))
}

fn last<T>(kept: &VecDeque<T>, count: usize) -> impl Iterator<Item = &T> {
    kept.iter().skip(kept.len().saturating_sub(count))
}
