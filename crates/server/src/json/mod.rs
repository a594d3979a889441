//! JSON shapes of the border, converted by hand from inner types (docs/api.md).

pub mod answer;
mod body;
pub mod document;
pub mod evidence;
pub mod explain;
pub mod filter;
pub mod frame;
pub mod market;
pub mod receipt;
pub mod reference;
pub mod risk;
pub mod standing;
pub mod state;
mod time;
pub mod wider;

use serde::de::DeserializeOwned;

pub use body::BodyError;
pub use time::{Instant, parse_instant};

/// Reads a JSON object as `T`.
///
/// # Errors
/// A sentence in plain words. A list is none: its items would become fields by their places.
pub fn from_object<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let start = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if start == Some(&b'[') {
        return Err("a list was sent where an object is read".to_owned());
    }
    serde_json::from_slice(text).map_err(|e| words(&e))
}

/// What is wrong with JSON, in the words of JSON instead of those of our language.
#[must_use]
pub fn words(error: &serde_json::Error) -> String {
    const WORDS: [(&str, &str); 9] = [
        ("expected struct AskBody", "expected an object"),
        ("expected struct SearchBody", "expected an object"),
        ("expected struct Wish", "expected an object"),
        ("expected a sequence", "expected an array"),
        ("invalid type: sequence", "invalid type: array"),
        ("invalid type: map", "invalid type: object"),
        ("expected usize", "expected a whole number, 0 or more"),
        ("expected u64", "expected a whole number, 0 or more"),
        ("expected i64", "expected a whole number"),
    ];
    let text = error.to_string();
    WORDS
        .iter()
        .fold(text, |text, (inner, plain)| text.replace(inner, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_read_and_lists_are_not() {
        let read = |text: &str| from_object::<answer::AskBody>(text.as_bytes());
        assert!(read(" {\"q\": \"why?\"}").is_ok());
        for (bad, word) in [
            ("[\"why?\"]", "a list"),
            ("3", "expected an object"),
            ("{\"q\": \"a\", \"k\": -1}", "a whole number"),
            ("{\"q\": []}", "array"),
        ] {
            let why = read(bad).map(drop).expect_err("refused");
            assert!(why.contains(word), "{why}");
        }
    }
}
