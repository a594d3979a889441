//! When things happen: a process of two states, far burstier than Poisson.
//!
//! Quiet gaps of hundreds of microseconds alternate with bursts in which events follow each other
//! within microseconds; burst sizes have a heavy tail, and the rate itself wanders over seconds, so
//! that counts are clustered at every scale. After the opening the rate decays along the measured
//! curve `R(t) = R (1 + peak exp(-t / 1.13 s))`.

use stdx::Rng;

/// Decay time of the opening burst.
const OPENING_DECAY_S: f64 = 1.13;
/// Mean of the burst sizes drawn by [`burst_size`].
const BURST_MEAN: f64 = 16.8;
/// Step of the slow change of the rate.
const MODULATION_STEP_NS: u64 = 100_000_000;
/// How strongly the rate wanders (standard deviation of its logarithm).
const MODULATION_SIGMA: f64 = 0.6;

/// The next instant, and whether it opens a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    pub at_ns: u64,
    pub opens_burst: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// Messages a second, far from the opening.
    rate: f64,
    peak: f64,
    open_ns: u64,
    now_ns: u64,
    left_in_burst: u32,
    /// Typical gap inside a burst, ns.
    inner_gap_ns: f64,
    modulation: f64,
    modulation_state: f64,
    modulation_until_ns: u64,
    /// Messages of a batch count too, and must not raise the rate: they are paid back in gaps.
    debt: f64,
}

impl Pace {
    pub fn new(rate: f64, peak: f64, open_ns: u64) -> Self {
        Self {
            rate,
            peak,
            open_ns,
            now_ns: open_ns,
            left_in_burst: 0,
            inner_gap_ns: 1_400.0,
            modulation: 1.0,
            modulation_state: 0.0,
            modulation_until_ns: open_ns,
            debt: 0.0,
        }
    }

    /// Says that `count` messages were sent beyond the one each beat stands for.
    pub fn owe(&mut self, count: usize) {
        self.debt += count as f64;
    }

    /// Messages a second at `now`.
    pub fn rate_now(&self) -> f64 {
        let since_s = self.now_ns.saturating_sub(self.open_ns) as f64 * 1e-9;
        self.rate * self.modulation * (1.0 + self.peak * (-since_s / OPENING_DECAY_S).exp())
    }

    pub fn next(&mut self, rng: &mut Rng) -> Beat {
        if self.left_in_burst > 0 {
            self.left_in_burst -= 1;
            if !rng.chance(0.25) {
                let gap = self.inner_gap_ns * (0.9 * rng.normal()).exp();
                self.now_ns += gap as u64 + 1;
            }
            return Beat {
                at_ns: self.now_ns,
                opens_burst: false,
            };
        }
        self.wander(rng);
        let rate = self.rate_now();
        // At rates near a burst's own the gaps inside must shrink, or bursts could not be told
        // from quiet and the mean rate could not be reached.
        self.inner_gap_ns = 1_400.0f64.min(0.2e9 / rate);
        self.left_in_burst = burst_size(rng) - 1;
        let inner = BURST_MEAN * self.inner_gap_ns * 1.1;
        let mean = ((BURST_MEAN + self.debt) * 1e9 / rate - inner).max(200.0);
        self.debt = 0.0;
        let stretch = if rng.chance(0.3) { 2.63 } else { 0.3 };
        self.now_ns += rng.exponential(mean * stretch) as u64 + 1;
        Beat {
            at_ns: self.now_ns,
            opens_burst: true,
        }
    }

    /// An autoregressive logarithm with a memory of about a second.
    fn wander(&mut self, rng: &mut Rng) {
        // A long quiet gap forgets the past anyway, so a bounded number of steps is enough.
        for _ in 0..64 {
            if self.now_ns < self.modulation_until_ns {
                return;
            }
            self.modulation_until_ns += MODULATION_STEP_NS;
            self.modulation_state = 0.9 * self.modulation_state + 0.436 * rng.normal();
            let x = MODULATION_SIGMA * self.modulation_state;
            self.modulation = (x - MODULATION_SIGMA * MODULATION_SIGMA / 2.0).exp();
        }
        self.modulation_until_ns = self.now_ns + MODULATION_STEP_NS;
    }
}

/// Most bursts are a handful of events, a tenth of them long.
fn burst_size(rng: &mut Rng) -> u32 {
    let mean = match rng.below(10) {
        0..6 => 3.0,
        6..9 => 20.0,
        _ => 90.0,
    };
    // The ceiling of an exponential is about half an event longer than its mean.
    (rng.exponential(mean - 0.5).ceil() as u32).clamp(1, 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beats(rate: f64, peak: f64, count: usize) -> Vec<Beat> {
        let mut rng = Rng::new(5);
        let mut pace = Pace::new(rate, peak, 0);
        (0..count).map(|_| pace.next(&mut rng)).collect()
    }

    #[test]
    fn mean_rate_is_kept() {
        for rate in [2_000.0, 50_000.0, 600_000.0] {
            let mut rng = Rng::new(5);
            let mut pace = Pace::new(rate, 0.0, 0);
            // The slow change of the rate would need minutes to average out.
            pace.modulation_until_ns = u64::MAX;
            let beats: Vec<Beat> = (0..1_000_000).map(|_| pace.next(&mut rng)).collect();
            let seconds = beats[beats.len() - 1].at_ns as f64 * 1e-9;
            let measured = beats.len() as f64 / seconds;
            assert!((measured / rate - 1.0).abs() < 0.1, "{rate} {measured}");
            assert!(beats.is_sorted_by_key(|b| b.at_ns));
        }
    }

    #[test]
    fn counts_are_clustered() {
        let beats = beats(20_000.0, 0.0, 400_000);
        for (width_ns, least) in [(1_000_000u64, 20.0), (100_000_000, 60.0)] {
            let windows = beats[beats.len() - 1].at_ns / width_ns + 1;
            let mut counts = vec![0f64; windows as usize];
            for beat in &beats {
                counts[(beat.at_ns / width_ns) as usize] += 1.0;
            }
            let mean = counts.iter().sum::<f64>() / counts.len() as f64;
            let variance =
                counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / counts.len() as f64;
            assert!(variance / mean > least, "{width_ns}: {}", variance / mean);
        }
    }

    #[test]
    fn opening_decays_along_the_curve() {
        let beats = beats(4_000.0, 16.3, 200_000);
        let within = |from_s: u64, to_s: u64| {
            let span = from_s * 1_000_000_000..to_s * 1_000_000_000;
            beats.iter().filter(|b| span.contains(&b.at_ns)).count() as f64
        };
        let curve = |a: f64, b: f64| {
            4_000.0 * ((b - a) + 16.3 * 1.13 * ((-a / 1.13).exp() - (-b / 1.13).exp()))
        };
        let (first, later) = (within(0, 2), within(6, 16));
        assert!((0.5..1.8).contains(&(first / curve(0.0, 2.0))), "{first}");
        assert!((0.5..1.8).contains(&(later / curve(6.0, 16.0))), "{later}");
    }
}
