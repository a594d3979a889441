//! What a posting scores, and what a block of them can score at most.
//!
//! Scores are added up in fixed point: the sum does not depend on the order of terms, blocks and
//! segments, so the same log gives the same ranking wherever its parts were cut.

use super::Bm25;
use super::impacts::Impacts;

/// Postings that are scored side by side.
pub(super) const LANES: usize = 8;

/// Bits of the sum of all weights.
const SUM_BITS: i32 = 31;

/// The visible texts, as statistics see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Texts {
    pub(super) count: u64,
    /// Their lengths in terms, added up.
    pub(super) length_total: u64,
}

/// A term's part in scores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weight {
    /// Of a text that is nothing but the term, in units of the scale.
    weight: f32,
    norm_base: f32,
    norm_per_length: f32,
    /// Whether blocks can be bounded: not with knobs outside their range.
    bounded: bool,
}

/// What a unit of a sum is worth: a power of two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale(f32);

impl Scale {
    /// The score that a sum is. Ranks are by this: sums that differ in bits that it has no room for are equal.
    #[inline]
    pub(super) fn score(self, sum: u32) -> f32 {
        sum as f32 * self.0
    }
}

/// The weights of the terms of a query, given how often each is asked for and how many visible
/// texts have it.
pub(super) fn weights(
    terms: impl Iterator<Item = (u16, u64)>,
    texts: Texts,
    bm25: &Bm25,
) -> (Vec<Weight>, Scale) {
    let mean_length = if texts.count == 0 {
        1.0
    } else {
        texts.length_total as f64 / texts.count as f64
    };
    let mean_length = (mean_length as f32).max(f32::MIN_POSITIVE);
    let Bm25 { k1, b } = *bm25;
    let weight = |(times, df): (u16, u64)| {
        let df = df as f64;
        let idf = (1.0 + (texts.count as f64 - df + 0.5) / (df + 0.5)).ln() as f32;
        Weight {
            weight: f32::from(times) * idf * (k1 + 1.0),
            norm_base: k1 * (1.0 - b),
            norm_per_length: k1 * b / mean_length,
            bounded: k1 >= 0.0 && (0.0..=1.0).contains(&b),
        }
    };
    let mut weights: Vec<Weight> = terms.map(weight).collect();
    let sum: f64 = weights.iter().map(|w| f64::from(w.weight)).sum();
    let exponent = exponent_above(sum);
    for weight in &mut weights {
        weight.weight *= (2.0f32).powi(SUM_BITS - exponent);
    }
    (weights, Scale((2.0f32).powi(exponent - SUM_BITS)))
}

/// The least power of two above `sum`, within what keeps the scale a number.
fn exponent_above(sum: f64) -> i32 {
    let sum = if sum.is_finite() { sum } else { 1e18 };
    (-60..90).find(|&at| sum < (2.0f64).powi(at)).unwrap_or(90)
}

impl Weight {
    /// What a text of `length` terms gets for holding the term `count` times: at least 1.
    #[inline]
    pub(super) fn score(&self, count: u32, length: u32) -> u32 {
        // By way of signed numbers, which every machine turns into floats and back four at a time.
        let real = self.real(count as i32 as f32, length);
        (real as i32).max(1) as u32
    }

    /// As [`score`](Self::score) for many, side by side.
    #[inline]
    pub(super) fn scores(&self, counts: &[u32; LANES], lengths: &[u32; LANES]) -> [u32; LANES] {
        std::array::from_fn(|lane| self.score(counts[lane], lengths[lane]))
    }

    /// At least what any posting of a block scores.
    #[inline]
    pub(super) fn bound(&self, impacts: &Impacts) -> u32 {
        if !self.bounded {
            return u32::MAX;
        }
        let real = impacts.pairs().fold(0.0f32, |most, (count, length)| {
            most.max(match count {
                Some(count) => self.real(f32::from(count), length),
                None => self.weight,
            })
        });
        // The function grows with the count and falls with the length but for the rounding of its
        // four steps, half a unit in the last of 24 bits each.
        (real * (1.0 + 1e-6)) as u32 + 1
    }

    #[inline]
    fn real(&self, count: f32, length: u32) -> f32 {
        let norm = self.norm_base + self.norm_per_length * length as i32 as f32;
        self.weight * count / (count + norm)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn by_the_textbook(
            count in 1u64..2_000_000,
            mean in 1u64..400,
            terms in prop::collection::vec((1u16..4, 0.0f64..1.0), 1..20),
            tf in 1u32..40,
            length in 1u32..2000,
        ) {
            let texts = Texts { count, length_total: count * mean };
            let df = |share: f64| 1 + (share * (count - 1) as f64) as u64;
            let asked = terms.iter().map(|&(times, share)| (times, df(share)));
            let (weights, scale) = weights(asked, texts, &Bm25::default());
            let (mut sum, mut want) = (0, 0.0);
            for (&(times, share), weight) in terms.iter().zip(&weights) {
                sum += weight.score(tf, length);
                let (n, df, tf) = (count as f64, df(share) as f64, f64::from(tf));
                let idf = (1.0 + (n - df + 0.5) / (df + 0.5)).ln();
                let norm = 0.9 * (0.6 + 0.4 * f64::from(length) / mean as f64);
                want += f64::from(times) * idf * tf * 1.9 / (tf + norm);
            }
            let most: f64 = weights.iter().map(|w| f64::from(w.weight)).sum::<f64>() * f64::from(scale.0);
            let off = (f64::from(scale.score(sum)) - want).abs();
            prop_assert!(off <= 1e-6 * want + 1e-8 * most, "{off} of {want}");
        }

        #[test]
        fn bounds_bound(
            postings in prop::collection::vec((1u32..400, 0u32..5000), 1..128),
            k1 in 0.0f32..3.0,
            b in 0.0f32..=1.0,
            df in 1u64..1000,
        ) {
            let texts = Texts { count: 1000, length_total: 70_000 };
            let (weights, _) = weights([(1, df)].into_iter(), texts, &Bm25 { k1, b });
            let mut impacts = Impacts::default();
            postings.iter().for_each(|&(count, length)| impacts.add(count, length));
            let bound = weights[0].bound(&impacts);
            for (count, length) in postings {
                prop_assert!(weights[0].score(count, length) <= bound);
            }
        }
    }
}
