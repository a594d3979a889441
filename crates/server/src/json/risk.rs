//! Risk verdicts and limits as people write and read them.

use market::event::{Price, Qty, Side};
use market::risk::{Action, Limits, Reason, Record};
use serde::{Deserialize, Serialize};

use super::Instant;
use crate::risk::{MONEY_SCALE, Names, QTY_SCALE};

/// `POST /v1/risk/check`, `/fill`, `/cancel`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderBody {
    /// Whose.
    pub account: String,
    /// Of what.
    pub symbol: String,
    /// Which way.
    pub side: SideWord,
    /// Its limit; of a check only.
    pub price: Option<f64>,
    /// How much.
    pub qty: f64,
}

/// A side in words.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SideWord {
    /// Buys.
    Buy,
    /// Sells.
    Sell,
}

impl From<SideWord> for Side {
    fn from(word: SideWord) -> Self {
        match word {
            SideWord::Buy => Self::Bid,
            SideWord::Sell => Self::Ask,
        }
    }
}

/// `POST /v1/risk/kill`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KillBody {
    /// Thrown or released.
    pub on: bool,
    /// Of one account; of all where absent.
    pub account: Option<String>,
}

/// `/v1/risk/limits`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsBody {
    collar_bp: u32,
    reference_age_ms: u64,
    qty_max: f64,
    notional_max: f64,
    rate_per_s: u32,
    burst: u32,
    position_max: f64,
    gross_max: f64,
}

impl From<&Limits> for LimitsBody {
    fn from(limits: &Limits) -> Self {
        Self {
            collar_bp: limits.collar_bp,
            reference_age_ms: limits.reference_age_ns / 1_000_000,
            qty_max: units(limits.qty_max.0),
            notional_max: money(limits.notional_max),
            rate_per_s: limits.rate_per_s,
            burst: limits.burst,
            position_max: units(limits.position_max.0),
            gross_max: money(limits.gross_max),
        }
    }
}

impl LimitsBody {
    /// The limits; `None` when a number is negative or too large.
    #[must_use]
    pub fn limits(&self) -> Option<Limits> {
        let money = |value: f64| Some(i128::from(qty_of(value)?.0) * 1_000_000_000);
        Some(Limits {
            collar_bp: self.collar_bp,
            reference_age_ns: self.reference_age_ms.checked_mul(1_000_000)?,
            qty_max: qty_of(self.qty_max)?,
            notional_max: money(self.notional_max)?,
            rate_per_s: self.rate_per_s,
            burst: self.burst,
            position_max: qty_of(self.position_max)?,
            gross_max: money(self.gross_max)?,
        })
    }
}

/// Whole units and the rest apart: a million in 1e-17 is no exact float, and is a million all the same.
fn money(value: i128) -> f64 {
    (value / MONEY_SCALE) as f64 + (value % MONEY_SCALE) as f64 / MONEY_SCALE as f64
}

/// A quantity in the gate's units; `None` when it is negative or too large.
#[must_use]
pub fn qty_of(units: f64) -> Option<Qty> {
    let scaled = (units * QTY_SCALE as f64).round();
    (0.0..1e19).contains(&scaled).then_some(Qty(scaled as u64))
}

/// A price; `None` when it does not fit.
#[must_use]
pub fn price_of(price: f64) -> Option<Price> {
    let scaled = (price * Price::SCALE as f64).round();
    (-9e18..9e18)
        .contains(&scaled)
        .then_some(Price(scaled as i64))
}

fn units(qty: u64) -> f64 {
    qty as f64 / QTY_SCALE as f64
}

/// One record, as it is answered and appended to the file.
#[derive(Clone, Debug, Serialize)]
pub struct RecordRow {
    seq: u64,
    at: Instant,
    kind: &'static str,
    /// Of a check: whether the order may be sent.
    accepted: Option<bool>,
    reason: Option<&'static str>,
    account: Option<String>,
    symbol: Option<String>,
    side: Option<&'static str>,
    price: Option<f64>,
    qty: Option<f64>,
    reference: Option<f64>,
    position: f64,
    gross: f64,
    digest: String,
}

impl RecordRow {
    /// A record with its names.
    #[must_use]
    pub fn new(record: &Record, names: &Names) -> Self {
        let (kind, accepted, reason, killed) = match record.action {
            Action::Checked(reason) => ("check", Some(reason.is_none()), reason, None),
            Action::Kill { on: true, account } => ("kill", None, None, account),
            Action::Kill { on: false, account } => ("release", None, None, account),
            Action::Limits => ("limits", None, None, None),
        };
        let order = record.order;
        let account = order.map(|order| order.account).or(killed);
        let named = |names: &[String], idx: u32| names.get(idx as usize).cloned();
        Self {
            seq: record.seq,
            at: Instant(record.at_ns),
            kind,
            accepted,
            reason: reason.map(reason_word),
            account: account.and_then(|account| named(&names.accounts, account.0)),
            symbol: order.and_then(|order| named(&names.instruments, order.instrument)),
            side: order.map(|order| match order.side {
                Side::Bid => "buy",
                Side::Ask => "sell",
            }),
            price: order.map(|order| order.price.to_f64()),
            qty: order.map(|order| units(order.qty.0)),
            reference: record.reference.map(Price::to_f64),
            position: record.position as f64 / QTY_SCALE as f64,
            gross: money(record.gross),
            digest: format!("{:016x}", record.digest),
        }
    }
}

/// The reason as records and metrics say it.
pub fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::Killed => "killed",
        Reason::Rate => "rate",
        Reason::Size => "size",
        Reason::NoReference => "no_reference",
        Reason::Collar => "collar",
        Reason::Notional => "notional",
        Reason::Position => "position",
        Reason::Gross => "gross",
        Reason::Tick => "tick",
        Reason::Lot => "lot",
    }
}
