//! A graph whose codes were made for other data is made anew beside the one that answers.
//!
//! Centre, rotation and width of a graph are chosen from the rows that were there when it began. Data drifts: what has
//! come since may lie far from that centre, and then codes say little and many more rows must be ordered again. Each
//! time the depth is measured again ([`Linker::tune`]), a sample over all rows of the graph is ranked by the graph's own
//! frame and by one made from that sample. Where the new one needs half the depth, or reaches what the old one cannot, a
//! second graph is linked with it, a batch at a time between those that arrive, and takes the place of the first when it
//! has all its rows. Until then the first answers as ever, and both take memory.
//!
//! Meanwhile no row moves between memory and disk, and what trimming gave up stays in the graph.

use std::sync::PoisonError;

use vector::graph::{Alone, Frame, Graph, Layout, Ranks, Settings, Sketch, Tuning};

use super::linker::{Linker, SEED, rows};
use super::tuning::TARGET;
use super::{BATCH_SLOTS, LINK_FROM, Linked, NONE};

/// The old frame may need so many times the depth of a new one.
const DEPTH_FACTOR: u32 = 2;
/// Recall that a new frame must gain where no depth of the old one reaches the target.
const RECALL_GAIN: f32 = 0.005;

/// A graph that is being made.
pub(super) struct Renewal {
    linked: Linked,
    /// Versions below are in it, if they were in the other.
    done: u32,
}

impl Linker {
    /// A new graph to be made, if the rows of now want one.
    pub(super) fn renewal(&self) -> Option<Renewal> {
        let (old, settings, sample) = self.sampled()?;
        let frame = Frame::new(old.metric(), old.dim(), &sample, SEED);
        let layout = if self.compact {
            Layout::compact(&frame, &sample, TARGET)
        } else {
            Layout::Wide
        };
        let renewed = Settings { layout, ..settings };
        let ranked =
            |frame: &Frame, settings| Ranks::of_sample(frame, settings, &sample).tuning(TARGET, 0);
        let (before, after) = (ranked(&old, settings), ranked(&frame, renewed));
        (is_worth(before, after)).then(|| {
            let mut graph = Graph::new(frame, renewed);
            graph.set_tuning(after);
            Renewal {
                linked: Linked::new(graph, Vec::new(), 0),
                done: 0,
            }
        })
    }

    /// The frame and settings of the graph, and rows of it, as many as a graph begins with, all over the versions.
    fn sampled(&self) -> Option<(Frame, Settings, Vec<f32>)> {
        let (frame, settings, mut versions) = match &*self.dense.read() {
            Some(linked) => (
                linked.graph.frame().clone(),
                linked.graph.settings(),
                linked.hot_versions(0..linked.count),
            ),
            None => return None,
        };
        let all = versions.len();
        let step = (all / LINK_FROM as usize).max(1);
        let mut at = 0;
        versions.retain(|_| {
            at += 1;
            (at - 1) % step == 0
        });
        let sample = self.rows_there(&mut versions);
        (all >= LINK_FROM as usize).then_some((frame, settings, sample))
    }

    /// Links one more batch of a new graph; true when it has taken the other's place.
    pub(super) fn renew(&self, renewal: &mut Renewal) -> bool {
        let batch = match &*self.dense.read() {
            Some(linked) => {
                let end = linked.count.min(renewal.done + BATCH_SLOTS);
                (renewal.done..end, linked.hot_versions(renewal.done..end))
            }
            // The other was lost: what is made anew then begins with the rows of now.
            None => return true,
        };
        let (batch, mut versions) = batch;
        if batch.is_empty() {
            self.put_in_place(renewal);
            return true;
        }
        let rows = self.rows_there(&mut versions);
        let slots = renewal.linked.graph.insert(&rows, &Alone);
        renewal.linked.add(batch.clone(), &versions, &slots);
        renewal.done = batch.end;
        false
    }

    fn put_in_place(&self, renewal: &mut Renewal) {
        let empty = Graph::new(
            renewal.linked.graph.frame().clone(),
            renewal.linked.graph.settings(),
        );
        let mut linked = std::mem::replace(&mut renewal.linked, Linked::new(empty, Vec::new(), 0));
        linked.sketch = (!linked.is_compact()).then(|| Sketch::of(&linked.graph));
        let old = match &mut *self.write() {
            Some(old) => {
                linked.cold = old.cold.take();
                std::mem::replace(old, linked)
            }
            None => return,
        };
        // Its memory is given back while nothing is locked.
        drop(old);
        self.code_tail();
        self.measure(&[]);
        self.dense.progress().renewed += 1;
    }

    /// The rows of those versions whose rows were not given back; the others are taken out.
    fn rows_there(&self, versions: &mut Vec<u32>) -> Vec<f32> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        versions.retain(|&version| state.has_row(version));
        drop(state);
        rows(&self.state, versions.iter().copied())
    }
}

impl Linked {
    /// Those of the versions that are in the graph.
    fn hot_versions(&self, versions: std::ops::Range<u32>) -> Vec<u32> {
        let is_hot = |&version: &u32| self.slots[version as usize] != NONE;
        versions.filter(is_hot).collect()
    }
}

fn is_worth(before: Tuning, after: Tuning) -> bool {
    let misses = before.recall < TARGET && after.recall >= before.recall + RECALL_GAIN;
    misses || (after.recall >= TARGET && before.depth >= DEPTH_FACTOR * after.depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_frame_must_be_worth_it() {
        let tuning = |depth, recall| Tuning {
            depth,
            recall,
            rows: 0,
        };
        assert!(!is_worth(tuning(20, 0.999), tuning(11, 0.999)));
        assert!(is_worth(tuning(30, 0.999), tuning(15, 0.999)));
        assert!(is_worth(tuning(160, 0.9), tuning(160, 0.95)));
        assert!(!is_worth(tuning(160, 0.9), tuning(160, 0.902)));
    }
}
