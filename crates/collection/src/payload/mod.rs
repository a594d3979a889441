//! Typed indexes over payloads: which slots may pass a filter, and about how many will.
//!
//! A slot is a version's number: payloads arrive in its order and never change. Whether a version is
//! visible is not known here; it is asked of [`Rows`], as is whatever no index can answer.
//!
//! ```text
//! texts, truths, whole numbers  key -> slots (a short list or a roaring bitmap)
//! numbers, times                sorted column of (value, slot)
//! places                        sorted column of (cell, slot)
//! present, several, long texts  slots
//! ```
//!
//! Each is a frozen part, read where its bytes lie, and what came since in memory.

mod bounds;
mod cells;
mod column;
mod effort;
mod estimate;
mod field;
mod freeze;
mod key;
mod keys;
mod select;
mod set;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{Condition, Payload};
use column::Column;
use field::Field;

pub use estimate::Estimate;
pub use freeze::BadIndex;
pub use set::Set;

/// The index.
#[derive(Debug, Default)]
pub struct PayloadIndex {
    slots: u32,
    fields: BTreeMap<Box<str>, Field>,
    event_at: Column,
    /// Parts it was opened from, with their checksums.
    checks: Vec<(Bytes, u32)>,
}

/// What the index asks of those who hold the points.
pub trait Rows {
    /// Whether the slot can be in the answer.
    fn is_visible(&self, slot: u32) -> bool;

    /// Whether the condition holds for the slot's point.
    fn holds(&self, condition: &Condition, slot: u32) -> bool;

    /// The slots of ids that start with `prefix`, in any order.
    fn with_prefix(&self, prefix: &str) -> Box<dyn Iterator<Item = u32> + '_>;
}

/// Frozen bytes do not hold what they say.
#[derive(Clone, Copy, Debug)]
struct Damaged;

impl PayloadIndex {
    /// Takes the next slot's payload and when it happened, ns UTC.
    ///
    /// # Panics
    /// When `slot` is not the next one.
    pub fn push(&mut self, slot: u32, payload: &Payload, event_at: u64) {
        assert_eq!(slot, self.slots, "slots arrive in order, without holes");
        self.slots += 1;
        self.event_at.push((event_at, u64::from(slot)));
        for (name, value) in &payload.0 {
            if !self.fields.contains_key(name.as_str()) {
                self.fields.insert(name.as_str().into(), Field::default());
            }
            if let Some(field) = self.fields.get_mut(name.as_str()) {
                field.push(slot, value);
            }
        }
    }

    /// Slots taken.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.slots
    }

    /// Whether none was taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots == 0
    }

    /// Bytes in memory, about; those it was opened from not counted.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        let fields = self.fields.values().map(Field::size_bytes);
        self.event_at.size_bytes() + fields.sum::<u64>()
    }
}
