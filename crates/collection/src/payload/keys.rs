//! Which slots hold which key: a sorted table read from bytes, and a tree of what came since.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use roaring::RoaringBitmap;

use super::key::Key;
use super::set::{Set, read_set};
use super::{Damaged, freeze::Sections};

/// Slots of one key that are kept as a list: most keys of names and numbers have few.
const FEW: usize = 16;
/// Bytes of an entry of the frozen table.
pub(super) const ROW_BYTES: usize = 32;

/// Slots by key.
#[derive(Debug, Default)]
pub(super) struct Keys {
    frozen: Frozen,
    since: BTreeMap<Key, Slots>,
}

#[derive(Debug)]
enum Slots {
    Few(Vec<u32>),
    Many(RoaringBitmap),
}

/// A table of rows sorted by key, each with the places of its key and its slots in `blob`.
#[derive(Debug, Default)]
struct Frozen {
    slots: u32,
    table: Bytes,
    blob: Bytes,
    /// Sets that were asked for, by row.
    read: Mutex<HashMap<usize, Arc<RoaringBitmap>>>,
}

/// Sets of slots on their way to be joined.
#[derive(Default)]
pub(super) struct Gather<'a> {
    /// In any order, each any number of times.
    pub few: Vec<u32>,
    pub many: Vec<Set<'a>>,
}

impl Keys {
    /// Keys of an index of so many slots.
    pub(super) fn open(slots: u32, table: Bytes, blob: Bytes) -> Self {
        Self {
            frozen: Frozen {
                slots,
                table,
                blob,
                read: Mutex::default(),
            },
            since: BTreeMap::new(),
        }
    }

    /// Takes a slot not smaller than those before it.
    pub(super) fn push(&mut self, key: Key, slot: u32) {
        let slots = self.since.entry(key).or_insert(Slots::Few(Vec::new()));
        match slots {
            Slots::Few(list) if list.last() == Some(&slot) => {}
            Slots::Few(list) if list.len() < FEW => list.push(slot),
            Slots::Few(list) => {
                let mut many: RoaringBitmap = list.iter().copied().collect();
                many.insert(slot);
                *slots = Slots::Many(many);
            }
            Slots::Many(many) => {
                many.insert(slot);
            }
        }
    }

    /// Different keys, those of both parts counted twice.
    pub(super) fn len(&self) -> usize {
        self.frozen.len() + self.since.len()
    }

    /// Slots that hold the key.
    pub(super) fn count(&self, key: &[u8]) -> Result<u64, Damaged> {
        let since = self.since.get(key).map_or(0, Slots::len);
        Ok(since
            + match self.frozen.find(key)? {
                Some(at) => u64::from(self.frozen.row(at)?.count),
                None => 0,
            })
    }

    /// Adds the slots that hold the key.
    pub(super) fn gather<'a>(&'a self, key: &[u8], to: &mut Gather<'a>) -> Result<(), Damaged> {
        if let Some(at) = self.frozen.find(key)? {
            self.frozen.gather(at, to)?;
        }
        if let Some(slots) = self.since.get(key) {
            slots.gather(to);
        }
        Ok(())
    }

    /// Calls `found` with the number of slots of each key between the bounds, at most `limit` keys of
    /// each part, and says whether that was all of them.
    pub(super) fn counts(
        &self,
        (from, to): (&[u8], Bound<&[u8]>),
        limit: usize,
        mut found: impl FnMut(u64),
    ) -> Result<bool, Damaged> {
        let rows = self.frozen.within(from, to)?;
        let mut since = self.range(from, to);
        for at in rows.clone().take(limit) {
            found(u64::from(self.frozen.row(at)?.count));
        }
        since
            .by_ref()
            .take(limit)
            .for_each(|slots| found(slots.len()));
        Ok(rows.len() <= limit && since.next().is_none())
    }

    /// Adds the slots of every key between the bounds.
    pub(super) fn gather_range<'a>(
        &'a self,
        (from, to): (&[u8], Bound<&[u8]>),
        gather: &mut Gather<'a>,
    ) -> Result<(), Damaged> {
        for at in self.frozen.within(from, to)? {
            self.frozen.gather(at, gather)?;
        }
        self.range(from, to).for_each(|slots| slots.gather(gather));
        Ok(())
    }

    fn range(&self, from: &[u8], to: Bound<&[u8]>) -> impl Iterator<Item = &Slots> {
        let is_empty = match to {
            Bound::Included(to) => to < from,
            Bound::Excluded(to) => to <= from,
            Bound::Unbounded => false,
        };
        let bounds = (Bound::Included(from), to);
        // A tree panics on bounds the wrong way round.
        let range = (!is_empty).then(|| self.since.range::<[u8], _>(bounds));
        range.into_iter().flatten().map(|(_, slots)| slots)
    }

    /// Writes both parts as the table and the blob of one.
    pub(super) fn freeze(&self, out: &mut Sections) -> Result<(), Damaged> {
        let (mut table, mut blob) = (Vec::new(), Vec::new());
        let mut since = self.since.iter().peekable();
        let mut frozen = (0..self.frozen.len()).peekable();
        while frozen.peek().is_some() || since.peek().is_some() {
            let old = match frozen.peek() {
                Some(&at) => Some((at, self.frozen.key(at)?)),
                None => None,
            };
            let new = since.peek().map(|(key, _)| &key[..]);
            let key = match (&old, new) {
                (Some((_, old)), Some(new)) => new.min(old).to_vec(),
                (Some((_, old)), None) => old.to_vec(),
                (None, Some(new)) => new.to_vec(),
                (None, None) => break,
            };
            let mut gather = Gather::default();
            if let Some((at, _)) = old.filter(|(_, old)| **old == key[..]) {
                self.frozen.gather(at, &mut gather)?;
                frozen.next();
            }
            if let Some((_, slots)) = since.next_if(|(other, _)| other[..] == key[..]) {
                slots.gather(&mut gather);
            }
            write_row(&key, gather, &mut table, &mut blob);
        }
        out.add(table);
        out.add(blob);
        Ok(())
    }

    /// Bytes in memory, about; the frozen ones not counted.
    pub(super) fn size_bytes(&self) -> u64 {
        let slots = self.since.iter().map(|(key, slots)| {
            let set = match slots {
                Slots::Few(list) => list.capacity() * 4,
                Slots::Many(many) => many.serialized_size(),
            };
            key.len() + set + 64
        });
        slots.sum::<usize>() as u64
    }
}

fn write_row(key: &[u8], gather: Gather<'_>, table: &mut Vec<u8>, blob: &mut Vec<u8>) {
    let mut set: RoaringBitmap = gather.few.into_iter().collect();
    gather.many.iter().for_each(|many| set |= &**many);
    let key_at = blob.len() as u64;
    blob.extend_from_slice(key);
    let slots_at = blob.len() as u64;
    if set.len() <= FEW as u64 {
        set.iter().for_each(|slot| blob.extend(slot.to_le_bytes()));
    } else {
        set.serialize_into(&mut *blob)
            .expect("writing to memory does not fail");
    }
    table.extend(key_at.to_le_bytes());
    table.extend(slots_at.to_le_bytes());
    table.extend((key.len() as u32).to_le_bytes());
    table.extend((set.len() as u32).to_le_bytes());
    table.extend((blob.len() as u64 - slots_at).to_le_bytes());
}

impl Slots {
    fn len(&self) -> u64 {
        match self {
            Self::Few(list) => list.len() as u64,
            Self::Many(many) => many.len(),
        }
    }

    fn gather<'a>(&'a self, to: &mut Gather<'a>) {
        match self {
            Self::Few(list) => to.few.extend_from_slice(list),
            Self::Many(many) => to.many.push(Set::Held(many)),
        }
    }
}

/// One row of the frozen table.
struct Row {
    key_at: u64,
    slots_at: u64,
    key_len: u32,
    count: u32,
    slots_len: u64,
}

impl Frozen {
    fn len(&self) -> usize {
        self.table.len() / ROW_BYTES
    }

    fn row(&self, at: usize) -> Result<Row, Damaged> {
        let start = at * ROW_BYTES;
        let row = self.table.get(start..start + ROW_BYTES).ok_or(Damaged)?;
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|n| row[at + n]));
        Ok(Row {
            key_at: word(0),
            slots_at: word(8),
            key_len: word(16) as u32,
            count: (word(16) >> 32) as u32,
            slots_len: word(24),
        })
    }

    fn bytes(&self, at: u64, len: u64) -> Result<&[u8], Damaged> {
        let end = at.checked_add(len).ok_or(Damaged)?;
        self.blob.get(at as usize..end as usize).ok_or(Damaged)
    }

    fn key(&self, at: usize) -> Result<&[u8], Damaged> {
        let row = self.row(at)?;
        self.bytes(row.key_at, u64::from(row.key_len))
    }

    /// The first row for which `is_before` does not hold.
    fn partition(&self, is_before: impl Fn(&[u8]) -> bool) -> Result<usize, Damaged> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if is_before(self.key(middle)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn find(&self, key: &[u8]) -> Result<Option<usize>, Damaged> {
        let at = self.partition(|other| other < key)?;
        Ok((at < self.len() && self.key(at)? == key).then_some(at))
    }

    fn within(&self, from: &[u8], to: Bound<&[u8]>) -> Result<std::ops::Range<usize>, Damaged> {
        let from = self.partition(|key| key < from)?;
        let to = match to {
            Bound::Included(to) => self.partition(|key| key <= to)?,
            Bound::Excluded(to) => self.partition(|key| key < to)?,
            Bound::Unbounded => self.len(),
        };
        Ok(from..to.max(from))
    }

    fn gather<'a>(&'a self, at: usize, to: &mut Gather<'a>) -> Result<(), Damaged> {
        let row = self.row(at)?;
        let bytes = self.bytes(row.slots_at, row.slots_len)?;
        if row.count as usize <= FEW {
            let slots = bytes.chunks_exact(4);
            to.few
                .extend(slots.map(|slot| u32::from_le_bytes(std::array::from_fn(|n| slot[n]))));
            return Ok(());
        }
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let set = match read.get(&at) {
            Some(set) => Arc::clone(set),
            None => {
                let set = Arc::new(read_set(bytes, self.slots)?);
                read.insert(at, Arc::clone(&set));
                set
            }
        };
        to.many.push(Set::Kept(set));
        Ok(())
    }
}
