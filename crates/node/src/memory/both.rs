//! Both lists of one search, at once where each takes longer than it takes to start a thread.

use std::panic::resume_unwind;
use std::thread;

use rag::{List, Memory, Search};
use stdx::Clock;

/// Passages from which on it pays.
const AT_ONCE_FROM: u64 = 50_000;

/// The list by meaning and the list by words of a memory of so many passages.
pub(crate) fn both(
    (memory, passages): (&dyn Memory, u64),
    vector: &[f32],
    query: &str,
    search: &Search,
    clock: &dyn Clock,
) -> [List; 2] {
    let dense = || List::timed(clock, || memory.dense_told(vector, search));
    let text = || List::timed(clock, || memory.text_told(query, search));
    if passages < AT_ONCE_FROM {
        return [dense(), text()];
    }
    thread::scope(|threads| {
        let beside = thread::Builder::new().name("search-text".to_owned());
        // Where the system has no thread left, one after the other is as good.
        let Ok(beside) = beside.spawn_scoped(threads, text) else {
            return [dense(), text()];
        };
        let dense = dense();
        let text = beside.join().unwrap_or_else(|panic| resume_unwind(panic));
        [dense, text]
    })
}
