//! Whether knowledge came in order, as it does from a live feed.
//!
//! While every op so far was known no earlier than the one before it, what was known at an instant is
//! what the first so many ops say, and counts over it need no scan. The first late op ends that.

/// The instants at which ops were known, as far as statistics need them.
#[derive(Default)]
pub(super) struct KnownOrder {
    last: u64,
    is_broken: bool,
    /// When what superseded a version was known, by death; empty once the order is broken.
    deaths: Vec<u64>,
}

impl KnownOrder {
    /// Takes the instant of the next op.
    pub(super) fn op(&mut self, known_at: u64) {
        if known_at < self.last {
            self.is_broken = true;
            self.deaths = Vec::new();
        }
        self.last = self.last.max(known_at);
    }

    /// Notes that the last op superseded a version.
    pub(super) fn death(&mut self) {
        if !self.is_broken {
            self.deaths.push(self.last);
        }
    }

    /// Whether all that there is was known at `t`.
    pub(super) fn is_all(&self, t: u64) -> bool {
        t >= self.last
    }

    /// How many versions were known at `t`, and how many deaths; `None` when order does not tell.
    /// `births` counts the versions.
    pub(super) fn prefix(&self, t: u64, births: impl FnOnce() -> usize) -> Option<(u32, u32)> {
        let deaths = || self.deaths.partition_point(|at| *at <= t);
        (!self.is_broken).then(|| (births() as u32, deaths() as u32))
    }

    /// The latest instant, whether the order was broken, and the deaths' instants, to be written.
    pub(super) fn parts(&self) -> (u64, bool, &[u64]) {
        (self.last, self.is_broken, &self.deaths)
    }

    /// What was written.
    pub(super) fn from_parts(last: u64, is_broken: bool, deaths: Vec<u64>) -> Self {
        Self {
            last,
            is_broken,
            deaths,
        }
    }
}
