//! How long to wait before the next attempt.

use std::time::Duration;

use stdx::Rng;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// Doubles from a first wait to a longest one, less up to half of it by chance, so that
/// many readers of a venue that comes back do not all come at once; success starts again.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    chance: Rng,
}

impl Backoff {
    /// From a quarter of a second to half a minute; `seed` should differ between readers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::within(FIRST, LONGEST, seed)
    }

    /// From `first` to `longest`.
    #[must_use]
    pub fn within(first: Duration, longest: Duration, seed: u64) -> Self {
        Self {
            first,
            longest,
            next: first,
            chance: Rng::new(seed),
        }
    }

    /// The wait before the next attempt.
    pub fn fail(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        wait.mul_f64(1.0 - self.chance.f64() / 2.0)
    }

    /// An attempt succeeded.
    pub fn succeed(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_differ_by_chance() {
        let mut backoff = Backoff::new(1);
        let longest = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
        for ms in longest {
            let wait = backoff.fail().as_millis();
            assert!(wait > ms / 2 && wait <= ms, "{wait} of {ms}");
        }
        backoff.succeed();
        assert!(backoff.fail() <= FIRST);
        let other = Backoff::new(2).fail();
        assert_ne!(Backoff::new(1).fail(), other);
    }
}
