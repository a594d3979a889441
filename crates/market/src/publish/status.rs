//! Published records of trading status, amended prints, loss and refresh.

use super::Integrity;
use crate::event::{
    Band, Collar, Imbalance, InstrumentId, LimitState, Official, Price, Qty, ShortSale, Stamp,
    TradingState, VenuePhase,
};

/// What the venue lets people do in one instrument, and what its next auction would do. After a
/// loss, what a snapshot does not tell (auction, collar, band) is `None` until the venue says it
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SymbolStatus {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// The message that changed it last.
    pub stamp: Stamp,
    /// The venue's trading state.
    pub state: TradingState,
    /// Why, in the venue's code, ASCII, space padded; zeros before the first.
    pub reason: [u8; 4],
    /// Interrupted on this venue alone.
    pub operational_halt: bool,
    /// The short-sale price test; `None`: the venue has not said.
    pub short_sale: Option<ShortSale>,
    /// The newest imbalance of an auction that has not printed yet.
    pub imbalance: Option<Imbalance>,
    /// The day's official opening price, where the venue has told one.
    pub official_open: Option<Price>,
    /// The day's official closing price, where the venue has told one.
    pub official_close: Option<Price>,
    /// The range of the auction that will end a pause; `None` once trading goes on.
    pub collar: Option<Collar>,
    /// The range in which trades may happen.
    pub band: Option<Band>,
    /// Whether the market rests at an edge of `band`.
    pub limit: LimitState,
    /// How far to trust it.
    pub integrity: Integrity,
}

impl SymbolStatus {
    /// Takes an official price; the other one stays.
    pub(crate) fn set_official(&mut self, official: Official) {
        match official {
            Official::Opening(price) => self.official_open = Some(price),
            Official::Closing(price) => self.official_close = Some(price),
        }
    }
}

/// The whole market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct VenueStatus {
    /// The message that changed it last.
    pub stamp: Stamp,
    /// Where the day stands; `None`: the venue has not said.
    pub phase: Option<VenuePhase>,
    /// Levels of the market-wide circuit breaker, index points in 1e-9.
    pub breaker_levels: Option<[Price; 3]>,
    /// The highest level breached today.
    pub breached: Option<u8>,
}

/// How an earlier print is amended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmendmentKind {
    /// It never happened.
    Bust,
    /// It happened otherwise.
    Correction {
        /// What it should have said.
        price: Price,
        /// What it should have said.
        qty: Qty,
    },
}

/// A print was amended. The policy: figures that were published stand, bars, windows and the last
/// print included, since whoever acted on them did; a reader that keeps its own sums finds the print
/// by `match_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// The message that amended it.
    pub stamp: Stamp,
    /// The venue's number of the match.
    pub match_id: u64,
    /// How.
    pub kind: AmendmentKind,
    /// How far to trust it.
    pub integrity: Integrity,
}

/// Messages `[from_seq, to_seq)` will never come. Prints among them are missing; every symbol is
/// stale until a [`Refreshed`] or the end of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// First lost.
    pub from_seq: u64,
    /// One past the last lost.
    pub to_seq: u64,
    /// Newest event time before the loss, ns UTC; 0 when nothing came before.
    pub after_ns: u64,
}

/// The books were loaded from a snapshot and what followed it: they are whole again. Prints of
/// event times in `[after_ns, until_ns]` may be missing for good, and windows over that span stay
/// flagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// The last message that the books reflect.
    pub seq: u64,
    /// Where the hole began, event time.
    pub after_ns: u64,
    /// Where it ended, event time.
    pub until_ns: u64,
}
