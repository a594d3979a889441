//! Recorded bytes through the same path as live ones: as fast as possible, or at their own pace.

mod dbn_file;
mod dbn_source;
mod itch_file;
mod pcap_file;

pub use dbn_file::{DbnFault, DbnFile, looks_like_dbn};
pub use dbn_source::{
    DBN_CUT, DBN_END, DBN_HEADER, DBN_RECORD, DbnFrom, DbnSource, DbnStatus, DbnView,
};
pub use itch_file::ItchFileSource;
pub use pcap_file::PcapSource;

use stdx::{Clock, SystemClock};

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as the lane takes it.
    Max,
    /// Times the original pace: 1.0 as recorded, 10.0 ten times as fast.
    Times(f64),
}

/// Payloads handed over in one poll at most, so that a lane can publish in between.
pub(crate) const BATCH: usize = 64;

/// Says when a recorded instant is due on the machine's clock.
pub(crate) struct Playback {
    speed: Speed,
    clock: SystemClock,
    /// Recorded and machine instant of the first payload.
    start: Option<(u64, u64)>,
}

impl Playback {
    pub(crate) fn new(speed: Speed) -> Self {
        Self {
            speed,
            clock: SystemClock,
            start: None,
        }
    }

    /// How long until a payload recorded at `ts_ns` is due; 0: now.
    pub(crate) fn wait_ns(&mut self, ts_ns: u64) -> u64 {
        let Speed::Times(times) = self.speed else {
            return 0;
        };
        let now_ns = self.clock.now_ns();
        let (recorded, machine) = *self.start.get_or_insert((ts_ns, now_ns));
        let since = ts_ns.saturating_sub(recorded) as f64 / times.max(1e-9);
        (machine.saturating_add(since as u64)).saturating_sub(now_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playback_keeps_the_recorded_distances() {
        let mut fast = Playback::new(Speed::Max);
        assert_eq!((fast.wait_ns(1), fast.wait_ns(u64::MAX)), (0, 0));
        let mut tenfold = Playback::new(Speed::Times(10.0));
        assert_eq!(tenfold.wait_ns(5_000), 0);
        let wait = tenfold.wait_ns(5_000 + 100_000_000_000);
        assert!((9_000_000_000..=10_000_000_000).contains(&wait), "{wait}");
    }
}
