//! A lane's time: UTC that never jumps.
//!
//! The operator, or a daemon, may set the machine's clock in the middle of a session. A lane that
//! believed it would do damage: an hour forward is a silence of an hour, so that all windows close
//! and what the venue says next is late; an hour back is an hour without a timer. So a jump of the
//! clock, told apart from time that passed by the clock that only counts, is taken out of the lane's
//! time and then let in again slowly: an eighth of the time that passes, at most. Kernel stamps are
//! moved alike. While the clock does not jump nothing is changed: lane time is UTC.

/// A jump of less is left to the daemons that slew.
const STEP_NS: i64 = 10_000_000;
/// Two looks at the clock further apart than this may have a jump between them.
const STRIDE_NS: u64 = 20_000_000;
/// No packet waits in a socket for so long: its stamp is of before a jump.
const WAIT_NS: u64 = 60_000_000_000;

/// Turns two clocks into one that neither jumps nor goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// Lane time minus UTC.
    skew_ns: i64,
    /// Both clocks when they were last compared: UTC, and time that passed.
    anchor: Option<(u64, u64)>,
    /// UTC when last looked at.
    looked_ns: u64,
    now_ns: u64,
    steps: u64,
}

impl Timeline {
    /// Whether the two clocks should be compared before `utc_ns` is believed.
    #[inline]
    #[must_use]
    pub fn is_doubtful(&self, utc_ns: u64) -> bool {
        utc_ns.wrapping_sub(self.looked_ns) > STRIDE_NS
    }

    /// Compares the clocks: `utc_ns` now, and `passed_ns` on a clock that only counts. To be called
    /// at each tick and where [`Timeline::is_doubtful`].
    pub fn compare(&mut self, utc_ns: u64, passed_ns: u64) {
        let (utc_before, passed_before) = self.anchor.unwrap_or((utc_ns, passed_ns));
        let passed = passed_ns.saturating_sub(passed_before) as i64;
        let jump = (utc_ns.wrapping_sub(utc_before) as i64).wrapping_sub(passed);
        if jump.unsigned_abs() > STEP_NS.unsigned_abs() {
            self.skew_ns = self.skew_ns.saturating_sub(jump);
            self.steps += 1;
        }
        let way = (passed / 8).min(self.skew_ns.saturating_abs());
        self.skew_ns -= way * self.skew_ns.signum();
        self.anchor = Some((utc_ns, passed_ns));
        self.looked_ns = utc_ns;
    }

    /// Lane time at `utc_ns`.
    #[inline]
    pub fn now(&mut self, utc_ns: u64) -> u64 {
        self.looked_ns = utc_ns;
        self.now_ns = self.now_ns.max(utc_ns.saturating_add_signed(self.skew_ns));
        self.now_ns
    }

    /// A kernel's stamp in lane time, when that is `now_ns`; never later.
    #[inline]
    #[must_use]
    pub fn stamp(&self, stamp_ns: u64, now_ns: u64) -> u64 {
        // `now_ns` may be of before the last of a jump was let in again.
        if self.skew_ns == 0 {
            return stamp_ns.min(now_ns);
        }
        let moved = stamp_ns.saturating_add_signed(self.skew_ns);
        if moved > now_ns || now_ns - moved > WAIT_NS {
            return now_ns;
        }
        moved
    }

    /// Jumps so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Lane time minus UTC, ns; 0 unless the clock has jumped.
    #[must_use]
    pub fn skew_ns(&self) -> i64 {
        self.skew_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    const START: u64 = 1_795_392_000_000_000_000;
    const MS: u64 = 1_000_000;
    const SECOND: u64 = 1_000 * MS;

    /// Loops of a lane: looks at the clock and compares when in doubt, as the lane does.
    fn look(timeline: &mut Timeline, utc_ns: u64, passed_ns: u64) -> u64 {
        if timeline.is_doubtful(utc_ns) {
            timeline.compare(utc_ns, passed_ns);
        }
        timeline.now(utc_ns)
    }

    proptest! {
        #[test]
        fn lane_time_passes_as_time_does_whatever_the_clock_says(
            loops in proptest::collection::vec((1u64..200 * MS, -10i64..10, 0u8..20), 1..300),
        ) {
            let mut timeline = Timeline::default();
            let (mut utc, mut passed) = (START, 0);
            let mut before = look(&mut timeline, utc, passed);
            let mut steps = 0;
            for (took, hours, chance) in loops {
                passed += took;
                utc += took;
                if chance == 0 && hours != 0 {
                    utc = utc.saturating_add_signed(hours * 3_600 * SECOND as i64);
                    steps += 1;
                }
                let now = look(&mut timeline, utc, passed);
                // The tick that follows.
                timeline.compare(utc, passed);
                let went = now - before;
                let slack = took / 4 + 60 * MS;
                prop_assert!(went <= took + slack && took <= went + slack, "{took} {went}");
                prop_assert!(timeline.stamp(utc, now) <= now);
                before = now;
            }
            prop_assert_eq!(timeline.steps(), steps);
        }
    }

    #[test]
    fn without_a_jump_it_is_utc_and_after_one_it_comes_back() {
        let mut timeline = Timeline::default();
        for n in 0..1_000 {
            let at = START + n * MS;
            assert_eq!(look(&mut timeline, at, n * MS), at);
            timeline.compare(at, n * MS);
        }
        assert_eq!((timeline.steps(), timeline.skew_ns()), (0, 0));
        // A second forward; the lane does not see it at once, and is in step after eight.
        let jumped = START + SECOND;
        let now = look(&mut timeline, jumped + SECOND, 1_000 * MS);
        assert!(now - (START + SECOND) < MS, "{now}");
        assert_eq!(timeline.steps(), 1);
        for n in 0..8_100 {
            timeline.compare(jumped + (1_000 + n) * MS, (1_000 + n) * MS);
        }
        assert_eq!((timeline.steps(), timeline.skew_ns()), (1, 0));
    }

    #[test]
    fn stamps_from_before_and_after_a_jump_are_of_the_present() {
        for hours in [-1i64, 1] {
            let mut timeline = Timeline::default();
            look(&mut timeline, START, 0);
            let utc = (START + MS).saturating_add_signed(hours * 3_600 * SECOND as i64);
            let now = look(&mut timeline, utc, MS);
            assert!(now.abs_diff(START + MS) <= MS, "{hours}");
            assert!(now - timeline.stamp(utc - 5_000, now) < 10_000, "{hours}");
            assert_eq!(timeline.stamp(START, now), now, "{hours}");
        }
    }
}
