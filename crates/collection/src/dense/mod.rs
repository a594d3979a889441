//! The dense index: a graph over the rows that arrived first, and a full scan of those behind it.
//!
//! ```text
//! slots   0 ............ linked | .............. coded | ............. head
//!         walked in the graph   | all bounds compared  | all rows compared
//!                    one top-k, by whole rows
//! ```
//!
//! A row is found from the moment it is applied: in the tail first, in the graph once the linker has
//! come by. The linker takes [`BATCH`] slots at a time, in order, so the graph is a function of the log alone.
//! A superseded version stays in the graph; whether a version counts is asked inside the walk.

mod linker;
mod recall;
mod search;
mod store;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use vector::graph::{BATCH, Graph, Shared};
use vector::tail::Tail;

pub(crate) use linker::Linker;
pub use recall::RecallEstimate;
use recall::Watch;
pub use search::Effort;
pub(crate) use search::{Ask, nearest};
pub(crate) use store::open;

/// Slots of one batch.
pub(crate) const BATCH_SLOTS: u32 = BATCH as u32;
/// The graph begins when there are this many versions: below, comparing them all is as quick, and its frame
/// is made from this many rows.
pub(crate) const LINK_FROM: u32 = 4096;

/// What is linked, and who waits for what.
#[derive(Default)]
pub(crate) struct Dense {
    /// What searches find of the truth.
    pub watch: Watch,
    linked: RwLock<Option<Linked>>,
    progress: Mutex<Progress>,
    changed: Condvar,
}

/// The graph and whose rows it has.
pub(crate) struct Linked {
    pub graph: Graph,
    /// Version slot of each graph slot.
    pub versions: Vec<u32>,
    /// Version slots below this one are in the graph, the others in the tail.
    pub count: u32,
    /// Codes of the versions behind them, as far as the linker has come.
    pub tail: Tail,
}

impl Linked {
    /// An empty or opened graph with its versions.
    pub fn new(graph: Graph, versions: Vec<u32>, count: u32) -> Self {
        Self {
            tail: Tail::new(graph.frame().clone()),
            graph,
            versions,
            count,
        }
    }

    /// Version slots below this one are in the graph or have a code in the tail.
    pub fn coded(&self) -> u32 {
        self.count + self.tail.len() as u32
    }
}

#[derive(Default)]
struct Progress {
    arrived: u32,
    linked: u32,
    closing: bool,
    saves_asked: u64,
    saves_done: u64,
    /// Why the graph could not be written out the last time.
    failure: Option<String>,
    /// Nothing that was read back is left to be verified.
    verified: bool,
    /// The graph was read back damaged and is made anew.
    rebuilt: bool,
    /// The linker has ended, in order or in a panic.
    ended: bool,
}

impl Dense {
    /// Begins with a graph that was linked before.
    pub(crate) fn begin_with(&self, linked: Linked) {
        self.progress().linked = linked.count;
        *self.linked.write().unwrap_or_else(PoisonError::into_inner) = Some(linked);
    }

    /// There are `count` versions now.
    pub(crate) fn arrived(&self, count: u32) {
        let mut progress = self.progress();
        progress.arrived = count;
        if progress.has_batch() {
            self.changed.notify_all();
        }
    }

    /// Version slots below this one are linked.
    pub(crate) fn linked_count(&self) -> u32 {
        self.progress().linked
    }

    /// Bytes of the graph.
    pub(crate) fn size_bytes(&self) -> u64 {
        let linked = self.read();
        linked.as_ref().map_or(0, |linked| {
            (linked.graph.size_bytes() + linked.tail.size_bytes() + linked.versions.len() * 4)
                as u64
        })
    }

    /// Returns when every whole batch is linked, or no more will be.
    pub(crate) fn settle(&self) {
        let waiting = |progress: &mut Progress| progress.has_batch() && !progress.ended;
        let settled = self.changed.wait_while(self.progress(), waiting);
        drop(settled.unwrap_or_else(PoisonError::into_inner));
    }

    /// Asks for the graph to be written out and waits for it.
    ///
    /// # Errors
    /// Why it was not.
    pub(crate) fn save(&self) -> Result<(), String> {
        let mut progress = self.progress();
        progress.saves_asked += 1;
        let mine = progress.saves_asked;
        self.changed.notify_all();
        let waiting = |progress: &mut Progress| progress.saves_done < mine && !progress.ended;
        let saved = self.changed.wait_while(progress, waiting);
        let saved = saved.unwrap_or_else(PoisonError::into_inner);
        saved.failure.clone().map_or(Ok(()), Err)
    }

    /// Whether what was read back was verified.
    pub(crate) fn is_verified(&self) -> bool {
        let progress = self.progress();
        progress.verified || progress.ended
    }

    /// Whether a graph was read back damaged, and made anew from the rows.
    pub(crate) fn was_rebuilt(&self) -> bool {
        self.progress().rebuilt
    }

    /// Ends the linker after the batch it is at.
    pub(crate) fn close(&self) {
        self.progress().closing = true;
        self.changed.notify_all();
    }

    /// What is linked; `None` before the graph begins.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Option<Linked>> {
        self.linked.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn has_batch(&self) -> bool {
        self.arrived >= LINK_FROM.max(self.linked.saturating_add(BATCH_SLOTS))
    }
}

impl Shared for Dense {
    fn read<R>(&self, look: impl FnOnce(&Graph) -> R) -> R {
        let linked = Self::read(self);
        look(&linked.as_ref().expect("begun before it is linked").graph)
    }

    fn write<R>(&self, change: impl FnOnce(&mut Graph) -> R) -> R {
        let mut linked = self.linked.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut linked.as_mut().expect("begun before it is linked").graph)
    }
}
