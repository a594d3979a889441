//! Fills a caller's buffer with one downstream packet.

use super::{COUNT_END_OF_SESSION, HEADER_SIZE, MESSAGE_COUNT_MAX, header_bytes};

/// Writes one packet, message by message, into a buffer of the caller.
#[derive(Debug)]
pub struct PacketWriter<'a> {
    buffer: &'a mut [u8],
    session: [u8; 10],
    seq: u64,
    size: usize,
    count: u16,
}

impl<'a> PacketWriter<'a> {
    /// A packet whose first message has number `seq`. The buffer's length is the packet's limit.
    ///
    /// # Panics
    ///
    /// When the buffer has no room for the 20-byte header.
    #[must_use]
    pub fn new(buffer: &'a mut [u8], session: [u8; 10], seq: u64) -> Self {
        assert!(
            buffer.len() >= HEADER_SIZE,
            "a packet buffer holds at least its header"
        );
        Self {
            buffer,
            session,
            seq,
            size: HEADER_SIZE,
            count: 0,
        }
    }

    /// Appends a message; `false`, with the packet unchanged, when it does not fit.
    #[must_use = "a message that does not fit must go into the next packet"]
    pub fn push(&mut self, message: &[u8]) -> bool {
        let Ok(length) = u16::try_from(message.len()) else {
            return false;
        };
        let end = self.size + 2 + message.len();
        if end > self.buffer.len() || self.count == MESSAGE_COUNT_MAX {
            return false;
        }
        self.buffer[self.size..self.size + 2].copy_from_slice(&length.to_be_bytes());
        self.buffer[self.size + 2..end].copy_from_slice(message);
        self.size = end;
        self.count += 1;
        true
    }

    /// Messages so far.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// Bytes so far, header included.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The packet. Without a message it is a heartbeat.
    #[must_use]
    pub fn finish(self) -> &'a [u8] {
        let header = header_bytes(self.session, self.seq, self.count);
        self.buffer[..HEADER_SIZE].copy_from_slice(&header);
        &self.buffer[..self.size]
    }
}

/// A packet that says: nothing new, `next_seq` comes next.
#[must_use]
pub fn heartbeat(session: [u8; 10], next_seq: u64) -> [u8; HEADER_SIZE] {
    header_bytes(session, next_seq, 0)
}

/// A packet that says: the session is over, `next_seq` would have come next.
#[must_use]
pub fn end_of_session(session: [u8; 10], next_seq: u64) -> [u8; HEADER_SIZE] {
    header_bytes(session, next_seq, COUNT_END_OF_SESSION)
}
