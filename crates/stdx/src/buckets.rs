//! Durations counted in a few fixed buckets, as a metrics page shows them.

/// Upper ends of the buckets, ns, inclusive; longer ones are in a last bucket of their own.
pub const BOUNDS_NS: [u64; 16] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    50_000_000,
    100_000_000,
    1_000_000_000,
];

/// Counts by bucket, their number and sum: 152 bytes, copied across threads as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Buckets {
    counts: [u64; BOUNDS_NS.len() + 1],
    sum_ns: u64,
}

impl Buckets {
    /// Counts a duration `count` times.
    #[inline]
    pub fn record(&mut self, ns: u64, count: u64) {
        let bucket = BOUNDS_NS.partition_point(|&bound| bound < ns);
        self.counts[bucket] += count;
        self.sum_ns = self.sum_ns.saturating_add(ns.saturating_mul(count));
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
    }

    /// How many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum, ns.
    #[must_use]
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// Each bound, ns, and how many durations were not above it.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        BOUNDS_NS.into_iter().zip(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_at_its_bound_and_above() {
        let mut buckets = Buckets::default();
        for &bound in &BOUNDS_NS {
            buckets.record(bound, 1);
        }
        buckets.record(0, 2);
        buckets.record(u64::MAX, 3);
        let want: Vec<(u64, u64)> = BOUNDS_NS.into_iter().zip(3..).collect();
        assert_eq!(buckets.cumulative().collect::<Vec<_>>(), want);
        assert_eq!(buckets.count(), 2 + 16 + 3);
        assert_eq!(buckets.sum_ns(), u64::MAX);
        for wanted in [50_000, 100_000, 1_000_000] {
            assert!(BOUNDS_NS.contains(&wanted));
        }
        let mut both = buckets;
        both.merge(&buckets);
        assert_eq!(both.count(), 42);
    }
}
