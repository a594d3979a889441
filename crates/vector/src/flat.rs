//! Exact search: every visible row is compared, and a bounded heap keeps the best.
//!
//! Visibility is asked before the distance is computed, so a row that must not be seen neither
//! costs nor displaces anything. Ties are broken by the smaller slot; the answer depends on the
//! set of visible rows alone, not on how they are cut into calls.

use std::collections::BinaryHeap;

use crate::Metric;
use crate::arch::{Element, Kernels, prefetch};

/// One neighbour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Position of the row.
    pub slot: u32,
    /// As the metric says: squared distance for `L2` (smaller is nearer), inner product for `Ip`
    /// and `Cosine` (larger is nearer).
    pub score: f32,
}

/// Memory that a thread keeps between searches.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    heap: Vec<Entry>,
}

/// The `k` nearest visible rows of `rows` (`[n, dim]`, row-major), nearest first.
///
/// # Panics
/// When `query` is not `dim` long or `rows` is not a whole number of rows.
#[must_use]
pub fn top_k<E: Element>(
    metric: Metric,
    dim: usize,
    rows: &[E],
    query: &[f32],
    k: usize,
    visible: impl Fn(u32) -> bool,
) -> Vec<Hit> {
    assert_eq!(query.len(), dim, "a query as long as the rows");
    let mut scratch = Scratch::default();
    let mut scan = Scan::new(metric, query, k, &mut scratch);
    scan.rows(0, rows, visible);
    scan.finish()
}

/// A search in progress, for rows that lie in several pieces or behind an index.
pub struct Scan<'a> {
    metric: Metric,
    query: &'a [f32],
    k: usize,
    kernels: &'static Kernels,
    heap: BinaryHeap<Entry>,
    scratch: &'a mut Scratch,
}

impl<'a> Scan<'a> {
    /// An empty search for the `k` nearest.
    #[must_use]
    pub fn new(metric: Metric, query: &'a [f32], k: usize, scratch: &'a mut Scratch) -> Self {
        let mut heap = std::mem::take(&mut scratch.heap);
        heap.clear();
        Self {
            metric,
            query,
            k,
            kernels: Kernels::get(),
            heap: BinaryHeap::from(heap),
            scratch,
        }
    }

    /// Offers the visible rows of one piece whose first row has slot `base`.
    ///
    /// # Panics
    /// When `rows` is not a whole number of rows.
    pub fn rows<E: Element>(&mut self, base: u32, rows: &[E], visible: impl Fn(u32) -> bool) {
        let dim = self.query.len();
        assert!(dim > 0 && rows.len().is_multiple_of(dim), "whole rows");
        let count = (rows.len() / dim) as u32;
        let row = |slot: u32| {
            let at = (slot - base) as usize * dim;
            &rows[at..at + dim]
        };
        self.slots((base..base + count).filter(|&slot| visible(slot)), row);
    }

    /// Offers the rows at `slots`, each slot once, wherever they lie.
    ///
    /// # Panics
    /// When a row is not as long as the query.
    pub fn slots<'r, E: Element>(
        &mut self,
        slots: impl Iterator<Item = u32>,
        row: impl Fn(u32) -> &'r [E],
    ) {
        // Four rows are compared while the first lines of the four after them are on their way.
        let (mut waiting, mut coming) = (Four::default(), Four::default());
        for slot in slots {
            let next = row(slot);
            prefetch(next);
            coming.push(slot, next);
            if coming.count == 4 {
                self.compare(&waiting);
                (waiting, coming) = (coming, Four::default());
            }
        }
        self.compare(&waiting);
        self.compare(&coming);
    }

    /// The score of the farthest neighbour kept, once there are `k`: only nearer rows change anything.
    #[must_use]
    pub fn worst(&self) -> Option<f32> {
        let worst = self.heap.peek().filter(|_| self.heap.len() == self.k);
        worst.map(|entry| entry.score)
    }

    /// The neighbours found, nearest first; the memory goes back to the scratch.
    #[must_use]
    pub fn finish(self) -> Vec<Hit> {
        let mut entries = self.heap.into_vec();
        entries.sort_unstable();
        let hits = entries
            .iter()
            .map(|e| Hit {
                slot: e.slot,
                score: e.score,
            })
            .collect();
        self.scratch.heap = entries;
        hits
    }

    #[inline]
    fn compare<E: Element>(&mut self, four: &Four<'_, E>) {
        if four.count == 4 && size_of::<E>() < NARROW {
            let scores = self.kernels.score4(self.metric, self.query, four.rows);
            for (slot, score) in four.slots.into_iter().zip(scores) {
                self.offer(slot, score);
            }
        } else {
            for (&slot, row) in four.slots.iter().zip(four.rows).take(four.count) {
                self.offer(slot, self.kernels.score(self.metric, self.query, row));
            }
        }
    }

    #[inline]
    fn offer(&mut self, slot: u32, score: f32) {
        let entry = Entry {
            key: self.metric.key(score),
            slot,
            score,
        };
        if self.heap.len() < self.k {
            self.heap.push(entry);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && entry < *worst
        {
            *worst = entry;
        }
    }
}

/// Elements of fewer bytes wait for sums, not for memory, and gain by four rows at a time.
const NARROW: usize = 4;

/// Up to four rows.
struct Four<'r, E> {
    slots: [u32; 4],
    rows: [&'r [E]; 4],
    count: usize,
}

impl<E> Default for Four<'_, E> {
    fn default() -> Self {
        Self {
            slots: [0; 4],
            rows: [&[]; 4],
            count: 0,
        }
    }
}

impl<'r, E> Four<'r, E> {
    fn push(&mut self, slot: u32, row: &'r [E]) {
        (self.slots[self.count], self.rows[self.count]) = (slot, row);
        self.count += 1;
    }
}

/// Ordered by nearness, then slot; the heap's top is the worst kept.
#[derive(Clone, Copy, Debug)]
struct Entry {
    key: f32,
    slot: u32,
    score: f32,
}

impl Ord for Entry {
    #[inline]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key
            .total_cmp(&other.key)
            .then(self.slot.cmp(&other.slot))
    }
}

impl PartialOrd for Entry {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const METRICS: [Metric; 3] = [Metric::L2, Metric::Ip, Metric::Cosine];

    /// Scores all, sorts all, cuts.
    fn naive(metric: Metric, rows: &[f32], query: &[f32], k: usize, seen: &[bool]) -> Vec<Hit> {
        let mut hits: Vec<Hit> = rows
            .chunks(query.len())
            .enumerate()
            .filter(|(slot, _)| seen[*slot])
            .map(|(slot, row)| Hit {
                slot: slot as u32,
                score: Kernels::available()[0].score(metric, query, row),
            })
            .collect();
        hits.sort_by(|a, b| metric.order(a.score, b.score).then(a.slot.cmp(&b.slot)));
        hits.truncate(k);
        hits
    }

    fn case() -> impl Strategy<Value = (usize, Vec<f32>, Vec<f32>, Vec<bool>, usize)> {
        (1usize..40, 0usize..60).prop_flat_map(|(dim, n)| {
            // Few distinct values make many ties.
            let value = || prop_oneof![Just(0.0f32), Just(1.0), Just(-1.0), -2.0f32..2.0];
            (
                Just(dim),
                prop::collection::vec(value(), dim * n),
                prop::collection::vec(value(), dim),
                prop::collection::vec(any::<bool>(), n),
                0usize..20,
            )
        })
    }

    proptest! {
        #[test]
        fn equals_sorting_everything((dim, rows, query, seen, k) in case()) {
            for metric in METRICS {
                let got = top_k(metric, dim, &rows, &query, k, |slot| seen[slot as usize]);
                prop_assert_eq!(&got, &naive(metric, &rows, &query, k, &seen));
                let mut scratch = Scratch::default();
                for _ in 0..2 {
                    let mut scan = Scan::new(metric, &query, k, &mut scratch);
                    for (piece, part) in rows.chunks(dim * 7).enumerate() {
                        scan.rows(piece as u32 * 7, part, |slot| seen[slot as usize]);
                    }
                    prop_assert_eq!(&scan.finish(), &got);
                }
            }
        }
    }

    #[test]
    fn ties_go_to_the_smaller_slot() {
        let rows = [1.0f32; 10];
        let slots = |hits: Vec<Hit>| hits.iter().map(|h| h.slot).collect::<Vec<_>>();
        assert_eq!(
            slots(top_k(Metric::Ip, 1, &rows, &[1.0], 3, |_| true)),
            [0, 1, 2]
        );
        assert_eq!(
            slots(top_k(Metric::L2, 1, &rows, &[9.0], 3, |s| s > 4)),
            [5, 6, 7]
        );
        assert!(top_k(Metric::L2, 1, &rows, &[9.0], 0, |_| true).is_empty());
    }
}
