//! IEX-TP packets in, frames out.

use std::sync::Arc;

use wire::iextp::Packet;

use super::config::PipelineConfig;
use super::digests::Digests;
use super::event::EventPipeline;
use super::rejects::RejectReason;
use crate::event::{Event, InstrumentId, Qty, Stamp, Terms, VenueEvent};
use crate::feed::iex::{Handler, IexFault, IexFeed, Lines, Place};
use crate::publish::{FeedState, FeedStatus, Integrity, LineStatus, Sink};
use crate::reference::Table;

/// IEX prices have four decimals.
const PRICE_DECIMALS: u8 = 4;
/// IEX sends a heartbeat each second: without three of them the feed is cut.
const SILENCE_NS: u64 = 3_000_000_000;

/// Packets of one stream of DEEP or TOPS, from one line or from A and B.
///
/// A packet that is ahead of what is known waits [`IexPipeline::WAIT_NS`] for what the other line
/// may bring; then what is missing is lost, and everything is stale until the session ends: IEX
/// sends no snapshots, and its servers for lost messages are not asked.
#[derive(Debug)]
pub struct IexPipeline {
    feed: IexFeed,
    lines: Lines,
    core: Core,
    status: [LineStatus; 2],
    has_gap: bool,
    is_silent: bool,
    digests: Digests,
}

#[derive(Debug)]
struct Core {
    events: EventPipeline,
    /// The last event that contradicted its book: kept with the packet's bytes.
    reject: Option<RejectReason>,
}

impl IexPipeline {
    /// How long a packet waits for those before it, ns.
    pub const WAIT_NS: u64 = 5_000_000;

    /// Takes the memory that the limits ask for; each book takes its own when first seen.
    #[must_use]
    pub fn new(config: &PipelineConfig) -> Self {
        Self {
            feed: IexFeed::new(),
            lines: Lines::new(Self::WAIT_NS),
            core: Core {
                events: EventPipeline::new(config),
                reject: None,
            },
            status: [LineStatus::default(); 2],
            has_gap: false,
            is_silent: false,
            digests: Digests::new(),
        }
    }

    /// Takes one packet of a line: 0 (A) or 1 (B). What cannot be used is counted and kept, and
    /// flags its symbol.
    pub fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) {
        let line = line.min(1);
        let known = &mut self.status[line];
        known.packets += 1;
        known.last_recv_ns = known.last_recv_ns.max(ts_recv);
        self.is_silent = false;
        if !self.must_wait(line, ts_recv, bytes) {
            self.read(line, ts_recv, bytes);
        }
        self.go_on();
    }

    /// Lets time pass: what was awaited, quiet windows, status.
    pub fn tick(&mut self, now_ns: u64) {
        while let Some(held) = self.lines.overdue(now_ns) {
            self.read(held.line, held.ts_recv, &held.bytes);
            self.lines.done(held);
            self.release();
        }
        let heard_ns = self.status.iter().map(|line| line.last_recv_ns).max();
        let heard_ns = heard_ns.filter(|at| *at > 0);
        self.is_silent = heard_ns.is_some_and(|at| now_ns >= at.saturating_add(SILENCE_NS));
        self.go_on();
        self.core.events.tick(now_ns);
    }

    /// Nothing comes any more: what is awaited is lost, and the last status is due.
    pub fn finish(&mut self) {
        while self.lines.is_waiting() {
            self.give_up();
        }
        self.go_on();
        self.core.events.want_status();
    }

    /// Offers everything new to the sink.
    pub fn publish(&mut self, sink: &mut impl Sink) {
        self.core.events.set_status(self.status());
        self.core.events.publish(sink);
    }

    /// Where the feed and its lines stand.
    #[must_use]
    pub fn status(&self) -> FeedStatus {
        let mut status = self.feed.status();
        if self.has_gap && status.state == FeedState::Live {
            status.state = FeedState::Recovering;
        }
        status.head_seq = status.head_seq.max(self.lines.head_seq());
        status.lines = self.status;
        status
    }

    /// Keeps the digest of all books when message `seq` has been applied; at most 64 are
    /// remembered.
    pub fn digest_at(&mut self, seq: u64) {
        self.digests.want(seq);
        self.go_on();
    }

    /// The oldest digest taken and not fetched: `(seq, digest)`.
    pub fn take_digest(&mut self) -> Option<(u64, u64)> {
        self.digests.fetch()
    }

    /// Tells how many packets of a line the kernel has dropped in all.
    pub fn kernel_drops(&mut self, line: usize, total: u64) {
        if let Some(line) = self.status.get_mut(line) {
            line.kernel_drops = total;
        }
    }

    /// Puts a table of reference data in force.
    pub fn swap_reference(&mut self, table: Arc<Table>) {
        self.core.events.swap_reference(table);
    }

    /// The books, and everything that is known of them.
    #[must_use]
    pub fn events(&self) -> &EventPipeline {
        &self.core.events
    }

    /// Counts of what came.
    #[must_use]
    pub fn feed(&self) -> &IexFeed {
        &self.feed
    }

    /// Whether a packet is kept for later. What waited goes before one that cannot.
    fn must_wait(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) -> bool {
        let Ok(packet) = Packet::parse(bytes) else {
            return false;
        };
        match self.feed.place(&packet) {
            Place::Elsewhere => false,
            Place::Begins => {
                while self.lines.is_waiting() {
                    self.give_up();
                }
                false
            }
            Place::Known => {
                let next_seq = self.feed.next_seq();
                if self.lines.keep((line, ts_recv), &packet, bytes, next_seq) {
                    return true;
                }
                while self.lines.is_waiting() && packet.first_seq() > self.feed.next_seq() {
                    self.give_up();
                }
                false
            }
        }
    }

    /// What goes before the next packet that waits is lost.
    fn give_up(&mut self) {
        if let Some(held) = self.lines.pop() {
            self.read(held.line, held.ts_recv, &held.bytes);
            self.lines.done(held);
        }
    }

    fn read(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) {
        let before = self.feed.messages();
        let count = Packet::parse(bytes).map_or(0, |packet| packet.count().into());
        let outcome = self.feed.packet(ts_recv, bytes, &mut self.core);
        let new = self.feed.messages() - before;
        let known = &mut self.status[line];
        known.wins += new;
        known.duplicates += u64::saturating_sub(count, new);
        if let Err(fault) = outcome {
            known.malformed += u64::from(matches!(fault, IexFault::Malformed(_)));
            let reason = RejectReason::Iex(fault);
            self.core.events.record(ts_recv, line, reason, bytes);
        }
        if let Some(reason) = self.core.reject.take() {
            self.core.events.record(ts_recv, line, reason, bytes);
        }
    }

    /// Reads what need not wait any longer.
    fn release(&mut self) {
        while let Some(held) = self.lines.ready(self.feed.next_seq()) {
            self.read(held.line, held.ts_recv, &held.bytes);
            self.lines.done(held);
        }
    }

    fn go_on(&mut self) {
        self.release();
        let has_gap = self.lines.is_waiting() || self.is_silent;
        if has_gap != self.has_gap {
            self.has_gap = has_gap;
            self.core.events.set_gap(has_gap);
        }
        let events = &self.core.events;
        let next_seq = self.feed.next_seq();
        self.digests.look(next_seq, || events.book_digest());
    }
}

impl Handler for Core {
    fn list(&mut self, symbol: &str, round_lot: Option<Qty>) -> InstrumentId {
        let id = self.events.list(symbol, 0, PRICE_DECIMALS);
        let terms = Terms {
            round_lot,
            ..Terms::default()
        };
        self.events.terms(id, &terms);
        id
    }

    #[inline]
    fn event(&mut self, id: InstrumentId, stamp: Stamp, event: &Event, is_last: bool) {
        let outcome = if is_last {
            self.events.apply(id, stamp, event)
        } else {
            self.events.apply_part(id, stamp, event)
        };
        if let Err(reject) = outcome {
            self.reject = Some(reject.into());
        }
    }

    fn venue(&mut self, stamp: Stamp, event: VenueEvent) {
        self.events.venue_fact(stamp, event);
    }

    fn observe(&mut self, stamp: Stamp) {
        self.events.observe(stamp.ts_event, stamp.ts_recv);
    }

    fn lost(&mut self, from_seq: u64, to_seq: u64) {
        self.events.lost_for_good(from_seq, to_seq);
    }

    fn restart(&mut self) {
        self.events.reset();
    }

    fn refused(&mut self, id: Option<InstrumentId>, ts_recv: u64, fault: IexFault, bytes: &[u8]) {
        if let Some(id) = id {
            self.events.flag(id, Integrity::Suspect);
        }
        let reason = RejectReason::Iex(fault);
        self.events.record(ts_recv, 0, reason, bytes);
    }
}

#[cfg(test)]
mod tests {
    use wire::iextp::{Header, PacketWriter, PriceLevelUpdate, Symbol, protocol};

    use super::*;
    use crate::event::{Price, Side};

    const SECOND: u64 = 1_000_000_000;
    const START: u64 = 1_700_000_000 * SECOND;

    /// Packet `n` (from 1) of a session: one level, so that its number is its only message's.
    fn packet(session: u32, n: u64) -> Vec<u8> {
        let mut level = PriceLevelUpdate::empty(b'8');
        level.symbol = Symbol::new("ZIEXT").expect("it fits");
        level.timestamp_ns = (START + n).into();
        (level.flags, level.size) = (1, 100.into());
        level.price = (1_000_000 + 100 * n as i64).into();
        let offset = 32 * (n - 1);
        let sent_ns = START + u64::from(session) * SECOND + n;
        let header = Header::new(protocol::DEEP, 1, session, n, offset, sent_ns);
        let mut buffer = [0; 200];
        let mut writer = PacketWriter::new(&mut buffer, header);
        assert!(writer.push(level.as_bytes()));
        writer.finish().to_vec()
    }

    fn best(pipeline: &IexPipeline) -> (Option<Price>, Integrity) {
        let id = pipeline.events().find("ZIEXT").expect("listed");
        let book = pipeline.events().level_book(id);
        let best = book.and_then(|book| book.levels(Side::Bid).next());
        let top = pipeline.events().book_top(id).expect("listed");
        (best.map(|level| level.price), top.integrity)
    }

    fn price(n: i64) -> Option<Price> {
        Some(Price((1_000_000 + 100 * n) * 100_000))
    }

    #[test]
    fn what_one_line_lost_the_other_brings() {
        let mut pipeline = IexPipeline::new(&PipelineConfig::default());
        for (line, n, at) in [(0, 1, 0), (1, 1, 1), (0, 3, 2)] {
            pipeline.packet(line, START + at, &packet(1, n));
        }
        assert_eq!(best(&pipeline), (price(1), Integrity::Recovering));
        assert_eq!(pipeline.status().state, FeedState::Recovering);
        pipeline.tick(START + 3);
        pipeline.packet(1, START + 4, &packet(1, 2));
        assert_eq!(best(&pipeline), (price(3), Integrity::Ok));
        pipeline.packet(1, START + 5, &packet(1, 3));
        let status = pipeline.status();
        assert_eq!((status.lost, status.gaps, status.next_seq), (0, 0, 4));
        let counts = status
            .lines
            .map(|line| (line.packets, line.wins, line.duplicates));
        assert_eq!(counts, [(2, 2, 0), (3, 1, 2)]);
    }

    /// A heartbeat has the number of the message that comes next: it is no copy of its packet.
    #[test]
    fn a_heartbeat_that_waits_is_no_copy_of_what_follows_it() {
        let mut pipeline = IexPipeline::new(&PipelineConfig::default());
        let level = packet(1, 3);
        let parsed = Packet::parse(&level).expect("ours");
        let (offset, sent_ns) = (parsed.stream_offset(), parsed.send_time_ns());
        let header = Header::new(protocol::DEEP, 1, 1, 3, offset, sent_ns);
        let mut buffer = [0; 40];
        let beat = PacketWriter::new(&mut buffer, header).finish().to_vec();
        pipeline.packet(0, START, &packet(1, 1));
        for (line, bytes) in [(0, &beat), (0, &level), (1, &beat)] {
            pipeline.packet(line, START + 1, bytes);
        }
        assert_eq!(pipeline.status().head_seq, 4);
        pipeline.packet(1, START + 2, &packet(1, 2));
        assert_eq!(best(&pipeline), (price(3), Integrity::Ok));
        assert_eq!((pipeline.status().lost, pipeline.status().next_seq), (0, 4));
    }

    #[test]
    fn what_no_line_brings_is_lost_and_told() {
        let mut pipeline = IexPipeline::new(&PipelineConfig::default());
        for (n, at) in [(1, 0), (3, 10), (4, 20), (6, 30)] {
            pipeline.packet(0, START + at, &packet(1, n));
        }
        pipeline.tick(START + 10 + IexPipeline::WAIT_NS - 1);
        assert_eq!(best(&pipeline), (price(1), Integrity::Recovering));
        pipeline.tick(START + 10 + IexPipeline::WAIT_NS);
        assert_eq!(best(&pipeline).0, price(4));
        assert_eq!(pipeline.status().lost, 1);
        pipeline.tick(START + 30 + IexPipeline::WAIT_NS);
        assert_eq!(best(&pipeline), (price(6), Integrity::Stale));
        assert_eq!((pipeline.status().lost, pipeline.status().gaps), (2, 2));
        // A new session begins clean, whatever waited.
        pipeline.packet(0, START + 40, &packet(1, 9));
        pipeline.packet(0, START + 50, &packet(2, 1));
        assert_eq!(best(&pipeline), (price(1), Integrity::Ok));
    }

    #[test]
    fn silence_is_flagged_until_a_packet_comes() {
        let mut pipeline = IexPipeline::new(&PipelineConfig::default());
        pipeline.packet(0, START, &packet(1, 1));
        pipeline.tick(START + SILENCE_NS - 1);
        assert_eq!(best(&pipeline).1, Integrity::Ok);
        pipeline.tick(START + SILENCE_NS);
        assert_eq!(best(&pipeline).1, Integrity::Recovering);
        pipeline.packet(1, START + SILENCE_NS + 1, &packet(1, 2));
        pipeline.tick(START + SILENCE_NS + 2);
        assert_eq!(best(&pipeline), (price(2), Integrity::Ok));
    }

    #[test]
    fn more_than_can_wait_is_read_at_once() {
        let mut pipeline = IexPipeline::new(&PipelineConfig::default());
        pipeline.packet(0, START, &packet(1, 1));
        for n in 3..3 + 1_025 {
            pipeline.packet(0, START + n, &packet(1, n));
        }
        assert_eq!(best(&pipeline), (price(1_027), Integrity::Stale));
        assert_eq!(
            (pipeline.status().lost, pipeline.status().next_seq),
            (1, 1_028)
        );
    }
}
