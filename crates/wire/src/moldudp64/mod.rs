//! MoldUDP64: numbered messages in datagrams, and the request for those that were lost.
//!
//! A packet says which sequence number its first message has; the others follow without a hole.
//! A packet without messages (heartbeat, end of session) says the next number to expect, so a
//! receiver learns of a loss even when the venue is quiet. Byte maps: `docs/formats/moldudp64.md`.
//! Source: MoldUDP64 Protocol Specification V 1.00, sections "Downstream Packet" and "Request Packet".
//!
//! ```
//! use wire::moldudp64::{Packet, PacketWriter};
//!
//! let mut buffer = [0; 1472];
//! let mut writer = PacketWriter::new(&mut buffer, *b"000010059B", 5);
//! assert!(writer.push(b"first") && writer.push(b"second"));
//! let packet = Packet::parse(writer.finish()).expect("just written");
//! assert_eq!((packet.seq(), packet.count(), packet.next_seq()), (5, 2, 7));
//! assert_eq!(packet.messages().nth(1), Some(Ok(&b"second"[..])));
//! ```

#[cfg(test)]
mod tests;
mod writer;

use core::iter::FusedIterator;

use zerocopy::big_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub use writer::{PacketWriter, end_of_session, heartbeat};

/// Bytes of a packet before its first message, and of a whole request.
pub const HEADER_SIZE: usize = 20;
/// The message count that stands for the end of the session.
const COUNT_END_OF_SESSION: u16 = 0xFFFF;
/// Most messages in one packet: the next count is the end-of-session mark.
pub const MESSAGE_COUNT_MAX: u16 = COUNT_END_OF_SESSION - 1;

/// Why bytes are not a packet, or not the messages it announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Fewer bytes than a header.
    #[error("MoldUDP64 packet has {have} bytes where the header alone has 20: drop it")]
    Short {
        /// Bytes given.
        have: usize,
    },
    /// A request is exactly a header.
    #[error("MoldUDP64 request has {have} bytes where it must have 20: drop it")]
    RequestLength {
        /// Bytes given.
        have: usize,
    },
    /// The packet ends inside a message, or before one that its count promised.
    #[error(
        "MoldUDP64 packet is cut at its message {index}: {want} bytes wanted, {have} left; \
         the messages before it are good, treat the rest as lost"
    )]
    Cut {
        /// Position of the message in the packet, from 0.
        index: u16,
        /// Bytes that the message (or its two length bytes) needs.
        want: usize,
        /// Bytes left.
        have: usize,
    },
}

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    session: [u8; 10],
    seq: U64,
    count: U16,
}

const _: () = assert!(size_of::<Header>() == HEADER_SIZE && align_of::<Header>() == 1);

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It carries messages.
    Data,
    /// No messages; `seq` is the next number to expect.
    Heartbeat,
    /// No messages and none will follow; `seq` is the number after the last.
    EndOfSession,
}

/// A downstream packet, seen where it lies.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    header: &'a Header,
    blocks: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Sees `bytes` (one UDP payload) as a packet. Messages are checked as they are read.
    ///
    /// # Errors
    ///
    /// [`Error::Short`] when there are fewer than 20 bytes.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        match Header::ref_from_prefix(bytes) {
            Ok((header, blocks)) => Ok(Self { header, blocks }),
            Err(_) => Err(Error::Short { have: bytes.len() }),
        }
    }

    /// The session's name: a new one means that numbers start again.
    #[must_use]
    #[inline]
    pub const fn session(&self) -> [u8; 10] {
        self.header.session
    }

    /// The number of the first message; without messages, the next number to expect.
    #[must_use]
    #[inline]
    pub const fn seq(&self) -> u64 {
        self.header.seq.get()
    }

    /// How many messages the packet carries; 0 for a heartbeat and for the end of session.
    #[must_use]
    #[inline]
    pub const fn count(&self) -> u16 {
        match self.header.count.get() {
            COUNT_END_OF_SESSION => 0,
            count => count,
        }
    }

    /// The number after the last message of this packet. Saturates, so hostile bytes cannot wrap it.
    #[must_use]
    #[inline]
    pub const fn next_seq(&self) -> u64 {
        self.seq().saturating_add(self.count() as u64)
    }

    /// What the packet is for.
    #[must_use]
    #[inline]
    pub const fn kind(&self) -> Kind {
        match self.header.count.get() {
            0 => Kind::Heartbeat,
            COUNT_END_OF_SESSION => Kind::EndOfSession,
            _ => Kind::Data,
        }
    }

    /// The messages in order; the first has number [`Packet::seq`]. After an error it ends.
    #[must_use]
    #[inline]
    pub const fn messages(&self) -> Messages<'a> {
        Messages {
            rest: self.blocks,
            index: 0,
            count: self.count(),
        }
    }
}

impl core::fmt::Debug for Packet<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Packet")
            .field(
                "session",
                &format_args!("\"{}\"", self.session().escape_ascii()),
            )
            .field("seq", &self.seq())
            .field("count", &self.count())
            .field("kind", &self.kind())
            .field("bytes", &self.blocks.len())
            .finish()
    }
}

/// The messages of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
    index: u16,
    count: u16,
}

impl<'a> Messages<'a> {
    /// The bytes not read yet: after the last message, what the packet has beyond its count.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Messages not read yet, by the packet's count.
    #[must_use]
    pub const fn left(&self) -> usize {
        (self.count - self.index) as usize
    }

    #[cold]
    fn cut(&mut self, want: usize) -> Error {
        let error = Error::Cut {
            index: self.index,
            want,
            have: self.rest.len(),
        };
        self.index = self.count;
        error
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<&'a [u8], Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.count {
            return None;
        }
        let Some((length, blocks)) = self.rest.split_first_chunk::<2>() else {
            return Some(Err(self.cut(2)));
        };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((message, rest)) = blocks.split_at_checked(length) else {
            return Some(Err(self.cut(2 + length)));
        };
        self.rest = rest;
        self.index += 1;
        Some(Ok(message))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.count - self.index);
        // A cut packet yields fewer: only the upper bound is certain.
        (usize::from(left > 0), Some(left))
    }
}

impl FusedIterator for Messages<'_> {}

/// Asks the venue's re-request server for messages `[seq, seq + count)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The session's name.
    pub session: [u8; 10],
    /// The first number wanted.
    pub seq: u64,
    /// How many messages are wanted.
    pub count: u16,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// [`Error::RequestLength`] unless there are exactly 20 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        match Header::ref_from_bytes(bytes) {
            Ok(header) => Ok(Self {
                session: header.session,
                seq: header.seq.get(),
                count: header.count.get(),
            }),
            Err(_) => Err(Error::RequestLength { have: bytes.len() }),
        }
    }

    /// The request as it goes on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_SIZE] {
        header_bytes(self.session, self.seq, self.count)
    }
}

fn header_bytes(session: [u8; 10], seq: u64, count: u16) -> [u8; HEADER_SIZE] {
    zerocopy::transmute!(Header {
        session,
        seq: U64::new(seq),
        count: U16::new(count)
    })
}
