//! The seam to the market: what is known about prices as of an instant, in a person's units.
//!
//! Prices are `f64` here because this is the edge where people read them; exact integers stay in
//! `market`.

pub mod moves;
pub mod sentence;

use std::sync::Arc;

pub use moves::{Move, Pace};

use crate::query::Names;

/// The market as of an instant. Every method with `as_of` answers only from what had been
/// received by then; `None` is now.
pub trait Facts: Send + Sync {
    /// What is known of one symbol; `None` when the symbol is unknown or had no data by then.
    fn as_of_facts(&self, symbol: &str, as_of: Option<u64>) -> Option<SymbolFacts>;

    /// The `n` symbols that moved most, most striking first: recent jumps before slow drifts.
    fn movers(&self, as_of: Option<u64>, n: usize) -> Vec<Mover>;

    /// All symbols with their companies' names, for recognising them in questions.
    fn symbols(&self) -> Vec<SymbolName>;

    /// The symbols in a form in which they are found quickly. Costs as much as building it, unless it is kept.
    fn names(&self) -> Arc<Names> {
        Arc::new(Names::new(&self.symbols()))
    }

    /// How far the feed has got; `None` when there is no feed.
    fn stream_head(&self) -> Option<StreamHead>;
}

/// What is known of one symbol as of an instant. Absent values were not known by then.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SymbolFacts {
    /// Venue symbol.
    pub symbol: String,
    /// Company name.
    pub name: Option<String>,
    /// Event time of the newest of these facts, ns UTC.
    pub at: u64,
    /// Last print.
    pub last: Option<f64>,
    /// The reference for the day's change: first print of the day, or the previous close.
    pub open: Option<f64>,
    /// When `open` held, ns UTC.
    pub open_at: Option<u64>,
    /// Shares traded since `open_at`.
    pub volume: Option<f64>,
    /// Volume-weighted average price, newest window.
    pub vwap: Option<f64>,
    /// Best bid.
    pub bid: Option<f64>,
    /// Best ask.
    pub ask: Option<f64>,
    /// `trading`, `halted`, `paused`, ...; empty when unknown.
    pub state: String,
    /// `ok`, `suspect`, `recovering`, `stale`: how far to trust the book.
    pub integrity: String,
    /// Bid equals ask.
    pub locked: bool,
    /// Bid above ask.
    pub crossed: bool,
    /// Jumps detected, in any order; recent ones suffice.
    pub jumps: Vec<Jump>,
    /// Halts, in any order.
    pub halts: Vec<Halt>,
}

impl SymbolFacts {
    /// The day's change in basis points; `None` without both prices.
    #[must_use]
    pub fn change_bp(&self) -> Option<f64> {
        change_bp(self.open?, self.last?)
    }

    /// Event time of the newest thing known; 0 when nothing is.
    #[must_use]
    pub fn newest_at(&self) -> u64 {
        let jumps = self.jumps.iter().map(|j| j.at);
        let halts = self.halts.iter().map(|h| h.at);
        jumps.chain(halts).max().unwrap_or(0).max(self.at)
    }
}

/// A price that moved fast.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Jump {
    /// When the threshold was crossed, ns UTC: the end of the span.
    pub at: u64,
    /// Over how long the price moved, ns; the move began at `at - span_ns`.
    pub span_ns: u64,
    /// Price at the beginning.
    pub from: f64,
    /// Price at the end.
    pub to: f64,
    /// Sequence number of the message that triggered it, 0 when unknown.
    pub seq: u64,
}

impl Jump {
    /// Signed size in basis points; 0 when `from` is not a price.
    #[must_use]
    pub fn bp(&self) -> f64 {
        change_bp(self.from, self.to).unwrap_or(0.0)
    }
}

/// Trading stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Halt {
    /// When, ns UTC.
    pub at: u64,
    /// When trading went on; `None` while it has not.
    pub resumed_at: Option<u64>,
    /// The venue's reason code, trimmed; may be empty.
    pub reason: String,
}

/// A symbol among those that moved most.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mover {
    /// Venue symbol.
    pub symbol: String,
    /// Signed size of the move that put it here, basis points.
    pub move_bp: f64,
    /// When that move ended, ns UTC.
    pub at: u64,
}

/// A symbol and its company.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SymbolName {
    /// Venue symbol.
    pub symbol: String,
    /// Company name, as people write it: `Apple Inc.`
    pub name: Option<String>,
}

/// How far a feed has got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamHead {
    /// Newest sequence number applied.
    pub seq: u64,
    /// Its event time, ns UTC.
    pub ts_event: u64,
    /// The worst integrity of any book: `ok`, `suspect`, `recovering`, `stale`.
    pub integrity: String,
    /// `joining`, `live`, `recovering`, `ended`.
    pub feed_state: String,
}

fn change_bp(from: f64, to: f64) -> Option<f64> {
    let bp = (to / from - 1.0) * 1e4;
    (from > 0.0 && bp.is_finite()).then_some(bp)
}
