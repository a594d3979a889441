//! Which slots are deleted, as bits: asked of every vertex that enters a beam.

/// One bit a slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    words: Vec<u64>,
    count: usize,
}

impl Marks {
    /// Marked slots.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether the slot is marked.
    #[inline(always)]
    pub fn has(&self, slot: u32) -> bool {
        let word = self.words.get(slot as usize / 64).copied().unwrap_or(0);
        word >> (slot % 64) & 1 == 1
    }

    /// Marks the slot or takes its mark.
    pub fn set(&mut self, slot: u32, is_marked: bool) {
        if self.has(slot) == is_marked {
            return;
        }
        let at = slot as usize / 64;
        if self.words.len() <= at {
            self.words.resize(at + 1, 0);
        }
        self.words[at] ^= 1 << (slot % 64);
        self.count = if is_marked {
            self.count + 1
        } else {
            self.count - 1
        };
    }

    /// All marked slots, smallest first.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let words = self.words.iter().enumerate();
        words.flat_map(|(at, &word)| {
            let bits = (0..64).filter(move |bit| word >> bit & 1 == 1);
            bits.map(move |bit| at as u32 * 64 + bit)
        })
    }

    /// The position of the first marked slot.
    pub fn first_of(&self, slots: &[u32]) -> Option<usize> {
        if self.count == 0 {
            return None;
        }
        slots.iter().position(|&slot| self.has(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_counted_once() {
        let mut marks = Marks::default();
        assert_eq!((marks.has(700), marks.first_of(&[0, 700])), (false, None));
        for _ in 0..2 {
            marks.set(700, true);
            assert_eq!(
                (marks.has(700), marks.has(699), marks.count()),
                (true, false, 1)
            );
        }
        assert_eq!(marks.first_of(&[0, 700]), Some(1));
        assert!(marks.iter().eq([700]));
        marks.set(700, false);
        assert_eq!((marks.has(700), marks.count()), (false, 0));
    }
}
