//! Messages into MoldUDP64 packets, as full as they fit, as late as the caller flushes.

use wire::moldudp64::{self, PacketWriter};

/// Largest UDP payload that fits a 1,500-byte Ethernet frame over IPv4.
pub const PAYLOAD_LIMIT: usize = 1_472;

/// Collects messages of one session and hands out packets.
#[derive(Clone, Debug)]
pub struct Packetiser {
    session: [u8; 10],
    /// The sequence number of the first message that waits.
    first_seq: u64,
    /// Payload size at which a packet is full.
    limit: usize,
    /// Waiting messages, each behind its two length bytes.
    waiting: Vec<u8>,
    count: u16,
    packet: Box<[u8]>,
}

impl Packetiser {
    /// A session whose first message has number 1. `limit` is the largest payload in bytes, taken
    /// as at least 128 and at most 65,000.
    #[must_use]
    pub fn new(session: [u8; 10], limit: usize) -> Self {
        let limit = limit.clamp(128, 65_000);
        Self {
            session,
            first_seq: 1,
            limit,
            waiting: Vec::with_capacity(limit),
            count: 0,
            packet: vec![0; limit].into_boxed_slice(),
        }
    }

    /// Adds a message; `send(seq, packet)` gets the packet that it made full, if any. A message
    /// that no packet can hold is refused with `false` and takes no number.
    pub fn push(&mut self, message: &[u8], send: &mut impl FnMut(u64, &[u8])) -> bool {
        let size = 2 + message.len();
        if moldudp64::HEADER_SIZE + size > self.limit {
            return false;
        }
        let full = moldudp64::HEADER_SIZE + self.waiting.len() + size > self.limit;
        if full || self.count == moldudp64::MESSAGE_COUNT_MAX {
            self.flush(send);
        }
        let length = message.len() as u16;
        self.waiting.extend_from_slice(&length.to_be_bytes());
        self.waiting.extend_from_slice(message);
        self.count += 1;
        true
    }

    /// Sends what waits, if anything.
    pub fn flush(&mut self, send: &mut impl FnMut(u64, &[u8])) {
        if self.count == 0 {
            return;
        }
        let mut writer = PacketWriter::new(&mut self.packet, self.session, self.first_seq);
        let mut rest = &self.waiting[..];
        while let Some((length, tail)) = rest.split_first_chunk::<2>() {
            let (message, tail) = tail.split_at(usize::from(u16::from_be_bytes(*length)));
            let fits = writer.push(message);
            debug_assert!(fits, "push counted the bytes");
            rest = tail;
        }
        send(self.first_seq, writer.finish());
        self.first_seq += u64::from(self.count);
        self.waiting.clear();
        self.count = 0;
    }

    /// The number that the next message will have.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.first_seq + u64::from(self.count)
    }

    /// The packet that says "nothing new": send it about once a second in silence, after a flush.
    #[must_use]
    pub fn heartbeat(&self) -> [u8; moldudp64::HEADER_SIZE] {
        moldudp64::heartbeat(self.session, self.first_seq)
    }

    /// The packet that ends the session; send it after a flush.
    #[must_use]
    pub fn end_of_session(&self) -> [u8; moldudp64::HEADER_SIZE] {
        moldudp64::end_of_session(self.session, self.first_seq)
    }

    /// The session's name.
    #[must_use]
    pub fn session(&self) -> [u8; 10] {
        self.session
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::moldudp64::{Kind, Packet};

    #[test]
    fn packets_hold_every_message_once_and_in_order() {
        let mut packetiser = Packetiser::new(*b"SESSION001", 200);
        let mut packets: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut send = |seq, bytes: &[u8]| packets.push((seq, bytes.to_vec()));
        for i in 0..100u8 {
            assert!(packetiser.push(&vec![i; usize::from(i % 50) + 1], &mut send));
        }
        assert!(!packetiser.push(&[0; 179], &mut send), "no packet holds it");
        packetiser.flush(&mut send);
        packetiser.flush(&mut send);
        let mut next = 1;
        for (seq, bytes) in &packets {
            let packet = Packet::parse(bytes).expect("a packet");
            assert!(bytes.len() <= 200 && packet.seq() == *seq && *seq == next);
            for message in packet.messages() {
                let i = (next - 1) as u8;
                assert_eq!(message, Ok(&vec![i; usize::from(i % 50) + 1][..]));
                next += 1;
            }
        }
        assert_eq!((next, packetiser.next_seq()), (101, 101));
        let end = packetiser.end_of_session();
        let end = Packet::parse(&end).expect("a packet");
        assert_eq!((end.kind(), end.seq()), (Kind::EndOfSession, 101));
    }
}
