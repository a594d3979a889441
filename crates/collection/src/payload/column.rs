//! A sorted column: what was frozen, read in place, and what came since, in runs.
//!
//! ```text
//! frozen (one run, bytes) | run 65536 | run 4096 | run 1024 | tail, unsorted, below 1024
//! ```
//!
//! A full tail becomes a run; two neighbouring runs of like size become one, up to a size at which
//! merging would be felt by whoever writes. So a value is moved a few times, and a range is a few
//! binary searches.

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::key::Entry;

/// Entries that are scanned rather than sorted.
const TAIL: usize = 1024;
/// Runs of this many entries are not merged again before they are frozen.
const RUN_MAX: usize = 1 << 18;
/// Bytes of a frozen entry.
pub(super) const ENTRY_BYTES: usize = 16;

/// Entries in any order of arrival, read by ranges.
#[derive(Debug, Default)]
pub(super) struct Column {
    frozen: Bytes,
    runs: Vec<Vec<Entry>>,
    tail: Vec<Entry>,
}

impl Column {
    /// A column whose first run is these bytes, a whole number of entries.
    pub(super) fn open(frozen: Bytes) -> Self {
        Self {
            frozen,
            ..Self::default()
        }
    }

    /// Takes an entry.
    pub(super) fn push(&mut self, entry: Entry) {
        self.tail.push(entry);
        if self.tail.len() < TAIL {
            return;
        }
        let mut run = std::mem::take(&mut self.tail);
        run.sort_unstable();
        while let Some(last) = self
            .runs
            .pop_if(|last| last.len() <= 2 * run.len() && last.len() + run.len() <= RUN_MAX)
        {
            run = merged(&last, &run);
        }
        self.runs.push(run);
    }

    /// Entries.
    pub(super) fn len(&self) -> u64 {
        let runs: usize = self.runs.iter().map(Vec::len).sum();
        (self.frozen_len() + runs + self.tail.len()) as u64
    }

    fn frozen_len(&self) -> usize {
        self.frozen.len() / ENTRY_BYTES
    }

    fn frozen_entry(&self, at: usize) -> Entry {
        let word = |at: usize| {
            let bytes = self.frozen.get(at..at + 8);
            bytes.map_or(0, |bytes| {
                u64::from_le_bytes(bytes.try_into().expect("eight bytes were taken"))
            })
        };
        (word(at * ENTRY_BYTES), word(at * ENTRY_BYTES + 8))
    }

    /// Entries in the range. Costs a few binary searches and a look at the tail.
    pub(super) fn count(&self, range: &RangeInclusive<Entry>) -> u64 {
        let runs: usize = self.runs.iter().map(|run| within(run, range).len()).sum();
        let tail = self.tail.iter().filter(|entry| range.contains(entry));
        let (from, to) = self.frozen_within(range);
        (to - from + runs + tail.count()) as u64
    }

    /// Calls `found` with every entry in the range, in no order.
    pub(super) fn each(&self, range: &RangeInclusive<Entry>, mut found: impl FnMut(Entry)) {
        let (from, to) = self.frozen_within(range);
        (from..to).for_each(|at| found(self.frozen_entry(at)));
        for run in &self.runs {
            within(run, range).iter().for_each(|&entry| found(entry));
        }
        let tail = self.tail.iter().filter(|entry| range.contains(entry));
        tail.for_each(|&entry| found(entry));
    }

    /// All entries, sorted.
    pub(super) fn sorted(&self) -> Vec<Entry> {
        let mut all = Vec::with_capacity(self.len() as usize);
        self.each(&((0, 0)..=(u64::MAX, u64::MAX)), |entry| all.push(entry));
        // The stable sort takes the runs as it finds them.
        all.sort();
        all
    }

    fn frozen_within(&self, range: &RangeInclusive<Entry>) -> (usize, usize) {
        let partition = |is_before: &dyn Fn(Entry) -> bool| {
            let (mut low, mut high) = (0, self.frozen_len());
            while low < high {
                let middle = low.midpoint(high);
                if is_before(self.frozen_entry(middle)) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            low
        };
        let from = partition(&|entry| entry < *range.start());
        let to = partition(&|entry| entry <= *range.end());
        (from, to.max(from))
    }

    /// Bytes in memory, the frozen ones not counted.
    pub(super) fn size_bytes(&self) -> u64 {
        let runs: usize = self.runs.iter().map(Vec::capacity).sum();
        ((runs + self.tail.capacity()) * ENTRY_BYTES) as u64
    }
}

fn within<'r>(run: &'r [Entry], range: &RangeInclusive<Entry>) -> &'r [Entry] {
    let from = run.partition_point(|entry| entry < range.start());
    let to = run.partition_point(|entry| entry <= range.end());
    &run[from..to.max(from)]
}

fn merged(a: &[Entry], b: &[Entry]) -> Vec<Entry> {
    let mut run = Vec::with_capacity(a.len() + b.len());
    run.extend_from_slice(a);
    run.extend_from_slice(b);
    run.sort();
    run
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equals_a_list(
            keys in prop::collection::vec(0u64..500, 0..6000),
            frozen in 0usize..3000,
            range in (0u64..500, 0u64..500),
        ) {
            let mut all: Vec<Entry> = keys.iter().zip(0..).map(|(&key, slot)| (key, slot)).collect();
            let frozen = frozen.min(all.len());
            let mut bytes = Vec::new();
            let mut first = all[..frozen].to_vec();
            first.sort_unstable();
            for (key, slot) in first {
                bytes.extend(key.to_le_bytes());
                bytes.extend(slot.to_le_bytes());
            }
            let mut column = Column::open(bytes.into());
            all[frozen..].iter().for_each(|&entry| column.push(entry));
            let range = (range.0, 0)..=(range.1, u64::MAX);
            let (mut got, mut want) = (Vec::new(), all.clone());
            column.each(&range, |entry| got.push(entry));
            got.sort_unstable();
            want.retain(|entry| range.contains(entry));
            want.sort_unstable();
            prop_assert_eq!(column.count(&range), want.len() as u64);
            prop_assert_eq!(got, want);
            all.sort_unstable();
            prop_assert_eq!(column.len(), all.len() as u64);
            prop_assert_eq!(column.sorted(), all);
            prop_assert!(column.runs.len() <= 4, "{}", column.runs.len());
        }
    }
}
