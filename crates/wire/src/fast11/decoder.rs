//! The decoder: walks a plan over a stream.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::error::{Code, Error};
use super::operators::{
    Base, Decimal, Dictionary, delta_base, held, held_int, initial_bytes, initial_decimal,
    initial_int,
};
use super::plan::{BytesType, DEPTH_LIMIT, IntType, Kind, Operator, Plan, Rule};
use super::record::{Cell, Record};
use super::stream::{PresenceMap, Stream};

/// Limits of one message. Beyond them a message is refused, whatever its template allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one string or byte vector.
    pub text_bytes: usize,
    /// Bytes of all strings and byte vectors of a message: taken at start.
    pub arena_bytes: usize,
    /// Elements of one sequence.
    pub sequence_length: usize,
    /// Fields of a message, absent ones included: 16 bytes each, taken at start.
    pub values: usize,
    /// Refuse what is readable but not in the shortest form (R6, R7, R8). Encoders of real venues
    /// send such forms.
    pub is_strict: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes: 4_096,
            arena_bytes: 32_768,
            sequence_length: 1_024,
            values: 16_384,
            is_strict: false,
        }
    }
}

/// One stream's decoder: the dictionary carries over from message to message.
#[derive(Clone, Debug)]
pub struct Decoder {
    plan: Arc<Plan>,
    tables: Tables,
}

#[derive(Clone, Debug)]
struct Tables {
    limits: Limits,
    dictionary: Dictionary,
    template_id: Option<u32>,
    tape: Vec<Cell>,
    arena: Vec<u8>,
    bad_field: Option<u32>,
    bad_template: Option<u32>,
}

impl Decoder {
    /// Takes the memory that the limits ask for; only rows of text in the dictionary grow later,
    /// each to the longest value it ever had.
    #[must_use]
    pub fn new(plan: Arc<Plan>, limits: Limits) -> Self {
        let tables = Tables {
            limits,
            dictionary: Dictionary::new(plan.entries),
            template_id: None,
            tape: Vec::with_capacity(limits.values),
            arena: Vec::with_capacity(limits.arena_bytes),
            bad_field: None,
            bad_template: None,
        };
        Self { plan, tables }
    }

    /// The templates.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Forgets all previous values and the template identifier, as a reset message does.
    pub fn reset(&mut self) {
        self.tables.dictionary.reset();
        self.tables.template_id = None;
    }

    /// Decodes the message at the start of `bytes`; also says how many bytes it took. A message of
    /// a template with reset resets the dictionary before its fields.
    ///
    /// # Errors
    /// See [`Code`]. The dictionary may hold half the message: see [`Error`].
    pub fn decode(&mut self, bytes: &[u8]) -> Result<(Record<'_>, usize), Error> {
        let Self { plan, tables } = self;
        let plan: &Plan = plan;
        tables.tape.clear();
        tables.arena.clear();
        tables.bad_field = None;
        tables.bad_template = None;
        let mut walk = Walk {
            plan,
            stream: Stream::new(bytes, tables.limits.is_strict),
            tables,
        };
        let outcome = walk.message(0);
        let offset = walk.stream.offset();
        match outcome {
            Ok((template, base)) => {
                let record = Record {
                    plan,
                    tape: &tables.tape,
                    arena: &tables.arena,
                    template,
                    segment: plan.templates[template as usize].segment,
                    base,
                };
                Ok((record, offset))
            }
            Err(code) => Err(Error {
                code,
                offset,
                template_id: tables.bad_template,
                field_id: tables.bad_field,
            }),
        }
    }
}

struct Walk<'w, 'p, 'b> {
    plan: &'p Plan,
    stream: Stream<'b>,
    tables: &'w mut Tables,
}

impl<'p, 'b> Walk<'_, 'p, 'b> {
    /// A presence map, a template identifier, and that template's fields.
    fn message(&mut self, depth: usize) -> Result<(u32, u32), Code> {
        let mut map = self.stream.map()?;
        if map.next() {
            let id = self.stream.int(IntType::U32, false)?;
            self.tables.template_id = id.map(|id| id as u32);
        }
        let id = self.tables.template_id.ok_or(Code::D5)?;
        let idx = self.plan.index_of(id).ok_or(Code::D9(id))?;
        self.tables.bad_template = Some(id);
        let template = &self.plan.templates[idx];
        if template.resets {
            self.tables.dictionary.reset();
            self.tables.template_id = None;
        }
        let base = self.reserve(template.segment, 1)?;
        self.fill(template.segment, base, map, depth)?;
        Ok((idx as u32, base))
    }

    /// Slots for `count` records of a segment, side by side.
    fn reserve(&mut self, segment: u32, count: usize) -> Result<u32, Code> {
        let fields = &self.plan.segments[segment as usize].fields;
        let slots = (fields.end - fields.start) as usize * count;
        let base = self.tables.tape.len();
        if base + slots > self.tables.limits.values {
            return Err(Code::Limit("fields in a message"));
        }
        self.tables.tape.resize(base + slots, Cell::Absent);
        Ok(base as u32)
    }

    fn fill(
        &mut self,
        segment: u32,
        base: u32,
        mut map: PresenceMap<'b>,
        depth: usize,
    ) -> Result<(), Code> {
        if depth > DEPTH_LIMIT {
            return Err(Code::Limit("nesting"));
        }
        for (idx, field) in self.plan.fields_of(segment).iter().enumerate() {
            match self.field(&field.kind, &mut map, depth) {
                Ok(cell) => self.tables.tape[base as usize + idx] = cell,
                Err(code) => {
                    self.tables.bad_field = self.tables.bad_field.or(field.id);
                    return Err(code);
                }
            }
        }
        self.stream.finish(&map)
    }

    #[inline]
    fn field(
        &mut self,
        kind: &'p Kind,
        map: &mut PresenceMap<'b>,
        depth: usize,
    ) -> Result<Cell, Code> {
        match kind {
            Kind::Int(ty, rule) => Ok(Cell::of_int(*ty, self.int(*ty, rule, map)?)),
            Kind::Bytes(ty, rule) => self.bytes(*ty, rule, map),
            Kind::Decimal(rule) => Ok(cell_of(self.decimal(rule, map)?)),
            Kind::SplitDecimal(rules) => {
                let Some(exponent) = self.int(IntType::I32, &rules.0, map)? else {
                    return Ok(Cell::Absent);
                };
                let mantissa = self.int(IntType::I64, &rules.1, map)?;
                Decimal::new(exponent, mantissa.unwrap_or_default())
                    .map(Some)
                    .map(cell_of)
            }
            Kind::Group {
                segment,
                is_optional,
            } => {
                if *is_optional && !map.next() {
                    return Ok(Cell::Absent);
                }
                let base = self.reserve(*segment, 1)?;
                self.part(*segment, base, depth)?;
                Ok(Cell::Group { base })
            }
            Kind::Sequence { segment, length } => {
                let Some(length) = self.int(IntType::U32, length, map)? else {
                    return Ok(Cell::Absent);
                };
                self.sequence(*segment, length as usize, depth)
            }
            Kind::Dynamic => {
                if depth >= DEPTH_LIMIT {
                    return Err(Code::Limit("nesting"));
                }
                let (template, base) = self.message(depth + 1)?;
                Ok(Cell::Message { template, base })
            }
        }
    }

    fn sequence(&mut self, segment: u32, length: usize, depth: usize) -> Result<Cell, Code> {
        if length > self.tables.limits.sequence_length {
            return Err(Code::Limit("sequence length"));
        }
        let base = self.reserve(segment, length)?;
        let fields = &self.plan.segments[segment as usize].fields;
        let stride = fields.end - fields.start;
        for element in 0..length as u32 {
            self.part(segment, base + element * stride, depth)?;
        }
        Ok(Cell::Sequence {
            base,
            length: length as u32,
        })
    }

    /// A group or an element: a segment with a presence map of its own, where it needs one.
    fn part(&mut self, segment: u32, base: u32, depth: usize) -> Result<(), Code> {
        let map = if self.plan.segments[segment as usize].has_map {
            self.stream.map()?
        } else {
            PresenceMap::EMPTY
        };
        self.fill(segment, base, map, depth + 1)
    }

    #[inline]
    fn int(
        &mut self,
        ty: IntType,
        rule: &Rule,
        map: &mut PresenceMap<'b>,
    ) -> Result<Option<i128>, Code> {
        let is_optional = rule.is_optional;
        match rule.operator {
            Operator::None => self.stream.int(ty, is_optional),
            Operator::Constant if is_optional && !map.next() => Ok(None),
            Operator::Constant => Ok(initial_int(rule)),
            Operator::Default if !map.next() => Ok(initial_int(rule)),
            Operator::Default => self.stream.int(ty, is_optional),
            Operator::Copy | Operator::Increment | Operator::Tail => {
                let value = if map.next() {
                    self.stream.int(ty, is_optional)?
                } else {
                    held_int(rule, ty, self.tables.dictionary.int(rule.entry, ty)?)?
                };
                self.tables.dictionary.set_int(rule.entry, ty, value);
                Ok(value)
            }
            Operator::Delta => {
                let Some(delta) = self.stream.delta(is_optional)? else {
                    return Ok(None);
                };
                let base = self.tables.dictionary.int(rule.entry, ty)?;
                let value = delta_base(base, initial_int(rule), 0)? + delta;
                if !ty.holds(value) {
                    return Err(Code::D2);
                }
                self.tables.dictionary.set_int(rule.entry, ty, Some(value));
                Ok(Some(value))
            }
        }
    }

    fn decimal(&mut self, rule: &Rule, map: &mut PresenceMap<'b>) -> Result<Option<Decimal>, Code> {
        match rule.operator {
            Operator::None => self.decimal_sent(rule),
            Operator::Constant if rule.is_optional && !map.next() => Ok(None),
            Operator::Constant => Ok(initial_decimal(rule)),
            Operator::Default if !map.next() => Ok(initial_decimal(rule)),
            Operator::Default => self.decimal_sent(rule),
            Operator::Copy | Operator::Increment | Operator::Tail => {
                let value = if map.next() {
                    self.decimal_sent(rule)?
                } else {
                    let base = self.tables.dictionary.decimal(rule.entry)?;
                    held(rule, base, initial_decimal(rule))?
                };
                self.tables.dictionary.set_decimal(rule.entry, value);
                Ok(value)
            }
            Operator::Delta => {
                let Some(exponent) = self.stream.delta(rule.is_optional)? else {
                    return Ok(None);
                };
                let mantissa = self.stream.delta(false)?.unwrap_or_default();
                let base = self.tables.dictionary.decimal(rule.entry)?;
                let none = Decimal {
                    exponent: 0,
                    mantissa: 0,
                };
                let base = delta_base(base, initial_decimal(rule), none)?;
                let value = Decimal::new(
                    i128::from(base.exponent) + exponent,
                    i128::from(base.mantissa) + mantissa,
                )?;
                self.tables.dictionary.set_decimal(rule.entry, Some(value));
                Ok(Some(value))
            }
        }
    }

    fn decimal_sent(&mut self, rule: &Rule) -> Result<Option<Decimal>, Code> {
        let Some(exponent) = self.stream.int(IntType::I32, rule.is_optional)? else {
            return Ok(None);
        };
        let mantissa = self.stream.int(IntType::I64, false)?;
        Decimal::new(exponent, mantissa.unwrap_or_default()).map(Some)
    }

    fn bytes(
        &mut self,
        ty: BytesType,
        rule: &Rule,
        map: &mut PresenceMap<'b>,
    ) -> Result<Cell, Code> {
        let at = self.tables.arena.len();
        let is_there = match rule.operator {
            Operator::None => self.bytes_sent(ty, rule)?,
            Operator::Constant if rule.is_optional && !map.next() => false,
            Operator::Constant => self.append(initial_bytes(rule))?,
            Operator::Default if !map.next() => self.append(initial_bytes(rule))?,
            Operator::Default => self.bytes_sent(ty, rule)?,
            Operator::Copy | Operator::Increment => {
                if map.next() {
                    self.bytes_sent(ty, rule)?
                } else {
                    self.bytes_held(ty, rule)?
                }
            }
            Operator::Tail if !map.next() => self.bytes_held(ty, rule)?,
            Operator::Tail => self.tail(ty, rule)?,
            Operator::Delta => self.text_delta(ty, rule)?,
        };
        let tables = &mut *self.tables;
        let run = &tables.arena[at..];
        if run.len() > tables.limits.text_bytes {
            return Err(Code::Limit("bytes in a string"));
        }
        if is_there && ty == BytesType::Unicode && str::from_utf8(run).is_err() {
            return Err(Code::R2);
        }
        let keeps = match rule.operator {
            Operator::Copy | Operator::Increment | Operator::Tail => true,
            // A null delta leaves the previous value as it was.
            Operator::Delta => is_there,
            Operator::None | Operator::Constant | Operator::Default => false,
        };
        if keeps {
            let run = is_there.then_some(run);
            tables.dictionary.set_bytes(rule.entry, ty, run);
        }
        let (at, length) = (at as u32, (tables.arena.len() - at) as u32);
        Ok(match (is_there, ty) {
            (false, _) => Cell::Absent,
            (true, BytesType::Bytes) => Cell::Bytes { at, length },
            (true, _) => Cell::Text { at, length },
        })
    }

    fn bytes_held(&mut self, ty: BytesType, rule: &Rule) -> Result<bool, Code> {
        let tables = &mut *self.tables;
        let base = tables.dictionary.bytes(rule.entry, ty)?;
        let Some(value) = held(rule, base, initial_bytes(rule))? else {
            return Ok(false);
        };
        extend(&mut tables.arena, &tables.limits, value)?;
        Ok(true)
    }

    /// The base without its end, then the tail (6.3.8).
    fn tail(&mut self, ty: BytesType, rule: &Rule) -> Result<bool, Code> {
        let Some(tail) = self.run(ty, rule.is_optional)? else {
            return Ok(false);
        };
        let tables = &mut *self.tables;
        let base = match tables.dictionary.bytes(rule.entry, ty)? {
            Base::Assigned(base) => base,
            Base::Undefined | Base::Empty => initial_bytes(rule).unwrap_or_default(),
        };
        let kept = base.len().saturating_sub(tail.len());
        extend(&mut tables.arena, &tables.limits, &base[..kept])?;
        extend_run(&mut tables.arena, &tables.limits, ty, tail)?;
        Ok(true)
    }

    /// The base cut at its end or, with a negative length, at its start, and text put there (6.3.7.3).
    fn text_delta(&mut self, ty: BytesType, rule: &Rule) -> Result<bool, Code> {
        let Some(cut) = self.stream.int(IntType::I32, rule.is_optional)? else {
            return Ok(false);
        };
        let part = self.run(ty, false)?.unwrap_or_default();
        let tables = &mut *self.tables;
        let base = tables.dictionary.bytes(rule.entry, ty)?;
        let base = delta_base(base, initial_bytes(rule), &[])?;
        if cut >= 0 {
            let kept = base.len().checked_sub(cut as usize).ok_or(Code::D7)?;
            extend(&mut tables.arena, &tables.limits, &base[..kept])?;
            extend_run(&mut tables.arena, &tables.limits, ty, part)?;
        } else {
            // The sign stands for the place, so -1 cuts nothing.
            let from = (-(cut + 1)) as usize;
            let kept = base.get(from..).ok_or(Code::D7)?;
            extend_run(&mut tables.arena, &tables.limits, ty, part)?;
            extend(&mut tables.arena, &tables.limits, kept)?;
        }
        Ok(true)
    }

    fn bytes_sent(&mut self, ty: BytesType, rule: &Rule) -> Result<bool, Code> {
        let Some(run) = self.run(ty, rule.is_optional)? else {
            return Ok(false);
        };
        extend_run(&mut self.tables.arena, &self.tables.limits, ty, run)?;
        Ok(true)
    }

    fn append(&mut self, value: Option<&[u8]>) -> Result<bool, Code> {
        if let Some(value) = value {
            extend(&mut self.tables.arena, &self.tables.limits, value)?;
        }
        Ok(value.is_some())
    }

    /// A run as the stream has it: text of seven bits still with its stop bit.
    fn run(&mut self, ty: BytesType, is_nullable: bool) -> Result<Option<&'b [u8]>, Code> {
        match ty {
            BytesType::Ascii => self.stream.ascii(is_nullable),
            BytesType::Unicode | BytesType::Bytes => self.stream.vector(is_nullable),
        }
    }
}

fn extend(arena: &mut Vec<u8>, limits: &Limits, bytes: &[u8]) -> Result<(), Code> {
    if bytes.len() > limits.text_bytes {
        return Err(Code::Limit("bytes in a string"));
    }
    if arena.len() + bytes.len() > limits.arena_bytes {
        return Err(Code::Limit("bytes of all strings"));
    }
    arena.extend_from_slice(bytes);
    Ok(())
}

fn extend_run(arena: &mut Vec<u8>, limits: &Limits, ty: BytesType, run: &[u8]) -> Result<(), Code> {
    extend(arena, limits, run)?;
    // Only the last byte of seven-bit text has the stop bit.
    if ty == BytesType::Ascii
        && !run.is_empty()
        && let Some(last) = arena.last_mut()
    {
        *last &= 0x7F;
    }
    Ok(())
}

fn cell_of(value: Option<Decimal>) -> Cell {
    value.map_or(Cell::Absent, |Decimal { exponent, mantissa }| {
        Cell::Decimal { exponent, mantissa }
    })
}
