//! Approximate search over a graph whose every vertex carries its neighbours' codes.
//!
//! One vertex is one slot of an arena: its row in bytes, the numbers of its 32 neighbours and, beside
//! them, their codes relative to it (`docs/formats/graph.md` has the byte map). Visiting a vertex is
//! one fetch of neighbouring lines; it gives the vertex's own distance and estimates of all its
//! neighbours at once. Source of the layout: Gou, Gao, Xu, Long, "SymphonyQG" (SIGMOD 2025); what is
//! ours is that it grows: rows are linked in batches and taken out again, and nothing is ever rebuilt.
//!
//! ```text
//! query --rotate--> pivots (flat, 1 bit) --> beam --> slot: distance, 32 estimates --> beam ..
//! rows  --rotate--> slots --> walk, prune --> own links --> a place in each neighbour's links
//! ```
//!
//! A compact graph has no codes and rows of half a byte a component, see [`Layout`].
//!
//! The graph is a function of the rows and of how they were cut into calls: neither time nor the
//! number of threads changes a bit. Knows no ids but slots, no log, no file: the arena's bytes hold
//! slot numbers and no addresses, so whoever keeps them may write them out and map them again.

mod among;
mod arena;
pub(crate) mod beam;
mod delete;
mod frame;
mod insert;
mod layout;
mod link;
mod marks;
mod piece;
mod pivots;
mod shared;
mod sketch;
mod store;
mod team;
mod tuning;
mod walk;

use crate::arch::Kernels;
use crate::flat::Scan;
use crate::{Hit, Metric};

use arena::Arena;
pub(crate) use beam::{distance, found, key};
pub use delete::delete;
pub use frame::Frame;
pub(crate) use frame::{FrameScratch, Stretch};
pub use insert::insert;
pub use layout::{Layout, Width};
use marks::Marks;
pub use piece::Piece;
use pivots::Pivots;
pub use shared::Shared;
pub use sketch::Sketch;
pub use store::BadGraph;
pub(crate) use team::map;
pub use team::{Alone, Team};
pub use tuning::{Ranks, Tuning};
pub use walk::WalkScratch;

/// Rows that are linked together: they see the graph as it was before the first of them, and each
/// other. Fixed, because it decides the graph.
pub const BATCH: usize = 256;

/// How a graph is built. Fixed for its life, because the graph is a function of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Beam of the search that finds a new row's neighbours.
    pub ef_construct: usize,
    /// Nearest rows found by it that are looked at as neighbours.
    pub candidates: usize,
    /// Squared distances: a candidate is left out when it is nearer to a neighbour already chosen by
    /// more than this factor.
    pub alpha: f32,
    /// What a slot holds.
    pub layout: Layout,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ef_construct: 200,
            candidates: 128,
            alpha: 1.1,
            layout: Layout::Wide,
        }
    }
}

/// The graph.
pub struct Graph {
    frame: Frame,
    settings: Settings,
    arena: Arena,
    pivots: Pivots,
    deleted: Marks,
    /// Slots that the next rows get, the last one first.
    free: Vec<u32>,
    tuning: Option<Tuning>,
    kernels: &'static Kernels,
}

impl Graph {
    /// An empty graph.
    #[must_use]
    pub fn new(frame: Frame, settings: Settings) -> Self {
        let padded = frame.padded();
        Self {
            frame,
            settings,
            arena: Arena::new(padded, settings.layout),
            pivots: Pivots::new(padded),
            deleted: Marks::default(),
            free: Vec::new(),
            tuning: None,
            kernels: Kernels::get(),
        }
    }

    /// Rows that can be found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots() - self.deleted.count() - self.free.len()
    }

    /// Whether there is no row that can be found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Slots there are: of rows, of deleted rows that walks still pass through, and free ones.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.arena.len()
    }

    /// Slots that the next rows get before the graph grows.
    #[must_use]
    pub fn free_slots(&self) -> usize {
        self.free.len()
    }

    /// Bytes of one slot.
    #[must_use]
    pub fn slot_bytes(&self) -> usize {
        self.arena.slot_bytes()
    }

    /// Bytes of all slots and pivots.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.slots() * self.slot_bytes() + self.pivots.size_bytes()
    }

    /// How it is built.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// How rows are seen: dimension, metric, rotation.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The `k` nearest visible rows found by a beam of `ef`, nearest first. Scores are those of the
    /// rows as bytes, under `Ip` within a 256th of the product of the greatest lengths. Under `Cosine`
    /// the query has unit length, as the rows have.
    ///
    /// The walk goes through rows that are not visible, and goes on until `ef` visible ones were the
    /// nearest it saw: it costs about `ef` visits over the share of rows that are visible. Where few
    /// are, [`search_among`](Self::search_among) costs less.
    ///
    /// # Panics
    /// When the query has not the graph's dimension.
    #[must_use]
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        visible: impl Fn(u32) -> bool,
        scratch: &mut WalkScratch,
    ) -> Vec<Hit> {
        self.search_bounded(query, k, (ef, usize::MAX), visible, scratch)
            .expect("no walk visits so many")
    }

    /// As [`search`](Self::search) with at most `max_visits` visits; `None` when they did not
    /// suffice. Where the visible rows lie elsewhere than the query, a walk passes through many
    /// others before it is there, and only walking tells.
    ///
    /// # Panics
    /// When the query has not the graph's dimension.
    #[must_use]
    pub fn search_bounded(
        &self,
        query: &[f32],
        k: usize,
        (ef, max_visits): (usize, usize),
        visible: impl Fn(u32) -> bool,
        scratch: &mut WalkScratch,
    ) -> Option<Vec<Hit>> {
        let mut prepared = std::mem::take(&mut scratch.query);
        let frame = &mut scratch.frame;
        scratch.stretch = self.frame.query(self.kernels, query, &mut prepared, frame);
        let is_done = self.walk(&prepared, (ef.max(k), max_visits), &visible, scratch);
        scratch.query = prepared;
        is_done.then(|| self.hits(k, scratch))
    }

    /// The `k` nearest that lie in `scratch.found`.
    fn hits(&self, k: usize, scratch: &mut WalkScratch) -> Vec<Hit> {
        let stretch = scratch.stretch;
        let hits = scratch.nearest(k).map(|(slot, distance)| Hit {
            slot,
            score: self.frame.score(distance, stretch),
        });
        hits.collect()
    }

    /// As [`search`](Self::search), with the nearest `depth` found ordered again by their whole rows;
    /// scores are those of the whole rows.
    ///
    /// # Panics
    /// When the query or a row has not the graph's dimension.
    #[must_use]
    pub fn search_reranked<'r>(
        &self,
        query: &[f32],
        k: usize,
        (ef, depth): (usize, usize),
        visible: impl Fn(u32) -> bool,
        row: impl Fn(u32) -> &'r [f32],
        scratch: &mut WalkScratch,
    ) -> Vec<Hit> {
        let found = self.search(query, depth.max(k), ef, visible, scratch);
        let mut scan = Scan::new(self.metric(), query, k, &mut scratch.rerank);
        scan.slots(found.iter().map(|hit| hit.slot), row);
        scan.finish()
    }

    /// How the graph's metric orders scores.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.frame.metric()
    }
}

#[cfg(test)]
mod compact_tests;
#[cfg(test)]
mod tests;
