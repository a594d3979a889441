//! The last packets and messages that could not be used, kept for a person to look at.

use crate::book::Reject;
use crate::feed::binance::SnapshotFault;
use crate::feed::fast::FastFault;
use crate::feed::iex::IexFault;
use crate::feed::itch::ItchFault;
use crate::feed::mdp3::Mdp3Fault;
use crate::feed::mold::PacketFault;

/// Offenders kept.
const OFFENDERS: usize = 64;
/// Bytes kept of each.
const BYTES: usize = 256;

/// Why something was rejected, by the step that did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RejectReason {
    /// The packet.
    #[error("packet refused")]
    Packet(#[from] PacketFault),
    /// A message in a good packet.
    #[error("ITCH message refused")]
    Message(#[from] ItchFault),
    /// A JSON text.
    #[error("text refused")]
    Text(#[from] wire::json::Error),
    /// A depth snapshot.
    #[error("depth snapshot refused")]
    Snapshot(#[from] SnapshotFault),
    /// A snapshot that does not say its symbol while several symbols wait for one.
    #[error("depth snapshot without a symbol: say which instrument it belongs to")]
    SnapshotOwner,
    /// A depth book differs from the venue's checksum: it was voided, and its symbol is to be
    /// subscribed again.
    #[error("the book differs from the venue's checksum: it waits for a new snapshot")]
    Checksum,
    /// A change of a depth book does not follow the one before: the book was voided.
    #[error("change out of order or after a loss: the book waits for a new snapshot")]
    OutOfOrder,
    /// The venue has told trades that were not received: the book was voided.
    #[error("messages are missing before this one: the book waits for a new snapshot")]
    Missing,
    /// A FAST datagram, or a part of it.
    #[error("FAST datagram refused")]
    Fast(#[from] FastFault),
    /// An MDP packet, or a part of it.
    #[error("MDP packet refused")]
    Mdp3(#[from] Mdp3Fault),
    /// A message of a snapshot, or one kept while it was on its way, that makes no book.
    #[error("snapshot and live messages contradict each other: the symbol is suspect")]
    SnapshotMessage,
    /// A DBN record.
    #[error("DBN record refused")]
    Dbn(#[from] wire::dbn::Error),
    /// An IEX-TP packet, or a message in one.
    #[error("IEX-TP refused")]
    Iex(#[from] IexFault),
    /// A well-formed message that contradicts the book.
    #[error("event contradicts the book")]
    Book(#[from] Reject),
}

/// One rejected packet or message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offender {
    /// Our receive time, ns UTC.
    pub at_ns: u64,
    /// The line it came by.
    pub line: usize,
    /// Why it was rejected.
    pub reason: RejectReason,
    /// Its whole size, bytes.
    pub size: usize,
    bytes: [u8; BYTES],
}

impl Offender {
    /// Its first bytes, at most 256.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.size.min(BYTES)]
    }
}

/// The last 64 offenders and a count of all.
#[derive(Clone, Debug)]
pub struct RejectRing {
    ring: Vec<Offender>,
    total: u64,
}

impl RejectRing {
    pub(super) fn new() -> Self {
        Self {
            ring: Vec::with_capacity(OFFENDERS),
            total: 0,
        }
    }

    /// How many were ever rejected.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The offenders kept, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Offender> {
        let split = (self.total % OFFENDERS as u64) as usize;
        let (newer, older) = self.ring.split_at(split.min(self.ring.len()));
        newer.iter().rev().chain(older.iter().rev())
    }

    #[cold]
    pub(super) fn record(&mut self, at_ns: u64, line: usize, reason: RejectReason, bytes: &[u8]) {
        let mut kept = [0; BYTES];
        let size = bytes.len().min(BYTES);
        kept[..size].copy_from_slice(&bytes[..size]);
        let offender = Offender {
            at_ns,
            line,
            reason,
            size: bytes.len(),
            bytes: kept,
        };
        let idx = (self.total % OFFENDERS as u64) as usize;
        match self.ring.get_mut(idx) {
            Some(slot) => *slot = offender,
            None => self.ring.push(offender),
        }
        self.total += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_come_first_and_the_oldest_fall_out() {
        let mut ring = RejectRing::new();
        for n in 0..100u64 {
            let reason = RejectReason::SnapshotOwner;
            ring.record(n, 1, reason, &vec![n as u8; n as usize * 4]);
            let ats: Vec<u64> = ring.newest_first().map(|offender| offender.at_ns).collect();
            let expected: Vec<u64> = (0..=n).rev().take(64).collect();
            assert_eq!(ats, expected);
        }
        let newest = ring.newest_first().next().expect("a hundred were recorded");
        assert_eq!(
            (newest.size, newest.bytes().len(), ring.total()),
            (396, 256, 100)
        );
    }
}
