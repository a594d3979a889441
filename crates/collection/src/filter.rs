//! Conditions on payload, time and id.

use std::cmp::Ordering;

use crate::{Payload, Point, Refusal, Shape, Value};

/// All of `must` hold and none of `must_not` does. What others call "should" is
/// [`Condition::AtLeast`] among the `must`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Each has to hold.
    pub must: Vec<Condition>,
    /// None may hold.
    pub must_not: Vec<Condition>,
}

/// One condition. Bounds are inclusive; an absent bound is no bound.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The field is, or is a list that has, one of the values. Types must agree: 1 is not 1.0.
    Any {
        /// Name of the field.
        field: String,
        /// What it may be.
        values: Vec<Value>,
    },
    /// The field is, or is a list that has, a value between the bounds. Numbers compare with
    /// numbers whatever their type, texts with texts byte by byte; other types are outside.
    Range {
        /// Name of the field.
        field: String,
        /// The least value.
        gte: Option<Value>,
        /// The greatest value.
        lte: Option<Value>,
    },
    /// The point happened between the bounds, ns UTC.
    EventAt {
        /// The earliest instant.
        gte: Option<u64>,
        /// The latest instant.
        lte: Option<u64>,
    },
    /// The id starts with this.
    Id(String),
    /// The field is, or is a list that has, a place inside the shape.
    Geo {
        /// Name of the field.
        field: String,
        /// Where it may be.
        shape: Shape,
    },
    /// The field has a value. An absent field and an empty list have none.
    Exists {
        /// Name of the field.
        field: String,
    },
    /// How many plain values the field has, those of nested lists included; none when it is absent.
    Count {
        /// Name of the field.
        field: String,
        /// The fewest.
        gte: Option<u64>,
        /// The most.
        lte: Option<u64>,
    },
    /// At least `count` of the conditions hold.
    AtLeast {
        /// How many.
        count: usize,
        /// Of which.
        of: Vec<Condition>,
    },
    /// The filter holds.
    Filter(Filter),
}

impl Filter {
    /// Refuses what no search would take.
    ///
    /// # Errors
    /// For places that are not on Earth, numbers that are none, and conditions too deep in conditions.
    pub fn check(&self) -> Result<(), Refusal> {
        crate::state::check_filter(self)
    }

    /// Whether the point passes.
    #[must_use]
    pub fn matches(&self, point: &Point) -> bool {
        self.must.iter().all(|condition| condition.holds(point))
            && !self.must_not.iter().any(|condition| condition.holds(point))
    }
}

impl Condition {
    /// Whether the condition holds for the point.
    #[must_use]
    pub fn holds(&self, point: &Point) -> bool {
        match self {
            Self::Any { field, values } => {
                some_value(&point.payload, field, |value| values.contains(value))
            }
            Self::Range { field, gte, lte } => {
                some_value(&point.payload, field, |value| inside(value, gte, lte))
            }
            Self::EventAt { gte, lte } => {
                gte.is_none_or(|gte| point.event_at >= gte)
                    && lte.is_none_or(|lte| point.event_at <= lte)
            }
            Self::Id(prefix) => point.id.starts_with(prefix.as_str()),
            Self::Geo { field, shape } => some_value(
                &point.payload,
                field,
                |value| matches!(value, Value::Geo(place) if shape.holds(*place)),
            ),
            Self::Exists { field } => some_value(&point.payload, field, |_| true),
            Self::Count { field, gte, lte } => {
                let mut count = 0;
                if let Some(value) = point.payload.0.get(field) {
                    value.each(&mut |_| count += 1);
                }
                gte.is_none_or(|gte| count >= gte) && lte.is_none_or(|lte| count <= lte)
            }
            Self::AtLeast { count, of } => {
                let holding = of.iter().filter(|condition| condition.holds(point));
                holding.take(*count).count() == *count
            }
            Self::Filter(filter) => filter.matches(point),
        }
    }
}

fn some_value(payload: &Payload, field: &str, holds: impl Fn(&Value) -> bool) -> bool {
    let mut any = false;
    if let Some(value) = payload.0.get(field) {
        value.each(&mut |value| any |= holds(value));
    }
    any
}

fn inside(value: &Value, gte: &Option<Value>, lte: &Option<Value>) -> bool {
    let side = |bound: &Option<Value>, want: Ordering| {
        bound.as_ref().is_none_or(|bound| {
            compare(value, bound).is_some_and(|order| order == want || order == Ordering::Equal)
        })
    };
    side(gte, Ordering::Greater) && side(lte, Ordering::Less)
}

pub(crate) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Int(a), Value::Float(b)) => compare_mixed(*a, *b),
        (Value::Float(a), Value::Int(b)) => compare_mixed(*b, *a).map(Ordering::reverse),
        _ => None,
    }
}

/// Exact, where turning the whole number into a float would round above 2^53.
fn compare_mixed(whole: i64, float: f64) -> Option<Ordering> {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        return None;
    }
    if float >= TWO_63 {
        return Some(Ordering::Less);
    }
    if float < -TWO_63 {
        return Some(Ordering::Greater);
    }
    let floor = float.floor();
    Some(whole.cmp(&(floor as i64)).then_with(|| {
        if float > floor {
            Ordering::Less
        } else {
            Ordering::Equal
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point() -> Point {
        let list = Value::List(vec!["a".into(), Value::List(vec!["b".into()])]);
        let payload = [
            ("n".to_owned(), Value::Int(5)),
            ("x".to_owned(), Value::Float(2.5)),
            ("tags".to_owned(), list),
        ];
        Point {
            id: "doc#1".into(),
            payload: Payload(payload.into()),
            event_at: 10,
            ..Point::default()
        }
    }

    #[test]
    fn conditions() {
        let any = |field: &str, value: Value| Condition::Any {
            field: field.into(),
            values: vec![value],
        };
        let range = |field: &str, gte: Option<Value>, lte: Option<Value>| Condition::Range {
            field: field.into(),
            gte,
            lte,
        };
        let cases = [
            (any("tags", "b".into()), true),
            (any("tags", "c".into()), false),
            (any("none", "b".into()), false),
            (any("n", Value::Int(5)), true),
            (any("n", Value::Float(5.0)), false),
            (
                range("n", Some(Value::Float(4.5)), Some(Value::Int(5))),
                true,
            ),
            (range("n", Some(Value::Float(5.5)), None), false),
            (range("x", Some(Value::Int(2)), Some(Value::Int(3))), true),
            (range("x", None, Some(Value::Int(2))), false),
            (range("tags", Some("b".into()), None), true),
            (range("n", Some("b".into()), None), false),
            (
                Condition::EventAt {
                    gte: Some(10),
                    lte: Some(10),
                },
                true,
            ),
            (
                Condition::EventAt {
                    gte: Some(11),
                    lte: None,
                },
                false,
            ),
            (Condition::Id("doc#".into()), true),
            (Condition::Id("doc#2".into()), false),
        ];
        for (condition, want) in cases {
            assert_eq!(condition.holds(&point()), want, "{condition:?}");
            let not = Filter {
                must: vec![],
                must_not: vec![condition],
            };
            assert_eq!(not.matches(&point()), !want);
        }
        assert!(Filter::default().matches(&point()));
    }

    #[test]
    fn large_numbers_compare_exactly() {
        let two_53 = 9_007_199_254_740_992.0;
        assert_eq!(
            compare_mixed((1 << 53) + 1, two_53),
            Some(Ordering::Greater)
        );
        assert_eq!(compare_mixed(i64::MAX, 9.3e18), Some(Ordering::Less));
        assert_eq!(compare_mixed(i64::MIN, -9.3e18), Some(Ordering::Greater));
        assert_eq!(compare_mixed(-3, -2.5), Some(Ordering::Less));
        assert_eq!(compare_mixed(-2, -2.5), Some(Ordering::Greater));
    }
}
