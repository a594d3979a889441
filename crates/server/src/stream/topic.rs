//! One thing a client follows, and what of it the client has seen.

use node::market::{MarketView, SymbolView};
use serde::Serialize;

use crate::http::sort_by_move;
use crate::json::market::{BarRow, BookRow, FeedRow, SignalRow, SymbolRow, VwapRow};
use crate::json::wider::MeasureRow;

/// Rows of the movers' topic.
const MOVERS_LIMIT: usize = 1_000;

/// What can be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// All symbols, largest move first.
    Movers,
    /// The feed and its lines.
    Feed,
    /// Every signal.
    Signals,
    /// One book.
    Book(String),
    /// Closed bars of one symbol.
    Bars(String),
    /// The sliding VWAP of one symbol.
    Vwap(String),
    /// The sliding measures of one symbol.
    Measure(String),
}

impl Topic {
    /// Reads `movers` or `book:AAPL`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name.split_once(':') {
            None => match name {
                "movers" => Some(Self::Movers),
                "feed" => Some(Self::Feed),
                "signals" => Some(Self::Signals),
                _ => None,
            },
            Some((_, "")) => None,
            Some((kind, symbol)) => {
                let symbol = symbol.to_owned();
                match kind {
                    "book" => Some(Self::Book(symbol)),
                    "bars" => Some(Self::Bars(symbol)),
                    "vwap" => Some(Self::Vwap(symbol)),
                    "measure" => Some(Self::Measure(symbol)),
                    _ => None,
                }
            }
        }
    }

    /// The symbol it is about, to be written as the venue writes it.
    pub fn symbol_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Movers | Self::Feed | Self::Signals => None,
            Self::Book(symbol)
            | Self::Bars(symbol)
            | Self::Vwap(symbol)
            | Self::Measure(symbol) => Some(symbol),
        }
    }
}

/// What a client is sent: rows copied from the view, made text after its lock is gone.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Frame {
    /// All symbols.
    Movers {
        /// Largest move first.
        symbols: Vec<SymbolRow>,
    },
    /// The feed.
    Feed(Box<FeedRow>),
    /// One signal.
    Signal(SignalRow),
    /// One book.
    Book(BookRow),
    /// One window.
    Vwap(VwapRow),
    /// One window's measures.
    Measure(Box<MeasureRow>),
    /// One closed bar.
    Bar {
        /// Whose.
        symbol: String,
        /// The bar.
        bar: BarRow,
    },
}

/// A topic that a client follows.
pub struct Subscription {
    /// As the client wrote it.
    pub name: String,
    topic: Topic,
    /// Version, signal number or end of the newest bar that the client has.
    seen: u64,
    conflated: u64,
}

impl Subscription {
    /// Follows `topic` from now on: current state at the first tick, history over HTTP.
    pub fn new(name: &str, topic: Topic, view: &MarketView) -> Self {
        let newest_bar = |symbol: &str| {
            let bars = view.symbol(symbol).map(|s| s.bars.values());
            bars.into_iter()
                .flatten()
                .filter_map(|b| b.back())
                .map(|b| b.end_ns)
                .max()
        };
        let seen = match &topic {
            Topic::Signals => view.signal_count(),
            Topic::Bars(symbol) => newest_bar(symbol).unwrap_or(0),
            _ => 0,
        };
        Self {
            name: name.to_owned(),
            topic,
            seen,
            conflated: 0,
        }
    }

    /// States that newer ones replaced since the last call.
    pub fn take_conflated(&mut self) -> u64 {
        std::mem::take(&mut self.conflated)
    }

    /// Whether this is the feed's state.
    pub fn is_feed(&self) -> bool {
        self.topic == Topic::Feed
    }

    /// The feed's state, whether or not it changed.
    pub fn again(&self, view: &MarketView) -> Frame {
        feed(view)
    }

    /// What the client has not seen.
    pub fn news(&mut self, view: &MarketView) -> Vec<Frame> {
        match self.topic.clone() {
            Topic::Movers => self.once(view.version(), || movers(view)),
            Topic::Feed => self.once(view.version(), || feed(view)),
            Topic::Signals => self.signals(view),
            Topic::Book(symbol) => self.book(view, &symbol),
            Topic::Vwap(symbol) => self.vwap(view, &symbol),
            Topic::Bars(symbol) => self.bars(view, &symbol),
            Topic::Measure(symbol) => self.measure(view, &symbol),
        }
    }

    fn once(&mut self, version: u64, frame: impl FnOnce() -> Frame) -> Vec<Frame> {
        if version == self.seen {
            return Vec::new();
        }
        if self.seen > 0 {
            self.conflated += version - self.seen - 1;
        }
        self.seen = version;
        vec![frame()]
    }

    fn book(&mut self, view: &MarketView, symbol: &str) -> Vec<Frame> {
        let Some(found) = view.symbol(symbol).filter(|s| s.version != self.seen) else {
            return Vec::new();
        };
        self.seen = found.version;
        let book = found
            .book
            .map(|book| BookRow::new(found, &book, usize::MAX));
        book.map(Frame::Book).into_iter().collect()
    }

    /// The newest window that ended since; older ones of these are counted, not sent.
    fn vwap(&mut self, view: &MarketView, symbol: &str) -> Vec<Frame> {
        let Some(found) = view.symbol(symbol) else {
            return Vec::new();
        };
        let seen = self.seen;
        let mut unseen = found.vwaps.iter().rev().take_while(|v| v.end_ns > seen);
        let Some(newest) = unseen.next() else {
            return Vec::new();
        };
        if seen > 0 {
            self.conflated += unseen.count() as u64;
        }
        self.seen = newest.end_ns;
        vec![Frame::Vwap(VwapRow::new(found, newest))]
    }

    /// As with the VWAP: the newest, and how many it replaced.
    fn measure(&mut self, view: &MarketView, symbol: &str) -> Vec<Frame> {
        let Some(found) = view.symbol(symbol) else {
            return Vec::new();
        };
        let seen = self.seen;
        let kept = &found.wider.measures;
        let mut unseen = kept.iter().rev().take_while(|m| m.end_ns > seen);
        let Some(newest) = unseen.next() else {
            return Vec::new();
        };
        if seen > 0 {
            self.conflated += unseen.count() as u64;
        }
        self.seen = newest.end_ns;
        vec![Frame::Measure(Box::new(MeasureRow::new(found, newest)))]
    }

    fn signals(&mut self, view: &MarketView) -> Vec<Frame> {
        let from = std::mem::replace(&mut self.seen, view.signal_count());
        let symbol = |idx: usize| view.symbols()[idx].symbol.as_str();
        view.signals_from(from)
            .map(|logged| {
                let row = SignalRow::new(symbol(logged.symbol_idx), &logged.signal);
                Frame::Signal(row)
            })
            .collect()
    }

    /// Bars of every span that closed since, oldest first: none is skipped.
    fn bars(&mut self, view: &MarketView, symbol: &str) -> Vec<Frame> {
        let Some(found) = view.symbol(symbol) else {
            return Vec::new();
        };
        let seen = self.seen;
        let mut closed: Vec<_> = found
            .bars
            .values()
            .flat_map(|bars| bars.iter().rev().take_while(|bar| bar.end_ns > seen))
            .collect();
        closed.sort_by_key(|bar| (bar.end_ns, bar.start_ns));
        self.seen = closed.last().map_or(seen, |bar| bar.end_ns);
        let row = |bar| Frame::Bar {
            symbol: found.symbol.clone(),
            bar: BarRow::new(&found.instrument, bar),
        };
        closed.into_iter().map(row).collect()
    }
}

fn movers(view: &MarketView) -> Frame {
    let mut rows: Vec<&SymbolView> = view.symbols().iter().collect();
    sort_by_move(&mut rows);
    rows.truncate(MOVERS_LIMIT);
    Frame::Movers {
        symbols: rows.into_iter().map(SymbolRow::from).collect(),
    }
}

fn feed(view: &MarketView) -> Frame {
    Frame::Feed(Box::new(FeedRow::new(view)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_read() {
        assert_eq!(Topic::parse("movers"), Some(Topic::Movers));
        assert_eq!(
            Topic::parse("book:BRK.B"),
            Some(Topic::Book("BRK.B".into()))
        );
        for bad in ["", "book", "book:", "depth:A", ":A", "movers:A"] {
            assert_eq!(Topic::parse(bad), None, "{bad}");
        }
    }
}
