//! A schema as tables.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// Most fields of a schema, members of composites included each time they are used.
pub(super) const FIELDS_LIMIT: usize = 65_536;
/// Deepest nesting of groups and of composites.
pub(super) const DEPTH_LIMIT: usize = 8;

/// A schema that cannot be compiled. Fix the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Not XML.
    #[error("SBE schema is not XML: {0}")]
    Xml(String),
    /// Not what the specification allows.
    #[error("SBE schema line {line}: {what}")]
    Syntax {
        /// Line of the file, from 1.
        line: u32,
        /// What is wrong there.
        what: String,
    },
    /// Larger or deeper than the limits allow.
    #[error("SBE schema passes a limit: {what}")]
    Limit {
        /// Which.
        what: &'static str,
    },
}

/// The primitive types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Primitive {
    Char,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
}

impl Primitive {
    pub(super) const fn size(self) -> usize {
        match self {
            Self::Char | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// The bits that stand for null where the schema gives none (section 2.4 of the specification).
    pub(super) const fn null_bits(self) -> u64 {
        match self {
            Self::Char => 0,
            Self::I8 => i8::MIN as u8 as u64,
            Self::I16 => i16::MIN as u16 as u64,
            Self::I32 => i32::MIN as u32 as u64,
            Self::I64 => i64::MIN as u64,
            Self::U8 => u8::MAX as u64,
            Self::U16 => u16::MAX as u64,
            Self::U32 => u32::MAX as u64,
            Self::U64 => u64::MAX,
            Self::F32 => f32::NAN.to_bits() as u64,
            Self::F64 => f64::NAN.to_bits(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Presence {
    Required,
    /// The bits that mean null; any NaN for floats.
    Optional(u64),
    /// Not on the wire.
    Constant(Constant),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constant {
    /// Bits of the field's primitive.
    Bits(u64),
    Text(Box<[u8]>),
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Scalar(Primitive, Presence),
    /// Elements side by side; of characters, a text.
    Array(Primitive, u32),
    /// Members, with offsets from the composite's start.
    Composite(u32),
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    pub(super) id: Option<u32>,
    pub(super) offset: u32,
    pub(super) since: u64,
    pub(super) kind: Kind,
}

/// The fixed part of a message or a group's entry, and what follows it.
#[derive(Clone, Debug)]
pub(super) struct BlockPlan {
    pub(super) fields: Range<u32>,
    pub(super) groups: Range<u32>,
    pub(super) data: Range<u32>,
    /// Bytes of the fixed part, by this schema.
    pub(super) size: u32,
}

/// Where a number of a header or dimension stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) offset: u32,
    pub(super) primitive: Primitive,
}

#[derive(Clone, Debug)]
pub(super) struct GroupPlan {
    pub(super) name: Box<str>,
    pub(super) id: Option<u32>,
    pub(super) since: u64,
    pub(super) block: u32,
    pub(super) block_length: Place,
    pub(super) count: Place,
    /// Bytes of the dimension.
    pub(super) dimension: u32,
}

#[derive(Clone, Debug)]
pub(super) struct DataPlan {
    pub(super) name: Box<str>,
    pub(super) id: Option<u32>,
    pub(super) since: u64,
    pub(super) length: Place,
    /// Offset of the bytes from the start of the length's composite.
    pub(super) at: u32,
}

#[derive(Clone, Debug)]
pub(super) struct MessagePlan {
    pub(super) id: u64,
    pub(super) name: Box<str>,
    pub(super) block: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct HeaderPlan {
    pub(super) block_length: Place,
    pub(super) template_id: Place,
    pub(super) schema_id: Place,
    pub(super) version: Place,
    pub(super) size: u32,
}

/// A compiled message schema. Immutable.
#[derive(Clone, Debug)]
pub struct Schema {
    pub(super) id: u64,
    pub(super) version: u64,
    pub(super) is_big_endian: bool,
    pub(super) header: HeaderPlan,
    /// In order of their ids.
    pub(super) messages: Vec<MessagePlan>,
    pub(super) blocks: Vec<BlockPlan>,
    pub(super) fields: Vec<Field>,
    pub(super) groups: Vec<GroupPlan>,
    pub(super) data: Vec<DataPlan>,
}

impl Schema {
    /// Compiles a message schema.
    ///
    /// # Errors
    /// When it is no XML, breaks a rule of the specification, or passes a limit (65,536 fields with
    /// members of composites, 8 levels of groups or composites).
    pub fn from_xml(xml: &str) -> Result<Self, SchemaError> {
        super::compile::compile(xml)
    }

    /// The schema's own identifier and version.
    #[must_use]
    pub fn identity(&self) -> (u64, u64) {
        (self.id, self.version)
    }

    /// Identifiers and names of the messages, in order of identifiers.
    pub fn messages(&self) -> impl Iterator<Item = (u64, &str)> + '_ {
        self.messages
            .iter()
            .map(|message| (message.id, &*message.name))
    }

    /// The shape of a message.
    #[must_use]
    pub fn message(&self, id: u64) -> Option<Shape<'_>> {
        let message = &self.messages[self.index_of(id)?];
        Some(self.shape(message.block))
    }

    pub(super) fn index_of(&self, id: u64) -> Option<usize> {
        self.messages
            .binary_search_by_key(&id, |message| message.id)
            .ok()
    }

    pub(super) fn shape(&self, block: u32) -> Shape<'_> {
        Shape {
            schema: self,
            block,
        }
    }

    pub(super) fn fields_of(&self, block: u32) -> &[Field] {
        let range = &self.blocks[block as usize].fields;
        &self.fields[range.start as usize..range.end as usize]
    }

    pub(super) fn groups_of(&self, block: u32) -> &[GroupPlan] {
        let range = &self.blocks[block as usize].groups;
        &self.groups[range.start as usize..range.end as usize]
    }

    pub(super) fn data_of(&self, block: u32) -> &[DataPlan] {
        let range = &self.blocks[block as usize].data;
        &self.data[range.start as usize..range.end as usize]
    }
}

/// Where a field stands in its block, or a data field behind it: looked up once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub(super) u16);

/// Which of a block's groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupSlot(pub(super) u16);

/// The fields and groups of a message, a group's entry or a composite.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    schema: &'a Schema,
    block: u32,
}

/// What is known of one field before any message.
#[derive(Clone, Copy, Debug)]
pub struct FieldShape<'a> {
    /// Where it stands.
    pub slot: Slot,
    /// The schema's name.
    pub name: &'a str,
    /// The schema's id: for FIX, the tag. Members of composites have none.
    pub id: Option<u32>,
}

impl<'a> Shape<'a> {
    /// The fields of the fixed part, in order.
    pub fn fields(self) -> impl Iterator<Item = FieldShape<'a>> {
        let fields = self.schema.fields_of(self.block).iter().enumerate();
        fields.map(|(idx, field)| FieldShape {
            slot: Slot(idx as u16),
            name: &field.name,
            id: field.id,
        })
    }

    /// Names of the groups, in order.
    pub fn groups(self) -> impl Iterator<Item = (GroupSlot, &'a str)> {
        let groups = self.schema.groups_of(self.block).iter().enumerate();
        groups.map(|(idx, group)| (GroupSlot(idx as u16), &*group.name))
    }

    /// Names of the variable-length fields, in order.
    pub fn data(self) -> impl Iterator<Item = (Slot, &'a str)> {
        let data = self.schema.data_of(self.block).iter().enumerate();
        data.map(|(idx, data)| (Slot(idx as u16), &*data.name))
    }

    /// The field with this id.
    #[must_use]
    pub fn slot_of_id(self, id: u32) -> Option<Slot> {
        self.fields()
            .find(|field| field.id == Some(id))
            .map(|field| field.slot)
    }

    /// The field, or member, with this name.
    #[must_use]
    pub fn slot_of(self, name: &str) -> Option<Slot> {
        self.fields()
            .find(|field| field.name == name)
            .map(|field| field.slot)
    }

    /// The group with this id.
    #[must_use]
    pub fn group_of_id(self, id: u32) -> Option<GroupSlot> {
        let groups = self.schema.groups_of(self.block);
        let at = groups.iter().position(|group| group.id == Some(id))?;
        Some(GroupSlot(at as u16))
    }

    /// The group with this name.
    #[must_use]
    pub fn group_of(self, name: &str) -> Option<GroupSlot> {
        self.groups()
            .find(|group| group.1 == name)
            .map(|group| group.0)
    }

    /// The variable-length field with this id.
    #[must_use]
    pub fn data_of_id(self, id: u32) -> Option<Slot> {
        let data = self.schema.data_of(self.block);
        let at = data.iter().position(|data| data.id == Some(id))?;
        Some(Slot(at as u16))
    }

    /// The shape of a group's entries.
    #[must_use]
    pub fn entries(self, slot: GroupSlot) -> Option<Self> {
        let group = self.schema.groups_of(self.block).get(usize::from(slot.0))?;
        Some(self.schema.shape(group.block))
    }

    /// The shape of a composite field.
    #[must_use]
    pub fn members(self, slot: Slot) -> Option<Self> {
        let field = self.schema.fields_of(self.block).get(usize::from(slot.0))?;
        match field.kind {
            Kind::Composite(block) => Some(self.schema.shape(block)),
            _ => None,
        }
    }
}
