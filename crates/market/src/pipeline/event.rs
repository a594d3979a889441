//! Events of any feed in, frames out.
//!
//! The translator of a feed decodes, puts in sequence and recovers; it hands over plain events and
//! says what it knows of the feed (status, gaps, flags). Nothing here knows a protocol.

use std::sync::Arc;

use super::board::{Board, Symbol};
use super::config::PipelineConfig;
use super::rejects::{RejectReason, RejectRing};
use super::top::{depths_of, quote_of, write_top};
use crate::book::{Applied, BookSet, LevelBook, OrderBook, Reject, symbol_key};
use crate::event::{Event, Instrument, InstrumentId, OrderId, Side, Stamp, Terms, VenueEvent};
use crate::publish::{BookTop, FeedState, FeedStatus, Integrity, Published, Sink};
use crate::reference::Table;
use crate::window::{Depths, LateCount};

/// Longest name that an [`Instrument`] holds, bytes.
const NAME: usize = 16;

/// How a feed tells an instrument's book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookKind {
    /// Order by order (L3).
    Orders,
    /// Level by level (L2, and best bid and offer as one level a side).
    Levels,
}

/// Where an instrument's book lies.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the book set, under a number of its own.
    Orders(InstrumentId),
    /// In the list of level books.
    Levels(usize),
}

/// One instrument beside its name.
#[derive(Clone, Copy, Debug, Default)]
struct Market {
    /// `None` until the kind of book is known.
    place: Option<Place>,
    /// Between two parts of one change: its book is not to be shown.
    is_open: bool,
    /// A part of the open change was near the touch.
    is_near: bool,
}

/// Normalised events in, frames out, for any feed whose translator gives events.
///
/// An instrument's book is of the kind that its listing or its first book event says; an event of
/// the other kind is refused. Each book takes its memory when its kind becomes known.
///
/// ```
/// use market::event::{Event, Price, Qty, Side, Stamp};
/// use market::pipeline::{EventPipeline, PipelineConfig};
/// let mut pipeline = EventPipeline::new(&PipelineConfig::default());
/// let id = pipeline.list("ESH4", 0, 2);
/// let stamp = Stamp { seq: 1, ts_event: 1_000, ts_recv: 1_500 };
/// let level = Event::Level { side: Side::Bid, price: Price(4_810_000_000_000), qty: Qty(12) };
/// pipeline.apply(id, stamp, &level).expect("the first event says: levels");
/// assert_eq!(pipeline.book_top(id).map(|top| top.bid_count), Some(1));
/// let mut frames = Vec::new();
/// pipeline.publish(&mut frames); // the instrument, its book, the feed
/// assert_eq!(frames.len(), 3);
/// ```
#[derive(Debug)]
pub struct EventPipeline {
    instruments: Vec<Instrument>,
    /// Sorted by padded symbol, as a number.
    by_symbol: Vec<(u128, u32)>,
    markets: Vec<Market>,
    orders: BookSet,
    /// Who owns each book of `orders`.
    order_owners: Vec<InstrumentId>,
    levels: Vec<LevelBook>,
    board: Board,
    rejected: RejectRing,
    rejected_events: u64,
    levels_reserve: usize,
    book_lag_ns: u64,
    status: FeedStatus,
}

impl EventPipeline {
    /// Takes the memory of orders and windows that the limits ask for.
    #[must_use]
    pub fn new(config: &PipelineConfig) -> Self {
        let limit = config.instruments_limit;
        Self {
            instruments: Vec::with_capacity(limit),
            by_symbol: Vec::with_capacity(limit),
            markets: Vec::with_capacity(limit),
            orders: BookSet::new(limit, config.orders_limit, config.levels_reserve),
            order_owners: Vec::with_capacity(limit),
            levels: Vec::with_capacity(limit),
            board: Board::new(config),
            rejected: RejectRing::new(),
            rejected_events: 0,
            levels_reserve: config.levels_reserve,
            book_lag_ns: config.book_lag_ns,
            status: FeedStatus::default(),
        }
    }

    /// The instrument of this name, listed now if it is new; other decimals than before replace
    /// them. A name above 16 bytes is shown as its first nine, `~` and a hash of all of it.
    pub fn list(&mut self, symbol: &str, qty_decimals: u8, price_decimals: u8) -> InstrumentId {
        let name = name_of(symbol);
        let key = u128::from_be_bytes(name);
        let id = match self.by_symbol.binary_search_by_key(&key, |&(key, _)| key) {
            Ok(idx) => InstrumentId(self.by_symbol[idx].1),
            Err(idx) => self.open(idx, name),
        };
        let instrument = &mut self.instruments[id.0 as usize];
        let decimals = (instrument.qty_decimals, instrument.price_decimals);
        if decimals != (qty_decimals, price_decimals) {
            (instrument.qty_decimals, instrument.price_decimals) = (qty_decimals, price_decimals);
            self.board.publisher.mark_instrument(id);
        }
        id
    }

    /// The instrument of this name, if it was listed.
    #[must_use]
    pub fn find(&self, symbol: &str) -> Option<InstrumentId> {
        let key = u128::from_be_bytes(name_of(symbol));
        let found = self.by_symbol.binary_search_by_key(&key, |&(key, _)| key);
        found.ok().map(|idx| InstrumentId(self.by_symbol[idx].1))
    }

    /// The venue's name of an instrument that was listed by another, for want of this one. Nothing
    /// happens where another instrument has it.
    pub fn rename(&mut self, id: InstrumentId, symbol: &str) {
        let name = name_of(symbol);
        let key = |name: [u8; NAME]| u128::from_be_bytes(name);
        let place = |by_symbol: &[(u128, u32)], name| {
            by_symbol.binary_search_by_key(&key(name), |&(key, _)| key)
        };
        let Some(instrument) = self.instruments.get_mut(id.0 as usize) else {
            return;
        };
        if place(&self.by_symbol, name).is_ok() {
            return;
        }
        if let Ok(idx) = place(&self.by_symbol, instrument.symbol) {
            self.by_symbol.remove(idx);
        }
        if let Err(idx) = place(&self.by_symbol, name) {
            self.by_symbol.insert(idx, (key(name), id.0));
        }
        instrument.symbol = name;
        self.board.listed(id, name);
    }

    /// What the feed's own directory says of an instrument. Where it is silent, what it said before
    /// holds.
    pub fn terms(&mut self, id: InstrumentId, terms: &Terms) {
        let Some(instrument) = self.instruments.get_mut(id.0 as usize) else {
            return;
        };
        let terms = instrument.terms.updated(terms);
        if terms != instrument.terms {
            instrument.terms = terms;
            self.board.terms(id, instrument.symbol, &terms);
        }
    }

    /// Shows an instrument's prices in so many decimals from now on.
    pub fn show_decimals(&mut self, id: InstrumentId, price_decimals: u8) {
        if let Some(instrument) = self.instruments.get_mut(id.0 as usize) {
            instrument.price_decimals = price_decimals;
            self.board.publisher.mark_instrument(id);
        }
    }

    /// [`EventPipeline::list`] for a feed that says beforehand how it tells its books.
    ///
    /// # Errors
    /// [`Reject::WrongKind`] when its book is of the other kind already.
    pub fn list_as(
        &mut self,
        symbol: &str,
        qty_decimals: u8,
        price_decimals: u8,
        kind: BookKind,
    ) -> Result<InstrumentId, Reject> {
        let id = self.list(symbol, qty_decimals, price_decimals);
        self.place(id, kind)?;
        Ok(id)
    }

    /// Applies one event that leaves its book whole.
    ///
    /// # Errors
    /// When the event contradicts the book: nothing of it is applied, it is counted, and the
    /// instrument is flagged suspect. Give the offending bytes to [`EventPipeline::record`].
    #[inline]
    pub fn apply(&mut self, id: InstrumentId, stamp: Stamp, event: &Event) -> Result<(), Reject> {
        let outcome = self.apply_part(id, stamp, event);
        self.settle(id, stamp);
        outcome
    }

    /// Applies one of several events that make one change at the venue. Until
    /// [`EventPipeline::settle`] the book is neither published nor looked at for jumps; prints and
    /// states are passed on at once.
    ///
    /// # Errors
    /// As [`EventPipeline::apply`].
    #[inline]
    pub fn apply_part(
        &mut self,
        id: InstrumentId,
        stamp: Stamp,
        event: &Event,
    ) -> Result<(), Reject> {
        self.observe(
            stamp.ts_event.saturating_sub(self.lag_of(event)),
            stamp.ts_recv,
        );
        let outcome = self.apply_to_book(id, event);
        match outcome {
            Ok(applied) => {
                self.board.applied(id, stamp, event, applied);
                let market = &mut self.markets[id.0 as usize];
                market.is_open = true;
                market.is_near |= applied.near;
                Ok(())
            }
            Err(reject) => {
                self.rejected_events += 1;
                self.board.flag(id, Integrity::Suspect);
                Err(reject)
            }
        }
    }

    /// The book is whole again.
    #[inline]
    pub fn settle(&mut self, id: InstrumentId, stamp: Stamp) {
        let Some(market) = self.markets.get_mut(id.0 as usize) else {
            return;
        };
        if !market.is_open {
            return;
        }
        let (near, place) = (market.is_near, market.place);
        (market.is_open, market.is_near) = (false, false);
        self.board.touched(id, stamp, near);
        if near {
            let (orders, levels) = (&self.orders, &self.levels);
            self.board.quoted(id, stamp, || match place? {
                Place::Orders(id) => orders.book(id).map(|book| quote_of(&book)),
                Place::Levels(idx) => Some(quote_of(&levels[idx])),
            });
        }
    }

    /// Time passed at the venue by a message that is no event of an instrument.
    #[inline]
    pub fn observe(&mut self, ts_event: u64, ts_recv: u64) {
        if self.status.state == FeedState::Joining {
            self.status.state = FeedState::Live;
        }
        if self.board.observe(ts_event, ts_recv) {
            self.close_states();
        }
    }

    #[cold]
    fn close_states(&mut self) {
        let (markets, orders, levels) = (&self.markets, &self.orders, &self.levels);
        self.board.close_states(
            |id| match markets.get(id.0 as usize).and_then(|m| m.place) {
                Some(Place::Orders(id)) => depths_of(orders.book(id).as_ref()),
                Some(Place::Levels(idx)) => depths_of(levels.get(idx)),
                None => Depths::default(),
            },
        );
    }

    /// Makes one symbol's flag worse, until the session ends or [`EventPipeline::set_flag`].
    pub fn flag(&mut self, id: InstrumentId, integrity: Integrity) {
        self.board.flag(id, integrity);
    }

    /// Replaces one symbol's flag: after its book was refreshed, for instance.
    pub fn set_flag(&mut self, id: InstrumentId, integrity: Integrity) {
        self.board.set_flag(id, integrity);
    }

    /// Flags all symbols, those to come included, until the session ends.
    pub fn flag_all(&mut self, integrity: Integrity) {
        self.board.flag_all(integrity);
    }

    /// Messages `[from_seq, to_seq)` will never come: everything is stale until the session ends,
    /// and the hole is told in place.
    pub fn lost_for_good(&mut self, from_seq: u64, to_seq: u64) {
        self.board.lost_for_good(from_seq, to_seq);
    }

    /// A fact about the whole market.
    pub fn venue_fact(&mut self, stamp: Stamp, event: VenueEvent) {
        self.board.venue_fact(stamp, event);
    }

    /// Opens or closes a gap of the feed: while one is open everything is `recovering` and event
    /// time does not run on by itself.
    pub fn set_gap(&mut self, has_gap: bool) {
        self.board.set_gap(has_gap);
        self.board.mark_all();
    }

    /// While held, event time does not run on by itself in silence: what is awaited is not late.
    /// Unlike an open gap this flags nothing.
    pub fn hold(&mut self, is_held: bool) {
        self.board.hold(is_held);
    }

    /// The line is cut: until the next event, what happens is unknown. Windows that reach into
    /// that time are suspect, for prints may be missing in them.
    pub fn cut(&mut self) {
        self.board.cut();
    }

    /// Prints of one instrument are missing before `until_ns` of event time: windows that start
    /// earlier and are not yet published are suspect.
    pub fn lost(&mut self, id: InstrumentId, until_ns: u64) {
        self.board.lost(id, until_ns);
    }

    /// The newest of our times that was handed in, ns UTC.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.board.now_ns()
    }

    /// What the translator knows of the feed; `rejected` is added to ours.
    pub fn set_status(&mut self, status: FeedStatus) {
        self.status = status;
    }

    /// Keeps a packet or message that could not be used, for a person to look at. What was no
    /// event yet counts as rejected here; an event that [`EventPipeline::apply`] refused counts
    /// once.
    pub fn record(&mut self, at_ns: u64, line: usize, reason: RejectReason, bytes: &[u8]) {
        self.rejected_events += u64::from(!matches!(reason, RejectReason::Book(_)));
        self.rejected.record(at_ns, line, reason, bytes);
    }

    /// A new session: books, flags and windows are void, names stay. Open bars are closed first.
    pub fn reset(&mut self) {
        self.orders.clear();
        self.levels.iter_mut().for_each(LevelBook::clear);
        for market in &mut self.markets {
            (market.is_open, market.is_near) = (false, false);
        }
        self.board.reset();
    }

    /// Closes all bars: the venue said end of session.
    pub fn end(&mut self) {
        self.status.state = FeedState::Ended;
        self.board.flush();
    }

    /// The status is due at the next publish, however new the last one is.
    pub fn want_status(&mut self) {
        self.board.want_status();
    }

    /// Lets time pass: quiet windows, status.
    pub fn tick(&mut self, now_ns: u64) {
        if self.board.tick(now_ns) {
            self.close_states();
        }
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
            orders: &self.orders,
            levels: &self.levels,
            symbols: &board.symbols,
            feed_integrity,
            status,
        };
        board.publisher.publish(&view, books_due, sink);
    }

    /// Where the feed stands: what the translator said last, and what was rejected here.
    #[must_use]
    pub fn status(&self) -> FeedStatus {
        let mut status = self.status;
        status.rejected += self.rejected_events;
        status
    }

    /// A hash of all books as they are now; equal wherever the books are equal.
    #[must_use]
    pub fn book_digest(&self) -> u64 {
        let key = |id: InstrumentId| symbol_key(&self.instruments[id.0 as usize].symbol);
        let of_orders = self
            .orders
            .digest(|book| key(self.order_owners[book.0 as usize]));
        let with_levels = self.instruments.iter().zip(&self.markets);
        with_levels
            .filter_map(|(instrument, market)| match market.place? {
                Place::Levels(idx) => Some((instrument.id, &self.levels[idx])),
                Place::Orders(_) => None,
            })
            .filter(|(_, book)| book.depth(Side::Bid) + book.depth(Side::Ask) > 0)
            .map(|(id, book)| book.digest(key(id)))
            .fold(of_orders, u64::wrapping_add)
    }

    /// One instrument's newest book as it would be published, whole or not.
    #[must_use]
    pub fn book_top(&self, id: InstrumentId) -> Option<BookTop> {
        self.markets.get(id.0 as usize)?;
        let view = View {
            instruments: &self.instruments,
            markets: &self.markets,
            orders: &self.orders,
            levels: &self.levels,
            symbols: &self.board.symbols,
            feed_integrity: self.board.feed_integrity(),
            status: FeedStatus::default(),
        };
        let mut top = BookTop::VACANT;
        view.book_top(id, &mut top);
        Some(top)
    }

    /// An instrument's book, where it is told order by order.
    #[must_use]
    pub fn order_book(&self, id: InstrumentId) -> Option<OrderBook<'_>> {
        match self.markets.get(id.0 as usize)?.place? {
            Place::Orders(id) => self.orders.book(id),
            Place::Levels(_) => None,
        }
    }

    /// An instrument's book, where it is told level by level.
    #[must_use]
    pub fn level_book(&self, id: InstrumentId) -> Option<&LevelBook> {
        match self.markets.get(id.0 as usize)?.place? {
            Place::Levels(idx) => self.levels.get(idx),
            Place::Orders(_) => None,
        }
    }

    /// Whether an order of this number rests in any book.
    #[must_use]
    pub fn rests(&self, order_id: OrderId) -> bool {
        self.orders.order(order_id).is_some()
    }

    /// How many orders rest in all books that are told order by order.
    #[must_use]
    pub fn orders(&self) -> usize {
        self.orders.orders()
    }

    /// Every instrument listed so far; its index is its id.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// The last packets and messages that could not be used.
    #[must_use]
    pub fn rejected(&self) -> &RejectRing {
        &self.rejected
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

    /// Prints that the venue busted or corrected; published windows stand.
    #[must_use]
    pub fn amendments(&self) -> u64 {
        self.board.amendments()
    }

    /// Lossless frames dropped because the reader was too slow.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.board.publisher.dropped()
    }

    /// How often memory had to grow beyond the limits: above zero, raise them.
    #[must_use]
    pub fn growths(&self) -> u64 {
        // The first book of an instrument is no growth, though the book set counts it as one.
        let orders = self.orders.growths() - self.orders.len() as u64;
        let levels: u64 = self.levels.iter().map(LevelBook::growths).sum();
        orders + levels + self.board.growths()
    }

    /// Streams of one connection may be out of order with each other: see
    /// [`PipelineConfig::book_lag_ns`].
    #[inline]
    fn lag_of(&self, event: &Event) -> u64 {
        match event {
            Event::Level { .. } | Event::Clear => self.book_lag_ns,
            _ => 0,
        }
    }

    #[inline]
    fn apply_to_book(&mut self, id: InstrumentId, event: &Event) -> Result<Applied, Reject> {
        let kind = match event {
            Event::Level { .. } => BookKind::Levels,
            Event::Add { .. }
            | Event::Reduce { .. }
            | Event::Delete { .. }
            | Event::Replace { .. }
            | Event::Amend { .. }
            | Event::Execute { .. } => BookKind::Orders,
            _ => return self.apply_to_any(id, event),
        };
        match self.place(id, kind)? {
            Place::Orders(book) => self.orders.apply(book, event),
            Place::Levels(idx) => self.levels[idx].apply(event),
        }
    }

    /// Events that say nothing of the kind of book.
    fn apply_to_any(&mut self, id: InstrumentId, event: &Event) -> Result<Applied, Reject> {
        let market = self.markets.get(id.0 as usize);
        match market.ok_or(Reject::UnknownInstrument)?.place {
            Some(Place::Orders(book)) => self.orders.apply(book, event),
            Some(Place::Levels(idx)) => self.levels[idx].apply(event),
            None => Ok(Applied::default()),
        }
    }

    /// The place of a book of this kind.
    #[inline]
    fn place(&mut self, id: InstrumentId, kind: BookKind) -> Result<Place, Reject> {
        let market = self.markets.get(id.0 as usize);
        let market = market.ok_or(Reject::UnknownInstrument)?;
        match (market.place, kind) {
            (Some(place @ Place::Orders(_)), BookKind::Orders)
            | (Some(place @ Place::Levels(_)), BookKind::Levels) => Ok(place),
            (Some(_), _) => Err(Reject::WrongKind),
            (None, _) => Ok(self.open_book(id, kind)),
        }
    }

    #[cold]
    fn open_book(&mut self, id: InstrumentId, kind: BookKind) -> Place {
        let place = match kind {
            BookKind::Orders => {
                self.order_owners.push(id);
                Place::Orders(self.orders.open())
            }
            BookKind::Levels => {
                self.levels.push(LevelBook::new(self.levels_reserve));
                Place::Levels(self.levels.len() - 1)
            }
        };
        self.markets[id.0 as usize].place = Some(place);
        place
    }

    #[cold]
    fn open(&mut self, idx: usize, name: [u8; NAME]) -> InstrumentId {
        let id = InstrumentId(self.instruments.len() as u32);
        self.by_symbol
            .insert(idx, (u128::from_be_bytes(name), id.0));
        let mut instrument = Instrument::new(id, "", 0, 0);
        instrument.symbol = name;
        self.instruments.push(instrument);
        self.markets.push(Market::default());
        self.board.listed(id, name);
        id
    }
}

/// A padded name; long ones end in a hash, so that two do not become one.
fn name_of(symbol: &str) -> [u8; NAME] {
    const KEPT: usize = 9;
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bytes = symbol.as_bytes();
    let mut name = [b' '; NAME];
    if bytes.len() <= NAME {
        name[..bytes.len()].copy_from_slice(bytes);
        return name;
    }
    name[..KEPT].copy_from_slice(&bytes[..KEPT]);
    name[KEPT] = b'~';
    // FNV-1a: deterministic on every machine, and names are no secret.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    for (place, digit) in name[KEPT + 1..].iter_mut().enumerate() {
        *digit = DIGITS[(hash >> (59 - 5 * place) & 31) as usize];
    }
    name
}

/// What the publisher reads.
struct View<'a> {
    instruments: &'a [Instrument],
    markets: &'a [Market],
    orders: &'a BookSet,
    levels: &'a [LevelBook],
    symbols: &'a [Symbol],
    feed_integrity: Integrity,
    status: FeedStatus,
}

impl Published for View<'_> {
    fn instrument(&self, id: InstrumentId) -> Instrument {
        self.instruments[id.0 as usize]
    }

    fn book_top(&self, id: InstrumentId, top: &mut BookTop) {
        let (symbol, feed) = (&self.symbols[id.0 as usize], self.feed_integrity);
        match self.markets[id.0 as usize].place {
            Some(Place::Orders(book)) => {
                write_top(top, id, symbol, feed, self.orders.book(book).as_ref());
            }
            Some(Place::Levels(idx)) => write_top(top, id, symbol, feed, self.levels.get(idx)),
            None => write_top(top, id, symbol, feed, None::<&LevelBook>),
        }
    }

    fn is_whole(&self, id: InstrumentId) -> bool {
        !self.markets[id.0 as usize].is_open
    }

    fn feed_status(&self) -> FeedStatus {
        self.status
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
