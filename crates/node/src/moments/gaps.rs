//! When nothing was published at all: the venue was closed, or nobody listened.

use std::collections::VecDeque;

/// Silence of all symbols together that is a gap, ns.
const GAP_NS: u64 = 60_000_000_000;

/// Gaps, oldest first.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// End of the newest state, ns UTC.
    newest_ns: u64,
    /// End of the last state before, and of the first after.
    gaps: VecDeque<(u64, u64)>,
}

impl Gaps {
    /// A state that ended then was published.
    pub fn state(&mut self, end_ns: u64) {
        let is_first = self.newest_ns == 0;
        if !is_first && end_ns > self.newest_ns.saturating_add(GAP_NS) {
            self.gaps.push_back((self.newest_ns, end_ns));
        }
        self.newest_ns = self.newest_ns.max(end_ns);
    }

    /// Nothing that ended by then is asked about any more.
    pub fn forget_before(&mut self, end_ns: u64) {
        while self.gaps.front().is_some_and(|gap| gap.1 <= end_ns) {
            self.gaps.pop_front();
        }
    }

    /// Whether a price that was last seen at `seen_ns` can be taken to stand at `at_ns`: somebody would have said
    /// otherwise. What is published later, in order of time, does not change it. One line of time for all symbols: beside a
    /// lane of today, moves of a lane that replays another day are not known.
    pub fn stands(&self, seen_ns: u64, at_ns: u64) -> bool {
        let is_over = |from_ns: u64| from_ns.saturating_add(GAP_NS) < at_ns;
        if is_over(self.newest_ns) {
            return false;
        }
        // The last gap that could be told by then.
        let told = self.gaps.partition_point(|gap| is_over(gap.0));
        let gap = told.checked_sub(1).and_then(|at| self.gaps.get(at));
        gap.is_none_or(|gap| at_ns >= gap.1 && seen_ns > gap.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_price_does_not_stand_through_or_into_a_gap() {
        let mut gaps = Gaps::default();
        for at in [100, 130, 400, 401] {
            gaps.state(at * SECOND);
        }
        let stands = |seen: u64, at: u64| gaps.stands(seen * SECOND, at * SECOND);
        assert!(stands(100, 130) && stands(100, 129));
        assert!(
            stands(130, 190) && !stands(130, 191) && !stands(130, 399),
            "into it"
        );
        assert!(!stands(130, 400) && !stands(100, 401), "through it");
        assert!(stands(400, 401) && stands(400, 450), "after it");
        assert!(!stands(401, 500), "nobody has said anything since");
        gaps.forget_before(400 * SECOND);
        assert!(gaps.gaps.is_empty());
    }

    #[test]
    fn states_of_several_lanes_in_disorder_are_no_gap() {
        let mut gaps = Gaps::default();
        for at in [1_000, 900, 1_001, 950, 1_030] {
            gaps.state(at * SECOND);
        }
        assert!(gaps.gaps.is_empty());
    }
}
