//! One instrument's means.

use super::super::measure::order_flow;
use super::Depths;
use crate::event::{InstrumentId, Qty, Side};
use crate::publish::{Integrity, MarketState, Quote, STATE_FRACTION_BITS, STATE_SHIFTS};

/// Quantities a step above this are taken as this: means then always fit.
const QTY_MAX: i64 = 1 << 45;
/// The same for a return, 1e-9: squares then fit.
const RETURN_MAX: i64 = 1 << 30;

/// What an instrument keeps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Track {
    /// The step of the newest event.
    pub(super) newest_step: u64,
    quote: Quote,
    open: Open,
    mid: Option<i64>,
    book: Option<Book>,
    taken: [i64; 3],
    volume: [i64; 3],
    trades: [i64; 3],
    quotes: [i64; 3],
    returns: [i64; 3],
    flow: [i64; 2],
    depths: Depths,
}

/// What came in the step that is open.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    bought: u64,
    sold: u64,
    volume: u64,
    trades: u32,
    quotes: u32,
    flow: i64,
    worst: Integrity,
}

/// Known once both sides have been there.
#[derive(Clone, Copy, Debug, Default)]
struct Book {
    spread: i64,
    spread_mean: i64,
    micro: i64,
    micro_means: [i64; 3],
    depth_mean: i64,
}

impl Track {
    #[inline]
    pub(super) fn is_quote(&self, quote: &Quote) -> bool {
        (self.quote.bid, self.quote.ask) == (quote.bid, quote.ask)
    }

    pub(super) fn stain(&mut self, integrity: Integrity) {
        self.open.worst = self.open.worst.max(integrity);
    }

    #[inline]
    pub(super) fn print(&mut self, qty: Qty, taker: Option<Side>, integrity: Integrity) {
        let open = &mut self.open;
        open.volume = open.volume.saturating_add(qty.0);
        open.trades = open.trades.saturating_add(1);
        match taker {
            Some(Side::Bid) => open.bought = open.bought.saturating_add(qty.0),
            Some(Side::Ask) => open.sold = open.sold.saturating_add(qty.0),
            None => {}
        }
        open.worst = open.worst.max(integrity);
    }

    #[inline]
    pub(super) fn quote(&mut self, quote: &Quote, integrity: Integrity) {
        let open = &mut self.open;
        open.flow = open.flow.saturating_add(order_flow(&self.quote, quote));
        open.quotes = open.quotes.saturating_add(1);
        open.worst = open.worst.max(integrity);
        self.quote = *quote;
    }

    /// After a silence that outlasts every mean; what still holds is the quote.
    pub(super) fn forget(&mut self) {
        *self = Self {
            quote: self.quote,
            ..Self::default()
        };
    }

    /// Takes the open step into the means.
    pub(super) fn close(&mut self, depths: Depths) {
        self.depths = depths;
        let open = &self.open;
        let units = |qty: u64| i64::try_from(qty).unwrap_or(QTY_MAX).min(QTY_MAX);
        let taken = units(open.bought) - units(open.sold);
        let flow = open.flow.clamp(-QTY_MAX, QTY_MAX);
        step_means(&mut self.taken, scaled(taken));
        step_means(&mut self.volume, scaled(units(open.volume)));
        step_means(&mut self.trades, scaled(i64::from(open.trades)));
        step_means(&mut self.quotes, scaled(i64::from(open.quotes)));
        step_means(&mut self.flow, scaled(flow));
        let mid = self.quote.mid().map(|mid| mid.0);
        let moved = self.mid.zip(mid).map_or(0, |(from, to)| squared(from, to));
        step_means(&mut self.returns, moved);
        self.mid = mid.or(self.mid);
        self.close_book();
    }

    fn close_book(&mut self) {
        let touch = self.quote.spread().zip(self.quote.microprice());
        let Some((spread, micro)) = touch else {
            return;
        };
        let [bid, ask] = self.depths[3];
        let depth = i64::try_from(bid.saturating_add(ask)).unwrap_or(i64::MAX);
        let depth = depth.min(QTY_MAX);
        let book = self.book.get_or_insert(Book {
            spread: spread.0,
            spread_mean: spread.0,
            micro: micro.0,
            micro_means: [micro.0; 3],
            depth_mean: scaled(depth),
        });
        (book.spread, book.micro) = (spread.0, micro.0);
        step_means(&mut book.micro_means, micro.0);
        step_mean(&mut book.spread_mean, spread.0, STATE_SHIFTS[2]);
        step_mean(&mut book.depth_mean, scaled(depth), STATE_SHIFTS[2]);
    }

    pub(super) fn open(&mut self) {
        self.open = Open::default();
    }

    /// What the step that was closed says.
    pub(super) fn state(
        &self,
        instrument: InstrumentId,
        end_ns: u64,
        known_ns: u64,
    ) -> MarketState {
        let book = self.book.unwrap_or_default();
        MarketState {
            instrument,
            end_ns,
            known_ns,
            mid: self.quote.mid(),
            spread: book.spread,
            spread_mean: book.spread_mean,
            micro: book.micro,
            micro_means: book.micro_means,
            depths: self.depths,
            depth_mean: (book.depth_mean >> STATE_FRACTION_BITS).unsigned_abs(),
            taken_means: self.taken,
            volume_means: self.volume,
            trade_means: self.trades,
            quote_means: self.quotes,
            return_means: self.returns,
            flow_means: self.flow,
            volume: Qty(self.open.volume),
            integrity: self.open.worst,
        }
    }
}

fn scaled(value: i64) -> i64 {
    value << STATE_FRACTION_BITS
}

fn step_means<const N: usize>(means: &mut [i64; N], value: i64) {
    for (mean, shift) in means.iter_mut().zip(STATE_SHIFTS) {
        step_mean(mean, value, shift);
    }
}

/// Differences of prices may not fit, and then nothing sensible can be said of them.
#[inline]
fn step_mean(mean: &mut i64, value: i64, shift: u32) {
    *mean += value.saturating_sub(*mean) >> shift;
}

/// The squared return, 1e-18.
fn squared(from: i64, to: i64) -> i64 {
    if from <= 0 {
        return 0;
    }
    let moved = (i128::from(to) - i128::from(from)) * 1_000_000_000 / i128::from(from);
    let moved = i64::try_from(moved).unwrap_or(RETURN_MAX);
    let moved = moved.clamp(-RETURN_MAX, RETURN_MAX);
    moved * moved
}
