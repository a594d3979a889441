//! IEX-TP with DEEP 1.0 and TOPS 1.6: packets and every message, read in place and written.
//!
//! A packet is a header and length-framed messages; the number of its first message, the session
//! and the stream's byte offset say where it belongs. DEEP tells levels, TOPS best quotes; both
//! share all other messages. Byte maps: `docs/formats/iextp.md`. Sources: IEX Transport
//! Specification 1.25, IEX DEEP Specification 1.08, IEX TOPS Specification 1.66.
//!
//! ```
//! use wire::iextp::{Header, Message, Packet, PacketWriter, PriceLevelUpdate, Symbol, protocol};
//!
//! let mut level = PriceLevelUpdate::empty(b'8');
//! level.symbol = Symbol::new("ZIEXT").expect("it fits");
//! (level.flags, level.size, level.price) = (1, 9_700.into(), 990_500.into());
//! let mut buffer = [0; 1_400];
//! let header = Header::new(protocol::DEEP, 1, 1_150_681_088, 7, 0, 1_471_980_632_572_715_948);
//! let mut writer = PacketWriter::new(&mut buffer, header);
//! assert!(writer.push(level.as_bytes()));
//! let packet = Packet::parse(writer.finish()).expect("just written");
//! let Some(Ok(Message::PriceLevelUpdate(read))) = packet.messages().next() else { panic!() };
//! assert_eq!((packet.first_seq(), read.symbol.as_str(), read.price.get()), (7, "ZIEXT", 990_500));
//! ```

mod message;
#[cfg(test)]
mod tests;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub use message::{
    AuctionInformation, Field, Message, OfficialPrice, OperationalHalt, OptPrice, PriceLevelUpdate,
    QuoteUpdate, RetailLiquidity, SecurityDirectory, SecurityEvent, ShortSale, Symbol, SystemEvent,
    TradeBreak, TradeReport, TradingStatus, decode, event_flag, sale,
};

/// Bytes of a packet before its first message.
pub const HEADER_SIZE: usize = 40;
/// The only version of the transport.
const VERSION: u8 = 1;

/// Numbers of the message protocols.
pub mod protocol {
    /// TOPS 1.5 and 1.6.
    pub const TOPS: u16 = 0x8003;
    /// DEEP 1.0.
    pub const DEEP: u16 = 0x8004;
}

/// Why bytes are not a packet, or not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Fewer bytes than a header.
    #[error("IEX-TP packet has {have} bytes where the header alone has 40: drop it")]
    Short {
        /// Bytes given.
        have: usize,
    },
    /// Another version of the transport.
    #[error("IEX-TP version {0} is not known here (1 is): drop the packet")]
    Version(u8),
    /// The header's length of the messages is not what follows it.
    #[error("IEX-TP packet says {want} bytes of messages and has {have}: drop it")]
    Payload {
        /// Bytes that the header says.
        want: usize,
        /// Bytes given.
        have: usize,
    },
    /// The packet ends inside a message, or before one that its count promised.
    #[error(
        "IEX-TP packet is cut at its message {index}: {want} bytes wanted, {have} left; \
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
    /// No type byte.
    #[error("IEX message is empty: count it and go on with the next message")]
    Empty,
    /// A type that neither DEEP nor TOPS has.
    #[error("IEX message type {0:#04x} is in neither DEEP 1.0 nor TOPS 1.6: skip it")]
    UnknownType(u8),
    /// The length is not the one that the type prescribes.
    #[error(
        "IEX message {:?} has {have} bytes where its type has {want}: skip it",
        char::from(*.kind)
    )]
    Length {
        /// The type byte.
        kind: u8,
        /// Bytes that the type prescribes.
        want: usize,
        /// Bytes given.
        have: usize,
    },
}

/// What a packet starts with.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    version: u8,
    reserved: u8,
    protocol: U16,
    channel: U32,
    session: U32,
    payload_length: U16,
    message_count: U16,
    stream_offset: U64,
    first_seq: U64,
    send_time_ns: U64,
}

const _: () = assert!(size_of::<Header>() == HEADER_SIZE && align_of::<Header>() == 1);

impl Header {
    /// A header for [`PacketWriter`], which fills in length and count.
    #[must_use]
    pub const fn new(
        protocol: u16,
        channel: u32,
        session: u32,
        first_seq: u64,
        stream_offset: u64,
        send_time_ns: u64,
    ) -> Self {
        Self {
            version: VERSION,
            reserved: 0,
            protocol: U16::new(protocol),
            channel: U32::new(channel),
            session: U32::new(session),
            payload_length: U16::new(0),
            message_count: U16::new(0),
            stream_offset: U64::new(stream_offset),
            first_seq: U64::new(first_seq),
            send_time_ns: U64::new(send_time_ns),
        }
    }
}

/// A packet, seen where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    header: &'a Header,
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Sees `bytes` (one UDP payload) as a packet. Messages are checked as they are read. Bytes
    /// beyond the length that the header says are no part of it.
    ///
    /// # Errors
    /// When the header is cut, of another version, or promises more than there is.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let have = bytes.len();
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| Error::Short { have })?;
        if header.version != VERSION {
            return Err(Error::Version(header.version));
        }
        let want = usize::from(header.payload_length.get());
        let payload = rest.get(..want).ok_or(Error::Payload {
            want,
            have: rest.len(),
        })?;
        Ok(Self { header, payload })
    }

    /// The message protocol: see [`protocol`].
    #[must_use]
    pub const fn protocol(&self) -> u16 {
        self.header.protocol.get()
    }

    /// The stream: each has numbers of its own.
    #[must_use]
    pub const fn channel(&self) -> u32 {
        self.header.channel.get()
    }

    /// The session: numbers start again from 1 in a new one.
    #[must_use]
    pub const fn session(&self) -> u32 {
        self.header.session.get()
    }

    /// How many messages it carries; 0 for a heartbeat.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.header.message_count.get()
    }

    /// Bytes of messages sent in the session before this packet.
    #[must_use]
    pub const fn stream_offset(&self) -> u64 {
        self.header.stream_offset.get()
    }

    /// The number of the first message; of a heartbeat, the next number to expect.
    #[must_use]
    pub const fn first_seq(&self) -> u64 {
        self.header.first_seq.get()
    }

    /// The number after the last message. Saturates, so hostile bytes cannot wrap it.
    #[must_use]
    pub const fn next_seq(&self) -> u64 {
        self.first_seq().saturating_add(self.count() as u64)
    }

    /// When the venue sent it, ns UTC.
    #[must_use]
    pub const fn send_time_ns(&self) -> u64 {
        self.header.send_time_ns.get()
    }

    /// The bytes of its messages with their lengths.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The messages' bytes in order. After an error it ends.
    #[must_use]
    pub const fn blocks(&self) -> Blocks<'a> {
        Blocks {
            rest: self.payload,
            index: 0,
            count: self.count(),
        }
    }

    /// The messages in order. A message that cannot be read is an error and the next one follows;
    /// after a cut nothing does.
    pub fn messages(&self) -> impl Iterator<Item = Result<Message<'a>, Error>> + use<'a> {
        self.blocks().map(|block| block.and_then(decode))
    }
}

/// The bytes of each message of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a> {
    rest: &'a [u8],
    index: u16,
    count: u16,
}

impl<'a> Blocks<'a> {
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

impl<'a> Iterator for Blocks<'a> {
    type Item = Result<&'a [u8], Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.count {
            return None;
        }
        let Some((length, blocks)) = self.rest.split_first_chunk::<2>() else {
            return Some(Err(self.cut(2)));
        };
        let length = usize::from(u16::from_le_bytes(*length));
        let Some((message, rest)) = blocks.split_at_checked(length) else {
            return Some(Err(self.cut(2 + length)));
        };
        self.rest = rest;
        self.index += 1;
        Some(Ok(message))
    }
}

impl core::iter::FusedIterator for Blocks<'_> {}

/// Fills one packet.
#[derive(Debug)]
pub struct PacketWriter<'a> {
    buffer: &'a mut [u8],
    header: Header,
    at: usize,
}

impl<'a> PacketWriter<'a> {
    /// An empty packet, at most as large as `buffer`.
    ///
    /// # Panics
    /// When `buffer` has no room for the header.
    #[must_use]
    pub fn new(buffer: &'a mut [u8], header: Header) -> Self {
        assert!(buffer.len() >= HEADER_SIZE, "room for the header");
        Self {
            buffer,
            header,
            at: HEADER_SIZE,
        }
    }

    /// Appends a message; false, and nothing written, when it does not fit.
    pub fn push(&mut self, message: &[u8]) -> bool {
        let end = self.at + 2 + message.len();
        let fits = end <= self.buffer.len()
            && end - HEADER_SIZE <= usize::from(u16::MAX)
            && self.header.message_count.get() < u16::MAX;
        if fits {
            let length = message.len() as u16;
            self.buffer[self.at..self.at + 2].copy_from_slice(&length.to_le_bytes());
            self.buffer[self.at + 2..end].copy_from_slice(message);
            self.at = end;
            self.header.message_count += 1;
        }
        fits
    }

    /// The whole packet; without messages it is a heartbeat.
    #[must_use]
    pub fn finish(mut self) -> &'a [u8] {
        self.header.payload_length = U16::new((self.at - HEADER_SIZE) as u16);
        self.buffer[..HEADER_SIZE].copy_from_slice(self.header.as_bytes());
        &self.buffer[..self.at]
    }
}
