//! The fields that rules can name.

use crate::event::{Price, Qty};
use crate::publish::Measure;
use crate::reference::Row;

/// How many fields there are.
pub(super) const FIELD_COUNT: usize = FIELDS.len();

/// Fields by name, with what they mean. Prices are in units of currency, quantities in the feed's
/// units (shares; 1e-8 of a coin on Binance), both of the measures' window or its end.
pub const FIELDS: [(&str, &str); 25] = [
    ("price", "last print"),
    ("bid", "best bid"),
    ("ask", "best ask"),
    ("bid_qty", "quantity at the best bid"),
    ("ask_qty", "quantity at the best ask"),
    ("mid", "middle of bid and ask"),
    ("spread", "ask less bid"),
    ("spread_mean", "spread weighted by time"),
    (
        "microprice",
        "bid and ask weighted by the other side's quantity",
    ),
    (
        "imbalance",
        "(bid_qty - ask_qty) / (bid_qty + ask_qty), -1 to 1",
    ),
    ("vwap", "price weighted by quantity"),
    ("twap", "price weighted by time"),
    ("ema", "exponential mean of the price"),
    ("high", "highest print"),
    ("low", "lowest print"),
    ("deviation", "standard deviation of the prints' prices"),
    (
        "volatility",
        "square root of the sum of squared returns; 0.01 is one per cent",
    ),
    ("volume", "sum of quantities"),
    ("bought", "what buyers took of it"),
    ("sold", "what sellers took of it"),
    ("trades", "number of prints"),
    ("flow", "order-flow imbalance"),
    ("tick_size", "smallest price increment, by reference data"),
    ("spread_ticks", "spread in ticks"),
    ("round_lot", "quantity below which an order is an odd lot"),
];

/// A field, by its place in [`FIELDS`].
pub(super) type Field = u8;

/// The field of this name.
pub(super) fn find(name: &str) -> Option<Field> {
    let place = FIELDS.iter().position(|(field, _)| *field == name)?;
    u8::try_from(place).ok()
}

/// All names, for messages.
#[must_use]
pub fn fields_text() -> String {
    FIELDS.map(|(name, _)| name).join(", ")
}

/// The fields' values in the order of [`FIELDS`]; what is not known is NaN.
pub(super) fn values(measure: &Measure, row: Option<&Row>) -> [f64; FIELD_COUNT] {
    let price = |price: Option<Price>| price.map_or(f64::NAN, Price::to_f64);
    let (bid, ask) = (measure.quote.bid, measure.quote.ask);
    let best = |side: Option<(Price, Qty)>| price(side.map(|(price, _)| price));
    let shown = |side: Option<(Price, Qty)>| side.map_or(f64::NAN, |(_, qty)| qty.0 as f64);
    let tick_size = row.and_then(|row| row.tick_size);
    let imbalance = (shown(bid) - shown(ask)) / (shown(bid) + shown(ask));
    [
        price(measure.last),
        best(bid),
        best(ask),
        shown(bid),
        shown(ask),
        price(measure.quote.mid()),
        price(measure.quote.spread()),
        price(measure.spread_mean),
        price(measure.microprice),
        imbalance,
        price(measure.vwap()),
        price(measure.twap),
        price(measure.ema),
        price(measure.extremes.map(|(high, _)| high)),
        price(measure.extremes.map(|(_, low)| low)),
        price(measure.deviation),
        measure.volatility_e9 as f64 / 1e9,
        measure.volume.0 as f64,
        measure.bought.0 as f64,
        measure.sold.0 as f64,
        f64::from(measure.trades),
        measure.flow as f64,
        price(tick_size),
        price(measure.quote.spread()) / price(tick_size),
        row.and_then(|row| row.round_lot)
            .map_or(f64::NAN, |lot| lot.0 as f64),
    ]
}
