//! Schema XML to tables.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use roxmltree::{Document, Node, ParsingOptions};

use super::plan::{
    BlockPlan, Constant, DEPTH_LIMIT, DataPlan, FIELDS_LIMIT, Field, GroupPlan, HeaderPlan, Kind,
    MessagePlan, Place, Presence, Primitive, Schema, SchemaError,
};

const NODES_LIMIT: u32 = 1 << 20;
const PRIMITIVES: [(&str, Primitive); 11] = [
    ("char", Primitive::Char),
    ("int8", Primitive::I8),
    ("int16", Primitive::I16),
    ("int32", Primitive::I32),
    ("int64", Primitive::I64),
    ("uint8", Primitive::U8),
    ("uint16", Primitive::U16),
    ("uint32", Primitive::U32),
    ("uint64", Primitive::U64),
    ("float", Primitive::F32),
    ("double", Primitive::F64),
];

pub(super) fn compile(xml: &str) -> Result<Schema, SchemaError> {
    let options = ParsingOptions {
        nodes_limit: NODES_LIMIT,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(xml, options)
        .map_err(|error| SchemaError::Xml(error.to_string()))?;
    let root = document.root_element();
    if root.tag_name().name() != "messageSchema" {
        return Err(syntax(root, "<messageSchema> is wanted"));
    }
    let mut types = BTreeMap::new();
    for group in elements(root).filter(|node| node.tag_name().name() == "types") {
        for node in elements(group) {
            types.insert(required(node, "name")?, node);
        }
    }
    let mut compiler = Compiler {
        types,
        blocks: Vec::new(),
        fields: Vec::new(),
        groups: Vec::new(),
        data: Vec::new(),
    };
    let header = compiler.header(root)?;
    let mut messages = Vec::new();
    for node in elements(root).filter(|node| node.tag_name().name() == "message") {
        messages.push(MessagePlan {
            id: number(node, "id")?.ok_or_else(|| syntax(node, "a message needs an id"))?,
            name: required(node, "name")?.into(),
            block: compiler.block(node, 0)?,
        });
    }
    messages.sort_by_key(|message| message.id);
    if messages.windows(2).any(|two| two[0].id == two[1].id) {
        return Err(syntax(root, "two messages have the same id"));
    }
    let is_big_endian = match root.attribute("byteOrder") {
        None | Some("littleEndian") => false,
        Some("bigEndian") => true,
        Some(other) => return Err(syntax(root, &format!("no byte order \"{other}\""))),
    };
    Ok(Schema {
        id: number(root, "id")?.ok_or_else(|| syntax(root, "a schema needs an id"))?,
        version: number(root, "version")?.unwrap_or(0),
        is_big_endian,
        header,
        messages,
        blocks: compiler.blocks,
        fields: compiler.fields,
        groups: compiler.groups,
        data: compiler.data,
    })
}

struct Compiler<'d, 'i> {
    types: BTreeMap<&'d str, Node<'d, 'i>>,
    blocks: Vec<BlockPlan>,
    fields: Vec<Field>,
    groups: Vec<GroupPlan>,
    data: Vec<DataPlan>,
}

impl<'d, 'i> Compiler<'d, 'i> {
    fn header(&mut self, root: Node<'d, 'i>) -> Result<HeaderPlan, SchemaError> {
        let name = root.attribute("headerType").unwrap_or("messageHeader");
        let node = self.type_named(root, name)?;
        let block = self.composite(node, 0)?;
        Ok(HeaderPlan {
            block_length: self.place(node, block, "blockLength")?,
            template_id: self.place(node, block, "templateId")?,
            schema_id: self.place(node, block, "schemaId")?,
            version: self.place(node, block, "version")?,
            size: self.blocks[block as usize].size,
        })
    }

    /// The fields, groups and data of a message or group.
    fn block(&mut self, node: Node<'d, 'i>, depth: usize) -> Result<u32, SchemaError> {
        if depth > DEPTH_LIMIT {
            return Err(SchemaError::Limit {
                what: "8 levels of groups",
            });
        }
        let (mut fields, mut groups, mut data) = (Vec::new(), Vec::new(), Vec::new());
        let mut size = 0;
        for child in elements(node) {
            match child.tag_name().name() {
                "field" if groups.is_empty() && data.is_empty() => {
                    let field = self.field(child, size)?;
                    size = self.end_of(child, &field, size)?;
                    fields.push(field);
                }
                "group" if data.is_empty() => groups.push(self.group(child, depth)?),
                "data" => data.push(self.data_field(child)?),
                other => return Err(syntax(child, &format!("<{other}> cannot stand here"))),
            }
        }
        if let Some(told) = number(node, "blockLength")? {
            let told = u32::try_from(told).unwrap_or(u32::MAX);
            if told < size || told > u32::from(u16::MAX) {
                let what = format!("blockLength {told} where the fields need {size}");
                return Err(syntax(node, &what));
            }
            size = told;
        }
        self.add(node, fields, groups, data, size)
    }

    fn add(
        &mut self,
        node: Node<'d, 'i>,
        mut fields: Vec<Field>,
        mut groups: Vec<GroupPlan>,
        mut data: Vec<DataPlan>,
        size: u32,
    ) -> Result<u32, SchemaError> {
        if self.fields.len() + fields.len() > FIELDS_LIMIT {
            return Err(SchemaError::Limit {
                what: "65,536 fields",
            });
        }
        if size > u32::from(u16::MAX) {
            return Err(syntax(node, "a block has more than 65,535 bytes"));
        }
        let range = |before: usize, more: usize| before as u32..(before + more) as u32;
        self.blocks.push(BlockPlan {
            fields: range(self.fields.len(), fields.len()),
            groups: range(self.groups.len(), groups.len()),
            data: range(self.data.len(), data.len()),
            size,
        });
        self.fields.append(&mut fields);
        self.groups.append(&mut groups);
        self.data.append(&mut data);
        Ok(self.blocks.len() as u32 - 1)
    }

    /// A message's or group's field: its type may be primitive, or one of the schema's.
    fn field(&mut self, node: Node<'d, 'i>, at: u32) -> Result<Field, SchemaError> {
        let kind = self.kind_of(node, required(node, "type")?, 0)?;
        Ok(Field {
            name: required(node, "name")?.into(),
            id: number(node, "id")?.and_then(|id| u32::try_from(id).ok()),
            offset: offset(node, at)?,
            since: number(node, "sinceVersion")?.unwrap_or(0),
            kind: self.with_presence(node, kind)?,
        })
    }

    /// What a field's own `presence` and `valueRef` change of its type's.
    fn with_presence(&self, node: Node<'d, 'i>, kind: Kind) -> Result<Kind, SchemaError> {
        let Kind::Scalar(primitive, presence) = kind else {
            return Ok(kind);
        };
        let presence = match node.attribute("presence") {
            Some("optional") if presence == Presence::Required => {
                Presence::Optional(primitive.null_bits())
            }
            Some("constant") if !matches!(presence, Presence::Constant(_)) => {
                let reference = required(node, "valueRef")?;
                Presence::Constant(Constant::Bits(self.referred(node, reference, primitive)?))
            }
            Some("required" | "optional" | "constant") | None => presence,
            Some(other) => return Err(syntax(node, &format!("no presence \"{other}\""))),
        };
        Ok(Kind::Scalar(primitive, presence))
    }

    fn kind_of(
        &mut self,
        node: Node<'d, 'i>,
        name: &str,
        depth: usize,
    ) -> Result<Kind, SchemaError> {
        if !self.types.contains_key(name)
            && let Some(primitive) = primitive_of(name)
        {
            return Ok(Kind::Scalar(primitive, Presence::Required));
        }
        let node = self.type_named(node, name)?;
        self.kind(node, depth)
    }

    /// What a type definition is.
    fn kind(&mut self, node: Node<'d, 'i>, depth: usize) -> Result<Kind, SchemaError> {
        match node.tag_name().name() {
            "type" => self.simple(node),
            "enum" | "set" => {
                // An optional type makes the enumeration optional, with that type's null.
                let name = required(node, "encodingType")?;
                if let Some(primitive) = primitive_of(name) {
                    return Ok(Kind::Scalar(primitive, Presence::Required));
                }
                let ty = self.type_named(node, name)?;
                match self.simple(ty)? {
                    scalar @ Kind::Scalar(_, Presence::Required | Presence::Optional(_)) => {
                        Ok(scalar)
                    }
                    _ => Err(syntax(node, &format!("\"{name}\" is no encoding"))),
                }
            }
            "composite" => Ok(Kind::Composite(self.composite(node, depth)?)),
            other => Err(syntax(node, &format!("<{other}> is no type"))),
        }
    }

    fn simple(&self, node: Node<'d, 'i>) -> Result<Kind, SchemaError> {
        let name = required(node, "primitiveType")?;
        let primitive =
            primitive_of(name).ok_or_else(|| syntax(node, &format!("no primitive \"{name}\"")))?;
        let length = number(node, "length")?;
        if node.attribute("presence") == Some("constant") {
            let text = node.text().unwrap_or("").trim();
            let constant = match (primitive, node.attribute("valueRef")) {
                (_, Some(reference)) => Constant::Bits(self.referred(node, reference, primitive)?),
                (Primitive::Char, None) if length.is_some_and(|n| n != 1) || text.len() > 1 => {
                    Constant::Text(text.as_bytes().into())
                }
                _ => Constant::Bits(parse(text, primitive).ok_or_else(|| {
                    syntax(node, &format!("constant \"{text}\" is not of its type"))
                })?),
            };
            return Ok(Kind::Scalar(primitive, Presence::Constant(constant)));
        }
        let length = match length {
            None | Some(1) => None,
            Some(length) => Some(
                u32::try_from(length)
                    .ok()
                    .filter(|length| *length <= u32::from(u16::MAX))
                    .ok_or_else(|| syntax(node, "an array has at most 65,535 elements"))?,
            ),
        };
        if let Some(length) = length {
            return Ok(Kind::Array(primitive, length));
        }
        let presence = match node.attribute("presence") {
            Some("optional") => {
                let null = number_text(node, "nullValue", primitive)?;
                Presence::Optional(null.unwrap_or(primitive.null_bits()))
            }
            _ => Presence::Required,
        };
        Ok(Kind::Scalar(primitive, presence))
    }

    fn composite(&mut self, node: Node<'d, 'i>, depth: usize) -> Result<u32, SchemaError> {
        if depth > DEPTH_LIMIT {
            return Err(SchemaError::Limit {
                what: "8 levels of composites (does one contain itself?)",
            });
        }
        let (mut members, mut size) = (Vec::new(), 0);
        for child in elements(node) {
            let kind = match child.tag_name().name() {
                "ref" => self.kind_of(child, required(child, "type")?, depth + 1)?,
                _ => self.kind(child, depth + 1)?,
            };
            let member = Field {
                name: required(child, "name")?.into(),
                id: None,
                offset: offset(child, size)?,
                since: number(child, "sinceVersion")?.unwrap_or(0),
                kind,
            };
            size = self.end_of(child, &member, size)?;
            members.push(member);
        }
        self.add(node, members, Vec::new(), Vec::new(), size)
    }

    /// Where a field ends; it may not begin before `at`.
    fn end_of(&self, node: Node<'d, 'i>, field: &Field, at: u32) -> Result<u32, SchemaError> {
        let size = match &field.kind {
            Kind::Scalar(_, Presence::Constant(_)) => return Ok(at),
            Kind::Scalar(primitive, _) => primitive.size() as u32,
            Kind::Array(primitive, length) => primitive.size() as u32 * length,
            Kind::Composite(block) => self.blocks[*block as usize].size,
        };
        if field.offset < at {
            return Err(syntax(node, "it begins before the end of the one before"));
        }
        field
            .offset
            .checked_add(size)
            .filter(|end| *end <= u32::from(u16::MAX))
            .ok_or_else(|| syntax(node, "a block has more than 65,535 bytes"))
    }

    fn group(&mut self, node: Node<'d, 'i>, depth: usize) -> Result<GroupPlan, SchemaError> {
        let name = node
            .attribute("dimensionType")
            .unwrap_or("groupSizeEncoding");
        let dimension = self.type_named(node, name)?;
        let composite = self.composite(dimension, 0)?;
        Ok(GroupPlan {
            name: required(node, "name")?.into(),
            id: number(node, "id")?.and_then(|id| u32::try_from(id).ok()),
            since: number(node, "sinceVersion")?.unwrap_or(0),
            block: self.block(node, depth + 1)?,
            block_length: self.place(dimension, composite, "blockLength")?,
            count: self.place(dimension, composite, "numInGroup")?,
            dimension: self.blocks[composite as usize].size,
        })
    }

    fn data_field(&mut self, node: Node<'d, 'i>) -> Result<DataPlan, SchemaError> {
        let ty = self.type_named(node, required(node, "type")?)?;
        let bytes = elements(ty).find(|child| child.attribute("name") == Some("varData"));
        let bytes = bytes.ok_or_else(|| syntax(ty, "a data type needs a varData"))?;
        // The bytes have length 0 in the schema: they begin where the length ends.
        let lengths = elements(ty).filter(|child| child.attribute("name") != Some("varData"));
        let (mut place, mut size) = (None, 0);
        for child in lengths {
            let primitive = primitive_of(required(child, "primitiveType")?)
                .ok_or_else(|| syntax(child, "no such primitive"))?;
            let at = offset(child, size)?;
            size = at + primitive.size() as u32;
            if child.attribute("name") == Some("length") {
                place = Some(Place {
                    offset: at,
                    primitive,
                });
            }
        }
        Ok(DataPlan {
            name: required(node, "name")?.into(),
            id: number(node, "id")?.and_then(|id| u32::try_from(id).ok()),
            since: number(node, "sinceVersion")?.unwrap_or(0),
            length: place.ok_or_else(|| syntax(ty, "a data type needs a length"))?,
            at: offset(bytes, size)?.max(size),
        })
    }

    fn place(&self, node: Node<'d, 'i>, block: u32, name: &str) -> Result<Place, SchemaError> {
        let range = &self.blocks[block as usize].fields;
        let members = &self.fields[range.start as usize..range.end as usize];
        let member = members.iter().find(|member| &*member.name == name);
        match member.map(|member| (&member.kind, member.offset)) {
            Some((Kind::Scalar(primitive, Presence::Required), offset))
                if !matches!(primitive, Primitive::F32 | Primitive::F64) =>
            {
                Ok(Place {
                    offset,
                    primitive: *primitive,
                })
            }
            _ => Err(syntax(node, &format!("it needs a number named {name}"))),
        }
    }

    /// The bits of `Enum.Value`.
    fn referred(
        &self,
        node: Node<'d, 'i>,
        reference: &str,
        primitive: Primitive,
    ) -> Result<u64, SchemaError> {
        let wrong = || syntax(node, &format!("there is no value \"{reference}\""));
        let (name, value) = reference.split_once('.').ok_or_else(wrong)?;
        let ty = self.type_named(node, name)?;
        let value = elements(ty).find(|child| child.attribute("name") == Some(value));
        let text = value.and_then(|value| value.text()).ok_or_else(wrong)?;
        parse(text.trim(), primitive).ok_or_else(wrong)
    }

    fn type_named(&self, node: Node<'d, 'i>, name: &str) -> Result<Node<'d, 'i>, SchemaError> {
        let found = self.types.get(name).copied();
        found.ok_or_else(|| syntax(node, &format!("there is no type \"{name}\"")))
    }
}

fn elements<'d, 'i>(node: Node<'d, 'i>) -> impl Iterator<Item = Node<'d, 'i>> {
    node.children().filter(Node::is_element)
}

fn required<'d>(node: Node<'d, '_>, name: &str) -> Result<&'d str, SchemaError> {
    let found = node.attribute(name);
    found.ok_or_else(|| {
        syntax(
            node,
            &format!("<{}> without {name}", node.tag_name().name()),
        )
    })
}

fn number(node: Node<'_, '_>, name: &str) -> Result<Option<u64>, SchemaError> {
    let Some(text) = node.attribute(name) else {
        return Ok(None);
    };
    let value = text.trim().parse();
    value
        .map(Some)
        .map_err(|_| syntax(node, &format!("{name}=\"{text}\" is no number")))
}

fn number_text(
    node: Node<'_, '_>,
    name: &str,
    primitive: Primitive,
) -> Result<Option<u64>, SchemaError> {
    let Some(text) = node.attribute(name) else {
        return Ok(None);
    };
    let wrong = || syntax(node, &format!("{name}=\"{text}\" is not of its type"));
    parse(text.trim(), primitive).map(Some).ok_or_else(wrong)
}

fn offset(node: Node<'_, '_>, at: u32) -> Result<u32, SchemaError> {
    let Some(told) = number(node, "offset")? else {
        return Ok(at);
    };
    u32::try_from(told)
        .ok()
        .filter(|offset| *offset <= u32::from(u16::MAX))
        .ok_or_else(|| syntax(node, "an offset is at most 65,535"))
}

fn primitive_of(name: &str) -> Option<Primitive> {
    let found = PRIMITIVES.iter().find(|(known, _)| *known == name);
    found.map(|(_, primitive)| *primitive)
}

/// A value in text as the bits of its primitive.
fn parse(text: &str, primitive: Primitive) -> Option<u64> {
    let signed = |text: &str, low: i64, high: i64| {
        let value = text.parse::<i64>().ok()?;
        (low..=high).contains(&value).then_some(value)
    };
    let unsigned = |high: u64| text.parse::<u64>().ok().filter(|value| *value <= high);
    match primitive {
        Primitive::Char => match text.as_bytes() {
            [byte] => Some(u64::from(*byte)),
            _ => unsigned(u64::from(u8::MAX)),
        },
        Primitive::I8 => signed(text, i8::MIN.into(), i8::MAX.into()).map(|v| u64::from(v as u8)),
        Primitive::I16 => {
            signed(text, i16::MIN.into(), i16::MAX.into()).map(|v| u64::from(v as u16))
        }
        Primitive::I32 => {
            signed(text, i32::MIN.into(), i32::MAX.into()).map(|v| u64::from(v as u32))
        }
        Primitive::I64 => signed(text, i64::MIN, i64::MAX).map(|v| v as u64),
        Primitive::U8 => unsigned(u8::MAX.into()),
        Primitive::U16 => unsigned(u16::MAX.into()),
        Primitive::U32 => unsigned(u32::MAX.into()),
        Primitive::U64 => unsigned(u64::MAX),
        Primitive::F32 => text.parse::<f32>().ok().map(|v| u64::from(v.to_bits())),
        Primitive::F64 => text.parse::<f64>().ok().map(f64::to_bits),
    }
}

fn syntax(node: Node<'_, '_>, what: &str) -> SchemaError {
    SchemaError::Syntax {
        line: node.document().text_pos_at(node.range().start).row,
        what: String::from(what),
    }
}
