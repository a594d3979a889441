//! The four layouts of a bulk, split into documents without reading any of them: a hostile body
//! then costs its own size and a few words per document, not a tree.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer as _};
use serde_json::value::RawValue;

use super::words;

/// Why a body as a whole is not a bulk of documents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is none of the layouts.
    #[error("{0}")]
    Malformed(String),
    /// It holds more documents than one request may bring.
    #[error("the body holds more than {0} documents")]
    TooMany(usize),
}

/// Documents of a body, each still as text.
#[derive(Debug)]
pub enum Layout<'a> {
    /// One object, an array, or `{"documents": [..]}`: each is JSON.
    Items(Vec<&'a RawValue>),
    /// One a line: each may be anything.
    Lines(Vec<&'a str>),
}

/// Splits `body` into at most `count_limit` documents.
///
/// # Errors
/// When the body is none of the layouts, or holds more.
pub fn layout(body: &str, count_limit: usize) -> Result<Layout<'_>, BodyError> {
    let trimmed = body.trim_start_matches('\u{feff}').trim();
    let malformed = |why: &str| Err(BodyError::Malformed(why.to_owned()));
    let whole = match trimmed.as_bytes().first() {
        None => return malformed("the body is empty"),
        Some(b'[') => items(trimmed, count_limit),
        Some(b'{') => object(trimmed, count_limit),
        Some(_) => match serde_json::from_str::<&RawValue>(trimmed) {
            Ok(_) => return malformed("the body is neither an object nor an array"),
            Err(e) => Err(not_json(&e)),
        },
    };
    match whole {
        Err(BodyError::Malformed(_)) if is_lines(trimmed) => {
            let lines = trimmed.lines().filter(|line| !line.trim().is_empty());
            let lines: Vec<&str> = lines.take(count_limit + 1).collect();
            match lines.len() > count_limit {
                true => Err(BodyError::TooMany(count_limit)),
                false => Ok(Layout::Lines(lines)),
            }
        }
        whole => whole.map(Layout::Items),
    }
}

fn not_json(error: &serde_json::Error) -> BodyError {
    BodyError::Malformed(format!("not JSON: {}", words(error)))
}

fn items(text: &str, limit: usize) -> Result<Vec<&RawValue>, BodyError> {
    let mut is_full = false;
    let mut reader = serde_json::Deserializer::from_str(text);
    let list = Items {
        limit,
        is_full: &mut is_full,
    };
    let items = reader.deserialize_seq(list);
    let items = items.and_then(|items| reader.end().map(|()| items));
    if is_full {
        return Err(BodyError::TooMany(limit));
    }
    items.map_err(|e| not_json(&e))
}

fn object(text: &str, limit: usize) -> Result<Vec<&RawValue>, BodyError> {
    #[derive(Deserialize)]
    struct Wrapper<'a> {
        #[serde(borrow)]
        documents: Option<&'a RawValue>,
    }
    let whole: &RawValue = serde_json::from_str(text).map_err(|e| not_json(&e))?;
    let wrapper = serde_json::from_str::<Wrapper<'_>>(text).map_err(|e| not_json(&e))?;
    match wrapper.documents {
        None => Ok(vec![whole]),
        Some(list) if list.get().starts_with('[') => items(list.get(), limit),
        Some(_) => {
            let why = "\"documents\" is not an array";
            Err(BodyError::Malformed(why.to_owned()))
        }
    }
}

/// Whether a body that is not JSON as a whole is meant as lines: its first line is JSON by
/// itself, or, since a broken line must not cost the others, some line is an object by itself.
fn is_lines(body: &str) -> bool {
    let mut lines = body.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_json = |line: &str| serde_json::from_str::<&RawValue>(line).is_ok();
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else {
        return false;
    };
    let is_object = |line: &str| line.starts_with('{') && is_json(line);
    let starts_list = matches!(first, "[" | "{");
    is_json(first) || !starts_list && (is_object(second) || lines.any(is_object))
}

/// Reads a list up to its limit; a longer one fails, and says so in `is_full`.
struct Items<'f> {
    limit: usize,
    is_full: &'f mut bool,
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of documents")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element()? {
            if read.len() == self.limit {
                *self.is_full = true;
                return Err(A::Error::custom("too many"));
            }
            read.push(item);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(body: &str) -> Result<(bool, usize), BodyError> {
        layout(body, 3).map(|layout| match layout {
            Layout::Items(items) => (false, items.len()),
            Layout::Lines(lines) => (true, lines.len()),
        })
    }

    #[test]
    fn bodies_are_split_up_to_the_limit() {
        assert_eq!(count("[1, {}, []]"), Ok((false, 3)));
        assert_eq!(count("{\"documents\": [{}, {}]}"), Ok((false, 2)));
        assert_eq!(count("{}\n\n{}"), Ok((true, 2)));
        for many in ["[1,2,3,4", "{\"documents\": [1,2,3,4]}", "{}\n{}\n{}\n{}"] {
            assert_eq!(count(many), Err(BodyError::TooMany(3)), "{many}");
        }
    }

    #[test]
    fn a_broken_line_does_not_cost_the_others() {
        assert_eq!(count("{oops\n{}\n{}"), Ok((true, 3)));
        assert_eq!(count("hello\n{}"), Ok((true, 2)));
        assert_eq!(count("{}\n{oops"), Ok((true, 2)));
        assert_eq!(count("[\"a\"]\n{}"), Ok((true, 2)));
        let broken = ["{\n\"id\": 1,\n\"x\":\n}", "[\n{},\n{}\n", "a\nb"];
        for bad in ["", "hello", "3", "{\"documents\": 3}", "{oops"]
            .into_iter()
            .chain(broken)
        {
            assert!(matches!(count(bad), Err(BodyError::Malformed(_))), "{bad}");
        }
    }
}
