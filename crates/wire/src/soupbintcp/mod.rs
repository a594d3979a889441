//! SoupBinTCP 3.00: a sequenced stream of messages over TCP, with login and heartbeats.
//!
//! Every packet is a big-endian length, a type byte and a payload. The server sends *sequenced*
//! messages that are numbered by counting, so a client that lost its connection logs in again with
//! the next number; *unsequenced* messages have no numbers. Byte maps: `docs/formats/soupbintcp.md`.
//! Source: SoupBinTCP Version 3.00, sections 1 to 3.
//!
//! [`ClientSession`] and [`ServerSession`] are the two ends as state machines: bytes and time go in,
//! packets come out, nothing is sent or read here.
//!
//! ```
//! use wire::soupbintcp::{Packet, PacketWriter, split};
//!
//! let mut buffer = [0; 64];
//! let mut writer = PacketWriter::new(&mut buffer);
//! assert!(writer.push(Packet::Sequenced(b"hello")));
//! let (packet, size) = split(writer.bytes()).expect("ours").expect("whole");
//! assert_eq!((packet, size), (Packet::Sequenced(b"hello"), 8));
//! ```

mod client;
mod field;
mod server;
#[cfg(test)]
mod tests;
mod writer;

pub use client::{ClientConfig, ClientEvent, ClientSession};
pub use field::{LoginAccepted, LoginRequest, RejectReason};
pub(crate) use field::{number, parse_number};
pub use server::{ServerConfig, ServerEvent, ServerSession};
pub use writer::PacketWriter;

/// Bytes before a payload: two of length and the type.
pub const HEADER_SIZE: usize = 3;
/// Largest payload: the length counts the type byte too.
pub const PAYLOAD_MAX: usize = u16::MAX as usize - 1;
/// Longest silence before a heartbeat is due, ns (section 1.4: about a second).
pub const HEARTBEAT_NS: u64 = 1_000_000_000;
/// Silence after which the other end counts as gone, ns (section 1.4: 15 seconds).
pub const SILENCE_NS: u64 = 15_000_000_000;

/// Why bytes are not a packet. The connection cannot be trusted any more: close it and log in
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A length of zero has no room for the type.
    #[error("SoupBinTCP packet without a type: close the connection and log in again")]
    Empty,
    /// A type that the protocol does not have.
    #[error("SoupBinTCP packet of unknown type {0:#04x}: close the connection and log in again")]
    UnknownType(u8),
    /// A payload whose size its type does not allow.
    #[error(
        "SoupBinTCP packet {:?} with a payload of {have} bytes where its type has {want}: close the connection",
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
    /// A sequence number that is no number.
    #[error("SoupBinTCP login with a sequence number that is no number: close the connection")]
    Number,
    /// A reject code that the protocol does not have.
    #[error("SoupBinTCP login rejected with unknown code {0:#04x}")]
    RejectCode(u8),
}

/// One packet, seen where it lies. Section 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// `+`: text for people; ignored.
    Debug(&'a [u8]),
    /// `A`: the login holds; the server's next sequenced message has this number.
    LoginAccepted(LoginAccepted),
    /// `J`: the login does not hold; the server closes.
    LoginRejected(RejectReason),
    /// `S`: the next message of the session.
    Sequenced(&'a [u8]),
    /// `H`: the server lives.
    ServerHeartbeat,
    /// `Z`: nothing more will come in this session.
    EndOfSession,
    /// `L`: who wants what.
    LoginRequest(LoginRequest),
    /// `U`: a message without a number, either way.
    Unsequenced(&'a [u8]),
    /// `R`: the client lives.
    ClientHeartbeat,
    /// `O`: the client leaves.
    LogoutRequest,
}

impl Packet<'_> {
    /// The type byte.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Debug(_) => b'+',
            Self::LoginAccepted(_) => b'A',
            Self::LoginRejected(_) => b'J',
            Self::Sequenced(_) => b'S',
            Self::ServerHeartbeat => b'H',
            Self::EndOfSession => b'Z',
            Self::LoginRequest(_) => b'L',
            Self::Unsequenced(_) => b'U',
            Self::ClientHeartbeat => b'R',
            Self::LogoutRequest => b'O',
        }
    }
}

/// The first packet of `bytes` and how many bytes it takes; `None` while it is not whole.
///
/// # Errors
/// When it can never become a packet.
#[inline]
pub fn split(bytes: &[u8]) -> Result<Option<(Packet<'_>, usize)>, Error> {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length == 0 {
        return Err(Error::Empty);
    }
    let Some((&kind, _)) = rest.split_first() else {
        return Ok(None);
    };
    // A wrong type or length is told at once, not when 64 KiB have come.
    check(kind, length - 1)?;
    let Some(payload) = rest.get(1..length) else {
        return Ok(None);
    };
    Ok(Some((packet(kind, payload)?, 2 + length)))
}

/// The length that a type prescribes; `None`: any, or no such type.
const fn fixed_length(kind: u8) -> Option<usize> {
    match kind {
        b'A' => Some(LoginAccepted::SIZE),
        b'J' => Some(1),
        b'L' => Some(LoginRequest::SIZE),
        b'H' | b'Z' | b'R' | b'O' => Some(0),
        _ => None,
    }
}

fn check(kind: u8, have: usize) -> Result<(), Error> {
    match fixed_length(kind) {
        Some(want) if want != have => Err(Error::Length { kind, want, have }),
        None if !matches!(kind, b'+' | b'S' | b'U') => Err(Error::UnknownType(kind)),
        _ => Ok(()),
    }
}

fn packet(kind: u8, payload: &[u8]) -> Result<Packet<'_>, Error> {
    Ok(match kind {
        b'+' => Packet::Debug(payload),
        b'A' => Packet::LoginAccepted(LoginAccepted::parse(payload)?),
        b'J' => Packet::LoginRejected(RejectReason::parse(payload)?),
        b'S' => Packet::Sequenced(payload),
        b'H' => Packet::ServerHeartbeat,
        b'Z' => Packet::EndOfSession,
        b'L' => Packet::LoginRequest(LoginRequest::parse(payload)?),
        b'U' => Packet::Unsequenced(payload),
        b'R' => Packet::ClientHeartbeat,
        b'O' => Packet::LogoutRequest,
        other => return Err(Error::UnknownType(other)),
    })
}
