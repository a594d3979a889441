//! Market states and past moments as people read them.

use std::str::FromStr;

use market::event::Instrument;
use market::publish::{MarketState, STATE_FEATURES};
use node::market::words::integrity;
use node::moments::{Moment, Shape, Similar, Spread};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Instant;
use super::market::qty;
use crate::http::span_name;

/// One market state.
#[derive(Clone, Debug, Serialize)]
pub struct StateRow {
    symbol: String,
    end: Instant,
    known_at: Instant,
    mid: Option<f64>,
    volume: f64,
    /// By name; each from -1 to 1.
    features: Map<String, Value>,
    integrity: &'static str,
}

impl StateRow {
    /// A state of `instrument`, shown as `symbol`.
    #[must_use]
    pub fn of(symbol: &str, instrument: &Instrument, state: &MarketState) -> Self {
        Self {
            symbol: symbol.to_owned(),
            end: Instant(state.end_ns),
            known_at: Instant(state.known_ns),
            mid: state.mid.map(|mid| mid.to_f64()),
            volume: qty(instrument, state.volume.0),
            features: features(&state.vector()),
            integrity: integrity(state.integrity),
        }
    }
}

fn features(vector: &[f32]) -> Map<String, Value> {
    let named = STATE_FEATURES.iter().zip(vector);
    named
        .map(|(name, value)| {
            let short = (f64::from(*value) * 1e4).round() / 1e4;
            ((*name).to_owned(), short.into())
        })
        .collect()
}

/// Body of `POST /v1/similar`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimilarBody {
    /// Whose moment.
    pub symbol: String,
    /// As of when; now where it is left out.
    pub at: Option<Instant>,
    /// Length of a moment, such as `10s`.
    pub window: Option<String>,
    /// How many.
    pub k: Option<usize>,
    /// How long after each moment to look, such as `["1m", "5m"]`.
    pub outcomes: Option<Vec<String>>,
    /// `price` or `volume`; states are compared where it is left out.
    pub shape: Option<String>,
    /// Only moments of the same symbol.
    #[serde(default)]
    pub same_symbol: bool,
}

/// A shape by its name.
pub struct ShapeName(pub Shape);

impl FromStr for ShapeName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "price" => Ok(Self(Shape::Price)),
            "volume" => Ok(Self(Shape::Volume)),
            _ => Err(format!("{name:?} is no shape: price or volume")),
        }
    }
}

/// Answer of `POST /v1/similar`.
#[derive(Clone, Debug, Serialize)]
pub struct SimilarRow {
    symbol: String,
    at: Instant,
    window: String,
    compared: &'static str,
    candidates: u64,
    #[serde(skip_serializing_if = "Map::is_empty")]
    features: Map<String, Value>,
    moments: Vec<MomentRow>,
    outcomes: Vec<OutcomeRow>,
}

#[derive(Clone, Debug, Serialize)]
struct MomentRow {
    symbol: String,
    at: Instant,
    distance: f64,
    mid: Option<f64>,
    /// By horizon, in basis points; null where it is not known.
    moves_bp: Map<String, Value>,
    integrity: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct OutcomeRow {
    after: String,
    known: usize,
    unknown: usize,
    mean_bp: Option<f64>,
    min_bp: Option<f64>,
    p10_bp: Option<f64>,
    p25_bp: Option<f64>,
    median_bp: Option<f64>,
    p75_bp: Option<f64>,
    p90_bp: Option<f64>,
    max_bp: Option<f64>,
    up: Option<f64>,
    down: Option<f64>,
}

impl SimilarRow {
    /// What was found, for a search of `shape` with a window of `window_ns`.
    #[must_use]
    pub fn new(found: Similar, window_ns: u64, shape: Option<Shape>) -> Self {
        let horizons: Vec<String> = found.outcomes.iter().map(after).collect();
        Self {
            symbol: found.symbol,
            at: Instant(found.at),
            window: span_name(window_ns),
            compared: match shape {
                None => "states",
                Some(Shape::Price) => "price",
                Some(Shape::Volume) => "volume",
            },
            candidates: found.compared,
            features: features(&found.vector),
            moments: found
                .moments
                .iter()
                .map(|moment| MomentRow::new(moment, &horizons))
                .collect(),
            outcomes: found.outcomes.iter().map(OutcomeRow::new).collect(),
        }
    }
}

fn after(outcome: &Spread) -> String {
    span_name(outcome.horizon_ns)
}

impl MomentRow {
    fn new(moment: &Moment, horizons: &[String]) -> Self {
        let moves = horizons.iter().cloned().zip(&moment.moves_bp);
        Self {
            symbol: moment.symbol.clone(),
            at: Instant(moment.at),
            distance: moment.distance,
            mid: moment.mid.map(|mid| mid.to_f64()),
            moves_bp: moves.map(|(name, bp)| (name, (*bp).into())).collect(),
            integrity: integrity(moment.integrity),
        }
    }
}

impl OutcomeRow {
    fn new(outcome: &Spread) -> Self {
        let of = |value: f64| (outcome.known > 0).then_some(value);
        let [min, p10, p25, median, p75, p90, max] = outcome.quantiles.map(of);
        Self {
            after: after(outcome),
            known: outcome.known,
            unknown: outcome.unknown,
            mean_bp: of(outcome.mean),
            min_bp: min,
            p10_bp: p10,
            p25_bp: p25,
            median_bp: median,
            p75_bp: p75,
            p90_bp: p90,
            max_bp: max,
            up: of(outcome.up),
            down: of(outcome.down),
        }
    }
}
