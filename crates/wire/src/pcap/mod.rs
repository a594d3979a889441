//! Packet captures: pcap and pcapng, any resolution of time, either byte order.
//!
//! The reader walks a byte slice (a mapped file) and yields records that point into it; [`udp`] then
//! finds the datagram inside the link-layer frame. Byte maps: `docs/formats/pcap.md`. Sources:
//! draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, <https://www.tcpdump.org/linktypes.html>.
//!
//! ```
//! use wire::pcap::{Link, Reader};
//!
//! let mut file = Vec::new();
//! for word in [0xA1B2_3C4D_u32, 0x0004_0002, 0, 0, 65_535, 1 /* Ethernet */] {
//!     file.extend(word.to_le_bytes());
//! }
//! for word in [10_u32 /* s */, 7 /* ns */, 3, 3] {
//!     file.extend(word.to_le_bytes());
//! }
//! file.extend(b"abc");
//! let record = Reader::new(&file)?.next().expect("one record")?;
//! assert_eq!((record.ts_ns, record.link, record.data), (10_000_000_007, Link::Ethernet, &b"abc"[..]));
//! # Ok::<(), wire::pcap::Error>(())
//! ```

mod classic;
mod datagram;
mod ng;
#[cfg(test)]
mod tests;

use core::iter::FusedIterator;

pub use datagram::{Udp, udp};
pub use ng::INTERFACES_LIMIT;

/// Why a file or a record cannot be read. Unless said otherwise the reader ends after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first bytes are of no known capture format.
    #[error(
        "not a pcap or pcapng file: it starts with {found:#010x}; compressed captures must be unpacked"
    )]
    Magic {
        /// First four bytes, read as big-endian; missing bytes count as zero.
        found: u32,
    },
    /// The file ends inside a record. All records before it are good.
    #[error(
        "capture is cut at byte {offset}: {have} bytes left of {want}; the records before it are good"
    )]
    Cut {
        /// Where the cut record starts, from the start of the file.
        offset: usize,
        /// Bytes that the record needs.
        want: usize,
        /// Bytes left.
        have: usize,
    },
    /// A pcapng block contradicts itself, so the next block cannot be found.
    #[error(
        "pcapng block at byte {offset} has an impossible length: the file is corrupt from here"
    )]
    Block {
        /// Where the block starts.
        offset: usize,
    },
    /// More interfaces in one section than the reader keeps.
    #[error("pcapng section has more than 64 interfaces (byte {offset}): split the capture")]
    Interfaces {
        /// Where the block starts that describes one too many.
        offset: usize,
    },
    /// A packet of an interface that was never described. The reader goes on.
    #[error("pcapng packet at byte {offset} names an interface that was not described: skipped")]
    Interface {
        /// Where the block starts.
        offset: usize,
    },
    /// A packet without a time (pcapng simple packet block). The reader goes on.
    #[error("pcapng packet at byte {offset} has no time: skipped; capture with timestamps")]
    Untimed {
        /// Where the block starts.
        offset: usize,
    },
    /// A time before 1970 or after 2554. The reader goes on.
    #[error("capture record at byte {offset} has a time that does not fit nanoseconds since 1970")]
    Time {
        /// Where the record starts.
        offset: usize,
    },
}

impl Error {
    /// Whether the reader can find the record after this one.
    const fn skips_one_record(self) -> bool {
        matches!(
            self,
            Self::Interface { .. } | Self::Untimed { .. } | Self::Time { .. }
        )
    }
}

/// How the bytes of a record begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Ethernet II (1).
    Ethernet,
    /// An IP packet without a link header (101, 228, 229).
    Ip,
    /// Linux "cooked" capture, version 1 (113).
    LinuxCooked,
    /// Linux "cooked" capture, version 2 (276).
    LinuxCooked2,
    /// Any other link type, by number.
    Other(u16),
}

impl Link {
    const fn from_number(number: u16) -> Self {
        match number {
            1 => Self::Ethernet,
            101 | 228 | 229 => Self::Ip,
            113 => Self::LinuxCooked,
            276 => Self::LinuxCooked2,
            other => Self::Other(other),
        }
    }
}

/// One captured packet, seen where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it was captured: ns since 1970, UTC.
    pub ts_ns: u64,
    /// How `data` begins.
    pub link: Link,
    /// The captured bytes; fewer than were on the wire when the capture was limited.
    pub data: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}

/// Reads from the front of a slice; `None` once it is too short.
#[derive(Clone, Copy, Debug)]
struct Cursor<'a> {
    rest: &'a [u8],
    order: Order,
}

impl<'a> Cursor<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(front)
    }

    fn u16(&mut self) -> Option<u16> {
        let (front, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(self.order.u16(*front))
    }

    fn u32(&mut self) -> Option<u32> {
        let (front, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(self.order.u32(*front))
    }
}

#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one per file, and nothing here may allocate"
)]
enum Format {
    Classic(classic::Header),
    Ng(ng::Section),
}

/// The records of a capture, in file order.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    format: Format,
    ended: bool,
}

impl<'a> Reader<'a> {
    /// Recognises the format of `bytes`, a whole capture file.
    ///
    /// # Errors
    ///
    /// [`Error::Magic`] for another format, [`Error::Cut`] when the file header is cut.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        if ng::starts(bytes) {
            let format = Format::Ng(ng::Section::default());
            return Ok(Self {
                bytes,
                offset: 0,
                format,
                ended: false,
            });
        }
        let header = classic::Header::read(bytes)?;
        let format = Format::Classic(header);
        Ok(Self {
            bytes,
            offset: classic::HEADER_SIZE,
            format,
            ended: false,
        })
    }

    /// Where the next record starts.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Record<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = match &mut self.format {
            Format::Classic(header) => header.next(self.bytes, &mut self.offset),
            Format::Ng(section) => section.next(self.bytes, &mut self.offset),
        }?;
        if let Err(error) = record {
            self.ended = !error.skips_one_record();
        }
        Some(record)
    }
}

impl FusedIterator for Reader<'_> {}
