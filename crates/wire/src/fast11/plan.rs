//! Templates as tables: what the decoder and the writer walk.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use super::error::TemplateError;

/// Most fields of a plan, after static references were written out.
pub(super) const FIELDS_LIMIT: usize = 65_536;
/// Deepest nesting of groups, sequences and references.
pub(super) const DEPTH_LIMIT: usize = 16;

/// The integer types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntType {
    U32,
    I32,
    U64,
    I64,
}

impl IntType {
    pub(super) const fn is_signed(self) -> bool {
        matches!(self, Self::I32 | Self::I64)
    }

    pub(super) const fn min(self) -> i128 {
        match self {
            Self::U32 | Self::U64 => 0,
            Self::I32 => i32::MIN as i128,
            Self::I64 => i64::MIN as i128,
        }
    }

    pub(super) const fn max(self) -> i128 {
        match self {
            Self::U32 => u32::MAX as i128,
            Self::I32 => i32::MAX as i128,
            Self::U64 => u64::MAX as i128,
            Self::I64 => i64::MAX as i128,
        }
    }

    pub(super) const fn holds(self, value: i128) -> bool {
        self.min() <= value && value <= self.max()
    }
}

/// The types that are runs of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BytesType {
    Ascii,
    Unicode,
    Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    None,
    Constant,
    Default,
    Copy,
    Increment,
    Delta,
    Tail,
}

impl Operator {
    /// Whether the field has a bit in the presence map (section 10.5.1).
    pub(super) const fn has_bit(self, is_optional: bool) -> bool {
        match self {
            Self::None | Self::Delta => false,
            Self::Constant => is_optional,
            Self::Default | Self::Copy | Self::Increment | Self::Tail => true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Initial {
    None,
    Int(i128),
    Decimal { exponent: i8, mantissa: i64 },
    Bytes(Box<[u8]>),
}

/// How a value comes from the stream, the entry and the initial value.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) operator: Operator,
    pub(super) is_optional: bool,
    /// The dictionary entry; 0 for operators without one.
    pub(super) entry: u32,
    pub(super) initial: Initial,
}

impl Rule {
    pub(super) fn has_bit(&self) -> bool {
        self.operator.has_bit(self.is_optional)
    }
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Int(IntType, Rule),
    /// Exponent and mantissa under one operator.
    Decimal(Rule),
    /// Exponent and mantissa with their own operators.
    SplitDecimal(Box<(Rule, Rule)>),
    Bytes(BytesType, Rule),
    Group {
        segment: u32,
        is_optional: bool,
    },
    Sequence {
        segment: u32,
        length: Box<Rule>,
    },
    /// A reference to a template that the message names.
    Dynamic,
}

impl Kind {
    /// Whether the segment around needs a presence map for it.
    pub(super) fn has_bit(&self) -> bool {
        match self {
            Self::Int(_, rule) | Self::Decimal(rule) | Self::Bytes(_, rule) => rule.has_bit(),
            Self::SplitDecimal(rules) => rules.0.has_bit() || rules.1.has_bit(),
            Self::Group { is_optional, .. } => *is_optional,
            Self::Sequence { length, .. } => length.has_bit(),
            Self::Dynamic => false,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    pub(super) id: Option<u32>,
    pub(super) kind: Kind,
}

/// The fields of a template, a group or one element of a sequence; slot i is the i-th of them.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) fields: Range<u32>,
    pub(super) has_map: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) id: u32,
    pub(super) name: Box<str>,
    pub(super) segment: u32,
    pub(super) resets: bool,
}

/// Compiled templates. Immutable; shared by the decoders of all lines.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In order of their ids.
    pub(super) templates: Vec<Template>,
    pub(super) segments: Vec<Segment>,
    pub(super) fields: Vec<Field>,
    /// Dictionary entries in use.
    pub(super) entries: u32,
}

impl Plan {
    /// Compiles a template file.
    ///
    /// # Errors
    /// When it is no XML, breaks a rule of the specification, or passes a limit (65,536 fields
    /// after references are written out, 16 levels of nesting).
    pub fn from_xml(xml: &str) -> Result<Self, TemplateError> {
        super::compile::compile(xml)
    }

    /// The shape of a template's messages.
    #[must_use]
    pub fn template(&self, id: u32) -> Option<Shape<'_>> {
        let template = &self.templates[self.index_of(id)?];
        Some(self.shape(template.segment))
    }

    /// Identifiers and names of the templates, in order of identifiers.
    pub fn templates(&self) -> impl Iterator<Item = (u32, &str)> + '_ {
        let templates = self.templates.iter();
        templates.map(|template| (template.id, &*template.name))
    }

    /// Whether messages of this template reset the dictionary.
    #[must_use]
    pub fn is_reset(&self, id: u32) -> bool {
        self.index_of(id)
            .is_some_and(|idx| self.templates[idx].resets)
    }

    pub(super) fn index_of(&self, id: u32) -> Option<usize> {
        self.templates
            .binary_search_by_key(&id, |template| template.id)
            .ok()
    }

    pub(super) fn shape(&self, segment: u32) -> Shape<'_> {
        Shape {
            plan: self,
            segment,
        }
    }

    pub(super) fn fields_of(&self, segment: u32) -> &[Field] {
        let range = &self.segments[segment as usize].fields;
        &self.fields[range.start as usize..range.end as usize]
    }
}

/// Where a field lies in its record: looked up once, used for every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub(super) u16);

/// The fields of a template, a group or a sequence's elements, in wire order.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    plan: &'a Plan,
    segment: u32,
}

/// What is known of one field before any message.
#[derive(Clone, Copy, Debug)]
pub struct FieldShape<'a> {
    /// Where it lies.
    pub slot: Slot,
    /// The template file's `name`; empty for a dynamic reference.
    pub name: &'a str,
    /// The template file's `id`: for FIX, the tag.
    pub id: Option<u32>,
}

impl<'a> Shape<'a> {
    /// The fields in order.
    pub fn fields(self) -> impl Iterator<Item = FieldShape<'a>> {
        let fields = self.plan.fields_of(self.segment).iter().enumerate();
        fields.map(|(idx, field)| FieldShape {
            slot: Slot(idx as u16),
            name: &field.name,
            id: field.id,
        })
    }

    /// The first field with this `id` (a sequence has its length's).
    #[must_use]
    pub fn slot_of_id(self, id: u32) -> Option<Slot> {
        let mut fields = self.fields();
        fields
            .find(|field| field.id == Some(id))
            .map(|field| field.slot)
    }

    /// The first field with this name.
    #[must_use]
    pub fn slot_of(self, name: &str) -> Option<Slot> {
        let mut fields = self.fields();
        fields
            .find(|field| field.name == name)
            .map(|field| field.slot)
    }

    /// The shape within a group or of a sequence's elements.
    #[must_use]
    pub fn inner(self, slot: Slot) -> Option<Self> {
        let field = self.plan.fields_of(self.segment).get(usize::from(slot.0))?;
        match field.kind {
            Kind::Group { segment, .. } | Kind::Sequence { segment, .. } => {
                Some(self.plan.shape(segment))
            }
            _ => None,
        }
    }
}
