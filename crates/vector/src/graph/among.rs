//! Looking at given rows only: when few pass a filter, comparing them all is less work than walking
//! to them.

use crate::Hit;

use super::beam;
use super::{Graph, WalkScratch};

/// Rows that are on their way while one is compared.
const AHEAD: usize = 8;

impl Graph {
    /// The `k` nearest of the rows at `slots`, each slot once, nearest first; deleted ones are passed
    /// over. Scores are those of the rows as bytes. Costs one scattered read of a row a slot.
    ///
    /// # Panics
    /// When the query has not the graph's dimension or a slot was never given out.
    #[must_use]
    pub fn search_among(
        &self,
        query: &[f32],
        k: usize,
        slots: impl Iterator<Item = u32>,
        scratch: &mut WalkScratch,
    ) -> Vec<Hit> {
        let WalkScratch {
            query: prepared,
            frame,
            stretch,
            found,
            ..
        } = scratch;
        *stretch = self.frame.query(self.kernels, query, prepared, frame);
        found.clear();
        let mut compare = |slot: u32| {
            let vertex = self.arena.slot(slot);
            if vertex.header.flags == 0 {
                let row = (vertex.row, vertex.header.scale());
                let distance = self.arena.width().distance(self.kernels, prepared, row);
                found.push(beam::found(distance, slot));
            }
        };
        let mut waiting = [None; AHEAD];
        for (turn, slot) in slots.enumerate() {
            self.arena.prefetch_row(slot);
            if let Some(slot) = waiting[turn % AHEAD].replace(slot) {
                compare(slot);
            }
        }
        waiting.into_iter().flatten().for_each(&mut compare);
        self.hits(k, scratch)
    }
}
