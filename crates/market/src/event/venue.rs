//! Limits on trading, of one instrument and of the whole market.

use super::Price;

/// The range in which trades may happen (LULD price bands, price limits of futures).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Band {
    /// Lowest price allowed; `None`: no lower limit.
    pub lower: Option<Price>,
    /// Highest price allowed; `None`: no upper limit.
    pub upper: Option<Price>,
}

/// Whether the market rests at an edge of its band.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum LimitState {
    /// Inside the band.
    #[default]
    Inside,
    /// Bids rest at the upper edge: nobody may sell higher.
    Upper,
    /// Offers rest at the lower edge.
    Lower,
}

/// The short-sale price test of Reg SHO (rule 201).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ShortSale {
    /// No test in effect.
    #[default]
    Free,
    /// Restricted since a fall of 10 % today.
    Restricted,
    /// Restricted since an earlier day.
    StillRestricted,
}

/// Where the venue's day stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VenuePhase {
    /// Messages begin.
    Started,
    /// Orders are accepted (system hours).
    Open,
    /// The regular session runs (market hours).
    Regular,
    /// The regular session is over.
    AfterRegular,
    /// Orders are no longer accepted.
    Closed,
    /// Nothing more will be said.
    Finished,
}

/// A fact about the whole market, of no instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueEvent {
    /// The day goes on to another phase.
    Phase(VenuePhase),
    /// The levels of the market-wide circuit breaker (`mwcb`), index points in 1e-9.
    BreakerLevels([Price; 3]),
    /// A level of the market-wide circuit breaker was breached: 1, 2 or 3. Halts follow for each
    /// instrument.
    Breaker {
        /// Which level.
        level: u8,
    },
}
