//! What one step adds to the window.

use super::super::wide::Wide;
use crate::publish::{Integrity, Quote};

/// Sums that a window gains and loses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub notional: i128,
    /// Of the prints' prices, less the instrument's first.
    pub deviations: i128,
    pub squares: Wide,
    /// The last price times the ns for which it was in force, and those ns.
    pub last_time: i128,
    pub last_ns: u64,
    /// The same of the spread of two-sided quotes.
    pub spread_time: i128,
    pub spread_ns: u64,
    /// Squared return of the step, in 1e-18.
    pub returns: u128,
    pub volume: u64,
    pub bought: u64,
    pub sold: u64,
    pub flow: i64,
    pub trades: u32,
    pub quotes: u32,
}

impl Sums {
    pub(super) fn add(&mut self, other: &Self) {
        self.notional += other.notional;
        self.deviations += other.deviations;
        self.squares.add(other.squares);
        self.last_time += other.last_time;
        self.last_ns += other.last_ns;
        self.spread_time += other.spread_time;
        self.spread_ns += other.spread_ns;
        self.returns += other.returns;
        self.volume = self.volume.wrapping_add(other.volume);
        self.bought = self.bought.wrapping_add(other.bought);
        self.sold = self.sold.wrapping_add(other.sold);
        self.flow = self.flow.wrapping_add(other.flow);
        self.trades = self.trades.wrapping_add(other.trades);
        self.quotes = self.quotes.wrapping_add(other.quotes);
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        self.notional -= other.notional;
        self.deviations -= other.deviations;
        self.squares.subtract(other.squares);
        self.last_time -= other.last_time;
        self.last_ns -= other.last_ns;
        self.spread_time -= other.spread_time;
        self.spread_ns -= other.spread_ns;
        self.returns -= other.returns;
        self.volume = self.volume.wrapping_sub(other.volume);
        self.bought = self.bought.wrapping_sub(other.bought);
        self.sold = self.sold.wrapping_sub(other.sold);
        self.flow = self.flow.wrapping_sub(other.flow);
        self.trades = self.trades.wrapping_sub(other.trades);
        self.quotes = self.quotes.wrapping_sub(other.quotes);
    }
}

/// One step of one instrument.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pane {
    pub sums: Sums,
    /// Highest and lowest print.
    pub extremes: Option<(i64, i64)>,
    /// The last price set in this step; `None`: the one before goes on.
    pub last: Option<i64>,
    /// The last quote set in this step.
    pub quote: Option<Quote>,
    pub worst: Integrity,
}
