//! `/v1/risk`: pre-trade checks, what they answered, limits and the kill switch.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::Refusal;
use super::extract::{Body, Query};
use crate::app::App;
use crate::json::from_object;
use crate::json::risk::{KillBody, LimitsBody, OrderBody, RecordRow, price_of, qty_of};
use crate::risk::{Asked, DeskError};

const BODY_LIMIT: usize = 64 << 10;
const RECORDS_MAX: usize = 10_000;
const SHAPE: &str = "send {\"account\": \"..\", \"symbol\": \"..\", \"side\": \"buy\" or \"sell\", \
                     \"price\": 1.23, \"qty\": 100}";

/// May this order be sent?
pub async fn check(
    State(app): State<Arc<App>>,
    Body(body): Body<BODY_LIMIT>,
) -> Result<Json<RecordRow>, Refusal> {
    let order: OrderBody = parse(&body, SHAPE)?;
    let bad = |what: &str| Refusal::bad_request(what, SHAPE);
    let asked = Asked {
        account: &order.account,
        symbol: &order.symbol,
        side: order.side.into(),
        price: order
            .price
            .and_then(price_of)
            .ok_or_else(|| bad("price is wanted"))?,
        qty: qty_of(order.qty).ok_or_else(|| bad("qty is negative or too large"))?,
    };
    let row = app.risk.check(&app.node, &asked).map_err(refused)?;
    Ok(Json(row))
}

/// Part of an open order was filled.
pub async fn fill(app: State<Arc<App>>, body: Body<BODY_LIMIT>) -> Result<Json<Value>, Refusal> {
    close(app, body, true)
}

/// Part of an open order is gone.
pub async fn cancel(app: State<Arc<App>>, body: Body<BODY_LIMIT>) -> Result<Json<Value>, Refusal> {
    close(app, body, false)
}

fn close(
    State(app): State<Arc<App>>,
    Body(body): Body<BODY_LIMIT>,
    is_filled: bool,
) -> Result<Json<Value>, Refusal> {
    let order: OrderBody = parse(&body, SHAPE)?;
    let bad = || Refusal::bad_request("qty is negative or too large", SHAPE);
    let qty = qty_of(order.qty).ok_or_else(bad)?;
    let (account, symbol) = (&order.account, &order.symbol);
    let side = order.side.into();
    let closed = app.risk.close(account, symbol, side, qty, is_filled);
    let (position, open_buy, open_sell) = closed.map_err(refused)?;
    let units = |qty: f64| qty / crate::risk::QTY_SCALE as f64;
    Ok(Json(json!({
        "account": account, "symbol": symbol, "position": units(position as f64),
        "open_buy": units(open_buy as f64), "open_sell": units(open_sell as f64),
    })))
}

/// Throws or releases the switch.
pub async fn kill(
    State(app): State<Arc<App>>,
    Body(body): Body<BODY_LIMIT>,
) -> Result<Json<RecordRow>, Refusal> {
    let asked: KillBody = parse(
        &body,
        "send {\"on\": true, \"account\": \"..\"}; no account: all",
    )?;
    let now_ns = app.node.clock().now_ns();
    let row = app.risk.kill(asked.on, asked.account.as_deref(), now_ns);
    row.map(Json).map_err(refused)
}

/// Replaces the limits.
pub async fn set_limits(
    State(app): State<Arc<App>>,
    Body(body): Body<BODY_LIMIT>,
) -> Result<Json<RecordRow>, Refusal> {
    let hint = "send all limits as GET /v1/risk shows them";
    let asked: LimitsBody = parse(&body, hint)?;
    let limits = asked
        .limits()
        .ok_or_else(|| Refusal::bad_request("a limit is negative or too large", hint))?;
    let now_ns = app.node.clock().now_ns();
    app.risk
        .set_limits(limits, now_ns)
        .map(Json)
        .map_err(refused)
}

/// Limits, switch and the digest over all records.
pub async fn state(State(app): State<Arc<App>>) -> Json<Value> {
    let (limits, is_killed, (records, digest)) = app.risk.state();
    Json(json!({
        "limits": LimitsBody::from(&limits), "killed": is_killed,
        "records": records, "digest": format!("{digest:016x}"),
    }))
}

/// Query of `/v1/risk/verdicts`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictsQuery {
    from: Option<u64>,
    limit: Option<usize>,
}

/// Records from a number on, oldest first.
pub async fn verdicts(
    State(app): State<Arc<App>>,
    Query(query): Query<VerdictsQuery>,
) -> Json<Value> {
    let limit = query.limit.unwrap_or(1_000).min(RECORDS_MAX);
    let (_, _, (records, _)) = app.risk.state();
    let newest = records.saturating_sub(limit as u64) + 1;
    let rows = app.risk.records(query.from.unwrap_or(newest), limit);
    Json(json!({ "verdicts": rows, "records": records }))
}

fn parse<T: DeserializeOwned>(body: &[u8], hint: &str) -> Result<T, Refusal> {
    from_object(body).map_err(|why| Refusal::bad_request(why, hint))
}

fn refused(error: DeskError) -> Refusal {
    match error {
        DeskError::Risk(why) => Refusal::bad_request(why.to_string(), "see GET /v1/risk"),
        DeskError::Full(_) => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "full",
            error.to_string(),
            "restart the server to forget names that are no longer used",
        ),
        DeskError::Record(why) => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_recorded",
            format!("the verdict cannot be recorded: {why}; do not send the order"),
            "make room for the file of verdicts, then ask again",
        ),
    }
}
