//! What is known of every symbol beside its book, and the steps that read events: windows,
//! signals, publisher.

use std::sync::Arc;

use super::config::{JumpPrice, PipelineConfig};
use super::snapshot::{Holes, over, told_idx};
use super::trade::Trade;
use super::wider::{Around, Wider};
use crate::book::Applied;
use crate::event::{
    Event, InstrumentId, LimitState, Price, Stamp, Terms, TradingState, VenueEvent,
};
use crate::publish::{
    Amendment, AmendmentKind, Integrity, Lost, Publisher, Quote, Refreshed, Signal, SignalKind,
    SymbolStatus, TradePrint, VenueStatus,
};
use crate::reference::Table;
use crate::signal::{JumpDetector, TradingWatch};
use crate::window::{BarBuilder, Depths, EventClock, LateCount, Print, SlidingVwap};

/// One symbol's newest facts. What every message changes is in the first cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Symbol {
    pub(super) stamp: Stamp,
    /// Event time before which prints may be missing.
    lost_until_ns: u64,
    watch: TradingWatch,
    flag: Integrity,
    pub(super) last: Option<TradePrint>,
}

impl Symbol {
    pub(super) fn state(&self) -> TradingState {
        self.watch.state()
    }

    /// The symbol's own flag.
    pub(super) fn flag(&self) -> Integrity {
        self.flag
    }

    /// A crossed book in continuous trading cannot be right. Feeds without states trade always.
    pub(super) fn integrity(&self, feed: Integrity, is_crossed: bool) -> Integrity {
        let trades = matches!(self.state(), TradingState::Trading | TradingState::Unknown);
        let crossed = if is_crossed && trades {
            Integrity::Suspect
        } else {
            Integrity::Ok
        };
        self.flag.max(feed).max(crossed)
    }
}

#[derive(Debug)]
pub(super) struct Board {
    pub(super) symbols: Vec<Symbol>,
    /// Beside the symbols, since few events touch them.
    statuses: Vec<SymbolStatus>,
    venue: VenueStatus,
    pub(super) publisher: Publisher,
    /// Flag of the whole feed: ok, or stale after a loss until the books are refreshed.
    lasting: Integrity,
    /// Numbers of the newest state, short-sale test and operational halt that the feed itself told.
    told: Vec<[u64; 3]>,
    /// Where prints of any symbol may be missing.
    holes: Holes,
    /// Where prints of one symbol may be missing: from its first flag to its refresh.
    suspicions: Vec<Option<(u64, u64)>>,
    signal_memory_ns: u64,
    has_gap: bool,
    is_held: bool,
    is_cut: bool,
    /// Event time before which prints of any symbol may be missing.
    lost_until_ns: u64,
    is_silent: bool,
    clock: EventClock,
    bars: BarBuilder,
    vwap: SlidingVwap,
    jumps: JumpDetector,
    jump_price: JumpPrice,
    /// What a pipeline was asked for beyond bars, VWAP, jumps and halts.
    wider: Option<Box<Wider>>,
    window_due_ns: u64,
    states_due_ns: u64,
    now_ns: u64,
    amendments: u64,
    growths: u64,
    books_interval_ns: u64,
    books_at_ns: Option<u64>,
    status_interval_ns: u64,
    status_at_ns: Option<u64>,
}

impl Board {
    pub(super) fn new(config: &PipelineConfig) -> Self {
        let limit = config.instruments_limit;
        let lateness_ns = config.lateness_held_ns();
        let (length_ns, step_ns) = (config.vwap_length_ns, config.vwap_step_ns);
        let mut publisher = Publisher::new(limit, config.queue_limit);
        Self {
            symbols: Vec::with_capacity(limit),
            statuses: Vec::with_capacity(limit),
            venue: VenueStatus::default(),
            wider: Wider::new(config, &mut publisher),
            publisher,
            lasting: Integrity::Ok,
            told: Vec::with_capacity(limit),
            holes: Holes::default(),
            suspicions: Vec::with_capacity(limit),
            signal_memory_ns: config.signal_memory_ns,
            has_gap: false,
            is_held: false,
            is_cut: false,
            lost_until_ns: 0,
            is_silent: false,
            clock: EventClock::new(lateness_ns, config.quiet_ns),
            bars: BarBuilder::new(limit, &config.bar_ns),
            vwap: SlidingVwap::new(limit, length_ns, step_ns, lateness_ns),
            jumps: JumpDetector::new(limit, config.jump),
            jump_price: config.jump_price,
            window_due_ns: 0,
            states_due_ns: config.state_step_ns.map_or(u64::MAX, |_| 0),
            now_ns: 0,
            amendments: 0,
            growths: 0,
            books_interval_ns: config.book_interval_ns,
            books_at_ns: None,
            status_interval_ns: config.status_interval_ns,
            status_at_ns: None,
        }
    }

    /// A new or renamed instrument.
    #[cold]
    pub(super) fn listed(&mut self, id: InstrumentId, symbol: [u8; 16]) {
        let count = id.0 as usize + 1;
        if count > self.symbols.len() {
            self.growths += u64::from(count > self.symbols.capacity());
            self.symbols.resize(count, Symbol::default());
            self.suspicions.resize(count, None);
            self.told.resize(count, [0; 3]);
            for idx in self.statuses.len()..count {
                self.statuses.push(SymbolStatus {
                    instrument: InstrumentId(idx as u32),
                    ..SymbolStatus::default()
                });
            }
            let grew = self.publisher.reserve(count)
                | self.bars.reserve(count)
                | self.vwap.reserve(count)
                | self.jumps.reserve(count);
            self.growths += u64::from(grew);
        }
        if let Some(wider) = &mut self.wider {
            self.growths += u64::from(wider.listed(id, symbol, &mut self.publisher));
        }
        self.publisher.mark_instrument(id);
    }

    /// The feed's own directory said something new of an instrument.
    #[cold]
    pub(super) fn terms(&mut self, id: InstrumentId, symbol: [u8; 16], terms: &Terms) {
        if let Some(wider) = &mut self.wider {
            self.growths += u64::from(wider.terms(id, symbol, terms));
        }
        self.publisher.mark_instrument(id);
    }

    /// Ignored where the configuration has no place for reference data.
    pub(super) fn swap_reference(&mut self, table: Arc<Table>) {
        if let Some(wider) = &mut self.wider {
            wider.swap_reference(table);
        }
    }

    /// Every event passes here once, in feed order. True: market states are due, and whoever holds the
    /// books is to call [`Board::close_states`].
    #[inline]
    #[must_use]
    pub(super) fn observe(&mut self, ts_event: u64, ts_recv: u64) -> bool {
        self.now_ns = self.now_ns.max(ts_recv);
        if self.is_cut {
            self.mend(ts_event);
        }
        let watermark = self.clock.observe(ts_event, ts_recv);
        let is_due = watermark >= self.window_due_ns;
        if is_due {
            self.pass(watermark);
        }
        is_due && self.states_due_ns <= watermark
    }

    /// Closes the market states that are due. `depths` reads a book.
    #[cold]
    #[inline(never)]
    pub(super) fn close_states(&mut self, depths: impl FnMut(InstrumentId) -> Depths) {
        let feed = self.feed_integrity();
        let watermark = self.clock.watermark();
        let known_ns = watermark.max(self.latest_event());
        let Some(wider) = &mut self.wider else {
            return;
        };
        let mut around = Around {
            symbols: &self.symbols,
            feed,
            now_ns: self.now_ns,
            publisher: &mut self.publisher,
        };
        wider.close_states((watermark, known_ns), depths, &mut around);
        self.states_due_ns = wider.states_end_ns();
        self.window_due_ns = self.window_due_ns.min(self.states_due_ns);
    }

    /// Event time stands still in silence while held.
    pub(super) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// The line is cut: prints are missing from now to the next event.
    pub(super) fn cut(&mut self) {
        self.is_cut = true;
    }

    #[cold]
    fn mend(&mut self, ts_event: u64) {
        self.is_cut = false;
        self.lost_until_ns = self.lost_until_ns.max(ts_event);
    }

    /// Prints of one symbol are missing before `until_ns`.
    pub(super) fn lost(&mut self, id: InstrumentId, until_ns: u64) {
        if let Some(symbol) = self.symbols.get_mut(id.0 as usize) {
            symbol.lost_until_ns = symbol.lost_until_ns.max(until_ns);
        }
    }

    /// A book changed; `near` the touch or not.
    #[inline]
    pub(super) fn touched(&mut self, id: InstrumentId, stamp: Stamp, near: bool) {
        self.symbols[id.0 as usize].stamp = stamp;
        if near {
            self.publisher.mark_book(id);
        }
    }

    /// What an event that its book has taken means for the steps behind, beside the change of the
    /// book itself, which [`Board::touched`] tells.
    pub(super) fn applied(
        &mut self,
        id: InstrumentId,
        stamp: Stamp,
        event: &Event,
        applied: Applied,
    ) {
        if let Some(trade) = Trade::of(event, applied.execution) {
            self.print(id, stamp, trade);
        }
        if let Some(idx) = told_idx(event) {
            self.told[id.0 as usize][idx] = stamp.seq;
        }
        self.fact(id, stamp, event);
    }

    /// A trade, and a look at its price where the last price is the one watched for jumps.
    pub(super) fn print(&mut self, id: InstrumentId, stamp: Stamp, trade: Trade) {
        self.trade(id, stamp, trade);
        if self.jump_price == JumpPrice::Last {
            self.price(id, stamp, trade.price);
        }
    }

    /// Whether [`Board::quoted`] does anything.
    #[inline]
    pub(super) fn wants_quotes(&self) -> bool {
        self.jump_price == JumpPrice::Mid || self.wider.is_some()
    }

    /// The touch of a book that changed near it, after what the same message printed: read only
    /// where its middle is watched for jumps, or a window wants it.
    #[inline]
    pub(super) fn quoted(
        &mut self,
        id: InstrumentId,
        stamp: Stamp,
        quote: impl FnOnce() -> Option<Quote>,
    ) {
        if !self.wants_quotes() {
            return;
        }
        let is_watched = self.jump_price == JumpPrice::Mid;
        let Some(mut quote) = quote() else {
            return;
        };
        quote.since_ns = stamp.ts_event;
        let integrity = self.integrity(id);
        if let Some(wider) = &mut self.wider {
            wider.quote(id, &quote, integrity);
        }
        if let Some(mid) = quote.mid().filter(|_| is_watched) {
            self.price(id, stamp, mid);
        }
    }

    fn trade(&mut self, id: InstrumentId, stamp: Stamp, trade: Trade) {
        let integrity = self.integrity(id);
        let print = TradePrint {
            instrument: id,
            stamp,
            price: trade.price,
            qty: trade.qty,
            aggressor: trade.aggressor,
            cross: trade.cross,
            match_id: trade.match_id,
            integrity,
        };
        self.symbols[id.0 as usize].last = Some(print);
        self.publisher.trade(&print);
        self.publisher.mark_book(id);
        if self.wider.is_some() {
            self.wider_print(&print);
        }
        let print = Print {
            instrument: id,
            ts_event: stamp.ts_event,
            price: trade.price,
            qty: trade.qty,
        };
        // Nothing is due before `window_due_ns`: the event's own time was observed before it.
        self.bars.raise(self.clock.watermark());
        self.bars.add(&print, integrity);
        self.vwap.add(&print, integrity);
        self.window_due_ns = self.window_due_ns.min(self.bars.next_end_ns());
    }

    fn wider_print(&mut self, print: &TradePrint) {
        let feed = self.feed_integrity();
        let Some(wider) = &mut self.wider else {
            return;
        };
        wider.print(
            print,
            Around {
                symbols: &self.symbols,
                feed,
                now_ns: self.now_ns,
                publisher: &mut self.publisher,
            },
        );
        self.window_due_ns = self.window_due_ns.min(wider.next_end_ns());
    }

    /// Looks whether a price jumped.
    #[inline]
    pub(super) fn price(&mut self, id: InstrumentId, stamp: Stamp, price: Price) {
        if let Some(kind) = self.jumps.update(id, stamp.ts_event, price) {
            self.signal(id, stamp, kind);
        }
    }

    /// Takes a fact that changes neither a book nor a window: states, auctions, limits, amended
    /// prints. Everything else is none of its business.
    fn fact(&mut self, id: InstrumentId, stamp: Stamp, event: &Event) {
        match *event {
            Event::Bust { match_id } => self.amend(id, stamp, match_id, AmendmentKind::Bust),
            Event::Correction {
                match_id,
                price,
                qty,
            } => self.amend(
                id,
                stamp,
                match_id,
                AmendmentKind::Correction { price, qty },
            ),
            Event::State { state, reason } => self.state(id, stamp, state, reason),
            Event::Imbalance(imbalance) => {
                self.change(id, stamp, |status| status.imbalance = Some(imbalance));
            }
            Event::Official(official) => {
                self.change(id, stamp, |status| status.set_official(official));
            }
            Event::Collar(collar) => {
                self.change(id, stamp, |status| status.collar = Some(collar));
            }
            Event::Band(band) => self.change(id, stamp, |status| status.band = Some(band)),
            Event::Limit(limit) => self.change(id, stamp, |status| status.limit = limit),
            Event::ShortSale(test) => {
                self.change(id, stamp, |status| status.short_sale = Some(test));
            }
            Event::OperationalHalt { is_halted } => {
                self.change(id, stamp, |status| status.operational_halt = is_halted);
            }
            // An auction that printed has no imbalance any more.
            Event::Cross { .. } => self.change(id, stamp, |status| status.imbalance = None),
            _ => {}
        }
    }

    /// Takes a fact about the whole market.
    pub(super) fn venue_fact(&mut self, stamp: Stamp, event: VenueEvent) {
        self.venue.stamp = stamp;
        match event {
            VenueEvent::Phase(phase) => self.venue.phase = Some(phase),
            VenueEvent::BreakerLevels(levels) => self.venue.breaker_levels = Some(levels),
            VenueEvent::Breaker { level } => {
                self.venue.breached = self.venue.breached.max(Some(level));
            }
        }
        self.publisher.venue(&self.venue);
    }

    fn state(&mut self, id: InstrumentId, stamp: Stamp, state: TradingState, reason: [u8; 4]) {
        let symbol = &mut self.symbols[id.0 as usize];
        symbol.stamp = stamp;
        let kind = symbol.watch.update(state, reason);
        self.publisher.mark_book(id);
        if let Some(kind) = kind {
            self.signal(id, stamp, kind);
        }
        self.change(id, stamp, |status| {
            (status.state, status.reason) = (state, reason);
            if state == TradingState::Trading {
                status.collar = None;
            }
        });
    }

    fn amend(&mut self, id: InstrumentId, stamp: Stamp, match_id: u64, kind: AmendmentKind) {
        self.amendments += 1;
        let integrity = self.integrity(id);
        self.publisher.amendment(&Amendment {
            instrument: id,
            stamp,
            match_id,
            kind,
            integrity,
        });
    }

    fn change(&mut self, id: InstrumentId, stamp: Stamp, change: impl FnOnce(&mut SymbolStatus)) {
        let integrity = self.integrity(id);
        if let Some(status) = self.statuses.get_mut(id.0 as usize) {
            change(status);
            (status.stamp, status.integrity) = (stamp, integrity);
            self.publisher.status(status);
            // A symbol that has nothing but a status shows its flag with its empty book.
            self.publisher.mark_book(id);
        }
    }

    /// Flags one symbol until it is refreshed or the session ends.
    pub(super) fn flag(&mut self, id: InstrumentId, integrity: Integrity) {
        if let Some(symbol) = self.symbols.get_mut(id.0 as usize) {
            let at = self.clock.latest_event().unwrap_or(0);
            let suspicion = &mut self.suspicions[id.0 as usize];
            suspicion.get_or_insert((at, u64::MAX)).1 = u64::MAX;
            symbol.flag = symbol.flag.max(integrity);
            self.publisher.mark_book(id);
        }
    }

    /// Replaces one symbol's flag.
    pub(super) fn set_flag(&mut self, id: InstrumentId, integrity: Integrity) {
        if let Some(symbol) = self.symbols.get_mut(id.0 as usize)
            && symbol.flag != integrity
        {
            let before = std::mem::replace(&mut symbol.flag, integrity);
            // What windows missed meanwhile stays missed until they have left it behind.
            if before > integrity {
                self.vwap.stain_now(id, before);
                if let Some(wider) = &mut self.wider {
                    wider.stain(id, before);
                }
            }
            self.publisher.mark_book(id);
            if integrity == Integrity::Ok
                && let Some((_, until @ u64::MAX)) = &mut self.suspicions[id.0 as usize]
            {
                *until = self.clock.latest_event().unwrap_or(0);
            }
        }
    }

    /// Flags all symbols, those to come included, until a refresh or the end of the session.
    pub(super) fn flag_all(&mut self, integrity: Integrity) {
        self.holes.open(self.clock.latest_event().unwrap_or(0));
        if integrity > self.lasting {
            self.lasting = integrity;
            self.mark_all();
        }
    }

    /// Messages `[from_seq, to_seq)` will never come: everything is stale, and the hole is told in
    /// place. What no snapshot brings back is unknown from here on.
    pub(super) fn lost_for_good(&mut self, from_seq: u64, to_seq: u64) {
        let after_ns = self.clock.latest_event().unwrap_or(0);
        self.publisher.lost(&Lost {
            from_seq,
            to_seq,
            after_ns,
        });
        self.flag_all(Integrity::Stale);
        for status in &mut self.statuses {
            (status.imbalance, status.collar, status.band) = (None, None, None);
            (status.limit, status.integrity) = (LimitState::Inside, Integrity::Stale);
            self.publisher.status(status);
        }
    }

    /// Every book is as of message `stamp.seq` again. Windows over the hole stay flagged, and so
    /// does the last print of each symbol until the next one: there may have been a newer.
    pub(super) fn refreshed(&mut self, stamp: Stamp) {
        let until_ns = stamp.ts_event;
        let hole = self.holes.close(until_ns);
        let was_lost = self.lasting == Integrity::Stale;
        self.lasting = Integrity::Ok;
        for idx in 0..self.symbols.len() {
            let id = InstrumentId(idx as u32);
            let before = self.integrity(id).max(if was_lost {
                Integrity::Stale
            } else {
                Integrity::Ok
            });
            self.vwap.stain_now(id, before);
            if let Some(wider) = &mut self.wider {
                wider.stain(id, before);
            }
            let symbol = &mut self.symbols[idx];
            symbol.flag = Integrity::Ok;
            symbol.stamp = stamp;
            if let Some((_, until @ u64::MAX)) = &mut self.suspicions[idx] {
                *until = until_ns;
            }
            if let Some(last) = symbol.last.as_mut().filter(|_| was_lost) {
                last.integrity = Integrity::Stale;
            }
            let status = &mut self.statuses[idx];
            status.integrity = Integrity::Ok;
            self.publisher.status(status);
        }
        self.publisher.refreshed(&Refreshed {
            seq: stamp.seq,
            after_ns: hole.map_or(until_ns, |(after_ns, _)| after_ns),
            until_ns,
        });
        self.mark_all();
    }

    /// The newest event time seen; 0 before the first.
    pub(super) fn latest_event(&self) -> u64 {
        self.clock.latest_event().unwrap_or(0)
    }

    /// A state as a snapshot tells it, unless the feed has told a newer one. Signals say what
    /// changed meanwhile.
    pub(super) fn snapshot_fact(&mut self, id: InstrumentId, stamp: Stamp, event: &Event) {
        let told = told_idx(event).map(|idx| self.told[id.0 as usize][idx]);
        if told.is_some_and(|seq| seq <= stamp.seq) {
            self.fact(id, stamp, event);
        }
    }

    /// Neither line speaks, or one does again.
    pub(super) fn set_silent(&mut self, is_silent: bool) {
        self.is_silent = is_silent;
        self.mark_all();
    }

    pub(super) fn set_gap(&mut self, has_gap: bool) {
        self.has_gap = has_gap;
        if !has_gap {
            self.publisher.mark_flagged();
        }
        self.publisher.mark_feed();
    }

    /// Every book is to be sent again: its flag changed.
    pub(super) fn mark_all(&mut self) {
        for idx in 0..self.symbols.len() {
            self.publisher.mark_book(InstrumentId(idx as u32));
        }
        self.publisher.mark_feed();
    }

    /// The feed's own part of every symbol's integrity.
    pub(super) fn feed_integrity(&self) -> Integrity {
        let gap = if self.has_gap || self.is_silent {
            Integrity::Recovering
        } else {
            Integrity::Ok
        };
        self.lasting.max(gap)
    }

    pub(super) fn integrity(&self, id: InstrumentId) -> Integrity {
        self.symbols[id.0 as usize].flag.max(self.feed_integrity())
    }

    /// A new session: everything but names is void. Open bars are closed first.
    pub(super) fn reset(&mut self) {
        self.flush();
        self.lasting = Integrity::Ok;
        self.has_gap = false;
        (self.is_held, self.is_cut, self.lost_until_ns) = (false, false, 0);
        self.is_silent = false;
        self.holes = Holes::default();
        self.suspicions.fill(None);
        self.told.fill([0; 3]);
        self.symbols.fill(Symbol::default());
        for status in &mut self.statuses {
            let instrument = status.instrument;
            *status = SymbolStatus {
                instrument,
                ..SymbolStatus::default()
            };
            self.publisher.status(status);
        }
        self.venue = VenueStatus::default();
        self.publisher.venue(&self.venue);
        self.clock.clear();
        self.bars.clear();
        self.vwap.clear();
        self.jumps.clear();
        if let Some(wider) = &mut self.wider {
            wider.clear();
        }
        self.window_due_ns = 0;
        self.states_due_ns = self
            .wider
            .as_ref()
            .map_or(u64::MAX, |wider| wider.states_end_ns());
        self.mark_all();
    }

    /// Closes all bars, for the end of a session.
    pub(super) fn flush(&mut self) {
        let feed = self.feed_integrity();
        let (symbols, publisher) = (&self.symbols, &mut self.publisher);
        let (holes, suspicions) = (&self.holes, &self.suspicions);
        self.bars.flush(|mut bar| {
            let flag = symbols[bar.instrument.0 as usize].flag;
            let suspicion = suspicions.get(bar.instrument.0 as usize);
            let hole = over(holes, suspicion, bar.start_ns, bar.end_ns);
            bar.integrity = bar.integrity.max(flag).max(feed).max(hole);
            publisher.bar(&bar);
        });
        if let Some(wider) = &mut self.wider {
            wider.flush(&mut Around {
                symbols: &self.symbols,
                feed,
                now_ns: self.now_ns,
                publisher: &mut self.publisher,
            });
        }
    }

    /// Lets time pass; true as [`Board::observe`] says.
    #[must_use]
    pub(super) fn tick(&mut self, now_ns: u64) -> bool {
        self.tick_heard(now_ns, now_ns)
    }

    /// The same for a feed that confirms what is known: quiet event time runs no further than
    /// `heard_ns`, since behind a silence that nobody confirmed anything may have happened.
    #[must_use]
    pub(super) fn tick_heard(&mut self, now_ns: u64, heard_ns: u64) -> bool {
        self.now_ns = self.now_ns.max(now_ns);
        if self.has_gap || self.is_held {
            return false;
        }
        let watermark = self.clock.tick(now_ns.min(heard_ns));
        let is_due = watermark >= self.window_due_ns;
        if is_due {
            self.pass(watermark);
        }
        is_due && self.states_due_ns <= watermark
    }

    /// The status is due at the next publish, however new the last one is.
    pub(super) fn want_status(&mut self) {
        self.status_at_ns = None;
    }

    /// Whether books are due at this publish, and marks the status when it is due.
    pub(super) fn due(&mut self) -> bool {
        let now_ns = self.now_ns;
        let is_due = |at: Option<u64>, interval: u64| {
            at.is_none_or(|at| at.saturating_add(interval) <= now_ns)
        };
        if is_due(self.status_at_ns, self.status_interval_ns) {
            self.status_at_ns = Some(now_ns);
            self.publisher.mark_feed();
        }
        let books_due = is_due(self.books_at_ns, self.books_interval_ns);
        if books_due {
            self.books_at_ns = Some(now_ns);
        }
        books_due
    }

    pub(super) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    pub(super) fn late(&self) -> (LateCount, LateCount) {
        (self.bars.late(), self.vwap.late())
    }

    /// Prints and quotes that came too late for the measures.
    pub(super) fn late_measures(&self) -> LateCount {
        self.wider
            .as_ref()
            .map(|wider| wider.late())
            .unwrap_or_default()
    }

    pub(super) fn amendments(&self) -> u64 {
        self.amendments
    }

    pub(super) fn growths(&self) -> u64 {
        self.growths
    }

    fn signal(&mut self, id: InstrumentId, stamp: Stamp, kind: SignalKind) {
        // A move that is told again is no better than what was known when it began.
        let began_ns = kind.began_ns(stamp.ts_event);
        let from_ns = began_ns.saturating_sub(self.signal_memory_ns);
        let to_ns = stamp.ts_event.saturating_add(1);
        let suspicion = self.suspicions.get(id.0 as usize);
        let hole = over(&self.holes, suspicion, from_ns, to_ns);
        let signal = Signal {
            instrument: id,
            stamp,
            kind,
            integrity: self.integrity(id).max(hole),
        };
        self.publisher.signal(&signal);
    }

    /// Closes and emits what the watermark has reached.
    fn pass(&mut self, watermark: u64) {
        let feed = self.feed_integrity();
        let lost_until_ns = self.lost_until_ns;
        let (symbols, publisher) = (&self.symbols, &mut self.publisher);
        let (holes, suspicions) = (&self.holes, &self.suspicions);
        let of = |id: InstrumentId, start_ns: u64, end_ns: u64| {
            let symbol = &symbols[id.0 as usize];
            let reaches_back = start_ns < symbol.lost_until_ns.max(lost_until_ns);
            let lost = if reaches_back {
                Integrity::Suspect
            } else {
                Integrity::Ok
            };
            let hole = over(holes, suspicions.get(id.0 as usize), start_ns, end_ns);
            symbol.flag.max(feed).max(lost).max(hole)
        };
        self.bars.advance(watermark, |mut bar| {
            let seen = of(bar.instrument, bar.start_ns, bar.end_ns);
            bar.integrity = bar.integrity.max(seen);
            publisher.bar(&bar);
        });
        self.vwap.advance(watermark, |mut vwap| {
            let start_ns = vwap.end_ns.saturating_sub(vwap.length_ns);
            let seen = of(vwap.instrument, start_ns, vwap.end_ns);
            vwap.integrity = vwap.integrity.max(seen);
            publisher.vwap(&vwap);
        });
        self.window_due_ns = self.vwap.next_end_ns().min(self.bars.next_end_ns());
        if let Some(wider) = &mut self.wider {
            let mut around = Around {
                symbols: &self.symbols,
                feed,
                now_ns: self.now_ns,
                publisher: &mut self.publisher,
            };
            wider.advance(watermark, &mut around);
            self.window_due_ns = self.window_due_ns.min(wider.next_end_ns());
        }
        // What is due now is closed by whoever holds the books, who then says what is next.
        self.window_due_ns = self.window_due_ns.min(self.states_due_ns);
    }
}
