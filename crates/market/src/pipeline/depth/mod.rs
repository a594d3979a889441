//! Depth feeds in JSON: one pipeline for every venue that speaks whole levels over a WebSocket.
//!
//! A venue's part reads its texts and asks its translator in `feed` what became of each; books,
//! windows and frames are [`EventPipeline`]'s. The venues differ in where a snapshot comes from:
//! Binance answers it over HTTP ([`DepthPipeline::next_snapshot`]), the others send it when a
//! symbol is subscribed again ([`DepthPipeline::next_resubscribe`]).
//!
//! Late policy. A venue's prints come in the order of its matching engine, so no lateness is
//! allowed for: what is behind the watermark is counted and left out of windows that were
//! published. Event time runs on in a silence of 250 ms and more, so that the last window before a
//! pause closes; but not while a snapshot is awaited, since a connector that waits may hold up the
//! stream, nor while the line is cut: what comes then is old and not late. Windows that a cut or a
//! skipped trade number reaches into are flagged suspect, for prints may be missing in them.

mod binance;
mod coinbase;
mod common;
mod kraken;
mod okx;

use std::sync::Arc;

use self::binance::Binance;
use self::coinbase::Coinbase;
use self::common::Common;
use self::kraken::Kraken;
use self::okx::Okx;
use super::config::PipelineConfig;
use super::rejects::{RejectReason, RejectRing};
use crate::book::LevelBook;
use crate::event::{Instrument, InstrumentId};
use crate::feed::SyncState;
use crate::publish::{BookTop, FeedState, FeedStatus, LineStatus, Sink};
use crate::reference::Table;
use crate::window::LateCount;

/// How long a silent symbol's snapshot is awaited before event time runs on without it.
const HOLD_NS: u64 = 30_000_000_000;

/// Which venue's messages a pipeline reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DepthVenue {
    /// Binance spot or USD-M futures, not both: the same symbol is another instrument there.
    Binance,
    /// Kraken, WebSocket API version 1.
    Kraken,
    /// Coinbase Exchange.
    Coinbase,
    /// OKX, API version 5.
    Okx,
}

/// How often the book's best prices were compared with the venue's own, and how often they agreed.
///
/// After each Binance difference the newest `bookTicker` that came before it and is not past it
/// tells the best bid and ask. Both come from one engine by different paths, so a ticker that
/// arrives after its difference is not compared, and an older one may disagree: a few in a
/// thousand on futures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TickerCheck {
    /// Comparisons made.
    pub checked: u64,
    /// Best bid and best ask price were both equal.
    pub equal: u64,
}

/// What a depth feed counted of its own trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DepthCheck {
    /// The venue's checksums compared with our books.
    pub checksums: u64,
    /// Checksums that differed: each voids a book.
    pub checksums_unequal: u64,
    /// How often a symbol was to be subscribed again.
    pub resubscribes: u64,
    /// Breaks of any kind: of a checksum, a chain of numbers, an order of times.
    pub breaks: u64,
    /// Trades skipped since they were told before.
    pub trades_old: u64,
}

#[derive(Debug)]
enum Feed {
    Binance(Binance),
    Kraken(Kraken),
    Coinbase(Coinbase),
    Okx(Okx),
}

/// JSON texts of one venue's connections in, frames out.
#[derive(Debug)]
pub struct DepthPipeline {
    common: Common,
    feed: Feed,
    line: LineStatus,
    is_cut: bool,
}

impl DepthPipeline {
    /// Takes the memory that the limits ask for; each symbol takes its own when first seen.
    #[must_use]
    pub fn new(venue: DepthVenue, config: &PipelineConfig) -> Self {
        let limit = config.instruments_limit;
        Self {
            common: Common::new(config),
            feed: match venue {
                DepthVenue::Binance => Feed::Binance(Binance::new(config.depth, limit)),
                DepthVenue::Kraken => Feed::Kraken(Kraken::new(config.depth, limit)),
                DepthVenue::Coinbase => Feed::Coinbase(Coinbase::new(config.depth, limit)),
                DepthVenue::Okx => Feed::Okx(Okx::new(config.depth, limit)),
            },
            line: LineStatus::default(),
            is_cut: false,
        }
    }

    /// Takes one text: a stream message, or a Binance snapshot that can only belong to one symbol.
    ///
    /// # Errors
    /// When the text cannot be used; it was counted and kept in [`DepthPipeline::rejected`].
    pub fn message(&mut self, ts_recv: u64, json: &[u8]) -> Result<(), RejectReason> {
        self.line.packets += 1;
        self.line.last_recv_ns = ts_recv;
        if std::mem::take(&mut self.is_cut) {
            self.hold(ts_recv);
        }
        let common = &mut self.common;
        let outcome = match &mut self.feed {
            Feed::Binance(feed) => feed.read(common, ts_recv, json),
            Feed::Kraken(feed) => feed.read(common, ts_recv, json),
            Feed::Coinbase(feed) => feed.read(common, ts_recv, json),
            Feed::Okx(feed) => feed.read(common, ts_recv, json),
        };
        self.note(ts_recv, json, outcome)
    }

    /// Takes a snapshot of one symbol, for instance the answer to what
    /// [`DepthPipeline::next_snapshot`] asked for.
    ///
    /// # Errors
    /// When it is no snapshot or cannot be used, or the venue sends its snapshots by itself.
    pub fn snapshot(
        &mut self,
        symbol: &str,
        ts_recv: u64,
        json: &[u8],
    ) -> Result<(), RejectReason> {
        let outcome = match &mut self.feed {
            Feed::Binance(feed) => feed.answer(&mut self.common, symbol, ts_recv, json),
            _ => Err(RejectReason::SnapshotOwner),
        };
        self.note(ts_recv, json, outcome)
    }

    /// The next symbol that needs a snapshot over HTTP.
    pub fn next_snapshot(&mut self) -> Option<Instrument> {
        let now_ns = self.common.events.now_ns();
        match &mut self.feed {
            Feed::Binance(feed) => {
                let id = feed.sync.next_snapshot(now_ns)?;
                self.common.events.instruments().get(id.0 as usize).copied()
            }
            _ => None,
        }
    }

    /// The next symbol that must be unsubscribed and subscribed again for its snapshot.
    pub fn next_resubscribe(&mut self) -> Option<Instrument> {
        let now_ns = self.common.events.now_ns();
        let id = match &mut self.feed {
            Feed::Binance(_) => None,
            Feed::Kraken(feed) => feed.sync.sync.next_resubscribe(now_ns),
            Feed::Coinbase(feed) => feed.sync.sync.next_resubscribe(now_ns),
            Feed::Okx(feed) => feed.sync.sync.next_resubscribe(now_ns),
        }?;
        self.common.events.instruments().get(id.0 as usize).copied()
    }

    /// The connection is lost: what happens until the next message is unknown, and every book waits
    /// for the snapshot of the next connection (a Binance chain finds its break by itself).
    pub fn cut(&mut self, now_ns: u64) {
        self.is_cut = true;
        self.common.events.cut();
        self.connected(now_ns);
        self.common.flag_states(|id| state_of(&self.feed, id));
    }

    /// The connection was made again and everything was subscribed: snapshots are on their way from
    /// now on.
    pub fn connected(&mut self, now_ns: u64) {
        match &mut self.feed {
            Feed::Binance(_) => {}
            Feed::Kraken(feed) => feed.sync.sync.reconnected(now_ns),
            Feed::Coinbase(feed) => feed.sync.sync.reconnected(now_ns),
            Feed::Okx(feed) => feed.sync.sync.reconnected(now_ns),
        }
    }

    /// Lets time pass: quiet windows, status.
    pub fn tick(&mut self, now_ns: u64) {
        self.hold(now_ns);
        self.common.events.tick(now_ns);
    }

    /// Puts a table of reference data in force.
    pub fn swap_reference(&mut self, table: Arc<Table>) {
        self.common.events.swap_reference(table);
    }

    /// Offers everything new to the sink.
    pub fn publish(&mut self, sink: &mut impl Sink) {
        let mut status = self.status();
        // The pipeline behind adds its own count.
        status.rejected = 0;
        self.common.events.set_status(status);
        self.common.events.publish(sink);
    }

    /// Where the feed stands. `next_seq` follows the last update of any symbol; one line.
    #[must_use]
    pub fn status(&self) -> FeedStatus {
        let is_synced = match &self.feed {
            Feed::Binance(feed) => feed.sync.is_synced(),
            Feed::Kraken(feed) => feed.sync.sync.is_synced(),
            Feed::Coinbase(feed) => feed.sync.sync.is_synced(),
            Feed::Okx(feed) => feed.sync.sync.is_synced(),
        };
        let state = match (self.line.packets, is_synced && !self.is_cut) {
            (0, _) => FeedState::Joining,
            (_, true) => FeedState::Live,
            (_, false) => FeedState::Recovering,
        };
        let last_seq = self.common.last_seq;
        let next_seq = last_seq + u64::from(last_seq > 0);
        FeedStatus {
            state,
            next_seq,
            head_seq: next_seq,
            lines: [self.line, LineStatus::default()],
            gaps: self.depth_check().breaks,
            rejected: self.common.events.rejected().total(),
            ..FeedStatus::default()
        }
    }

    /// What the feed counted of its own trust.
    #[must_use]
    pub fn depth_check(&self) -> DepthCheck {
        let of = |sync: &crate::feed::stream_sync::StreamSync, (checked, unequal), trades_old| {
            DepthCheck {
                checksums: checked,
                checksums_unequal: unequal,
                resubscribes: sync.resubscribes(),
                breaks: sync.breaks(),
                trades_old,
            }
        };
        match &self.feed {
            Feed::Binance(feed) => DepthCheck {
                breaks: feed.sync.breaks(),
                ..DepthCheck::default()
            },
            Feed::Kraken(feed) => of(&feed.sync.sync, feed.sync.checksums(), 0),
            Feed::Coinbase(feed) => of(&feed.sync.sync, (0, 0), feed.trades_old),
            Feed::Okx(feed) => of(&feed.sync.sync, feed.sync.checksums(), feed.trades_old),
        }
    }

    /// A hash of all books as they are now; equal wherever the books are equal.
    #[must_use]
    pub fn book_digest(&self) -> u64 {
        self.common.events.book_digest()
    }

    /// One instrument's book.
    #[must_use]
    pub fn book(&self, id: InstrumentId) -> Option<&LevelBook> {
        self.common.events.level_book(id)
    }

    /// One instrument's newest book as it would be published.
    #[must_use]
    pub fn book_top(&self, id: InstrumentId) -> Option<BookTop> {
        self.common.events.book_top(id)
    }

    /// The last update in an instrument's book, and how far its chain is in step.
    #[must_use]
    pub fn sync(&self, id: InstrumentId) -> (u64, SyncState) {
        (self.common.last_update(id), state_of(&self.feed, id))
    }

    /// Every instrument named so far; its index is its id.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        self.common.events.instruments()
    }

    /// The last texts that could not be used.
    #[must_use]
    pub fn rejected(&self) -> &RejectRing {
        self.common.events.rejected()
    }

    /// How the books compare with the venue's own best prices.
    #[must_use]
    pub fn check(&self) -> TickerCheck {
        match &self.feed {
            Feed::Binance(feed) => feed.check,
            _ => TickerCheck::default(),
        }
    }

    /// Well-formed texts of kinds that are not read here.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.common.unread
    }

    /// The venue's last refusal of a request, in its words.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        self.common.refusal.as_deref()
    }

    /// Prints behind the watermark: in bars, in the sliding VWAP.
    #[must_use]
    pub fn late(&self) -> (LateCount, LateCount) {
        self.common.events.late()
    }

    /// Prints and quotes behind the watermark of the measures.
    #[must_use]
    pub fn late_measures(&self) -> LateCount {
        self.common.events.late_measures()
    }

    /// Lossless frames dropped because the reader was too slow.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.common.events.dropped()
    }

    /// How often memory had to grow after start.
    #[must_use]
    pub fn growths(&self) -> u64 {
        self.common.events.growths()
    }

    /// Event time stands still while a snapshot is awaited or the line is cut.
    fn hold(&mut self, now_ns: u64) {
        let is_waiting = match &self.feed {
            Feed::Binance(feed) => feed.sync.is_waiting(now_ns, HOLD_NS),
            Feed::Kraken(feed) => feed.sync.sync.is_waiting(now_ns, HOLD_NS),
            Feed::Coinbase(feed) => feed.sync.sync.is_waiting(now_ns, HOLD_NS),
            Feed::Okx(feed) => feed.sync.sync.is_waiting(now_ns, HOLD_NS),
        };
        self.common.events.hold(is_waiting || self.is_cut);
    }

    fn note(
        &mut self,
        ts_recv: u64,
        json: &[u8],
        outcome: Result<(), RejectReason>,
    ) -> Result<(), RejectReason> {
        if let Err(reason) = outcome {
            self.line.malformed += u64::from(matches!(reason, RejectReason::Text(_)));
            self.common.events.record(ts_recv, 0, reason, json);
        }
        outcome
    }
}

fn state_of(feed: &Feed, id: InstrumentId) -> SyncState {
    match feed {
        Feed::Binance(feed) => feed.sync.state(id),
        Feed::Kraken(feed) => feed.sync.sync.state(id),
        Feed::Coinbase(feed) => feed.sync.sync.state(id),
        Feed::Okx(feed) => feed.sync.sync.state(id),
    }
}
