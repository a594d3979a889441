//! The walk from the pivots towards a query.
//!
//! The nearest vertex not yet visited is chosen and its slot asked for while the one chosen before
//! it is worked on: a slot is some forty lines, and waiting for them would be most of a walk.

use crate::Scratch;
use crate::arch::{BLOCK, Range, prefetch_lines};
use crate::code::Query;

use super::Graph;
use super::beam::{self, Beam};
use super::frame::{FrameScratch, Stretch};
use super::sketch::{Near, PlanedQuery};

/// Memory that a thread keeps between walks.
#[derive(Clone, Debug, Default)]
pub struct WalkScratch {
    beam: Beam,
    /// One bit a slot: few enough to stay near the processor.
    seen: Vec<u64>,
    /// Words of `seen` that this walk wrote to.
    touched: Vec<u32>,
    slots: usize,
    /// Visited vertices that count: key of the distance in the high half, slot in the low one.
    pub(super) found: Vec<u64>,
    /// Visited vertices that do not count.
    pub(super) passed: Vec<u32>,
    pub(super) near: Near,
    pub(super) planed: PlanedQuery,
    pub(super) query: Query,
    pub(super) frame: FrameScratch,
    pub(super) stretch: Stretch,
    pub(super) rerank: Scratch,
    /// Vertices visited by the last walk, or rows read by the last search among sketched ones.
    pub visits: usize,
}

impl WalkScratch {
    fn begin(&mut self, slots: usize, ef: usize, max_visits: usize) {
        for word in self.touched.drain(..) {
            self.seen[word as usize] = 0;
        }
        self.slots = slots;
        self.seen.resize(slots.div_ceil(64), 0);
        self.found.clear();
        self.passed.clear();
        self.visits = 0;
        self.beam.begin(ef, max_visits);
    }

    /// Whether this walk sees the slot for the first time. Slots that do not exist, which a damaged
    /// file may name, are never new.
    #[inline(always)]
    fn is_new(&mut self, slot: u32) -> bool {
        let (word, bit) = (slot / 64, 1u64 << (slot % 64));
        let Some(seen) = self.seen.get_mut(word as usize) else {
            return false;
        };
        let is_new = *seen & bit == 0 && (slot as usize) < self.slots;
        if is_new {
            if *seen == 0 {
                self.touched.push(word);
            }
            *seen |= bit;
        }
        is_new
    }

    /// The `k` nearest vertices that were found, nearest first.
    pub(super) fn nearest(&mut self, k: usize) -> impl Iterator<Item = (u32, f32)> {
        let k = k.min(self.found.len());
        if k < self.found.len() && k > 0 {
            self.found.select_nth_unstable(k - 1);
        }
        self.found[..k].sort_unstable();
        self.found[..k]
            .iter()
            .map(|&found| (found as u32, beam::distance((found >> 32) as u32)))
    }
}

impl Graph {
    /// Visits vertices near `query` until none of the `ef` nearest visible ones seen is unvisited, or
    /// until `max_visits`: says whether it came to its end. Those that are visible and not deleted
    /// lie in `scratch.found`.
    pub(super) fn walk(
        &self,
        query: &Query,
        (ef, max_visits): (usize, usize),
        visible: &impl Fn(u32) -> bool,
        scratch: &mut WalkScratch,
    ) -> bool {
        scratch.begin(self.slots(), ef, max_visits);
        let visible = &|slot| !self.deleted.has(slot) && visible(slot);
        for (estimate, slot) in self.pivots.nearest(self.kernels, query) {
            if estimate < scratch.beam.bound() && scratch.is_new(slot) {
                if self.settings.layout.is_coded() {
                    scratch.beam.insert(estimate, slot, visible(slot));
                } else {
                    self.compare(slot, query, visible, scratch);
                }
            }
        }
        let mut current = scratch.beam.next();
        if let Some(slot) = current {
            prefetch_lines(self.arena.bytes(slot));
        }
        while let Some(slot) = current {
            if scratch.visits >= max_visits {
                return false;
            }
            let next = scratch.beam.next();
            if self.settings.layout.is_coded() {
                self.visit(slot, next, query, visible, scratch);
            } else {
                self.visit_rows(slot, next, query, visible, scratch);
            }
            current = next.or_else(|| scratch.beam.next());
        }
        true
    }

    /// Visits `slot` while the slot of `next` is on its way.
    #[inline(always)]
    fn visit(
        &self,
        slot: u32,
        next: Option<u32>,
        query: &Query,
        visible: &impl Fn(u32) -> bool,
        scratch: &mut WalkScratch,
    ) {
        let ahead = next.map_or(&[][..], |next| self.arena.bytes(next));
        let vertex = self.arena.slot(slot);
        let distance = query.distance(self.kernels, vertex.row, vertex.header.scale());
        scratch.visits += 1;
        if visible(slot) {
            scratch.found.push(beam::found(distance, slot));
        } else {
            scratch.passed.push(slot);
        }
        let mut estimates = [0.0; BLOCK];
        let range = Range {
            base: distance,
            bound: scratch.beam.bound(),
            ahead,
        };
        let codes = &vertex.links.codes;
        let mut below = self
            .kernels
            .estimate(codes, &query.table(), &range, &mut estimates);
        below &= ((1u64 << vertex.header.count.min(BLOCK as u32)) - 1) as u32;
        while below != 0 {
            let n = below.trailing_zeros() as usize;
            below &= below - 1;
            let slot = vertex.links.ids[n];
            if estimates[n] < scratch.beam.bound() && scratch.is_new(slot) {
                scratch.beam.insert(estimates[n], slot, visible(slot));
            }
        }
    }

    /// Visits a compact `slot`: reads the rows of the neighbours that were not seen yet.
    #[inline(always)]
    fn visit_rows(
        &self,
        slot: u32,
        next: Option<u32>,
        query: &Query,
        visible: &impl Fn(u32) -> bool,
        scratch: &mut WalkScratch,
    ) {
        let (mut open, mut count) = ([0; BLOCK], 0);
        for &other in self.arena.neighbours(slot) {
            if scratch.is_new(other) {
                self.arena.prefetch_row(other);
                open[count] = other;
                count += 1;
            }
        }
        if let Some(next) = next {
            self.arena.prefetch_ids(next);
        }
        scratch.visits += 1;
        for &other in &open[..count] {
            self.compare(other, query, visible, scratch);
        }
    }

    /// Reads a row, which gets its place in the beam.
    #[inline(always)]
    fn compare(
        &self,
        slot: u32,
        query: &Query,
        visible: &impl Fn(u32) -> bool,
        scratch: &mut WalkScratch,
    ) {
        let row = self.arena.row(slot);
        let distance = self.arena.width().distance(self.kernels, query, row);
        if distance < scratch.beam.bound() {
            let is_visible = visible(slot);
            if is_visible {
                scratch.found.push(beam::found(distance, slot));
            } else {
                scratch.passed.push(slot);
            }
            scratch.beam.insert(distance, slot, is_visible);
        }
    }
}
