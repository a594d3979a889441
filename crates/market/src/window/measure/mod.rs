//! Statistics over a sliding window: prices, spread, flow, volatility.
//!
//! As with the sliding VWAP, event time is cut into steps, each step's share is kept as exact
//! integer sums (a pane), and the window's sums gain the pane that ended and lose the one that fell
//! out. What holds for a time (the last price, a two-sided quote) is summed as value times
//! nanoseconds. The highest and lowest print are kept in falling queues of panes.
//!
//! An instrument costs nothing while nothing happens: once a window has passed without a print or a
//! change of its touch it is put to sleep, and its panes, which are then all alike, are written anew
//! when it wakes.
//!
//! Late policy: a print before the watermark's step is left out and counted; a quote is counted and
//! holds from the start of that step on, since what holds now is worth knowing. What holds for a time
//! never goes back: an event that comes after a later one of its instrument holds from where that
//! one did.

mod pane;
#[cfg(test)]
mod tests;
mod track;

use super::{LateCount, Print};
use crate::event::{InstrumentId, Side};
use crate::publish::{Integrity, Measure, Quote};
use pane::Pane;
use track::Track;

pub(super) use track::flow as order_flow;

/// Which window is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeasureConfig {
    /// Length of the window, ns; rounded up to a multiple of the step.
    pub length_ns: u64,
    /// How often it is emitted, ns.
    pub step_ns: u64,
    /// The exponential mean takes `2 / (ema_steps + 1)` of each step's price.
    pub ema_steps: u32,
}

impl Default for MeasureConfig {
    fn default() -> Self {
        Self {
            length_ns: 10_000_000_000,
            step_ns: 500_000_000,
            ema_steps: 20,
        }
    }
}

/// How steps lie in memory and time.
#[derive(Clone, Copy, Debug)]
struct Shape {
    step_ns: u64,
    /// Steps in the window.
    steps: u64,
    /// Panes an instrument: the window, the pending ones and one to spare.
    rows: u64,
    ema_steps: u32,
}

impl Shape {
    fn start_ns(&self, step: u64) -> u64 {
        step.saturating_mul(self.step_ns)
    }

    fn end_ns(&self, step: u64) -> u64 {
        self.start_ns(step.saturating_add(1))
    }

    fn row(&self, step: u64) -> usize {
        (step % self.rows) as usize
    }
}

/// The measures of every instrument, emitted for each step while anything happened in the window.
#[derive(Clone, Debug)]
pub struct Measures {
    shape: Shape,
    panes: Vec<Pane>,
    tracks: Vec<Track>,
    /// A bit an instrument that is awake.
    awake: Vec<u64>,
    /// Steps before this are complete.
    done_step: u64,
    late: LateCount,
}

impl Measures {
    /// For instruments numbered below `instruments_limit`; events may run `lateness_ns` ahead of
    /// the watermark. Memory: about 300 bytes a step and instrument.
    #[must_use]
    pub fn new(instruments_limit: usize, config: &MeasureConfig, lateness_ns: u64) -> Self {
        let step_ns = config.step_ns.max(1);
        let steps = config.length_ns.div_ceil(step_ns).max(1);
        let shape = Shape {
            step_ns,
            steps,
            rows: steps + lateness_ns.div_ceil(step_ns) + 2,
            ema_steps: config.ema_steps.max(1),
        };
        let mut measures = Self {
            shape,
            panes: Vec::new(),
            tracks: Vec::new(),
            awake: Vec::new(),
            done_step: 0,
            late: LateCount::default(),
        };
        measures.reserve(instruments_limit);
        measures
    }

    /// Makes room for one more instrument; true when that allocated.
    pub fn reserve(&mut self, instruments: usize) -> bool {
        let grows = instruments > self.tracks.len();
        if grows {
            let rows = self.shape.rows as usize;
            self.panes.resize(instruments * rows, Pane::default());
            let steps = self.shape.steps;
            self.tracks.resize_with(instruments, || Track::new(steps));
            self.awake.resize(instruments.div_ceil(64), 0);
        }
        grows
    }

    /// Prints that came too late and were left out; quotes that were, and were taken.
    #[must_use]
    pub fn late(&self) -> LateCount {
        self.late
    }

    /// Counts one print in; `taker` is who took liquidity, if that is known. Advance the watermark
    /// first: an event further ahead than the configured lateness counts as late.
    pub fn print(&mut self, print: &Print, taker: Option<Side>, integrity: Integrity) {
        let Some(step) = self.wake(print.instrument, print.ts_event) else {
            return;
        };
        let (shape, track, panes) = self.parts(print.instrument);
        track.print(shape, panes, step, print, taker, integrity);
    }

    /// Takes the best bid and ask, in force from `quote.since_ns`. One that changes nothing is
    /// passed over.
    #[inline]
    pub fn quote(&mut self, id: InstrumentId, quote: &Quote, integrity: Integrity) {
        let track = self.tracks.get(id.0 as usize);
        if track.is_none_or(|track| track.is_quote(quote)) {
            return;
        }
        // What holds now is worth knowing however late it is told.
        let start_ns = self.shape.start_ns(self.done_step);
        self.late.applied += u64::from(quote.since_ns < start_ns);
        let since_ns = quote.since_ns.max(start_ns);
        let Some(step) = self.wake(id, since_ns) else {
            return;
        };
        let (shape, track, panes) = self.parts(id);
        let quote = Quote { since_ns, ..*quote };
        track.take_quote(shape, panes, step, &quote, integrity);
    }

    /// Something unknown happened to an instrument in the step that is open now.
    pub(crate) fn stain(&mut self, id: InstrumentId, integrity: Integrity) {
        if let Some(track) = self.tracks.get_mut(id.0 as usize) {
            track.stain(self.done_step, integrity);
        }
    }

    /// Moves the watermark; for each step that passes, gives each instrument that is awake to
    /// `emit`, with the worst integrity of what came in its window.
    #[inline]
    pub fn advance(&mut self, watermark: u64, emit: impl FnMut(Measure)) {
        if watermark >= self.next_end_ns() {
            self.pass(watermark / self.shape.step_ns, emit);
        }
    }

    /// The next watermark at which something may be emitted.
    #[must_use]
    #[inline]
    pub fn next_end_ns(&self) -> u64 {
        self.shape.end_ns(self.done_step)
    }

    /// Forgets everything, for a new session.
    pub fn clear(&mut self) {
        self.panes.fill(Pane::default());
        self.tracks.iter_mut().for_each(Track::clear);
        self.awake.fill(0);
        self.done_step = 0;
    }

    /// The step of an event whose instrument is awake now; `None` for one that cannot be taken.
    fn wake(&mut self, id: InstrumentId, ts_event: u64) -> Option<u64> {
        let step = ts_event / self.shape.step_ns;
        let is_late = step < self.done_step;
        let is_ahead = step + self.shape.steps >= self.done_step + self.shape.rows;
        let idx = id.0 as usize;
        if is_late || is_ahead || idx >= self.tracks.len() {
            self.late.dropped += 1;
            return None;
        }
        let bit = 1 << (idx % 64);
        if self.awake[idx / 64] & bit == 0 {
            self.awake[idx / 64] |= bit;
            let done_step = self.done_step;
            let (shape, track, panes) = self.parts(id);
            track.wake(shape, panes, done_step);
        }
        Some(step)
    }

    fn parts(&mut self, id: InstrumentId) -> (&Shape, &mut Track, &mut [Pane]) {
        let (idx, rows) = (id.0 as usize, self.shape.rows as usize);
        let panes = &mut self.panes[idx * rows..(idx + 1) * rows];
        (&self.shape, &mut self.tracks[idx], panes)
    }

    #[cold]
    #[inline(never)]
    fn pass(&mut self, to_step: u64, mut emit: impl FnMut(Measure)) {
        for step in self.done_step..to_step {
            if !self.end_step(step, &mut emit) {
                break;
            }
        }
        self.done_step = to_step;
    }

    /// False when every instrument sleeps.
    fn end_step(&mut self, step: u64, emit: &mut impl FnMut(Measure)) -> bool {
        let mut is_any = 0;
        for place in 0..self.awake.len() {
            let mut bits = self.awake[place];
            while bits != 0 {
                let idx = place * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let id = InstrumentId(idx as u32);
                let (shape, track, panes) = self.parts(id);
                emit(track.end_step(shape, panes, id, step));
                if track.is_quiet(shape, step) {
                    self.awake[place] &= !(1 << (idx % 64));
                }
            }
            is_any |= self.awake[place];
        }
        is_any != 0
    }
}
