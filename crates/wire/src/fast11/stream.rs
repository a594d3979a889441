//! Stop-bit fields: seven bits a byte, the eighth set on the last (section 10.6).

use super::error::Code;
use super::plan::IntType;

/// Most bytes of an integer: 64 bits, a sign and one more for nullable forms take ten.
const INT_BYTES_MAX: usize = 10;

#[derive(Clone, Debug)]
pub(super) struct Stream<'a> {
    bytes: &'a [u8],
    at: usize,
    is_strict: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(bytes: &'a [u8], is_strict: bool) -> Self {
        Self {
            bytes,
            at: 0,
            is_strict,
        }
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The bytes up to and with the next stop bit.
    #[inline]
    fn entity(&mut self) -> Result<&'a [u8], Code> {
        let rest = &self.bytes[self.at..];
        let Some(last) = rest.iter().position(|byte| byte & 0x80 != 0) else {
            self.at = self.bytes.len();
            return Err(Code::Cut);
        };
        self.at += last + 1;
        Ok(&rest[..=last])
    }

    /// An unsigned integer of any width up to 70 bits.
    #[inline]
    fn unsigned(&mut self) -> Result<i128, Code> {
        let entity = self.entity()?;
        if self.is_strict && entity.len() > 1 && entity[0] == 0 {
            return Err(Code::R6);
        }
        wide(entity, 0)
    }

    /// A signed integer of any width up to 70 bits.
    #[inline]
    fn signed(&mut self) -> Result<i128, Code> {
        let entity = self.entity()?;
        if self.is_strict && entity.len() > 1 {
            let next_is_negative = entity[1] & 0x40 != 0;
            let is_filler =
                (entity[0] == 0 && !next_is_negative) || (entity[0] == 0x7F && next_is_negative);
            if is_filler {
                return Err(Code::R6);
            }
        }
        let sign = if entity[0] & 0x40 != 0 { -1 } else { 0 };
        wide(entity, sign)
    }

    /// An integer of a type; `None` is the null of a nullable field (10.6.1: values from 0 up are
    /// sent one higher).
    #[inline]
    pub(super) fn int(&mut self, ty: IntType, is_nullable: bool) -> Result<Option<i128>, Code> {
        let raw = if ty.is_signed() {
            self.signed()?
        } else {
            self.unsigned()?
        };
        let value = match (is_nullable, raw) {
            (true, 0) => return Ok(None),
            (true, 1..) => raw - 1,
            _ => raw,
        };
        if ty.holds(value) {
            Ok(Some(value))
        } else {
            Err(Code::D2)
        }
    }

    /// A difference, which may be wider than the type of its field.
    #[inline]
    pub(super) fn delta(&mut self, is_nullable: bool) -> Result<Option<i128>, Code> {
        let raw = self.signed()?;
        Ok(match (is_nullable, raw) {
            (true, 0) => None,
            (true, 1..) => Some(raw - 1),
            _ => Some(raw),
        })
    }

    /// Seven-bit text still with its stop bit, without its zero preamble (10.6.3).
    pub(super) fn ascii(&mut self, is_nullable: bool) -> Result<Option<&'a [u8]>, Code> {
        let entity = self.entity()?;
        match (is_nullable, entity) {
            (true, [0x80]) => Ok(None),
            (false, [0x80]) | (true, [0, 0x80]) => Ok(Some(&[])),
            (false, [0, 0x80]) => Ok(Some(&entity[1..])),
            (true, [0, 0, 0x80]) => Ok(Some(&entity[2..])),
            (_, [0, ..]) => Err(Code::R9),
            _ => Ok(Some(entity)),
        }
    }

    /// A byte vector: its length, then its bytes.
    pub(super) fn vector(&mut self, is_nullable: bool) -> Result<Option<&'a [u8]>, Code> {
        let Some(length) = self.int(IntType::U32, is_nullable)? else {
            return Ok(None);
        };
        let rest = &self.bytes[self.at..];
        // A u32 fits.
        let Some(bytes) = rest.get(..length as usize) else {
            self.at = self.bytes.len();
            return Err(Code::Cut);
        };
        self.at += bytes.len();
        Ok(Some(bytes))
    }

    pub(super) fn map(&mut self) -> Result<PresenceMap<'a>, Code> {
        let entity = self.entity()?;
        if self.is_strict && entity.len() > 1 && entity[entity.len() - 1] == 0x80 {
            return Err(Code::R7);
        }
        Ok(PresenceMap::new(entity))
    }

    /// Strict: a map that still has a bit set when its segment ends is wrong.
    pub(super) fn finish(&self, map: &PresenceMap<'_>) -> Result<(), Code> {
        if self.is_strict && map.has_more() {
            return Err(Code::R8);
        }
        Ok(())
    }
}

#[inline]
fn wide(entity: &[u8], sign: i128) -> Result<i128, Code> {
    if entity.len() > INT_BYTES_MAX {
        return Err(Code::D2);
    }
    if entity.len() < INT_BYTES_MAX {
        let value = entity.iter().fold(sign as i64, |value, byte| {
            (value << 7) | i64::from(byte & 0x7F)
        });
        return Ok(i128::from(value));
    }
    Ok(entity
        .iter()
        .fold(sign, |value, byte| (value << 7) | i128::from(byte & 0x7F)))
}

/// The bits of a segment, first field first. Bits beyond the end are clear.
#[derive(Clone, Copy, Debug)]
pub(super) struct PresenceMap<'a> {
    /// Bits not yet asked for, at the top.
    bits: u64,
    count: u32,
    rest: &'a [u8],
}

impl<'a> PresenceMap<'a> {
    pub(super) const EMPTY: Self = Self {
        bits: 0,
        count: 0,
        rest: &[],
    };

    fn new(entity: &'a [u8]) -> Self {
        let mut map = Self {
            rest: entity,
            ..Self::EMPTY
        };
        map.refill();
        map
    }

    #[inline]
    pub(super) fn next(&mut self) -> bool {
        if self.count == 0 {
            self.refill();
        }
        let bit = self.bits >> 63 != 0;
        self.bits <<= 1;
        self.count = self.count.saturating_sub(1);
        bit
    }

    fn refill(&mut self) {
        while self.count <= 56
            && let Some((first, rest)) = self.rest.split_first()
        {
            self.bits |= u64::from(first & 0x7F) << (57 - self.count);
            self.count += 7;
            self.rest = rest;
        }
    }

    fn has_more(&self) -> bool {
        self.bits != 0 || self.rest.iter().any(|byte| byte & 0x7F != 0)
    }
}
