//! `/v1/reference`: loading reference data during the session, and looking it up.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::error::Refusal;
use super::extract::{Body, Path};
use crate::app::App;
use crate::json::reference::{ListingRow, parse};

/// Largest table, in bytes.
const BODY_LIMIT: usize = 16 << 20;
const HINT: &str = "send CSV with a header naming a column `symbol`, or one JSON object a line: \
                    symbol, name, sector, cik, currency, tick_size, lot_size, round_lot";

/// Replaces all reference data; lanes take it over between two packets.
pub async fn load(
    State(app): State<Arc<App>>,
    Body(body): Body<BODY_LIMIT>,
) -> Result<Json<Value>, Refusal> {
    let done = app.work(move |app| {
        let listings = parse(&body).map_err(|why| Refusal::bad_request(why, HINT))?;
        let count = listings.len();
        Ok::<_, Refusal>((app.node.reference().load(listings, 0), count))
    });
    let (revision, count) = done.await??;
    Ok(Json(json!({ "revision": revision, "symbols": count })))
}

/// What is in force.
pub async fn state(State(app): State<Arc<App>>) -> Json<Value> {
    let (symbols, sectors) = app.node.reference().count();
    let revision = app.node.reference().revision();
    Json(json!({ "revision": revision, "symbols": symbols, "sectors": sectors }))
}

/// What is known of one symbol: what was loaded, and where that is silent what the feed says.
pub async fn find(
    State(app): State<Arc<App>>,
    Path(symbol): Path<String>,
) -> Result<Json<ListingRow>, Refusal> {
    let found = app.node.listing(&symbol);
    let found = found.or_else(|| app.node.listing(&symbol.to_uppercase()));
    let row = found.map(|(listing, revision)| ListingRow::new(listing, revision));
    row.map(Json).ok_or_else(|| {
        Refusal::not_found(
            format!("no reference data of {symbol:?}"),
            "GET /v1/reference says what is loaded; POST /v1/reference loads a file",
        )
    })
}
