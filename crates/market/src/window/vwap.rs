//! Volume-weighted average price over a sliding window, exact and O(1) per print and step.
//!
//! Event time is cut into steps (100 ms). A ring a instrument holds the sums of each step; the
//! window's sum gains the step that just ended and loses the one that fell out. Sums are integers,
//! so nothing drifts however long it runs.
//!
//! ```text
//!   leaves |<------------- length_ns, emitted ------------->| pending
//!  -+------+------+------+------+------+------+------+------+------+--> event time
//!                                                           ^ watermark's step: the window's end
//! ```

use super::{LateCount, Print};
use crate::event::{InstrumentId, Qty};
use crate::publish::{Integrity, Vwap};

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    notional: i128,
    volume: u64,
    trades: u32,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.notional += other.notional;
        self.volume = self.volume.wrapping_add(other.volume);
        self.trades = self.trades.wrapping_add(other.trades);
    }

    fn subtract(&mut self, other: Self) {
        self.notional -= other.notional;
        self.volume = self.volume.wrapping_sub(other.volume);
        self.trades = self.trades.wrapping_sub(other.trades);
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    sums: Sums,
    /// The newest step with a print.
    newest_step: u64,
    is_active: bool,
}

/// A sliding VWAP for every instrument, emitted for each step that passes while something is in
/// the window.
#[derive(Clone, Debug)]
pub struct SlidingVwap {
    step_ns: u64,
    /// Steps in the window.
    steps: u64,
    /// Steps in a ring: the window, the pending ones and one to spare.
    ring: usize,
    buckets: Vec<Sums>,
    windows: Vec<Window>,
    active: Vec<u32>,
    /// Steps before this are complete.
    done_step: u64,
    late: LateCount,
}

impl SlidingVwap {
    /// Windows of `length_ns`, emitted every `step_ns`, for instruments numbered below
    /// `instruments_limit`. The length is rounded up to a multiple of the step; prints may run
    /// `lateness_ns` ahead of the watermark. Memory: 32 bytes a step and instrument.
    #[must_use]
    pub fn new(instruments_limit: usize, length_ns: u64, step_ns: u64, lateness_ns: u64) -> Self {
        let step_ns = step_ns.max(1);
        let steps = length_ns.div_ceil(step_ns).max(1);
        let ring = (steps + lateness_ns.div_ceil(step_ns) + 2) as usize;
        Self {
            step_ns,
            steps,
            ring,
            buckets: vec![Sums::default(); ring * instruments_limit],
            windows: vec![Window::default(); instruments_limit],
            active: Vec::with_capacity(instruments_limit),
            done_step: 0,
            late: LateCount::default(),
        }
    }

    /// Length of the window, ns.
    #[must_use]
    pub fn length_ns(&self) -> u64 {
        self.steps * self.step_ns
    }

    /// Prints that came late so far.
    #[must_use]
    pub fn late(&self) -> LateCount {
        self.late
    }

    /// Counts one print in. Advance the watermark with its event time first: a print further ahead
    /// than the configured lateness counts as late.
    pub fn add(&mut self, print: &Print) {
        let step = print.ts_event / self.step_ns;
        let is_behind = step + self.steps <= self.done_step;
        let is_ahead = step + self.steps >= self.done_step + self.ring as u64;
        let idx = print.instrument.0 as usize;
        let Some(window) = self
            .windows
            .get_mut(idx)
            .filter(|_| !is_behind && !is_ahead)
        else {
            self.late.dropped += 1;
            return;
        };
        let one = Sums {
            notional: print.price.times(print.qty),
            volume: print.qty.0,
            trades: 1,
        };
        if !window.is_active {
            window.is_active = true;
            window.newest_step = step;
            self.active.push(print.instrument.0);
        }
        window.newest_step = window.newest_step.max(step);
        self.buckets[idx * self.ring + (step % self.ring as u64) as usize].add(one);
        if step < self.done_step {
            window.sums.add(one);
            self.late.applied += 1;
        }
    }

    /// Moves the watermark; for each step that passes, gives each window that has a print to
    /// `emit`, with [`Integrity::Ok`] for the caller to replace.
    #[inline]
    pub fn advance(&mut self, watermark: u64, emit: impl FnMut(Vwap)) {
        let step = watermark / self.step_ns;
        if step > self.done_step {
            self.pass(step, emit);
        }
    }

    /// The next watermark at which something may be emitted.
    #[must_use]
    pub fn next_end_ns(&self) -> u64 {
        (self.done_step + 1).saturating_mul(self.step_ns)
    }

    /// Forgets all prints and time, for a new session.
    pub fn clear(&mut self) {
        self.buckets.fill(Sums::default());
        self.windows.fill(Window::default());
        self.active.clear();
        self.done_step = 0;
    }

    /// Makes room for one more instrument; true when that allocated.
    pub fn reserve(&mut self, instruments: usize) -> bool {
        if instruments <= self.windows.len() {
            return false;
        }
        self.windows.resize(instruments, Window::default());
        self.buckets
            .resize(instruments * self.ring, Sums::default());
        self.active.reserve(instruments - self.active.len());
        true
    }

    fn pass(&mut self, to_step: u64, mut emit: impl FnMut(Vwap)) {
        let from_step = self.done_step;
        let (ring, steps, step_ns) = (self.ring, self.steps, self.step_ns);
        let (windows, buckets) = (&mut self.windows, &mut self.buckets);
        self.active.retain(|&instrument| {
            let idx = instrument as usize;
            let window = &mut windows[idx];
            let buckets = &mut buckets[idx * ring..(idx + 1) * ring];
            for step in from_step..to_step {
                window.sums.add(buckets[(step % ring as u64) as usize]);
                if let Some(left) = step.checked_sub(steps) {
                    let left = &mut buckets[(left % ring as u64) as usize];
                    window.sums.subtract(std::mem::take(left));
                }
                if window.sums.trades > 0 {
                    let end_ns = (step + 1) * step_ns;
                    emit(vwap_of(
                        InstrumentId(instrument),
                        end_ns,
                        steps * step_ns,
                        window.sums,
                    ));
                } else if window.newest_step <= step {
                    window.is_active = false;
                    return false;
                }
            }
            true
        });
        self.done_step = to_step;
    }
}

fn vwap_of(instrument: InstrumentId, end_ns: u64, length_ns: u64, sums: Sums) -> Vwap {
    Vwap {
        instrument,
        end_ns,
        length_ns,
        notional: sums.notional,
        volume: Qty(sums.volume),
        trades: sums.trades,
        integrity: Integrity::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Price;
    use proptest::prelude::*;

    fn print(instrument: u32, ts_event: u64, price: i64, qty: u64) -> Print {
        Print {
            instrument: InstrumentId(instrument),
            ts_event,
            price: Price(price),
            qty: Qty(qty),
        }
    }

    #[test]
    fn one_print_is_seen_for_one_length() {
        let mut vwap = SlidingVwap::new(1, 30, 10, 0);
        vwap.advance(1_000, |_| panic!("nothing was added"));
        vwap.add(&print(0, 1_005, 7, 2));
        let mut ends = Vec::new();
        vwap.advance(5_000, |v| ends.push((v.end_ns, v.price(), v.volume.0)));
        let expected = [1_010, 1_020, 1_030].map(|end| (end, Some(Price(7)), 2));
        assert_eq!(ends, expected);
        vwap.add(&print(0, 4_980, 7, 2));
        vwap.add(&print(0, 4_979, 7, 2));
        assert_eq!(
            vwap.late(),
            LateCount {
                applied: 1,
                dropped: 1
            }
        );
    }

    proptest! {
        /// Prints rise with jitter below the lateness; every emission equals the sum over all
        /// prints in its window, and every step with a print in its window is emitted.
        #[test]
        fn equals_summing_all_prints(
            length_steps in 1u64..12,
            step_ns in 1u64..8,
            prints in prop::collection::vec((0u32..3, 0u64..40, 0u64..9, -9i64..9, 1u64..9), 1..150),
        ) {
            let (length, lateness) = (length_steps * step_ns, 9u64);
            let mut vwap = SlidingVwap::new(3, length, step_ns, lateness);
            let (mut got, mut all) = (Vec::new(), Vec::new());
            let (mut now, mut latest) = (10_000u64, 0u64);
            for (instrument, gap, back, price, qty) in prints {
                now += gap;
                let ts = now - back;
                latest = latest.max(ts);
                vwap.advance(latest - lateness, |v| got.push(v));
                vwap.add(&print(instrument, ts, price, qty));
                all.push(print(instrument, ts, price, qty));
            }
            vwap.advance(now + 1_000, |v| got.push(v));
            let mut expected = Vec::new();
            for instrument in 0..3u32 {
                for end in (9_900 / step_ns..(now + 1_000) / step_ns + 1).map(|n| n * step_ns) {
                    let mut sums = Sums::default();
                    for p in all.iter().filter(|p| p.instrument.0 == instrument) {
                        if p.ts_event < end && p.ts_event + length >= end {
                            sums.add(Sums {
                                notional: p.price.times(p.qty), volume: p.qty.0, trades: 1
                            });
                        }
                    }
                    if sums.trades > 0 {
                        expected.push(vwap_of(InstrumentId(instrument), end, length, sums));
                    }
                }
            }
            got.sort_by_key(|v| (v.instrument.0, v.end_ns));
            prop_assert_eq!(got, expected);
            prop_assert_eq!(vwap.late().dropped, 0);
        }
    }
}
