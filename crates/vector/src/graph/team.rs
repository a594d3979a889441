//! Who does the work: this crate starts no thread, it is handed some.

use std::sync::{Mutex, PoisonError};

/// Runs jobs that do not depend on each other, in any order, on any threads.
pub trait Team: Sync {
    /// Calls `job` once with each number below `count` and returns when all have returned.
    fn run(&self, count: usize, job: &(dyn Fn(usize) + Sync));
}

/// The calling thread alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Team for Alone {
    fn run(&self, count: usize, job: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(job);
    }
}

/// Items of one job: small enough to share out a batch, large enough to be worth handing over.
const JOB_ITEMS: usize = 8;

/// `work` on each number below `count`, in order, with a scratch that jobs pass on to each other.
pub(crate) fn map<S: Send, T: Send>(
    team: &dyn Team,
    count: usize,
    scratches: &Mutex<Vec<S>>,
    new: impl Fn() -> S + Sync,
    work: impl Fn(usize, &mut S) -> T + Sync,
) -> Vec<T> {
    let jobs = count.div_ceil(JOB_ITEMS);
    let results: Vec<Mutex<Vec<T>>> = (0..jobs).map(|_| Mutex::default()).collect();
    let pool = || scratches.lock().unwrap_or_else(PoisonError::into_inner);
    team.run(jobs, &|job| {
        let taken = pool().pop();
        let mut scratch = taken.unwrap_or_else(&new);
        let items = job * JOB_ITEMS..count.min((job + 1) * JOB_ITEMS);
        let done = items.map(|item| work(item, &mut scratch)).collect();
        *results[job].lock().unwrap_or_else(PoisonError::into_inner) = done;
        pool().push(scratch);
    });
    let results = results
        .into_iter()
        .map(|done| done.into_inner().unwrap_or_else(PoisonError::into_inner));
    results.flatten().collect()
}
