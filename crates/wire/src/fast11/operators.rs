//! The dictionary, and what a field is when the stream does not bring it (section 6.3).

use alloc::vec;
use alloc::vec::Vec;

use super::error::Code;
use super::plan::{BytesType, Initial, IntType, Operator, Rule};

/// A decimal as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) exponent: i8,
    pub(super) mantissa: i64,
}

impl Decimal {
    /// # Errors
    /// [`Code::R1`] outside of `[-63, 63]` or 64 bits.
    pub(super) fn new(exponent: i128, mantissa: i128) -> Result<Self, Code> {
        if !(-63..=63).contains(&exponent) {
            return Err(Code::R1);
        }
        Ok(Self {
            exponent: exponent as i8,
            mantissa: i64::try_from(mantissa).map_err(|_| Code::R1)?,
        })
    }
}

/// The previous value of an entry. The bytes of a run stand in a row of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Previous {
    Undefined,
    Empty,
    Int(IntType, i128),
    Decimal(Decimal),
    Bytes(BytesType),
}

/// A previous value of the type that its reader wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base<T> {
    Undefined,
    Empty,
    Assigned(T),
}

#[derive(Clone, Debug)]
pub(super) struct Dictionary {
    entries: Vec<Previous>,
    bytes: Vec<Vec<u8>>,
}

impl Dictionary {
    pub(super) fn new(entries: u32) -> Self {
        Self {
            entries: vec![Previous::Undefined; entries as usize],
            bytes: vec![Vec::new(); entries as usize],
        }
    }

    pub(super) fn reset(&mut self) {
        self.entries.fill(Previous::Undefined);
    }

    #[inline]
    pub(super) fn int(&self, entry: u32, ty: IntType) -> Result<Base<i128>, Code> {
        match self.entries[entry as usize] {
            Previous::Undefined => Ok(Base::Undefined),
            Previous::Empty => Ok(Base::Empty),
            Previous::Int(held, value) if held == ty => Ok(Base::Assigned(value)),
            _ => Err(Code::D4),
        }
    }

    #[inline]
    pub(super) fn set_int(&mut self, entry: u32, ty: IntType, value: Option<i128>) {
        self.entries[entry as usize] =
            value.map_or(Previous::Empty, |value| Previous::Int(ty, value));
    }

    pub(super) fn decimal(&self, entry: u32) -> Result<Base<Decimal>, Code> {
        match self.entries[entry as usize] {
            Previous::Undefined => Ok(Base::Undefined),
            Previous::Empty => Ok(Base::Empty),
            Previous::Decimal(value) => Ok(Base::Assigned(value)),
            _ => Err(Code::D4),
        }
    }

    pub(super) fn set_decimal(&mut self, entry: u32, value: Option<Decimal>) {
        self.entries[entry as usize] = value.map_or(Previous::Empty, Previous::Decimal);
    }

    pub(super) fn bytes(&self, entry: u32, ty: BytesType) -> Result<Base<&[u8]>, Code> {
        match self.entries[entry as usize] {
            Previous::Undefined => Ok(Base::Undefined),
            Previous::Empty => Ok(Base::Empty),
            Previous::Bytes(held) if held == ty => Ok(Base::Assigned(&self.bytes[entry as usize])),
            _ => Err(Code::D4),
        }
    }

    pub(super) fn set_bytes(&mut self, entry: u32, ty: BytesType, value: Option<&[u8]>) {
        self.entries[entry as usize] = match value {
            None => Previous::Empty,
            Some(value) => {
                let row = &mut self.bytes[entry as usize];
                row.clear();
                row.extend_from_slice(value);
                Previous::Bytes(ty)
            }
        };
    }
}

/// The value of a copy or tail field whose bit is clear. For increment, see [`held_int`].
///
/// # Errors
/// [`Code::D5`], [`Code::D6`] for a mandatory field without one.
pub(super) fn held<T>(rule: &Rule, base: Base<T>, initial: Option<T>) -> Result<Option<T>, Code> {
    match base {
        Base::Assigned(value) => Ok(Some(value)),
        Base::Undefined if initial.is_some() => Ok(initial),
        Base::Undefined | Base::Empty if rule.is_optional => Ok(None),
        Base::Undefined => Err(Code::D5),
        Base::Empty => Err(Code::D6),
    }
}

/// The value of a copy or increment integer whose bit is clear. An increment wraps at the type's end.
#[inline]
pub(super) fn held_int(rule: &Rule, ty: IntType, base: Base<i128>) -> Result<Option<i128>, Code> {
    match base {
        Base::Assigned(value) if rule.operator == Operator::Increment => {
            Ok(Some(if value == ty.max() {
                ty.min()
            } else {
                value + 1
            }))
        }
        base => held(rule, base, initial_int(rule)),
    }
}

/// What a delta is added to (6.3.7).
///
/// # Errors
/// [`Code::D6`] when the previous value is empty.
pub(super) fn delta_base<T>(base: Base<T>, initial: Option<T>, none: T) -> Result<T, Code> {
    match base {
        Base::Assigned(value) => Ok(value),
        Base::Undefined => Ok(initial.unwrap_or(none)),
        Base::Empty => Err(Code::D6),
    }
}

pub(super) fn initial_int(rule: &Rule) -> Option<i128> {
    match rule.initial {
        Initial::Int(value) => Some(value),
        _ => None,
    }
}

pub(super) fn initial_decimal(rule: &Rule) -> Option<Decimal> {
    match rule.initial {
        Initial::Decimal { exponent, mantissa } => Some(Decimal { exponent, mantissa }),
        _ => None,
    }
}

pub(super) fn initial_bytes(rule: &Rule) -> Option<&[u8]> {
    match &rule.initial {
        Initial::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}
