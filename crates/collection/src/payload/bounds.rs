//! What the bounds of a range mean to an index.

use std::ops::{Bound, RangeInclusive};

use super::key::{Entry, Number, after_texts, text_key};
use crate::Value;

/// The entries of the column of times between two instants.
pub(super) fn times(gte: Option<u64>, lte: Option<u64>) -> RangeInclusive<Entry> {
    (gte.unwrap_or(0), 0)..=(lte.unwrap_or(u64::MAX), u64::MAX)
}

/// What the bounds of a range mean.
pub(super) enum Between {
    /// No bound: any value.
    Anything,
    /// Bounds of kinds that do not compare.
    Nothing,
    Numbers(RangeInclusive<Entry>),
    Texts(Box<[u8]>, Bound<Box<[u8]>>),
}

impl Between {
    pub(super) fn of((gte, lte): (Option<&Value>, Option<&Value>)) -> Self {
        let is_text = |value: Option<&Value>| matches!(value, None | Some(Value::Str(_)));
        if gte.is_none() && lte.is_none() {
            return Self::Anything;
        }
        if is_text(gte) && is_text(lte) {
            let text = |value: &Value| match value {
                Value::Str(text) => text_key(text),
                _ => text_key(""),
            };
            let from = gte.map_or_else(|| text_key(""), text);
            let to = lte.map_or_else(
                || Bound::Excluded(after_texts()),
                |v| Bound::Included(text(v)),
            );
            return Self::Texts(from, to);
        }
        let number = |value: Option<&Value>, open: Entry, bound: fn(Number) -> Entry| match value {
            None => Some(open),
            Some(value) => Number::of(value).map(bound),
        };
        let from = number(gte, (0, 0), Number::first);
        let to = number(lte, (u64::MAX, u64::MAX), Number::last);
        match (from, to) {
            (Some(from), Some(to)) => Self::Numbers(from..=to),
            _ => Self::Nothing,
        }
    }
}
