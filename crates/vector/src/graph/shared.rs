//! One graph, many readers, one linker.

use std::cell::RefCell;

use super::{Graph, Team};

/// A graph that others read while it is written, such as one behind a lock for readers and writers.
///
/// The linker ([`insert`](super::insert), [`delete`](super::delete)) does its work under `read` and puts
/// the results in place under `write`, each for tens of microseconds. It counts on
/// being the only one that writes.
pub trait Shared {
    /// Looks at the graph; others may do so at the same time.
    fn read<R>(&self, look: impl FnOnce(&Graph) -> R) -> R;
    /// Changes the graph; nobody else looks at it meanwhile.
    fn write<R>(&self, change: impl FnOnce(&mut Graph) -> R) -> R;
}

/// A graph of one owner, for whom nothing is shared.
struct Sole<'a>(RefCell<&'a mut Graph>);

impl Shared for Sole<'_> {
    fn read<R>(&self, look: impl FnOnce(&Graph) -> R) -> R {
        look(&self.0.borrow())
    }

    fn write<R>(&self, change: impl FnOnce(&mut Graph) -> R) -> R {
        change(&mut self.0.borrow_mut())
    }
}

impl Graph {
    /// As [`insert`](super::insert), for the owner of a graph that nobody reads meanwhile.
    ///
    /// # Panics
    /// As [`insert`](super::insert).
    pub fn insert(&mut self, rows: &[f32], team: &dyn Team) -> Vec<u32> {
        super::insert(&Sole(RefCell::new(self)), rows, team)
    }

    /// As [`delete`](super::delete), for the owner of a graph that nobody reads meanwhile.
    ///
    /// # Panics
    /// As [`delete`](super::delete).
    pub fn delete(&mut self, slots: &[u32], team: &dyn Team) {
        super::delete(&Sole(RefCell::new(self)), slots, team);
    }
}
