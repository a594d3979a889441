//! How many rows of the graph are ordered again by their whole rows, measured again as rows come.
//!
//! Measured at counts of linked rows alone, so that it is a function of the log as the graph is.

use std::sync::PoisonError;

use vector::graph::{Layout, Ranks, WalkScratch};

use super::linker::Linker;
use super::{Dense, Linked, NONE};

/// Share of the ten nearest that must be within the depth: a quarter of what the steered recall may lose.
pub(super) const TARGET: f32 = 0.995;
/// Queries that are asked while the state is read, so that writers never wait long.
const AT_ONCE: usize = 4;

impl Linked {
    /// Whether the graph is a compact one.
    pub(super) fn is_compact(&self) -> bool {
        self.graph.settings().layout != Layout::Wide
    }

    /// Of `k` rows asked for, those that the graph has to find.
    pub(super) fn depth(&self, k: usize) -> usize {
        self.graph.depth(k)
    }
}

impl Dense {
    /// Of ten nearest asked for, rows that are ordered again; 0 before the graph begins.
    pub(crate) fn rerank_depth(&self) -> u64 {
        self.read()
            .as_ref()
            .map_or(0, |linked| linked.depth(10) as u64)
    }
}

impl Linker {
    /// Measures when it is time, and says whether it was; `recent` are the slots that were linked last.
    pub(super) fn tune(&self, recent: &[u32]) -> bool {
        let is_due = match &*self.dense.read() {
            Some(linked) => {
                let tuning = linked.graph.tuning();
                tuning.is_none_or(|tuning| tuning.is_due(linked.count))
            }
            None => false,
        };
        if is_due {
            self.measure(recent);
        }
        is_due
    }

    /// Measures the depth on rows of the graph, half of them from `recent` where that is not empty.
    pub(super) fn measure(&self, recent: &[u32]) {
        let queries = match &*self.dense.read() {
            Some(linked) => linked.graph.questions(recent),
            None => return,
        };
        let mut ranks = Ranks::default();
        let mut scratch = WalkScratch::default();
        for queries in queries.chunks(AT_ONCE) {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            let linked = self.dense.read();
            let Some(linked) = &*linked else {
                return;
            };
            let version = |slot: u32| linked.versions.get(slot as usize).copied();
            // Rows whose version was moved are passed over; the others are there as long as their slot.
            let has_row = |slot: u32| version(slot).is_some_and(|version| version != NONE);
            // Asked of slots that `has_row` let through alone.
            let row = |slot: u32| state.row(version(slot).unwrap_or_default());
            let queries: Vec<u32> = queries.iter().copied().filter(|&q| has_row(q)).collect();
            ranks.add(&linked.graph, &queries, has_row, row, &mut scratch);
        }
        if let Some(linked) = &mut *self.write() {
            let tuning = ranks.tuning(TARGET, linked.count);
            linked.graph.set_tuning(tuning);
        }
    }
}
