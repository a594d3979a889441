//! The best k so far.

use std::collections::BinaryHeap;

use vector::Hit;

use super::score::Scale;

/// A heap of the best k sums; ties go to the smaller slot.
#[derive(Debug)]
pub(super) struct Top {
    k: usize,
    heap: BinaryHeap<Ranked>,
    /// Sums at or below it are not wanted, once there are k.
    floor: Option<u32>,
}

impl Top {
    pub(super) fn new(k: usize) -> Self {
        Self {
            k,
            heap: BinaryHeap::with_capacity(k.min(1024)),
            floor: (k == 0).then_some(u32::MAX),
        }
    }

    /// Whether a text with this sum would be kept. Slots must come in ascending order: an equal sum
    /// that comes later loses.
    #[inline]
    pub(super) fn wants(&self, sum: u32) -> bool {
        // A score has 24 bits of a sum: what is equal in them is a tie.
        self.floor
            .is_none_or(|floor| sum > floor && sum as f32 > floor as f32)
    }

    /// Smaller sums are not wanted.
    #[inline]
    pub(super) fn least(&self) -> u32 {
        self.floor.map_or(0, |floor| floor.saturating_add(1))
    }

    /// Keeps a text that is wanted.
    pub(super) fn push(&mut self, sum: u32, slot: u32) {
        let ranked = Ranked {
            sum: sum as f32,
            slot,
        };
        if self.heap.len() < self.k {
            self.heap.push(ranked);
        } else if let Some(mut worst) = self.heap.peek_mut() {
            *worst = ranked;
        }
        if self.heap.len() == self.k {
            self.floor = self.heap.peek().map(|worst| worst.sum as u32);
        }
    }

    /// Best first.
    pub(super) fn into_hits(self, scale: Scale) -> Vec<Hit> {
        let sorted = self.heap.into_sorted_vec();
        let hit = |ranked: Ranked| Hit {
            slot: ranked.slot,
            score: scale.score(ranked.sum as u32),
        };
        sorted.into_iter().map(hit).collect()
    }
}

/// Ordered best first, then by slot.
#[derive(Clone, Copy, Debug)]
struct Ranked {
    /// A sum, rounded to what a score can hold.
    sum: f32,
    slot: u32,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let best_first = other.sum.total_cmp(&self.sum);
        best_first.then(self.slot.cmp(&other.slot))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}
