//! Packets held back until what precedes them has come. Fixed memory.

/// One packet in the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    seq: u64,
    end: u64,
    pub(super) ts_recv: u64,
    pub(super) line: usize,
    slot: u32,
    size: u32,
}

/// Equal slots for packet bytes, and an index sorted by descending number: the next to deliver is
/// at the end.
#[derive(Debug)]
pub(super) struct Arena {
    bytes: Vec<u8>,
    slot_size: usize,
    free: Vec<u32>,
    held: Vec<Held>,
}

impl Arena {
    pub(super) fn new(packets: usize, packet_bytes_limit: usize) -> Self {
        Self {
            bytes: vec![0; packets * packet_bytes_limit],
            slot_size: packet_bytes_limit,
            free: (0..packets as u32).rev().collect(),
            held: Vec::with_capacity(packets),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.free.extend(self.held.drain(..).map(|held| held.slot));
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    /// Drops the packet that is due last and returns its messages, if it starts at `end` or later.
    pub(super) fn evict_after(&mut self, end: u64) -> Option<(u64, u64)> {
        let last = *self.held.first().filter(|held| held.seq >= end)?;
        self.held.remove(0);
        self.free.push(last.slot);
        // Part of it may be held by any packet before it: the other line cuts where it likes.
        let ends = self.held.iter().map(|held| held.end);
        let from = ends.max().unwrap_or(0).max(last.seq);
        (from < last.end).then_some((from, last.end))
    }

    /// Keeps a packet with messages `[seq, end)`; false when there is no room or it is too large.
    pub(super) fn hold(
        &mut self,
        seq: u64,
        end: u64,
        ts_recv: u64,
        line: usize,
        bytes: &[u8],
    ) -> bool {
        if bytes.len() > self.slot_size {
            return false;
        }
        let Some(slot) = self.free.pop() else {
            return false;
        };
        let start = slot as usize * self.slot_size;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        let idx = self.held.partition_point(|held| held.seq > seq);
        let held = Held {
            seq,
            end,
            ts_recv,
            line,
            slot,
            size: bytes.len() as u32,
        };
        self.held.insert(idx, held);
        true
    }

    /// The packet that holds message `next_seq`, if it is here; packets before it are let go.
    pub(super) fn next(&mut self, next_seq: u64) -> Option<(Held, &[u8])> {
        while self.held.last().is_some_and(|held| held.end <= next_seq) {
            self.release();
        }
        let held = *self.held.last().filter(|held| held.seq <= next_seq)?;
        let start = held.slot as usize * self.slot_size;
        Some((held, &self.bytes[start..start + held.size as usize]))
    }

    /// Frees the packet that `next` gave.
    pub(super) fn release(&mut self) {
        if let Some(held) = self.held.pop() {
            self.free.push(held.slot);
        }
    }
}
