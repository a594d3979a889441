//! Writing a message straight into the caller's buffer.

use super::value::date_of;
use super::{SOH, TRAILER_SIZE, data_tag_of, frame};

/// Digits kept free for the body length: right for bodies of 100 to 999 bytes, most of market data.
const LENGTH_DIGITS_GUESS: usize = 3;
/// `00` to `99`, so that two digits cost one division.
const PAIRS: [[u8; 2]; 100] = pairs();

/// Why a message could not be written. The buffer holds no message then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The buffer is too small: give a larger one, or put fewer entries into the message.
    #[error("FIX message does not fit its buffer of {capacity} bytes")]
    Full {
        /// Bytes of the buffer.
        capacity: usize,
    },
    /// A value has a SOH in it where no length field went before, or is empty, or a time is too late.
    #[error("FIX field {tag} cannot have that value")]
    Value {
        /// The field.
        tag: u32,
    },
}

/// How many decimals of a second a time is written with. What is beyond is cut off, not rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// `HH:MM:SS`
    Seconds,
    /// `HH:MM:SS.sss`
    Millis,
    /// `HH:MM:SS.ssssss`
    Micros,
    /// `HH:MM:SS.sssssssss`
    Nanos,
}

impl Precision {
    const fn decimals(self) -> usize {
        match self {
            Self::Seconds => 0,
            Self::Millis => 3,
            Self::Micros => 6,
            Self::Nanos => 9,
        }
    }
}

/// Fills a buffer with one message, field by field in the caller's order.
///
/// Errors are kept until [`Writer::finish`], so that fields can be chained. Integers and decimals are
/// formatted where they stand. The body is written behind room for a length of three digits; when
/// the length has more or fewer, the body is moved once by that difference.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    at: usize,
    /// Where the digits of the body length go.
    length_at: usize,
    fault: Option<WriteError>,
}

impl<'a> Writer<'a> {
    /// Starts a message: `8=begin_string|9=...|35=msg_type|`.
    #[must_use]
    pub fn new(buffer: &'a mut [u8], begin_string: &[u8], msg_type: &[u8]) -> Self {
        let mut writer = Self {
            buffer,
            at: 0,
            length_at: 0,
            fault: None,
        };
        writer.text(8, begin_string).put(b"9=");
        writer.length_at = writer.at;
        writer.put(&[b'0'; LENGTH_DIGITS_GUESS]);
        writer.put(&[SOH]);
        writer.text(35, msg_type);
        writer
    }

    /// Text without SOH in it, and not empty.
    #[inline]
    pub fn text(&mut self, tag: u32, value: &[u8]) -> &mut Self {
        if value.is_empty() || value.contains(&SOH) {
            return self.refuse(tag);
        }
        self.tag(tag).put(value);
        self.put(&[SOH])
    }

    /// A whole number.
    #[inline]
    pub fn int(&mut self, tag: u32, value: i64) -> &mut Self {
        self.tag(tag);
        if value < 0 {
            self.put(b"-");
        }
        self.digits(value.unsigned_abs());
        self.put(&[SOH])
    }

    /// A whole number from 0.
    #[inline]
    pub fn uint(&mut self, tag: u32, value: u64) -> &mut Self {
        self.tag(tag).digits(value);
        self.put(&[SOH])
    }

    /// A price given in units of 1e-9, without zeros behind its last decimal: `190.05`.
    #[inline]
    pub fn price(&mut self, tag: u32, value: i64) -> &mut Self {
        self.decimal(tag, value, super::PRICE_DECIMALS)
    }

    /// `value / 10^decimals` without zeros behind its last decimal.
    #[inline]
    pub fn decimal(&mut self, tag: u32, value: i64, decimals: u8) -> &mut Self {
        let Some(scale) = 10_u64.checked_pow(u32::from(decimals)) else {
            return self.refuse(tag);
        };
        let magnitude = value.unsigned_abs();
        let (whole, fraction) = (magnitude / scale, magnitude % scale);
        self.tag(tag);
        if value < 0 {
            self.put(b"-");
        }
        self.digits(whole);
        if fraction > 0 {
            self.put(b".");
            self.padded(fraction, usize::from(decimals));
            while self.fault.is_none() && self.buffer[self.at - 1] == b'0' {
                self.at -= 1;
            }
        }
        self.put(&[SOH])
    }

    /// `Y` or `N`.
    #[inline]
    pub fn bool(&mut self, tag: u32, value: bool) -> &mut Self {
        self.text(tag, if value { b"Y" } else { b"N" })
    }

    /// One byte.
    #[inline]
    pub fn char(&mut self, tag: u32, value: u8) -> &mut Self {
        self.text(tag, &[value])
    }

    /// A `UTCTimestamp` of nanoseconds since 1970, which fit to the year 2554.
    #[inline]
    pub fn timestamp(&mut self, tag: u32, ns: u64, precision: Precision) -> &mut Self {
        let (days, ns_of_day) = (ns / 86_400_000_000_000, ns % 86_400_000_000_000);
        self.tag(tag).date_digits(days as u32).put(b"-");
        self.time_digits(ns_of_day, precision).put(&[SOH])
    }

    /// A `UTCTimeOnly` of nanoseconds since midnight.
    #[inline]
    pub fn time_of_day(&mut self, tag: u32, ns: u64, precision: Precision) -> &mut Self {
        if ns >= 86_400_000_000_000 {
            return self.refuse(tag);
        }
        self.tag(tag).time_digits(ns, precision).put(&[SOH])
    }

    /// A `UTCDateOnly` of days since 1970.
    #[inline]
    pub fn date(&mut self, tag: u32, days: u32) -> &mut Self {
        if days > (u64::MAX / 86_400_000_000_000) as u32 {
            return self.refuse(tag);
        }
        self.tag(tag).date_digits(days).put(&[SOH])
    }

    /// A length field and the data field that belongs to it; `value` may hold any bytes.
    pub fn data(&mut self, length_tag: u32, value: &[u8]) -> &mut Self {
        let Some(data_tag) = data_tag_of(length_tag) else {
            return self.refuse(length_tag);
        };
        self.uint(length_tag, value.len() as u64);
        self.tag(data_tag).put(value);
        self.put(&[SOH])
    }

    /// Whole fields that were encoded before, each with its SOH: what messages have in common is
    /// formatted once.
    #[inline]
    pub fn encoded(&mut self, fields: &[u8]) -> &mut Self {
        self.put(fields)
    }

    /// Bytes written so far. What is still free decides whether another entry fits.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.at
    }

    /// Patches the length, adds the checksum, and gives the message, which starts with the buffer.
    ///
    /// # Errors
    ///
    /// The first [`WriteError`] of any field.
    pub fn finish(mut self) -> Result<&'a [u8], WriteError> {
        let body_at = self.length_at + LENGTH_DIGITS_GUESS + 1;
        if self.fault.is_none() {
            self.set_length(body_at);
        }
        if self.fault.is_none() {
            let sum = frame::sum(&self.buffer[..self.at]);
            self.put(b"10=");
            self.padded(u64::from(sum), TRAILER_SIZE - 4);
            self.put(&[SOH]);
        }
        match self.fault {
            Some(fault) => Err(fault),
            None => {
                let Self { buffer, at, .. } = self;
                Ok(&buffer[..at])
            }
        }
    }

    /// Writes the body length and moves the body when its digits are not as many as guessed.
    fn set_length(&mut self, body_at: usize) {
        let length = self.at - body_at;
        let digits = digit_count(length as u64);
        let moved_to = self.length_at + digits + 1;
        if moved_to != body_at {
            if moved_to + length > self.buffer.len() {
                return self.full();
            }
            self.buffer.copy_within(body_at..self.at, moved_to);
        }
        self.at = self.length_at;
        self.digits(length as u64);
        self.put(&[SOH]);
        self.at = moved_to + length;
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        let end = self.at + bytes.len();
        match self.buffer.get_mut(self.at..end) {
            Some(room) if self.fault.is_none() => {
                room.copy_from_slice(bytes);
                self.at = end;
            }
            Some(_) => {}
            None => self.full(),
        }
        self
    }

    #[inline]
    fn tag(&mut self, tag: u32) -> &mut Self {
        self.digits(u64::from(tag));
        self.put(b"=")
    }

    #[inline]
    fn digits(&mut self, value: u64) -> &mut Self {
        if value < 10 {
            return self.put(&[b'0' + value as u8]);
        }
        self.padded(value, digit_count(value))
    }

    /// Exactly `count` digits, zeros in front.
    #[inline]
    fn padded(&mut self, mut value: u64, count: usize) -> &mut Self {
        let end = self.at + count;
        if self.fault.is_some() || end > self.buffer.len() {
            self.full();
            return self;
        }
        let mut at = end;
        while at >= self.at + 2 {
            at -= 2;
            self.buffer[at..at + 2].copy_from_slice(&PAIRS[(value % 100) as usize]);
            value /= 100;
        }
        if at > self.at {
            self.buffer[at - 1] = b'0' + (value % 10) as u8;
        }
        self.at = end;
        self
    }

    fn date_digits(&mut self, days: u32) -> &mut Self {
        let (year, month, day) = date_of(days);
        self.padded(u64::from(year * 10_000 + month * 100 + day), 8)
    }

    fn time_digits(&mut self, ns: u64, precision: Precision) -> &mut Self {
        let (seconds, nanos) = (ns / 1_000_000_000, ns % 1_000_000_000);
        self.padded(seconds / 3600, 2).put(b":");
        self.padded(seconds / 60 % 60, 2).put(b":");
        self.padded(seconds % 60, 2);
        let decimals = precision.decimals();
        if decimals > 0 {
            self.put(b".");
            self.padded(nanos / 10_u64.pow(9 - decimals as u32), decimals);
        }
        self
    }

    #[cold]
    fn full(&mut self) {
        let capacity = self.buffer.len();
        self.fault.get_or_insert(WriteError::Full { capacity });
    }

    #[cold]
    fn refuse(&mut self, tag: u32) -> &mut Self {
        self.fault.get_or_insert(WriteError::Value { tag });
        self
    }
}

#[inline]
const fn digit_count(value: u64) -> usize {
    match value {
        0 => 1,
        _ => value.ilog10() as usize + 1,
    }
}

const fn pairs() -> [[u8; 2]; 100] {
    let mut table = [[b'0'; 2]; 100];
    let mut value = 0;
    while value < 100 {
        table[value] = [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
        value += 1;
    }
    table
}
