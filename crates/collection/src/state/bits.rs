//! A set of slots, one bit each.

/// Which slots are in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// The set that these words say.
    pub(crate) fn from_words(words: Vec<u64>) -> Self {
        Self { words }
    }

    /// Its words, 64 slots each.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// Whether `slot` is in.
    #[inline]
    pub(crate) fn has(&self, slot: u32) -> bool {
        let word = self.words.get(slot as usize / 64).copied().unwrap_or(0);
        word >> (slot % 64) & 1 == 1
    }

    /// Puts `slot` in.
    pub(crate) fn insert(&mut self, slot: u32) {
        let at = slot as usize / 64;
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        self.words[at] |= 1 << (slot % 64);
    }

    /// Takes `slot` out.
    pub(crate) fn remove(&mut self, slot: u32) {
        if let Some(word) = self.words.get_mut(slot as usize / 64) {
            *word &= !(1 << (slot % 64));
        }
    }

    /// Becomes the set of those slots below `count` that `is_in`.
    pub(crate) fn fill(&mut self, count: usize, is_in: impl Fn(usize) -> bool) {
        self.words.clear();
        for start in (0..count).step_by(64) {
            let mut word = 0;
            for slot in start..count.min(start + 64) {
                word |= u64::from(is_in(slot)) << (slot - start);
            }
            self.words.push(word);
        }
    }

    /// Becomes the set of these slots.
    pub(crate) fn fill_from(&mut self, slots: &[u32]) {
        self.words.clear();
        slots.iter().for_each(|&slot| self.insert(slot));
    }

    /// How many slots are in.
    pub(crate) fn count(&self) -> u64 {
        self.words
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum()
    }

    /// All slots, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            std::iter::successors((word != 0).then_some(word), |word| {
                let rest = word & (word - 1);
                (rest != 0).then_some(rest)
            })
            .map(move |word| at as u32 * 64 + word.trailing_zeros())
        })
    }

    /// The first slot in the set at or after `slot`.
    pub(crate) fn next(&self, slot: u32) -> Option<u32> {
        let first = slot as usize / 64;
        let mut word = self.words.get(first)? & (u64::MAX << (slot % 64));
        let mut at = first;
        while word == 0 {
            at += 1;
            word = *self.words.get(at)?;
        }
        Some(at as u32 * 64 + word.trailing_zeros())
    }
}

impl crate::text::Slots for Bits {
    #[inline]
    fn has(&self, slot: u32) -> bool {
        self.has(slot)
    }

    fn next(&self, slot: u32) -> Option<u32> {
        self.next(slot)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equals_a_set(slots in prop::collection::vec((any::<bool>(), 0u32..300), 0..200)) {
            let (mut bits, mut set) = (Bits::default(), BTreeSet::new());
            for (into, slot) in slots {
                if into {
                    bits.insert(slot);
                    set.insert(slot);
                } else {
                    bits.remove(slot);
                    set.remove(&slot);
                }
            }
            let list: Vec<u32> = set.iter().copied().collect();
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), list.clone());
            prop_assert_eq!(bits.count(), list.len() as u64);
            let (mut filled, mut from) = (Bits::default(), Bits::default());
            filled.fill(300, |slot| set.contains(&(slot as u32)));
            from.fill_from(&list);
            for copy in [filled, from] {
                prop_assert!((0..400).all(|slot| copy.has(slot) == set.contains(&slot)));
                prop_assert!((0..400).all(|slot| copy.next(slot) == set.range(slot..).next().copied()));
            }
        }
    }
}
