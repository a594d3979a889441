//! Both lists of one search, at once where each takes longer than it takes to wake a thread.

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
    let (text, dense) = collection::at_once(text, dense);
    [dense, text]
}
