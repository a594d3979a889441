//! The dense index: a graph over the rows that arrived first, and a full scan of those behind it.
//!
//! ```text
//! slots   0 ............ linked | .............. coded | ............. head
//!         walked in the graph   | all bounds compared  | all rows compared
//!                    one top-k, by whole rows
//! ```
//!
//! Where answers are to be exact up to some number of rows ([`Options::exact_rows`](crate::Options)), no graph is made
//! before there are more: all rows are behind it, and all bounds are compared. What a search then finds is a function of
//! the rows that count alone, and the same whenever it is asked again.
//!
//! A row is found from the moment it is applied: in the tail first, in the graph once the linker has
//! come by. The linker takes [`BATCH`] slots at a time, in order, so the graph is a function of the log alone (a graph
//! that is made anew as data drifts, `renew`, takes the same batches in the same order).
//! A superseded version stays in the graph; whether a version counts is asked inside the walk.

mod cold;
mod linker;
mod recall;
mod renew;
mod search;
mod store;
mod tiers;
mod tuning;

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex as FilesMutex, MutexGuard as FilesGuard};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use vector::graph::{BATCH, Graph, Shared, Sketch};
use vector::tail::Tail;

use crate::sync::{Condvar, Mutex, MutexGuard};

pub(crate) use cold::{Cold, open as open_cold};
pub(crate) use linker::Linker;
#[cfg(all(test, loom))]
pub(crate) use linker::link_nothing;
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
/// Rows that get their codes while readers wait; fewer are compared whole.
const CODED_AT_ONCE: u32 = 16;

/// What is linked, and who waits for what.
#[derive(Default)]
pub(crate) struct Dense {
    /// What searches find of the truth.
    pub watch: Watch,
    /// Fine codes of cold rows that searches read.
    pub cold_reads: AtomicU64,
    /// Held while files of graph or cold rows are written, or copied as a pair.
    pub files: FilesMutex<()>,
    linked: RwLock<Option<Linked>>,
    progress: Mutex<Progress>,
    changed: Condvar,
}

/// The graph and whose rows it has.
pub(crate) struct Linked {
    pub graph: Graph,
    /// Version slot of each graph slot; [`NONE`] of one whose row was moved, or is being linked.
    pub versions: Vec<u32>,
    /// Graph slot of each version below `count`; [`NONE`] of cold ones.
    pub slots: Vec<u32>,
    /// Answers each graph slot was in lately.
    answers: Vec<AtomicU8>,
    /// One bit a component of each row of the graph, by which those that pass a filter are compared first; the linker
    /// makes it. None of a compact graph, whose rows are not much longer.
    pub sketch: Option<Sketch>,
    /// Version slots below this one are in the graph or cold, the others in the tail.
    pub count: u32,
    /// Rows that were moved out of the graph.
    pub cold: Option<Cold>,
    /// Codes of the versions behind `count`, as far as the linker has come.
    pub tail: Tail,
}

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;

impl Linked {
    /// An empty or opened graph with its versions.
    pub fn new(graph: Graph, versions: Vec<u32>, count: u32) -> Self {
        let mut slots = vec![NONE; count as usize];
        for (slot, &version) in (0..).zip(&versions) {
            if let Some(place) = slots.get_mut(version as usize) {
                *place = slot;
            }
        }
        Self {
            tail: Tail::new(graph.frame().clone()),
            answers: versions.iter().map(|_| AtomicU8::new(0)).collect(),
            graph,
            versions,
            slots,
            count,
            cold: None,
            sketch: None,
        }
    }

    /// Version slots below this one are in the graph, cold, or have a code in the tail.
    pub fn coded(&self) -> u32 {
        self.count + self.tail.len() as u32
    }

    /// Whether all rows are compared by codes: there is a graph in name only.
    fn is_coded_alone(&self) -> bool {
        self.count == 0 && !self.tail.is_empty()
    }

    /// These versions have these graph slots.
    fn place(&mut self, versions: impl Iterator<Item = u32>, slots: &[u32]) {
        self.versions.resize(self.graph.slots(), NONE);
        self.answers
            .resize_with(self.graph.slots(), AtomicU8::default);
        for (version, &slot) in versions.zip(slots) {
            self.versions[slot as usize] = version;
            if self.slots.len() <= version as usize {
                self.slots.resize(version as usize + 1, NONE);
            }
            self.slots[version as usize] = slot;
            *self.answers[slot as usize].get_mut() = 0;
        }
    }

    /// The rows of these versions left the graph.
    fn displace(&mut self, versions: &[u32]) {
        for &version in versions {
            let slot = std::mem::replace(&mut self.slots[version as usize], NONE);
            if let Some(place) = self.versions.get_mut(slot as usize) {
                *place = NONE;
            }
        }
    }

    /// These versions were an answer.
    fn touch(&self, versions: impl Iterator<Item = u32>) {
        for version in versions {
            let slot = self.slots.get(version as usize).copied().unwrap_or(NONE);
            if let Some(count) = self.answers.get(slot as usize) {
                // Two at once may count as one.
                let more = count.load(Ordering::Relaxed).saturating_add(1);
                count.store(more, Ordering::Relaxed);
            } else if let Some(cold) = self.cold.as_ref().filter(|cold| cold.has(version)) {
                cold.touch(version);
            }
        }
    }
}

#[derive(Default)]
struct Progress {
    /// No graph is made before there are more.
    exact_rows: u32,
    arrived: u32,
    /// Versions below have a code, or are linked.
    coded: u32,
    linked: u32,
    /// Of these, those of the graph on disk.
    saved: u32,
    closing: bool,
    saves_asked: u64,
    saves_done: u64,
    /// Why the graph could not be written out the last time.
    failure: Option<String>,
    /// Nothing that was read back is left to be verified.
    verified: bool,
    /// The graph was read back damaged and is made anew.
    rebuilt: bool,
    /// A new graph is being made beside the one that answers.
    renewing: bool,
    /// New graphs that took the place of one whose codes were made for other data.
    renewed: u64,
    /// The linker has ended, in order or in a panic.
    ended: bool,
}

impl Dense {
    /// Compares every row while there are no more than so many, and makes no graph before.
    pub(crate) fn exact_to(rows: u64) -> Self {
        let exact_rows = u32::try_from(rows).unwrap_or(u32::MAX);
        Self {
            progress: Mutex::new(Progress {
                exact_rows,
                ..Progress::default()
            }),
            ..Self::default()
        }
    }

    /// Begins with a graph that was linked before, and the rows that were moved out of it. Says whether they have all rows between
    /// them; where not, it begins with nothing.
    pub(crate) fn begin_with(
        &self,
        mut linked: Linked,
        cold: Option<Cold>,
        forgotten: &[u32],
    ) -> bool {
        let is_cold = |version| cold.as_ref().is_some_and(|cold| cold.has(version));
        let gone: std::collections::HashSet<&u32> = forgotten.iter().collect();
        let is_there = |(version, slot): (u32, &u32)| {
            *slot != NONE || is_cold(version) || gone.contains(&version)
        };
        let beyond = cold.as_ref().is_some_and(|cold| cold.reaches(linked.count));
        if beyond || !(0..).zip(&linked.slots).all(is_there) {
            return false;
        }
        linked.cold = cold;
        let mut progress = self.progress();
        (progress.linked, progress.saved) = (linked.count, linked.count);
        drop(progress);
        *self.linked.write().unwrap_or_else(PoisonError::into_inner) = Some(linked);
        true
    }

    /// There are `count` versions now.
    pub(crate) fn arrived(&self, count: u32) {
        let mut progress = self.progress();
        progress.arrived = count;
        if progress.has_batch() || progress.has_codes_due() {
            self.changed.notify_all();
        }
    }

    /// Version slots below this one are linked.
    pub(crate) fn linked_count(&self) -> u32 {
        self.progress().linked
    }

    /// Version slots below this one are in the graph on disk, in the cold lists, or never to be linked.
    pub(crate) fn saved_count(&self) -> u32 {
        let progress = self.progress();
        if progress.arrived <= progress.exact_rows {
            progress.arrived
        } else {
            progress.saved
        }
    }

    /// Rows in the graph.
    pub(crate) fn hot(&self) -> u64 {
        let linked = self.read();
        linked
            .as_ref()
            .map_or(0, |linked| linked.graph.len() as u64)
    }

    /// Rows that were moved out of the graph, and how many of their codes searches read.
    pub(crate) fn cold(&self) -> (u64, u64) {
        let linked = self.read();
        let cold = linked.as_ref().and_then(|linked| linked.cold.as_ref());
        (
            cold.map_or(0, Cold::len),
            self.cold_reads.load(Ordering::Relaxed),
        )
    }

    /// Bytes of the graph and what lies in memory of the rest.
    pub(crate) fn size_bytes(&self) -> u64 {
        let linked = self.read();
        linked.as_ref().map_or(0, |linked| {
            let maps = linked.versions.len() * 5 + linked.slots.len() * 4;
            let cold = linked.cold.as_ref().map_or(0, Cold::resident_bytes)
                + linked.sketch.as_ref().map_or(0, Sketch::size_bytes);
            (linked.graph.size_bytes() + linked.tail.size_bytes() + maps + cold) as u64
        })
    }

    /// Versions below `count` are linked now.
    fn linked_to(&self, count: u32) {
        self.progress().linked = count;
        self.changed.notify_all();
    }

    /// Versions below `count` have codes now.
    fn coded_to(&self, count: u32) {
        self.progress().coded = count;
        self.changed.notify_all();
    }

    /// Saves up to the one numbered `asked` are done.
    fn saved(&self, asked: u64) {
        self.progress().saves_done = asked;
        self.changed.notify_all();
    }

    /// Returns when no more than `limit` versions wait to be linked, or no more will be; says how many wait.
    pub(crate) fn near(&self, limit: u64) -> u64 {
        let waiting = |progress: &mut Progress| {
            progress.has_batch() && progress.unlinked() > limit && !progress.ended
        };
        let near = self.changed.wait_while(self.progress(), waiting);
        near.unwrap_or_else(PoisonError::into_inner).unlinked()
    }

    /// Returns when every whole batch is linked, or has its codes where no graph is made, or no more will be.
    pub(crate) fn settle(&self) {
        let waiting = |progress: &mut Progress| {
            let has_work = progress.has_batch() || progress.has_codes_due() || progress.renewing;
            has_work && !progress.ended
        };
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

    /// Graphs that were made anew because the data had drifted.
    pub(crate) fn renewals(&self) -> u64 {
        self.progress().renewed
    }

    /// Whether a new graph is being made.
    fn renewing(&self, is_so: bool) {
        self.progress().renewing = is_so;
        self.changed.notify_all();
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

    /// Keeps files of graph and cold rows as they are.
    pub(crate) fn files(&self) -> FilesGuard<'_, ()> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn unlinked(&self) -> u64 {
        u64::from(self.arrived.saturating_sub(self.linked))
    }

    fn has_batch(&self) -> bool {
        let due = LINK_FROM.max(self.linked.saturating_add(BATCH_SLOTS));
        self.arrived > self.exact_rows && self.arrived >= due
    }

    /// Whether rows that no graph will have are without codes.
    fn has_codes_due(&self) -> bool {
        let due = LINK_FROM.max(self.coded.saturating_add(CODED_AT_ONCE));
        self.arrived <= self.exact_rows && self.arrived >= due
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
