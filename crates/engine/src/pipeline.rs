//! What a lane runs: the steps of `market` joined to one state machine.

use std::sync::Arc;

use crate::capture::{DBN_CUT, DBN_HEADER, DBN_RECORD};
use crate::ring::FrameSender;
use market::pipeline::{
    DbnPipeline, FastPipeline, IexPipeline, ItchPipeline, Mdp3Pipeline, RejectRing, RelayPipeline,
};
use market::reference::Table;
use market::window::LateCount;
use wire::moldudp64::Request;

/// What came behind the watermark, by what it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Late {
    /// Prints for bars.
    pub bars: LateCount,
    /// Prints for the sliding VWAP.
    pub vwap: LateCount,
    /// Prints and quotes for measures.
    pub measures: LateCount,
}

/// A pure state machine between payloads and frames. The lane drives it: payloads, then `tick`
/// when time has passed, then requests, then `publish`.
pub trait Pipeline {
    /// One MoldUDP64 packet of line 0 (A), 1 (B) or 2 (recovery).
    fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]);

    /// One bare message, numbered from 1.
    fn message(&mut self, ts_recv: u64, bytes: &[u8]);

    /// Timers; `now_ns` is UTC. What lines 0 and 1 received before it was handed over by now.
    fn tick(&mut self, now_ns: u64);

    /// Nothing comes any more: what is awaited is given up, and the last status is due.
    fn finish(&mut self) {}

    /// A request for lost messages to send now; asked until `None`.
    fn next_request(&mut self) -> Option<Request>;

    /// Everything new since the last call.
    fn publish(&mut self, sink: &mut FrameSender);

    /// The kernel has dropped `total` datagrams of a line since the start.
    fn kernel_drops(&mut self, line: usize, total: u64);

    /// Keep the digest of all books as of after `seq`.
    fn digest_at(&mut self, seq: u64);

    /// A digest that was asked for and is ready: sequence number and digest.
    fn take_digest(&mut self) -> Option<(u64, u64)>;

    /// Reference data to put in force; ignored where there is no use for it.
    fn swap_reference(&mut self, table: Arc<Table>) {
        drop(table);
    }

    /// What came behind the watermark so far; all 0 where nothing is counted in windows.
    fn late(&self) -> Late {
        Late::default()
    }

    /// The last packets and messages that could not be used, if the pipeline keeps them.
    fn rejected(&self) -> Option<&RejectRing> {
        None
    }
}

impl Pipeline for ItchPipeline {
    #[inline]
    fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) {
        Self::packet(self, line, ts_recv, bytes);
    }

    #[inline]
    fn message(&mut self, ts_recv: u64, bytes: &[u8]) {
        Self::message(self, ts_recv, bytes);
    }

    fn tick(&mut self, now_ns: u64) {
        Self::tick(self, now_ns);
    }

    fn finish(&mut self) {
        Self::finish(self);
    }

    fn next_request(&mut self) -> Option<Request> {
        Self::next_request(self)
    }

    fn publish(&mut self, sink: &mut FrameSender) {
        Self::publish(self, sink);
    }

    fn kernel_drops(&mut self, line: usize, total: u64) {
        Self::kernel_drops(self, line, total);
    }

    fn digest_at(&mut self, seq: u64) {
        Self::digest_at(self, seq);
    }

    fn take_digest(&mut self) -> Option<(u64, u64)> {
        Self::take_digest(self)
    }

    fn swap_reference(&mut self, table: Arc<Table>) {
        Self::swap_reference(self, table);
    }

    fn late(&self) -> Late {
        let (bars, vwap) = Self::late(self);
        Late {
            bars,
            vwap,
            measures: self.late_measures(),
        }
    }

    fn rejected(&self) -> Option<&RejectRing> {
        Some(Self::rejected(self))
    }
}

/// Frames have no digest of books: those belong to the sender.
impl Pipeline for RelayPipeline {
    fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) {
        Self::packet(self, line, ts_recv, bytes);
    }

    /// Frames come in packets only.
    fn message(&mut self, _ts_recv: u64, _bytes: &[u8]) {}

    fn tick(&mut self, now_ns: u64) {
        Self::tick(self, now_ns);
    }

    fn next_request(&mut self) -> Option<Request> {
        Self::next_request(self)
    }

    fn publish(&mut self, sink: &mut FrameSender) {
        Self::publish(self, sink);
    }

    fn kernel_drops(&mut self, line: usize, total: u64) {
        Self::kernel_drops(self, line, total);
    }

    fn digest_at(&mut self, _seq: u64) {}

    fn take_digest(&mut self) -> Option<(u64, u64)> {
        None
    }

    fn rejected(&self) -> Option<&RejectRing> {
        Some(Self::rejected(self))
    }
}

/// What pipelines over the events of any feed answer alike: nothing is asked for again.
macro_rules! by_events {
    () => {
        fn finish(&mut self) {
            Self::finish(self);
        }

        fn tick(&mut self, now_ns: u64) {
            Self::tick(self, now_ns);
        }

        fn next_request(&mut self) -> Option<Request> {
            None
        }

        fn publish(&mut self, sink: &mut FrameSender) {
            Self::publish(self, sink);
        }

        fn digest_at(&mut self, seq: u64) {
            Self::digest_at(self, seq);
        }

        fn take_digest(&mut self) -> Option<(u64, u64)> {
            Self::take_digest(self)
        }

        fn swap_reference(&mut self, table: Arc<Table>) {
            Self::swap_reference(self, table);
        }

        fn late(&self) -> Late {
            let (bars, vwap) = self.events().late();
            Late {
                bars,
                vwap,
                measures: self.events().late_measures(),
            }
        }

        fn rejected(&self) -> Option<&RejectRing> {
            Some(self.events().rejected())
        }
    };
}

/// Line 2 is the snapshot line: such a feed sends again by itself.
impl Pipeline for FastPipeline {
    fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) {
        // What cannot be used was counted and kept there.
        let _counted = Self::packet(self, line, ts_recv, bytes);
    }

    /// FAST comes in datagrams only.
    fn message(&mut self, _ts_recv: u64, _bytes: &[u8]) {}

    fn kernel_drops(&mut self, line: usize, total: u64) {
        Self::kernel_drops(self, line, total);
    }

    by_events!();
}

/// Line 2 is the snapshot line, and that of definitions.
impl Pipeline for Mdp3Pipeline {
    fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) {
        // What cannot be used was counted and kept there.
        let _counted = Self::packet(self, line, ts_recv, bytes);
    }

    /// Messages come in packets only.
    fn message(&mut self, _ts_recv: u64, _bytes: &[u8]) {}

    fn kernel_drops(&mut self, line: usize, total: u64) {
        Self::kernel_drops(self, line, total);
    }

    by_events!();
}

impl Pipeline for IexPipeline {
    fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) {
        Self::packet(self, line, ts_recv, bytes);
    }

    /// Messages come in packets only.
    fn message(&mut self, _ts_recv: u64, _bytes: &[u8]) {}

    fn kernel_drops(&mut self, line: usize, total: u64) {
        Self::kernel_drops(self, line, total);
    }

    by_events!();
}

/// Its source says by the line what the bytes are: see [`DbnSource`](crate::capture::DbnSource).
impl Pipeline for DbnPipeline {
    fn packet(&mut self, line: usize, _ts_recv: u64, bytes: &[u8]) {
        match line {
            DBN_RECORD => self.record(bytes),
            DBN_HEADER => {
                if let Ok((metadata, _)) = wire::dbn::Metadata::parse(bytes) {
                    self.header(&metadata);
                }
            }
            DBN_CUT => self.cut(),
            _ => self.end(),
        }
    }

    fn message(&mut self, _ts_recv: u64, bytes: &[u8]) {
        self.record(bytes);
    }

    /// Nothing of a stream is dropped by the kernel.
    fn kernel_drops(&mut self, _line: usize, _total: u64) {}

    by_events!();
}
