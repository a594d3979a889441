//! The part of the index that still takes texts: lists in memory, uncompressed.

use std::collections::HashMap;

use super::columns::put_varint;
use super::events::EventLog;
use super::impacts::Impacts;
use super::terms::{Term, Terms};

/// Postings between two bounds; a block is skipped or read as a whole.
pub(super) const BLOCK: usize = 128;

/// Births and deaths since the last segment, with the terms of their texts.
#[derive(Debug, Default)]
pub(super) struct Delta {
    pub(super) births: EventLog,
    pub(super) deaths: EventLog,
    terms: HashMap<Box<str>, DeltaList>,
    /// Of the lists, kept up as they grow.
    list_bytes: usize,
}

/// What a delta knows of a term.
#[derive(Debug, Default)]
pub(super) struct DeltaList {
    /// Births, from the delta's first, and how often the text has the term; births ascend.
    pub(super) postings: Vec<(u32, u32)>,
    /// The places of each posting: the first, then the distances, as variable-length numbers.
    pub(super) places: Vec<u8>,
    full: Vec<FullBlock>,
    /// Of the block that is not full.
    open: Impacts,
    /// Deaths of texts that have the term, from the delta's first, ascending.
    pub(super) deaths: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct FullBlock {
    impacts: Impacts,
    /// Where its places end.
    places_end: u32,
}

impl Delta {
    pub(super) fn starting_at(slot: u32, death: u32) -> Self {
        Self {
            births: EventLog::starting_at(slot),
            deaths: EventLog::starting_at(death),
            ..Self::default()
        }
    }

    /// Takes the text of the next slot.
    pub(super) fn push(&mut self, seq: u64, terms: &Terms) {
        let at = self.births.view().len();
        self.births.push(seq, terms.total);
        for Term {
            text,
            count,
            places,
        } in terms.iter()
        {
            let count = u32::from(count);
            self.grow(text, |list| list.push(at, count, terms.total, places));
        }
    }

    /// Notes that a text with these terms was superseded.
    pub(super) fn supersede(&mut self, seq: u64, terms: &Terms) {
        let at = self.deaths.view().len();
        self.deaths.push(seq, terms.total);
        for term in terms.iter() {
            self.grow(term.text, |list| {
                list.deaths.push(at);
                size_of::<u32>()
            });
        }
    }

    /// Changes the list of a term by `grow`, which says how many bytes it is larger for it.
    fn grow(&mut self, term: &str, grow: impl FnOnce(&mut DeltaList) -> usize) {
        if let Some(list) = self.terms.get_mut(term) {
            self.list_bytes += grow(list);
            return;
        }
        let mut list = DeltaList::default();
        self.list_bytes += grow(&mut list) + size_of::<(Box<str>, DeltaList)>() + 16 + term.len();
        self.terms.insert(term.into(), list);
    }

    pub(super) fn find(&self, term: &str) -> Option<&DeltaList> {
        self.terms.get(term)
    }

    /// The terms, ascending.
    pub(super) fn sorted(&self) -> Vec<(&str, &DeltaList)> {
        let mut terms: Vec<_> = self.terms.iter().map(|(t, l)| (&**t, l)).collect();
        terms.sort_unstable_by_key(|(term, _)| *term);
        terms
    }

    pub(super) fn is_empty(&self) -> bool {
        self.births.view().len() == 0 && self.deaths.view().len() == 0
    }

    /// Bytes held, about.
    pub(super) fn size_bytes(&self) -> usize {
        self.births.size_bytes() + self.deaths.size_bytes() + self.list_bytes
    }
}

impl DeltaList {
    /// Says how many bytes it is larger for it.
    fn push(&mut self, at: u32, count: u32, length: u32, places: &[u32]) -> usize {
        let before = self.places.len();
        self.postings.push((at, count));
        let mut last = 0;
        for &place in places {
            put_varint(u64::from(place - last), &mut self.places);
            last = place;
        }
        self.open.add(count, length);
        if self.postings.len().is_multiple_of(BLOCK) {
            self.full.push(FullBlock {
                impacts: std::mem::take(&mut self.open),
                places_end: self.places.len() as u32,
            });
        }
        self.places.len() - before + size_of::<(u32, u32)>()
    }

    pub(super) fn block(&self, block: usize) -> &[(u32, u32)] {
        let rest = self.postings.get(block * BLOCK..).unwrap_or_default();
        &rest[..rest.len().min(BLOCK)]
    }

    pub(super) fn impacts(&self, block: usize) -> Impacts {
        self.full.get(block).map_or(self.open, |full| full.impacts)
    }

    /// The places of a block, and what follows them.
    pub(super) fn places(&self, block: usize) -> &[u8] {
        let before = block.checked_sub(1).and_then(|at| self.full.get(at));
        &self.places[before.map_or(0, |full| full.places_end as usize)..]
    }
}
