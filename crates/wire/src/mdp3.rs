//! CME MDP 3.0 packets: what stands around the messages of [`sbe`](crate::sbe).
//!
//! One UDP payload is a header (sequence number, sending time) and messages, each with its size in
//! front. All numbers are little-endian. Byte map: `docs/formats/mdp3.md`. Source: CME Globex,
//! *MDP 3.0 Message Specification*, "Packet and Message Headers".

use core::iter::FusedIterator;

use alloc::vec::Vec;

/// Bytes before the first message.
pub const HEADER_SIZE: usize = 12;
/// Bytes of a message's size, which counts itself.
pub const SIZE_SIZE: usize = 2;

/// Why bytes are not a packet, or not the messages it should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Fewer bytes than a header.
    #[error("MDP packet has {have} bytes where the header alone has 12: drop it")]
    Short {
        /// Bytes given.
        have: usize,
    },
    /// The packet ends inside a message.
    #[error("MDP packet is cut: a message of {want} bytes, {have} left; treat the rest as lost")]
    Cut {
        /// The size that the message says, or 2 where not even that is there.
        want: usize,
        /// Bytes left.
        have: usize,
    },
}

/// A packet, seen where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    seq: u32,
    sent_ns: u64,
    body: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Sees `bytes` (one UDP payload) as a packet. Messages are checked as they are read.
    ///
    /// # Errors
    /// [`Error::Short`] when there are fewer than 12 bytes.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let short = Error::Short { have: bytes.len() };
        let (seq, rest) = bytes.split_first_chunk::<4>().ok_or(short)?;
        let (sent, body) = rest.split_first_chunk::<8>().ok_or(short)?;
        Ok(Self {
            seq: u32::from_le_bytes(*seq),
            sent_ns: u64::from_le_bytes(*sent),
            body,
        })
    }

    /// The packet's number on its channel, from 1; all of its messages have it.
    #[must_use]
    pub const fn seq(&self) -> u32 {
        self.seq
    }

    /// When the venue sent it, ns UTC.
    #[must_use]
    pub const fn sent_ns(&self) -> u64 {
        self.sent_ns
    }

    /// The messages in order, without their sizes. After an error it ends.
    #[must_use]
    pub const fn messages(&self) -> Messages<'a> {
        Messages { rest: self.body }
    }
}

/// The messages of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let have = self.rest.len();
        let want = match self.rest.first_chunk::<SIZE_SIZE>() {
            Some(size) => usize::from(u16::from_le_bytes(*size)),
            None => SIZE_SIZE,
        };
        match self.rest.get(SIZE_SIZE..want) {
            Some(message) => {
                self.rest = &self.rest[want..];
                Some(Ok(message))
            }
            None => {
                self.rest = &[];
                Some(Err(Error::Cut { want, have }))
            }
        }
    }
}

impl FusedIterator for Messages<'_> {}

/// Starts a packet in `out`, which is emptied; for tests and simulated venues.
pub fn begin(out: &mut Vec<u8>, seq: u32, sent_ns: u64) {
    out.clear();
    out.extend(seq.to_le_bytes());
    out.extend(sent_ns.to_le_bytes());
}

/// Appends a message, which must have at most 65,533 bytes; false when it has more.
#[must_use]
pub fn push(out: &mut Vec<u8>, message: &[u8]) -> bool {
    let Ok(size) = u16::try_from(message.len() + SIZE_SIZE) else {
        return false;
    };
    out.extend(size.to_le_bytes());
    out.extend(message);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_taken_apart_as_they_were_put_together() {
        let mut bytes = Vec::new();
        begin(&mut bytes, 7, 1_600_000_000_000_000_000);
        assert!(push(&mut bytes, b"abc") && push(&mut bytes, b""));
        let packet = Packet::parse(&bytes).expect("whole");
        assert_eq!(
            (packet.seq(), packet.sent_ns()),
            (7, 1_600_000_000_000_000_000)
        );
        let messages: Vec<_> = packet.messages().collect();
        assert_eq!(messages, [Ok(&b"abc"[..]), Ok(&b""[..])]);
        let cut = Packet::parse(&bytes[..bytes.len() - 3]).expect("a header");
        assert_eq!(
            cut.messages().last(),
            Some(Err(Error::Cut { want: 5, have: 4 }))
        );
        assert_eq!(
            Packet::parse(&bytes[..11]).err(),
            Some(Error::Short { have: 11 })
        );
        // A size that does not even count itself would never end.
        bytes.truncate(12);
        bytes.extend([1, 0, 9]);
        let packet = Packet::parse(&bytes).expect("a header");
        assert_eq!(
            packet.messages().next(),
            Some(Err(Error::Cut { want: 1, have: 3 }))
        );
        assert!(!push(&mut bytes, &[0; 65_534]));
    }
}
