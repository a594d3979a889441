//! One thing a client follows, and what of it the client has seen.

use std::sync::Arc;

use market::event::Instrument;
use market::feed::ouzel;
use market::publish::Frame as Published;
use node::Node;
use node::market::{MarketView, SymbolView};
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::sort_by_move;
use crate::json::evidence::{self, BundleRow};
use crate::json::market::{BarRow, BookRow, FeedRow, SignalRow, SymbolRow, TradeRow, VwapRow};
use crate::json::state::StateRow;
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
    /// Every bundle of evidence, of one symbol or of all.
    Evidence(Option<String>),
    /// One book.
    Book(String),
    /// Every print, of one symbol or of all.
    Trades(Option<String>),
    /// Closed bars, of one symbol or of all.
    Bars(Option<String>),
    /// The sliding VWAP of one symbol.
    Vwap(String),
    /// The sliding measures of one symbol.
    Measure(String),
    /// The market state of one symbol.
    State(String),
    /// Every alert, of one standing question or of all.
    Alerts(Option<String>),
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
                "trades" => Some(Self::Trades(None)),
                "bars" => Some(Self::Bars(None)),
                "evidence" => Some(Self::Evidence(None)),
                "alerts" => Some(Self::Alerts(None)),
                _ => None,
            },
            Some((_, "")) => None,
            Some((kind, symbol)) => {
                let symbol = symbol.to_owned();
                match kind {
                    "book" => Some(Self::Book(symbol)),
                    "trades" => Some(Self::Trades(Some(symbol))),
                    "bars" => Some(Self::Bars(Some(symbol))),
                    "vwap" => Some(Self::Vwap(symbol)),
                    "measure" => Some(Self::Measure(symbol)),
                    "state" => Some(Self::State(symbol)),
                    "evidence" => Some(Self::Evidence(Some(symbol))),
                    "alerts" => Some(Self::Alerts(Some(symbol))),
                    _ => None,
                }
            }
        }
    }

    /// The symbol it is about, to be written as the venue writes it.
    pub fn symbol_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Movers | Self::Feed | Self::Signals | Self::Alerts(_) => None,
            Self::Trades(symbol) | Self::Bars(symbol) | Self::Evidence(symbol) => symbol.as_mut(),
            Self::Book(symbol)
            | Self::Vwap(symbol)
            | Self::Measure(symbol)
            | Self::State(symbol) => Some(symbol),
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
    /// One book.
    Book(BookRow),
    /// One window.
    Vwap(VwapRow),
    /// One window's measures.
    Measure(Box<MeasureRow>),
    /// One symbol's market state.
    State(Box<StateRow>),
    /// What was found when a signal asked.
    Evidence(Box<BundleRow>),
    /// Something that the client follows and cannot have.
    Error {
        /// What.
        message: String,
        /// What to do next.
        hint: String,
    },
}

/// A topic that a client follows.
pub struct Subscription {
    /// As the client wrote it.
    pub name: String,
    /// What it is.
    pub topic: Topic,
    /// The version, or the end of the newest window, that the client has.
    seen: u64,
    conflated: u64,
}

impl Subscription {
    /// Follows `topic` from now on: current state at the first tick, history over HTTP.
    pub fn new(name: &str, topic: Topic, node: &Node) -> Self {
        let seen = match topic {
            Topic::Evidence(_) => node.bundles().last(),
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
            Topic::Book(symbol) => self.book(view, &symbol),
            Topic::Vwap(symbol) => self.vwap(view, &symbol),
            Topic::Measure(symbol) => self.measure(view, &symbol),
            Topic::State(symbol) => self.state(view, &symbol),
            // Numbered: they come from the history, or from the bundles.
            Topic::Signals | Topic::Trades(_) | Topic::Bars(_) | Topic::Evidence(_) => Vec::new(),
            // They have numbers of their own.
            Topic::Alerts(_) => Vec::new(),
        }
    }

    /// Bundles of evidence that the client has not seen, oldest first.
    pub fn evidence(&mut self, node: &Node) -> Vec<Frame> {
        let Topic::Evidence(symbol) = &self.topic else {
            return Vec::new();
        };
        let newer = node.bundles().after(self.seen);
        self.seen = newer.last().map_or(self.seen, |bundle| bundle.number);
        let is_wanted = |of: &str| symbol.as_ref().is_none_or(|symbol| symbol == of);
        let wanted = newer.iter().filter(|b| is_wanted(&b.trigger.symbol));
        let mut wanted = wanted.map(Arc::as_ref).peekable();
        if wanted.peek().is_none() {
            return Vec::new();
        }
        match evidence::rows(node, wanted) {
            Ok(rows) => rows
                .into_iter()
                .map(|r| Frame::Evidence(Box::new(r)))
                .collect(),
            Err(fault) => vec![Frame::Error {
                message: format!("evidence cannot be sealed: {fault}"),
                hint: "look at receipt.key in the data folder".to_owned(),
            }],
        }
    }

    /// What a binary client has not seen, as messages.
    pub fn states(&mut self, view: &MarketView) -> Vec<Vec<u8>> {
        let message = |lane: usize, frame: &Published| {
            let mut buffer = ouzel::buffer();
            ouzel::write(lane, frame, &mut buffer).map(<[u8]>::to_vec)
        };
        match self.topic.clone() {
            Topic::Feed if self.is_new(view.version()) => {
                let feeds = view.feeds().iter().enumerate();
                feeds
                    .filter_map(|(lane, status)| message(lane, &Published::Feed(*status)))
                    .collect()
            }
            Topic::Book(symbol) => {
                let found = view.symbol(&symbol).filter(|s| s.version != self.seen);
                let Some(found) = found else {
                    return Vec::new();
                };
                self.seen = found.version;
                let book = found
                    .book
                    .and_then(|book| message(found.lane, &Published::Book(book)));
                book.into_iter().collect()
            }
            Topic::Vwap(symbol) => {
                let newest = view
                    .symbol(&symbol)
                    .and_then(|s| Some((s.lane, *s.vwaps.back()?)));
                let Some((lane, newest)) = newest.filter(|(_, v)| v.end_ns > self.seen) else {
                    return Vec::new();
                };
                self.seen = newest.end_ns;
                message(lane, &Published::Vwap(newest))
                    .into_iter()
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn once(&mut self, version: u64, frame: impl FnOnce() -> Frame) -> Vec<Frame> {
        if self.is_new(version) {
            vec![frame()]
        } else {
            Vec::new()
        }
    }

    fn is_new(&mut self, version: u64) -> bool {
        if version == self.seen {
            return false;
        }
        if self.seen > 0 {
            self.conflated += version - self.seen - 1;
        }
        self.seen = version;
        true
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

    /// The newest state, if it ended since.
    fn state(&mut self, view: &MarketView, symbol: &str) -> Vec<Frame> {
        let found = view.symbol(symbol).and_then(|s| Some((s, s.state?)));
        let Some((found, newest)) = found.filter(|(_, state)| state.end_ns > self.seen) else {
            return Vec::new();
        };
        self.seen = newest.end_ns;
        let row = StateRow::of(&found.symbol, &found.instrument, &newest);
        vec![Frame::State(Box::new(row))]
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
}

/// A frame of the numbered stream as a client sees it; `None` for an instrument that the view does not
/// know, and for names, which JSON does not need.
pub fn numbered(view: &MarketView, n: u64, lane: usize, frame: &Published) -> Option<Value> {
    let row = |value: Result<Value, serde_json::Error>, kind: &str| {
        let mut value = value.ok()?;
        let fields = value.as_object_mut()?;
        fields.insert("type".to_owned(), kind.into());
        fields.insert("n".to_owned(), n.into());
        Some(value)
    };
    match frame {
        Published::Trade(print) => {
            let found = view.of_lane(lane, print.instrument)?;
            row(serde_json::to_value(TradeRow::new(found, print)), "trade")
        }
        Published::Bar(bar) => {
            let found = view.of_lane(lane, bar.instrument)?;
            let bar = BarRow::new(&found.instrument, bar);
            row(Ok(json!({"symbol": found.symbol, "bar": bar})), "bar")
        }
        Published::Signal(signal) => {
            let found = view.of_lane(lane, signal.instrument)?;
            row(
                serde_json::to_value(SignalRow::new(&found.symbol, signal)),
                "signal",
            )
        }
        Published::Lost(lost) => row(
            Ok(json!({"from_seq": lost.from_seq, "to_seq": lost.to_seq})),
            "lost",
        ),
        Published::Refreshed(fresh) => row(Ok(json!({"seq": fresh.seq})), "refreshed"),
        Published::Dropped { count } => row(Ok(json!({"count": count})), "dropped"),
        _ => None,
    }
}

/// The names of all symbols from the view's number `from` on, as messages.
pub fn names(view: &MarketView, from: usize) -> Vec<Vec<u8>> {
    let name = |lane: usize, instrument: Instrument| {
        let mut buffer = ouzel::buffer();
        ouzel::write(lane, &Published::Instrument(instrument), &mut buffer).map(<[u8]>::to_vec)
    };
    let new = view.symbols().iter().skip(from);
    new.filter_map(|s| name(s.lane, s.instrument)).collect()
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
        assert_eq!(Topic::parse("bars"), Some(Topic::Bars(None)));
        assert_eq!(
            Topic::parse("trades:A"),
            Some(Topic::Trades(Some("A".into())))
        );
        assert_eq!(Topic::parse("evidence"), Some(Topic::Evidence(None)));
        let one = Topic::Evidence(Some("A".into()));
        assert_eq!(Topic::parse("evidence:A"), Some(one));
        let alerts = Topic::Alerts(Some("q:1".into()));
        assert_eq!(Topic::parse("alerts:q:1"), Some(alerts));
        for bad in ["", "book", "alerts:", "book:", "depth:A", ":A", "movers:A"] {
            assert_eq!(Topic::parse(bad), None, "{bad}");
        }
    }
}
