//! How many of the rows that a walk finds are ordered again by their whole rows, by measured recall.
//!
//! A graph knows its rows rounded, so the ten nearest lie somewhat below rank ten in the order of the
//! rounded rows. How far below is counted on rows of the graph as queries, themselves left out; the depth is the
//! least within which enough of the truth lies. It is measured on a sample before the first row is linked and
//! again as rows come ([`Tuning::is_due`]), half of the queries from the newest: data that drifts shows there first.
//! What the depth cannot mend, because codes were made for other data, only building anew does.

use stdx::Rng;

use super::{Frame, Graph, Settings, WalkScratch};
use crate::flat::Scan;

/// Nearest rows that are asked for.
const K: usize = 10;
/// Rows that serve as queries.
const QUERIES: usize = 128;
/// Rows whose order is looked at; what lies farther down is lost at any depth.
const DEPTH_MOST: usize = 160;
/// Up to so many slots all rows are compared; beyond, a wide walk stands for that.
const COMPARED: usize = 16_384;
const WIDE_BEAM: usize = 512;
/// It is measured again when a quarter more rows have come, and no fewer than this.
const AGAIN_ROWS: u32 = 16_384;

/// What was measured, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// Of ten nearest asked for, rows that are ordered again; ten where the rounded rows suffice.
    pub depth: u32,
    /// Share of the ten nearest within it. Less than was asked for where no depth reaches that.
    pub recall: f32,
    /// Rows that had come when it was measured.
    pub rows: u32,
}

impl Tuning {
    /// Whether enough rows have come since, `rows` in all, to measure again.
    #[must_use]
    pub fn is_due(&self, rows: u32) -> bool {
        rows.saturating_sub(self.rows) >= AGAIN_ROWS.max(self.rows / 4)
    }
}

/// How far down the order of rounded rows the true nearest were.
#[derive(Clone, Debug)]
pub struct Ranks {
    /// Of the true nearest, those at each rank.
    counts: Vec<u32>,
    total: u32,
}

impl Default for Ranks {
    fn default() -> Self {
        Self {
            counts: vec![0; DEPTH_MOST],
            total: 0,
        }
    }
}

impl Ranks {
    /// Ranks of rows of `sample` (`[n, dim]`, row-major) among the others, as a graph with these settings would
    /// round them.
    ///
    /// # Panics
    /// When the sample is not whole rows.
    #[must_use]
    pub fn of_sample(frame: &Frame, settings: Settings, sample: &[f32]) -> Self {
        let dim = frame.dim();
        assert!(sample.len().is_multiple_of(dim), "whole rows");
        let mut graph = Graph::new(frame.clone(), settings);
        let few = sample.chunks_exact(dim).take(COMPARED);
        few.for_each(|row| graph.place_unlinked(row));
        let mut ranks = Self::default();
        let row = |slot: u32| &sample[slot as usize * dim..][..dim];
        ranks.add(
            &graph,
            &graph.questions(&[]),
            |_| true,
            row,
            &mut WalkScratch::default(),
        );
        ranks
    }

    /// Adds the ranks around the rows at `queries`. `row` gives whole rows by slot, of those that are `visible`.
    ///
    /// # Panics
    /// When a slot was never given out, or a row has not the graph's dimension.
    pub fn add<'r>(
        &mut self,
        graph: &Graph,
        queries: &[u32],
        visible: impl Fn(u32) -> bool,
        row: impl Fn(u32) -> &'r [f32],
        scratch: &mut WalkScratch,
    ) {
        let slots = graph.slots() as u32;
        for &query in queries {
            let asked = row(query);
            let other = |slot: u32| slot != query && visible(slot);
            let is_small = slots as usize <= COMPARED;
            let found = if is_small {
                graph.search_among(asked, DEPTH_MOST, (0..slots).filter(|&s| other(s)), scratch)
            } else {
                graph.search(asked, WIDE_BEAM, WIDE_BEAM, other, scratch)
            };
            let mut scan = Scan::new(graph.metric(), asked, K, &mut scratch.rerank);
            if is_small {
                let live = |slot: &u32| other(*slot) && graph.is_live(*slot);
                scan.slots((0..slots).filter(live), &row);
            } else {
                scan.slots(found.iter().map(|hit| hit.slot), &row);
            }
            let truth = scan.finish();
            for (rank, hit) in found.iter().take(DEPTH_MOST).enumerate() {
                let is_true = truth.iter().any(|other| other.slot == hit.slot);
                self.counts[rank] += u32::from(is_true);
            }
            self.total += truth.len() as u32;
        }
    }

    /// The least depth within which `target` of the truth lies, `rows` rows having come; that at which no more
    /// is gained where none is enough.
    #[must_use]
    pub fn tuning(&self, target: f32, rows: u32) -> Tuning {
        let recall = |depth: usize| {
            let within: u32 = self.counts[..depth].iter().sum();
            if self.total == 0 {
                1.0
            } else {
                within as f32 / self.total as f32
            }
        };
        let most = recall(DEPTH_MOST);
        let is_enough = |&depth: &usize| recall(depth) >= target.min(most);
        let depth = (K..DEPTH_MOST).find(is_enough).unwrap_or(DEPTH_MOST);
        Tuning {
            depth: depth as u32,
            recall: recall(depth),
            rows,
        }
    }
}

impl Graph {
    /// Slots of rows that serve as queries: half of them among `recent`, where there are such, the others
    /// among all. Drawn from the frame's seed and the number of slots.
    #[must_use]
    pub fn questions(&self, recent: &[u32]) -> Vec<u32> {
        let slots = self.slots() as u64;
        let mut rng = Rng::new(self.frame().seed() ^ slots);
        let mut drawn: Vec<u32> = (0..QUERIES)
            .filter_map(|n| match (n % 2, recent.len() as u64, slots) {
                (1, 1.., _) => Some(recent[rng.below(recent.len() as u64) as usize]),
                (_, _, 0) => None,
                _ => Some(rng.below(slots) as u32),
            })
            .collect();
        drawn.retain(|&slot| self.is_live(slot));
        drawn.sort_unstable();
        drawn.dedup();
        drawn
    }

    fn is_live(&self, slot: u32) -> bool {
        self.arena.slot(slot).header.flags == 0
    }

    /// What was measured last; `None` of a graph of which nothing was.
    #[must_use]
    pub fn tuning(&self) -> Option<Tuning> {
        self.tuning
    }

    /// Keeps what was measured.
    pub fn set_tuning(&mut self, tuning: Tuning) {
        self.tuning = Some(tuning);
    }

    /// Of `k` nearest asked for, the rows to order again by their whole rows: as measured, or half as many more where
    /// nothing was.
    #[must_use]
    pub fn depth(&self, k: usize) -> usize {
        match self.tuning {
            Some(tuning) => k + (k * (tuning.depth as usize).saturating_sub(K)).div_ceil(K),
            None => k + k / 2 + 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_is_the_least_that_holds_the_target() {
        let mut ranks = Ranks::default();
        ranks.counts[..10].fill(9);
        (ranks.counts[11], ranks.counts[20], ranks.total) = (6, 3, 100);
        let at = |target| ranks.tuning(target, 7);
        assert_eq!((at(0.5).depth, at(0.9).depth), (10, 10));
        assert_eq!((at(0.95).depth, at(0.97).depth), (12, 21));
        let short = at(0.999);
        assert_eq!((short.depth, short.recall, short.rows), (21, 0.99, 7));
        assert_eq!(Ranks::default().tuning(0.99, 0).depth, 10);
    }

    #[test]
    fn it_is_measured_again_as_rows_come() {
        let at = |rows| Tuning {
            depth: 10,
            recall: 1.0,
            rows,
        };
        assert!(!at(4_096).is_due(20_479) && at(4_096).is_due(20_480));
        assert!(!at(400_000).is_due(499_999) && at(400_000).is_due(500_000));
    }
}
