//! A walk over the postings of a term in one part, block by block.

use super::columns::{skip_varints, take_word};
use super::delta::{BLOCK, DeltaList};
use super::events::Events;
use super::impacts::Impacts;
use super::score::{LANES, Weight};
use super::segment::SegmentList;

/// A term's list in a part. Births are numbered from the part's first.
#[derive(Clone, Copy, Debug)]
pub(super) enum List<'a> {
    Segment(SegmentList<'a>),
    Delta(&'a DeltaList),
}

/// Postings that were read together.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) slots: [u32; BLOCK],
    pub(super) counts: [u32; BLOCK],
    pub(super) len: usize,
}

impl Default for Block {
    fn default() -> Self {
        Self {
            slots: [0; BLOCK],
            counts: [0; BLOCK],
            len: 0,
        }
    }
}

impl Block {
    /// # Panics
    /// When it is full.
    pub(super) fn push(&mut self, slot: u32, count: u32) {
        (self.slots[self.len], self.counts[self.len]) = (slot, count);
        self.len += 1;
    }
}

impl<'a> List<'a> {
    fn births(&self) -> u32 {
        match self {
            Self::Segment(list) => list.births(),
            Self::Delta(list) => list.postings.len() as u32,
        }
    }

    pub(super) fn blocks(&self) -> usize {
        (self.births() as usize).div_ceil(BLOCK)
    }

    /// The last birth of a block, or a later one where only reading the block would tell.
    #[inline]
    fn last(&self, block: usize) -> u32 {
        match self {
            Self::Segment(list) => list.last(block),
            Self::Delta(list) => list.block(block).last().map_or(0, |(slot, _)| *slot),
        }
    }

    pub(super) fn load(&self, block: usize, out: &mut Block) {
        match self {
            Self::Segment(list) => list.load(block, out),
            Self::Delta(list) => {
                let postings = list.block(block);
                out.len = postings.len();
                for (at, &(slot, count)) in postings.iter().enumerate() {
                    (out.slots[at], out.counts[at]) = (slot, count);
                }
            }
        }
    }

    /// The places of the postings of a block, one after the other.
    pub(super) fn places(&self, block: usize) -> &'a [u8] {
        match self {
            Self::Segment(list) => list.places(block),
            Self::Delta(list) => list.places(block),
        }
    }

    fn impacts(&self, block: usize) -> Option<Impacts> {
        match self {
            Self::Segment(list) => list.impacts(block),
            Self::Delta(list) => Some(list.impacts(block)),
        }
    }

    pub(super) fn each_death(&self, mut found: impl FnMut(u32)) {
        match self {
            Self::Segment(list) => {
                let deaths = list.deaths().iter();
                deaths.for_each(|death| found(u32::from_le_bytes(*death)));
            }
            Self::Delta(list) => list.deaths.iter().for_each(|death| found(*death)),
        }
    }

    /// How many of the first `count` deaths were of texts with the term.
    pub(super) fn deaths_below(&self, count: u32) -> usize {
        match self {
            Self::Segment(list) => {
                let before = |death: &[u8; 4]| u32::from_le_bytes(*death) < count;
                list.deaths().partition_point(before)
            }
            Self::Delta(list) => list.deaths.partition_point(|death| *death < count),
        }
    }

    /// How many of the first `count` births, of `total`, are of texts with the term.
    pub(super) fn births_below(&self, count: u32, total: u32) -> usize {
        let births = self.births() as usize;
        let mut blocks = 0..self.blocks();
        if count >= total || blocks.is_empty() || self.last(blocks.end - 1) < count {
            return births;
        }
        while blocks.start < blocks.end {
            let middle = blocks.start + blocks.len() / 2;
            if self.last(middle) < count {
                blocks.start = middle + 1;
            } else {
                blocks.end = middle;
            }
        }
        let mut block = Block::default();
        self.load(blocks.start, &mut block);
        let within = block.slots[..block.len].partition_point(|slot| *slot < count);
        blocks.start * BLOCK + within
    }

    /// Calls `found` with every birth.
    pub(super) fn each_birth(&self, mut found: impl FnMut(u32)) {
        let mut block = Block::default();
        for at in 0..self.blocks() {
            self.load(at, &mut block);
            block.slots[..block.len]
                .iter()
                .for_each(|slot| found(*slot));
        }
    }
}

/// A position in a list. Slots are those of the index.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    list: List<'a>,
    texts: Events<'a>,
    pub(super) weight: Weight,
    blocks: usize,
    block: usize,
    /// The last slot of the block.
    last: u32,
    /// At most what a posting of the block scores, once asked for.
    bound: Option<u32>,
    loaded: bool,
    postings: Block,
    /// The posting within the block; meaningless until it is loaded.
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(list: List<'a>, texts: Events<'a>, weight: Weight) -> Self {
        let mut cursor = Self {
            list,
            texts,
            weight,
            blocks: list.blocks(),
            block: 0,
            last: 0,
            bound: None,
            loaded: false,
            postings: Block::default(),
            at: 0,
        };
        cursor.enter(0);
        if cursor.blocks > 0 && list.impacts(0).is_none() {
            cursor.load();
        }
        cursor
    }

    pub(super) fn block_count(&self) -> usize {
        self.blocks
    }

    fn enter(&mut self, block: usize) {
        self.block = block;
        self.bound = None;
        self.loaded = false;
        self.at = 0;
        if block < self.blocks {
            self.last = self.texts.first.wrapping_add(self.list.last(block));
        }
    }

    /// Moves to the first block that may hold `slot` or a later one; false when there is none.
    #[inline]
    pub(super) fn seek_block(&mut self, slot: u32) -> bool {
        while self.block < self.blocks && self.last < slot {
            self.enter(self.block + 1);
        }
        self.block < self.blocks
    }

    /// One more than the last slot of the block.
    #[inline]
    pub(super) fn block_end(&self) -> u32 {
        self.last.saturating_add(1)
    }

    /// The first slot from `from` on that the cursor may have.
    #[inline]
    pub(super) fn next_possible(&self, from: u32) -> u32 {
        let loaded = &self.postings.slots[..self.postings.len];
        let next = loaded.get(self.at).filter(|_| self.loaded);
        next.map_or(from, |next| from.max(*next))
    }

    /// At least what any posting in `slots` scores; the cursor's block must reach its start.
    pub(super) fn bound(&mut self, end: u32) -> u32 {
        if self.loaded
            && self.postings.slots[..self.postings.len]
                .get(self.at)
                .is_some_and(|slot| *slot >= end)
        {
            return 0;
        }
        let mut most = self.block_bound();
        let (mut block, mut last) = (self.block, self.last);
        // Later blocks begin behind the last slot of the one before.
        while last.saturating_add(1) < end && block + 1 < self.blocks {
            block += 1;
            let impacts = self.list.impacts(block);
            most = most.max(impacts.map_or(u32::MAX, |impacts| self.weight.bound(&impacts)));
            last = self.texts.first.wrapping_add(self.list.last(block));
        }
        most
    }

    fn block_bound(&mut self) -> u32 {
        if let Some(bound) = self.bound {
            return bound;
        }
        let impacts = self.list.impacts(self.block).unwrap_or_else(|| {
            self.load();
            self.impacts_of_loaded()
        });
        *self.bound.insert(self.weight.bound(&impacts))
    }

    fn impacts_of_loaded(&self) -> Impacts {
        let mut impacts = Impacts::default();
        for at in 0..self.postings.len {
            let slot = self.postings.slots[at];
            impacts.add(self.postings.counts[at], self.length(slot));
        }
        impacts
    }

    #[inline]
    fn load(&mut self) {
        if !self.loaded {
            self.loaded = true;
            self.list.load(self.block, &mut self.postings);
            for slot in &mut self.postings.slots {
                *slot = slot.wrapping_add(self.texts.first);
            }
            if let Some(last) = self.postings.slots[..self.postings.len].last() {
                self.last = *last;
            }
        }
    }

    #[inline]
    fn length(&self, slot: u32) -> u32 {
        self.texts.length(slot.wrapping_sub(self.texts.first))
    }

    /// Moves to the first posting at or after `slot`, and says which it is.
    #[inline]
    pub(super) fn seek(&mut self, slot: u32) -> Option<u32> {
        while self.seek_block(slot) {
            self.load();
            let rest = self.postings.slots[..self.postings.len].get(self.at..)?;
            // Mostly the next few.
            let near = rest.iter().take(8).position(|other| *other >= slot);
            self.at += near.unwrap_or_else(|| rest.partition_point(|other| *other < slot));
            if let Some(&found) = self.postings.slots[..self.postings.len].get(self.at) {
                return Some(found);
            }
            self.enter(self.block + 1);
        }
        None
    }

    /// What the posting at the cursor scores.
    #[inline]
    pub(super) fn score(&self) -> u32 {
        let at = self.at.min(BLOCK - 1);
        let (slot, count) = (self.postings.slots[at], self.postings.counts[at]);
        self.weight.score(count, self.length(slot))
    }

    /// What the text `slot` scores; 0 without the term.
    #[inline]
    pub(super) fn score_of(&mut self, slot: u32) -> u32 {
        if self.seek(slot) == Some(slot) {
            self.score()
        } else {
            0
        }
    }

    /// Calls `found` with slots and scores from the cursor to before `end`, and leaves the cursor there.
    #[inline]
    pub(super) fn drain(&mut self, from: u32, end: u32, mut found: impl FnMut(u32, u32)) {
        while self.seek_block(from) && self.seek(from).is_some_and(|slot| slot < end) {
            let postings = &self.postings;
            let rest = &postings.slots[self.at..postings.len];
            let len = if self.last < end {
                rest.len()
            } else {
                rest.partition_point(|slot| *slot < end)
            };
            let (slots, rest_slots) = rest[..len].as_chunks::<LANES>();
            let counts = &postings.counts[self.at..self.at + len];
            let (counts, rest_counts) = counts.as_chunks::<LANES>();
            for (slots, counts) in slots.iter().zip(counts) {
                let scores = self
                    .weight
                    .scores(counts, &slots.map(|slot| self.length(slot)));
                for (slot, score) in slots.iter().zip(scores) {
                    found(*slot, score);
                }
            }
            for (&slot, &count) in rest_slots.iter().zip(rest_counts) {
                found(slot, self.weight.score(count, self.length(slot)));
            }
            self.at += len;
            if self.at < self.postings.len {
                return;
            }
            self.enter(self.block + 1);
        }
    }

    /// The places of the posting at the cursor.
    pub(super) fn places(&self, out: &mut Vec<u32>) {
        out.clear();
        let before: u64 = self.postings.counts[..self.at]
            .iter()
            .map(|c| u64::from(*c))
            .sum();
        let bytes = self.list.places(self.block);
        let mut bytes = &bytes[skip_varints(bytes, before)..];
        let mut place = 0u32;
        let at = self.at.min(BLOCK - 1);
        for _ in 0..self.postings.counts[at] {
            let Some(step) = take_word(&mut bytes) else {
                return;
            };
            place = place.saturating_add(step);
            out.push(place);
        }
    }
}
