//! What leaves the hot path: plain records, newest state per key.

mod frame;
mod measure;
mod publisher;
mod status;

pub use frame::{
    Bar, BookTop, FeedState, FeedStatus, Frame, Integrity, Level, LineStatus, RuleName, Signal,
    SignalKind, TOP_LEVELS, TradePrint, Vwap,
};
pub use measure::{ActivityBar, BarRule, JoinedPrint, Measure, Quote, SignRule};
pub use publisher::{Published, Publisher, Sink};
pub use status::{Amendment, AmendmentKind, Lost, Refreshed, SymbolStatus, VenueStatus};
