//! Time as an argument: the one place that reads the machine's clock, and its fake for tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since the Unix epoch, UTC.
pub trait Clock: Send + Sync {
    /// The present instant, ns UTC. Not monotonic: the operator may set the clock back.
    fn now_ns(&self) -> u64;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "the only place that reads the clock"
    )]
    fn now_ns(&self) -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A clock that moves only when told to.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that stands at `now_ns`.
    #[must_use]
    pub fn at(now_ns: u64) -> Self {
        Self(AtomicU64::new(now_ns))
    }

    /// Moves the clock to `now_ns`, in either direction.
    pub fn set(&self, now_ns: u64) {
        self.0.store(now_ns, Ordering::Relaxed);
    }

    /// Moves the clock forward by `ns`.
    pub fn advance(&self, ns: u64) {
        self.0.fetch_add(ns, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_clock_moves_only_when_told() {
        let clock = ManualClock::at(5);
        assert_eq!((clock.now_ns(), clock.now_ns()), (5, 5));
        clock.advance(3);
        assert_eq!(clock.now_ns(), 8);
        clock.set(1);
        assert_eq!(clock.now_ns(), 1);
    }

    #[test]
    fn system_clock_is_after_2024() {
        assert!(SystemClock.now_ns() > 1_704_067_200_000_000_000);
    }
}
