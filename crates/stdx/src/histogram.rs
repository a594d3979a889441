//! A log-linear histogram: fixed memory, no allocation after `new`, relative error below 1/64.
//!
//! Values below 64 have a bucket each; above, every power of two is cut into 64 equal buckets.

const SUB_BITS: u32 = 6;
const SUB_COUNT: usize = 1 << SUB_BITS;
const BUCKET_COUNT: usize = (64 - SUB_BITS as usize + 1) * SUB_COUNT;

/// Counts of `u64` values (latencies in ns, sizes, depths).
#[derive(Clone)]
pub struct Histogram {
    buckets: Box<[u64; BUCKET_COUNT]>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty histogram (about 30 KB).
    #[must_use]
    pub fn new() -> Self {
        Self {
            buckets: Box::new([0; BUCKET_COUNT]),
            count: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
        }
    }

    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.buckets[bucket_of(value)] += 1;
        self.count += 1;
        self.sum += u128::from(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets.iter()) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buckets.fill(0);
        (self.count, self.sum, self.min, self.max) = (0, 0, u64::MAX, 0);
    }

    /// How many values were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The exact sum of all values.
    #[must_use]
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The exact largest value; `None` when empty.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// The exact smallest value; `None` when empty.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// How many values were at or below `value`, to the bucket's width.
    #[must_use]
    pub fn count_at_most(&self, value: u64) -> u64 {
        self.buckets[..=bucket_of(value)].iter().sum()
    }

    /// The value that a share `q` (0 to 1) of all values do not exceed, rounded up to its bucket's
    /// end and never above the maximum; `None` when empty.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let rank = ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (idx, n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen >= rank && self.count > 0 {
                return Some(bucket_end(idx).min(self.max));
            }
        }
        None
    }
}

fn bucket_of(value: u64) -> usize {
    if value < SUB_COUNT as u64 {
        return value as usize;
    }
    let exponent = 63 - value.leading_zeros();
    let sub = (value >> (exponent - SUB_BITS)) as usize - SUB_COUNT;
    (exponent - SUB_BITS + 1) as usize * SUB_COUNT + sub
}

fn bucket_end(idx: usize) -> u64 {
    if idx < SUB_COUNT {
        return idx as u64;
    }
    let shift = (idx / SUB_COUNT - 1) as u32;
    let start = ((idx % SUB_COUNT + SUB_COUNT) as u64) << shift;
    start + ((1u64 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        for shift in 0..64 {
            for value in [
                1u64 << shift,
                (1u64 << shift) - 1,
                (1u64 << shift) + (1u64 << shift) / 3,
            ] {
                let end = bucket_end(bucket_of(value));
                assert!(end >= value && end - value <= value / 64, "{value} {end}");
            }
        }
        assert_eq!(bucket_end(bucket_of(u64::MAX)), u64::MAX);
    }

    #[test]
    fn quantiles_of_a_ramp() {
        let mut h = Histogram::new();
        assert_eq!(h.quantile(0.5), None);
        (1..=1_000).for_each(|v| h.record(v));
        for (q, want) in [(0.5, 500u64), (0.99, 990), (1.0, 1_000)] {
            let got = h.quantile(q).expect("not empty");
            assert!(got >= want && got - want <= want / 32, "{q}: {got}");
        }
        assert_eq!((h.min(), h.max(), h.count()), (Some(1), Some(1_000), 1_000));
    }
}
