//! What a lane runs: the steps of `market` joined to one state machine.

use crate::ring::FrameSender;
use wire::moldudp64::Request;

/// A pure state machine between payloads and frames. The lane drives it: payloads, then `tick`
/// when time has passed, then requests, then `publish`.
pub trait Pipeline {
    /// One MoldUDP64 packet of line 0 (A), 1 (B) or 2 (recovery).
    fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]);

    /// One bare message, numbered from 1.
    fn message(&mut self, ts_recv: u64, bytes: &[u8]);

    /// Timers; `now_ns` is UTC.
    fn tick(&mut self, now_ns: u64);

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
}
