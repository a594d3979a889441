//! Values as what they are sorted by.

use std::ops::RangeInclusive;

use crate::Value;

/// Longer texts are for reading, not for filtering: they are found by looking at the point.
const TEXT_BYTES_LIMIT: usize = 256;

const FALSE_OR_TRUE: u8 = b'b';
const TEXT: u8 = b't';

/// A text, truth or whole number as bytes that sort by kind, then texts byte by byte.
pub(super) type Key = Box<[u8]>;

/// The key of a text or truth; `None` for a long text and for other kinds.
pub(super) fn key(value: &Value) -> Option<Key> {
    match value {
        Value::Bool(truth) => Some([FALSE_OR_TRUE, u8::from(*truth)].into()),
        Value::Str(text) if text.len() <= TEXT_BYTES_LIMIT => Some(text_key(text)),
        _ => None,
    }
}

/// Whether it is a text that has no key.
pub(super) fn is_long(value: &Value) -> bool {
    matches!(value, Value::Str(text) if text.len() > TEXT_BYTES_LIMIT)
}

/// Sorts as the text does among texts, however long.
pub(super) fn text_key(text: &str) -> Key {
    let mut key = Vec::with_capacity(1 + text.len());
    key.push(TEXT);
    key.extend_from_slice(text.as_bytes());
    key.into()
}

/// What is after the last text.
pub(super) fn after_texts() -> Key {
    [TEXT + 1].into()
}

/// An entry of a sorted column: what it is sorted by, and behind that the slot.
pub(super) type Entry = (u64, u64);

/// A number's place among whole numbers and floats, exact: a whole number is its nearest float and
/// what rounding lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number {
    float: u64,
    /// `(lost + 1024) << 1`, and 1 for a float: equal numbers of two types stand side by side.
    rest: u16,
}

impl Number {
    /// `None` for what is no number, NaN included.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match *value {
            Value::Int(whole) => {
                let float = whole as f64;
                // At most 512, because neighbouring floats below 2^63 are at most 1024 apart.
                let lost = i128::from(whole) - float as i128;
                let rest = ((lost + 1024) as u16) << 1;
                Some(Self {
                    float: float_key(float),
                    rest,
                })
            }
            Value::Float(float) if !float.is_nan() => Some(Self {
                float: float_key(float),
                rest: 1024 << 1 | 1,
            }),
            _ => None,
        }
    }

    /// Its entry for a slot.
    pub(super) fn entry(self, slot: u32) -> Entry {
        (self.float, u64::from(self.rest) << 32 | u64::from(slot))
    }

    /// The entries of this number in this type, which is what equality means.
    pub(super) fn equal(self) -> RangeInclusive<Entry> {
        self.entry(0)..=self.entry(u32::MAX)
    }

    /// The first entry of this number in either type.
    pub(super) fn first(self) -> Entry {
        let rest = self.rest & !1;
        Self { rest, ..self }.entry(0)
    }

    /// The last entry of this number in either type.
    pub(super) fn last(self) -> Entry {
        let rest = self.rest | 1;
        Self { rest, ..self }.entry(u32::MAX)
    }
}

/// The order of floats as the order of integers; both zeros are one.
fn float_key(float: f64) -> u64 {
    let bits = (float + 0.0).to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::filter::compare;

    fn number() -> impl Strategy<Value = Value> {
        let two_53 = 1i64 << 53;
        prop_oneof![
            (-3i64..3).prop_map(Value::Int),
            any::<i64>().prop_map(Value::Int),
            (two_53 - 3..two_53 + 3).prop_map(Value::Int),
            (i64::MAX - 3..=i64::MAX).prop_map(Value::Int),
            (i64::MIN..=i64::MIN + 3).prop_map(Value::Int),
            (-3i8..3).prop_map(|n| Value::Float(f64::from(n) / 2.0)),
            (two_53 - 3..two_53 + 3).prop_map(|n| Value::Float(n as f64)),
            any::<f64>()
                .prop_filter("a number", |f| !f.is_nan())
                .prop_map(Value::Float),
            Just(Value::Float(-0.0)),
            Just(Value::Float(9_223_372_036_854_775_808.0)),
        ]
    }

    proptest! {
        #[test]
        fn order_is_that_of_the_numbers(a in number(), b in number()) {
            let (x, y) = (Number::of(&a).expect("a number"), Number::of(&b).expect("a number"));
            let between = (y.first()..=y.last()).contains(&x.entry(7));
            let order = compare(&a, &b).expect("numbers compare");
            prop_assert_eq!(between, order.is_eq());
            if !between {
                prop_assert_eq!(x.first().cmp(&y.first()), order);
            }
            prop_assert_eq!(y.equal().contains(&x.entry(7)), a == b);
        }
    }
}
