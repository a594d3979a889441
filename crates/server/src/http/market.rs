//! `/v1/symbols`, `/v1/book`, `/v1/bars`, `/v1/vwap`, `/v1/signals`, `/v1/feed`, `/v1/rejected`.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use market::publish::Bar;
use node::market::{MarketView, Rejected, SymbolView};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::Refusal;
use super::extract::{Path, Query};
use crate::app::App;
use crate::json::market::{BarRow, BookRow, FeedRow, SignalRow, SymbolRow, VwapRow};
use crate::json::{Instant, parse_instant};

pub(super) const LIMIT_MAX: usize = 10_000;

/// Query of `/v1/symbols`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SymbolsQuery {
    sort: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Symbols {
    as_of: Option<Instant>,
    feed: FeedRow,
    symbols: Vec<SymbolRow>,
}

pub async fn symbols(
    State(app): State<Arc<App>>,
    Query(query): Query<SymbolsQuery>,
) -> Result<Json<Value>, Refusal> {
    let sort = query.sort.as_deref().unwrap_or("move");
    let limit = limit(query.limit, 1_000)?;
    let view = app.node.market();
    let mut rows: Vec<&SymbolView> = view.symbols().iter().collect();
    match sort {
        "move" => sort_by_move(&mut rows),
        "symbol" => rows.sort_by(|a, b| a.symbol.cmp(&b.symbol)),
        "volume" => rows.sort_by_key(|s| Reverse(s.volume)),
        other => {
            return Err(Refusal::bad_request(
                format!("sort={other} is not known"),
                "use sort=move, sort=symbol or sort=volume",
            ));
        }
    }
    rows.truncate(limit);
    let body = Symbols {
        as_of: view.head().map(|(_, at)| Instant(at)),
        feed: FeedRow::new(&view),
        symbols: rows.into_iter().map(SymbolRow::from).collect(),
    };
    // Lanes wait to publish: they must not wait for text to be written.
    drop(view);
    to_json(&body)
}

/// Largest absolute change first; symbols without a print last, by name.
pub fn sort_by_move(rows: &mut [&SymbolView]) {
    let size = |s: &SymbolView| s.change_bp().map_or(-1.0, f64::abs);
    rows.sort_by(|a, b| {
        size(b)
            .total_cmp(&size(a))
            .then_with(|| a.symbol.cmp(&b.symbol))
    });
}

/// Query of `/v1/book/{symbol}`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookQuery {
    depth: Option<usize>,
}

pub async fn book(
    State(app): State<Arc<App>>,
    Path(symbol): Path<String>,
    Query(query): Query<BookQuery>,
) -> Result<Json<BookRow>, Refusal> {
    let view = app.node.market();
    let found = known(&view, &symbol)?;
    let book = found.book.ok_or_else(|| {
        Refusal::not_found(
            format!("{} has no book yet", found.symbol),
            "wait for its first order, or look at /v1/feed to see whether the feed is live",
        )
    })?;
    let depth = query.depth.unwrap_or(market::publish::TOP_LEVELS);
    if depth == 0 || depth > market::publish::TOP_LEVELS {
        return Err(Refusal::bad_request(
            format!(
                "depth={depth} is outside 1 to {}",
                market::publish::TOP_LEVELS
            ),
            format!("ask for at most {} levels", market::publish::TOP_LEVELS),
        ));
    }
    Ok(Json(BookRow::new(found, &book, depth)))
}

/// Query of `/v1/bars/{symbol}`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BarsQuery {
    span: Option<String>,
    limit: Option<usize>,
    as_of: Option<String>,
}

pub async fn bars(
    State(app): State<Arc<App>>,
    Path(symbol): Path<String>,
    Query(query): Query<BarsQuery>,
) -> Result<Json<Value>, Refusal> {
    let span_text = query.span.as_deref().unwrap_or("1s");
    let span_ns = parse_span(span_text)?;
    let as_of = query.as_of.as_deref().map(instant).transpose()?;
    let as_of = as_of.unwrap_or(u64::MAX);
    let limit = limit(query.limit, 300)?;
    let view = app.node.market();
    let found = known(&view, &symbol)?;
    let empty = VecDeque::new();
    let bars = found.bars.get(&span_ns).unwrap_or(&empty);
    let ended: Vec<&Bar> = bars.iter().filter(|bar| bar.end_ns <= as_of).collect();
    let rows: Vec<BarRow> = ended[ended.len().saturating_sub(limit)..]
        .iter()
        .map(|bar| BarRow::new(&found.instrument, bar))
        .collect();
    let symbol = found.symbol.clone();
    drop(view);
    Ok(Json(
        json!({"symbol": symbol, "span": span_text, "bars": rows}),
    ))
}

/// Query of `/v1/vwap`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VwapQuery {
    symbol: Option<String>,
    limit: Option<usize>,
}

pub async fn vwap(
    State(app): State<Arc<App>>,
    Query(query): Query<VwapQuery>,
) -> Result<Json<Value>, Refusal> {
    let view = app.node.market();
    let rows: Vec<VwapRow> = match &query.symbol {
        Some(symbol) => {
            let found = known(&view, symbol)?;
            let skip = found.vwaps.len().saturating_sub(limit(query.limit, 300)?);
            found
                .vwaps
                .iter()
                .skip(skip)
                .map(|v| VwapRow::new(found, v))
                .collect()
        }
        None => view
            .symbols()
            .iter()
            .filter_map(|s| s.vwaps.back().map(|v| VwapRow::new(s, v)))
            .take(limit(query.limit, LIMIT_MAX)?)
            .collect(),
    };
    let newest = view.symbols().iter().find_map(|s| s.vwaps.back());
    let length_ns = newest.map(|v| v.length_ns);
    drop(view);
    Ok(Json(json!({
        "window": length_ns.map(span_name),
        "step": "100ms",
        "values": rows,
    })))
}

/// Query of `/v1/signals`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalsQuery {
    symbol: Option<String>,
    limit: Option<usize>,
}

pub async fn signals(
    State(app): State<Arc<App>>,
    Query(query): Query<SignalsQuery>,
) -> Result<Json<Value>, Refusal> {
    let view = app.node.market();
    if let Some(symbol) = &query.symbol {
        known(&view, symbol)?;
    }
    let wanted = |idx: usize| {
        query
            .symbol
            .as_ref()
            .is_none_or(|s| view.symbols()[idx].symbol.eq_ignore_ascii_case(s))
    };
    let rows: Vec<SignalRow> = view
        .signals_from(0)
        .rev()
        .filter(|logged| wanted(logged.symbol_idx))
        .take(limit(query.limit, 100)?)
        .map(|logged| SignalRow::new(&view.symbols()[logged.symbol_idx].symbol, &logged.signal))
        .collect();
    drop(view);
    Ok(Json(json!({ "signals": rows })))
}

pub async fn feed(State(app): State<Arc<App>>) -> Json<FeedRow> {
    Json(FeedRow::new(&app.node.market()))
}

/// The last packets that could not be decoded, newest first.
pub async fn rejected(State(app): State<Arc<App>>) -> Json<Value> {
    let kept: Vec<Rejected> = app.node.market().rejected().cloned().collect();
    let row = |r: &Rejected| {
        let hex: String = r.bytes.iter().map(|b| format!("{b:02x}")).collect();
        json!({"at": Instant(r.at), "line": r.line, "reason": r.reason, "bytes_hex": hex})
    };
    let rows: Vec<Value> = kept.iter().map(row).collect();
    Json(json!({ "rejected": rows }))
}

/// The symbol as the venue writes it; upper case is tried as well, for people.
pub fn known<'a>(view: &'a MarketView, symbol: &str) -> Result<&'a SymbolView, Refusal> {
    let found = view
        .symbol(symbol)
        .or_else(|| view.symbol(&symbol.to_uppercase()));
    found.ok_or_else(|| {
        Refusal::not_found(
            format!("symbol {symbol:?} is not known to the feed"),
            "GET /v1/symbols lists the symbols seen so far",
        )
    })
}

pub(super) fn limit(asked: Option<usize>, default: usize) -> Result<usize, Refusal> {
    match asked {
        None => Ok(default),
        Some(n @ 1..=LIMIT_MAX) => Ok(n),
        Some(n) => Err(Refusal::bad_request(
            format!("limit={n} is outside 1 to {LIMIT_MAX}"),
            "ask for fewer and page by as_of",
        )),
    }
}

fn instant(text: &str) -> Result<u64, Refusal> {
    parse_instant(text).map_err(|why| Refusal::bad_request(format!("as_of: {why}"), "mend as_of"))
}

/// `100ms`, `1s`, `5m`, `1h`.
pub fn parse_span(text: &str) -> Result<u64, Refusal> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let unit_ns = match &text[split..] {
        "ms" => Some(1_000_000u64),
        "s" => Some(1_000_000_000),
        "m" => Some(60_000_000_000),
        "h" => Some(3_600_000_000_000),
        _ => None,
    };
    let count = text[..split].parse::<u64>().ok().filter(|n| *n > 0);
    count
        .zip(unit_ns)
        .and_then(|(n, unit)| n.checked_mul(unit))
        .ok_or_else(|| {
            Refusal::bad_request(
                format!("span {text:?} is not a length"),
                "write 1s, 60s or 1m",
            )
        })
}

/// The longest unit that divides the length.
#[must_use]
pub fn span_name(ns: u64) -> String {
    let units = [
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
    ];
    let unit = units
        .iter()
        .find(|(unit, _)| ns >= *unit && ns.is_multiple_of(*unit));
    unit.map_or_else(
        || format!("{}ms", ns / 1_000_000),
        |(unit, name)| format!("{}{name}", ns / unit),
    )
}

fn to_json<T: Serialize>(value: &T) -> Result<Json<Value>, Refusal> {
    serde_json::to_value(value)
        .map(Json)
        .map_err(|e| Refusal::internal(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print() {
        for (text, ns) in [
            ("100ms", 100_000_000),
            ("1s", 1_000_000_000),
            ("1m", 60_000_000_000),
        ] {
            assert_eq!(parse_span(text).ok(), Some(ns));
            assert_eq!(span_name(ns), text);
        }
        for bad in ["", "s", "1", "1d", "-1s", "0s", "99999999999999999999h"] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }
}
