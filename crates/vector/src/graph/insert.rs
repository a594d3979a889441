//! Linking rows in batches.
//!
//! ```text
//! 1 rows      brought into the frame and stored, each on its own                     in parallel
//! 2 own links each walks the graph as it was before the batch, adds the batch's      in parallel
//!             rows, prunes, writes its links
//! 3 mend      vertices that a walk came by and that lead to deleted rows             in parallel
//! 4 back      every chosen neighbour considers its newcomers, nearest first, in      in parallel
//!             a copy of its links
//! ```
//!
//! Each step reads what the steps before it stored and nothing of its own, so the order of the jobs
//! cannot show. All work is done on a graph that others read as well; only what a step made is put
//! in place alone, a few links at a time.

use std::sync::Mutex;

use crate::arch::BLOCK;
use crate::code::{Query, RowScale};

use super::arena::LinkBlock;
use super::beam;
use super::delete::mend;
use super::frame::FrameScratch;
use super::link::{Neighbour, Newcomer, write_all};
use super::team::map;
use super::{BATCH, Graph, Shared, Team, WalkScratch};

/// Vertices whose links are made before they are put in place: few, so that readers never wait long
/// for a writer, and enough to share out.
pub(super) const LINKS_AT_ONCE: usize = 128;
/// Vertices whose links are put in place while readers wait: each touches the slots of all its neighbours, some
/// microseconds.
pub(super) const PUT_AT_ONCE: usize = 8;

/// A row of the batch, in the frame.
struct Entrant {
    query: Query,
    row: Vec<u8>,
    scale: RowScale,
}

/// One link that is asked for: `(vertex, distance, entrant)`, in the order they are considered.
type Back = (u32, f32, usize);

/// Stores and links `rows` (`[n, dim]`, row-major), which every check at the door has passed;
/// under `Cosine` they have unit length. Returns their slots, in order.
///
/// Rows are linked in batches of [`BATCH`] from the start of each call; the graph depends on where the
/// batches begin, not on the team. Slots of deleted rows are used again once nothing leads to them.
///
/// # Panics
/// When `rows` is not a whole number of rows, or the graph would pass a billion slots.
pub fn insert(graph: &impl Shared, rows: &[f32], team: &dyn Team) -> Vec<u32> {
    let (dim, slots) = graph.read(|graph| (graph.frame.dim(), graph.slots()));
    assert!(rows.len().is_multiple_of(dim), "whole rows");
    assert!(slots + rows.len() / dim < 1 << 30, "a billion slots");
    let batches = rows.chunks(BATCH * dim);
    batches
        .flat_map(|batch| link_batch(graph, dim, batch, team))
        .collect()
}

fn link_batch(graph: &impl Shared, dim: usize, rows: &[f32], team: &dyn Team) -> Vec<u32> {
    let entrants = graph.read(|graph| {
        map(
            team,
            rows.len() / dim,
            &Mutex::default(),
            FrameScratch::default,
            |n, scratch| graph.entrant(&rows[n * dim..(n + 1) * dim], scratch),
        )
    });
    let mut slots: Vec<u32> = Vec::with_capacity(entrants.len());
    for entrants in entrants.chunks(PUT_AT_ONCE) {
        graph.write(|graph| slots.extend(entrants.iter().map(|entrant| graph.place(entrant))));
    }
    let own = graph.read(|graph| {
        map(
            team,
            entrants.len(),
            &Mutex::default(),
            WalkScratch::default,
            |n, scratch| {
                let chosen = graph.choose(slots[n], &entrants[n].query, &slots, scratch);
                let block = write_all(graph.kernels, &graph.arena, slots[n], &chosen);
                (chosen, block, graph.stale(scratch))
            },
        )
    });
    let mut backs: Vec<Back> = Vec::new();
    let mut stale: Vec<u32> = Vec::new();
    for (n, (chosen, _, near)) in own.iter().enumerate() {
        backs.extend(chosen.iter().map(|c| (c.slot, c.distance, n)));
        stale.extend(near);
    }
    let blocks = own.iter().map(|(_, block, _)| block);
    put(graph, slots.iter().copied().zip(blocks));
    mend(graph, stale, team);
    link_backs(graph, backs, &slots, &entrants, team);
    for &slot in &slots {
        if graph.read(|graph| graph.pivots.wants(slot)) {
            graph.write(|graph| {
                let kernels = graph.kernels;
                graph.pivots.push(kernels, slot, &graph.arena);
            });
        }
    }
    slots
}

fn link_backs(
    graph: &impl Shared,
    mut backs: Vec<Back>,
    slots: &[u32],
    entrants: &[Entrant],
    team: &dyn Team,
) {
    backs.sort_unstable_by(|a, b| {
        (a.0.cmp(&b.0))
            .then(a.1.total_cmp(&b.1))
            .then(a.2.cmp(&b.2))
    });
    let groups: Vec<&[Back]> = backs.chunk_by(|a, b| a.0 == b.0).collect();
    for groups in groups.chunks(LINKS_AT_ONCE) {
        let blocks: Vec<LinkBlock> = graph.read(|graph| {
            map(
                team,
                groups.len(),
                &Mutex::default(),
                || (),
                |n, ()| graph.considered(groups[n], slots, entrants),
            )
        });
        put(graph, groups.iter().map(|group| group[0].0).zip(&blocks));
    }
}

/// Puts links in place, a few at a time.
pub(super) fn put<'b>(graph: &impl Shared, mut links: impl Iterator<Item = (u32, &'b LinkBlock)>) {
    let mut left = true;
    while left {
        let some: Vec<_> = links.by_ref().take(PUT_AT_ONCE).collect();
        left = !some.is_empty();
        if left {
            graph.write(|graph| {
                for (vertex, block) in some {
                    graph.put_links(vertex, block);
                }
            });
        }
    }
}

impl Graph {
    fn entrant(&self, row: &[f32], scratch: &mut FrameScratch) -> Entrant {
        let values = self.frame.bring(self.kernels, row, scratch);
        let mut query = Query::default();
        query.set(self.kernels, values);
        let (row, scale) = self.arena.width().encode(self.kernels, values);
        Entrant { query, row, scale }
    }

    /// Stores a row that no walk finds, only comparing.
    pub(super) fn place_unlinked(&mut self, row: &[f32]) {
        let entrant = self.entrant(row, &mut FrameScratch::default());
        self.place(&entrant);
    }

    /// Stores a row in a free slot or a new one.
    fn place(&mut self, entrant: &Entrant) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| self.arena.grow());
        self.arena.set_row(slot, entrant.scale, &entrant.row);
        slot
    }

    /// The neighbours of the row at `slot`, a row of `batch`.
    fn choose(
        &self,
        slot: u32,
        query: &Query,
        batch: &[u32],
        scratch: &mut WalkScratch,
    ) -> Vec<Neighbour> {
        let effort = (self.settings.ef_construct, usize::MAX);
        self.walk(query, effort, &|_| true, scratch);
        let own = self.arena.width().own(self.arena.row(slot));
        for &other in batch.iter().filter(|&&other| other != slot) {
            let distance = own.distance(self.kernels, self.arena.row(other));
            scratch.found.push(beam::found(distance, other));
        }
        let candidates: Vec<(f32, u32)> = scratch
            .nearest(self.settings.candidates)
            .map(|(slot, distance)| (distance, slot))
            .collect();
        self.prune(&candidates)
    }

    /// The links of one vertex after all its newcomers.
    fn considered(&self, group: &[Back], slots: &[u32], entrants: &[Entrant]) -> LinkBlock {
        let vertex = group[0].0;
        let mut block = self.arena.copy_links(vertex);
        for &(_, distance, n) in group {
            let newcomer = Newcomer {
                slot: slots[n],
                distance,
                query: &entrants[n].query,
            };
            self.link_back(vertex, &mut block, &newcomer);
        }
        block
    }

    /// Stores a vertex's links and keeps count of where links lead.
    pub(super) fn put_links(&mut self, slot: u32, block: &LinkBlock) {
        let new = &block.links().ids[..block.count as usize];
        let mut old = [0; BLOCK];
        let old_count = self.arena.neighbours(slot).len();
        old[..old_count].copy_from_slice(self.arena.neighbours(slot));
        self.arena.set_links(slot, block);
        for place in 0..new.len().max(old_count) {
            let (before, after) = (old[..old_count].get(place), new.get(place));
            if before != after {
                if let Some(&after) = after {
                    self.arena.header_mut(after).links_in += 1;
                }
                if let Some(&before) = before {
                    self.unlink(before);
                }
            }
        }
    }
}
