//! Summaries over event time: bars by time and by activity, the sliding VWAP, measures of prices,
//! spread and flow, market states, and prints joined with the quote in force.
//!
//! All live on the venue's clock. A [`EventClock`] turns the event times seen into a *watermark*:
//! the promise that nothing earlier is expected. A bar closes and a window is emitted when the
//! watermark reaches its end, so a replay gives the same values as the live run, however fast.
//!
//! Late prints (before the watermark) are counted. A bar takes them while it is open; a sliding
//! window takes them while their bucket is inside it, for the emissions still to come. Nothing that
//! was emitted is emitted again. The same holds for busts: they name a print that was summed long
//! ago, so they are counted and published figures stand, as on a consolidated tape before its
//! end-of-day correction.

mod activity;
mod bar;
mod event_clock;
mod extreme;
mod join;
mod measure;
mod stain;
mod state;
mod vwap;
mod wide;

pub use activity::ActivityBars;
pub use bar::BarBuilder;
pub use event_clock::EventClock;
pub use join::{QUOTES_KEPT, QuoteJoin};
pub use measure::{MeasureConfig, Measures};
pub use state::{ACTIVE_STEPS, Depths, QUIET_STEPS, States};
pub use vwap::SlidingVwap;

use crate::event::{InstrumentId, Price, Qty};

/// One trade as windows see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Venue time, ns UTC.
    pub ts_event: u64,
    /// At what price.
    pub price: Price,
    /// How much.
    pub qty: Qty,
}

/// Prints that came behind the watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LateCount {
    /// Still counted in: their window was open.
    pub applied: u64,
    /// Left out: their window had been emitted.
    pub dropped: u64,
}
