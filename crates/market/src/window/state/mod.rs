//! Market states: what each active instrument's last seconds were like, a step at a time.
//!
//! Everything is an exponential mean kept as an integer (see [`MarketState`]), so an instrument is a
//! few hundred bytes whatever the scale, and a step's end costs the instruments that are awake and
//! nothing else. What comes between two ends of steps counts in the step that is open when it comes: of
//! a feed in the order of its matching engine that is its event time.
//!
//! An instrument is *active* for [`ACTIVE_STEPS`] after a print or a change of its touch and gives a
//! state each step; it is forgotten and sleeps after [`QUIET_STEPS`].

#[cfg(test)]
mod tests;
mod track;

use super::Print;
use crate::event::{InstrumentId, Side};
use crate::publish::{Integrity, MarketState, Quote};
use track::Track;

/// Steps after its last event in which an instrument still gives states: 5 s of steps of 100 ms.
pub const ACTIVE_STEPS: u64 = 50;
/// Steps without an event after which an instrument is forgotten: longer than its longest scale.
pub const QUIET_STEPS: u64 = 300;

/// Bid and ask quantity in the best 1, 3, 5 and 10 levels of a book.
pub type Depths = [[u64; 2]; 4];

/// The states of every instrument.
#[derive(Clone, Debug)]
pub struct States {
    step_ns: u64,
    tracks: Vec<Track>,
    /// A bit an instrument that is awake.
    awake: Vec<u64>,
    /// Steps before this are closed.
    done_step: u64,
}

impl States {
    /// For instruments numbered below `instruments_limit`, a state each `step_ns`. Memory: about 400
    /// bytes an instrument.
    #[must_use]
    pub fn new(instruments_limit: usize, step_ns: u64) -> Self {
        let mut states = Self {
            step_ns: step_ns.max(1),
            tracks: Vec::new(),
            awake: Vec::new(),
            done_step: 0,
        };
        states.reserve(instruments_limit);
        states
    }

    /// Makes room for one more instrument; true when that allocated.
    pub fn reserve(&mut self, instruments: usize) -> bool {
        let grows = instruments > self.tracks.len();
        if grows {
            self.tracks.resize_with(instruments, Track::default);
            self.awake.resize(instruments.div_ceil(64), 0);
        }
        grows
    }

    /// Counts one print in; `taker` is who took liquidity, if that is known.
    #[inline]
    pub fn print(&mut self, print: &Print, taker: Option<Side>, integrity: Integrity) {
        if let Some(track) = self.wake(print.instrument) {
            track.print(print.qty, taker, integrity);
        }
    }

    /// Takes the best bid and ask. One that changes nothing is passed over.
    #[inline]
    pub fn quote(&mut self, id: InstrumentId, quote: &Quote, integrity: Integrity) {
        let track = self.tracks.get(id.0 as usize);
        if track.is_none_or(|track| track.is_quote(quote)) {
            return;
        }
        if let Some(track) = self.wake(id) {
            track.quote(quote, integrity);
        }
    }

    /// Something unknown happened to an instrument in the step that is open now.
    pub(crate) fn stain(&mut self, id: InstrumentId, integrity: Integrity) {
        if let Some(track) = self.tracks.get_mut(id.0 as usize) {
            track.stain(integrity);
        }
    }

    /// The next watermark at which a step is to be closed.
    #[must_use]
    #[inline]
    pub fn next_end_ns(&self) -> u64 {
        self.done_step
            .saturating_add(1)
            .saturating_mul(self.step_ns)
    }

    /// Closes each step that has ended at `watermark`, at event time `known_ns`; gives the states of
    /// active instruments to `emit`. `depths` reads a book as it is now.
    pub fn close(
        &mut self,
        watermark: u64,
        known_ns: u64,
        mut depths: impl FnMut(InstrumentId) -> Depths,
        mut emit: impl FnMut(MarketState),
    ) {
        let to_step = watermark / self.step_ns;
        for step in self.done_step..to_step {
            if !self.close_step(step, known_ns, &mut depths, &mut emit) {
                break;
            }
        }
        self.done_step = self.done_step.max(to_step);
    }

    /// Forgets everything, for a new session.
    pub fn clear(&mut self) {
        self.tracks.fill(Track::default());
        self.awake.fill(0);
        self.done_step = 0;
    }

    #[inline]
    fn wake(&mut self, id: InstrumentId) -> Option<&mut Track> {
        let idx = id.0 as usize;
        let track = self.tracks.get_mut(idx)?;
        self.awake[idx / 64] |= 1 << (idx % 64);
        track.newest_step = self.done_step;
        Some(track)
    }

    /// False when every instrument sleeps.
    fn close_step(
        &mut self,
        step: u64,
        known_ns: u64,
        depths: &mut impl FnMut(InstrumentId) -> Depths,
        emit: &mut impl FnMut(MarketState),
    ) -> bool {
        let mut is_any = 0;
        for place in 0..self.awake.len() {
            let mut bits = self.awake[place];
            while bits != 0 {
                let idx = place * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let id = InstrumentId(idx as u32);
                let track = &mut self.tracks[idx];
                let quiet = step.saturating_sub(track.newest_step);
                if quiet >= QUIET_STEPS {
                    track.forget();
                    self.awake[place] &= !(1 << (idx % 64));
                    continue;
                }
                track.close(depths(id));
                if quiet < ACTIVE_STEPS {
                    let end_ns = (step + 1) * self.step_ns;
                    emit(track.state(id, end_ns, known_ns.max(end_ns)));
                }
                track.open();
            }
            is_any |= self.awake[place];
        }
        is_any != 0
    }
}
