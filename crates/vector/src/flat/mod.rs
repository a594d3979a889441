//! Exact search: every visible row is compared, and a bounded heap keeps the best.
//!
//! Visibility is asked before the distance is computed, so a row that must not be seen neither
//! costs nor displaces anything. Ties are broken by the smaller slot; the answer depends on the
//! set of visible rows alone, not on how they are cut into calls.

mod codes;
mod lowest;
mod sieve;
mod tiles;

use std::collections::BinaryHeap;

use crate::Metric;
use crate::arch::{Element, Kernels, TILE_DIM_MAX, TileKernels, prefetch_lines};

pub use codes::{Bits, CodesScratch, FlatCodes};
pub(crate) use lowest::Lowest;
use sieve::Sieve;
pub use tiles::Tiles;

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
    sieve: Sieve,
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
    /// Whether the scratch has this query for rows of bytes; nothing before the first of them.
    has_sieve: Option<bool>,
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
            has_sieve: None,
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
        let slots = (base..base + count).filter(|&slot| visible(slot));
        self.compare_all(slots, row, rows_ahead::<E>(dim));
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
        // Rows that lie anywhere come one by one, the later the more of them were not asked for.
        self.compare_all(slots, row, AHEAD_MOST);
    }

    /// Offers the visible rows of tiles whose first row has slot `base`, by `L2`: each is found as if by [`Scan::rows`].
    ///
    /// # Panics
    /// When the metric is another, the rows have another dimension than the query, or the query is not of whole numbers
    /// of a byte.
    pub fn tiles(&mut self, base: u32, tiles: &Tiles, visible: impl Fn(u32) -> bool) {
        assert_eq!(self.metric, Metric::L2, "tiles are compared by L2");
        let mut bytes = [0i8; TILE_DIM_MAX];
        for (byte, value) in bytes.iter_mut().zip(self.query) {
            *byte = *value as i8;
            assert_eq!(f32::from(*byte), *value, "a query of bytes");
        }
        let (kernels, query) = (TileKernels::of(self.kernels), &bytes[..self.query.len()]);
        // Sums that a float holds: no score is rounded.
        let worst = |scan: &Self| scan.worst().map_or(u32::MAX, |worst| worst as u32);
        tiles.compare(kernels, query, worst(self), |row, distance| {
            let slot = base + row as u32;
            if visible(slot) {
                self.offer(slot, distance as f32);
            }
            worst(self)
        });
    }

    /// Compares each row while one that comes `ahead` rows later is on its way.
    fn compare_all<'r, E: Element>(
        &mut self,
        slots: impl Iterator<Item = u32>,
        row: impl Fn(u32) -> &'r [E],
        ahead: usize,
    ) {
        let mut waiting: [(u32, &[E]); AHEAD_MOST] = [(0, &[]); AHEAD_MOST];
        let (mut count, mut at) = (0, 0);
        for slot in slots {
            let next = row(slot);
            let (before, compared) = std::mem::replace(&mut waiting[at], (slot, next));
            if count < ahead {
                // Nobody asked for the first ones.
                prefetch_lines(next);
                count += 1;
            } else {
                self.compare(before, compared, next);
            }
            at = if at + 1 == ahead { 0 } else { at + 1 };
        }
        // The oldest stands where the next would go, or at the start when the places were not all taken.
        let oldest = if count < ahead { 0 } else { at };
        for n in (oldest..count).chain(0..oldest) {
            self.compare(waiting[n].0, waiting[n].1, &[]);
        }
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
    fn compare<E: Element>(&mut self, slot: u32, row: &[E], ahead: &[E]) {
        if let (Some(bytes), Some(ahead)) = (E::signed(row), E::signed(ahead))
            && let Some(worst) = self.worst()
            && self.has_sieve()
            && !self
                .scratch
                .sieve
                .may_enter(self.kernels, bytes, ahead, worst)
        {
            return;
        }
        let score = self
            .kernels
            .score_ahead(self.metric, self.query, row, ahead);
        self.offer(slot, score);
    }

    #[inline]
    fn has_sieve(&mut self) -> bool {
        let (sieve, query) = (&mut self.scratch.sieve, self.query);
        *self
            .has_sieve
            .get_or_insert_with(|| sieve.set(self.kernels, self.metric, query))
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

/// Rows that are on their way at most.
const AHEAD_MOST: usize = 8;

/// Rows between the one that is compared and the one that is asked for. So many bytes read memory fastest
/// (`cargo xtask bench vector --only exact`): more of them, where a line is less work, and it is the
/// processor's own reading ahead that is disturbed.
fn rows_ahead<E>(dim: usize) -> usize {
    let bytes = if size_of::<E>() < 4 { 3_072 } else { 1_536 };
    (bytes / (size_of::<E>() * dim.max(1))).clamp(1, AHEAD_MOST)
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
    use crate::cases::{cases, most};

    const METRICS: [Metric; 3] = [Metric::L2, Metric::Ip, Metric::Cosine];

    /// Scores all, sorts all, cuts.
    fn naive<E: Element>(
        metric: Metric,
        rows: &[E],
        query: &[f32],
        k: usize,
        seen: &[bool],
    ) -> Vec<Hit> {
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
        (1usize..most(40, 20), 0usize..most(60, 12)).prop_flat_map(|(dim, n)| {
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
        #![proptest_config(cases(256))]

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

    proptest! {
        #![proptest_config(cases(200))]

        #[test]
        fn tiles_give_what_rows_give(
            (dim, rows) in (1usize..30, 0usize..most(300, 70)).prop_flat_map(|(dim, n)| (
                Just(dim),
                prop::collection::vec(prop_oneof![2 => any::<i8>(), 3 => -1i8..2], dim * n),
            )),
            query in prop::collection::vec(any::<i8>(), 30),
            (first, hidden, k) in (1usize..200, 1u32..9, 0usize..80),
        ) {
            let query: Vec<f32> = query[..dim].iter().map(|byte| f32::from(*byte)).collect();
            let visible = |slot: u32| !slot.is_multiple_of(hidden) || hidden == 1;
            let (mut rowwise, mut tiled) = (Scratch::default(), Scratch::default());
            let mut by_row = Scan::new(Metric::L2, &query, k, &mut rowwise);
            let mut by_tile = Scan::new(Metric::L2, &query, k, &mut tiled);
            for (n, piece) in rows.chunks(first * dim).enumerate() {
                let base = (n * first) as u32;
                by_row.rows(base, piece, visible);
                let mut tiles = Tiles::with_capacity(dim, first);
                piece.chunks(dim).for_each(|row| tiles.push(row));
                for (at, row) in piece.chunks(dim).enumerate() {
                    prop_assert!(tiles.row(at).eq(row.iter().copied()));
                }
                by_tile.tiles(base, &tiles, visible);
            }
            prop_assert_eq!(by_tile.finish(), by_row.finish());
        }
    }

    /// Hits with the bits of their scores, as a NaN equals no other.
    fn bits(hits: &[Hit]) -> Vec<(u32, u32)> {
        hits.iter().map(|h| (h.slot, h.score.to_bits())).collect()
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn rows_of_bytes_give_what_scoring_all_of_them_gives(
            (dim, rows) in (prop_oneof![6 => 1usize..most(150, 70), 1 => Just(most(1100, 64))], 0usize..most(50, 12))
                .prop_flat_map(|(dim, n)| (
                    Just(dim),
                    prop::collection::vec(
                        prop_oneof![2 => any::<i8>(), 2 => -2i8..3, 1 => Just(-128i8)], dim * n
                    ),
                )),
            values in prop::collection::vec(-1.0f32..1.0, most(1100, 70)),
            // From denormal numbers to some whose products no float holds.
            scale in prop_oneof![
                Just(0.0f32), Just(1e-42), Just(1e-30), Just(1.0), Just(100.0), Just(1e18), Just(3e38)
            ],
            k in 0usize..12,
        ) {
            let query: Vec<f32> = values[..dim].iter().map(|value| value * scale).collect();
            let seen = vec![true; rows.len() / dim];
            for metric in METRICS {
                let got = top_k(metric, dim, &rows, &query, k, |_| true);
                prop_assert_eq!(bits(&got), bits(&naive(metric, &rows, &query, k, &seen)));
            }
        }
    }

    /// A query near many rows: their scores differ in the last digits that a float has.
    #[test]
    #[cfg_attr(
        miri,
        ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
    )]
    fn rows_of_bytes_that_are_nearly_equal_are_told_apart() {
        let mut rng = stdx::Rng::new(4);
        let dim = 384;
        let centre: Vec<i8> = (0..dim).map(|_| rng.next_u64() as i8).collect();
        let rows: Vec<i8> = (0..500 * dim)
            .map(|i| centre[i % dim].saturating_add(rng.next_u64().is_multiple_of(400) as i8))
            .collect();
        let query: Vec<f32> = centre.iter().map(|&c| f32::from(c) * 1.37).collect();
        for metric in METRICS {
            let got = top_k(metric, dim, &rows, &query, 10, |_| true);
            let want = naive(metric, &rows, &query, 10, &[true; 500]);
            assert_eq!(bits(&got), bits(&want));
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
