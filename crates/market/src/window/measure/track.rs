//! One instrument's window.

use super::super::Print;
use super::super::extreme::Highest;
use super::super::stain::Stains;
use super::super::wide::{Wide, variance};
use super::Shape;
use super::pane::{Pane, Sums};
use crate::event::{InstrumentId, Price, Qty, Side};
use crate::publish::{Integrity, Measure, Quote};

/// Returns above this many 1e-9 (a thousandfold) are taken as this: squares then always fit.
const RETURN_MAX: i128 = 1 << 40;
/// Binary digits of the exponential mean behind the price's last.
const EMA_BITS: u32 = 16;

/// What an instrument keeps beside its panes.
#[derive(Clone, Debug)]
pub(super) struct Track {
    sums: Sums,
    /// The first print's price: deviations are from it, so that squares stay small.
    base: Option<i64>,
    /// The newest price and quote, and up to where they are in the sums.
    last: Option<i64>,
    last_until_ns: u64,
    quote: Quote,
    quote_until_ns: u64,
    /// As of the last step that ended.
    last_closed: Option<i64>,
    quote_closed: Quote,
    ema: Option<i128>,
    highs: Highest,
    /// Of negated prices.
    lows: Highest,
    newest_step: u64,
    /// The step before which everything is in the exponential mean.
    ema_step: u64,
    stains: Stains,
}

impl Track {
    pub(super) fn new(steps: u64) -> Self {
        Self {
            sums: Sums::default(),
            base: None,
            last: None,
            last_until_ns: 0,
            quote: Quote::default(),
            quote_until_ns: 0,
            last_closed: None,
            quote_closed: Quote::default(),
            ema: None,
            highs: Highest::new(steps),
            lows: Highest::new(steps),
            newest_step: 0,
            ema_step: 0,
            stains: Stains::default(),
        }
    }

    pub(super) fn clear(&mut self) {
        let none = Highest::new(0);
        let (highs, lows) = (
            std::mem::replace(&mut self.highs, none.clone()),
            std::mem::replace(&mut self.lows, none),
        );
        *self = Self {
            highs,
            lows,
            ..Self::new(0)
        };
        self.highs.clear();
        self.lows.clear();
    }

    #[inline]
    pub(super) fn is_quote(&self, quote: &Quote) -> bool {
        (self.quote.bid, self.quote.ask) == (quote.bid, quote.ask)
    }

    pub(super) fn stain(&mut self, step: u64, integrity: Integrity) {
        self.stains.add(step, integrity);
    }

    /// Whether the window after `step` holds no event: nothing it says can change any more.
    pub(super) fn is_quiet(&self, shape: &Shape, step: u64) -> bool {
        self.newest_step + shape.steps <= step
    }

    /// After a window without an event, or at first. Every pane is as the silence left it.
    pub(super) fn wake(&mut self, shape: &Shape, panes: &mut [Pane], done_step: u64) {
        let mut silent = Pane::default();
        let start_ns = shape.start_ns(done_step);
        if let Some(last) = self.last {
            silent.sums.last_ns = shape.step_ns;
            silent.sums.last_time = i128::from(last) * i128::from(shape.step_ns);
        }
        if let Some(spread) = self.quote.spread() {
            silent.sums.spread_ns = shape.step_ns;
            silent.sums.spread_time = i128::from(spread.0) * i128::from(shape.step_ns);
        }
        panes.fill(Pane::default());
        self.sums = Sums::default();
        for step in done_step.saturating_sub(shape.steps)..done_step {
            panes[shape.row(step)] = silent;
            self.sums.add(&silent.sums);
        }
        (self.last_until_ns, self.quote_until_ns) = (start_ns, start_ns);
        self.highs.clear();
        self.lows.clear();
        self.catch_up(shape, done_step);
    }

    pub(super) fn print(
        &mut self,
        shape: &Shape,
        panes: &mut [Pane],
        step: u64,
        print: &Print,
        taker: Option<Side>,
        integrity: Integrity,
    ) {
        let price = print.price.0;
        let deviation = i128::from(price) - i128::from(*self.base.get_or_insert(price));
        let pane = &mut panes[shape.row(step)];
        let sums = &mut pane.sums;
        sums.notional += print.price.times(print.qty);
        sums.deviations += deviation;
        sums.squares.add(Wide::square(deviation.unsigned_abs()));
        sums.volume = sums.volume.wrapping_add(print.qty.0);
        sums.trades = sums.trades.wrapping_add(1);
        match taker {
            Some(Side::Bid) => sums.bought = sums.bought.wrapping_add(print.qty.0),
            Some(Side::Ask) => sums.sold = sums.sold.wrapping_add(print.qty.0),
            None => {}
        }
        let (high, low) = pane.extremes.unwrap_or((price, price));
        pane.extremes = Some((high.max(price), low.min(price)));
        pane.worst = pane.worst.max(integrity);
        self.newest_step = self.newest_step.max(step);
        let from_ns = print.ts_event.max(self.last_until_ns);
        self.hold_last(shape, panes, from_ns);
        self.last = Some(price);
        panes[shape.row(from_ns / shape.step_ns)].last = Some(price);
    }

    pub(super) fn take_quote(
        &mut self,
        shape: &Shape,
        panes: &mut [Pane],
        step: u64,
        quote: &Quote,
        integrity: Integrity,
    ) {
        let from_ns = quote.since_ns.max(self.quote_until_ns);
        self.hold_quote(shape, panes, from_ns);
        let flow = flow(&self.quote, quote);
        self.quote = Quote {
            since_ns: from_ns,
            ..*quote
        };
        self.newest_step = self.newest_step.max(step);
        let pane = &mut panes[shape.row(from_ns / shape.step_ns)];
        pane.sums.quotes = pane.sums.quotes.wrapping_add(1);
        pane.sums.flow = pane.sums.flow.wrapping_add(flow);
        pane.quote = Some(self.quote);
        pane.worst = pane.worst.max(integrity);
    }

    /// Closes `step` and says what the window holds.
    pub(super) fn end_step(
        &mut self,
        shape: &Shape,
        panes: &mut [Pane],
        id: InstrumentId,
        step: u64,
    ) -> Measure {
        let end_ns = shape.end_ns(step);
        self.hold_last(shape, panes, end_ns);
        self.hold_quote(shape, panes, end_ns);
        let left = step.checked_sub(shape.steps).map(|left| shape.row(left));
        let gone = left.map_or_else(Sums::default, |row| std::mem::take(&mut panes[row]).sums);
        let pane = &mut panes[shape.row(step)];
        let closed = pane.last.or(self.last_closed);
        pane.sums.returns = squared_return(self.last_closed, closed);
        self.last_closed = closed;
        self.quote_closed = pane.quote.unwrap_or(self.quote_closed);
        if let Some((high, low)) = pane.extremes {
            self.highs.push(step, high);
            self.lows.push(step, low.saturating_neg());
        }
        self.stains.add(step, pane.worst);
        self.sums.add(&pane.sums);
        self.sums.subtract(&gone);
        self.catch_up(shape, step + 1);
        self.measure(shape, id, step)
    }

    fn measure(&mut self, shape: &Shape, id: InstrumentId, step: u64) -> Measure {
        let from_step = (step + 1).saturating_sub(shape.steps);
        let sums = &self.sums;
        let price = |value: i128| i64::try_from(value).ok().map(Price);
        let mean = |sum: i128, count: u64| price(sum.checked_div(i128::from(count))?);
        let spread = (sums.trades > 0).then(|| {
            let variance = variance(sums.trades, sums.deviations, sums.squares);
            Price(i64::try_from(variance.isqrt()).unwrap_or(i64::MAX))
        });
        let highs = self.highs.since(from_step);
        let lows = self.lows.since(from_step);
        Measure {
            instrument: id,
            end_ns: shape.end_ns(step),
            length_ns: shape.steps * shape.step_ns,
            quote: self.quote_closed,
            microprice: self.quote_closed.microprice(),
            spread_mean: mean(sums.spread_time, sums.spread_ns),
            last: self.last_closed.map(Price),
            twap: mean(sums.last_time, sums.last_ns),
            ema: self.ema.and_then(|ema| price(ema >> EMA_BITS)),
            extremes: highs
                .zip(lows)
                .map(|(high, low)| (Price(high), Price(low.saturating_neg()))),
            deviation: spread,
            volatility_e9: u64::try_from(sums.returns.isqrt()).unwrap_or(u64::MAX),
            volume: Qty(sums.volume),
            bought: Qty(sums.bought),
            sold: Qty(sums.sold),
            notional: sums.notional,
            trades: sums.trades,
            quotes: sums.quotes,
            flow: sums.flow,
            integrity: self.stains.worst(from_step),
        }
    }

    /// Takes the last price into the mean for each step before `to_step` that is not in it yet.
    /// Where the price stands still the mean soon does too, so a long silence is short work.
    fn catch_up(&mut self, shape: &Shape, to_step: u64) {
        let steps = to_step.saturating_sub(std::mem::replace(&mut self.ema_step, to_step));
        let Some(target) = self.last_closed.map(|last| i128::from(last) << EMA_BITS) else {
            return;
        };
        let Some(mut ema) = self.ema else {
            self.ema = Some(target);
            return;
        };
        for _ in 0..steps {
            let moved = (target - ema) * 2 / (i128::from(shape.ema_steps) + 1);
            if moved == 0 {
                break;
            }
            ema += moved;
        }
        self.ema = Some(ema);
    }

    /// Counts the last price in up to `to_ns`.
    fn hold_last(&mut self, shape: &Shape, panes: &mut [Pane], to_ns: u64) {
        let from_ns = self.last_until_ns;
        self.last_until_ns = from_ns.max(to_ns);
        if let Some(last) = self.last {
            hold(shape, from_ns, to_ns, |row, ns| {
                panes[row].sums.last_ns += ns;
                panes[row].sums.last_time += i128::from(last) * i128::from(ns);
            });
        }
    }

    /// Counts the spread in up to `to_ns`.
    fn hold_quote(&mut self, shape: &Shape, panes: &mut [Pane], to_ns: u64) {
        let from_ns = self.quote_until_ns;
        self.quote_until_ns = from_ns.max(to_ns);
        if let Some(spread) = self.quote.spread() {
            hold(shape, from_ns, to_ns, |row, ns| {
                panes[row].sums.spread_ns += ns;
                panes[row].sums.spread_time += i128::from(spread.0) * i128::from(ns);
            });
        }
    }
}

/// Cuts `[from_ns, to_ns)` at the ends of steps. It is never longer than the pending steps.
fn hold(shape: &Shape, mut from_ns: u64, to_ns: u64, mut add: impl FnMut(usize, u64)) {
    while from_ns < to_ns {
        let step = from_ns / shape.step_ns;
        let end_ns = shape.end_ns(step).min(to_ns);
        add(shape.row(step), end_ns - from_ns);
        from_ns = end_ns;
    }
}

/// Square of `(to - from) / from` in 1e-9; 0 without a price above zero to start from.
pub(super) fn squared_return(from: Option<i64>, to: Option<i64>) -> u128 {
    let (Some(from), Some(to)) = (from.filter(|from| *from > 0), to) else {
        return 0;
    };
    let moved = (i128::from(to) - i128::from(from)) * 1_000_000_000 / i128::from(from);
    let held = moved.clamp(-RETURN_MAX, RETURN_MAX).unsigned_abs();
    held * held
}

/// Order-flow imbalance of one change: what joined the bid and left the ask, less the opposite. An
/// empty side is a worse price without quantity.
pub(crate) fn flow(from: &Quote, to: &Quote) -> i64 {
    let bid = |side: Option<(Price, Qty)>| side.map(|(price, qty)| (price.0, qty.0 as i64));
    let ask = |side: Option<(Price, Qty)>| side.map(|(price, qty)| (!price.0, qty.0 as i64));
    let joined = joined(bid(from.bid), bid(to.bid));
    joined.wrapping_sub(self::joined(ask(from.ask), ask(to.ask)))
}

/// Of a side whose better prices are larger; `None` is worse than all.
fn joined(from: Option<(i64, i64)>, to: Option<(i64, i64)>) -> i64 {
    let better = |a: Option<(i64, i64)>, b: Option<(i64, i64)>| a.map(|a| a.0) >= b.map(|b| b.0);
    let qty = |side: Option<(i64, i64)>| side.map_or(0, |(_, qty)| qty);
    let came = if better(to, from) { qty(to) } else { 0 };
    let went = if better(from, to) { qty(from) } else { 0 };
    came.wrapping_sub(went)
}
