//! Depth feeds in JSON: Binance spot and USD-M futures.

use std::collections::VecDeque;
use std::sync::Arc;

use wire::binance::{self, AggTrade, BookTicker, Depth, Message, Snapshot};

use super::board::{Board, Trade};
use super::config::PipelineConfig;
use super::rejects::{RejectReason, RejectRing};
use super::top::{quote_of, top_of};
use crate::book::{LevelBook, symbol_key};
use crate::event::{Event, Instrument, InstrumentId, Price, Qty, Side, Stamp};
use crate::feed::binance::{DepthOutcome, DepthSync, SyncState};
use crate::publish::{BookTop, FeedState, FeedStatus, Integrity, LineStatus, Published, Sink};
use crate::reference::Table;
use crate::window::LateCount;

/// Best prices kept until the difference that reaches them.
const TICKERS: usize = 4_096;
/// Streams of one connection are not in order with each other: a difference may come a little
/// before trades that are older. Trades move event time; differences only show that it passes.
const DEPTH_LAG_NS: u64 = 1_000_000_000;
/// Venue decimals of a quantity.
const QTY_DECIMALS: u8 = 8;

/// How often the book's best prices were compared with the venue's own, and how often they agreed.
///
/// After each difference the newest `bookTicker` that came before it and is not past it tells the
/// best bid and ask. Both come from one engine by different paths, so a ticker that arrives after
/// its difference is not compared, and an older one may disagree: a few in a thousand on futures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TickerCheck {
    /// Comparisons made.
    pub checked: u64,
    /// Best bid and best ask price were both equal.
    pub equal: u64,
}

/// What a depth feed keeps of each symbol beside its chain.
#[derive(Debug)]
struct Market {
    book: LevelBook,
    tickers: VecDeque<(u64, i64, i64)>,
    has_trades: bool,
}

/// JSON texts of one connection in, frames out.
#[derive(Debug)]
pub struct DepthPipeline {
    instruments: Vec<Instrument>,
    /// Sorted by padded symbol, as a number.
    by_symbol: Vec<(u128, u32)>,
    markets: Vec<Market>,
    sync: DepthSync,
    board: Board,
    rejected: RejectRing,
    levels_reserve: usize,
    line: LineStatus,
    check: TickerCheck,
    unread: u64,
    last_seq: u64,
}

impl DepthPipeline {
    /// Takes the memory that the limits ask for; each symbol takes its own when first seen.
    #[must_use]
    pub fn new(config: &PipelineConfig) -> Self {
        let limit = config.instruments_limit;
        Self {
            instruments: Vec::with_capacity(limit),
            by_symbol: Vec::with_capacity(limit),
            markets: Vec::with_capacity(limit),
            sync: DepthSync::new(config.depth, limit),
            board: Board::new(config),
            rejected: RejectRing::new(),
            levels_reserve: config.levels_reserve,
            line: LineStatus::default(),
            check: TickerCheck::default(),
            unread: 0,
            last_seq: 0,
        }
    }

    /// Takes one text: a stream message, combined or not, or a snapshot that can only belong to
    /// one symbol.
    ///
    /// # Errors
    /// When the text cannot be used; it was counted and kept in [`DepthPipeline::rejected`].
    pub fn message(&mut self, ts_recv: u64, json: &[u8]) -> Result<(), RejectReason> {
        self.line.packets += 1;
        self.line.last_recv_ns = ts_recv;
        let outcome = self.read(ts_recv, json);
        self.note(ts_recv, json, outcome)
    }

    /// Takes a snapshot of one symbol, for instance the answer to what
    /// [`DepthPipeline::next_snapshot`] asked for.
    ///
    /// # Errors
    /// When it is no snapshot or cannot be used.
    pub fn snapshot(
        &mut self,
        symbol: &str,
        ts_recv: u64,
        json: &[u8],
    ) -> Result<(), RejectReason> {
        let id = self.instrument_of(symbol);
        let outcome = match binance::parse(json) {
            Ok(Message::Snapshot(snapshot)) => self.take_snapshot(id, ts_recv, &snapshot),
            Ok(_) => Err(RejectReason::SnapshotOwner),
            Err(error) => Err(error.into()),
        };
        self.note(ts_recv, json, outcome)
    }

    /// The next symbol that needs a snapshot.
    pub fn next_snapshot(&mut self) -> Option<Instrument> {
        let id = self.sync.next_snapshot(self.board.now_ns())?;
        self.instruments.get(id.0 as usize).copied()
    }

    /// Lets time pass: quiet windows, status.
    pub fn tick(&mut self, now_ns: u64) {
        self.board.tick(now_ns);
    }

    /// Puts a table of reference data in force.
    pub fn swap_reference(&mut self, table: Arc<Table>) {
        self.board.swap_reference(table);
    }

    /// Offers everything new to the sink.
    pub fn publish(&mut self, sink: &mut impl Sink) {
        let books_due = self.board.due();
        let status = self.status();
        let feed_integrity = self.board.feed_integrity();
        let board = &mut self.board;
        let view = View {
            instruments: &self.instruments,
            markets: &self.markets,
            symbols: &board.symbols,
            feed_integrity,
            status,
        };
        board.publisher.publish(&view, books_due, sink);
    }

    /// Where the feed stands. `next_seq` follows the last update id of any symbol; one line.
    #[must_use]
    pub fn status(&self) -> FeedStatus {
        let state = match (self.line.packets, self.sync.is_synced()) {
            (0, _) => FeedState::Joining,
            (_, true) => FeedState::Live,
            (_, false) => FeedState::Recovering,
        };
        let next_seq = self.last_seq + u64::from(self.last_seq > 0);
        FeedStatus {
            state,
            next_seq,
            head_seq: next_seq,
            lines: [self.line, LineStatus::default()],
            gaps: self.sync.breaks(),
            rejected: self.rejected.total(),
            ..FeedStatus::default()
        }
    }

    /// A hash of all books as they are now; equal wherever the books are equal.
    #[must_use]
    pub fn book_digest(&self) -> u64 {
        let markets = self.instruments.iter().zip(&self.markets);
        markets
            .filter(|(_, market)| market.book.depth(Side::Bid) + market.book.depth(Side::Ask) > 0)
            .map(|(instrument, market)| market.book.digest(symbol_key(&instrument.symbol)))
            .fold(0, u64::wrapping_add)
    }

    /// One instrument's book.
    #[must_use]
    pub fn book(&self, id: InstrumentId) -> Option<&LevelBook> {
        self.markets.get(id.0 as usize).map(|market| &market.book)
    }

    /// One instrument's newest book as it would be published.
    #[must_use]
    pub fn book_top(&self, id: InstrumentId) -> Option<BookTop> {
        self.markets.get(id.0 as usize)?;
        let view = View {
            instruments: &self.instruments,
            markets: &self.markets,
            symbols: &self.board.symbols,
            feed_integrity: self.board.feed_integrity(),
            status: FeedStatus::default(),
        };
        Some(view.book_top(id))
    }

    /// The last update in an instrument's book, and how far its chain is in step.
    #[must_use]
    pub fn sync(&self, id: InstrumentId) -> (u64, SyncState) {
        (self.sync.last_update_id(id), self.sync.state(id))
    }

    /// Every instrument named so far; its index is its id.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// The last texts that could not be used.
    #[must_use]
    pub fn rejected(&self) -> &RejectRing {
        &self.rejected
    }

    /// How the books compare with the venue's own best prices.
    #[must_use]
    pub fn check(&self) -> TickerCheck {
        self.check
    }

    /// Well-formed texts of kinds that are not read here.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Prints behind the watermark: in bars, in the sliding VWAP.
    #[must_use]
    pub fn late(&self) -> (LateCount, LateCount) {
        self.board.late()
    }

    /// Prints and quotes behind the watermark of the measures.
    #[must_use]
    pub fn late_measures(&self) -> LateCount {
        self.board.late_measures()
    }

    /// Lossless frames dropped because the reader was too slow.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.board.publisher.dropped()
    }

    /// How often memory had to grow after start.
    #[must_use]
    pub fn growths(&self) -> u64 {
        let books: u64 = self
            .markets
            .iter()
            .map(|market| market.book.growths())
            .sum();
        self.board.growths() + books
    }

    fn note(
        &mut self,
        ts_recv: u64,
        json: &[u8],
        outcome: Result<(), RejectReason>,
    ) -> Result<(), RejectReason> {
        if let Err(reason) = outcome {
            self.line.malformed += u64::from(matches!(reason, RejectReason::Text(_)));
            self.rejected.record(ts_recv, 0, reason, json);
        }
        outcome
    }

    fn read(&mut self, ts_recv: u64, json: &[u8]) -> Result<(), RejectReason> {
        match binance::parse(json)? {
            Message::Depth(depth) => self.depth(ts_recv, &depth),
            Message::BookTicker(ticker) => self.ticker(&ticker),
            Message::Trade(trade) => {
                let id = self.instrument_of(trade.symbol);
                self.markets[id.0 as usize].has_trades = true;
                // Insurance fund and liquidation transfers are no market prices.
                if trade.cause.is_none_or(|cause| cause == "MARKET") {
                    let agg = AggTrade {
                        stream: None,
                        symbol: trade.symbol,
                        agg_trade_id: trade.trade_id,
                        first_trade_id: trade.trade_id,
                        last_trade_id: trade.trade_id,
                        price_e9: trade.price_e9,
                        qty_e8: trade.qty_e8,
                        event_ns: trade.event_ns,
                        trade_ns: trade.trade_ns,
                        buyer_is_maker: trade.buyer_is_maker,
                    };
                    self.trade(id, ts_recv, &agg);
                }
            }
            Message::AggTrade(trade) => {
                let id = self.instrument_of(trade.symbol);
                // A connection with both streams tells every trade twice.
                if !self.markets[id.0 as usize].has_trades {
                    self.trade(id, ts_recv, &trade);
                }
            }
            Message::Snapshot(snapshot) if snapshot.stream.is_none() => {
                let owner = self.sync.owner_of(&snapshot);
                let id = owner.ok_or(RejectReason::SnapshotOwner)?;
                self.take_snapshot(id, ts_recv, &snapshot)?;
            }
            Message::Snapshot(_) | Message::Other(_) => self.unread += 1,
        }
        Ok(())
    }

    fn depth(&mut self, ts_recv: u64, depth: &Depth<'_>) {
        let id = self.instrument_of(depth.symbol);
        let ts_event = depth.transaction_ns.unwrap_or(depth.event_ns);
        let lagging = ts_event.saturating_sub(DEPTH_LAG_NS);
        self.board.observe(lagging, ts_recv);
        let market = &mut self.markets[id.0 as usize];
        let mut change = Change::default();
        let was_synced = self.sync.state(id) == SyncState::Synced;
        let outcome = self.sync.depth(id, ts_recv, depth, |stamp, event| {
            change.apply(&mut market.book, stamp, &event);
        });
        if outcome == DepthOutcome::Applied && was_synced {
            self.compare(id, depth.final_update_id);
        }
        self.changed(id, change);
    }

    fn take_snapshot(
        &mut self,
        id: InstrumentId,
        ts_recv: u64,
        snapshot: &Snapshot<'_>,
    ) -> Result<(), RejectReason> {
        let market = &mut self.markets[id.0 as usize];
        let mut change = Change::default();
        let outcome = self.sync.snapshot(id, ts_recv, snapshot, |stamp, event| {
            change.apply(&mut market.book, stamp, &event);
        });
        self.forget_tickers(id);
        self.changed(id, change);
        Ok(outcome?)
    }

    /// Carries a change of a book, or of its chain, to the steps behind.
    fn changed(&mut self, id: InstrumentId, change: Change) {
        let integrity = match self.sync.state(id) {
            SyncState::Waiting => Integrity::Recovering,
            SyncState::DiffsOnly => Integrity::Stale,
            SyncState::Synced => Integrity::Ok,
        };
        self.board.set_flag(id, integrity);
        let Some(stamp) = change.stamp else {
            return;
        };
        self.last_seq = stamp.seq;
        self.board.touched(id, stamp, change.near);
        self.learn_decimals(id, change.price_digits);
        if change.near {
            let book = &self.markets[id.0 as usize].book;
            self.board.quoted(id, stamp, || Some(quote_of(book)));
        }
    }

    fn trade(&mut self, id: InstrumentId, ts_recv: u64, trade: &AggTrade<'_>) {
        let stamp = Stamp {
            seq: trade.last_trade_id,
            ts_event: trade.trade_ns,
            ts_recv,
        };
        self.board.observe(stamp.ts_event, ts_recv);
        let (price, qty) = (
            Price(trade.price_e9),
            u64::try_from(trade.qty_e8).unwrap_or(0),
        );
        if qty == 0 {
            return;
        }
        let aggressor = if trade.buyer_is_maker {
            Side::Ask
        } else {
            Side::Bid
        };
        let print = Trade {
            price,
            qty: Qty(qty),
            aggressor: Some(aggressor),
            cross: false,
            match_id: trade.agg_trade_id,
        };
        self.board.print(id, stamp, print);
    }

    fn ticker(&mut self, ticker: &BookTicker<'_>) {
        let id = self.instrument_of(ticker.symbol);
        let tickers = &mut self.markets[id.0 as usize].tickers;
        if tickers.len() == TICKERS {
            tickers.pop_front();
        }
        tickers.push_back((ticker.update_id, ticker.bid.price_e9, ticker.ask.price_e9));
    }

    fn compare(&mut self, id: InstrumentId, update_id: u64) {
        let market = &mut self.markets[id.0 as usize];
        let mut newest = None;
        while let Some(&(ticker_id, bid, ask)) = market.tickers.front()
            && ticker_id <= update_id
        {
            newest = Some((Price(bid), Price(ask)));
            market.tickers.pop_front();
        }
        if let Some((bid, ask)) = newest {
            let best = |side| market.book.best(side).map(|level| level.price);
            self.check.checked += 1;
            let is_equal = best(Side::Bid) == Some(bid) && best(Side::Ask) == Some(ask);
            self.check.equal += u64::from(is_equal);
        }
    }

    /// Tickers of what a snapshot already holds cannot be compared with what follows.
    fn forget_tickers(&mut self, id: InstrumentId) {
        let last = self.sync.last_update_id(id);
        let tickers = &mut self.markets[id.0 as usize].tickers;
        while tickers
            .front()
            .is_some_and(|&(ticker_id, ..)| ticker_id <= last)
        {
            tickers.pop_front();
        }
    }

    fn instrument_of(&mut self, symbol: &str) -> InstrumentId {
        let key = Instrument::new(InstrumentId(0), symbol, 0, 0).symbol;
        let key = u128::from_be_bytes(key);
        match self.by_symbol.binary_search_by_key(&key, |&(key, _)| key) {
            Ok(idx) => InstrumentId(self.by_symbol[idx].1),
            Err(idx) => self.open(idx, key, symbol),
        }
    }

    #[cold]
    fn open(&mut self, idx: usize, key: u128, symbol: &str) -> InstrumentId {
        let id = self.sync.open();
        self.by_symbol.insert(idx, (key, id.0));
        let instrument = Instrument::new(id, symbol, QTY_DECIMALS, 2);
        self.instruments.push(instrument);
        self.markets.push(Market {
            book: LevelBook::new(self.levels_reserve),
            tickers: VecDeque::with_capacity(TICKERS),
            has_trades: false,
        });
        self.board.listed(id, instrument.symbol);
        self.board.set_flag(id, Integrity::Recovering);
        id
    }

    /// The feed does not say in how many decimals it quotes; the prices show it.
    fn learn_decimals(&mut self, id: InstrumentId, digits: u8) {
        let instrument = &mut self.instruments[id.0 as usize];
        if digits > instrument.price_decimals {
            instrument.price_decimals = digits;
            self.board.publisher.mark_instrument(id);
        }
    }
}

/// What a batch of level events did to a book.
#[derive(Clone, Copy, Debug, Default)]
struct Change {
    stamp: Option<Stamp>,
    near: bool,
    price_digits: u8,
}

impl Change {
    fn apply(&mut self, book: &mut LevelBook, stamp: Stamp, event: &Event) {
        self.stamp = Some(stamp);
        match *event {
            Event::Level { side, price, qty } => {
                self.near |= book.set(side, price, qty);
                if price.0 % 10_000_000 != 0 {
                    self.price_digits = self.price_digits.max(digits_of(price));
                }
            }
            _ => {
                book.clear();
                self.near = true;
            }
        }
    }
}

/// Decimal digits that a price needs, 0 to 9.
fn digits_of(price: Price) -> u8 {
    let (mut digits, mut units) = (9, price.0);
    while digits > 0 && units % 10 == 0 {
        units /= 10;
        digits -= 1;
    }
    digits
}

/// What the publisher reads.
struct View<'a> {
    instruments: &'a [Instrument],
    markets: &'a [Market],
    symbols: &'a [super::board::Symbol],
    feed_integrity: Integrity,
    status: FeedStatus,
}

impl Published for View<'_> {
    fn instrument(&self, id: InstrumentId) -> Instrument {
        self.instruments[id.0 as usize]
    }

    fn book_top(&self, id: InstrumentId) -> BookTop {
        let symbol = &self.symbols[id.0 as usize];
        let book = &self.markets[id.0 as usize].book;
        top_of(id, symbol, self.feed_integrity, Some(book))
    }

    fn feed_status(&self) -> FeedStatus {
        self.status
    }
}
