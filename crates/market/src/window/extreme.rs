//! The highest value of the last steps, O(1) amortised.
//!
//! A value that a later, higher one follows can never be the highest again, so it leaves at once:
//! what is kept falls from front to back, and the front is the answer. Each value enters and leaves
//! once.

use std::collections::VecDeque;

/// The highest of the values of the last steps.
#[derive(Clone, Debug)]
pub(super) struct Highest {
    /// Step and value; steps rise, values fall.
    kept: VecDeque<(u64, i64)>,
}

impl Highest {
    /// For windows of at most `steps` steps.
    pub(super) fn new(steps: u64) -> Self {
        Self {
            kept: VecDeque::with_capacity(steps as usize + 1),
        }
    }

    /// A value of `step`, which is no earlier than those before.
    pub(super) fn push(&mut self, step: u64, value: i64) {
        while self.kept.back().is_some_and(|(_, kept)| *kept <= value) {
            self.kept.pop_back();
        }
        self.kept.push_back((step, value));
    }

    /// The highest in `from_step` or later; earlier ones are forgotten.
    pub(super) fn since(&mut self, from_step: u64) -> Option<i64> {
        while self.kept.front().is_some_and(|(step, _)| *step < from_step) {
            self.kept.pop_front();
        }
        self.kept.front().map(|(_, value)| *value)
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_scan(values in prop::collection::vec((0u64..3, -9i64..9), 1..100), steps in 1u64..9) {
            let mut highest = Highest::new(steps);
            let (mut now, mut all) = (100, Vec::new());
            for (gap, value) in values {
                now += gap;
                highest.push(now, value);
                all.push((now, value));
                let from = now + 1 - steps;
                let naive = all.iter().filter(|(step, _)| *step >= from).map(|(_, v)| *v).max();
                prop_assert_eq!(highest.since(from), naive);
            }
        }
    }
}
