//! A token bucket with time as an argument, in whole nanoseconds: nothing is rounded away.

/// Tokens are kept as nanoseconds of refill: one token is `1e9` times the rate's share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// Token-nanoseconds: one token is 1e9 of them.
    level: u128,
    at_ns: u64,
}

const TOKEN: u128 = 1_000_000_000;

impl Bucket {
    /// Full.
    pub(super) fn new(burst: u32) -> Self {
        Self {
            level: u128::from(burst) * TOKEN,
            at_ns: 0,
        }
    }

    /// Takes a token if there is one. Time that goes back counts as none.
    pub(super) fn take(&mut self, now_ns: u64, rate_per_s: u32, burst: u32) -> bool {
        let passed = now_ns.saturating_sub(self.at_ns);
        self.at_ns = self.at_ns.max(now_ns);
        let refill = u128::from(passed) * u128::from(rate_per_s);
        self.level = (self.level + refill).min(u128::from(burst) * TOKEN);
        let has_token = self.level >= TOKEN;
        if has_token {
            self.level -= TOKEN;
        }
        has_token
    }
}
