//! The terms of a segment: sorted, in groups of sixteen that share their beginnings.

use super::super::columns::{take, take_varint, take_word, word};
use super::GROUP;

/// The dictionary where it lies.
#[derive(Clone, Copy, Debug)]
pub(in crate::text) struct Dictionary<'a> {
    pub(super) count: u32,
    /// Where groups begin.
    pub(super) offsets: &'a [[u8; 4]],
    pub(super) bytes: &'a [u8],
}

/// Where a term's list is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::text) struct Entry {
    /// Texts born with the term.
    pub(super) births: u32,
    /// Texts that died with it.
    pub(super) deaths: u32,
    pub(super) list_at: u64,
    pub(super) list_size: u64,
    pub(super) places_at: u64,
    pub(super) places_size: u64,
}

/// A walk over entries.
#[derive(Clone, Debug)]
pub(in crate::text) struct Entries<'a> {
    dictionary: Dictionary<'a>,
    next: u32,
    bytes: &'a [u8],
    term: Vec<u8>,
    entry: Entry,
}

impl<'a> Dictionary<'a> {
    /// The entry of a term.
    pub(in crate::text) fn find(&self, term: &[u8]) -> Option<Entry> {
        // The last group that does not begin after the term.
        let groups = self.count.div_ceil(GROUP as u32) as usize;
        let (mut low, mut high) = (0, groups);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.first_term(middle)? <= term {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let group = low.checked_sub(1)?;
        let mut entries = self.walk_from(group);
        for _ in 0..GROUP {
            let (found, entry) = entries.next()?;
            if found >= term {
                return (found == term).then_some(entry);
            }
        }
        None
    }

    /// All entries, ascending by term.
    pub(in crate::text) fn walk(&self) -> Entries<'a> {
        self.walk_from(0)
    }

    fn walk_from(&self, group: usize) -> Entries<'a> {
        Entries {
            dictionary: *self,
            next: (group * GROUP) as u32,
            bytes: &[],
            term: Vec::new(),
            entry: Entry::default(),
        }
    }

    fn group(&self, group: usize) -> Option<&'a [u8]> {
        self.bytes.get(word(self.offsets, group) as usize..)
    }

    fn first_term(&self, group: usize) -> Option<&'a [u8]> {
        let mut bytes = self.group(group)?;
        let [_, size] = *take(&mut bytes, 16 + 2)?.last_chunk()?;
        take(&mut bytes, usize::from(size))
    }
}

impl Entries<'_> {
    /// The next term and its entry; `None` at the end, or where damage ends the walk.
    pub(in crate::text) fn next(&mut self) -> Option<(&[u8], Entry)> {
        if self.next >= self.dictionary.count {
            return None;
        }
        if self.next.is_multiple_of(GROUP as u32) {
            self.bytes = self.dictionary.group(self.next as usize / GROUP)?;
            let mut base = || Some(u64::from_le_bytes(*take(&mut self.bytes, 8)?.as_array()?));
            self.entry = Entry {
                list_at: base()?,
                places_at: base()?,
                ..Entry::default()
            };
            self.term.clear();
        }
        let [shared, size] = *take(&mut self.bytes, 2)?.as_array()?;
        self.term.truncate(usize::from(shared));
        self.term
            .extend_from_slice(take(&mut self.bytes, usize::from(size))?);
        if self.term.len() > usize::from(u8::MAX) {
            return None;
        }
        let last = self.entry;
        self.entry = Entry {
            births: take_word(&mut self.bytes)?,
            deaths: take_word(&mut self.bytes)?,
            list_at: last.list_at.checked_add(last.list_size)?,
            list_size: take_varint(&mut self.bytes)?,
            places_at: last.places_at.checked_add(last.places_size)?,
            places_size: take_varint(&mut self.bytes)?,
        };
        self.next += 1;
        Some((&self.term, self.entry))
    }
}
