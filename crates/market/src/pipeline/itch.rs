//! ITCH 5.0 over MoldUDP64, or as bare messages of a file.

use std::sync::Arc;

use wire::itch50::{Scan, Scanned};
use wire::moldudp64::Messages;

use super::ahead::{Batch, FEW};
use super::board::Board;
use super::config::PipelineConfig;
use super::digests::Digests;
use super::rejects::{RejectReason, RejectRing};
use super::shard::{Shard, locate_of};
use super::snapshot::{Offered, SnapshotWish};
use super::top::{depths_of, quote_of, write_top};
use crate::book::{BookSet, OrderBook, Reject, symbol_key};
use crate::event::{Event, Instrument, InstrumentId, OrderId, Price, Qty, Side, Stamp};
use crate::feed::itch::{Meaning, Normaliser, Orders};
use crate::feed::mold::{Handler, MoldFeed, Note};
use crate::publish::{BookTop, FeedState, FeedStatus, Integrity, Published, Sink};
use crate::reference::Table;
use crate::window::LateCount;

/// The line that rejected messages of a snapshot are booked under.
const SNAPSHOT_LINE: usize = 3;

/// Packets or messages of one ITCH feed in, frames out.
#[derive(Debug)]
pub struct ItchPipeline {
    feed: MoldFeed,
    core: Core,
    file_seq: u64,
}

/// Everything behind the feed.
#[derive(Debug)]
struct Core {
    shard: Shard,
    /// Locate codes that other shards have heard of; empty where there are none.
    listed_elsewhere: Vec<bool>,
    normaliser: Normaliser,
    books: BookSet,
    board: Board,
    rejected: RejectRing,
    rejected_messages: u64,
    applied_seq: u64,
    digests: Digests,
    is_gap_aged: bool,
    wish: SnapshotWish,
    unresolved: u64,
    now_ns: u64,
}

impl ItchPipeline {
    /// Takes all memory that the limits of the configuration ask for.
    #[must_use]
    pub fn new(config: &PipelineConfig) -> Self {
        let limit = config.instruments_limit;
        Self {
            feed: MoldFeed::new(config.mold),
            core: Core {
                shard: config.shard,
                listed_elsewhere: match config.shard.count() {
                    1 => Vec::new(),
                    _ => vec![false; 1 << 16],
                },
                normaliser: Normaliser::new(config.midnight_ns, limit),
                books: BookSet::new(limit, config.orders_limit, config.levels_reserve),
                board: Board::new(config),
                rejected: RejectRing::new(),
                rejected_messages: 0,
                applied_seq: 0,
                digests: Digests::new(),
                is_gap_aged: false,
                wish: SnapshotWish::new(config.snapshot, config.mold.has_snapshot),
                unresolved: 0,
                now_ns: 0,
            },
            file_seq: 0,
        }
    }

    /// Takes one MoldUDP64 packet from line 0 (A), 1 (B) or 2 (replies to requests).
    pub fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) {
        let outcome = self.feed.packet(line, ts_recv, bytes, &mut self.core);
        if let Err(fault) = outcome {
            let rejected = &mut self.core.rejected;
            rejected.record(ts_recv, line, RejectReason::Packet(fault), bytes);
        }
    }

    /// Takes one bare ITCH message, as in a file. Messages are numbered from 1.
    pub fn message(&mut self, ts_recv: u64, bytes: &[u8]) {
        self.file_seq += 1;
        self.core.message(self.file_seq, ts_recv, 0, bytes);
    }

    /// Nothing comes any more: the last status is due.
    pub fn finish(&mut self) {
        self.core.board.want_status();
    }

    /// Lets time pass: requests, quiet windows, status.
    pub fn tick(&mut self, now_ns: u64) {
        self.core.now_ns = self.core.now_ns.max(now_ns);
        self.feed.tick(now_ns, &mut self.core);
        let is_file = self.file_seq > 0;
        let heard_ns = if is_file {
            now_ns
        } else {
            self.feed.confirmed_ns()
        };
        if self.core.board.tick_heard(now_ns, heard_ns) {
            self.core.close_states();
        }
        self.core.wish.tick(now_ns, self.core.applied_seq + 1);
    }

    /// True when a snapshot is to be asked for now; asked until false. Offer what comes to
    /// [`ItchPipeline::snapshot`]; an earlier request that is still under way is of no use any more.
    pub fn next_snapshot_request(&mut self) -> bool {
        self.core.wish.take_request()
    }

    /// Offers a whole snapshot: `frames` are the ITCH messages, each behind two bytes of length, and
    /// the first live message that it does not hold is `next_seq`. The call loads all books at
    /// once, at about the cost of as many live messages.
    pub fn snapshot(&mut self, now_ns: u64, next_seq: u64, frames: &[u8]) -> Offered {
        let core = &mut self.core;
        let offered = core.wish.judge(next_seq, core.applied_seq + 1);
        match offered {
            Offered::Taken => core.refresh(now_ns, next_seq, frames),
            Offered::Refused => core.wish.fail(now_ns),
            Offered::Early => {}
        }
        offered
    }

    /// The snapshot that was asked for will not come.
    pub fn snapshot_failed(&mut self, now_ns: u64) {
        self.core.wish.fail(now_ns);
    }

    /// The next retransmission request to send.
    pub fn next_request(&mut self) -> Option<wire::moldudp64::Request> {
        self.feed.next_request()
    }

    /// Offers everything new to the sink.
    pub fn publish(&mut self, sink: &mut impl Sink) {
        let books_due = self.core.board.due();
        let status = self.status();
        let Core {
            normaliser,
            books,
            board,
            ..
        } = &mut self.core;
        let feed_integrity = board.feed_integrity();
        let view = View {
            instruments: normaliser.instruments(),
            books,
            symbols: &board.symbols,
            feed_integrity,
            status,
        };
        board.publisher.publish(&view, books_due, sink);
    }

    /// Puts a table of reference data in force.
    pub fn swap_reference(&mut self, table: Arc<Table>) {
        self.core.board.swap_reference(table);
    }

    /// Tells how many packets of a line the kernel has dropped in all.
    pub fn kernel_drops(&mut self, line: usize, total: u64) {
        self.feed.kernel_drops(line, total);
    }

    /// Where the feed stands. Of a file only `next_seq`, `head_seq` and `rejected` have meaning.
    #[must_use]
    pub fn status(&self) -> FeedStatus {
        let mut status = self.feed.status();
        if self.file_seq > 0 {
            status.next_seq = self.file_seq + 1;
            status.head_seq = status.next_seq;
            status.state = FeedState::Live;
        }
        let wish = &self.core.wish;
        status.rejected += self.core.rejected_messages;
        status.snapshots_asked = wish.asked;
        status.snapshots_failed = wish.failed;
        status.refreshed = wish.taken;
        status.unresolved = self.core.unresolved;
        let is_stale = self.core.board.feed_integrity() == Integrity::Stale;
        if is_stale && wish.is_pending() && status.state == FeedState::Live {
            status.state = FeedState::Refreshing;
        }
        status
    }

    /// A hash of all books as they are now; equal wherever the books are equal.
    #[must_use]
    pub fn book_digest(&self) -> u64 {
        self.core.book_digest()
    }

    /// Keeps [`ItchPipeline::book_digest`] as of right after message `seq`. At most 64 are
    /// remembered; one that has passed already, or is lost, is never taken.
    pub fn digest_at(&mut self, seq: u64) {
        if seq == self.core.applied_seq {
            let digest = self.core.book_digest();
            self.core.digests.keep(seq, digest);
        } else if seq > self.core.applied_seq {
            self.core.digests.want(seq);
        }
    }

    /// The oldest digest taken and not fetched: `(seq, digest)`.
    pub fn take_digest(&mut self) -> Option<(u64, u64)> {
        self.core.digests.fetch()
    }

    /// One instrument's book.
    #[must_use]
    pub fn book(&self, id: InstrumentId) -> Option<OrderBook<'_>> {
        self.core.books.book(id)
    }

    /// All books and orders.
    #[must_use]
    pub fn books(&self) -> &BookSet {
        &self.core.books
    }

    /// One instrument's newest book as it would be published.
    #[must_use]
    pub fn book_top(&self, id: InstrumentId) -> Option<BookTop> {
        self.core.books.book(id)?;
        let view = View {
            instruments: self.core.normaliser.instruments(),
            books: &self.core.books,
            symbols: &self.core.board.symbols,
            feed_integrity: self.core.board.feed_integrity(),
            status: FeedStatus::default(),
        };
        let mut top = BookTop::VACANT;
        view.book_top(id, &mut top);
        Some(top)
    }

    /// Every instrument named so far; its index is its id.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        self.core.normaliser.instruments()
    }

    /// The last packets and messages that could not be used.
    #[must_use]
    pub fn rejected(&self) -> &RejectRing {
        &self.core.rejected
    }

    /// Prints behind the watermark: in bars, in the sliding VWAP.
    #[must_use]
    pub fn late(&self) -> (LateCount, LateCount) {
        self.core.board.late()
    }

    /// Prints and quotes behind the watermark of the measures.
    #[must_use]
    pub fn late_measures(&self) -> LateCount {
        self.core.board.late_measures()
    }

    /// Prints that the venue busted or corrected; published windows stand.
    #[must_use]
    pub fn amendments(&self) -> u64 {
        self.core.board.amendments()
    }

    /// Lossless frames dropped because the reader was too slow.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.core.board.publisher.dropped()
    }

    /// Well-formed messages without meaning for books, prints or states.
    #[must_use]
    pub fn without_meaning(&self) -> u64 {
        self.core.normaliser.without_meaning()
    }

    /// Messages that could not be decoded or applied, packets apart.
    #[must_use]
    pub fn rejected_messages(&self) -> u64 {
        self.core.rejected_messages
    }

    /// How often memory had to grow after start: above zero, raise the limits.
    #[must_use]
    pub fn growths(&self) -> u64 {
        self.core.books.growths() + self.core.board.growths() + self.feed.growths()
    }
}

impl Handler for Core {
    fn message(&mut self, seq: u64, ts_recv: u64, line: usize, bytes: &[u8]) {
        if self.shard.is_foreign(bytes) {
            self.foreign_message(seq, ts_recv, bytes);
        } else {
            let passed = self.normaliser.pass(bytes, &mut self.books);
            self.passed(seq, ts_recv, line, bytes, passed);
        }
        self.after(seq, bytes);
    }

    #[inline]
    fn messages(&mut self, seq: u64, ts_recv: u64, line: usize, messages: Messages<'_>) -> u64 {
        let (mut next_seq, mut left) = (seq, messages.left());
        if left <= FEW {
            for message in messages.flatten() {
                self.message(next_seq, ts_recv, line, message);
                next_seq += 1;
            }
            return next_seq - seq;
        }
        let mut scan = Scan::new(messages.rest());
        let mut batch = Batch::new();
        loop {
            let symbols = &self.board.symbols;
            let symbol = |id: InstrumentId| stdx::hint::soon(symbols, id.0 as usize);
            batch.read(&mut scan, left, &self.books, &self.normaliser, symbol);
            if batch.messages().is_empty() {
                return next_seq - seq;
            }
            left -= batch.messages().len();
            for scanned in batch.messages() {
                self.scanned(next_seq, ts_recv, line, scanned);
                next_seq += 1;
            }
        }
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::Joined { seq } => {
                self.applied_seq = seq.saturating_sub(1);
                if seq > 1 {
                    self.board.lost_for_good(1, seq);
                    self.wish.want(self.now_ns);
                }
            }
            Note::GapOpened => self.board.set_gap(true),
            Note::GapAged => {
                self.is_gap_aged = true;
                self.board.mark_all();
            }
            Note::GapClosed => {
                self.board.set_gap(false);
                // A gap that the other line filled at once was seen by nobody.
                if std::mem::take(&mut self.is_gap_aged) {
                    self.board.mark_all();
                }
            }
            Note::Lost { from, to } => {
                self.applied_seq = to - 1;
                self.digests.forget_before(to);
                self.board.lost_for_good(from, to);
                self.wish.keep_from(to);
                self.wish.want(self.now_ns);
            }
            Note::Silent => self.board.set_silent(true),
            Note::Heard => self.board.set_silent(false),
            Note::Reset => {
                self.normaliser.clear();
                self.listed_elsewhere.fill(false);
                self.books.clear();
                self.board.reset();
                self.digests.clear();
                self.applied_seq = 0;
                self.is_gap_aged = false;
                self.wish.forget();
            }
            Note::Ended => self.board.flush(),
        }
    }
}

/// True: near the touch.
impl Orders for BookSet {
    type Outcome = Result<bool, Reject>;

    #[inline]
    fn add(
        &mut self,
        instrument: InstrumentId,
        id: OrderId,
        side: Side,
        price: Price,
        qty: Qty,
    ) -> Self::Outcome {
        self.add(instrument, id, side, price, qty)
    }

    #[inline]
    fn reduce(&mut self, instrument: InstrumentId, id: OrderId, qty: Qty) -> Self::Outcome {
        self.reduce(instrument, id, qty)
    }

    #[inline]
    fn delete(&mut self, instrument: InstrumentId, id: OrderId) -> Self::Outcome {
        self.delete(instrument, id)
    }

    #[inline]
    fn replace(
        &mut self,
        instrument: InstrumentId,
        old: OrderId,
        id: OrderId,
        price: Price,
        qty: Qty,
    ) -> Self::Outcome {
        self.replace(instrument, old, id, price, qty)
    }
}

impl Core {
    #[inline]
    fn scanned(&mut self, seq: u64, ts_recv: u64, line: usize, scanned: &Scanned<'_>) {
        let Scanned { bytes, fields } = scanned;
        if self.shard.is_foreign(bytes) {
            self.foreign_message(seq, ts_recv, bytes);
        } else {
            let passed = self.normaliser.pass_fields(fields, &mut self.books);
            self.passed(seq, ts_recv, line, bytes, passed);
        }
        self.after(seq, bytes);
    }

    /// What the coming and going of orders means for the steps behind; anything else goes the long
    /// way.
    #[inline(always)]
    fn passed(
        &mut self,
        seq: u64,
        ts_recv: u64,
        line: usize,
        bytes: &[u8],
        passed: Option<(InstrumentId, u64, Result<bool, Reject>)>,
    ) {
        let Some((id, ts_event, outcome)) = passed else {
            self.other_message(seq, ts_recv, line, bytes);
            return;
        };
        // Made twice, so that one is written where it belongs and the other seldom at all: a stamp
        // that is handed on lies in memory, and is waited for when it is copied from there.
        let stamp = || Stamp {
            seq,
            ts_event,
            ts_recv,
        };
        self.observe(ts_event, ts_recv);
        match outcome {
            Ok(near) => {
                self.board.touched(id, stamp(), near);
                if near && self.board.wants_quotes() {
                    self.middle(id, stamp());
                }
            }
            Err(reject) => self.reject(id, ts_recv, line, reject, bytes),
        }
    }

    #[inline]
    fn observe(&mut self, ts_event: u64, ts_recv: u64) {
        if self.board.observe(ts_event, ts_recv) {
            self.close_states();
        }
    }

    #[cold]
    fn close_states(&mut self) {
        let books = &self.books;
        self.board
            .close_states(|id| depths_of(books.book(id).as_ref()));
    }

    /// What is to be done after every message.
    #[inline]
    fn after(&mut self, seq: u64, bytes: &[u8]) {
        self.applied_seq = seq;
        if self.wish.keeps() {
            self.wish.keep(seq, bytes);
        }
        if seq >= self.digests.next_seq {
            self.take_digest(seq);
        }
    }

    /// Everything but the coming and going of orders.
    fn other_message(&mut self, seq: u64, ts_recv: u64, line: usize, bytes: &[u8]) {
        match self.normaliser.translate(seq, ts_recv, bytes) {
            Ok(Meaning::Event {
                instrument,
                stamp,
                event,
                listed,
            }) => {
                if listed {
                    self.listed(instrument);
                }
                self.observe(stamp.ts_event, ts_recv);
                if let Err(reject) = self.apply(instrument, stamp, &event) {
                    self.reject(instrument, ts_recv, line, reject, bytes);
                }
            }
            Ok(Meaning::Listed {
                instrument,
                ts_event,
            }) => {
                self.listed(instrument);
                self.observe(ts_event, ts_recv);
            }
            Ok(Meaning::Venue { stamp, event }) => {
                self.observe(stamp.ts_event, ts_recv);
                self.board.venue_fact(stamp, event);
            }
            Ok(Meaning::Nothing { ts_event }) => self.observe(ts_event, ts_recv),
            Err(fault) => {
                self.wish.want_for_suspect(self.now_ns);
                self.rejected_messages += 1;
                self.rejected.record(ts_recv, line, fault.into(), bytes);
                match self.normaliser.suspect_of(bytes) {
                    Some(id) => self.board.flag(id, Integrity::Suspect),
                    None => self.board.flag_all(Integrity::Suspect),
                }
            }
        }
    }

    /// A message about another shard's symbol: it moves event time, and if it is at fault and
    /// nobody can say whom it was about, it may have been one of ours. What is about the whole
    /// venue is everybody's.
    #[inline(never)]
    fn foreign_message(&mut self, seq: u64, ts_recv: u64, bytes: &[u8]) {
        if let Some((stamp, event)) = self.normaliser.venue_fact(seq, ts_recv, bytes) {
            self.observe(stamp.ts_event, ts_recv);
            self.board.venue_fact(stamp, event);
            return;
        }
        let listed =
            locate_of(bytes).and_then(|locate| self.listed_elsewhere.get_mut(usize::from(locate)));
        match (self.normaliser.event_time(bytes), listed) {
            (Some(ts_event), listed) => {
                if let Some(listed) = listed {
                    *listed = true;
                }
                self.observe(ts_event, ts_recv);
            }
            (None, Some(true)) => {}
            (None, _) => self.board.flag_all(Integrity::Suspect),
        }
    }

    #[cold]
    fn reject(
        &mut self,
        id: InstrumentId,
        ts_recv: u64,
        line: usize,
        reject: Reject,
        bytes: &[u8],
    ) {
        // Stale books cannot follow the feed: that says nothing about the message.
        if self.wish.is_pending() && self.board.feed_integrity() == Integrity::Stale {
            self.unresolved += 1;
            return;
        }
        self.rejected_messages += 1;
        self.rejected.record(ts_recv, line, reject.into(), bytes);
        self.board.flag(id, Integrity::Suspect);
        self.wish.want_for_suspect(self.now_ns);
    }

    /// Loads all books from a snapshot and brings them up to date with what was kept.
    #[cold]
    fn refresh(&mut self, now_ns: u64, next_seq: u64, frames: &[u8]) {
        self.books.clear();
        let stamp = Stamp {
            seq: next_seq.saturating_sub(1),
            ts_event: self.board.latest_event(),
            ts_recv: now_ns,
        };
        let (kept_from, kept) = self.wish.lend();
        // Flags go first, so that what cannot be applied raises them again.
        self.board.refreshed(Stamp {
            seq: self.applied_seq,
            ..stamp
        });
        for message in framed(frames) {
            if !self.load(stamp, message) {
                self.refuse(now_ns, message);
            }
        }
        let skip = usize::try_from(next_seq - kept_from).unwrap_or(usize::MAX);
        for message in framed(&kept).skip(skip) {
            if !self.catch_up(message) {
                self.refuse(now_ns, message);
            }
        }
        self.wish.give_back(kept);
        self.wish.done(now_ns);
    }

    /// One message of a snapshot: a book's order, a name, or a state as of now.
    fn load(&mut self, stamp: Stamp, bytes: &[u8]) -> bool {
        if self.shard.is_foreign(bytes) {
            self.foreign_in_snapshot(stamp, bytes);
            return true;
        }
        if let Some((_, _, outcome)) = self.normaliser.pass(bytes, &mut self.books) {
            return outcome.is_ok();
        }
        match self.normaliser.translate(stamp.seq, stamp.ts_recv, bytes) {
            Ok(Meaning::Event {
                instrument,
                event,
                listed,
                ..
            }) => {
                if listed {
                    self.listed(instrument);
                }
                let is_taken = self.books.apply(instrument, &event).is_ok();
                self.board.snapshot_fact(instrument, stamp, &event);
                is_taken
            }
            Ok(Meaning::Listed { instrument, .. }) => {
                self.listed(instrument);
                true
            }
            Ok(Meaning::Venue { event, .. }) => {
                self.board.venue_fact(stamp, event);
                true
            }
            Ok(Meaning::Nothing { .. }) => true,
            Err(_) => false,
        }
    }

    /// Another shard's message of a snapshot: that its symbol is listed, or what is everybody's.
    fn foreign_in_snapshot(&mut self, stamp: Stamp, bytes: &[u8]) {
        let fact = self.normaliser.venue_fact(stamp.seq, stamp.ts_recv, bytes);
        if let Some((_, event)) = fact {
            self.board.venue_fact(stamp, event);
        } else if let Some(listed) =
            locate_of(bytes).and_then(|locate| self.listed_elsewhere.get_mut(usize::from(locate)))
        {
            *listed = true;
        }
    }

    /// A live message that was delivered before the snapshot came: it changes its book, and nothing
    /// else a second time.
    fn catch_up(&mut self, bytes: &[u8]) -> bool {
        // It had its say when it was delivered.
        if self.shard.is_foreign(bytes) {
            return true;
        }
        if let Some((_, _, outcome)) = self.normaliser.pass(bytes, &mut self.books) {
            return outcome.is_ok();
        }
        match self.normaliser.translate(0, self.now_ns, bytes) {
            Ok(Meaning::Event {
                instrument, event, ..
            }) => self.books.apply(instrument, &event).is_ok(),
            Ok(_) => true,
            // It was rejected and counted when it was delivered.
            Err(_) => true,
        }
    }

    #[cold]
    fn refuse(&mut self, now_ns: u64, bytes: &[u8]) {
        self.rejected_messages += 1;
        self.rejected
            .record(now_ns, SNAPSHOT_LINE, RejectReason::SnapshotMessage, bytes);
        match self.normaliser.suspect_of(bytes) {
            Some(id) => self.board.flag(id, Integrity::Suspect),
            None => self.board.flag_all(Integrity::Suspect),
        }
    }

    /// Shows the touch to those behind who want it.
    #[inline(never)]
    fn middle(&mut self, id: InstrumentId, stamp: Stamp) {
        let books = &self.books;
        self.board
            .quoted(id, stamp, || books.book(id).map(|book| quote_of(&book)));
    }

    #[cold]
    fn listed(&mut self, id: InstrumentId) {
        while self.books.len() <= id.0 as usize {
            self.books.open();
        }
        let instrument = self.normaliser.instruments()[id.0 as usize];
        self.board.listed(id, instrument.symbol);
        self.board.terms(id, instrument.symbol, &instrument.terms);
    }

    fn apply(&mut self, id: InstrumentId, stamp: Stamp, event: &Event) -> Result<(), Reject> {
        let applied = self.books.apply(id, event)?;
        self.board.touched(id, stamp, applied.near);
        self.board.applied(id, stamp, event, applied);
        if applied.near && self.board.wants_quotes() {
            self.middle(id, stamp);
        }
        Ok(())
    }

    fn book_digest(&self) -> u64 {
        let instruments = self.normaliser.instruments();
        self.books.digest(|id| {
            let instrument = instruments.get(id.0 as usize);
            instrument.map_or(0, |instrument| symbol_key(&instrument.symbol))
        })
    }

    #[cold]
    fn take_digest(&mut self, seq: u64) {
        self.digests.forget_before(seq);
        if self.digests.wanted.front() == Some(&seq) {
            let digest = self.book_digest();
            self.digests.keep(seq, digest);
            self.digests.forget_before(seq + 1);
        }
    }
}

/// The messages of `frames`, each behind two bytes of length.
fn framed(frames: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = frames;
    std::iter::from_fn(move || {
        let (length, tail) = rest.split_first_chunk::<2>()?;
        let (message, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        rest = tail;
        Some(message)
    })
}

/// What the publisher reads.
struct View<'a> {
    instruments: &'a [Instrument],
    books: &'a BookSet,
    symbols: &'a [super::board::Symbol],
    feed_integrity: Integrity,
    status: FeedStatus,
}

impl Published for View<'_> {
    fn instrument(&self, id: InstrumentId) -> Instrument {
        self.instruments[id.0 as usize]
    }

    fn book_top(&self, id: InstrumentId, top: &mut BookTop) {
        let (symbol, book) = (&self.symbols[id.0 as usize], self.books.book(id));
        write_top(top, id, symbol, self.feed_integrity, book.as_ref());
    }

    fn soon(&self, ids: &[InstrumentId]) {
        for id in ids {
            stdx::hint::soon_all(self.symbols, id.0 as usize);
        }
        self.books.soon(ids);
    }

    fn feed_status(&self) -> FeedStatus {
        self.status
    }
}
