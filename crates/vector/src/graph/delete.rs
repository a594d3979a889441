//! Taking rows out, in place.
//!
//! A deleted row is hidden at once. Then the vertices that lead to it are looked for where they must
//! be, around it, and each gets in its place the nearest of the deleted one's neighbours that it
//! does not have yet. What leads to it from elsewhere stays and is passed through like any vertex,
//! until the linker comes by for a newcomer or another deletion and mends it the same way. When the
//! last link has gone, the slot is free for the next row. Source of the idea: Xu et al., "In-Place Updates of a Graph
//! Index for Streaming Approximate Nearest Neighbor Search" (2025).

use std::sync::Mutex;

use crate::code::Query;

use super::arena::{DELETED, FREE, LinkBlock};
use super::insert::{LINKS_AT_ONCE, put};
use super::link::write;
use super::team::map;
use super::{BATCH, Graph, Shared, Team, WalkScratch};

/// Hides the rows at `slots` and takes the links to them out. Slots that hold no row are passed
/// over. The graph depends on where the batches of [`BATCH`] begin, not on the team.
///
/// # Panics
/// When a slot was never given out.
pub fn delete(graph: &impl Shared, slots: &[u32], team: &dyn Team) {
    for batch in slots.chunks(BATCH) {
        let gone = graph.write(|graph| graph.hide(batch));
        let around: Vec<Vec<u32>> = graph.read(|graph| {
            map(
                team,
                gone.len(),
                &Mutex::default(),
                WalkScratch::default,
                |n, scratch| graph.stale_around(gone[n], scratch),
            )
        });
        mend(graph, around.into_iter().flatten().collect(), team);
        graph.write(|graph| gone.iter().for_each(|&slot| graph.free_if_alone(slot)));
    }
}

/// Takes the links to deleted rows out of `vertices`.
pub(super) fn mend(graph: &impl Shared, mut vertices: Vec<u32>, team: &dyn Team) {
    vertices.sort_unstable();
    vertices.dedup();
    for vertices in vertices.chunks(LINKS_AT_ONCE) {
        let blocks: Vec<LinkBlock> = graph.read(|graph| {
            map(
                team,
                vertices.len(),
                &Mutex::default(),
                || (),
                |n, ()| graph.without_deleted(vertices[n]),
            )
        });
        put(graph, vertices.iter().copied().zip(&blocks));
    }
}

impl Graph {
    /// Marks the rows of a batch as deleted and returns their slots.
    fn hide(&mut self, batch: &[u32]) -> Vec<u32> {
        let mut gone: Vec<u32> = batch.to_vec();
        gone.sort_unstable();
        gone.dedup();
        gone.retain(|&slot| self.arena.slot(slot).header.flags == 0);
        for &slot in &gone {
            self.arena.header_mut(slot).flags = DELETED;
            self.deleted.set(slot, true);
        }
        for &slot in &gone {
            self.replace_pivot(slot);
        }
        // No link from deleted to deleted: a row that is held by one more link than was found would
        // hold others, and those others, and nearly nothing would be free in the end.
        let deleted: Vec<u32> = self.deleted.iter().collect();
        for slot in deleted {
            if self.deleted.first_of(self.arena.neighbours(slot)).is_some() {
                let block = self.without_deleted(slot);
                self.put_links(slot, &block);
            }
        }
        gone
    }

    /// Vertices near `slot` that have links to deleted rows.
    fn stale_around(&self, slot: u32, scratch: &mut WalkScratch) -> Vec<u32> {
        let mut query = std::mem::take(&mut scratch.query);
        self.row_as_query(slot, &mut query);
        let effort = (self.settings.ef_construct, usize::MAX);
        self.walk(&query, effort, &|_| true, scratch);
        scratch.query = query;
        self.stale(scratch)
    }

    /// Vertices of the last walk that have links to deleted rows.
    pub(super) fn stale(&self, scratch: &WalkScratch) -> Vec<u32> {
        if self.deleted.count() == 0 {
            return Vec::new();
        }
        let found = scratch.found.iter().map(|&found| found as u32);
        let all = found.chain(scratch.passed.iter().copied());
        let is_stale = |slot: &u32| {
            self.deleted
                .first_of(self.arena.neighbours(*slot))
                .is_some()
        };
        all.filter(is_stale).collect()
    }

    /// Gives the place of a deleted pivot to the next live row that is none.
    fn replace_pivot(&mut self, slot: u32) {
        if !self.pivots.has(slot) {
            return;
        }
        let slots = self.slots() as u32;
        let others = (slot + 1..slots).chain(0..slot);
        let mut live = others.filter(|&other| self.arena.slot(other).header.flags == 0);
        let other = live.find(|&other| !self.pivots.has(other));
        self.pivots.replace(self.kernels, slot, other, &self.arena);
    }

    fn row_as_query(&self, slot: u32, query: &mut Query) {
        let (row, scale) = self.arena.width().widened(self.arena.row(slot));
        let values: Vec<f32> = row
            .iter()
            .map(|&byte| (f32::from(byte) - 128.0) * scale.step)
            .collect();
        query.set(self.kernels, &values);
    }

    /// The links of `vertex` with something better in the place of each deleted one.
    fn without_deleted(&self, vertex: u32) -> LinkBlock {
        let mut block = self.arena.copy_links(vertex);
        while let Some(place) = self.deleted.first_of(block.ids()) {
            let gone = block.links().ids[place];
            // What is deleted itself only loses links: one deleted row must not hold others.
            let other = (!self.deleted.has(vertex)).then(|| self.substitute(vertex, gone, &block));
            match other.flatten() {
                Some(other) => {
                    write(self.kernels, &self.arena, vertex, place, other, &mut block);
                    block.weak &= !(1 << place);
                }
                None => block.remove(place),
            }
        }
        block
    }

    /// The neighbour of `gone` that is nearest to `vertex` and not linked yet.
    fn substitute(&self, vertex: u32, gone: u32, block: &LinkBlock) -> Option<u32> {
        let own = self.arena.width().own(self.arena.row(vertex));
        let linked = block.ids();
        let others = self.arena.neighbours(gone).iter().copied();
        let others = others
            .filter(|&other| {
                other != vertex && !self.deleted.has(other) && !linked.contains(&other)
            })
            .map(|other| (own.distance(self.kernels, self.arena.row(other)), other));
        let nearest = others.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        nearest.map(|(_, other)| other)
    }

    /// One link less leads to `slot`.
    pub(super) fn unlink(&mut self, slot: u32) {
        self.arena.header_mut(slot).lose_link();
        self.free_if_alone(slot);
    }

    /// Frees a deleted slot that nothing leads to, and what only it led to.
    fn free_if_alone(&mut self, slot: u32) {
        let mut waiting = vec![slot];
        while let Some(slot) = waiting.pop() {
            let header = self.arena.header_mut(slot);
            if header.flags != DELETED || header.links_in > 0 {
                continue;
            }
            header.flags = FREE;
            let neighbours = self.arena.neighbours(slot).to_vec();
            self.arena.header_mut(slot).count = 0;
            for other in neighbours {
                self.arena.header_mut(other).lose_link();
                waiting.push(other);
            }
            self.deleted.set(slot, false);
            self.free.push(slot);
        }
    }
}
