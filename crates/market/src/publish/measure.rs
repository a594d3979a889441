//! Records of the wider windows: measures, activity bars, joined prints.

use super::{Bar, Integrity, TradePrint};
use crate::event::{InstrumentId, Notional, Price, Qty, Side};

/// What ends a bar that is not a fixed span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BarRule {
    /// So many prints.
    Ticks(u32),
    /// So much quantity, in the instrument's units; the print that reaches it is the last.
    Volume(Qty),
    /// So much price times quantity, in units of 1e-9 currency times the instrument's units.
    Notional(Notional),
    /// No print for so long, ns of event time: a bar a burst of trading.
    Session(u64),
}

/// A bar closed by activity. Its span runs from its first print to right after its last one, or
/// for a session to the end of the silence that closed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActivityBar {
    /// What closed it.
    pub rule: BarRule,
    /// What it holds.
    pub bar: Bar,
}

/// The best bid and ask in force, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Quote {
    /// Event time from which it holds, ns UTC.
    pub since_ns: u64,
    /// Best bid and what it shows; `None`: that side is empty.
    pub bid: Option<(Price, Qty)>,
    /// Best ask and what it shows.
    pub ask: Option<(Price, Qty)>,
}

/// Statistics of one instrument over `[end_ns - length_ns, end_ns)`, event time.
///
/// All sums are exact integers; a quotient is rounded towards zero. Of the quotes and of the last
/// price, time in force is counted, not the number of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Exclusive end of the window, a multiple of the step, ns UTC.
    pub end_ns: u64,
    /// Length of the window, ns.
    pub length_ns: u64,
    /// The quote in force at the end.
    pub quote: Quote,
    /// `(bid * ask_qty + ask * bid_qty) / (bid_qty + ask_qty)`; `None` without both sides.
    pub microprice: Option<Price>,
    /// Ask less bid, weighted by time in force; `None` when no two-sided quote was in force.
    pub spread_mean: Option<Price>,
    /// The last print's price at the end, from before the window too.
    pub last: Option<Price>,
    /// The last price weighted by time in force; `None` before the first print.
    pub twap: Option<Price>,
    /// Exponential mean of the last price at the ends of steps; `None` before the first print.
    pub ema: Option<Price>,
    /// Highest and lowest print; `None` without one in the window.
    pub extremes: Option<(Price, Price)>,
    /// Standard deviation of the prints' prices, each counted once; `None` without a print.
    pub deviation: Option<Price>,
    /// Square root of the sum of squared returns from step to step, in 1e-9.
    pub volatility_e9: u64,
    /// Sum of quantities.
    pub volume: Qty,
    /// Of `volume`, what buyers took.
    pub bought: Qty,
    /// Of `volume`, what sellers took. The rest has no known side.
    pub sold: Qty,
    /// Sum of price times quantity.
    pub notional: Notional,
    /// How many prints.
    pub trades: u32,
    /// How many changes of the best bid or ask.
    pub quotes: u32,
    /// Order-flow imbalance: what joined the best bid and left the best ask, less the opposite, in
    /// quantity (Cont, Kukanov and Stoikov, The price impact of order book events, 2014, (2)).
    pub flow: i64,
    /// The worst integrity in the window.
    pub integrity: Integrity,
}

impl Quote {
    /// Ask less bid; `None` without both sides. Negative when crossed.
    #[must_use]
    pub fn spread(&self) -> Option<Price> {
        let ((bid, _), (ask, _)) = self.bid.zip(self.ask)?;
        Some(Price(ask.0.saturating_sub(bid.0)))
    }

    /// Middle of bid and ask, rounded down; `None` without both sides.
    #[must_use]
    pub fn mid(&self) -> Option<Price> {
        let ((bid, _), (ask, _)) = self.bid.zip(self.ask)?;
        Some(Price(((i128::from(bid.0) + i128::from(ask.0)) >> 1) as i64))
    }

    /// Each side's price weighted by the other side's quantity; `None` without both sides.
    #[must_use]
    pub fn microprice(&self) -> Option<Price> {
        let ((bid, bid_qty), (ask, ask_qty)) = self.bid.zip(self.ask)?;
        let total = i128::from(bid_qty.0) + i128::from(ask_qty.0);
        // bid + (ask - bid) * bid_qty / total, which cannot overflow.
        let ahead = (i128::from(ask.0) - i128::from(bid.0)) * i128::from(bid_qty.0);
        let price = i128::from(bid.0) + ahead.checked_div(total)?;
        i64::try_from(price).ok().map(Price)
    }
}

impl Measure {
    /// `notional / volume` rounded towards zero; `None` when nothing traded in the window.
    #[must_use]
    pub fn vwap(&self) -> Option<Price> {
        let price = self.notional.checked_div(i128::from(self.volume.0))?;
        i64::try_from(price).ok().map(Price)
    }
}

/// How the side that started a trade is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignRule {
    /// The venue says so.
    Venue,
    /// Above or below the middle of the quote in force (Lee and Ready, 1991).
    Quote,
    /// At the middle, or without a quote: above or below the last different price.
    Tick,
}

/// A print with what was in force at its event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinedPrint {
    /// The print.
    pub print: TradePrint,
    /// The newest quote not after the print and set by an earlier message; `None`: there is none
    /// within the tolerance.
    pub quote: Option<Quote>,
    /// Who took liquidity, and how that is known; `None`: nothing says.
    pub sign: Option<(Side, SignRule)>,
    /// The row of reference data in force.
    pub reference: Option<crate::reference::Row>,
}
