//! Rows that leave the graph, for the cold lists or for good, and those that come back.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use vector::Metric;
use vector::graph::{Alone, delete, insert};

use super::linker::Linker;
use super::{BATCH_SLOTS, Linked, NONE, cold, store};
use crate::Error;
use crate::state::WholeRows;

/// Rows that are moved out of the graph at once, or a quarter of those that were where that is more: the lists are written anew
/// each time.
const COOL_ROWS: u64 = 8_192;

impl Linker {
    /// Moves the rows of the fewest answers out of the graph when it has more than it may.
    pub(super) fn cool(&self, saved: &mut u32) {
        let hot = self.dense.read().as_ref().map_or(0, Linked::hot);
        let cold = self.dense.cold().0;
        let over = hot.saturating_sub(self.hot_rows);
        let metric = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            state.metric()
        };
        // Opening refuses a limit under the inner product; logs of others come without one.
        if metric == Metric::Ip || over < COOL_ROWS.max(cold / 4) {
            return;
        }
        // A row may only be cold when the graph on disk had it: what opens finds it in one of the two.
        self.save(saved);
        if self.dense.progress().failure.is_some() {
            return;
        }
        let rows = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            state.whole_rows()
        };
        let below = rows.count().min(*saved);
        let mut chosen = match &*self.dense.read() {
            Some(linked) => linked.coldest(over as usize, below),
            None => return,
        };
        // One that trimming gave back leaves the graph by itself.
        chosen.retain(|&version| rows.has(version));
        let outcome = self.moved(&chosen, &rows);
        self.dense.progress().failure = outcome.err().map(|error| error.to_string());
    }

    fn moved(&self, chosen: &[u32], rows: &WholeRows) -> Result<(), Error> {
        let Some(last) = chosen.iter().max() else {
            return Ok(());
        };
        let bytes = match &*self.dense.read() {
            Some(linked) => {
                let frame = linked.graph.frame();
                cold::grown(linked.cold.as_ref(), frame, chosen, rows)?
            }
            None => return Ok(()),
        };
        let head = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            store::Head::of(&state, last + 1)
        };
        let files = self.dense.files();
        let cold = cold::written(self.disk.as_deref(), bytes, &head)?;
        drop(files);
        let old = match &mut *self.write() {
            Some(linked) => linked.cold.replace(cold),
            None => None,
        };
        drop(old);
        self.leave_graph(chosen);
        Ok(())
    }

    /// Takes rows that trimming gave up out of graph and lists, from the `done`th on.
    pub(super) fn forget(&self, done: &mut usize) {
        let given_up = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            state.forgotten()[*done..].to_vec()
        };
        let (mut hot, mut cold) = (Vec::new(), Vec::new());
        if let Some(linked) = &*self.dense.read() {
            for &version in &given_up {
                if version >= linked.count {
                    // Linked first: batches are the log's.
                    break;
                }
                *done += 1;
                let is_hot = linked
                    .slots
                    .get(version as usize)
                    .is_some_and(|&slot| slot != NONE);
                if is_hot { &mut hot } else { &mut cold }.push(version);
            }
        }
        self.leave_graph(&hot);
        if !cold.is_empty()
            && let Some(Linked {
                cold: Some(lists), ..
            }) = &mut *self.write()
        {
            lists.gone(&cold);
        }
    }

    /// Takes rows that are cold now out of the graph.
    pub(super) fn leave_graph(&self, versions: &[u32]) {
        for versions in versions.chunks(BATCH_SLOTS as usize) {
            let slots: Vec<u32> = match &*self.dense.read() {
                Some(linked) => versions.iter().map(|&v| linked.slots[v as usize]).collect(),
                None => return,
            };
            delete(&*self.dense, &slots, &Alone);
            if let Some(linked) = &mut *self.write() {
                linked.displace(versions);
            }
            self.code_tail();
        }
    }

    /// Links cold rows again that answers want.
    pub(super) fn warm(&self) {
        let mut warm = match &*self.dense.read() {
            Some(Linked {
                cold: Some(cold), ..
            }) => cold.warm(BATCH_SLOTS as usize),
            _ => return,
        };
        if warm.is_empty() {
            return;
        }
        let rows = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            warm.retain(|&version| state.has_row(version));
            let rows = warm.iter().flat_map(|&version| state.row(version));
            rows.copied().collect::<Vec<f32>>()
        };
        let slots = insert(&*self.dense, &rows, &Alone);
        self.sketch_rows(&slots);
        if let Some(linked) = &mut *self.write() {
            linked.place(warm.iter().copied(), &slots);
            if let Some(cold) = &mut linked.cold {
                cold.gone(&warm);
            }
        }
    }
}

impl Linked {
    /// Rows in the graph.
    fn hot(&self) -> u64 {
        self.graph.len() as u64
    }

    /// `count` versions of the graph below `below` that were in the fewest answers, the earliest first among equals. All
    /// counts are halved: what was asked long ago counts less.
    fn coldest(&self, count: usize, below: u32) -> Vec<u32> {
        let slots = self.versions.iter().zip(&self.answers);
        let mut all: Vec<(u8, u32)> = slots
            .filter(|(version, _)| **version < below)
            .map(|(&version, answers)| (answers.load(Ordering::Relaxed), version))
            .collect();
        for answers in &self.answers {
            answers.store(answers.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
        }
        let count = count.min(all.len());
        if count > 0 && count < all.len() {
            all.select_nth_unstable(count - 1);
        }
        let mut chosen: Vec<u32> = all[..count].iter().map(|&(_, version)| version).collect();
        chosen.sort_unstable();
        chosen
    }
}
