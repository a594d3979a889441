//! Values and bounds of a filter.

use collection::{Condition, Value as Stored};
use serde_json::{Number, Value};

use crate::json::Instant;

/// 2^53: below it every whole number is a float, and between neighbours there are others.
const EXACT: i64 = 1 << 53;

/// What a value may be stored as: a whole number may have been written as a float and the other way round.
pub(super) fn stored(value: &Value, into: &mut Vec<Stored>) -> Result<(), String> {
    match value {
        Value::String(text) => into.push(Stored::Str(text.clone())),
        Value::Bool(flag) => into.push(Stored::Bool(*flag)),
        Value::Number(number) => {
            let (as_whole, as_float) = (whole(number), number.as_f64());
            into.extend(as_whole.map(Stored::Int));
            into.extend(as_float.map(Stored::Float));
            if as_whole.is_none() && as_float.is_none() {
                return Err(format!("{number} is too large"));
            }
        }
        other => return Err(format!("{other} is no text, number or flag")),
    }
    Ok(())
}

/// The whole number that this is, however it is written.
pub(super) fn whole(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        (float.fract() == 0.0 && float.abs() < EXACT as f64).then_some(float as i64)
    })
}

/// `gt`, `gte`, `lt` and `lte` of a field, numbers or texts.
pub(super) fn range(field: String, value: &Value) -> Result<Condition, String> {
    let object = value.as_object().ok_or(FORMS)?;
    let (mut gte, mut lte) = (None, None);
    for (bound, value) in object.iter().filter(|(_, value)| !value.is_null()) {
        let (side, is_open) = match bound.as_str() {
            "gte" => (&mut gte, false),
            "gt" => (&mut gte, true),
            "lte" => (&mut lte, false),
            "lt" => (&mut lte, true),
            _ => return Err(format!("`{bound}` is not known; {FORMS}")),
        };
        if side.is_some() {
            return Err(format!(
                "`{bound}` stands beside another bound of that side: send one"
            ));
        }
        *side = Some(edge(bound, value, is_open)?);
    }
    if gte.is_none() && lte.is_none() {
        return Err(FORMS.to_owned());
    }
    Ok(Condition::Range { field, gte, lte })
}

const FORMS: &str = "range has gt, gte, lt and lte";

/// The last value inside a bound: bounds of the store belong to what they bound.
fn edge(bound: &str, value: &Value, is_open: bool) -> Result<Stored, String> {
    match value {
        Value::String(text) if !is_open => Ok(Stored::Str(text.clone())),
        // The next text in order has a zero byte more.
        Value::String(text) if bound == "gt" => Ok(Stored::Str(format!("{text}\0"))),
        Value::String(_) => {
            Err("lt of a text: no text is the last before another; use lte".to_owned())
        }
        Value::Number(number) if !is_open => match (whole(number), number.as_f64()) {
            (Some(whole), _) => Ok(Stored::Int(whole)),
            (None, Some(float)) => Ok(Stored::Float(float)),
            (None, None) => Err(format!("`{bound}` {number} is too large")),
        },
        Value::Number(number) => beyond(number, bound == "gt")
            .ok_or_else(|| format!("`{bound}` {number} leaves nothing")),
        other => Err(format!(
            "`{bound}` {other} is no number or text; instants are texts"
        )),
    }
}

/// The nearest number above or below: of whole numbers so large that floats have gaps, the next whole one.
fn beyond(number: &Number, is_up: bool) -> Option<Stored> {
    if let Some(at) = number
        .as_i64()
        .filter(|at| at.unsigned_abs() >= EXACT as u64)
    {
        let next = if is_up {
            at.checked_add(1)
        } else {
            at.checked_sub(1)
        };
        return next.map(Stored::Int);
    }
    let at = number.as_f64()?;
    Some(Stored::Float(if is_up {
        at.next_up()
    } else {
        at.next_down()
    }))
}

/// Bounds on when it happened.
pub(super) fn instant_bounds(value: &Value) -> Result<Condition, String> {
    let object = value.as_object().ok_or(FORMS)?;
    let (mut gte, mut lte) = (None::<u64>, None::<u64>);
    for (bound, value) in object.iter().filter(|(_, value)| !value.is_null()) {
        let at = serde_json::from_value::<Instant>(value.clone());
        let Instant(at) = at.map_err(|why| format!("`{bound}`: {why}"))?;
        let later = |at: u64| at.checked_add(1);
        match bound.as_str() {
            "gte" => gte = gte.max(Some(at)),
            "gt" => gte = gte.max(later(at)),
            "lte" => lte = Some(lte.map_or(at, |lte| lte.min(at))),
            "lt" => {
                let Some(before) = at.checked_sub(1) else {
                    return Ok(super::nothing());
                };
                lte = Some(lte.map_or(before, |lte| lte.min(before)));
            }
            _ => return Err(format!("`{bound}` is not known; {FORMS}")),
        }
    }
    Ok(Condition::EventAt { gte, lte })
}
