//! A circuit breaker: an endpoint that keeps failing is left alone for a while, so that questions are answered without it
//! at once instead of each waiting for it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it then stays open, ns; then one call tries.
const REST_NS: u64 = 10_000_000_000;

/// Counts the failures of one endpoint.
#[derive(Debug, Default)]
pub struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// In a row.
    failures: u32,
    /// No call before then, ns UTC; 0 while closed.
    rests_until: u64,
    /// A call tries whether the endpoint is back.
    is_trying: bool,
}

impl Breaker {
    /// Whether a call may be made at `now`.
    ///
    /// # Errors
    /// For how long not, ns.
    pub fn enter(&self, now: u64) -> Result<(), u64> {
        let mut state = self.state();
        if state.failures < FAILURES {
            return Ok(());
        }
        if now < state.rests_until || state.is_trying {
            return Err(state.rests_until.saturating_sub(now));
        }
        state.is_trying = true;
        Ok(())
    }

    /// What became of a call that was let in; `None`: it was broken off by its caller, which says nothing.
    pub fn leave(&self, is_good: Option<bool>, now: u64) {
        let mut state = self.state();
        state.is_trying = false;
        match is_good {
            Some(true) => *state = State::default(),
            Some(false) => {
                state.failures = state.failures.saturating_add(1);
                if state.failures >= FAILURES {
                    state.rests_until = now.saturating_add(REST_NS);
                }
            }
            None => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, times: u32, now: u64) {
        for _ in 0..times {
            assert_eq!(breaker.enter(now), Ok(()));
            breaker.leave(Some(false), now);
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_call_tries_again() {
        let breaker = Breaker::default();
        fail(&breaker, FAILURES - 1, 7);
        breaker.leave(Some(true), 7);
        fail(&breaker, FAILURES, 7);
        assert_eq!(breaker.enter(7), Err(REST_NS));
        let later = 7 + REST_NS;
        assert_eq!(breaker.enter(later), Ok(()));
        assert!(breaker.enter(later).is_err(), "one at a time");
        breaker.leave(Some(false), later);
        assert_eq!(breaker.enter(later + 1), Err(REST_NS - 1));
        assert_eq!(breaker.enter(later + REST_NS), Ok(()));
        breaker.leave(Some(true), later + REST_NS);
        fail(&breaker, FAILURES - 1, 7);
        assert_eq!(breaker.enter(7), Ok(()));
    }

    #[test]
    fn a_reader_who_leaves_says_nothing_of_the_endpoint() {
        let breaker = Breaker::default();
        fail(&breaker, FAILURES, 0);
        assert_eq!(breaker.enter(REST_NS), Ok(()));
        breaker.leave(None, REST_NS);
        assert_eq!(breaker.enter(REST_NS), Ok(()));
    }
}
