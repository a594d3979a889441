//! What a block of postings can score at most, kept so that any statistics can be put in later.
//!
//! BM25 grows with the count of a term and falls with the length of the text. Inverse document frequency and
//! mean length differ from instant to instant, so no score can be stored; the pairs (count, length)
//! that no other pair of the block beats can, and the best of them bounds the block under all
//! statistics (Ding and Suel, "Faster Top-k Document Retrieval Using Block-Max Indexes", 2011; the
//! pairs are Lucene's "impacts"). At most four are kept: two neighbours become one pair with the larger
//! count and the smaller length, which bounds both.

/// Counts from here on are one: as often as you like.
const COUNT_MANY: u8 = u8::MAX;

/// Up to four pairs of count and length code, counts and lengths ascending; a count of 0 is no pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Impacts([(u8, u8); 4]);

impl Impacts {
    /// Widens the bound to cover a posting.
    #[inline]
    pub(super) fn add(&mut self, count: u32, length: u32) {
        let new = (count.min(u32::from(COUNT_MANY)) as u8, code(length));
        if !self.0.iter().any(|held| held.0 >= new.0 && held.1 <= new.1) {
            self.insert(new);
        }
    }

    #[cold]
    fn insert(&mut self, new: (u8, u8)) {
        let mut pairs = [(0, 0); 5];
        let mut held = 0;
        for pair in self.0.into_iter().chain([new]) {
            let beaten = pair != new && pair.0 <= new.0 && pair.1 >= new.1;
            if pair.0 > 0 && !beaten {
                pairs[held] = pair;
                held += 1;
            }
        }
        pairs[..held].sort_unstable();
        if held > 4 {
            let loss = |at: &usize| {
                let (low, high) = (pairs[*at], pairs[*at + 1]);
                // Of the larger count's share and of the length, about, as their logarithms.
                let count = u32::from(high.0 - low.0) * 64 / u32::from(low.0 + 1);
                count + u32::from(high.1.saturating_sub(low.1))
            };
            let at = (0..4).min_by_key(loss).unwrap_or(0);
            pairs[at] = (pairs[at + 1].0, pairs[at].1);
            pairs.copy_within(at + 2.., at + 1);
            held = 4;
        }
        self.0 = [(0, 0); 4];
        self.0[..held].copy_from_slice(&pairs[..held]);
    }

    /// The pairs: a count, `None` for any, and a length; between them at least as good as every posting.
    #[inline]
    pub(super) fn pairs(&self) -> impl Iterator<Item = (Option<u8>, u32)> {
        self.0
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, length)| ((count < COUNT_MANY).then_some(count), length_of(length)))
    }

    pub(super) fn to_bytes(self) -> [u8; 8] {
        let [a, b, c, d] = self.0;
        [a.0, a.1, b.0, b.1, c.0, c.1, d.0, d.1]
    }

    #[inline]
    pub(super) fn from_bytes(bytes: [u8; 8]) -> Self {
        let [a, b, c, d, e, f, g, h] = bytes;
        Self([(a, b), (c, d), (e, f), (g, h)])
    }
}

/// A length in a byte, rounded down: exact below 32, then four bits behind the first.
fn code(length: u32) -> u8 {
    if length < 32 {
        return length as u8;
    }
    let shift = 27 - length.leading_zeros();
    let code = 32 + (shift - 1) * 16 + ((length >> shift) - 16);
    code.min(u32::from(u8::MAX)) as u8
}

fn length_of(code: u8) -> u32 {
    let code = u32::from(code);
    if code < 32 {
        return code;
    }
    let shift = (code - 32) / 16 + 1;
    ((code - 32) % 16 + 16) << shift
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_round_down_by_a_sixteenth_at_most() {
        let mut last = 0;
        for length in 0..1u32 << 18 {
            let read = length_of(code(length));
            assert!(read <= length && code(length) >= last);
            assert!(length - read <= length / 16, "{length} {read}");
            last = code(length);
        }
        assert!(length_of(code(u32::MAX)) >= 1 << 18);
    }

    proptest! {
        #[test]
        fn every_posting_is_bounded(postings in prop::collection::vec((1u32..300, 0u32..3000), 1..200)) {
            let mut impacts = Impacts::default();
            postings.iter().for_each(|&(count, length)| impacts.add(count, length));
            let read = Impacts::from_bytes(impacts.to_bytes());
            prop_assert_eq!(read, impacts);
            for (count, length) in postings {
                let bounds = |(c, l): (Option<u8>, u32)| {
                    c.is_none_or(|c| u32::from(c) >= count) && l <= length
                };
                prop_assert!(impacts.pairs().any(bounds), "{:?} {} {}", impacts, count, length);
            }
        }
    }
}
