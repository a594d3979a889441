//! All symbols of all lanes, as of now.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use engine::glimpse::GlimpseStatus;
use engine::lane::Report;
use engine::pipeline::Late;
use market::event::InstrumentId;
use market::pipeline::DepthCheck;
use market::publish::{FeedState, FeedStatus, Frame, Integrity, Signal, VenueStatus};

use super::symbol::SymbolView;
use crate::names::Names;

const SIGNALS_LIMIT: usize = 10_000;
const REJECTED_LIMIT: usize = 64;

/// A signal with its place in the order in which this node learned of signals.
#[derive(Clone, Copy, Debug)]
pub struct LoggedSignal {
    /// Counts from 0 and never repeats; a reader that holds `n` asks for what came after.
    pub number: u64,
    /// Which symbol of the view.
    pub symbol_idx: usize,
    /// The signal.
    pub signal: Signal,
}

/// What a simulated venue says of itself, and how often our books equalled its own.
#[derive(Clone, Debug, Default)]
pub struct VenueCheck {
    /// Comparisons made.
    pub checked: u64,
    /// Comparisons in which the books differed.
    pub unequal: u64,
    /// Sequence of the last comparison.
    pub seq: Option<u64>,
}

/// Who sends the market.
#[derive(Clone, Debug, Default)]
pub struct VenueLabel {
    /// True: the market is simulated, and every screen must say so.
    pub simulated: bool,
    /// Shown to people.
    pub label: String,
    /// The addresses of the lines, as configured.
    pub groups: Vec<String>,
}

/// A packet or message that could not be decoded.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// When it was received, ns UTC.
    pub at: u64,
    /// Which line brought it: `A`, `B`, `recovery` or a connector's name.
    pub line: String,
    /// What was wrong with it.
    pub reason: String,
    /// Its first bytes.
    pub bytes: Vec<u8>,
}

/// A connection to a venue, as its connector sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkView {
    /// The lane that it feeds.
    pub lane: usize,
    /// `kraken`, `binance-usdm`; further connections of one venue get a number.
    pub name: String,
    /// Where it connects.
    pub url: String,
    /// It is up.
    pub is_up: bool,
    /// Messages received.
    pub messages: u64,
    /// How often it was lost, or could not be made.
    pub failures: u64,
    /// When the newest message came, ns UTC; `None` before the first.
    pub last_recv_ns: Option<u64>,
    /// The last trouble, in words.
    pub trouble: Option<String>,
    /// What the lane counted of its own trust.
    pub check: DepthCheck,
}

/// Newest state per symbol. One writer applies frames; readers hold it briefly under a lock.
#[derive(Default)]
pub struct MarketView {
    symbols: Vec<SymbolView>,
    by_lane: HashMap<(usize, InstrumentId), usize>,
    by_symbol: HashMap<String, usize>,
    lane_names: Vec<Option<String>>,
    links: Vec<LinkView>,
    lates: Vec<Late>,
    feeds: Vec<FeedStatus>,
    signals: VecDeque<LoggedSignal>,
    signal_count: u64,
    version: u64,
    newest_seq: u64,
    newest_event: Option<u64>,
    dropped: u64,
    venue_status: VenueStatus,
    amendments: u64,
    losses: u64,
    refreshes: u64,
    rejected: VecDeque<Rejected>,
    /// Company names by ticker.
    pub names: Names,
    /// Who sends the market.
    pub venue: VenueLabel,
    /// How our books compare with the simulated venue's.
    pub check: VenueCheck,
    /// The first lane's own account of its work.
    pub report: Report,
    /// Why a lane died, if one did: its books stand still.
    pub lane_death: Option<String>,
    /// What fetches snapshots of the first feed, where something does.
    pub snapshots: Option<Arc<GlimpseStatus>>,
}

impl MarketView {
    /// An empty view that knows company names.
    #[must_use]
    pub fn new(names: Names) -> Self {
        Self {
            names,
            ..Self::default()
        }
    }

    /// Applies one frame of `lane`.
    pub fn apply(&mut self, lane: usize, frame: &Frame) {
        self.version += 1;
        match frame {
            Frame::Instrument(instrument) => self.instrument(lane, instrument),
            Frame::Feed(status) => self.feed(lane, *status),
            Frame::Dropped { count } => self.dropped += count,
            Frame::Book(book) => {
                self.newest(book.stamp.seq, book.stamp.ts_event);
                self.with(lane, book.instrument, |s| s.book = Some(*book));
            }
            Frame::Trade(print) => {
                self.newest(print.stamp.seq, print.stamp.ts_event);
                self.with(lane, print.instrument, |s| s.print(*print));
            }
            Frame::Bar(bar) => self.with(lane, bar.instrument, |s| s.bar(*bar)),
            Frame::Vwap(vwap) => self.with(lane, vwap.instrument, |s| s.vwap(*vwap)),
            Frame::Signal(signal) => self.signal(lane, signal),
            Frame::Measure(measure) => {
                self.with(lane, measure.instrument, |s| s.wider.measure(*measure));
            }
            Frame::State(state) => {
                self.with(lane, state.instrument, |s| s.state = Some(*state));
            }
            Frame::Activity(activity) => {
                self.with(lane, activity.bar.instrument, |s| {
                    s.wider.activity(*activity)
                });
            }
            Frame::Joined(joined) => {
                self.with(lane, joined.print.instrument, |s| s.wider.joined(*joined));
            }
            Frame::Status(status) => {
                self.with(lane, status.instrument, |s| s.status = Some(*status));
            }
            Frame::Venue(status) => self.venue_status = *status,
            Frame::Amendment(_) => self.amendments += 1,
            Frame::Lost(_) => self.losses += 1,
            Frame::Refreshed(_) => self.refreshes += 1,
        }
    }

    /// Flags all that `lane` published: its source is lost, and what was true may be no more.
    pub fn interrupt(&mut self, lane: usize) {
        self.version += 1;
        if let Some(status) = self.feeds.get_mut(lane) {
            status.state = FeedState::Recovering;
        }
        let of_lane = self.by_lane.iter().filter(|((of, _), _)| *of == lane);
        for idx in of_lane.map(|(_, &idx)| idx) {
            let symbol = &mut self.symbols[idx];
            symbol.version = self.version;
            if let Some(book) = &mut symbol.book {
                book.integrity = book.integrity.max(Integrity::Recovering);
            }
        }
    }

    /// Everything that a reader needs to start whole: each instrument with its newest book and VWAP,
    /// in the order of first appearance, then each lane's feed status.
    pub fn current(&self, mut to: impl FnMut(usize, Frame)) {
        let mut lanes: Vec<(usize, usize)> = self
            .by_lane
            .iter()
            .map(|((lane, _), &idx)| (idx, *lane))
            .collect();
        lanes.sort_unstable();
        for (idx, lane) in lanes {
            let symbol = &self.symbols[idx];
            to(lane, Frame::Instrument(symbol.instrument));
            if let Some(book) = symbol.book {
                to(lane, Frame::Book(book));
            }
            if let Some(vwap) = symbol.vwaps.back() {
                to(lane, Frame::Vwap(*vwap));
            }
            if let Some(measure) = symbol.wider.measures.back() {
                to(lane, Frame::Measure(*measure));
            }
        }
        for (lane, status) in self.feeds.iter().enumerate() {
            to(lane, Frame::Feed(*status));
        }
    }

    /// Names a lane: its symbols are found as `name:symbol` too, and are shown so where another
    /// lane has one of the same text.
    pub fn name_lane(&mut self, lane: usize, name: &str) {
        if self.lane_names.len() <= lane {
            self.lane_names.resize(lane + 1, None);
        }
        self.lane_names[lane] = Some(name.to_owned());
    }

    /// The state of a connection; the one of the same name is replaced.
    pub fn set_link(&mut self, link: LinkView) {
        match self.links.iter_mut().find(|known| known.name == link.name) {
            Some(known) => *known = link,
            None => self.links.push(link),
        }
    }

    /// What has come behind a lane's watermark so far.
    pub fn note_late(&mut self, lane: usize, late: Late) {
        if self.lates.len() <= lane {
            self.lates.resize(lane + 1, Late::default());
        }
        self.lates[lane] = late;
    }

    /// What has come behind the watermark of any lane, packets' and WebSocket venues' alike.
    #[must_use]
    pub fn late(&self) -> Late {
        let mut all = Late::default();
        for late in &self.lates {
            for (sum, count) in [
                (&mut all.bars, late.bars),
                (&mut all.vwap, late.vwap),
                (&mut all.measures, late.measures),
            ] {
                sum.applied += count.applied;
                sum.dropped += count.dropped;
            }
        }
        all
    }

    /// Every connection to a venue that speaks WebSocket.
    #[must_use]
    pub fn links(&self) -> &[LinkView] {
        &self.links
    }

    fn instrument(&mut self, lane: usize, instrument: &market::event::Instrument) {
        let text = instrument.symbol();
        let known = self.by_lane.get(&(lane, instrument.id)).copied();
        let qualified = self.lane_names.get(lane).and_then(Option::as_ref);
        let qualified = qualified.map(|name| format!("{name}:{text}"));
        // Whoever had the plain text first keeps it.
        let is_taken = self
            .by_symbol
            .get(text)
            .is_some_and(|&idx| Some(idx) != known && self.lane_of(idx) != Some(lane));
        let symbol = match &qualified {
            Some(qualified) if is_taken => qualified.clone(),
            _ => text.to_owned(),
        };
        if let Some(idx) = known {
            let old = &self.symbols[idx];
            self.by_symbol.remove(&old.symbol);
            if let Some(Some(name)) = self.lane_names.get(lane) {
                let old = format!("{name}:{}", old.instrument.symbol());
                self.by_symbol.remove(&old);
            }
            self.symbols[idx].instrument = *instrument;
            self.symbols[idx].symbol.clone_from(&symbol);
            self.find_as(symbol, qualified, idx);
            return;
        }
        let name = self.names.get(text).map(str::to_owned);
        let idx = self.symbols.len();
        let mut new = SymbolView::new(*instrument, name);
        new.lane = lane;
        new.symbol.clone_from(&symbol);
        self.symbols.push(new);
        self.by_lane.insert((lane, instrument.id), idx);
        self.find_as(symbol, qualified, idx);
    }

    fn find_as(&mut self, symbol: String, qualified: Option<String>, idx: usize) {
        self.by_symbol.insert(symbol, idx);
        if let Some(qualified) = qualified {
            self.by_symbol.insert(qualified, idx);
        }
    }

    fn lane_of(&self, idx: usize) -> Option<usize> {
        let mut all = self.by_lane.iter();
        all.find(|(_, of)| **of == idx).map(|((lane, _), _)| *lane)
    }

    fn feed(&mut self, lane: usize, status: FeedStatus) {
        if self.feeds.len() <= lane {
            self.feeds.resize(lane + 1, FeedStatus::default());
        }
        self.feeds[lane] = status;
    }

    fn signal(&mut self, lane: usize, signal: &Signal) {
        let Some(&symbol_idx) = self.by_lane.get(&(lane, signal.instrument)) else {
            return;
        };
        self.symbols[symbol_idx].signals += 1;
        self.symbols[symbol_idx].version = self.version;
        if self.signals.len() == SIGNALS_LIMIT {
            self.signals.pop_front();
        }
        let number = self.signal_count;
        self.signal_count += 1;
        self.signals.push_back(LoggedSignal {
            number,
            symbol_idx,
            signal: *signal,
        });
    }

    fn newest(&mut self, seq: u64, ts_event: u64) {
        self.newest_seq = self.newest_seq.max(seq);
        self.newest_event = self.newest_event.max(Some(ts_event));
    }

    fn with(&mut self, lane: usize, id: InstrumentId, change: impl FnOnce(&mut SymbolView)) {
        let version = self.version;
        if let Some(&idx) = self.by_lane.get(&(lane, id)) {
            let symbol = &mut self.symbols[idx];
            symbol.version = version;
            change(symbol);
        }
    }

    /// Every symbol, in the order of first appearance.
    #[must_use]
    pub fn symbols(&self) -> &[SymbolView] {
        &self.symbols
    }

    /// One symbol by its venue text.
    #[must_use]
    pub fn symbol(&self, symbol: &str) -> Option<&SymbolView> {
        self.by_symbol.get(symbol).map(|&idx| &self.symbols[idx])
    }

    /// One symbol by its lane's number.
    #[must_use]
    pub fn of_lane(&self, lane: usize, id: InstrumentId) -> Option<&SymbolView> {
        self.by_lane.get(&(lane, id)).map(|&idx| &self.symbols[idx])
    }

    /// Feed status by lane.
    #[must_use]
    pub fn feeds(&self) -> &[FeedStatus] {
        &self.feeds
    }

    /// Signals with a number of at least `from`, oldest first.
    pub fn signals_from(&self, from: u64) -> impl DoubleEndedIterator<Item = &LoggedSignal> {
        let first = self.signal_count - self.signals.len() as u64;
        let skip = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        self.signals.range(skip.min(self.signals.len())..)
    }

    /// The number that the next signal will get.
    #[must_use]
    pub fn signal_count(&self) -> u64 {
        self.signal_count
    }

    /// Grows with every frame.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Highest sequence and newest event time seen; `None` before the first event.
    #[must_use]
    pub fn head(&self) -> Option<(u64, u64)> {
        self.newest_event.map(|at| (self.newest_seq, at))
    }

    /// The last packets that could not be decoded, newest first.
    pub fn rejected(&self) -> impl Iterator<Item = &Rejected> {
        self.rejected.iter().rev()
    }

    /// Keeps a packet that could not be decoded; the oldest leaves.
    pub fn reject(&mut self, rejected: Rejected) {
        if self.rejected.len() == REJECTED_LIMIT {
            self.rejected.pop_front();
        }
        self.rejected.push_back(rejected);
    }

    /// Phase of the day and the market-wide circuit breaker, as the venue said last.
    #[must_use]
    pub fn venue_status(&self) -> &VenueStatus {
        &self.venue_status
    }

    /// Prints that the venue busted or corrected; what was published stands.
    #[must_use]
    pub fn amendments(&self) -> u64 {
        self.amendments
    }

    /// How often messages were lost for good, and how often books were refreshed after it.
    #[must_use]
    pub fn losses_and_refreshes(&self) -> (u64, u64) {
        (self.losses, self.refreshes)
    }

    /// Lossless frames that a full ring dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::event::{Instrument, Price, Qty, Stamp, TradingState};
    use market::publish::{BookTop, Level, SignalKind, TOP_LEVELS, TradePrint};

    fn print(seq: u64, price: i64) -> Frame {
        Frame::Trade(TradePrint {
            instrument: InstrumentId(0),
            stamp: Stamp {
                seq,
                ts_event: seq * 10,
                ts_recv: seq * 10,
            },
            price: Price(price),
            qty: Qty(5),
            aggressor: None,
            cross: false,
            match_id: seq,
            integrity: Integrity::Ok,
        })
    }

    #[test]
    fn frames_reach_their_symbol_and_lanes_do_not_mix() {
        let mut view = MarketView::new(Names::packaged());
        view.apply(
            0,
            &Frame::Instrument(Instrument::new(InstrumentId(0), "AAPL", 0, 2)),
        );
        view.apply(
            1,
            &Frame::Instrument(Instrument::new(InstrumentId(0), "BTCUSDT", 8, 2)),
        );
        view.apply(0, &print(1, 100));
        view.apply(0, &print(2, 110));
        view.apply(1, &print(9, 7));
        let aapl = view.symbol("AAPL").expect("known");
        assert_eq!(
            (aapl.volume, aapl.name.as_deref()),
            (Qty(10), Some("Apple Inc."))
        );
        assert!((aapl.change_bp().expect("moved") - 1_000.0).abs() < 1e-9);
        assert_eq!(
            view.symbol("BTCUSDT").and_then(|s| s.last).map(|t| t.price),
            Some(Price(7))
        );
        assert_eq!(view.head(), Some((9, 90)));
    }

    #[test]
    fn one_symbol_of_two_venues_is_two_symbols() {
        let mut view = MarketView::new(Names::default());
        for (lane, name) in ["binance", "binance-usdm"].into_iter().enumerate() {
            view.name_lane(lane, name);
            let instrument = Instrument::new(InstrumentId(0), "BTCUSDT", 8, 2);
            view.apply(lane, &Frame::Instrument(instrument));
        }
        view.apply(0, &print(1, 100));
        view.apply(1, &print(2, 107));
        // Told again with other decimals, names stay.
        let again = Instrument::new(InstrumentId(0), "BTCUSDT", 8, 4);
        (0..2).for_each(|lane| view.apply(lane, &Frame::Instrument(again)));
        let shown: Vec<&str> = view.symbols().iter().map(|s| s.symbol.as_str()).collect();
        assert_eq!(shown, ["BTCUSDT", "binance-usdm:BTCUSDT"]);
        let last = |name: &str| view.symbol(name)?.last.map(|print| print.price.0);
        assert_eq!(
            (last("BTCUSDT"), last("binance:BTCUSDT")),
            (Some(100), Some(100))
        );
        assert_eq!(last("binance-usdm:BTCUSDT"), Some(107));
    }

    fn empty() -> BookTop {
        BookTop {
            instrument: InstrumentId(0),
            stamp: Stamp::default(),
            bids: [Level::default(); TOP_LEVELS],
            asks: [Level::default(); TOP_LEVELS],
            bid_count: 0,
            ask_count: 0,
            locked: false,
            crossed: false,
            integrity: Integrity::Ok,
            state: TradingState::Trading,
            last: None,
        }
    }

    #[test]
    fn a_lost_source_is_flagged_until_it_speaks() {
        let mut view = MarketView::new(Names::default());
        let live = FeedStatus {
            state: FeedState::Live,
            ..FeedStatus::default()
        };
        for lane in 0..2 {
            let name = ["A", "B"][lane];
            let instrument = Instrument::new(InstrumentId(0), name, 0, 2);
            view.apply(lane, &Frame::Instrument(instrument));
            view.apply(lane, &Frame::Feed(live));
            view.apply(lane, &Frame::Book(empty()));
        }
        view.interrupt(1);
        let shown = |view: &MarketView, name: &str| view.symbol(name).map(SymbolView::integrity);
        assert_eq!(shown(&view, "A"), Some(Integrity::Ok));
        assert_eq!(shown(&view, "B"), Some(Integrity::Recovering));
        let states: Vec<FeedState> = view.feeds().iter().map(|feed| feed.state).collect();
        assert_eq!(states, [FeedState::Live, FeedState::Recovering]);
        view.apply(1, &Frame::Book(empty()));
        assert_eq!(shown(&view, "B"), Some(Integrity::Ok));
    }

    #[test]
    fn signals_are_numbered_and_resumed() {
        let mut view = MarketView::new(Names::default());
        view.apply(
            0,
            &Frame::Instrument(Instrument::new(InstrumentId(0), "A", 0, 2)),
        );
        let signal = Signal {
            instrument: InstrumentId(0),
            stamp: Stamp::default(),
            kind: SignalKind::Resume,
            integrity: Integrity::Ok,
        };
        (0..5).for_each(|_| view.apply(0, &Frame::Signal(signal)));
        let numbers: Vec<u64> = view.signals_from(3).map(|s| s.number).collect();
        assert_eq!((numbers, view.signal_count()), (vec![3, 4], 5));
        assert_eq!(view.signals_from(99).count(), 0);
    }
}
