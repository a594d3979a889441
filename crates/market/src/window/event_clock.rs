//! Event time, its watermark, and how it goes on when the venue is quiet.

/// Turns event times into a watermark.
///
/// While messages come, the watermark is the latest event time minus the allowed lateness. When
/// none has come for `quiet_ns` of *our* time, event time is taken to run on at our clock's rate
/// from the last message, `quiet_ns` behind, so that the last bar before a pause still closes. The
/// two clocks are never compared, only their progress: a venue clock ahead of ours does no harm.
#[derive(Clone, Copy, Debug)]
pub struct EventClock {
    lateness_ns: u64,
    quiet_ns: u64,
    /// Latest event time, and our receive time of that message.
    latest: Option<(u64, u64)>,
    watermark: u64,
}

impl EventClock {
    /// A clock that has seen nothing.
    #[must_use]
    pub fn new(lateness_ns: u64, quiet_ns: u64) -> Self {
        Self {
            lateness_ns,
            quiet_ns,
            latest: None,
            watermark: 0,
        }
    }

    /// No event before this is expected, ns UTC; 0 before the first event.
    #[must_use]
    pub fn watermark(&self) -> u64 {
        self.watermark
    }

    /// The latest event time seen.
    #[must_use]
    pub fn latest_event(&self) -> Option<u64> {
        self.latest.map(|(event, _)| event)
    }

    /// Takes one message's event and receive time; returns the watermark.
    #[inline]
    pub fn observe(&mut self, ts_event: u64, ts_recv: u64) -> u64 {
        let (event, recv) = self.latest.unwrap_or((0, 0));
        self.latest = Some((event.max(ts_event), recv.max(ts_recv)));
        self.raise(ts_event)
    }

    /// Lets quiet time pass; returns the watermark. Not to be called while a gap is open: what the
    /// gap hides would be late.
    pub fn tick(&mut self, now_ns: u64) -> u64 {
        if let Some((event, recv)) = self.latest
            && let Some(quiet) = now_ns.checked_sub(recv.saturating_add(self.quiet_ns))
        {
            self.raise(event.saturating_add(quiet));
        }
        self.watermark
    }

    /// Forgets everything, for a new session.
    pub fn clear(&mut self) {
        *self = Self::new(self.lateness_ns, self.quiet_ns);
    }

    #[inline]
    fn raise(&mut self, ts_event: u64) -> u64 {
        let watermark = ts_event.saturating_sub(self.lateness_ns);
        self.watermark = self.watermark.max(watermark);
        self.watermark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_time_passes_at_our_rate_and_never_back() {
        // The venue's clock is 1,000 ahead of ours.
        let mut clock = EventClock::new(5, 100);
        assert_eq!(clock.tick(10_000), 0);
        assert_eq!(clock.observe(2_000, 1_000), 1_995);
        assert_eq!(clock.tick(1_099), 1_995);
        assert_eq!(clock.tick(1_150), 2_045);
        assert_eq!(clock.observe(2_010, 1_160), 2_045);
        assert_eq!(clock.observe(2_100, 1_170), 2_095);
    }
}
