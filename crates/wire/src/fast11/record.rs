//! A decoded message: a view over the decoder's tables.

use super::plan::{IntType, Plan, Shape, Slot};

/// What a slot holds. Runs of bytes lie in the arena, groups and elements further along the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Absent,
    Unsigned(u64),
    Signed(i64),
    Decimal { exponent: i8, mantissa: i64 },
    Text { at: u32, length: u32 },
    Bytes { at: u32, length: u32 },
    Group { base: u32 },
    Sequence { base: u32, length: u32 },
    Message { template: u32, base: u32 },
}

impl Cell {
    #[inline]
    pub(super) fn of_int(ty: IntType, value: Option<i128>) -> Self {
        match value {
            None => Self::Absent,
            Some(value) if ty.is_signed() => Self::Signed(value as i64),
            Some(value) => Self::Unsigned(value as u64),
        }
    }
}

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// `uInt32`, `uInt64`.
    Unsigned(u64),
    /// `int32`, `int64`.
    Signed(i64),
    /// `mantissa * 10^exponent`.
    Decimal {
        /// In `[-63, 63]`.
        exponent: i8,
        /// Not normalised: as it was sent.
        mantissa: i64,
    },
    /// `string`: seven-bit, or checked UTF-8 where the template says unicode.
    Text(&'a [u8]),
    /// `byteVector`.
    Bytes(&'a [u8]),
    /// `group`.
    Group(Record<'a>),
    /// `sequence`.
    Sequence(Records<'a>),
    /// A dynamic `templateRef`.
    Message(Record<'a>),
}

/// A message, a group or an element of a sequence, until the decoder reads the next message.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    pub(super) plan: &'a Plan,
    pub(super) tape: &'a [Cell],
    pub(super) arena: &'a [u8],
    /// Index in the plan.
    pub(super) template: u32,
    pub(super) segment: u32,
    pub(super) base: u32,
}

impl<'a> Record<'a> {
    /// The template that this is a message, or a part, of.
    #[must_use]
    pub fn template_id(&self) -> u32 {
        self.plan.templates[self.template as usize].id
    }

    /// The template's name.
    #[must_use]
    pub fn template_name(&self) -> &'a str {
        &self.plan.templates[self.template as usize].name
    }

    /// The fields that this has.
    #[must_use]
    pub fn shape(&self) -> Shape<'a> {
        self.plan.shape(self.segment)
    }

    /// A field's value; `None` when it is absent. The slot must be of this record's shape.
    #[must_use]
    #[inline]
    pub fn get(&self, slot: Slot) -> Option<Value<'a>> {
        let inner = |segment, base| Self {
            segment,
            base,
            ..*self
        };
        Some(match self.cell(slot) {
            Cell::Absent => return None,
            Cell::Unsigned(value) => Value::Unsigned(value),
            Cell::Signed(value) => Value::Signed(value),
            Cell::Decimal { exponent, mantissa } => Value::Decimal { exponent, mantissa },
            Cell::Text { at, length } => Value::Text(self.run(at, length)),
            Cell::Bytes { at, length } => Value::Bytes(self.run(at, length)),
            Cell::Group { base } => Value::Group(inner(self.segment_in(slot)?, base)),
            Cell::Sequence { base, length } => Value::Sequence(Records {
                first: inner(self.segment_in(slot)?, base),
                length,
            }),
            Cell::Message { template, base } => Value::Message(Self {
                template,
                segment: self.plan.templates[template as usize].segment,
                base,
                ..*self
            }),
        })
    }

    /// An integer field's value, where it is not negative.
    #[must_use]
    #[inline]
    pub fn u64(&self, slot: Slot) -> Option<u64> {
        match self.cell(slot) {
            Cell::Unsigned(value) => Some(value),
            Cell::Signed(value) => u64::try_from(value).ok(),
            _ => None,
        }
    }

    /// An integer field's value, where it fits.
    #[must_use]
    #[inline]
    pub fn i64(&self, slot: Slot) -> Option<i64> {
        match self.cell(slot) {
            Cell::Unsigned(value) => i64::try_from(value).ok(),
            Cell::Signed(value) => Some(value),
            _ => None,
        }
    }

    /// A decimal field's exponent and mantissa.
    #[must_use]
    #[inline]
    pub fn decimal(&self, slot: Slot) -> Option<(i8, i64)> {
        match self.cell(slot) {
            Cell::Decimal { exponent, mantissa } => Some((exponent, mantissa)),
            _ => None,
        }
    }

    /// A string's or byte vector's bytes.
    #[must_use]
    #[inline]
    pub fn bytes(&self, slot: Slot) -> Option<&'a [u8]> {
        match self.cell(slot) {
            Cell::Text { at, length } | Cell::Bytes { at, length } => Some(self.run(at, length)),
            _ => None,
        }
    }

    /// A sequence's elements; none when it is absent.
    #[must_use]
    #[inline]
    pub fn records(&self, slot: Slot) -> Records<'a> {
        match self.get(slot) {
            Some(Value::Sequence(records)) => records,
            _ => Records {
                first: *self,
                length: 0,
            },
        }
    }

    #[inline]
    fn cell(&self, slot: Slot) -> Cell {
        let segment = &self.plan.segments[self.segment as usize];
        if u32::from(slot.0) >= segment.fields.end - segment.fields.start {
            return Cell::Absent;
        }
        self.tape[self.base as usize + usize::from(slot.0)]
    }

    fn run(&self, at: u32, length: u32) -> &'a [u8] {
        &self.arena[at as usize..][..length as usize]
    }

    fn segment_in(&self, slot: Slot) -> Option<u32> {
        use super::plan::Kind;
        match self.plan.fields_of(self.segment)[usize::from(slot.0)].kind {
            Kind::Group { segment, .. } | Kind::Sequence { segment, .. } => Some(segment),
            _ => None,
        }
    }
}

impl PartialEq for Record<'_> {
    fn eq(&self, other: &Self) -> bool {
        let mut shape = self.shape().fields();
        self.template_id() == other.template_id()
            && self.shape().fields().count() == other.shape().fields().count()
            && shape.all(|field| self.get(field.slot) == other.get(field.slot))
    }
}

impl core::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut map = f.debug_map();
        for field in self.shape().fields() {
            if let Some(value) = self.get(field.slot) {
                map.entry(&field.name, &value);
            }
        }
        map.finish()
    }
}

/// The elements of a sequence, in order.
#[derive(Clone, Copy, PartialEq)]
pub struct Records<'a> {
    first: Record<'a>,
    length: u32,
}

impl<'a> Records<'a> {
    /// How many are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length as usize
    }

    /// None left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        self.length = self.length.checked_sub(1)?;
        let record = self.first;
        let fields = &record.plan.segments[record.segment as usize].fields;
        self.first.base += fields.end - fields.start;
        Some(record)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

impl ExactSizeIterator for Records<'_> {}

impl core::fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}
