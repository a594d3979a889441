//! What leaves the hot path: plain records, newest state per key.

mod frame;
mod measure;
mod publisher;
mod state;
mod status;

pub use frame::{
    Bar, BookTop, FeedState, FeedStatus, Frame, Integrity, Level, LineStatus, RuleName, Signal,
    SignalKind, TOP_LEVELS, TradePrint, Vwap,
};
pub use measure::{ActivityBar, BarRule, JoinedPrint, Measure, Quote, SignRule};
pub use publisher::{Published, Publisher, Sink};
pub use state::{
    MarketState, STATE_DEPTHS, STATE_DIM, STATE_FEATURES, STATE_FRACTION_BITS, STATE_SHIFTS,
};
pub use status::{Amendment, AmendmentKind, Lost, Refreshed, SymbolStatus, VenueStatus};
