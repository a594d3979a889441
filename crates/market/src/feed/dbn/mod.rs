//! DBN records to events: books by order (`mbo`) or by level (`mbp`, `bbo`, `cmbp`, `cbbo`), prints,
//! states, auctions.
//!
//! A record's instrument number is a name only for some days: the header's mappings, mapping records
//! and definitions say which. Until one does, the number itself is the name. Each publisher has
//! books of its own: the first one of an instrument has its plain name, the next `NAME@publisher`.
//!
//! What a record does to the book is its action: `A`dd, `C`ancel (by its size), `M`odify (an order
//! not known joins), `R` clear. `T`rade prints and `F`ill does nothing: what rests less is told by the
//! cancel or modify behind it. A book is whole at a record with the flag `LAST`. `MAYBE_BAD_BOOK`
//! makes it stale until it is cleared, as a snapshot does. A file holds the chosen instruments only,
//! so gaps in the venue's numbers mean nothing here.
//!
//! Not given on: bars (ours are made of the prints), statistics but price limits, messages of the
//! stream; they are counted in [`DbnFeed::unread`].

mod levels;
mod names;
#[cfg(test)]
mod tests;

use wire::dbn::{
    BidAsk, Code, ConsolidatedBidAsk, Definition, Error, Field, Imbalance, Mbo, Metadata, Record,
    Status, action, flag, status_action,
};

use crate::event::{
    self, Auction, Band, Collar, Event, InstrumentId, OrderId, Price, Qty, ShortSale, Side, Stamp,
    Terms, TradingState,
};
use crate::publish::Integrity;
use levels::{Quote, Quotes};
use names::Names;

/// Databento's number of the error by which a live stream says that it left records out.
const SKIPPED_RECORDS: u8 = 7;
/// Databento's numbers of the statistics that are price limits.
const UPPER_LIMIT: u16 = 17;
const LOWER_LIMIT: u16 = 18;
/// Decimals of a price until a definition or a price says more.
const DECIMALS: u8 = 2;

/// Who takes what the feed gives.
pub trait Handler {
    /// The instrument of this name; called again when more decimals are known.
    fn list(&mut self, symbol: &str, price_decimals: u8) -> InstrumentId;

    /// What a definition says of how an instrument trades.
    fn terms(&mut self, id: InstrumentId, terms: &Terms);

    /// An event; its book is whole when `is_last`.
    fn event(&mut self, id: InstrumentId, stamp: Stamp, event: &Event, is_last: bool);

    /// A record without an event of an instrument, or the end of a change that had no more to say.
    fn settle(&mut self, id: InstrumentId, stamp: Stamp);

    /// Whether this order rests: a venue may modify one that was never added.
    fn rests(&self, order_id: OrderId) -> bool;

    /// How far an instrument's book can be trusted from here on.
    fn set_flag(&mut self, id: InstrumentId, integrity: Integrity);

    /// Records of any instrument were left out.
    fn lost(&mut self);
}

/// An instrument of one publisher.
#[derive(Debug)]
struct Market {
    key: (u32, u16),
    id: InstrumentId,
    /// The name was resolved for times before this.
    until_ns: u64,
    decimals: u8,
    /// Has the plain name among the publishers of its number.
    is_plain: bool,
    /// A change whose last record has not come.
    open: Option<Stamp>,
    /// Set apart from the order numbers of other publishers.
    order_salt: u64,
    quotes: Quotes,
}

/// Records of one file or stream, in order.
#[derive(Debug, Default)]
pub struct DbnFeed {
    names: Names,
    /// Sorted by key.
    markets: Vec<Market>,
    publishers: Vec<u16>,
    newest: usize,
    records: u64,
    unread: u64,
    not_found: u64,
}

/// What most records say of when and where.
#[derive(Clone, Copy)]
struct Place {
    market: usize,
    id: InstrumentId,
    stamp: Stamp,
    is_last: bool,
}

impl DbnFeed {
    /// Before the first record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns the names of a file's header.
    pub fn header(&mut self, metadata: &Metadata<'_>) {
        self.not_found += metadata.not_found().count() as u64;
        self.names.learn_header(metadata);
    }

    /// Another stream begins: names and open changes are void, counts go on.
    pub fn restart(&mut self) {
        *self = Self {
            records: self.records,
            unread: self.unread,
            not_found: self.not_found,
            ..Self::default()
        };
    }

    /// Records taken, of any kind.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Records that say nothing of books, prints or states.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Symbols that were asked for and that Databento did not find.
    #[must_use]
    pub fn not_found(&self) -> u64 {
        self.not_found
    }

    /// Takes one record's bytes.
    ///
    /// # Errors
    /// When it is not of DBN 1 to 3: count it and go on.
    #[inline]
    pub fn record(&mut self, bytes: &[u8], handler: &mut impl Handler) -> Result<(), Error> {
        self.records += 1;
        match wire::dbn::decode(bytes)? {
            Record::Mbo(mbo) => self.mbo(mbo, handler),
            record => self.other(record, handler),
        }
        Ok(())
    }

    fn mbo(&mut self, mbo: &Mbo, handler: &mut impl Handler) {
        let ts_recv = mbo.ts_recv.get();
        let place = self.place(&mbo.header, ts_recv, mbo.sequence.get(), mbo.flags, handler);
        self.trust(place, mbo.flags, mbo.action, handler);
        if mbo.flags & (flag::TOB | flag::MBP) != 0 && matches!(mbo.action.0, b'A' | b'M' | b'C') {
            self.aggregate(place, mbo, handler);
            return;
        }
        let order_id = OrderId(mbo.order_id.get() ^ self.markets[place.market].order_salt);
        let qty = Qty(mbo.size.get().unwrap_or(0).into());
        let price = mbo.price.get().map(Price);
        let add = |side, price| Event::Add {
            order_id,
            side,
            price,
            qty,
        };
        let event = match (mbo.action.0, price, side_of(mbo.side)) {
            (action::ADD, Some(price), Some(side)) => add(side, price),
            (action::MODIFY, Some(price), Some(side)) if !handler.rests(order_id) => {
                add(side, price)
            }
            (action::MODIFY, Some(price), _) => Event::Amend {
                order_id,
                price,
                qty,
            },
            (action::CANCEL, _, _) => Event::Reduce { order_id, qty },
            (action::CLEAR, _, _) => Event::Clear,
            (action::TRADE, Some(price), aggressor) => Event::Trade {
                aggressor,
                price,
                qty,
                match_id: place.stamp.seq,
            },
            _ => {
                self.settle(place, handler);
                return;
            }
        };
        if let Some(price) = price {
            self.learn_decimals(place.market, price, handler);
        }
        handler.event(place.id, place.stamp, &event, place.is_last);
    }

    /// An order record that stands for a whole level, or for the best one.
    fn aggregate(&mut self, place: Place, mbo: &Mbo, handler: &mut impl Handler) {
        let Some(side) = side_of(mbo.side) else {
            self.settle(place, handler);
            return;
        };
        let price = mbo.price.get().map(Price);
        let is_gone = mbo.action.0 == action::CANCEL;
        let qty = Qty(u64::from(if is_gone {
            0
        } else {
            mbo.size.get().unwrap_or(0)
        }));
        let quote = price.map(|price| Quote { price, qty });
        let mut emit = |event: &Event| handler.event(place.id, place.stamp, event, false);
        if mbo.flags & flag::TOB != 0 {
            let best = quote.filter(|quote| quote.qty.0 > 0);
            let quotes = &mut self.markets[place.market].quotes;
            quotes.replace(side, best.into_iter(), &mut emit);
        } else if let Some(Quote { price, qty }) = quote {
            emit(&Event::Level { side, price, qty });
        }
        self.settle(place, handler);
    }

    fn other(&mut self, record: Record<'_>, handler: &mut impl Handler) {
        match record {
            Record::Trade(trade) => {
                let ts_recv = trade.ts_recv.get();
                let seq = trade.sequence.get();
                let place = self.place(&trade.header, ts_recv, seq, trade.flags, handler);
                self.print(
                    place,
                    (trade.price.get(), trade.size.get(), trade.side),
                    handler,
                );
            }
            Record::Mbp1(mbp) => {
                let ts_recv = mbp.ts_recv.get();
                let place =
                    self.place(&mbp.header, ts_recv, mbp.sequence.get(), mbp.flags, handler);
                let print = (mbp.price.get(), mbp.size.get(), mbp.side);
                self.depth(place, mbp.flags, mbp.action, print, &mbp.levels, handler);
            }
            Record::Mbp10(mbp) => {
                let ts_recv = mbp.ts_recv.get();
                let place =
                    self.place(&mbp.header, ts_recv, mbp.sequence.get(), mbp.flags, handler);
                let print = (mbp.price.get(), mbp.size.get(), mbp.side);
                self.depth(place, mbp.flags, mbp.action, print, &mbp.levels, handler);
            }
            Record::Cmbp1(mbp) => {
                let ts_recv = mbp.ts_recv.get();
                let place = self.place(&mbp.header, ts_recv, 0, mbp.flags, handler);
                let print = (mbp.price.get(), mbp.size.get(), mbp.side);
                self.depth(place, mbp.flags, mbp.action, print, &mbp.levels, handler);
            }
            Record::Bbo(bbo) => {
                let seq = bbo.sequence.get();
                let place = self.interval(&bbo.header, bbo.ts_recv.get(), seq, handler);
                self.quotes(place, &bbo.levels, handler);
            }
            Record::Cbbo(bbo) => {
                let place = self.interval(&bbo.header, bbo.ts_recv.get(), 0, handler);
                self.quotes(place, &bbo.levels, handler);
            }
            record => self.reference(record, handler),
        }
    }

    /// Records of an instrument beside its book.
    fn reference(&mut self, record: Record<'_>, handler: &mut impl Handler) {
        if let Some(mapping) = record.symbol_mapping() {
            let number = record.header().instrument_id.get();
            self.names.learn(number, mapping.stype_out_symbol());
            self.forget(number);
            return;
        }
        match record {
            Record::Status(status) => self.status(status, handler),
            Record::Imbalance(imbalance) => self.imbalance(imbalance, handler),
            Record::StatisticsV1(stat) => {
                let at = (&stat.header, stat.ts_recv.get(), stat.sequence.get());
                self.statistic(at, stat.stat_type.get(), stat.price.get(), handler);
            }
            Record::StatisticsV3(stat) => {
                let at = (&stat.header, stat.ts_recv.get(), stat.sequence.get());
                self.statistic(at, stat.stat_type.get(), stat.price.get(), handler);
            }
            Record::ErrorV2(error) => {
                self.unread += 1;
                if error.code.get() == Some(SKIPPED_RECORDS) {
                    handler.lost();
                }
            }
            _ if record.definition().is_some() => self.definition(record, handler),
            _ => self.unread += 1,
        }
    }

    fn definition(&mut self, record: Record<'_>, handler: &mut impl Handler) {
        let Some(definition) = record.definition() else {
            return;
        };
        let header = record.header();
        let number = header.instrument_id.get();
        let ts_recv = recv_of(record);
        if self.names.find(number, ts_recv.unwrap_or(0)).is_none() {
            self.names.learn(number, definition.raw_symbol());
            self.forget(number);
        }
        let place = self.place(header, ts_recv, 0, flag::LAST, handler);
        if let Some(tick) = definition.min_price_increment() {
            self.learn_decimals(place.market, Price(tick), handler);
        }
        handler.terms(place.id, &terms_of(definition));
        let band = Band {
            lower: definition.low_limit_price().map(Price),
            upper: definition.high_limit_price().map(Price),
        };
        if band.lower.is_some() || band.upper.is_some() {
            handler.event(place.id, place.stamp, &Event::Band(band), true);
        } else {
            handler.settle(place.id, place.stamp);
        }
    }

    fn statistic(
        &mut self,
        (header, ts_recv, seq): (&wire::dbn::Header, Option<u64>, u32),
        kind: u16,
        price: Option<i64>,
        handler: &mut impl Handler,
    ) {
        let place = self.place(header, ts_recv, seq, flag::LAST, handler);
        let quotes = &mut self.markets[place.market].quotes;
        match kind {
            UPPER_LIMIT => quotes.band.upper = price.map(Price),
            LOWER_LIMIT => quotes.band.lower = price.map(Price),
            _ => {
                self.unread += 1;
                handler.settle(place.id, place.stamp);
                return;
            }
        }
        let event = Event::Band(quotes.band);
        handler.event(place.id, place.stamp, &event, true);
    }

    fn status(&mut self, status: &Status, handler: &mut impl Handler) {
        let place = self.place(&status.header, status.ts_recv.get(), 0, flag::LAST, handler);
        let short_sale = match status.is_short_sell_restricted.0 {
            b'Y' => Some(ShortSale::Restricted),
            b'N' => Some(ShortSale::Free),
            _ => None,
        };
        let mut emit = |event: &Event| handler.event(place.id, place.stamp, event, true);
        if let Some(short_sale) = short_sale {
            emit(&Event::ShortSale(short_sale));
        }
        if let Some(state) = state_of(status) {
            let reason = reason_of(status.reason.get());
            emit(&Event::State { state, reason });
        }
        handler.settle(place.id, place.stamp);
    }

    fn imbalance(&mut self, told: &Imbalance, handler: &mut impl Handler) {
        let place = self.place(&told.header, told.ts_recv.get(), 0, flag::LAST, handler);
        let qty = |size: &wire::dbn::Size| Qty(size.get().unwrap_or(0).into());
        let price = |price: &wire::dbn::Price| price.get().filter(|units| *units > 0).map(Price);
        let event = Event::Imbalance(event::Imbalance {
            auction: match told.auction_type.0 {
                b'O' => Some(Auction::Opening),
                b'C' => Some(Auction::Closing),
                b'H' | b'R' => Some(Auction::Reopening),
                _ => None,
            },
            paired: qty(&told.paired_qty),
            unpaired: qty(&told.total_imbalance_qty),
            side: side_of(told.side),
            reference: price(&told.ref_price),
            near: price(&told.cont_book_clr_price),
            far: price(&told.auct_interest_clr_price),
        });
        handler.event(place.id, place.stamp, &event, true);
        let edges = (
            price(&told.ref_price),
            price(&told.lower_collar),
            price(&told.upper_collar),
        );
        if let (Some(reference), Some(lower), Some(upper)) = edges {
            let event = Event::Collar(Collar {
                reference,
                lower,
                upper,
                extensions: told.num_extensions.into(),
            });
            handler.event(place.id, place.stamp, &event, true);
        }
    }

    /// A record with levels: a print if it is one, and the book.
    fn depth<L: Both>(
        &mut self,
        place: Place,
        flags: u8,
        action: Code,
        print: (Option<i64>, Option<u32>, Code),
        levels: &[L],
        handler: &mut impl Handler,
    ) {
        self.trust(place, flags, action, handler);
        if action.0 == action::TRADE {
            self.print(
                Place {
                    is_last: false,
                    ..place
                },
                print,
                handler,
            );
        }
        self.quotes(place, levels, handler);
    }

    fn print(
        &mut self,
        place: Place,
        (price, size, side): (Option<i64>, Option<u32>, Code),
        handler: &mut impl Handler,
    ) {
        let (Some(price), Some(size)) = (price, size) else {
            self.settle(place, handler);
            return;
        };
        self.learn_decimals(place.market, Price(price), handler);
        let event = Event::Trade {
            aggressor: side_of(side),
            price: Price(price),
            qty: Qty(size.into()),
            match_id: place.stamp.seq,
        };
        handler.event(place.id, place.stamp, &event, place.is_last);
    }

    /// The levels of both sides replace those before.
    fn quotes<L: Both>(&mut self, place: Place, levels: &[L], handler: &mut impl Handler) {
        if let Some(price) = levels.iter().find_map(|level| level.quote(Side::Bid)) {
            self.learn_decimals(place.market, price.price, handler);
        }
        let quotes = &mut self.markets[place.market].quotes;
        for side in [Side::Bid, Side::Ask] {
            let told = levels.iter().filter_map(|level| level.quote(side));
            quotes.replace(side, told, &mut |event| {
                handler.event(place.id, place.stamp, event, false);
            });
        }
        self.settle(place, handler);
    }

    fn settle(&self, place: Place, handler: &mut impl Handler) {
        if place.is_last {
            handler.settle(place.id, place.stamp);
        }
    }

    /// What the flags say of the book.
    fn trust(&mut self, place: Place, flags: u8, action: Code, handler: &mut impl Handler) {
        if flags & flag::MAYBE_BAD_BOOK != 0 {
            handler.set_flag(place.id, Integrity::Stale);
        } else if action.0 == action::CLEAR {
            self.markets[place.market].quotes.clear();
            handler.set_flag(place.id, Integrity::Ok);
        }
    }

    /// Of a record at the end of an interval, whose event time is its last trade's.
    fn interval(
        &mut self,
        header: &wire::dbn::Header,
        ts_recv: Option<u64>,
        seq: u32,
        handler: &mut impl Handler,
    ) -> Place {
        let mut place = self.place(header, ts_recv, seq, flag::LAST, handler);
        place.stamp.ts_event = place.stamp.ts_recv;
        place
    }

    #[inline]
    fn place(
        &mut self,
        header: &wire::dbn::Header,
        ts_recv: Option<u64>,
        seq: u32,
        flags: u8,
        handler: &mut impl Handler,
    ) -> Place {
        let ts_event = header.ts_event.get();
        let ts_recv = ts_recv.or(ts_event).unwrap_or(0);
        let key = (header.instrument_id.get(), header.publisher_id.get());
        let is_newest = self
            .markets
            .get(self.newest)
            .is_some_and(|market| market.key == key);
        if !is_newest {
            let found = self.markets.binary_search_by_key(&key, |market| market.key);
            self.newest = found.unwrap_or_else(|idx| self.open(idx, key, ts_recv, handler));
        }
        if ts_recv >= self.markets[self.newest].until_ns {
            self.rename(self.newest, ts_recv, handler);
        }
        let stamp = Stamp {
            seq: seq.into(),
            ts_event: ts_event.unwrap_or(ts_recv),
            ts_recv,
        };
        let market = &mut self.markets[self.newest];
        let is_last = flags & flag::LAST != 0;
        // A change whose end was never said, as in a stream that left it out, ends at the next one.
        if let Some(open) = market.open
            && open.ts_event != stamp.ts_event
            && flags & flag::SNAPSHOT == 0
        {
            handler.settle(market.id, open);
        }
        market.open = (!is_last).then_some(stamp);
        Place {
            market: self.newest,
            id: market.id,
            stamp,
            is_last,
        }
    }

    #[cold]
    fn open(
        &mut self,
        idx: usize,
        key: (u32, u16),
        ts_recv: u64,
        handler: &mut impl Handler,
    ) -> usize {
        let publisher = self.publishers.iter().position(|&known| known == key.1);
        let publisher = publisher.unwrap_or_else(|| {
            self.publishers.push(key.1);
            self.publishers.len() - 1
        });
        let mut same_number = self.markets.iter().filter(|known| known.key.0 == key.0);
        let is_plain = !same_number.any(|known| known.is_plain);
        let market = Market {
            key,
            is_plain,
            open: None,
            id: InstrumentId(0),
            until_ns: 0,
            decimals: DECIMALS,
            order_salt: (publisher as u64).rotate_right(16),
            quotes: Quotes::default(),
        };
        self.markets.insert(idx, market);
        self.rename(idx, ts_recv, handler);
        idx
    }

    /// What the number means at this time: equity venues number anew each day.
    #[cold]
    fn rename(&mut self, idx: usize, ts_recv: u64, handler: &mut impl Handler) {
        let (number, publisher) = self.markets[idx].key;
        let (name, until_ns) = match self.names.find(number, ts_recv) {
            Some(name) => (name.symbol.clone(), name.until_ns),
            None => (number.to_string(), self.names.next_start(number, ts_recv)),
        };
        let name = if self.markets[idx].is_plain {
            name
        } else {
            format!("{name}@{publisher}")
        };
        let market = &mut self.markets[idx];
        market.until_ns = until_ns;
        market.id = handler.list(&name, market.decimals);
        market.quotes.clear();
    }

    /// A new name came for this number: it is looked up at the next record.
    fn forget(&mut self, number: u32) {
        for market in &mut self.markets {
            if market.key.0 == number {
                market.until_ns = 0;
            }
        }
    }

    #[inline]
    fn learn_decimals(&mut self, market: usize, price: Price, handler: &mut impl Handler) {
        if price.0 % 10_000_000 != 0 {
            self.learn_digits(market, price, handler);
        }
    }

    fn learn_digits(&mut self, market: usize, price: Price, handler: &mut impl Handler) {
        let (mut digits, mut units) = (9, price.0);
        while digits > 0 && units % 10 == 0 {
            units /= 10;
            digits -= 1;
        }
        if digits > self.markets[market].decimals {
            self.markets[market].decimals = digits;
            let ts_recv = self.markets[market].until_ns.saturating_sub(1);
            let quotes = std::mem::take(&mut self.markets[market].quotes);
            self.rename(market, ts_recv, handler);
            self.markets[market].quotes = quotes;
        }
    }
}

/// Levels that have both sides.
trait Both {
    fn quote(&self, side: Side) -> Option<Quote>;
}

fn quote_of(price: Option<i64>, size: u32) -> Option<Quote> {
    let qty = Qty(size.into());
    price.filter(|_| size > 0).map(|units| Quote {
        price: Price(units),
        qty,
    })
}

impl Both for BidAsk {
    fn quote(&self, side: Side) -> Option<Quote> {
        match side {
            Side::Bid => quote_of(self.bid_px.get(), self.bid_sz.get()),
            Side::Ask => quote_of(self.ask_px.get(), self.ask_sz.get()),
        }
    }
}

impl Both for ConsolidatedBidAsk {
    fn quote(&self, side: Side) -> Option<Quote> {
        match side {
            Side::Bid => quote_of(self.bid_px.get(), self.bid_sz.get()),
            Side::Ask => quote_of(self.ask_px.get(), self.ask_sz.get()),
        }
    }
}

fn side_of(code: Code) -> Option<Side> {
    match code.0 {
        b'B' => Some(Side::Bid),
        b'A' => Some(Side::Ask),
        _ => None,
    }
}

/// The smallest order is not a multiple that is asked for, so that no lot is told.
fn terms_of(definition: Definition<'_>) -> Terms {
    let round_lot = definition.min_lot_size_round_lot();
    let round_lot = round_lot.and_then(|lot| u64::try_from(lot).ok());
    Terms {
        tick_size: definition.min_price_increment().map(Price),
        lot_size: None,
        round_lot: round_lot.filter(|lot| *lot > 0).map(Qty),
        currency: Terms::currency_of(definition.currency()),
    }
}

/// When Databento received a record, or else when the venue made it, ns UTC; `None` for bytes that
/// are no record, or say neither. Recordings are paced by it.
#[must_use]
pub fn time_of(bytes: &[u8]) -> Option<u64> {
    let record = wire::dbn::decode(bytes).ok()?;
    recv_of(record).or_else(|| record.header().ts_event.get())
}

/// When Databento received a record, whatever its layout.
fn recv_of(record: Record<'_>) -> Option<u64> {
    let mut ts_recv = None;
    record.fields(|name, _, value| {
        if let ("ts_recv", Field::Unsigned(ns)) = (name, value) {
            ts_recv = Some(ns);
        }
    });
    ts_recv
}

/// `None`: the record says nothing of the trading state.
fn state_of(status: &Status) -> Option<TradingState> {
    Some(match status.action.get() {
        status_action::TRADING => TradingState::Trading,
        status_action::HALT | status_action::SUSPEND => TradingState::Halted,
        status_action::PAUSE => TradingState::Paused,
        status_action::PRE_OPEN
        | status_action::PRE_CROSS
        | status_action::QUOTING
        | status_action::CROSS
        | status_action::ROTATION
        | status_action::NEW_PRICE_INDICATION => TradingState::QuotationOnly,
        status_action::CLOSE | status_action::POST_CLOSE | status_action::NOT_AVAILABLE => {
            TradingState::Unknown
        }
        // Anything else leaves it to the plain answer, where there is one.
        _ => match (status.is_trading.0, status.is_quoting.0) {
            (b'Y', _) => TradingState::Trading,
            (b'N', b'Y') => TradingState::QuotationOnly,
            _ => return None,
        },
    })
}

/// Databento's number of the reason, in digits.
fn reason_of(reason: u16) -> [u8; 4] {
    let mut text = [b' '; 4];
    if reason == 0 || reason > 9_999 {
        return text;
    }
    let (mut rest, mut at) = (reason, reason.ilog10() as usize + 1);
    while rest > 0 {
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    text
}
