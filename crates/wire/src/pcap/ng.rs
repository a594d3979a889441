//! The pcapng format: blocks with their length at both ends; sections, interfaces, packets.
//!
//! Only what leads to a packet is read: section headers (byte order), interface descriptions (link
//! type, resolution and offset of time) and packets; every other block is stepped over by its length.

use super::{Cursor, Error, Link, Order, Record};

/// Most interfaces that one section may describe; no allocation, so there is a limit.
pub const INTERFACES_LIMIT: usize = 64;

const BLOCK_SECTION: u32 = 0x0A0D_0D0A;
const BLOCK_INTERFACE: u32 = 1;
const BLOCK_PACKET_OBSOLETE: u32 = 2;
const BLOCK_PACKET_SIMPLE: u32 = 3;
const BLOCK_PACKET: u32 = 6;
const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;
const OPTION_END: u16 = 0;
const OPTION_RESOLUTION: u16 = 9;
const OPTION_OFFSET: u16 = 14;
/// Type, length, and the length again at the end.
const BLOCK_FRAME_SIZE: usize = 12;

/// Whether a file begins with a section header (its type reads alike in both byte orders).
pub(super) fn starts(bytes: &[u8]) -> bool {
    bytes.first_chunk() == Some(&BLOCK_SECTION.to_be_bytes())
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: Link,
    /// Units of time in a second, as base and exponent: 10 or 2, up to 127.
    units: (u32, u8),
    /// Seconds to add to every time.
    offset_s: i64,
}

impl Interface {
    const NONE: Self = Self {
        link: Link::Other(0),
        units: (10, 6),
        offset_s: 0,
    };

    /// Nanoseconds since 1970; `None` when they do not fit.
    fn ts_ns(&self, units: u64) -> Option<u64> {
        let (base, exponent) = self.units;
        let fraction = match base {
            10 if exponent <= 9 => {
                i128::from(units) * i128::from(10_u64.pow(9 - u32::from(exponent)))
            }
            // A finer unit than 10^-38 s counts nothing in 64 bits.
            10 => 10_u128
                .checked_pow(u32::from(exponent) - 9)
                .map_or(0, |divisor| (u128::from(units) / divisor) as i128),
            _ => ((u128::from(units) * 1_000_000_000) >> exponent) as i128,
        };
        u64::try_from(fraction + i128::from(self.offset_s) * 1_000_000_000).ok()
    }
}

/// One section: its byte order and the interfaces described so far.
#[derive(Clone, Debug)]
pub(super) struct Section {
    order: Order,
    interfaces: [Interface; INTERFACES_LIMIT],
    interface_count: usize,
}

impl Default for Section {
    fn default() -> Self {
        let interfaces = [Interface::NONE; INTERFACES_LIMIT];
        Self {
            order: Order::Little,
            interfaces,
            interface_count: 0,
        }
    }
}

impl Section {
    /// Steps over blocks up to the next packet.
    pub(super) fn next<'a>(
        &mut self,
        bytes: &'a [u8],
        offset: &mut usize,
    ) -> Option<Result<Record<'a>, Error>> {
        loop {
            let start = *offset;
            let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
            let (kind, body, size) = match self.block(rest, start) {
                Ok(block) => block,
                Err(error) => return Some(Err(error)),
            };
            *offset = start + size;
            let body = Cursor {
                rest: body,
                order: self.order,
            };
            match kind {
                BLOCK_SECTION => self.interface_count = 0,
                BLOCK_INTERFACE => {
                    if let Err(error) = self.describe(body, start) {
                        return Some(Err(error));
                    }
                }
                BLOCK_PACKET | BLOCK_PACKET_OBSOLETE => {
                    return Some(self.packet(kind, body, start));
                }
                BLOCK_PACKET_SIMPLE => return Some(Err(Error::Untimed { offset: start })),
                _ => {}
            }
        }
    }

    /// The block at the front of `rest`: type, body, whole size. Learns a new section's byte order.
    fn block<'a>(&mut self, rest: &'a [u8], start: usize) -> Result<(u32, &'a [u8], usize), Error> {
        let cut = |want| Error::Cut {
            offset: start,
            want,
            have: rest.len(),
        };
        let is_section = starts(rest);
        if is_section {
            let magic = rest
                .get(8..)
                .and_then(|rest| rest.first_chunk())
                .ok_or(cut(28))?;
            self.order = match (u32::from_le_bytes(*magic), u32::from_be_bytes(*magic)) {
                (BYTE_ORDER_MAGIC, _) => Order::Little,
                (_, BYTE_ORDER_MAGIC) => Order::Big,
                _ => return Err(Error::Block { offset: start }),
            };
        }
        let mut cursor = Cursor {
            rest,
            order: self.order,
        };
        let (Some(kind), Some(size)) = (cursor.u32(), cursor.u32()) else {
            return Err(cut(BLOCK_FRAME_SIZE));
        };
        let size = size as usize;
        if size < BLOCK_FRAME_SIZE || !size.is_multiple_of(4) {
            return Err(Error::Block { offset: start });
        }
        let body = cursor.bytes(size - BLOCK_FRAME_SIZE).ok_or(cut(size))?;
        match cursor.u32() {
            Some(again) if again as usize == size => {
                Ok((if is_section { BLOCK_SECTION } else { kind }, body, size))
            }
            Some(_) => Err(Error::Block { offset: start }),
            None => Err(cut(size)),
        }
    }

    fn describe(&mut self, mut body: Cursor<'_>, start: usize) -> Result<(), Error> {
        let malformed = Error::Block { offset: start };
        let link = body.u16().ok_or(malformed)?;
        // Two reserved bytes and the longest packet captured.
        body.bytes(6).ok_or(malformed)?;
        let mut interface = Interface {
            link: Link::from_number(link),
            ..Interface::NONE
        };
        while let (Some(option), Some(size)) = (body.u16(), body.u16()) {
            if option == OPTION_END {
                break;
            }
            let size = usize::from(size);
            let value = body.bytes(size).ok_or(malformed)?;
            let _padding = body.bytes(size.next_multiple_of(4) - size);
            match (option, value) {
                (OPTION_RESOLUTION, &[resolution]) => {
                    let base = if resolution & 0x80 == 0 { 10 } else { 2 };
                    interface.units = (base, resolution & 0x7F);
                }
                (OPTION_OFFSET, &[a, b, c, d, e, f, g, h]) => {
                    let value = [a, b, c, d, e, f, g, h];
                    interface.offset_s = match self.order {
                        Order::Little => i64::from_le_bytes(value),
                        Order::Big => i64::from_be_bytes(value),
                    };
                }
                _ => {}
            }
        }
        let slot = self.interfaces.get_mut(self.interface_count);
        *slot.ok_or(Error::Interfaces { offset: start })? = interface;
        self.interface_count += 1;
        Ok(())
    }

    fn packet<'a>(
        &self,
        kind: u32,
        mut body: Cursor<'a>,
        start: usize,
    ) -> Result<Record<'a>, Error> {
        let malformed = Error::Block { offset: start };
        let id = if kind == BLOCK_PACKET {
            body.u32().ok_or(malformed)? as usize
        } else {
            let id = body.u16().ok_or(malformed)?;
            let _drops = body.u16().ok_or(malformed)?;
            usize::from(id)
        };
        let (Some(high), Some(low), Some(size), Some(_)) =
            (body.u32(), body.u32(), body.u32(), body.u32())
        else {
            return Err(malformed);
        };
        let data = body.bytes(size as usize).ok_or(malformed)?;
        let described = &self.interfaces[..self.interface_count];
        let interface = described
            .get(id)
            .ok_or(Error::Interface { offset: start })?;
        let ts_ns = interface
            .ts_ns(u64::from(high) << 32 | u64::from(low))
            .ok_or(Error::Time { offset: start })?;
        Ok(Record {
            ts_ns,
            link: interface.link,
            data,
        })
    }
}
