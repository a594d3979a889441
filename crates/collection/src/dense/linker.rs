//! The thread that links what arrived, a batch at a time, and writes the graph out now and then.

use std::sync::{Arc, PoisonError, RwLock};

use vector::Metric;
use vector::graph::{Alone, Frame, Graph, Settings, insert};

use super::{BATCH_SLOTS, Dense, LINK_FROM, Linked, Progress, store};
use crate::Error;
use crate::checkpoint::Sections;
use crate::disk::Disk;
use crate::state::State;

/// What the rotation is made from: any number, but always the same one.
const SEED: u64 = 0x0075_7a65_6c00;
/// The graph is written out when it has grown by a quarter, and by no less than this.
const SAVE_ROWS: u32 = 16_384;

/// Rows that get their codes while readers wait; fewer are compared whole.
const CODED_AT_ONCE: u32 = 16;

/// What the linker works with.
pub(crate) struct Linker {
    pub dense: Arc<Dense>,
    pub state: Arc<RwLock<State>>,
    /// Where the graph is kept; `None` where nothing is.
    pub disk: Option<Arc<dyn Disk>>,
    /// Makes durable what was applied.
    pub sync: Box<dyn Fn() -> Result<u64, Error> + Send>,
    /// What was opened and not verified yet.
    pub unverified: Option<Sections>,
}

impl Linker {
    /// The body of the thread; returns after [`Dense::close`]. Nobody waits for it: rows that it has not reached are
    /// found in the tail.
    pub(crate) fn run(mut self) {
        let dense = Arc::clone(&self.dense);
        let _ended = Ended(&dense);
        self.verify();
        dense.progress().verified = true;
        let mut saved = dense.linked_count();
        loop {
            match next(&dense) {
                Next::Batch(from) => self.link(from),
                Next::Save(asked) => {
                    self.save(&mut saved);
                    dense.progress().saves_done = asked;
                    dense.changed.notify_all();
                    continue;
                }
                Next::End => break,
            }
            let linked = dense.linked_count();
            if linked - saved >= SAVE_ROWS.max(saved / 4) {
                self.save(&mut saved);
            }
        }
        let unsaved = dense.linked_count() - saved;
        if unsaved >= LINK_FROM.max(saved / 16) {
            self.save(&mut saved);
        }
    }

    /// A graph that is not what was written is made anew: the rows are all there.
    fn verify(&mut self) {
        let (Some(file), Some(disk)) = (self.unverified.take(), &self.disk) else {
            return;
        };
        if store::verify(&file, &**disk).unwrap_or(false) {
            return;
        }
        *self
            .dense
            .linked
            .write()
            .unwrap_or_else(PoisonError::into_inner) = None;
        let mut progress = self.dense.progress();
        progress.linked = 0;
        progress.rebuilt = true;
    }

    fn link(&self, from: u32) {
        let dense = &*self.dense;
        if from == 0 {
            begin(dense, &self.state);
        }
        self.code_tail();
        let rows = rows(&self.state, from..from + BATCH_SLOTS);
        let slots = insert(dense, &rows, &Alone);
        let mut linked = dense.linked.write().unwrap_or_else(PoisonError::into_inner);
        linked
            .as_mut()
            .expect("begun with the first batch")
            .add(from, &slots);
        drop(linked);
        dense.progress().linked = from + BATCH_SLOTS;
        dense.changed.notify_all();
    }

    /// Gives the rows that came since codes in the tail, few at a time, so that readers never wait long.
    fn code_tail(&self) {
        loop {
            let from = match &*self.dense.read() {
                Some(linked) => linked.coded(),
                None => return,
            };
            let arrived = self.dense.progress().arrived;
            let to = from + CODED_AT_ONCE;
            if arrived < to {
                return;
            }
            let rows = rows(&self.state, from..to);
            let mut linked = self
                .dense
                .linked
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(linked) = &mut *linked {
                let dim = linked.graph.frame().dim();
                for (slot, row) in (from..to).zip(rows.chunks_exact(dim)) {
                    linked.tail.push(slot, row);
                }
            }
        }
    }

    /// Writes the graph. Readers go on; what arrives meanwhile waits in the tail.
    fn save(&self, saved: &mut u32) {
        let Some(disk) = &self.disk else {
            return;
        };
        // Whatever comes of it, it is tried again as the graph grows.
        *saved = self.dense.linked_count();
        if *saved == 0 {
            return;
        }
        let outcome = (self.sync)().and_then(|_| {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            let head = store::Head::of(&state, *saved);
            drop(state);
            store::write(&**disk, &self.dense, &head, || self.code_tail())
        });
        self.dense.progress().failure = outcome.err().map(|error| error.to_string());
    }
}

enum Next {
    Batch(u32),
    Save(u64),
    End,
}

/// What to do next, as soon as there is something.
fn next(dense: &Dense) -> Next {
    let idle = |progress: &mut Progress| {
        !progress.closing && !progress.has_batch() && progress.saves_asked == progress.saves_done
    };
    let progress = dense.changed.wait_while(dense.progress(), idle);
    let progress = progress.unwrap_or_else(PoisonError::into_inner);
    if progress.saves_asked > progress.saves_done {
        Next::Save(progress.saves_asked)
    } else if progress.closing {
        Next::End
    } else {
        Next::Batch(progress.linked)
    }
}

/// Makes the graph, its frame from the rows that are there when it begins.
fn begin(dense: &Dense, state: &RwLock<State>) {
    let sample = rows(state, 0..LINK_FROM);
    let (metric, dim) = {
        let state = state.read().unwrap_or_else(PoisonError::into_inner);
        (state.metric(), state.dim())
    };
    debug_assert!(metric != Metric::Ip, "no linker is started for it");
    let frame = Frame::new(metric, dim, &sample, SEED);
    let linked = Linked::new(Graph::new(frame, Settings::default()), Vec::new(), 0);
    *dense.linked.write().unwrap_or_else(PoisonError::into_inner) = Some(linked);
}

/// The rows of these slots, one behind the other.
fn rows(state: &RwLock<State>, slots: std::ops::Range<u32>) -> Vec<f32> {
    let state = state.read().unwrap_or_else(PoisonError::into_inner);
    let mut rows = Vec::with_capacity(slots.len() * state.dim());
    slots.for_each(|slot| rows.extend_from_slice(state.row(slot)));
    rows
}

impl Linked {
    /// The versions from `from` on have these graph slots, in order.
    fn add(&mut self, from: u32, slots: &[u32]) {
        self.versions.resize(self.graph.slots(), u32::MAX);
        for (version, &slot) in (from..).zip(slots) {
            self.versions[slot as usize] = version;
        }
        self.count = from + slots.len() as u32;
        // They were coded before they were linked, but for the last few.
        self.tail.remove_front(slots.len().min(self.tail.len()));
    }
}

/// Lets go who waits for the linker, also when it unwinds.
struct Ended<'a>(&'a Dense);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.progress().ended = true;
        self.0.changed.notify_all();
    }
}
