//! One symbol as readers see it.

use std::collections::{BTreeMap, VecDeque};

use market::event::{Instrument, Price, Qty};
use market::publish::{Bar, BookTop, Integrity, MarketState, SymbolStatus, TradePrint, Vwap};

use super::wider::Wider;

/// Closed bars kept per symbol and span; the oldest leave first.
pub const BARS_LIMIT: usize = 3_600;
const VWAPS_LIMIT: usize = 3_000;

/// Newest state and bounded history of one symbol.
#[derive(Clone, Debug)]
pub struct SymbolView {
    /// Which lane publishes it.
    pub lane: usize,
    /// What its numbers mean.
    pub instrument: Instrument,
    /// The venue's text.
    pub symbol: String,
    /// The company, if known.
    pub name: Option<String>,
    /// Newest book.
    pub book: Option<BookTop>,
    /// Newest trading status: auction, limits, short-sale test.
    pub status: Option<SymbolStatus>,
    /// Newest market state, where a lane was asked for them.
    pub state: Option<MarketState>,
    /// Newest print.
    pub last: Option<TradePrint>,
    /// First print of the session.
    pub open: Option<Price>,
    /// When that was, ns UTC.
    pub open_at: Option<u64>,
    /// Sum of printed quantity this session.
    pub volume: Qty,
    /// How many prints this session.
    pub trades: u64,
    /// How many signals this session.
    pub signals: u64,
    /// Closed bars by span in ns, oldest first.
    pub bars: BTreeMap<u64, VecDeque<Bar>>,
    /// Volume of the bars of the shortest span that have left.
    forgotten: u64,
    /// Sliding VWAPs, oldest first.
    pub vwaps: VecDeque<Vwap>,
    /// Measures, activity bars and joined prints, where a lane was asked for them.
    pub wider: Wider,
    /// Grows with every change; a reader that saw this version has seen this state.
    pub version: u64,
}

impl SymbolView {
    pub(super) fn new(instrument: Instrument, name: Option<String>) -> Self {
        Self {
            lane: 0,
            symbol: instrument.symbol().to_owned(),
            instrument,
            name,
            book: None,
            status: None,
            state: None,
            last: None,
            open: None,
            open_at: None,
            volume: Qty(0),
            trades: 0,
            signals: 0,
            bars: BTreeMap::new(),
            forgotten: 0,
            vwaps: VecDeque::new(),
            wider: Wider::default(),
            version: 0,
        }
    }

    pub(super) fn print(&mut self, print: TradePrint) {
        if print.qty.0 == 0 {
            return;
        }
        self.open.get_or_insert(print.price);
        self.open_at.get_or_insert(print.stamp.ts_event);
        self.volume.0 = self.volume.0.saturating_add(print.qty.0);
        self.trades += 1;
        self.last = Some(print);
    }

    pub(super) fn bar(&mut self, bar: Bar) {
        let span = bar.end_ns - bar.start_ns;
        let left = push_bounded(self.bars.entry(span).or_default(), bar, BARS_LIMIT);
        if self.bars.keys().next() == Some(&span) {
            self.forgotten += left.map_or(0, |bar| bar.volume.0);
        }
    }

    pub(super) fn vwap(&mut self, vwap: Vwap) {
        push_bounded(&mut self.vwaps, vwap, VWAPS_LIMIT);
    }

    /// The worst of what the newest book and print say.
    #[must_use]
    pub fn integrity(&self) -> Integrity {
        let book = self.book.map(|b| b.integrity);
        book.or(self.last.map(|t| t.integrity)).unwrap_or_default()
    }

    /// Newest event time of book or print, ns UTC.
    #[must_use]
    pub fn ts_event(&self) -> Option<u64> {
        let book = self.book.map(|b| b.stamp.ts_event);
        // A symbol that was only named has a book without an event.
        book.max(self.last.map(|t| t.stamp.ts_event))
            .filter(|at| *at > 0)
    }

    /// Change of the newest print from the session's first, in basis points.
    #[must_use]
    pub fn change_bp(&self) -> Option<f64> {
        change_bp(self.open?, self.last?.price)
    }

    /// The last price known at `as_of`: the close of the newest bar that had ended by then, of the
    /// shortest span there is. `None`: nothing had traded, or history no longer reaches back.
    #[must_use]
    pub fn price_at(&self, as_of: u64) -> Option<(Price, u64)> {
        let bar = self.bar_at(as_of)?;
        Some((bar.close, bar.end_ns))
    }

    /// The newest bar that had ended by `as_of`, of the shortest span that reaches back so far.
    #[must_use]
    pub fn bar_at(&self, as_of: u64) -> Option<&Bar> {
        self.bars.values().find_map(|bars| {
            let ended = bars.partition_point(|bar| bar.end_ns <= as_of);
            bars.get(ended.checked_sub(1)?)
        })
    }

    /// Volume printed by `as_of`, from closed bars.
    #[must_use]
    pub fn volume_at(&self, as_of: u64) -> u64 {
        let Some(bars) = self.bars.values().next() else {
            return 0;
        };
        let ended = bars.iter().take_while(|bar| bar.end_ns <= as_of);
        self.forgotten + ended.map(|bar| bar.volume.0).sum::<u64>()
    }
}

/// `to` against `from` in basis points; `None` when `from` is not positive.
pub(crate) fn change_bp(from: Price, to: Price) -> Option<f64> {
    (from.0 > 0).then(|| (to.0 - from.0) as f64 / from.0 as f64 * 10_000.0)
}

/// The oldest item, if it had to leave. Room grows by an eighth and never beyond the limit: there
/// are thousands of histories, and doubled they would hold twice what they show.
pub(super) fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, limit: usize) -> Option<T> {
    let len = queue.len();
    if len == queue.capacity() && len < limit {
        queue.reserve_exact((len / 8).max(4).min(limit - len));
    }
    let left = if queue.len() == limit {
        queue.pop_front()
    } else {
        None
    };
    queue.push_back(item);
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::event::InstrumentId;

    #[test]
    fn a_history_holds_what_it_shows_and_hardly_more() {
        let mut queue = VecDeque::new();
        for n in 0..10_000 {
            let left = push_bounded(&mut queue, n, 3_600);
            assert_eq!(left, (n >= 3_600).then(|| n - 3_600));
            assert!(queue.capacity() <= (queue.len() + queue.len() / 8 + 4).min(3_600));
        }
        assert_eq!((queue.len(), queue.front()), (3_600, Some(&6_400)));
    }

    fn bar(start_s: u64, close: i64) -> Bar {
        let price = Price(close);
        Bar {
            instrument: InstrumentId(0),
            start_ns: start_s * 1_000_000_000,
            end_ns: (start_s + 1) * 1_000_000_000,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty(10),
            notional: price.times(Qty(10)),
            trades: 1,
            integrity: Integrity::Ok,
        }
    }

    #[test]
    fn what_left_is_still_counted_and_longer_bars_reach_further_back() {
        let mut view = SymbolView::new(Instrument::new(InstrumentId(0), "AAPL", 0, 2), None);
        let minute = Bar {
            end_ns: 60_000_000_000,
            ..bar(0, 7)
        };
        view.bar(minute);
        let seconds = BARS_LIMIT as u64 + 100;
        (0..seconds).for_each(|s| view.bar(bar(s, 100)));
        assert_eq!(view.price_at(61_000_000_000).map(|p| p.0.0), Some(7));
        assert_eq!(view.volume_at(u64::MAX), 10 * seconds);
    }

    #[test]
    fn price_at_never_looks_into_an_open_bar() {
        let mut view = SymbolView::new(Instrument::new(InstrumentId(0), "AAPL", 0, 2), None);
        assert_eq!(view.price_at(u64::MAX), None);
        view.bar(bar(10, 100));
        view.bar(bar(12, 120));
        let at = |s: f64| view.price_at((s * 1e9) as u64).map(|p| p.0.0);
        assert_eq!(at(10.9), None);
        assert_eq!(at(11.0), Some(100));
        assert_eq!(at(12.9), Some(100));
        assert_eq!(at(13.0), Some(120));
        assert_eq!(view.volume_at(13_000_000_000), 20);
    }
}
