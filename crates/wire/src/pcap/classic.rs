//! The classic pcap format: one header, then records.

use super::{Cursor, Error, Link, Order, Record};

pub(super) const HEADER_SIZE: usize = 24;
const RECORD_HEADER_SIZE: usize = 16;
const MAGIC_MICROSECONDS: u32 = 0xA1B2_C3D4;
const MAGIC_NANOSECONDS: u32 = 0xA1B2_3C4D;

/// What the file header says about all records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    order: Order,
    /// Nanoseconds in one unit of a record's fraction of a second.
    fraction_ns: u64,
    link: Link,
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut first = [0; 4];
        let known = bytes.len().min(4);
        first[..known].copy_from_slice(&bytes[..known]);
        let (order, fraction_ns) = match (u32::from_be_bytes(first), u32::from_le_bytes(first)) {
            (MAGIC_MICROSECONDS, _) => (Order::Big, 1_000),
            (MAGIC_NANOSECONDS, _) => (Order::Big, 1),
            (_, MAGIC_MICROSECONDS) => (Order::Little, 1_000),
            (_, MAGIC_NANOSECONDS) => (Order::Little, 1),
            (found, _) => return Err(Error::Magic { found }),
        };
        let Some(header) = bytes.first_chunk::<HEADER_SIZE>() else {
            return Err(Error::Cut {
                offset: 0,
                want: HEADER_SIZE,
                have: bytes.len(),
            });
        };
        // The link type is the low half of the last word; the high half tells of checksums.
        let [.., a, b, c, d] = *header;
        let link = Link::from_number((order.u32([a, b, c, d]) & 0xFFFF) as u16);
        Ok(Self {
            order,
            fraction_ns,
            link,
        })
    }

    pub(super) fn next<'a>(
        &self,
        bytes: &'a [u8],
        offset: &mut usize,
    ) -> Option<Result<Record<'a>, Error>> {
        let start = *offset;
        let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let cut = |want| {
            Some(Err(Error::Cut {
                offset: start,
                want,
                have: rest.len(),
            }))
        };
        let mut cursor = Cursor {
            rest,
            order: self.order,
        };
        let (Some(seconds), Some(fraction), Some(size), Some(_)) =
            (cursor.u32(), cursor.u32(), cursor.u32(), cursor.u32())
        else {
            return cut(RECORD_HEADER_SIZE);
        };
        let size = size as usize;
        let Some(data) = cursor.bytes(size) else {
            return cut(RECORD_HEADER_SIZE.saturating_add(size));
        };
        *offset = start + RECORD_HEADER_SIZE + size;
        // Two 32-bit values: the sum stays below 2^63.
        let ts_ns = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.fraction_ns;
        Some(Ok(Record {
            ts_ns,
            link: self.link,
            data,
        }))
    }
}
