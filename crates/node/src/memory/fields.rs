//! What is said of a document, as the payload of its chunks: our own fields and the user's side by side.

use collection::{Payload, Place, Value};
use rag::{Fault, Field, Fields};

/// Fields that every chunk has from the document's own parts; a user's field may have none of these names.
pub const RESERVED: [&str; 8] = [
    "document_id",
    "chunk",
    "start",
    "end",
    "symbols",
    "title",
    "source",
    "url",
];

/// Names that filters read as the document's instants.
pub const INSTANTS: [&str; 2] = ["event_at", "known_at"];

/// Refuses a field that would hide one of ours.
pub(super) fn check(fields: &Fields) -> Result<(), Fault> {
    let taken = |name: &&String| RESERVED.iter().chain(&INSTANTS).any(|ours| ours == name);
    match fields.keys().find(taken) {
        None => Ok(()),
        Some(name) => Err(Fault::invalid(
            format!("a field is called `{name}`, which is the document's own"),
            "call it something else",
        )),
    }
}

/// The user's fields of a chunk.
pub(super) fn of_payload(payload: &Payload) -> Fields {
    let ours = |name: &str| RESERVED.contains(&name);
    let users = payload.0.iter().filter(|(name, _)| !ours(name));
    users
        .map(|(name, value)| (name.clone(), field(value)))
        .collect()
}

pub(super) fn value(field: &Field) -> Value {
    match field {
        Field::Text(text) => Value::Str(text.clone()),
        Field::Whole(number) => Value::Int(*number),
        Field::Number(number) => Value::Float(*number),
        Field::Flag(flag) => Value::Bool(*flag),
        Field::Place { lat, lon } => Value::Geo(Place {
            lat: *lat,
            lon: *lon,
        }),
        Field::List(fields) => Value::List(fields.iter().map(value).collect()),
    }
}

fn field(value: &Value) -> Field {
    match value {
        Value::Str(text) => Field::Text(text.clone()),
        Value::Int(number) => Field::Whole(*number),
        Value::Float(number) => Field::Number(*number),
        Value::Bool(flag) => Field::Flag(*flag),
        Value::Geo(Place { lat, lon }) => Field::Place {
            lat: *lat,
            lon: *lon,
        },
        Value::List(values) => Field::List(values.iter().map(field).collect()),
    }
}
