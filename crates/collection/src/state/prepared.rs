//! The door: what may enter, and the work that is done before any lock is taken.

use std::sync::Arc;

use vector::{Metric, check as check_vector, normalise};

use crate::codec::payload_size;
use crate::text::{Analyser, Terms};
use crate::{
    Condition, FILTER_DEPTH_LIMIT, Filter, ID_BYTES_LIMIT, Op, PAYLOAD_BYTES_LIMIT,
    PAYLOAD_DEPTH_LIMIT, Point, Refusal, TEXT_BYTES_LIMIT, Value,
};

/// An op that was checked, with its text read and its vector made ready: applying it cannot fail.
#[derive(Debug)]
pub(crate) enum Change {
    Upsert {
        point: Arc<Point>,
        vector: Vec<f32>,
        terms: Terms,
    },
    Delete {
        id: String,
        known_at: u64,
    },
    Trim {
        known_before: u64,
    },
    DeleteWhere {
        filter: Filter,
        known_at: u64,
    },
}

/// Whether an op may enter.
pub(crate) fn check(op: &Op, dim: usize, metric: Metric) -> Result<(), Refusal> {
    match op {
        Op::Upsert(point) => {
            check_id(&point.id)?;
            check_known_at(point.known_at)?;
            check_query(&point.vector, dim, metric)?;
            check_size("text", point.text.len(), TEXT_BYTES_LIMIT)?;
            for (field, value) in &point.payload.0 {
                check_value(field, value, PAYLOAD_DEPTH_LIMIT)?;
            }
            check_size("payload", payload_size(&point.payload), PAYLOAD_BYTES_LIMIT)
        }
        Op::Delete { id, known_at } => {
            check_id(id)?;
            check_known_at(*known_at)
        }
        Op::Trim { known_before } => check_known_at(*known_before),
        Op::DeleteWhere { filter, known_at } => {
            check_filter(filter)?;
            check_known_at(*known_at)
        }
    }
}

/// Whether a vector may be stored or asked.
pub(crate) fn check_query(vector: &[f32], dim: usize, metric: Metric) -> Result<(), Refusal> {
    if vector.len() != dim {
        return Err(Refusal::Dimension {
            expected: dim,
            got: vector.len(),
        });
    }
    check_vector(vector)?;
    if metric == Metric::Cosine && vector.iter().all(|value| *value == 0.0) {
        return Err(vector::ZeroVector.into());
    }
    Ok(())
}

/// Makes a checked op ready to apply.
pub(crate) fn prepare(op: Op, metric: Metric, analyser: &Analyser) -> Change {
    match op {
        Op::Upsert(mut point) => {
            let mut vector = std::mem::take(&mut point.vector);
            if metric == Metric::Cosine {
                normalise(&mut vector).expect("checked: not all zeros");
            }
            let terms = analyser.read(&point.text);
            Change::Upsert {
                point: Arc::new(point),
                vector,
                terms,
            }
        }
        Op::Delete { id, known_at } => Change::Delete { id, known_at },
        Op::DeleteWhere { filter, known_at } => Change::DeleteWhere { filter, known_at },
        Op::Trim { known_before } => Change::Trim { known_before },
    }
}

fn check_id(id: &str) -> Result<(), Refusal> {
    if id.is_empty() {
        return Err(Refusal::EmptyId);
    }
    check_size("id", id.len(), ID_BYTES_LIMIT)
}

fn check_known_at(known_at: u64) -> Result<(), Refusal> {
    if known_at == u64::MAX {
        Err(Refusal::EndOfTime)
    } else {
        Ok(())
    }
}

/// Whether something is short enough.
pub(crate) fn check_size(what: &'static str, size: usize, limit: usize) -> Result<(), Refusal> {
    if size > limit {
        Err(Refusal::TooLarge { what, size, limit })
    } else {
        Ok(())
    }
}

/// Whether a filter may be asked or stored.
pub(crate) fn check_filter(filter: &Filter) -> Result<(), Refusal> {
    check_conditions(&filter.must, FILTER_DEPTH_LIMIT)?;
    check_conditions(&filter.must_not, FILTER_DEPTH_LIMIT)
}

fn check_conditions(conditions: &[Condition], depth: usize) -> Result<(), Refusal> {
    if depth == 0 && !conditions.is_empty() {
        return Err(Refusal::FilterTooDeep {
            limit: FILTER_DEPTH_LIMIT,
        });
    }
    conditions
        .iter()
        .try_for_each(|condition| check_condition(condition, depth))
}

fn check_condition(condition: &Condition, depth: usize) -> Result<(), Refusal> {
    let value = |field, value| check_value(field, value, PAYLOAD_DEPTH_LIMIT);
    match condition {
        Condition::Any { field, values } => values.iter().try_for_each(|v| value(field, v)),
        Condition::Range { field, gte, lte } => {
            gte.iter().chain(lte).try_for_each(|v| value(field, v))
        }
        Condition::Geo { field, shape } if !shape.is_on_earth() => Err(Refusal::NotOnEarth {
            field: field.clone(),
        }),
        Condition::AtLeast { of, .. } => check_conditions(of, depth - 1),
        Condition::Filter(filter) => {
            check_conditions(&filter.must, depth - 1)?;
            check_conditions(&filter.must_not, depth - 1)
        }
        Condition::EventAt { .. }
        | Condition::Id(_)
        | Condition::Geo { .. }
        | Condition::Exists { .. }
        | Condition::Count { .. } => Ok(()),
    }
}

fn check_value(field: &str, value: &Value, depth: usize) -> Result<(), Refusal> {
    match value {
        Value::Float(number) if !number.is_finite() => Err(Refusal::NotFinite {
            field: field.to_owned(),
        }),
        Value::Geo(place) if !place.is_on_earth() => Err(Refusal::NotOnEarth {
            field: field.to_owned(),
        }),
        Value::List(_) if depth == 0 => Err(Refusal::TooDeep {
            field: field.to_owned(),
            limit: PAYLOAD_DEPTH_LIMIT,
        }),
        Value::List(values) => values
            .iter()
            .try_for_each(|v| check_value(field, v, depth - 1)),
        _ => Ok(()),
    }
}
