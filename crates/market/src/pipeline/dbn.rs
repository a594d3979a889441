//! DBN records in, frames out.

use std::sync::Arc;

use wire::dbn::Metadata;

use super::config::PipelineConfig;
use super::digests::Digests;
use super::event::EventPipeline;
use super::rejects::RejectReason;
use crate::event::{Event, InstrumentId, OrderId, Stamp, Terms};
use crate::feed::dbn::{DbnFeed, Handler};
use crate::publish::{FeedState, FeedStatus, Integrity, LineStatus, Sink};
use crate::reference::Table;

/// Records of one file, fragment or stream.
#[derive(Debug)]
pub struct DbnPipeline {
    feed: DbnFeed,
    core: Core,
    digests: Digests,
    is_cut: bool,
    has_ended: bool,
}

#[derive(Debug)]
struct Core {
    events: EventPipeline,
    /// The last event that contradicted its book: kept with the record's bytes.
    reject: Option<RejectReason>,
    newest_ns: u64,
}

impl DbnPipeline {
    /// Takes the memory that the limits ask for; each book takes its own when first seen.
    #[must_use]
    pub fn new(config: &PipelineConfig) -> Self {
        Self {
            feed: DbnFeed::new(),
            core: Core {
                events: EventPipeline::new(config),
                reject: None,
                newest_ns: 0,
            },
            digests: Digests::new(),
            is_cut: false,
            has_ended: false,
        }
    }

    /// Learns the names of a file's header, before its records. After a cut the stream begins anew
    /// with it: what was known is void.
    pub fn header(&mut self, metadata: &Metadata<'_>) {
        self.begin();
        self.feed.header(metadata);
    }

    /// The stream broke: what happens from here on is unknown until it comes again. Everything is
    /// stale.
    pub fn cut(&mut self) {
        self.is_cut = true;
        self.core.events.flag_all(Integrity::Stale);
    }

    /// The stream is over: what is open is closed.
    pub fn end(&mut self) {
        self.has_ended = true;
        self.core.events.end();
    }

    fn begin(&mut self) {
        if std::mem::take(&mut self.is_cut) {
            self.feed.restart();
            self.core.events.reset();
        }
    }

    /// Takes one record's bytes. What cannot be used is counted, kept, and flags its symbol.
    #[inline]
    pub fn record(&mut self, bytes: &[u8]) {
        self.begin();
        if let Err(fault) = self.feed.record(bytes, &mut self.core) {
            let reason = RejectReason::Dbn(fault);
            self.core
                .events
                .record(self.core.newest_ns, 0, reason, bytes);
        }
        if let Some(reason) = self.core.reject.take() {
            self.core
                .events
                .record(self.core.newest_ns, 0, reason, bytes);
        }
        self.look();
    }

    /// Keeps the digest of all books when record `seq` (from 1) has been applied; at most 64
    /// are remembered.
    pub fn digest_at(&mut self, seq: u64) {
        self.digests.want(seq);
        self.look();
    }

    /// The oldest digest taken and not fetched: `(seq, digest)`.
    pub fn take_digest(&mut self) -> Option<(u64, u64)> {
        self.digests.fetch()
    }

    #[inline]
    fn look(&mut self) {
        let events = &self.core.events;
        let next = self.feed.records() + 1;
        self.digests.look(next, || events.book_digest());
    }

    /// Nothing comes any more: the last status is due.
    pub fn finish(&mut self) {
        self.core.events.want_status();
    }

    /// Lets time pass: quiet windows, status.
    pub fn tick(&mut self, now_ns: u64) {
        self.core.events.tick(now_ns);
    }

    /// Receive time of the newest record, ns UTC.
    #[must_use]
    pub fn newest_ns(&self) -> u64 {
        self.core.newest_ns
    }

    /// Offers everything new to the sink.
    pub fn publish(&mut self, sink: &mut impl Sink) {
        let records = self.feed.records();
        self.core.events.set_status(FeedStatus {
            state: match (records, self.is_cut, self.has_ended) {
                (_, _, true) => FeedState::Ended,
                (0, ..) => FeedState::Joining,
                (_, true, _) => FeedState::Refreshing,
                _ => FeedState::Live,
            },
            next_seq: records + 1,
            head_seq: records + 1,
            lines: [
                LineStatus {
                    packets: records,
                    wins: records,
                    last_recv_ns: self.core.newest_ns,
                    ..LineStatus::default()
                },
                LineStatus::default(),
            ],
            ..FeedStatus::default()
        });
        self.core.events.publish(sink);
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
    pub fn feed(&self) -> &DbnFeed {
        &self.feed
    }
}

impl Handler for Core {
    fn list(&mut self, symbol: &str, price_decimals: u8) -> InstrumentId {
        self.events.list(&compact(symbol), 0, price_decimals)
    }

    fn terms(&mut self, id: InstrumentId, terms: &Terms) {
        self.events.terms(id, terms);
    }

    #[inline]
    fn event(&mut self, id: InstrumentId, stamp: Stamp, event: &Event, is_last: bool) {
        self.newest_ns = self.newest_ns.max(stamp.ts_recv);
        let outcome = if is_last {
            self.events.apply(id, stamp, event)
        } else {
            self.events.apply_part(id, stamp, event)
        };
        if let Err(reject) = outcome {
            self.reject = Some(reject.into());
        }
    }

    #[inline]
    fn settle(&mut self, id: InstrumentId, stamp: Stamp) {
        self.newest_ns = self.newest_ns.max(stamp.ts_recv);
        self.events.observe(stamp.ts_event, stamp.ts_recv);
        self.events.settle(id, stamp);
    }

    fn rests(&self, order_id: OrderId) -> bool {
        self.events.rests(order_id)
    }

    fn set_flag(&mut self, id: InstrumentId, integrity: Integrity) {
        self.events.set_flag(id, integrity);
    }

    fn lost(&mut self) {
        self.events.flag_all(Integrity::Stale);
    }
}

/// Options are named by 21 bytes, root padded, strike in eight digits of 1e-3; without its padding
/// that name fits: `AAPL  210924C00150000` is `AAPL210924C150`. Any other name stays as it is.
fn compact(symbol: &str) -> String {
    let osi = || {
        let (root, rest) = symbol.split_at_checked(6)?;
        let (date, strike) = rest.split_at_checked(7)?;
        let is_osi = symbol.len() == 21
            && date.as_bytes()[..6].iter().all(u8::is_ascii_digit)
            && matches!(date.as_bytes()[6], b'C' | b'P');
        let strike: u32 = strike.parse().ok().filter(|_| is_osi)?;
        let (whole, part) = (strike / 1_000, strike % 1_000);
        let strike = match part {
            0 => whole.to_string(),
            part => format!("{whole}.{part:03}")
                .trim_end_matches('0')
                .to_owned(),
        };
        Some(format!("{}{date}{strike}", root.trim_end()))
    };
    osi().unwrap_or_else(|| symbol.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_names_fit_and_others_stay() {
        let check = |symbol, name: &str| assert_eq!(compact(symbol), name);
        check("AAPL  210924C00150000", "AAPL210924C150");
        check("SPXW  240621P05012500", "SPXW240621P5012.5");
        check("BRK B 240621P00012005", "BRK B240621P12.005");
        check("ESH4", "ESH4");
        check("UD:1V: GN 2420283", "UD:1V: GN 2420283");
        check("ABCDEFGHIJKLMNOPQRSTU", "ABCDEFGHIJKLMNOPQRSTU");
    }
}
