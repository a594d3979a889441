//! What is said of a document, as the payload of its chunks: our own fields and the user's side by side.

use collection::{Payload, Place, Value};
use rag::{Fault, Field, Fields};

/// Where a chunk's own text begins in the text of its point. In front of it stands the document's title: a passage
/// such as "The company cut its forecast" is found by the words of its headline too. Absent where there is no
/// title, and in points that were stored before titles were indexed.
pub(crate) const OWN: &str = "own";

/// Fields that every chunk has from the document's own parts; a user's field may have none of these names.
pub const RESERVED: [&str; 9] = [
    "document_id",
    "chunk",
    "start",
    "end",
    "symbols",
    "title",
    "source",
    "url",
    OWN,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_refused_and_not_shown() {
        for name in RESERVED.iter().chain(&INSTANTS) {
            let fields = Fields::from([((*name).to_owned(), Field::Whole(3))]);
            let said = check(&fields).expect_err("refused").to_string();
            assert!(said.contains(name), "{said}");
            let payload = Payload([((*name).to_owned(), Value::Int(3))].into());
            let shown = of_payload(&payload).contains_key(*name);
            assert_eq!(shown, INSTANTS.contains(name));
        }
        let list = Field::List(vec![Field::Number(2.5), Field::Flag(true)]);
        let fields = Fields::from([("sector".to_owned(), list)]);
        check(&fields).expect("the user's own");
        let values = fields
            .iter()
            .map(|(name, field)| (name.clone(), value(field)));
        assert_eq!(of_payload(&Payload(values.collect())), fields);
    }
}
