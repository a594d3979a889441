//! Which slots hold which plain value of which field.

use std::collections::HashMap;

use crate::filter::each_value;
use crate::{Payload, Value};

/// Longer texts are for reading, not for filtering: they are found by scan.
const KEY_BYTES_LIMIT: usize = 256;

/// Slots by field and value, ascending.
#[derive(Default)]
pub(crate) struct PayloadIndex {
    fields: HashMap<String, HashMap<Key, Vec<u32>>>,
}

#[derive(PartialEq, Eq, Hash)]
enum Key {
    Str(Box<str>),
    Int(i64),
    Bool(bool),
}

impl PayloadIndex {
    /// Takes the payload of the next slot.
    pub(crate) fn push(&mut self, slot: u32, payload: &Payload) {
        for (field, value) in &payload.0 {
            if !self.fields.contains_key(field) {
                self.fields.insert(field.clone(), HashMap::new());
            }
            let Some(values) = self.fields.get_mut(field) else {
                continue;
            };
            each_value(value, &mut |value| {
                if let Some(key) = key(value) {
                    let slots = values.entry(key).or_default();
                    if slots.last() != Some(&slot) {
                        slots.push(slot);
                    }
                }
            });
        }
    }

    /// The slots that hold one of `values`, ascending; `None` when a value is not of a kind that is
    /// indexed.
    pub(crate) fn any(&self, field: &str, values: &[Value]) -> Option<Vec<u32>> {
        let mut slots = Vec::new();
        for list in self.lists(field, values)? {
            slots.extend_from_slice(list);
        }
        if values.len() > 1 {
            slots.sort_unstable();
            slots.dedup();
        }
        Some(slots)
    }

    /// How many slots `any` would look at.
    pub(crate) fn any_count(&self, field: &str, values: &[Value]) -> Option<usize> {
        Some(
            self.lists(field, values)?
                .iter()
                .map(|list| list.len())
                .sum(),
        )
    }

    fn lists(&self, field: &str, values: &[Value]) -> Option<Vec<&[u32]>> {
        let keys: Vec<Key> = values.iter().map(key).collect::<Option<_>>()?;
        let Some(known) = self.fields.get(field) else {
            return Some(Vec::new());
        };
        Some(
            keys.iter()
                .filter_map(|key| known.get(key))
                .map(Vec::as_slice)
                .collect(),
        )
    }
}

fn key(value: &Value) -> Option<Key> {
    match value {
        Value::Str(text) if text.len() <= KEY_BYTES_LIMIT => Some(Key::Str(text.as_str().into())),
        Value::Int(number) => Some(Key::Int(*number)),
        Value::Bool(truth) => Some(Key::Bool(*truth)),
        Value::Str(_) | Value::Float(_) | Value::List(_) => None,
    }
}
