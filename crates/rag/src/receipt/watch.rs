//! Stage times, from the caller's clock.

/// Measures from one lap to the next.
pub(crate) struct Watch<'a> {
    clock: &'a dyn stdx::Clock,
    started_ns: u64,
    last_ns: u64,
}

impl<'a> Watch<'a> {
    pub(crate) fn start(clock: &'a dyn stdx::Clock) -> Self {
        let now = clock.now_ns();
        Self {
            clock,
            started_ns: now,
            last_ns: now,
        }
    }

    /// When it was started, ns UTC.
    pub(crate) fn started_ns(&self) -> u64 {
        self.started_ns
    }

    /// Now, ns UTC.
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Adds the time since the last lap to a stage, microseconds. 0 when the clock went back.
    pub(crate) fn lap(&mut self, stage_us: &mut u64) {
        let now = self.clock.now_ns();
        *stage_us += now.saturating_sub(self.last_ns) / 1_000;
        self.last_ns = now;
    }

    /// Microseconds since the start.
    pub(crate) fn total_us(&self) -> u64 {
        self.clock.now_ns().saturating_sub(self.started_ns) / 1_000
    }
}
