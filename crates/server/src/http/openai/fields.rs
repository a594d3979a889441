//! The fields of a body, taken one by one, so that what is wrong is told with its name and what is
//! left over is known.

use serde_json::{Map, Value};

use super::problem::Problem;
use crate::json;

/// A JSON object from which fields are taken.
#[derive(Debug)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let read = json::from_object(body);
        read.map(Self).map_err(|why| {
            let what = format!("the body cannot be read: {why}");
            crate::http::Refusal::bad_request(what, "send a JSON object").into()
        })
    }

    /// Takes a field; one that is null counts as absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a text.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let read = |value: Value| match value {
            Value::String(text) => Ok(text),
            _ => Err(wrong(name, "a text")),
        };
        self.take(name).map(read).transpose()
    }

    /// Takes a truth.
    ///
    /// # Errors
    /// When it is something else.
    pub fn flag(&mut self, name: &str) -> Result<bool, Problem> {
        let value = self.take(name);
        let read = value.map(|value| value.as_bool().ok_or_else(|| wrong(name, "true or false")));
        read.transpose().map(Option::unwrap_or_default)
    }

    /// Takes an object.
    ///
    /// # Errors
    /// When it is something else.
    pub fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, Problem> {
        let read = |value: Value| match value {
            Value::Object(object) => Ok(object),
            _ => Err(wrong(name, "an object")),
        };
        self.take(name).map(read).transpose()
    }

    /// Forgets fields that are known to change nothing.
    pub fn forget(&mut self, names: &[&str]) {
        for name in names {
            self.0.remove(*name);
        }
    }

    /// Nothing may be left, but nulls.
    ///
    /// # Errors
    /// Names what is.
    pub fn end(self) -> Result<(), Problem> {
        let left = self.0.iter().find(|(_, value)| !value.is_null());
        match left {
            None => Ok(()),
            Some((name, _)) => {
                let shown = &name[..name.floor_char_boundary(100)];
                Err(Problem::unsupported(
                    shown,
                    format!("the parameter '{shown}' is not supported"),
                ))
            }
        }
    }
}

/// A field of the wrong kind.
pub fn wrong(name: &str, wanted: &str) -> Problem {
    Problem::of(name, format!("'{name}' is not {wanted}"), "mend it")
}
