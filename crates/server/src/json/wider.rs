//! Measures, activity bars and joined prints as people read them.

use market::event::{Instrument, Price, Side};
use market::publish::{Bar, BarRule, JoinedPrint, Measure, SignRule};
use node::market::SymbolView;
use node::market::words::integrity;
use serde::Serialize;

use super::Instant;
use super::market::{BarRow, qty};

/// One emission of the sliding measures.
#[derive(Clone, Debug, Serialize)]
pub struct MeasureRow {
    symbol: String,
    end: Instant,
    bid: Option<f64>,
    ask: Option<f64>,
    mid: Option<f64>,
    spread: Option<f64>,
    spread_mean: Option<f64>,
    microprice: Option<f64>,
    last: Option<f64>,
    vwap: Option<f64>,
    twap: Option<f64>,
    ema: Option<f64>,
    high: Option<f64>,
    low: Option<f64>,
    deviation: Option<f64>,
    /// Square root of the sum of squared returns in the window; 0.01 is one per cent.
    volatility: f64,
    volume: f64,
    bought: f64,
    sold: f64,
    trades: u32,
    quotes: u32,
    flow: f64,
    integrity: &'static str,
}

impl MeasureRow {
    /// A measure of `view`.
    #[must_use]
    pub fn new(view: &SymbolView, measure: &Measure) -> Self {
        Self::of(&view.symbol, &view.instrument, measure)
    }

    /// A measure of `instrument`, shown as `symbol`.
    #[must_use]
    pub fn of(symbol: &str, instrument: &Instrument, measure: &Measure) -> Self {
        let price = |price: Option<Price>| price.map(Price::to_f64);
        let of = |units: u64| qty(instrument, units);
        let flow = of(measure.flow.unsigned_abs()).copysign(measure.flow as f64);
        Self {
            symbol: symbol.to_owned(),
            end: Instant(measure.end_ns),
            bid: price(measure.quote.bid.map(|(price, _)| price)),
            ask: price(measure.quote.ask.map(|(price, _)| price)),
            mid: price(measure.quote.mid()),
            spread: price(measure.quote.spread()),
            spread_mean: price(measure.spread_mean),
            microprice: price(measure.microprice),
            last: price(measure.last),
            vwap: price(measure.vwap()),
            twap: price(measure.twap),
            ema: price(measure.ema),
            high: price(measure.extremes.map(|(high, _)| high)),
            low: price(measure.extremes.map(|(_, low)| low)),
            deviation: price(measure.deviation),
            volatility: measure.volatility_e9 as f64 / 1e9,
            volume: of(measure.volume.0),
            bought: of(measure.bought.0),
            sold: of(measure.sold.0),
            trades: measure.trades,
            quotes: measure.quotes,
            flow,
            integrity: integrity(measure.integrity),
        }
    }
}

/// A bar closed by activity.
#[derive(Clone, Debug, Serialize)]
pub struct ActivityRow {
    /// `ticks:100`, `volume:5000`, `notional:1000000` or `session:5s`.
    rule: String,
    #[serde(flatten)]
    bar: BarRow,
}

impl ActivityRow {
    /// A bar of `instrument` that `rule` closed.
    #[must_use]
    pub fn new(instrument: &Instrument, rule: BarRule, bar: &Bar) -> Self {
        Self {
            rule: rule_name(instrument, rule),
            bar: BarRow::new(instrument, bar),
        }
    }
}

/// A rule in people's units.
fn rule_name(instrument: &Instrument, rule: BarRule) -> String {
    let scale = 10f64.powi(i32::from(instrument.qty_decimals));
    match rule {
        BarRule::Ticks(count) => format!("ticks:{count}"),
        BarRule::Volume(volume) => format!("volume:{}", qty(instrument, volume.0)),
        BarRule::Notional(notional) => format!("notional:{}", notional as f64 / 1e9 / scale),
        BarRule::Session(gap_ns) => format!("session:{}", crate::http::span_name(gap_ns)),
    }
}

/// A print with what was in force.
#[derive(Clone, Debug, Serialize)]
pub struct JoinedRow {
    at: Instant,
    seq: u64,
    price: f64,
    qty: f64,
    bid: Option<f64>,
    ask: Option<f64>,
    quote_since: Option<Instant>,
    taker: Option<&'static str>,
    taker_from: Option<&'static str>,
    tick_size: Option<f64>,
    lot_size: Option<f64>,
    round_lot: Option<f64>,
    currency: Option<String>,
    reference_revision: Option<u32>,
    integrity: &'static str,
}

impl JoinedRow {
    /// A joined print of `instrument`.
    #[must_use]
    pub fn new(instrument: &Instrument, joined: &JoinedPrint) -> Self {
        let (print, row) = (&joined.print, joined.reference);
        let best = |side: Option<(Price, market::event::Qty)>| side.map(|(p, _)| p.to_f64());
        let currency = row.map(|row| String::from_utf8_lossy(&row.currency).trim_end().to_owned());
        Self {
            at: Instant(print.stamp.ts_event),
            seq: print.stamp.seq,
            price: print.price.to_f64(),
            qty: qty(instrument, print.qty.0),
            bid: joined.quote.and_then(|quote| best(quote.bid)),
            ask: joined.quote.and_then(|quote| best(quote.ask)),
            quote_since: joined.quote.map(|quote| Instant(quote.since_ns)),
            taker: joined.sign.map(|(side, _)| match side {
                Side::Bid => "buy",
                Side::Ask => "sell",
            }),
            taker_from: joined.sign.map(|(_, rule)| match rule {
                SignRule::Venue => "venue",
                SignRule::Quote => "quote",
                SignRule::Tick => "tick",
            }),
            tick_size: row.and_then(|row| row.tick_size).map(Price::to_f64),
            lot_size: row
                .and_then(|row| row.lot_size)
                .map(|lot| qty(instrument, lot.0)),
            round_lot: row
                .and_then(|row| row.round_lot)
                .map(|lot| qty(instrument, lot.0)),
            currency: currency.filter(|text| !text.is_empty()),
            reference_revision: row.map(|row| row.revision),
            integrity: integrity(print.integrity),
        }
    }
}
