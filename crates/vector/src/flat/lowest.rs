//! The lowest of many numbers, kept cheaply while they pass by.

use crate::graph::{distance, found};

/// The `k` lowest bounds with their places. Up to `2 k` wait before the higher half is dropped, so that
/// one costs a push and a share of a selection, not a walk down a heap.
pub(crate) struct Lowest<'a> {
    entries: &'a mut Vec<u64>,
    k: usize,
    /// Bounds at or above it are not among the `k` lowest.
    pub limit: f32,
}

impl<'a> Lowest<'a> {
    /// None yet, in this memory.
    pub fn new(entries: &'a mut Vec<u64>, k: usize) -> Self {
        entries.clear();
        Self {
            entries,
            k,
            limit: f32::INFINITY,
        }
    }

    /// Takes a bound below the limit.
    #[inline]
    pub fn push(&mut self, bound: f32, place: u32) {
        self.entries.push(found(bound, place));
        if self.entries.len() == 2 * self.k {
            self.cut();
        }
    }

    /// Leaves the `k` lowest in the memory, in no order.
    pub fn finish(mut self) {
        if self.entries.len() > self.k {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let (_, last, _) = self.entries.select_nth_unstable(self.k - 1);
        self.limit = distance((*last >> 32) as u32);
        self.entries.truncate(self.k);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases::cases;

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn equals_sorting_everything(
            bounds in prop::collection::vec(-4i8..40, 0..200),
            k in 1usize..12,
        ) {
            let mut entries = Vec::new();
            let mut lowest = Lowest::new(&mut entries, k);
            for (place, &bound) in (0..).zip(&bounds) {
                if f32::from(bound) < lowest.limit {
                    lowest.push(f32::from(bound), place);
                }
            }
            lowest.finish();
            entries.sort_unstable();
            let all = (0..).zip(&bounds).map(|(place, &bound)| found(f32::from(bound), place));
            let mut want: Vec<u64> = all.collect();
            want.sort_unstable();
            want.truncate(k);
            prop_assert_eq!(entries, want);
        }
    }
}
