//! A whole message as a view, and its fields in their order.

use core::iter::FusedIterator;

use super::frame::{Fault, Found, Garbled, find};
use super::{Field, FieldError, FieldFault, Group, SOH, data_tag_of};

/// Most digits of a tag.
const TAG_DIGITS_MAX: usize = 9;

/// A message whose length and checksum are right, seen where it lies.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    body_at: usize,
    trailer_at: usize,
}

impl<'a> Message<'a> {
    /// `bytes` are one whole message: `find` has looked.
    pub(super) const fn new(bytes: &'a [u8], body_at: usize, trailer_at: usize) -> Self {
        Self {
            bytes,
            body_at,
            trailer_at,
        }
    }

    /// Sees `bytes` as exactly one message.
    ///
    /// # Errors
    ///
    /// As [`find`]; [`Fault::Cut`] when the message goes on behind them, [`Fault::Start`] when
    /// they go on behind the message.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Garbled> {
        let fault = match find(bytes, bytes.len().max(1)) {
            Found::Message(message) if message.bytes.len() == bytes.len() => return Ok(message),
            Found::Message(_) => Fault::Start,
            Found::Garbled(Garbled {
                fault: Fault::TooLong { size, limit },
                ..
            }) => Fault::Cut {
                have: limit,
                want: size,
            },
            Found::Garbled(garbled) => garbled.fault,
            Found::More { size_min } => Fault::Cut {
                have: bytes.len(),
                want: size_min,
            },
        };
        Err(Garbled {
            size: bytes.len(),
            fault,
        })
    }

    /// All its bytes, from `8=` to the SOH of the checksum.
    #[must_use]
    #[inline]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// `FIX.4.4`, `FIXT.1.1`, or what the sender wrote.
    #[must_use]
    pub fn begin_string(&self) -> &'a [u8] {
        let rest = &self.bytes[2..self.body_at];
        &rest[..soh_at(rest, 0).unwrap_or(0)]
    }

    /// The kind of message: `W`, `X`, ... Empty when the sender left it empty.
    #[must_use]
    #[inline]
    pub fn msg_type(&self) -> &'a [u8] {
        // `find` saw `35=` and, before the trailer, a SOH.
        let rest = &self.bytes[self.body_at + 3..self.trailer_at];
        &rest[..soh_at(rest, 0).unwrap_or(0)]
    }

    /// The fields from `MsgType` (35) to the last one before the checksum, in their order.
    #[must_use]
    #[inline]
    pub const fn fields(&self) -> Fields<'a> {
        Fields {
            bytes: self.bytes,
            at: self.body_at,
            end: self.trailer_at,
            data: None,
        }
    }

    /// The first field with this tag; one behind a field that cannot be read is not found.
    ///
    /// Cost: walks from the start. For more than a few fields walk [`Message::fields`] once.
    #[must_use]
    pub fn get(&self, tag: u32) -> Option<Field<'a>> {
        self.fields().get(tag)
    }

    /// The first field with this tag.
    ///
    /// # Errors
    ///
    /// [`FieldFault::Missing`].
    pub fn require(&self, tag: u32) -> Result<Field<'a>, FieldError> {
        self.fields().require(tag)
    }
}

impl core::fmt::Debug for Message<'_> {
    /// The text with `|` for SOH, cut at 512 bytes.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for &byte in self.bytes.iter().take(512) {
            match byte {
                SOH => f.write_str("|")?,
                other => write!(f, "{}", other.escape_ascii())?,
            }
        }
        if self.bytes.len() > 512 {
            f.write_str("...")?;
        }
        Ok(())
    }
}

/// Fields in their order: of a message, or of one entry of a repeating group.
///
/// After a field that cannot be read it ends: behind it nothing is certain.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    /// The whole message, so that offsets are those of the message.
    bytes: &'a [u8],
    at: usize,
    end: usize,
    /// A length field went before: the data field it announces, and its bytes.
    data: Option<(u32, usize)>,
}

impl<'a> Fields<'a> {
    /// The first field with this tag from here on.
    #[must_use]
    pub fn get(&self, tag: u32) -> Option<Field<'a>> {
        self.map_while(Result::ok).find(|field| field.tag == tag)
    }

    /// The first field with this tag from here on.
    ///
    /// # Errors
    ///
    /// [`FieldFault::Missing`].
    pub fn require(&self, tag: u32) -> Result<Field<'a>, FieldError> {
        self.get(tag).ok_or(FieldError {
            tag,
            at: self.end,
            fault: FieldFault::Missing,
        })
    }

    /// The entries of the repeating group that follows `count`, the field read last.
    ///
    /// `members` are the tags that may stand in an entry, those of groups inside it included; the
    /// last entry ends before the first other tag. Empty `members` mean that the group goes on to
    /// the end of the message, as on multicast feeds. [`Group::rest`] goes on behind the group.
    ///
    /// # Errors
    ///
    /// [`FieldFault::Value`] when the count is no number.
    #[inline]
    pub fn group(&self, count: Field<'_>, members: &'a [u32]) -> Result<Group<'a>, FieldError> {
        Ok(Group::new(*self, count.tag, count.uint()?, members))
    }

    /// Offset in the message of the field that comes next.
    #[must_use]
    #[inline]
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// The fields from here up to those of `later`, which was reached by walking this.
    pub(super) const fn until(mut self, later: &Self) -> Self {
        self.end = later.at;
        self
    }

    #[cold]
    fn stop(&mut self, tag: u32, fault: FieldFault) -> FieldError {
        let at = self.at;
        self.at = self.end;
        FieldError { tag, at, fault }
    }

    /// Ends of the tag and of the field that starts here.
    #[inline]
    fn cut(&self) -> Result<(u32, usize), FieldFault> {
        let mut tag = 0_u32;
        let mut at = self.at;
        loop {
            // Below `end` there is always a SOH, so neither loop runs out of the message.
            match self.bytes[at] {
                digit @ b'0'..=b'9' if at - self.at < TAG_DIGITS_MAX => {
                    tag = tag * 10 + u32::from(digit - b'0');
                }
                b'=' if tag > 0 && self.bytes[self.at] != b'0' => return Ok((tag, at + 1)),
                SOH => return Err(FieldFault::NoValue),
                _ => return Err(self.bad_tag(at)),
            }
            at += 1;
        }
    }

    /// A tag that is no number: is there at least an equals sign?
    #[cold]
    fn bad_tag(&self, mut at: usize) -> FieldFault {
        loop {
            match self.bytes[at] {
                b'=' => return FieldFault::Tag,
                SOH => return FieldFault::NoValue,
                _ => at += 1,
            }
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, FieldError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let (tag, value_at) = match self.cut() {
            Ok(cut) => cut,
            Err(fault) => return Some(Err(self.stop(0, fault))),
        };
        let value_end = match self.data.take() {
            Some((data_tag, length)) if data_tag == tag => {
                match value_at.checked_add(length) {
                    // `end` itself is behind the last SOH.
                    Some(end) if end < self.end && self.bytes[end] == SOH => end,
                    _ => return Some(Err(self.stop(tag, FieldFault::Data { length }))),
                }
            }
            _ => soh_at(&self.bytes[..self.end], value_at).unwrap_or(self.end),
        };
        let field = Field {
            tag,
            value: &self.bytes[value_at..value_end],
            at: self.at,
        };
        if let Some(data_tag) = data_tag_of(tag) {
            // A length that is none is told by its getter; the data is then read like text.
            self.data = field
                .uint()
                .ok()
                .and_then(|length| usize::try_from(length).ok())
                .map(|length| (data_tag, length));
        }
        self.at = (value_end + 1).min(self.end);
        Some(Ok(field))
    }
}

impl FusedIterator for Fields<'_> {}

impl core::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Fields")
            .field("at", &self.at)
            .field("end", &self.end)
            .finish()
    }
}

/// The first SOH at or behind `from`.
#[inline]
fn soh_at(bytes: &[u8], from: usize) -> Option<usize> {
    // Values are short: eight bytes at a time, the first word mostly has it.
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut at = from;
    while let Some(word) = bytes.get(at..at + 8).and_then(|word| word.first_chunk()) {
        let word = u64::from_le_bytes(*word) ^ ONES;
        // The lowest high bit that survives belongs to the first zero byte, here the first SOH.
        let zeros = word.wrapping_sub(ONES) & !word & HIGHS;
        if zeros != 0 {
            return Some(at + zeros.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    Some(at + rest.iter().position(|&byte| byte == SOH)?)
}
