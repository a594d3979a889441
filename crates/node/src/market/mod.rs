//! What the lanes published, kept for readers: newest state per symbol and bounded history.

mod facts;
mod symbol;
mod view;
mod wider;
pub mod words;

pub use symbol::{BARS_LIMIT, SymbolView};
pub use view::{LinkView, LoggedSignal, MarketView, Rejected, VenueCheck, VenueLabel};
pub use wider::Wider;
