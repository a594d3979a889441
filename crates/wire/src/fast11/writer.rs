//! The writer: what a decoder of the same plan reads back. For tests and simulated venues.
//!
//! It sends each field in the shortest way that its operator allows: nothing where the decoder
//! would find the value by itself.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::error::Code;
use super::operators::{
    Base, Decimal, Dictionary, delta_base, held, held_int, initial_bytes, initial_decimal,
    initial_int,
};
use super::plan::{BytesType, IntType, Kind, Operator, Plan, Rule};
use super::record::{Record, Value};

/// A value that owns what it holds. Records are lists by slot, `None` where a field is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedValue {
    /// `uInt32`, `uInt64`.
    Unsigned(u64),
    /// `int32`, `int64`.
    Signed(i64),
    /// `mantissa * 10^exponent`.
    Decimal {
        /// In `[-63, 63]`.
        exponent: i8,
        /// As it is to be sent.
        mantissa: i64,
    },
    /// `string`.
    Text(Vec<u8>),
    /// `byteVector`.
    Bytes(Vec<u8>),
    /// `group`.
    Group(Vec<Option<OwnedValue>>),
    /// `sequence`.
    Sequence(Vec<Vec<Option<OwnedValue>>>),
    /// A dynamic `templateRef`: template identifier and fields.
    Message(u32, Vec<Option<OwnedValue>>),
}

/// Why a message cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// No template has this identifier.
    #[error("no FAST template {0}")]
    Template(u32),
    /// A value of another type than its field, or outside its range, or too many of them.
    #[error("FAST field {0} of the record has another type or range")]
    Type(usize),
    /// A mandatory field without a value.
    #[error("mandatory FAST field {0} of the record is absent")]
    Absent(usize),
    /// The operator cannot express the value after what was sent before.
    #[error("FAST field {0} of the record cannot be sent with its operator")]
    Operator(usize),
    /// The dictionary and the field disagree.
    #[error("FAST dictionary: {0}")]
    Code(Code),
}

/// What went wrong, before it is known in which field.
#[derive(Clone, Copy)]
enum Trouble {
    Type,
    Absent,
    Operator,
    Code(Code),
    Inner(WriteError),
}

impl Trouble {
    fn at(self, slot: usize) -> WriteError {
        match self {
            Self::Type => WriteError::Type(slot),
            Self::Absent => WriteError::Absent(slot),
            Self::Operator => WriteError::Operator(slot),
            Self::Code(code) => WriteError::Code(code),
            Self::Inner(error) => error,
        }
    }
}

/// One stream's writer.
#[derive(Clone, Debug)]
pub struct Writer {
    plan: Arc<Plan>,
    dictionary: Dictionary,
    template_id: Option<u32>,
}

/// A segment being written.
#[derive(Default)]
struct Part {
    map: Vec<bool>,
    body: Vec<u8>,
}

impl Writer {
    /// A writer with an undefined dictionary.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        Self {
            dictionary: Dictionary::new(plan.entries),
            plan,
            template_id: None,
        }
    }

    /// Forgets everything sent. The decoder must be reset too.
    pub fn reset(&mut self) {
        self.dictionary.reset();
        self.template_id = None;
    }

    /// Appends a message to `out`: `values` by slot of the template.
    ///
    /// # Errors
    /// When the values do not fit the template. The dictionary may then hold half the message:
    /// reset both ends.
    pub fn write(
        &mut self,
        template_id: u32,
        values: &[Option<OwnedValue>],
        out: &mut Vec<u8>,
    ) -> Result<(), WriteError> {
        let plan = Arc::clone(&self.plan);
        let idx = plan.index_of(template_id);
        let template = &plan.templates[idx.ok_or(WriteError::Template(template_id))?];
        let mut part = Part::default();
        let is_new = self.template_id != Some(template_id);
        part.map.push(is_new);
        if is_new {
            put_unsigned(&mut part.body, u128::from(template_id));
        }
        self.template_id = Some(template_id);
        if template.resets {
            self.reset();
        }
        self.fields(&plan, template.segment, values, &mut part)?;
        part.finish(true, out);
        Ok(())
    }

    fn fields(
        &mut self,
        plan: &Plan,
        segment: u32,
        values: &[Option<OwnedValue>],
        part: &mut Part,
    ) -> Result<(), WriteError> {
        let fields = plan.fields_of(segment);
        if values.len() != fields.len() {
            return Err(WriteError::Type(fields.len().min(values.len())));
        }
        for (slot, (field, value)) in fields.iter().zip(values).enumerate() {
            self.field(plan, &field.kind, value.as_ref(), part)
                .map_err(|trouble| trouble.at(slot))?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        plan: &Plan,
        kind: &Kind,
        value: Option<&OwnedValue>,
        part: &mut Part,
    ) -> Result<(), Trouble> {
        match (kind, value) {
            (Kind::Int(ty, rule), value) => self.int(*ty, rule, int_of(*ty, value)?, part),
            (Kind::Decimal(rule), value) => self.decimal(rule, decimal_of(value)?, part),
            (Kind::SplitDecimal(rules), value) => {
                let value = decimal_of(value)?;
                let exponent = value.map(|value| i128::from(value.exponent));
                self.int(IntType::I32, &rules.0, exponent, part)?;
                match value {
                    None => Ok(()),
                    Some(value) => {
                        let mantissa = Some(i128::from(value.mantissa));
                        self.int(IntType::I64, &rules.1, mantissa, part)
                    }
                }
            }
            (Kind::Bytes(ty, rule), value) => self.bytes(*ty, rule, bytes_of(*ty, value)?, part),
            (
                Kind::Group {
                    segment,
                    is_optional,
                },
                value,
            ) => {
                if *is_optional {
                    part.map.push(value.is_some());
                }
                match value {
                    None if *is_optional => Ok(()),
                    None => Err(Trouble::Absent),
                    Some(OwnedValue::Group(values)) => self.part(plan, *segment, values, part),
                    Some(_) => Err(Trouble::Type),
                }
            }
            (Kind::Sequence { length, .. }, None) => self.int(IntType::U32, length, None, part),
            (Kind::Sequence { segment, length }, Some(OwnedValue::Sequence(records))) => {
                let count = Some(records.len() as i128);
                self.int(IntType::U32, length, count, part)?;
                records
                    .iter()
                    .try_for_each(|values| self.part(plan, *segment, values, part))
            }
            (Kind::Dynamic, Some(OwnedValue::Message(id, values))) => self
                .write(*id, values, &mut part.body)
                .map_err(Trouble::Inner),
            (Kind::Dynamic, None) => Err(Trouble::Absent),
            (Kind::Sequence { .. } | Kind::Dynamic, Some(_)) => Err(Trouble::Type),
        }
    }

    fn part(
        &mut self,
        plan: &Plan,
        segment: u32,
        values: &[Option<OwnedValue>],
        outer: &mut Part,
    ) -> Result<(), Trouble> {
        let mut part = Part::default();
        self.fields(plan, segment, values, &mut part)
            .map_err(Trouble::Inner)?;
        part.finish(plan.segments[segment as usize].has_map, &mut outer.body);
        Ok(())
    }

    fn int(
        &mut self,
        ty: IntType,
        rule: &Rule,
        value: Option<i128>,
        part: &mut Part,
    ) -> Result<(), Trouble> {
        let is_optional = rule.is_optional;
        if value.is_none() && !is_optional {
            return Err(Trouble::Absent);
        }
        match rule.operator {
            Operator::None => put_int(&mut part.body, ty, value, is_optional),
            Operator::Constant => return constant(rule, value, initial_int(rule), part),
            Operator::Default => {
                let is_sent = value != initial_int(rule);
                part.map.push(is_sent);
                if is_sent {
                    put_int(&mut part.body, ty, value, is_optional);
                }
            }
            Operator::Copy | Operator::Increment | Operator::Tail => {
                let base = self.dictionary.int(rule.entry, ty).map_err(Trouble::Code)?;
                let is_sent = held_int(rule, ty, base) != Ok(value);
                part.map.push(is_sent);
                if is_sent {
                    put_int(&mut part.body, ty, value, is_optional);
                }
                self.dictionary.set_int(rule.entry, ty, value);
            }
            Operator::Delta => {
                let Some(value) = value else {
                    part.body.push(0x80);
                    return Ok(());
                };
                let base = self.dictionary.int(rule.entry, ty).map_err(Trouble::Code)?;
                let base = delta_base(base, initial_int(rule), 0).map_err(Trouble::Code)?;
                put_delta(&mut part.body, value - base, is_optional);
                self.dictionary.set_int(rule.entry, ty, Some(value));
            }
        }
        Ok(())
    }

    fn decimal(
        &mut self,
        rule: &Rule,
        value: Option<Decimal>,
        part: &mut Part,
    ) -> Result<(), Trouble> {
        let is_optional = rule.is_optional;
        if value.is_none() && !is_optional {
            return Err(Trouble::Absent);
        }
        let put = |body: &mut Vec<u8>| {
            let exponent = value.map(|value| i128::from(value.exponent));
            put_int(body, IntType::I32, exponent, is_optional);
            if let Some(value) = value {
                let mantissa = Some(i128::from(value.mantissa));
                put_int(body, IntType::I64, mantissa, false);
            }
        };
        match rule.operator {
            Operator::None => put(&mut part.body),
            Operator::Constant => return constant(rule, value, initial_decimal(rule), part),
            Operator::Default => {
                let is_sent = value != initial_decimal(rule);
                part.map.push(is_sent);
                if is_sent {
                    put(&mut part.body);
                }
            }
            Operator::Copy | Operator::Increment | Operator::Tail => {
                let base = self.dictionary.decimal(rule.entry).map_err(Trouble::Code)?;
                let is_sent = held(rule, base, initial_decimal(rule)) != Ok(value);
                part.map.push(is_sent);
                if is_sent {
                    put(&mut part.body);
                }
                self.dictionary.set_decimal(rule.entry, value);
            }
            Operator::Delta => {
                let Some(value) = value else {
                    part.body.push(0x80);
                    return Ok(());
                };
                let none = Decimal {
                    exponent: 0,
                    mantissa: 0,
                };
                let base = self.dictionary.decimal(rule.entry).map_err(Trouble::Code)?;
                let base = delta_base(base, initial_decimal(rule), none).map_err(Trouble::Code)?;
                let exponent = i128::from(value.exponent) - i128::from(base.exponent);
                put_delta(&mut part.body, exponent, is_optional);
                let mantissa = i128::from(value.mantissa) - i128::from(base.mantissa);
                put_delta(&mut part.body, mantissa, false);
                self.dictionary.set_decimal(rule.entry, Some(value));
            }
        }
        Ok(())
    }

    fn bytes(
        &mut self,
        ty: BytesType,
        rule: &Rule,
        value: Option<&[u8]>,
        part: &mut Part,
    ) -> Result<(), Trouble> {
        let is_optional = rule.is_optional;
        if value.is_none() && !is_optional {
            return Err(Trouble::Absent);
        }
        match rule.operator {
            Operator::None => put_run(&mut part.body, ty, value, is_optional),
            Operator::Constant => return constant(rule, value, initial_bytes(rule), part),
            Operator::Default => {
                let is_sent = value != initial_bytes(rule);
                part.map.push(is_sent);
                if is_sent {
                    put_run(&mut part.body, ty, value, is_optional);
                }
            }
            Operator::Copy | Operator::Increment | Operator::Tail => {
                let base = self
                    .dictionary
                    .bytes(rule.entry, ty)
                    .map_err(Trouble::Code)?;
                let is_sent = held(rule, base, initial_bytes(rule)) != Ok(value);
                part.map.push(is_sent);
                if is_sent && rule.operator == Operator::Tail {
                    put_tail(&mut part.body, ty, rule, base, value)?;
                } else if is_sent {
                    put_run(&mut part.body, ty, value, is_optional);
                }
                self.dictionary.set_bytes(rule.entry, ty, value);
            }
            Operator::Delta => {
                let Some(value) = value else {
                    part.body.push(0x80);
                    return Ok(());
                };
                let base = self
                    .dictionary
                    .bytes(rule.entry, ty)
                    .map_err(Trouble::Code)?;
                let base = delta_base(base, initial_bytes(rule), &[]).map_err(Trouble::Code)?;
                put_text_delta(&mut part.body, ty, base, value, is_optional);
                self.dictionary.set_bytes(rule.entry, ty, Some(value));
            }
        }
        Ok(())
    }
}

impl Part {
    fn finish(mut self, has_map: bool, out: &mut Vec<u8>) {
        if has_map {
            if self.map.is_empty() {
                // The only field that could have set a bit was not written: the map stands there
                // all the same.
                self.map.push(false);
            }
            while self.map.len() > 7 && self.map.last() == Some(&false) {
                self.map.pop();
            }
            let chunks = self.map.chunks(7);
            out.extend(chunks.map(|bits| {
                let bits = bits.iter().enumerate();
                bits.fold(0, |byte, (idx, bit)| byte | u8::from(*bit) << (6 - idx))
            }));
            stop(out);
        }
        out.append(&mut self.body);
    }
}

impl OwnedValue {
    /// A record's fields by slot, copied.
    #[must_use]
    pub fn fields_of(record: &Record<'_>) -> Vec<Option<Self>> {
        let fields = record.shape().fields();
        fields
            .map(|field| {
                Some(match record.get(field.slot)? {
                    Value::Unsigned(value) => Self::Unsigned(value),
                    Value::Signed(value) => Self::Signed(value),
                    Value::Decimal { exponent, mantissa } => Self::Decimal { exponent, mantissa },
                    Value::Text(bytes) => Self::Text(bytes.into()),
                    Value::Bytes(bytes) => Self::Bytes(bytes.into()),
                    Value::Group(inner) => Self::Group(Self::fields_of(&inner)),
                    Value::Sequence(records) => {
                        Self::Sequence(records.map(|inner| Self::fields_of(&inner)).collect())
                    }
                    Value::Message(inner) => {
                        Self::Message(inner.template_id(), Self::fields_of(&inner))
                    }
                })
            })
            .collect()
    }
}

fn constant<T: PartialEq>(
    rule: &Rule,
    value: Option<T>,
    initial: Option<T>,
    part: &mut Part,
) -> Result<(), Trouble> {
    if value.is_some() && value != initial {
        return Err(Trouble::Operator);
    }
    if rule.is_optional {
        part.map.push(value.is_some());
    }
    Ok(())
}

fn int_of(ty: IntType, value: Option<&OwnedValue>) -> Result<Option<i128>, Trouble> {
    let value = match value {
        None => return Ok(None),
        Some(OwnedValue::Unsigned(value)) if !ty.is_signed() => i128::from(*value),
        Some(OwnedValue::Signed(value)) if ty.is_signed() => i128::from(*value),
        Some(_) => return Err(Trouble::Type),
    };
    ty.holds(value).then_some(Some(value)).ok_or(Trouble::Type)
}

fn decimal_of(value: Option<&OwnedValue>) -> Result<Option<Decimal>, Trouble> {
    match value {
        None => Ok(None),
        Some(OwnedValue::Decimal { exponent, mantissa }) => {
            Decimal::new(i128::from(*exponent), i128::from(*mantissa))
                .map(Some)
                .map_err(Trouble::Code)
        }
        Some(_) => Err(Trouble::Type),
    }
}

fn bytes_of(ty: BytesType, value: Option<&OwnedValue>) -> Result<Option<&[u8]>, Trouble> {
    match (ty, value) {
        (_, None) => Ok(None),
        (BytesType::Bytes, Some(OwnedValue::Bytes(bytes))) => Ok(Some(bytes)),
        // A zero byte is text only by itself: elsewhere it could start a part of a delta or tail.
        (BytesType::Ascii, Some(OwnedValue::Text(bytes)))
            if bytes.is_ascii() && (bytes == &[0] || !bytes.contains(&0)) =>
        {
            Ok(Some(bytes))
        }
        (BytesType::Unicode, Some(OwnedValue::Text(bytes))) if str::from_utf8(bytes).is_ok() => {
            Ok(Some(bytes))
        }
        _ => Err(Trouble::Type),
    }
}

fn stop(out: &mut [u8]) {
    if let Some(last) = out.last_mut() {
        *last |= 0x80;
    }
}

fn put_unsigned(out: &mut Vec<u8>, value: u128) {
    let groups = (128 - value.leading_zeros()).div_ceil(7).max(1);
    out.extend((0..groups).rev().map(|k| (value >> (7 * k)) as u8 & 0x7F));
    stop(out);
}

fn put_signed(out: &mut Vec<u8>, value: i128) {
    let bits = 129 - if value < 0 { !value } else { value }.leading_zeros();
    let groups = bits.div_ceil(7);
    out.extend((0..groups).rev().map(|k| (value >> (7 * k)) as u8 & 0x7F));
    stop(out);
}

fn put_int(out: &mut Vec<u8>, ty: IntType, value: Option<i128>, is_nullable: bool) {
    match value {
        None => out.push(0x80),
        Some(value) if ty.is_signed() => put_delta(out, value, is_nullable),
        Some(value) => put_unsigned(out, value as u128 + u128::from(is_nullable)),
    }
}

fn put_delta(out: &mut Vec<u8>, value: i128, is_nullable: bool) {
    put_signed(out, value + i128::from(is_nullable && value >= 0));
}

fn put_run(out: &mut Vec<u8>, ty: BytesType, value: Option<&[u8]>, is_nullable: bool) {
    match (ty, value) {
        (_, None) => out.push(0x80),
        (BytesType::Ascii, Some(text)) => {
            // Zero bytes stand for null, an empty text and a text of one zero byte.
            let is_zero = text == [0];
            if text.is_empty() || is_zero {
                let count = 1 + usize::from(is_zero) + usize::from(is_nullable);
                out.extend(core::iter::repeat_n(0, count));
            } else {
                out.extend(text);
            }
            stop(out);
        }
        (_, Some(bytes)) => {
            put_unsigned(out, bytes.len() as u128 + u128::from(is_nullable));
            out.extend(bytes);
        }
    }
}

fn put_tail(
    out: &mut Vec<u8>,
    ty: BytesType,
    rule: &Rule,
    base: Base<&[u8]>,
    value: Option<&[u8]>,
) -> Result<(), Trouble> {
    let base = match base {
        Base::Assigned(base) => base,
        Base::Undefined | Base::Empty => initial_bytes(rule).unwrap_or_default(),
    };
    let tail = match value {
        None => None,
        Some(value) if value.len() < base.len() => return Err(Trouble::Operator),
        Some(value) if value.len() > base.len() => Some(value),
        Some(value) => {
            let same = value.iter().zip(base).take_while(|(a, b)| a == b).count();
            Some(&value[same..])
        }
    };
    put_run(out, ty, tail, rule.is_optional);
    Ok(())
}

fn put_text_delta(out: &mut Vec<u8>, ty: BytesType, base: &[u8], value: &[u8], is_nullable: bool) {
    let pairs = || base.iter().zip(value);
    let head = pairs().take_while(|(a, b)| a == b).count();
    let back = base.iter().rev().zip(value.iter().rev());
    let end = back.take_while(|(a, b)| a == b).count();
    if head >= end {
        put_delta(out, (base.len() - head) as i128, is_nullable);
        put_run(out, ty, Some(&value[head..]), false);
    } else {
        put_delta(out, -((base.len() - end) as i128) - 1, is_nullable);
        put_run(out, ty, Some(&value[..value.len() - end]), false);
    }
}
