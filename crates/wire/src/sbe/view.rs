//! Messages where they lie.

use super::plan::{
    Constant, DataPlan, Field, GroupPlan, GroupSlot, Kind, Place, Presence, Primitive, Schema,
    Shape, Slot,
};

/// Why bytes are no message of the schema. Drop the message; with framing outside, the next is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes end inside a message.
    #[error("SBE message is cut: {what} wants {want} bytes, {have} are left")]
    Cut {
        /// What does not fit.
        what: &'static str,
        /// Bytes wanted.
        want: usize,
        /// Bytes left.
        have: usize,
    },
    /// The header names another schema.
    #[error("SBE message is of schema {id}: is it another feed?")]
    Schema {
        /// The schema it names.
        id: u64,
    },
    /// The schema has no such message.
    #[error("SBE message {id} is not in the schema: is the file the venue's present one?")]
    Template {
        /// The message it names.
        id: u64,
    },
}

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Signed integers.
    Signed(i64),
    /// Unsigned integers; enumerations and sets of them.
    Unsigned(u64),
    /// Floating point.
    Float(f64),
    /// One character; enumerations of them.
    Char(u8),
    /// Characters, up to the first zero byte.
    Text(&'a [u8]),
    /// Other elements side by side.
    Array(Array<'a>),
    /// Members.
    Composite(Block<'a>),
}

/// A whole message, checked.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    index: usize,
    root: Block<'a>,
    version: u64,
    size: usize,
}

impl Schema {
    /// Sees the bytes as one message and checks that its groups and data lie within them.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn parse<'a>(&'a self, bytes: &'a [u8]) -> Result<Message<'a>, Error> {
        let header = &self.header;
        let size = header.size as usize;
        let body = bytes.get(size..).ok_or(Error::Cut {
            what: "the header",
            want: size,
            have: bytes.len(),
        })?;
        let number = |place| self.number(bytes, place).unwrap_or(0);
        let id = number(header.schema_id);
        if id != self.id {
            return Err(Error::Schema { id });
        }
        let id = number(header.template_id);
        let index = self.index_of(id).ok_or(Error::Template { id })?;
        let length = number(header.block_length) as usize;
        let version = number(header.version);
        let block = self.messages[index].block;
        let (fixed, rest) = split(body, length, "the root block")?;
        let root = Block {
            schema: self,
            block,
            version,
            fixed,
            rest,
        };
        let used = root.walk()?;
        Ok(Message {
            index,
            root: Block {
                rest: &rest[..used],
                ..root
            },
            version,
            size: size + length + used,
        })
    }

    /// A number of a header or dimension.
    #[inline]
    fn number(&self, bytes: &[u8], place: Place) -> Option<u64> {
        let at = place.offset as usize;
        let bytes = bytes.get(at..)?.get(..place.primitive.size())?;
        Some(bits(bytes, self.is_big_endian))
    }
}

impl<'a> Message<'a> {
    /// The message's identifier.
    #[must_use]
    pub fn template_id(&self) -> u64 {
        self.root.schema.messages[self.index].id
    }

    /// The message's name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.root.schema.messages[self.index].name
    }

    /// The version by which the sender wrote it.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Bytes of the message, header included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Its fields and groups.
    #[must_use]
    pub fn root(&self) -> Block<'a> {
        self.root
    }

    /// What it can have.
    #[must_use]
    pub fn shape(&self) -> Shape<'a> {
        self.root.shape()
    }
}

impl core::fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {:?}", self.name(), self.root)
    }
}

/// A message's root, a group's entry or a composite.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    pub(super) schema: &'a Schema,
    pub(super) block: u32,
    version: u64,
    fixed: &'a [u8],
    /// Groups and data; behind a group's entry, the following entries too.
    rest: &'a [u8],
}

impl<'a> Block<'a> {
    /// What it can have.
    #[must_use]
    pub fn shape(&self) -> Shape<'a> {
        self.schema.shape(self.block)
    }

    /// A field's value; `None` when it is null, or newer than the message.
    #[must_use]
    #[inline]
    pub fn get(&self, slot: Slot) -> Option<Value<'a>> {
        let field = self.field(slot)?;
        match &field.kind {
            Kind::Scalar(primitive, Presence::Constant(constant)) => Some(match constant {
                Constant::Text(text) => Value::Text(text),
                Constant::Bits(bits) => value_of(*primitive, *bits),
            }),
            Kind::Scalar(primitive, presence) => {
                let bits = self.bits(field, primitive.size())?;
                let is_null = match presence {
                    Presence::Optional(_) if *primitive == Primitive::F32 => {
                        f32::from_bits(bits as u32).is_nan()
                    }
                    Presence::Optional(_) if *primitive == Primitive::F64 => {
                        f64::from_bits(bits).is_nan()
                    }
                    Presence::Optional(null) => bits == *null,
                    _ => false,
                };
                (!is_null).then(|| value_of(*primitive, bits))
            }
            Kind::Array(primitive, length) => {
                let size = primitive.size() * *length as usize;
                let bytes = self.fixed.get(field.offset as usize..)?.get(..size)?;
                Some(match primitive {
                    Primitive::Char => {
                        let end = bytes.iter().position(|byte| *byte == 0);
                        Value::Text(&bytes[..end.unwrap_or(size)])
                    }
                    _ => Value::Array(Array {
                        primitive: *primitive,
                        is_big_endian: self.schema.is_big_endian,
                        bytes,
                    }),
                })
            }
            Kind::Composite(block) => {
                let size = self.schema.blocks[*block as usize].size as usize;
                let fixed = self.fixed.get(field.offset as usize..)?.get(..size)?;
                Some(Value::Composite(Self {
                    block: *block,
                    fixed,
                    rest: &[],
                    ..*self
                }))
            }
        }
    }

    /// An integer or character that is not negative.
    #[must_use]
    #[inline]
    pub fn u64(&self, slot: Slot) -> Option<u64> {
        match self.get(slot)? {
            Value::Unsigned(value) => Some(value),
            Value::Signed(value) => u64::try_from(value).ok(),
            Value::Char(value) => Some(u64::from(value)),
            _ => None,
        }
    }

    /// An integer or character that fits.
    #[must_use]
    #[inline]
    pub fn i64(&self, slot: Slot) -> Option<i64> {
        match self.get(slot)? {
            Value::Unsigned(value) => i64::try_from(value).ok(),
            Value::Signed(value) => Some(value),
            Value::Char(value) => Some(i64::from(value)),
            _ => None,
        }
    }

    /// The text of a character array or a text constant.
    #[must_use]
    pub fn text(&self, slot: Slot) -> Option<&'a [u8]> {
        match self.get(slot)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Mantissa and exponent of a composite of two such members (in this order); `None` when the
    /// mantissa is null.
    #[must_use]
    #[inline]
    pub fn decimal(&self, slot: Slot) -> Option<(i64, i64)> {
        match self.get(slot)? {
            Value::Composite(block) => Some((block.i64(Slot(0))?, block.i64(Slot(1))?)),
            _ => None,
        }
    }

    /// The entries of a group; none when it is newer than the message. Groups before it are stepped
    /// over: ask for several in their order and the cost stays small.
    #[must_use]
    pub fn group(&self, slot: GroupSlot) -> Group<'a> {
        let mut at = 0;
        let groups = self.schema.groups_of(self.block);
        let Some(wanted) = groups.get(usize::from(slot.0)) else {
            return Group::empty(*self);
        };
        for group in &groups[..usize::from(slot.0)] {
            match self.skip_group(group, at) {
                Ok(next) => at = next,
                Err(_) => return Group::empty(*self),
            }
        }
        self.group_at(wanted, at).unwrap_or(Group::empty(*self))
    }

    /// A variable-length field; `None` when it is newer than the message.
    #[must_use]
    pub fn data(&self, slot: Slot) -> Option<&'a [u8]> {
        let mut at = 0;
        for group in self.schema.groups_of(self.block) {
            at = self.skip_group(group, at).ok()?;
        }
        let data = self.schema.data_of(self.block);
        for before in data.get(..usize::from(slot.0))? {
            at = self.data_at(before, at).ok()?.1;
        }
        self.data_at(data.get(usize::from(slot.0))?, at).ok()?.0
    }

    #[inline]
    fn field(&self, slot: Slot) -> Option<&'a Field> {
        let field = self.schema.fields_of(self.block).get(usize::from(slot.0))?;
        (field.since <= self.version).then_some(field)
    }

    #[inline]
    fn bits(&self, field: &Field, size: usize) -> Option<u64> {
        let bytes = self.fixed.get(field.offset as usize..)?.get(..size)?;
        Some(bits(bytes, self.schema.is_big_endian))
    }

    /// Bytes of the groups and data, all of them checked.
    fn walk(&self) -> Result<usize, Error> {
        let mut at = 0;
        for group in self.schema.groups_of(self.block) {
            at = self.skip_group(group, at)?;
        }
        for data in self.schema.data_of(self.block) {
            at = self.data_at(data, at)?.1;
        }
        Ok(at)
    }

    /// The group that starts at `at`, not yet checked beyond its dimension.
    fn group_at(&self, plan: &'a GroupPlan, at: usize) -> Result<Group<'a>, Error> {
        if plan.since > self.version {
            return Ok(Group::empty(*self));
        }
        let bytes = &self.rest[at..];
        let (dimension, rest) = split(bytes, plan.dimension as usize, "a group's dimension")?;
        let number = |place| self.schema.number(dimension, place).unwrap_or(0);
        Ok(Group {
            schema: self.schema,
            block: plan.block,
            version: self.version,
            length: number(plan.block_length) as usize,
            count: number(plan.count),
            rest,
        })
    }

    fn skip_group(&self, plan: &'a GroupPlan, at: usize) -> Result<usize, Error> {
        if plan.since > self.version {
            return Ok(at);
        }
        let group = self.group_at(plan, at)?;
        let used = group.walk()?;
        Ok(at + plan.dimension as usize + used)
    }

    fn data_at(&self, plan: &DataPlan, at: usize) -> Result<(Option<&'a [u8]>, usize), Error> {
        if plan.since > self.version {
            return Ok((None, at));
        }
        let (length, rest) = split(&self.rest[at..], plan.at as usize, "a data field's length")?;
        let length = self.schema.number(length, plan.length).unwrap_or(0) as usize;
        let (bytes, _) = split(rest, length, "a data field")?;
        Ok((Some(bytes), at + plan.at as usize + length))
    }
}

impl PartialEq for Block<'_> {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.schema, other.schema)
            && self.block == other.block
            && self.version == other.version
            && self.fixed == other.fixed
            && self.rest == other.rest
    }
}

impl core::fmt::Debug for Block<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut map = f.debug_map();
        for field in self.shape().fields() {
            if let Some(value) = self.get(field.slot) {
                map.entry(&field.name, &value);
            }
        }
        for (slot, name) in self.shape().groups() {
            map.entry(&name, &self.group(slot));
        }
        for (slot, name) in self.shape().data() {
            map.entry(&name, &self.data(slot));
        }
        map.finish()
    }
}

/// The entries of a repeating group, in order.
#[derive(Clone, Copy)]
pub struct Group<'a> {
    schema: &'a Schema,
    block: u32,
    version: u64,
    length: usize,
    count: u64,
    rest: &'a [u8],
}

impl<'a> Group<'a> {
    fn empty(block: Block<'a>) -> Self {
        Self {
            schema: block.schema,
            block: block.block,
            version: block.version,
            length: 0,
            count: 0,
            rest: &[],
        }
    }

    /// How many are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// None left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of all entries, all of them checked.
    fn walk(&self) -> Result<usize, Error> {
        let plan = &self.schema.blocks[self.block as usize];
        let is_plain = plan.groups.is_empty() && plan.data.is_empty();
        if self.count == 0 {
            return Ok(0);
        }
        // Entries of no bytes could be any number: a count alone must not cost time.
        let nothing = Error::Cut {
            what: "a group's entry",
            want: 1,
            have: 0,
        };
        if is_plain {
            if self.length == 0 {
                return Err(nothing);
            }
            let want = usize::try_from(self.count).unwrap_or(usize::MAX);
            let want = want.saturating_mul(self.length);
            return split(self.rest, want, "a group's entries").map(|_| want);
        }
        let (mut rest, mut used) = (self.rest, 0);
        for _ in 0..self.count {
            let (fixed, behind) = split(rest, self.length, "a group's entry")?;
            let entry = Block {
                schema: self.schema,
                block: self.block,
                version: self.version,
                fixed,
                rest: behind,
            };
            let size = entry.walk()?;
            if self.length + size == 0 {
                return Err(nothing);
            }
            rest = &behind[size..];
            used += self.length + size;
        }
        Ok(used)
    }
}

impl<'a> Iterator for Group<'a> {
    type Item = Block<'a>;

    #[inline]
    fn next(&mut self) -> Option<Block<'a>> {
        self.count = self.count.checked_sub(1)?;
        let (fixed, rest) = self.rest.split_at_checked(self.length)?;
        let entry = Block {
            schema: self.schema,
            block: self.block,
            version: self.version,
            fixed,
            rest,
        };
        let plan = &self.schema.blocks[self.block as usize];
        let used = if plan.groups.is_empty() && plan.data.is_empty() {
            0
        } else {
            entry.walk().ok()?
        };
        self.rest = &rest[used..];
        Some(Block {
            rest: &rest[..used],
            ..entry
        })
    }
}

impl core::fmt::Debug for Group<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

/// Elements of one type side by side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Array<'a> {
    primitive: Primitive,
    is_big_endian: bool,
    bytes: &'a [u8],
}

impl<'a> Array<'a> {
    /// The elements' bytes as they lie.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The elements.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let Self {
            primitive,
            is_big_endian,
            bytes,
        } = *self;
        bytes
            .chunks_exact(primitive.size())
            .map(move |chunk| value_of(primitive, bits(chunk, is_big_endian)))
    }
}

fn split<'a>(
    bytes: &'a [u8],
    want: usize,
    what: &'static str,
) -> Result<(&'a [u8], &'a [u8]), Error> {
    bytes.split_at_checked(want).ok_or(Error::Cut {
        what,
        want,
        have: bytes.len(),
    })
}

#[inline]
fn bits(bytes: &[u8], is_big_endian: bool) -> u64 {
    let mut all = [0; 8];
    if is_big_endian {
        all[8 - bytes.len()..].copy_from_slice(bytes);
        u64::from_be_bytes(all)
    } else {
        all[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(all)
    }
}

#[inline]
fn value_of<'a>(primitive: Primitive, bits: u64) -> Value<'a> {
    match primitive {
        Primitive::Char => Value::Char(bits as u8),
        Primitive::I8 => Value::Signed(i64::from(bits as u8 as i8)),
        Primitive::I16 => Value::Signed(i64::from(bits as u16 as i16)),
        Primitive::I32 => Value::Signed(i64::from(bits as u32 as i32)),
        Primitive::I64 => Value::Signed(bits as i64),
        Primitive::U8 | Primitive::U16 | Primitive::U32 | Primitive::U64 => Value::Unsigned(bits),
        Primitive::F32 => Value::Float(f64::from(f32::from_bits(bits as u32))),
        Primitive::F64 => Value::Float(f64::from_bits(bits)),
    }
}
