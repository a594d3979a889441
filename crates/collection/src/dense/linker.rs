//! The thread that links what arrived, a batch at a time, and writes the graph out now and then.

use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use vector::graph::{Alone, Frame, Graph, Layout, Ranks, Settings, Sketch, insert};

use super::renew::Renewal;
use super::tuning::TARGET;
use super::{BATCH_SLOTS, CODED_AT_ONCE, Dense, LINK_FROM, Linked, NONE, Progress, store};
use crate::Error;
use crate::checkpoint::Sections;
use crate::disk::Disk;
use crate::state::State;

/// What the rotation is made from: any number, but always the same one.
pub(super) const SEED: u64 = 0x0075_7a65_6c00;
/// The graph is written out when it has grown by a quarter, and by no less than this.
const SAVE_ROWS: u32 = 16_384;

/// The linker's nice value: a tenth of a processor where others want all of it.
#[cfg(target_os = "linux")]
const GIVES_WAY: i32 = 10;

/// What the linker works with.
pub(crate) struct Linker {
    pub dense: Arc<Dense>,
    pub state: Arc<RwLock<State>>,
    /// Where the graph is kept; `None` where nothing is.
    pub disk: Option<Arc<dyn Disk>>,
    /// Makes durable what was applied.
    pub sync: Box<dyn Fn() -> Result<u64, Error> + Send>,
    /// What was opened and not verified yet.
    pub unverified: Vec<Sections>,
    /// Rows that the graph may have before some are moved out of it.
    pub hot_rows: u64,
    /// Whether the graph is to be a compact one.
    pub compact: bool,
}

impl Linker {
    /// The body of the thread; returns after [`Dense::close`]. Nobody waits for it: rows that it has not reached are
    /// found in the tail.
    pub(crate) fn run(mut self) {
        let dense = Arc::clone(&self.dense);
        let _ended = Ended(&dense);
        give_way();
        self.verify();
        self.suit();
        self.sketch();
        dense.progress().verified = true;
        let mut saved = dense.linked_count();
        let mut forgotten = 0;
        let mut renewal = None;
        serve(&dense, |turn| {
            match turn {
                Turn::Code => return self.code(),
                Turn::Link(from) => self.link(from, &mut renewal),
                Turn::Renew => {}
                Turn::Save => return self.save(&mut saved),
            }
            let linked = dense.linked_count();
            if linked - saved >= SAVE_ROWS.max(saved / 4) {
                self.save(&mut saved);
            }
            if let Some(new) = &mut renewal {
                if self.renew(new) {
                    renewal = None;
                    self.save(&mut saved);
                    dense.renewing(false);
                }
                return;
            }
            self.forget(&mut forgotten);
            self.warm();
            self.cool(&mut saved);
        });
        let unsaved = dense.linked_count() - saved;
        if unsaved >= LINK_FROM.max(saved / 16) {
            self.save(&mut saved);
        }
    }

    /// What is not what was written is made anew: the rows are all there.
    fn verify(&mut self) {
        let files = std::mem::take(&mut self.unverified);
        let Some(disk) = &self.disk else {
            return;
        };
        // One that is damaged and cannot be put aside is damaged all the same.
        let is_whole = |file: &Sections| store::verify(file, &**disk).unwrap_or(false);
        if !files.iter().all(is_whole) {
            self.begin_anew();
            return;
        }
        // Rows that were moved after the graph was written are in both.
        let both: Vec<u32> = match &*self.dense.read() {
            Some(Linked {
                cold: Some(cold),
                slots,
                ..
            }) => (0..slots.len() as u32)
                .filter(|&version| slots[version as usize] != NONE && cold.has(version))
                .collect(),
            _ => return,
        };
        self.leave_graph(&both);
    }

    /// A graph that was made compact, or was not, and is to be the other is made anew.
    fn suit(&self) {
        let is_other = match &*self.dense.read() {
            Some(linked) => linked.is_compact() != self.compact,
            None => false,
        };
        if is_other {
            self.begin_anew();
        }
    }

    fn begin_anew(&self) {
        *self.write() = None;
        let mut progress = self.dense.progress();
        (progress.linked, progress.saved, progress.coded) = (0, 0, 0);
        progress.rebuilt = true;
    }

    /// Makes the sketches of a graph that was opened; until then rows that pass a filter are read whole.
    fn sketch(&self) {
        let sketch = match &*self.dense.read() {
            Some(linked) if !linked.is_compact() => Sketch::of(&linked.graph),
            _ => return,
        };
        if let Some(linked) = &mut *self.write() {
            linked.sketch = Some(sketch);
        }
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Option<Linked>> {
        let linked = self.dense.linked.write();
        linked.unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the rows that came since codes, where no graph is made of them.
    fn code(&self) {
        let is_begun = self.dense.read().is_some();
        if !is_begun {
            begin(&self.dense, &self.state, self.compact);
        }
        self.code_tail();
    }

    fn link(&self, from: u32, renewal: &mut Option<Renewal>) {
        let dense = &*self.dense;
        self.code();
        let batch = from..from + BATCH_SLOTS;
        // All of them, unless the graph was lost after trimming had given rows back.
        let versions = there(&self.state, batch.clone(), usize::MAX);
        let rows = rows(&self.state, versions.iter().copied());
        let slots = insert(dense, &rows, &Alone);
        self.sketch_rows(&slots);
        if let Some(linked) = &mut *self.write() {
            linked.add(batch, &versions, &slots);
        }
        if self.tune(&slots) && renewal.is_none() {
            *renewal = self.renewal();
            // Before it is said to be linked: who waits for that waits for the new graph too.
            dense.renewing(renewal.is_some());
        }
        dense.linked_to(from + BATCH_SLOTS);
    }

    /// Makes the sketches of rows that were linked.
    pub(super) fn sketch_rows(&self, slots: &[u32]) {
        for slots in slots.chunks(CODED_AT_ONCE as usize) {
            if let Some(Linked {
                sketch: Some(sketch),
                graph,
                ..
            }) = &mut *self.write()
            {
                slots.iter().for_each(|&slot| sketch.take(graph, slot));
            }
        }
    }

    /// Gives the rows that came since codes in the tail, few at a time, so that readers never wait long.
    pub(super) fn code_tail(&self) {
        loop {
            let from = match &*self.dense.read() {
                Some(linked) => linked.coded(),
                None => return,
            };
            let to = from + CODED_AT_ONCE;
            let progress = self.dense.progress();
            if progress.arrived < to || progress.closing {
                return;
            }
            drop(progress);
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
            drop(linked);
            self.dense.coded_to(to);
        }
    }

    /// Writes the graph. Readers go on; what arrives meanwhile waits in the tail.
    pub(super) fn save(&self, saved: &mut u32) {
        let Some(disk) = &self.disk else {
            return;
        };
        // Whatever comes of it, it is tried again as the graph grows.
        *saved = self.dense.linked_count();
        if *saved == 0 {
            return;
        }
        let _files = self.dense.files();
        let outcome = (self.sync)().and_then(|_| {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            let head = store::Head::of(&state, *saved);
            drop(state);
            store::write(&**disk, &self.dense, &head, || self.code_tail())
        });
        let mut progress = self.dense.progress();
        if outcome.is_ok() {
            progress.saved = *saved;
        }
        progress.failure = outcome.err().map(|error| error.to_string());
    }
}

/// Lets threads that answer and write go first where there are not enough processors for all.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        // Where that is refused, linking takes its turns like the others.
        let own = rustix::thread::gettid();
        let _ = rustix::process::setpriority_process(Some(own), GIVES_WAY);
    }
}

/// What a turn is for.
enum Turn {
    /// Codes of rows that no graph has.
    Code,
    /// The batch from this version on.
    Link(u32),
    /// A batch of a new graph, as nothing else waits.
    Renew,
    Save,
}

/// Takes turns until it is closed.
fn serve(dense: &Dense, mut take: impl FnMut(Turn)) {
    loop {
        match next(dense) {
            Next::Codes => take(Turn::Code),
            Next::Batch(from) => take(Turn::Link(from)),
            Next::Renew => take(Turn::Renew),
            Next::Save(asked) => {
                take(Turn::Save);
                dense.saved(asked);
            }
            Next::End => return,
        }
    }
}

/// A linker that has all batches linked at once, for models of those that wait for one.
#[cfg(all(test, loom))]
pub(crate) fn link_nothing(dense: &Dense) {
    let _ended = Ended(dense);
    serve(dense, |turn| {
        if let Turn::Link(from) = turn {
            dense.linked_to(from + LINK_FROM);
        }
    });
}

enum Next {
    Codes,
    Batch(u32),
    Renew,
    Save(u64),
    End,
}

/// What to do next, as soon as there is something.
fn next(dense: &Dense) -> Next {
    let idle = |progress: &mut Progress| {
        let has_work = progress.has_batch() || progress.has_codes_due() || progress.renewing;
        !progress.closing && !has_work && progress.saves_asked == progress.saves_done
    };
    let progress = dense.changed.wait_while(dense.progress(), idle);
    let progress = progress.unwrap_or_else(PoisonError::into_inner);
    if progress.saves_asked > progress.saves_done {
        Next::Save(progress.saves_asked)
    } else if progress.closing {
        Next::End
    } else if progress.has_batch() {
        Next::Batch(progress.linked)
    } else if progress.has_codes_due() {
        Next::Codes
    } else {
        Next::Renew
    }
}

/// Makes the graph; its frame, its width and how deep searches look are chosen from the rows that are there when it begins.
fn begin(dense: &Dense, state: &RwLock<State>, compact: bool) {
    let sample = there(state, 0..u32::MAX, LINK_FROM as usize);
    let sample = rows(state, sample.into_iter());
    let (metric, dim) = {
        let state = state.read().unwrap_or_else(PoisonError::into_inner);
        (state.metric(), state.dim())
    };
    let frame = Frame::new(metric, dim, &sample, SEED);
    let layout = if compact {
        Layout::compact(&frame, &sample, TARGET)
    } else {
        Layout::Wide
    };
    let settings = Settings {
        layout,
        ..Settings::default()
    };
    let ranks = Ranks::of_sample(&frame, settings, &sample);
    let mut graph = Graph::new(frame, settings);
    graph.set_tuning(ranks.tuning(TARGET, LINK_FROM));
    let mut linked = Linked::new(graph, Vec::new(), 0);
    linked.sketch = (!compact).then(|| Sketch::of(&linked.graph));
    *dense.linked.write().unwrap_or_else(PoisonError::into_inner) = Some(linked);
}

/// The first `limit` of these slots whose rows were not given back.
fn there(state: &RwLock<State>, slots: std::ops::Range<u32>, limit: usize) -> Vec<u32> {
    let state = state.read().unwrap_or_else(PoisonError::into_inner);
    let slots = slots.start..slots.end.min(state.version_count() as u32);
    let there = slots.filter(|&slot| state.has_row(slot));
    there.take(limit).collect()
}

/// The rows of these slots, one behind the other.
pub(super) fn rows(state: &RwLock<State>, slots: impl Iterator<Item = u32>) -> Vec<f32> {
    let state = state.read().unwrap_or_else(PoisonError::into_inner);
    let mut rows = Vec::with_capacity(slots.size_hint().0 * state.dim());
    slots.for_each(|slot| rows.extend_from_slice(state.row(slot)));
    rows
}

impl Linked {
    /// All versions of `batch` were linked; those that were there have these graph slots, in order.
    pub(super) fn add(&mut self, batch: std::ops::Range<u32>, versions: &[u32], slots: &[u32]) {
        self.place(versions.iter().copied(), slots);
        self.slots.resize(batch.end as usize, NONE);
        self.count = batch.end;
        // They were coded before they were linked, but for the last few.
        self.tail.remove_front(batch.len().min(self.tail.len()));
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
