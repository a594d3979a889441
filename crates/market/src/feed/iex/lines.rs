//! Packets of lines A and B in the order of their numbers.
//!
//! A packet that is ahead waits a moment for what goes before it, which the other line may still
//! bring. Nothing can be asked for again here, so what has not come by then is lost.

use wire::iextp::Packet;

/// Packets that wait at most, and the bytes that each is expected to have: an Ethernet frame's.
const HELD_LIMIT: usize = 1_024;
const PACKET_BYTES: usize = 1_536;

/// A packet that is ahead.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) line: usize,
    pub(crate) ts_recv: u64,
    seq: u64,
    /// The number after its last message: `seq` for a heartbeat, which a packet of the same `seq`
    /// may follow.
    end: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What waits.
#[derive(Debug)]
pub(crate) struct Lines {
    wait_ns: u64,
    held: Vec<Held>,
    spare: Vec<Vec<u8>>,
}

impl Lines {
    /// For packets that may be so much later on one line than on the other, ns. Takes its memory.
    pub(crate) fn new(wait_ns: u64) -> Self {
        let spare = (0..HELD_LIMIT).map(|_| Vec::with_capacity(PACKET_BYTES));
        Self {
            wait_ns,
            held: Vec::with_capacity(HELD_LIMIT),
            spare: spare.collect(),
        }
    }

    /// Whether a packet waits.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }

    /// The number after the last that waits; 0 where none does.
    pub(crate) fn head_seq(&self) -> u64 {
        self.held.iter().map(|held| held.end).max().unwrap_or(0)
    }

    /// Keeps a packet of this session that is ahead of `next_seq`; false for one that is not, or
    /// when too many wait: it is to be read now.
    pub(crate) fn keep(
        &mut self,
        (line, ts_recv): (usize, u64),
        packet: &Packet<'_>,
        bytes: &[u8],
        next_seq: u64,
    ) -> bool {
        let (seq, end) = (packet.first_seq(), packet.next_seq());
        if seq <= next_seq {
            return false;
        }
        // The other line's copy brings nothing.
        let is_copy = |held: &Held| held.seq == seq && held.end >= end;
        if self.held.iter().any(is_copy) {
            return true;
        }
        let Some(mut spare) = self.spare.pop() else {
            return false;
        };
        spare.clear();
        spare.extend_from_slice(bytes);
        let after = self.held.partition_point(|held| held.seq > seq);
        let held = Held {
            line,
            ts_recv,
            seq,
            end,
            bytes: spare,
        };
        // Last is lowest, so that the next one is popped.
        self.held.insert(after, held);
        true
    }

    /// The next packet in order that is not ahead of `next_seq`.
    pub(crate) fn ready(&mut self, next_seq: u64) -> Option<Held> {
        self.held.pop_if(|held| held.seq <= next_seq)
    }

    /// The next packet in order, if one has waited too long: what goes before it is lost.
    pub(crate) fn overdue(&mut self, now_ns: u64) -> Option<Held> {
        let oldest = self.held.iter().map(|held| held.ts_recv).min()?;
        let is_due = now_ns >= oldest.saturating_add(self.wait_ns);
        self.held.pop_if(|_| is_due)
    }

    /// The next packet in order, whatever is missing before it.
    pub(crate) fn pop(&mut self) -> Option<Held> {
        self.held.pop()
    }

    /// Takes a packet's memory back.
    pub(crate) fn done(&mut self, held: Held) {
        self.spare.push(held.bytes);
    }
}
