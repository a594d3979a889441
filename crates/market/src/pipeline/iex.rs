//! IEX-TP packets in, frames out.

use super::config::PipelineConfig;
use super::event::EventPipeline;
use super::rejects::RejectReason;
use crate::event::{Event, InstrumentId, Qty, Stamp, VenueEvent};
use crate::feed::iex::{Handler, IexFault, IexFeed};
use crate::publish::{Integrity, Sink};

/// IEX prices have four decimals.
const PRICE_DECIMALS: u8 = 4;

/// Packets of one stream of DEEP or TOPS.
#[derive(Debug)]
pub struct IexPipeline {
    feed: IexFeed,
    core: Core,
}

#[derive(Debug)]
struct Core {
    events: EventPipeline,
    /// The last event that contradicted its book: kept with the packet's bytes.
    reject: Option<RejectReason>,
}

impl IexPipeline {
    /// Takes the memory that the limits ask for; each book takes its own when first seen.
    #[must_use]
    pub fn new(config: &PipelineConfig) -> Self {
        Self {
            feed: IexFeed::new(),
            core: Core {
                events: EventPipeline::new(config),
                reject: None,
            },
        }
    }

    /// Takes one packet. What cannot be used is counted and kept, and flags its symbol.
    pub fn packet(&mut self, ts_recv: u64, bytes: &[u8]) {
        if let Err(fault) = self.feed.packet(ts_recv, bytes, &mut self.core) {
            let reason = RejectReason::Iex(fault);
            self.core.events.record(ts_recv, 0, reason, bytes);
        }
        if let Some(reason) = self.core.reject.take() {
            self.core.events.record(ts_recv, 0, reason, bytes);
        }
    }

    /// Lets time pass: quiet windows, status.
    pub fn tick(&mut self, now_ns: u64) {
        self.core.events.tick(now_ns);
    }

    /// Offers everything new to the sink.
    pub fn publish(&mut self, sink: &mut impl Sink) {
        self.core.events.set_status(self.feed.status());
        self.core.events.publish(sink);
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
}

impl Handler for Core {
    fn list(&mut self, symbol: &str, _round_lot: Option<Qty>) -> InstrumentId {
        self.events.list(symbol, 0, PRICE_DECIMALS)
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
