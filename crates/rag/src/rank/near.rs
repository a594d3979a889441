//! How well the time of a report fits the time of a move, 0 to 1.
//!
//! A jump is explained by news from just before it: full marks while it happens, half some minutes
//! before (`Settings::jump_half_ns`), nothing beyond the look-back. News shortly after may be late reporting of the
//! cause; minutes later it is a report of the move. A day's move is explained by anything since
//! the price it is measured from, and by the evening before that.

use crate::facts::{Move, Pace};
use crate::settings::Settings;

const DAY_HALF_NS: f64 = 6.0 * 3_600e9;
const LATE_HALF_NS: f64 = 90e9;
/// What an earlier jump leaves of the news from before it.
const PRICED: f32 = 0.25;

/// The fit of a report at `event_at` to a move.
#[must_use]
pub fn near(event_at: u64, m: &Move, settings: &Settings) -> f32 {
    let (lookback, half) = match m.pace {
        Pace::Jump => (settings.jump_lookback_ns, settings.jump_half_ns as f64),
        Pace::Day => (settings.day_lookback_ns, DAY_HALF_NS),
    };
    if event_at > m.end {
        let late = event_at - m.end;
        return if late > settings.report_lag_ns {
            0.0
        } else {
            fading(late, LATE_HALF_NS)
        };
    }
    let early = m.start.saturating_sub(event_at);
    if early > lookback {
        return 0.0;
    }
    let priced = m.priced_until.is_some_and(|until| event_at < until);
    fading(early, half) * if priced { PRICED } else { 1.0 }
}

fn fading(distance_ns: u64, half_ns: f64) -> f32 {
    (1.0 / (1.0 + distance_ns as f64 / half_ns)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearness_falls_on_both_sides() {
        const MIN: u64 = 60_000_000_000;
        let settings = Settings::default();
        let jump = Move {
            pace: Pace::Jump,
            ..Move::unseen(1_000 * MIN, 1_001 * MIN)
        };
        let at = |minute: u64| near(minute * MIN, &jump, &settings);
        assert_eq!((at(1_000), at(1_001), at(970)), (1.0, 1.0, 0.5));
        assert!(at(1_003) < 0.5 && at(1_003) > 0.3);
        assert_eq!((at(1_012), at(600)), (0.0, 0.0));
        let priced = Move {
            priced_until: Some(999 * MIN),
            ..jump
        };
        assert!(near(998 * MIN, &priced, &settings) < 0.31);
        assert!(near(999 * MIN + 1, &priced, &settings) > 0.9);
        let day = Move::unseen(1_000 * MIN, 1_390 * MIN);
        assert_eq!(near(1_200 * MIN, &day, &settings), 1.0);
        assert_eq!(near(640 * MIN, &day, &settings), 0.5);
    }
}
