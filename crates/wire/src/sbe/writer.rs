//! The writer, for tests and simulated venues.

use alloc::vec::Vec;

use super::plan::{Field, Kind, Place, Presence, Primitive, Schema};

/// A block's content. Integers and characters as bits of their own width; `None` is null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedBlock {
    /// By slot: one element for a scalar, as many as it has for an array, none for a constant, the
    /// members' in order for a composite (each one element, those of arrays as many).
    pub fields: Vec<Vec<Option<u64>>>,
    /// By group: its entries.
    pub groups: Vec<Vec<OwnedBlock>>,
    /// By data field.
    pub data: Vec<Vec<u8>>,
}

impl OwnedBlock {
    /// A block of a message's shape filled by `next`, which gives any 64 bits: for tests. Groups get
    /// up to three entries, data up to seven bytes; one in eight optional fields is null; characters
    /// are printable.
    ///
    /// # Errors
    /// When the schema has no such message.
    pub fn fill(
        schema: &Schema,
        template_id: u64,
        next: &mut dyn FnMut() -> u64,
    ) -> Result<Self, WriteError> {
        let index = schema.index_of(template_id);
        let index = index.ok_or(WriteError::Template(template_id))?;
        Ok(fill_block(schema, schema.messages[index].block, next))
    }
}

fn fill_block(schema: &Schema, block: u32, next: &mut dyn FnMut() -> u64) -> OwnedBlock {
    let fields = schema.fields_of(block).iter().map(|field| {
        let mut elements = Vec::new();
        fill_field(schema, field, next, &mut elements);
        elements
    });
    OwnedBlock {
        fields: fields.collect(),
        groups: schema
            .groups_of(block)
            .iter()
            .map(|group| {
                (0..next() % 4)
                    .map(|_| fill_block(schema, group.block, next))
                    .collect()
            })
            .collect(),
        data: schema
            .data_of(block)
            .iter()
            .map(|_| (0..next() % 8).map(|_| next() as u8).collect())
            .collect(),
    }
}

fn fill_field(
    schema: &Schema,
    field: &Field,
    next: &mut dyn FnMut() -> u64,
    elements: &mut Vec<Option<u64>>,
) {
    let mut bits = |primitive: Primitive| match primitive {
        Primitive::Char => b'!' as u64 + next() % 94,
        // Not a number once in a while is null, not a value.
        Primitive::F32 => u64::from((next() as u16 as f32).to_bits()),
        Primitive::F64 => (next() as u32 as f64).to_bits(),
        other if other.size() == 8 => next(),
        other => next() & ((1 << (other.size() * 8)) - 1),
    };
    match &field.kind {
        Kind::Scalar(_, Presence::Constant(_)) => {}
        Kind::Scalar(primitive, presence) => {
            let value = bits(*primitive);
            let is_null = match presence {
                Presence::Optional(null) => value == *null || next().is_multiple_of(8),
                _ => false,
            };
            elements.push((!is_null).then_some(value));
        }
        Kind::Array(primitive, length) => {
            elements.extend((0..*length).map(|_| Some(bits(*primitive))));
        }
        Kind::Composite(block) => {
            for member in schema.fields_of(*block) {
                fill_field(schema, member, next, elements);
            }
        }
    }
}

/// Why a message cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The schema has no such message.
    #[error("no SBE message {0}")]
    Template(u64),
    /// Other numbers of fields, groups or elements than the schema has.
    #[error("SBE block is not of the schema's shape")]
    Shape,
    /// More entries or bytes than the count's type can say.
    #[error("SBE group or data is longer than its count can say")]
    Count,
}

/// Appends a message, with its header, to `out`.
///
/// # Errors
/// When the block is not of the message's shape.
pub fn write(
    schema: &Schema,
    template_id: u64,
    root: &OwnedBlock,
    out: &mut Vec<u8>,
) -> Result<(), WriteError> {
    let index = schema.index_of(template_id);
    let message = &schema.messages[index.ok_or(WriteError::Template(template_id))?];
    let header = &schema.header;
    let start = out.len();
    out.resize(start + header.size as usize, 0);
    let size = schema.blocks[message.block as usize].size;
    for (place, value) in [
        (header.block_length, u64::from(size)),
        (header.template_id, template_id),
        (header.schema_id, schema.id),
        (header.version, schema.version),
    ] {
        put_number(schema, out, start, place, value)?;
    }
    put_block(schema, message.block, root, out)
}

fn put_block(
    schema: &Schema,
    block: u32,
    content: &OwnedBlock,
    out: &mut Vec<u8>,
) -> Result<(), WriteError> {
    let fields = schema.fields_of(block);
    let (groups, data) = (schema.groups_of(block), schema.data_of(block));
    let is_shaped = fields.len() == content.fields.len()
        && groups.len() == content.groups.len()
        && data.len() == content.data.len();
    if !is_shaped {
        return Err(WriteError::Shape);
    }
    let start = out.len();
    out.resize(start + schema.blocks[block as usize].size as usize, 0);
    for (field, elements) in fields.iter().zip(&content.fields) {
        let mut elements = elements.iter().copied();
        put_field(schema, field, start, &mut elements, out)?;
        if elements.next().is_some() {
            return Err(WriteError::Shape);
        }
    }
    for (group, entries) in groups.iter().zip(&content.groups) {
        let at = out.len();
        out.resize(at + group.dimension as usize, 0);
        let size = schema.blocks[group.block as usize].size;
        put_number(schema, out, at, group.block_length, u64::from(size))?;
        put_number(schema, out, at, group.count, entries.len() as u64)?;
        for entry in entries {
            put_block(schema, group.block, entry, out)?;
        }
    }
    for (data, bytes) in data.iter().zip(&content.data) {
        let at = out.len();
        out.resize(at + data.at as usize, 0);
        put_number(schema, out, at, data.length, bytes.len() as u64)?;
        out.extend(bytes);
    }
    Ok(())
}

fn put_field(
    schema: &Schema,
    field: &Field,
    start: usize,
    elements: &mut impl Iterator<Item = Option<u64>>,
    out: &mut [u8],
) -> Result<(), WriteError> {
    let at = start + field.offset as usize;
    match &field.kind {
        Kind::Scalar(_, Presence::Constant(_)) => Ok(()),
        Kind::Scalar(primitive, presence) => {
            let null = match presence {
                Presence::Optional(null) => *null,
                _ => primitive.null_bits(),
            };
            let bits = elements.next().ok_or(WriteError::Shape)?.unwrap_or(null);
            put_bits(schema, out, at, *primitive, bits);
            Ok(())
        }
        Kind::Array(primitive, length) => {
            for element in 0..*length as usize {
                let bits = elements.next().ok_or(WriteError::Shape)?.unwrap_or(0);
                put_bits(
                    schema,
                    out,
                    at + element * primitive.size(),
                    *primitive,
                    bits,
                );
            }
            Ok(())
        }
        Kind::Composite(block) => schema
            .fields_of(*block)
            .iter()
            .try_for_each(|member| put_field(schema, member, at, elements, out)),
    }
}

fn put_number(
    schema: &Schema,
    out: &mut [u8],
    start: usize,
    place: Place,
    value: u64,
) -> Result<(), WriteError> {
    let bits = place.primitive.size() * 8;
    if bits < 64 && value >> bits != 0 {
        return Err(WriteError::Count);
    }
    put_bits(
        schema,
        out,
        start + place.offset as usize,
        place.primitive,
        value,
    );
    Ok(())
}

fn put_bits(schema: &Schema, out: &mut [u8], at: usize, primitive: Primitive, bits: u64) {
    let size = primitive.size();
    let out = &mut out[at..at + size];
    if schema.is_big_endian {
        out.copy_from_slice(&bits.to_be_bytes()[8 - size..]);
    } else {
        out.copy_from_slice(&bits.to_le_bytes()[..size]);
    }
}
