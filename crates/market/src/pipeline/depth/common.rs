//! What every venue's part does with its events: instruments, books, prints, flags.

use super::super::config::PipelineConfig;
use super::super::event::EventPipeline;
use crate::book::{LevelBook, Reject};
use crate::event::{Event, InstrumentId, Price, Qty, Side, Stamp};
use crate::feed::SyncState;
use crate::publish::Integrity;

/// Streams of one connection are not in order with each other: a difference may come a little
/// before trades that are older. Trades move event time; differences only show that it passes.
const BOOK_LAG_NS: u64 = 1_000_000_000;
/// Decimals of a quantity in every venue's texts.
const QTY_DECIMALS: u8 = 8;
/// Decimals in which prices are shown until prices show more.
const PRICE_DECIMALS: u8 = 2;

#[derive(Clone, Copy, Debug)]
struct Market {
    stamp: Stamp,
    price_decimals: u8,
}

/// A trade as a venue reports it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Print {
    pub(super) price_e9: i64,
    pub(super) qty_e8: i64,
    pub(super) aggressor: Side,
    pub(super) match_id: u64,
}

#[derive(Debug)]
pub(super) struct Common {
    pub(super) events: EventPipeline,
    markets: Vec<Market>,
    pub(super) unread: u64,
    pub(super) last_seq: u64,
    pub(super) refusal: Option<String>,
    book_lag_ns: u64,
}

impl Common {
    pub(super) fn new(config: &PipelineConfig) -> Self {
        let book_lag_ns = config.book_lag_ns.max(BOOK_LAG_NS);
        // No feed of levels has orders.
        let config = PipelineConfig {
            book_lag_ns,
            orders_limit: 0,
            ..config.clone()
        };
        Self {
            events: EventPipeline::new(&config),
            markets: Vec::with_capacity(config.instruments_limit),
            unread: 0,
            last_seq: 0,
            refusal: None,
            book_lag_ns,
        }
    }

    /// The instrument of this name; `open` starts the translator's part of a new one.
    pub(super) fn instrument(
        &mut self,
        symbol: &str,
        open: impl FnOnce() -> InstrumentId,
    ) -> InstrumentId {
        if let Some(id) = self.events.find(symbol) {
            return id;
        }
        let id = self.events.list(symbol, QTY_DECIMALS, PRICE_DECIMALS);
        let opened = open();
        assert_eq!(id, opened, "both number instruments as they come");
        self.markets.push(Market {
            stamp: Stamp::default(),
            price_decimals: PRICE_DECIMALS,
        });
        self.events.flag(id, Integrity::Recovering);
        id
    }

    /// Lets time pass by a book's message.
    pub(super) fn observe_book(&mut self, ts_event: u64, ts_recv: u64) {
        let lagging = ts_event.saturating_sub(self.book_lag_ns);
        self.events.observe(lagging, ts_recv);
    }

    /// Applies one event of a change of a book; [`Common::settle`] ends the change.
    pub(super) fn part(&mut self, id: InstrumentId, stamp: Stamp, event: &Event) {
        if let Event::Level { price, .. } = *event
            && price.0 % 10_000_000 != 0
        {
            let market = &mut self.markets[id.0 as usize];
            market.price_decimals = market.price_decimals.max(digits_of(price));
        }
        self.markets[id.0 as usize].stamp = stamp;
        let outcome: Result<(), Reject> = self.events.apply_part(id, stamp, event);
        debug_assert!(outcome.is_ok(), "levels fit a book of levels");
    }

    /// The change is whole; the book's flag is that of its chain.
    pub(super) fn settle(&mut self, id: InstrumentId, state: SyncState) {
        self.flag(id, state);
        let market = self.markets[id.0 as usize];
        self.events.settle(id, market.stamp);
        self.last_seq = market.stamp.seq;
        let shown = self.events.instruments()[id.0 as usize];
        if market.price_decimals > shown.price_decimals {
            self.events.show_decimals(id, market.price_decimals);
        }
    }

    /// Empties a book whose chain broke.
    pub(super) fn void(&mut self, id: InstrumentId, stamp: Stamp) {
        self.part(id, stamp, &Event::Clear);
    }

    pub(super) fn flag(&mut self, id: InstrumentId, state: SyncState) {
        let integrity = match state {
            SyncState::Waiting => Integrity::Recovering,
            SyncState::DiffsOnly => Integrity::Stale,
            SyncState::Synced => Integrity::Ok,
        };
        self.events.set_flag(id, integrity);
    }

    pub(super) fn flag_states(&mut self, state: impl Fn(InstrumentId) -> SyncState) {
        for idx in 0..self.markets.len() {
            let id = InstrumentId(idx as u32);
            self.flag(id, state(id));
        }
    }

    pub(super) fn print(&mut self, id: InstrumentId, stamp: Stamp, print: &Print) {
        self.events.observe(stamp.ts_event, stamp.ts_recv);
        let qty = u64::try_from(print.qty_e8).unwrap_or(0);
        if qty == 0 {
            return;
        }
        let trade = Event::Trade {
            aggressor: Some(print.aggressor),
            price: Price(print.price_e9),
            qty: Qty(qty),
            match_id: print.match_id,
        };
        let outcome = self.events.apply_part(id, stamp, &trade);
        debug_assert!(outcome.is_ok(), "a print changes no book");
        // The book's stamp stays that of its last change.
        self.events.settle(id, self.markets[id.0 as usize].stamp);
    }

    pub(super) fn book(&self, id: InstrumentId) -> Option<&LevelBook> {
        self.events.level_book(id)
    }

    pub(super) fn last_update(&self, id: InstrumentId) -> u64 {
        let market = self.markets.get(id.0 as usize);
        market.map_or(0, |market| market.stamp.seq)
    }

    /// The venue refused a request.
    #[cold]
    pub(super) fn refused(&mut self, words: &str) {
        self.refusal = Some(words.to_owned());
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
