//! All that is indexed of one field.

use std::sync::OnceLock;

use bytes::Bytes;
use roaring::RoaringBitmap;

use super::Damaged;
use super::cells::cell;
use super::column::Column;
use super::freeze::{Parts, Sections};
use super::key::{Number, is_long, key};
use super::keys::Keys;
use super::set::{Set, read_set};
use crate::Value;

/// Different whole numbers of a field that have sets of their own; with more, a number is found in
/// the sorted column, which costs more for one that many slots hold.
const WHOLE_KEYS_MAX: usize = 4096;

/// One field.
#[derive(Debug)]
pub(super) struct Field {
    pub texts: Keys,
    pub wholes: Option<Keys>,
    pub numbers: Column,
    pub places: Column,
    /// Slots with a value.
    pub present: Slots,
    /// Slots with several values.
    pub several: Slots,
    /// Slots with a text too long for a key.
    pub long: Slots,
}

impl Default for Field {
    fn default() -> Self {
        Self {
            texts: Keys::default(),
            wholes: Some(Keys::default()),
            numbers: Column::default(),
            places: Column::default(),
            present: Slots::default(),
            several: Slots::default(),
            long: Slots::default(),
        }
    }
}

/// A set that grows at its end, the frozen part of it read when it is first asked for.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// What the frozen ones lie below.
    slots: u32,
    frozen: Bytes,
    frozen_count: u64,
    read: OnceLock<Option<RoaringBitmap>>,
    since: RoaringBitmap,
}

impl Field {
    /// Takes the field's value of a slot.
    pub(super) fn push(&mut self, slot: u32, value: &Value) {
        let mut count = 0;
        value.each(&mut |value| {
            count += 1;
            self.push_plain(slot, value);
        });
        if count > 0 {
            self.present.since.insert(slot);
        }
        if count > 1 {
            self.several.since.insert(slot);
        }
    }

    fn push_plain(&mut self, slot: u32, value: &Value) {
        if let Some(key) = key(value) {
            self.texts.push(key, slot);
        }
        if is_long(value) {
            self.long.since.insert(slot);
        }
        if let Value::Int(whole) = value
            && let Some(wholes) = &mut self.wholes
        {
            wholes.push(whole_key(*whole).into(), slot);
            if wholes.len() > WHOLE_KEYS_MAX {
                self.wholes = None;
            }
        }
        if let Some(number) = Number::of(value) {
            self.numbers.push(number.entry(slot));
        }
        if let Value::Geo(place) = value {
            self.places.push((cell(*place), u64::from(slot)));
        }
    }

    /// Writes it as [`open`](Self::open) reads it.
    pub(super) fn freeze(&self, out: &mut Sections) -> Result<(), Damaged> {
        self.texts.freeze(out)?;
        match &self.wholes {
            Some(wholes) => wholes.freeze(out)?,
            None => (0..2).for_each(|_| out.add(Vec::new())),
        }
        out.add_column(&self.numbers);
        out.add_column(&self.places);
        for slots in [&self.present, &self.several, &self.long] {
            let mut bytes = Vec::new();
            let mut set = slots.all()?.into_owned();
            set.optimize();
            set.serialize_into(&mut bytes)
                .expect("writing to memory does not fail");
            out.add(bytes);
        }
        Ok(())
    }

    /// The field of an index of so many slots.
    pub(super) fn open(slots: u32, has_wholes: bool, counts: [u64; 3], parts: &mut Parts) -> Self {
        let texts = Keys::open(slots, parts.next(), parts.next());
        let wholes = Keys::open(slots, parts.next(), parts.next());
        let numbers = Column::open(parts.next());
        let places = Column::open(parts.next());
        let mut sets = counts
            .map(|count| Slots::open(slots, parts.next(), count))
            .into_iter();
        let mut set = || sets.next().unwrap_or_default();
        Self {
            texts,
            wholes: has_wholes.then_some(wholes),
            numbers,
            places,
            present: set(),
            several: set(),
            long: set(),
        }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        let keys = self.texts.size_bytes() + self.wholes.as_ref().map_or(0, Keys::size_bytes);
        let sets = [&self.present, &self.several, &self.long];
        let sets = sets.map(|slots| slots.since.serialized_size() as u64);
        keys + self.numbers.size_bytes() + self.places.size_bytes() + sets.iter().sum::<u64>()
    }
}

/// A whole number as bytes in order.
pub(super) fn whole_key(whole: i64) -> [u8; 8] {
    (whole.cast_unsigned() ^ 1 << 63).to_be_bytes()
}

impl Slots {
    fn open(slots: u32, frozen: Bytes, frozen_count: u64) -> Self {
        Self {
            slots,
            frozen,
            frozen_count,
            ..Self::default()
        }
    }

    /// How many.
    pub(super) fn len(&self) -> u64 {
        self.frozen_count + self.since.len()
    }

    /// All of them.
    pub(super) fn all(&self) -> Result<Set<'_>, Damaged> {
        if self.frozen.is_empty() {
            return Ok(Set::Held(&self.since));
        }
        let read = || read_set(&self.frozen, self.slots).ok();
        let frozen = self.read.get_or_init(read).as_ref().ok_or(Damaged)?;
        Ok(if self.since.is_empty() {
            Set::Held(frozen)
        } else {
            Set::Made(frozen | &self.since)
        })
    }
}
