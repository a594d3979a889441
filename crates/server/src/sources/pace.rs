//! When a source is asked next.

use std::time::Duration;

use stdx::Rng;

use super::Failure;
use crate::connect::Backoff;

/// The first wait after a failure, unless the source is asked more often anyway.
const FIRST: Duration = Duration::from_secs(5);
/// The longest, unless the source is asked less often anyway.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// A server that asks for more patience than this is asked again all the same.
const PATIENCE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// An interval with a tenth of chance in it, growing waits after failures, and never sooner than a server allows.
#[derive(Clone, Debug)]
pub struct Pace {
    every: Duration,
    backoff: Backoff,
    chance: Rng,
}

impl Pace {
    /// Asks every so often; `seed` should differ between sources.
    #[must_use]
    pub fn new(every: Duration, seed: u64) -> Self {
        Self {
            every,
            backoff: Backoff::within(FIRST.min(every), LONGEST.max(every), seed),
            chance: Rng::new(seed),
        }
    }

    /// The wait after a turn, which may have failed.
    pub fn after(&mut self, failure: Option<&Failure>) -> Duration {
        match failure {
            None => {
                self.backoff.succeed();
                self.every.mul_f64(0.9 + 0.2 * self.chance.f64())
            }
            Some(failure) => {
                let asked = failure.retry_after.unwrap_or_default().min(PATIENCE_MAX);
                self.backoff.fail().max(asked)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn failures_wait_longer_and_a_server_may_ask_for_more() {
        let mut pace = Pace::new(S(60), 1);
        let failed = |after| Failure {
            retry_after: after,
            ..Failure::new("down")
        };
        let plain = failed(None);
        for longest in [5, 10, 20, 40, 80, 160, 320, 640, 900, 900] {
            let wait = pace.after(Some(&plain));
            assert!(wait > S(longest) / 2 && wait <= S(longest), "{wait:?}");
        }
        assert_eq!(pace.after(Some(&failed(Some(S(3_600))))), S(3_600));
        assert_eq!(pace.after(Some(&failed(Some(S(1 << 40))))), PATIENCE_MAX);
        for _ in 0..20 {
            let wait = pace.after(None);
            assert!(wait >= S(54) && wait <= S(66), "{wait:?}");
        }
        assert!(pace.after(Some(&plain)) <= S(5));
    }
}
