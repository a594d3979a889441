//! Volume-weighted average price over a sliding window, exact and O(1) per print and step.
//!
//! Event time is cut into steps (100 ms). A row of *panes* a step holds each instrument's sums of
//! that step; an instrument's window gains the pane that just ended and loses the one that fell
//! out. Sums are integers, so nothing drifts however long it runs.
//!
//! ```text
//!              instrument 0  1  2  3 ...        a print adds to one pane of the row of its step,
//!   step n-10  pane       .  .  .  .  leaves    which is in the first cache levels while it is
//!   step n-9   pane       .  .  .  .  |         the newest; a step that ends reads two rows from
//!   ...                               | window  end to end and writes the windows between them
//!   step n     pane       .  .  .  .  enters
//! ```
//!
//! The worst integrity of the prints in a window travels with it. Nothing is paid for that while
//! all is well: one number says when a print was last not ok.

use super::stain::Stains;
use super::{LateCount, Print};
use crate::event::{InstrumentId, Qty};
use crate::publish::{Integrity, Vwap};

/// Half a cache line, so that none straddles two.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(32))]
struct Sums {
    notional: i128,
    volume: u64,
    trades: u32,
    /// The worst integrity of a pane's prints; not kept in windows.
    worst: Integrity,
}

impl Sums {
    #[inline]
    fn add(&mut self, other: Self) {
        self.notional += other.notional;
        self.volume = self.volume.wrapping_add(other.volume);
        self.trades = self.trades.wrapping_add(other.trades);
    }

    #[inline]
    fn subtract(&mut self, other: Self) {
        self.notional -= other.notional;
        self.volume = self.volume.wrapping_sub(other.volume);
        self.trades = self.trades.wrapping_sub(other.trades);
    }
}

/// The row that prints go to now.
#[derive(Clone, Copy, Debug)]
struct Newest {
    start_ns: u64,
    /// Place of its first pane.
    base: usize,
}

/// No print is within a step of the end of time.
const NONE: Newest = Newest {
    start_ns: u64::MAX,
    base: 0,
};

/// A sliding VWAP for every instrument, emitted for each step that passes while something is in
/// the window.
#[derive(Clone, Debug)]
pub struct SlidingVwap {
    step_ns: u64,
    /// Steps in the window.
    steps: u64,
    /// Rows: the window, the pending ones and one to spare.
    rows: u64,
    /// Instruments, and so panes in a row.
    width: usize,
    panes: Vec<Sums>,
    newest: Newest,
    windows: Vec<Sums>,
    /// A bit an instrument that has something in its window or pending.
    active: Vec<u64>,
    stains: Vec<Stains>,
    /// The newest of all stains.
    stained_step: Option<u64>,
    /// Steps before this are complete.
    done_step: u64,
    /// Where the first step that is not complete ends: looked at with every event.
    next_end_ns: u64,
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
        let rows = steps + lateness_ns.div_ceil(step_ns) + 2;
        let width = instruments_limit;
        Self {
            step_ns,
            steps,
            rows,
            width,
            panes: vec![Sums::default(); rows as usize * width],
            newest: NONE,
            windows: vec![Sums::default(); width],
            active: vec![0; width.div_ceil(64)],
            stains: vec![Stains::default(); width],
            stained_step: None,
            done_step: 0,
            next_end_ns: step_ns,
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
    #[inline]
    pub fn add(&mut self, print: &Print, integrity: Integrity) {
        let idx = print.instrument.0 as usize;
        let is_newest = print.ts_event.wrapping_sub(self.newest.start_ns) < self.step_ns;
        if !is_newest || idx >= self.width || integrity != Integrity::Ok {
            return self.add_elsewhere(print, integrity);
        }
        let pane = &mut self.panes[self.newest.base + idx];
        if pane.trades == 0 {
            self.active[idx / 64] |= 1 << (idx % 64);
        }
        pane.add(one(print));
    }

    /// A print of another step than the last one, or one that is not ok.
    #[cold]
    #[inline(never)]
    fn add_elsewhere(&mut self, print: &Print, integrity: Integrity) {
        let step = print.ts_event / self.step_ns;
        let is_behind = step + self.steps <= self.done_step;
        let is_ahead = step + self.steps >= self.done_step + self.rows;
        let idx = print.instrument.0 as usize;
        if is_behind || is_ahead || idx >= self.width {
            self.late.dropped += 1;
            return;
        }
        let base = self.base_of(step);
        self.panes[base + idx].add(one(print));
        self.active[idx / 64] |= 1 << (idx % 64);
        if step < self.done_step {
            self.windows[idx].add(one(print));
            self.late.applied += 1;
            self.stain(idx, step, integrity);
        } else {
            let pane = &mut self.panes[base + idx];
            pane.worst = pane.worst.max(integrity);
            let start_ns = step * self.step_ns;
            self.newest = Newest { start_ns, base };
        }
    }

    /// Remembers that a pane of the window is not ok.
    #[cold]
    fn stain(&mut self, idx: usize, step: u64, integrity: Integrity) {
        if integrity == Integrity::Ok {
            return;
        }
        self.stains[idx].add(step, integrity);
        self.stained_step = self.stained_step.max(Some(step));
    }

    /// Something unknown happened to an instrument in the step that is open now.
    pub(crate) fn stain_now(&mut self, id: InstrumentId, integrity: Integrity) {
        if (id.0 as usize) < self.width {
            self.stain(id.0 as usize, self.done_step, integrity);
        }
    }

    /// Moves the watermark; for each step that passes, gives each window that has a print to
    /// `emit`, with the worst integrity of its prints. Steps come in order, and instruments within
    /// a step.
    #[inline]
    pub fn advance(&mut self, watermark: u64, emit: impl FnMut(Vwap)) {
        if watermark >= self.next_end_ns {
            self.pass(watermark / self.step_ns, emit);
        }
    }

    /// The next watermark at which something may be emitted.
    #[must_use]
    #[inline]
    pub fn next_end_ns(&self) -> u64 {
        self.next_end_ns
    }

    /// Forgets all prints and time, for a new session.
    pub fn clear(&mut self) {
        self.panes.fill(Sums::default());
        self.windows.fill(Sums::default());
        self.active.fill(0);
        self.stains.fill(Stains::default());
        self.stained_step = None;
        self.newest = NONE;
        (self.done_step, self.next_end_ns) = (0, self.step_ns);
    }

    /// Makes room for one more instrument; true when that allocated.
    pub fn reserve(&mut self, instruments: usize) -> bool {
        if instruments <= self.width {
            return false;
        }
        let mut panes = vec![Sums::default(); self.rows as usize * instruments];
        let rows = self.panes.chunks_exact(self.width.max(1));
        for (wide, row) in panes.chunks_exact_mut(instruments).zip(rows) {
            wide[..row.len()].copy_from_slice(row);
        }
        (self.panes, self.width, self.newest) = (panes, instruments, NONE);
        self.windows.resize(instruments, Sums::default());
        self.active.resize(instruments.div_ceil(64), 0);
        self.stains.resize(instruments, Stains::default());
        true
    }

    fn base_of(&self, step: u64) -> usize {
        (step % self.rows) as usize * self.width
    }

    #[cold]
    #[inline(never)]
    fn pass(&mut self, to_step: u64, mut emit: impl FnMut(Vwap)) {
        if self.newest.start_ns < to_step.saturating_mul(self.step_ns) {
            self.newest = NONE;
        }
        for step in self.done_step..to_step {
            if !self.end_step(step, &mut emit) {
                break;
            }
        }
        self.done_step = to_step;
        self.next_end_ns = (to_step + 1).saturating_mul(self.step_ns);
    }

    /// False when nothing is in any window any more.
    fn end_step(&mut self, step: u64, emit: &mut impl FnMut(Vwap)) -> bool {
        let entering = self.base_of(step);
        let leaving = step.checked_sub(self.steps).map(|step| self.base_of(step));
        let from_step = (step + 1).saturating_sub(self.steps);
        let mut is_any = 0;
        for place in 0..self.active.len() {
            let mut bits = self.active[place];
            while bits != 0 {
                let idx = place * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let window = &mut self.windows[idx];
                let pane = self.panes[entering + idx];
                window.add(pane);
                if let Some(leaving) = leaving {
                    window.subtract(std::mem::take(&mut self.panes[leaving + idx]));
                }
                let sums = *window;
                if pane.worst != Integrity::Ok {
                    self.stain(idx, step, pane.worst);
                }
                if sums.trades > 0 {
                    let mut vwap = self.vwap_of(idx, step, sums);
                    if self.stained_step.is_some_and(|at| at >= from_step) {
                        vwap.integrity = self.stains[idx].worst(from_step);
                    }
                    emit(vwap);
                } else if !self.is_pending(idx, step) {
                    self.active[place] &= !(1 << (idx % 64));
                }
            }
            is_any |= self.active[place];
        }
        is_any != 0
    }

    /// Whether prints wait ahead of `step`.
    #[cold]
    fn is_pending(&self, idx: usize, step: u64) -> bool {
        let ahead = step + 1..step + self.rows - self.steps;
        ahead
            .into_iter()
            .any(|step| self.panes[self.base_of(step) + idx].trades > 0)
    }

    #[inline]
    fn vwap_of(&self, idx: usize, step: u64, sums: Sums) -> Vwap {
        Vwap {
            instrument: InstrumentId(idx as u32),
            end_ns: (step + 1) * self.step_ns,
            length_ns: self.steps * self.step_ns,
            notional: sums.notional,
            volume: Qty(sums.volume),
            trades: sums.trades,
            integrity: Integrity::Ok,
        }
    }
}

#[inline]
fn one(print: &Print) -> Sums {
    Sums {
        notional: print.price.times(print.qty),
        volume: print.qty.0,
        trades: 1,
        worst: Integrity::Ok,
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
        vwap.add(&print(0, 1_005, 7, 2), Integrity::Ok);
        let mut ends = Vec::new();
        vwap.advance(5_000, |v| ends.push((v.end_ns, v.price(), v.volume.0)));
        let expected = [1_010, 1_020, 1_030].map(|end| (end, Some(Price(7)), 2));
        assert_eq!(ends, expected);
        vwap.add(&print(0, 4_980, 7, 2), Integrity::Ok);
        vwap.add(&print(0, 4_979, 7, 2), Integrity::Ok);
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
        /// prints in its window and the worst of their flags, and every step with a print in its
        /// window is emitted.
        #[test]
        fn equals_summing_all_prints(
            length_steps in 1u64..12,
            step_ns in 1u64..8,
            lateness in prop::sample::select(vec![0u64, 3, 9]),
            prints in prop::collection::vec(
                (0u32..3, 0u64..40, 0u64..9, -9i64..9, 1u64..9, 0u8..40), 1..150),
        ) {
            let length = length_steps * step_ns;
            // One instrument more than there is room for at first.
            let mut vwap = SlidingVwap::new(2, length, step_ns, lateness);
            let (mut got, mut all) = (Vec::new(), Vec::new());
            let (mut now, mut latest) = (10_000u64, 0u64);
            for (n, (instrument, gap, back, price, qty, flag)) in prints.into_iter().enumerate() {
                if n == 20 || instrument == 2 {
                    vwap.reserve(3);
                }
                now += gap;
                let ts = now - back.min(lateness);
                latest = latest.max(ts);
                vwap.advance(latest - lateness, |v| got.push(v));
                let integrity = match flag {
                    0 => Integrity::Suspect,
                    1 => Integrity::Stale,
                    _ => Integrity::Ok,
                };
                vwap.add(&print(instrument, ts, price, qty), integrity);
                all.push((print(instrument, ts, price, qty), integrity));
            }
            vwap.advance(now + 1_000, |v| got.push(v));
            let mut expected = Vec::new();
            for end in (9_900 / step_ns..(now + 1_000) / step_ns + 1).map(|n| n * step_ns) {
                for instrument in 0..3u32 {
                    expected.extend(naive(&all, instrument, end, length));
                }
            }
            prop_assert_eq!(got, expected);
            prop_assert_eq!(vwap.late().dropped, 0);
        }
    }

    fn naive(all: &[(Print, Integrity)], instrument: u32, end: u64, length: u64) -> Option<Vwap> {
        let inside = |p: &Print| p.ts_event < end && p.ts_event + length >= end;
        let prints = all
            .iter()
            .filter(|(p, _)| p.instrument.0 == instrument && inside(p));
        let prints: Vec<_> = prints.collect();
        (!prints.is_empty()).then(|| Vwap {
            instrument: InstrumentId(instrument),
            end_ns: end,
            length_ns: length,
            notional: prints.iter().map(|(p, _)| p.price.times(p.qty)).sum(),
            volume: Qty(prints.iter().map(|(p, _)| p.qty.0).sum()),
            trades: prints.len() as u32,
            integrity: prints.iter().map(|p| p.1).max().unwrap_or_default(),
        })
    }
}
