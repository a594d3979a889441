//! What became of each id: its turns, those of a checkpoint as its file has them until one is added.

use std::collections::HashMap;

use bytes::Bytes;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A version or a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Turn {
    pub known_at: u64,
    pub seq: u64,
    slot: u32,
    zero: u32,
}

const TOMBSTONE: u32 = u32::MAX;

impl Turn {
    /// `slot` is `None` of a tombstone.
    pub fn new(known_at: u64, seq: u64, slot: Option<u32>) -> Self {
        Self {
            known_at,
            seq,
            slot: slot.unwrap_or(TOMBSTONE),
            zero: 0,
        }
    }

    /// The version's slot.
    pub fn slot(&self) -> Option<u32> {
        (self.slot != TOMBSTONE).then_some(self.slot)
    }
}

/// Turns by dense id, each id's ordered by `(known_at, arrival)`.
#[derive(Default)]
pub(super) struct Turns {
    /// Where each id's turns end, u64 each, and the turns.
    base: Option<(Bytes, Bytes)>,
    base_len: usize,
    changed: HashMap<u32, Vec<Turn>>,
    new: Vec<Vec<Turn>>,
}

impl Turns {
    /// The turns that a file has; `None` when the ends do not fit the turns.
    pub fn open(ends: Bytes, turns: Bytes) -> Option<Self> {
        let numbers = ends.chunks_exact(8).map(number);
        let ascend = numbers.clone().is_sorted();
        let last = numbers.clone().next_back().unwrap_or(0);
        let fits = last.checked_mul(size_of::<Turn>() as u64) == Some(turns.len() as u64);
        (ends.len().is_multiple_of(8) && ascend && fits).then(|| Self {
            base_len: ends.len() / 8,
            base: Some((ends, turns)),
            ..Self::default()
        })
    }

    /// The turns of an id.
    pub fn of(&self, owner: u32) -> Vec<Turn> {
        self.with(owner, <[Turn]>::to_vec, |turns| turns.collect())
    }

    /// The last turn for which `is_meant`, from the latest knowledge backwards.
    pub fn rfind(&self, owner: u32, is_meant: impl Fn(&Turn) -> bool) -> Option<Turn> {
        let find = |turns: &[Turn]| turns.iter().rev().copied().find(&is_meant);
        self.with(owner, find, |turns| turns.rev().find(&is_meant))
    }

    fn with<R>(
        &self,
        owner: u32,
        own: impl FnOnce(&[Turn]) -> R,
        mapped: impl FnOnce(&mut dyn DoubleEndedIterator<Item = Turn>) -> R,
    ) -> R {
        let at = owner as usize;
        if let Some(turns) = at.checked_sub(self.base_len) {
            return own(&self.new[turns]);
        }
        if let Some(turns) = self.changed.get(&owner) {
            return own(turns);
        }
        let mut turns = self.base_of(at).chunks_exact(size_of::<Turn>()).map(read);
        mapped(&mut turns)
    }

    fn base_of(&self, at: usize) -> &[u8] {
        let (ends, turns) = self
            .base
            .as_ref()
            .expect("ids below its length are its own");
        let end = |at: usize| number(&ends[at * 8..at * 8 + 8]) as usize * size_of::<Turn>();
        &turns[at.checked_sub(1).map_or(0, end)..end(at)]
    }

    /// One more id, without turns.
    pub fn push(&mut self) {
        self.new.push(Vec::new());
    }

    /// The turns of an id, to be changed.
    pub fn of_mut(&mut self, owner: u32) -> &mut Vec<Turn> {
        if let Some(at) = (owner as usize).checked_sub(self.base_len) {
            return &mut self.new[at];
        }
        if !self.changed.contains_key(&owner) {
            self.changed.insert(owner, self.of(owner));
        }
        self.changed.entry(owner).or_default()
    }

    /// Ends and turns as bytes.
    pub fn freeze(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut ends, mut turns, mut count) = (Vec::new(), Vec::new(), 0u64);
        for owner in 0..(self.base_len + self.new.len()) as u32 {
            for turn in self.of(owner) {
                turns.extend_from_slice(turn.as_bytes());
                count += 1;
            }
            ends.extend_from_slice(&count.to_le_bytes());
        }
        (ends, turns)
    }
}

fn read(bytes: &[u8]) -> Turn {
    Turn::read_from_bytes(bytes).expect("as many bytes as a turn has")
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}
