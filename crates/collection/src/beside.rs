//! The other processors, for one search that could use them: threads that wait for jobs, started with the first.
//!
//! There is one pool, as the processors are the process's. A search asks for threads that do nothing else just then and does
//! without where there are none, so that many searches at once do not wait for each other.

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};
use vector::graph::Team;

/// Threads that help one search at most: what is scanned comes no faster from memory for more.
const HELPERS_MOST: usize = 7;

/// What `beside` gives, run on another thread meanwhile, and what `own` gives, run on this one; one after the other where no
/// thread is free.
///
/// # Panics
/// When one of them does, after both have ended.
pub fn at_once<A: Send, B>(beside: impl FnOnce() -> A + Send, own: impl FnOnce() -> B) -> (A, B) {
    let Some((pool, permit)) = pool().and_then(|pool| Some((pool, pool.permit()?))) else {
        return (beside(), own());
    };
    let mut found = None;
    let own = pool.threads.in_place_scope(|scope| {
        scope.spawn(|_| {
            found = Some(beside());
            drop(permit);
        });
        own()
    });
    (found.expect("a scope waits for what it spawned"), own)
}

/// This thread, and others as far as they are free.
pub(crate) struct Together;

impl Team for Together {
    fn run(&self, count: usize, job: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(n) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&n| n < count) {
                job(n);
            }
        };
        let Some(pool) = pool().filter(|_| count > 1) else {
            return work();
        };
        let most = (count - 1).min(pool.helpers);
        let permits: Vec<Permit<'_>> = (0..most).map_while(|_| pool.permit()).collect();
        pool.threads.in_place_scope(|scope| {
            for permit in permits {
                scope.spawn(|_| {
                    work();
                    drop(permit);
                });
            }
            work();
        });
    }
}

struct Pool {
    threads: ThreadPool,
    /// Threads that help one search.
    helpers: usize,
    /// Threads without a job.
    free: AtomicUsize,
}

/// The right to one thread.
struct Permit<'a>(&'a AtomicUsize);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Pool {
    fn permit(&self) -> Option<Permit<'_>> {
        let take = |free: usize| free.checked_sub(1);
        let taken = (self.free).fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.is_ok().then_some(Permit(&self.free))
    }
}

/// None where there is one processor, or the system has no thread left.
fn pool() -> Option<&'static Pool> {
    static POOL: OnceLock<Option<Pool>> = OnceLock::new();
    let begin = || {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let helpers = (processors - 1).min(HELPERS_MOST);
        if helpers == 0 {
            return None;
        }
        // One more than help a list by meaning, for the list by words beside it.
        let threads = ThreadPoolBuilder::new()
            .num_threads(helpers + 1)
            .thread_name(|n| format!("search-beside-{n}"))
            .build();
        Some(Pool {
            threads: threads.ok()?,
            helpers,
            free: AtomicUsize::new(helpers + 1),
        })
    };
    POOL.get_or_init(begin).as_ref()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn each_job_is_done_once_however_many_ask_at_once() {
        thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    for count in [0, 1, 2, 63, 64] {
                        let done = AtomicU64::new(0);
                        let twice = AtomicU64::new(0);
                        Together.run(count, &|n| {
                            let before = done.fetch_or(1 << n, Ordering::Relaxed);
                            twice.fetch_or(before & 1 << n, Ordering::Relaxed);
                        });
                        let all = (1u128 << count) as u64;
                        assert_eq!(done.into_inner(), all.wrapping_sub(1));
                        assert_eq!(twice.into_inner(), 0);
                    }
                });
            }
        });
    }

    #[test]
    fn both_sides_come_back_also_from_within_each_other() {
        let inner = || at_once(|| 1, || 2);
        assert_eq!(at_once(inner, inner), ((1, 2), (1, 2)));
    }

    #[test]
    #[should_panic(expected = "beside")]
    fn a_panic_beside_is_not_lost() {
        at_once(|| panic!("beside"), || ());
    }
}
