//! What a user stores and the changes that can be asked for.

use std::collections::BTreeMap;

use crate::{Filter, Place};

/// Bytes of a point's id, at most.
pub const ID_BYTES_LIMIT: usize = 512;
/// Bytes of a point's text, at most.
pub const TEXT_BYTES_LIMIT: usize = 1 << 20;
/// Bytes of a point's payload as the log writes it, at most.
pub const PAYLOAD_BYTES_LIMIT: usize = 64 << 10;
/// How deep lists may lie in lists.
pub const PAYLOAD_DEPTH_LIMIT: usize = 8;
/// How deep conditions may lie in conditions.
pub const FILTER_DEPTH_LIMIT: usize = 8;
/// Bytes of a batch as the log writes it, at most.
pub const BATCH_BYTES_LIMIT: usize = 16 << 20;

/// What a user stores under one id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// The user's name for it: 1 to 512 bytes.
    pub id: String,
    /// `dim` finite floats. Points in answers leave it empty, because the floats lie in the
    /// collection's arena: [`Collection::vector`](crate::Collection::vector) copies them out.
    pub vector: Vec<f32>,
    /// What text search reads; may be empty.
    pub text: String,
    /// Fields to filter by and to give back.
    pub payload: Payload,
    /// When it happened, ns UTC.
    pub event_at: u64,
    /// When we learned it, ns UTC.
    pub known_at: u64,
}

/// Named values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Payload(pub BTreeMap<String, Value>);

/// One value of a payload.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, compared byte by byte.
    Str(String),
    /// A whole number.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A place on the Earth.
    Geo(Place),
    /// Several values; a condition holds when it holds for one of them.
    List(Vec<Value>),
}

impl Value {
    /// Calls `found` with every plain value, lists opened.
    pub(crate) fn each<'v>(&'v self, found: &mut impl FnMut(&'v Self)) {
        match self {
            Self::List(values) => values.iter().for_each(|value| value.each(found)),
            plain => found(plain),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

/// One change. A batch of them is one entry of the log: all or nothing, under one sequence number.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Stores a new version of a point.
    Upsert(Point),
    /// Ends a point as of `known_at`. What was learned of it after that instant stays. An id not
    /// seen yet is remembered as deleted, for versions that arrive late.
    Delete {
        /// Which point.
        id: String,
        /// When we learned that it is gone, ns UTC.
        known_at: u64,
    },
    /// Ends every point that was visible as known at `known_at` and passes the filter. Evaluated
    /// when the entry is applied, after the ops before it in the batch: the same log deletes the
    /// same points everywhere. Used to replace all chunks of a document in one entry.
    DeleteWhere {
        /// Which points. An empty filter is all of them.
        filter: Filter,
        /// When we learned that they are gone, ns UTC.
        known_at: u64,
    },
    /// Forgets what was superseded, or deleted, by what was known at this instant. Questions as of
    /// earlier ones, and of entries before this, are refused from then on; no other answer changes.
    Trim {
        /// The earliest instant that can be asked about, ns UTC.
        known_before: u64,
    },
}
