//! What is said of a document: any JSON object, read as fields and written back.

use rag::{Field, Fields};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// Fields of one document.
const FIELDS_LIMIT: usize = 256;
/// Objects and lists inside each other.
const DEPTH_LIMIT: usize = 8;

/// Reads an object. An object inside becomes fields with a dot in their names; `{"lat", "lon"}` is a place; null is no field.
///
/// # Errors
/// A sentence that names the field.
pub fn fields(object: &Map<String, Value>) -> Result<Fields, String> {
    let mut fields = Fields::new();
    gather("", object, DEPTH_LIMIT, &mut fields)?;
    if fields.len() > FIELDS_LIMIT {
        return Err(format!(
            "`fields` has {} of them, more than {FIELDS_LIMIT}",
            fields.len()
        ));
    }
    Ok(fields)
}

fn gather(
    prefix: &str,
    object: &Map<String, Value>,
    depth: usize,
    into: &mut Fields,
) -> Result<(), String> {
    for (name, value) in object {
        let name = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        if depth == 0 {
            return Err(format!(
                "`fields.{name}` lies deeper than {DEPTH_LIMIT} objects"
            ));
        }
        match value {
            Value::Object(inner) if !is_place(inner) => gather(&name, inner, depth - 1, into)?,
            value => {
                let field =
                    field(value, DEPTH_LIMIT).map_err(|why| format!("`fields.{name}` {why}"))?;
                if let Some(field) = field
                    && into.insert(name.clone(), field).is_some()
                {
                    return Err(format!(
                        "`fields.{name}` stands there twice, with a dot and as an object"
                    ));
                }
            }
        }
    }
    Ok(())
}

fn is_place(object: &Map<String, Value>) -> bool {
    object.len() == 2 && object.contains_key("lat") && object.contains_key("lon")
}

fn field(value: &Value, depth: usize) -> Result<Option<Field>, String> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bool(flag) => Field::Flag(*flag),
        Value::String(text) => Field::Text(text.clone()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Field::Whole(whole),
            (None, Some(float)) if float.is_finite() => Field::Number(float),
            _ => return Err(format!("is {number}, too large a number")),
        },
        Value::Array(_) if depth == 0 => {
            return Err(format!("lies deeper than {DEPTH_LIMIT} lists"));
        }
        Value::Array(list) => {
            let mut fields = Vec::with_capacity(list.len());
            for value in list {
                fields.extend(field(value, depth - 1)?);
            }
            Field::List(fields)
        }
        Value::Object(object) if is_place(object) => {
            let place = super::place(value)?;
            Field::Place {
                lat: place.lat,
                lon: place.lon,
            }
        }
        Value::Object(_) => {
            return Err(
                "is a list of objects; lists have texts, numbers, flags and places".to_owned(),
            );
        }
    }))
}

/// Fields as a JSON object.
#[derive(Clone, Debug, Default)]
pub struct FieldsRow(pub Fields);

impl Serialize for FieldsRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, field)| (name, value_of(field))))
    }
}

fn value_of(field: &Field) -> Value {
    match field {
        Field::Text(text) => text.as_str().into(),
        Field::Whole(whole) => (*whole).into(),
        Field::Number(number) => (*number).into(),
        Field::Flag(flag) => (*flag).into(),
        Field::Place { lat, lon } => serde_json::json!({"lat": lat, "lon": lon}),
        Field::List(fields) => fields.iter().map(value_of).collect(),
    }
}
