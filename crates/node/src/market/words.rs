//! Enum values as the words that answers and the API show.

use market::event::TradingState;
use market::publish::{FeedState, Integrity};

/// A halted book's state.
pub const HALTED: &str = "halted";

/// How far numbers can be trusted.
#[must_use]
pub fn integrity(value: Integrity) -> &'static str {
    match value {
        Integrity::Ok => "ok",
        Integrity::Suspect => "suspect",
        Integrity::Recovering => "recovering",
        Integrity::Stale => "stale",
    }
}

/// What the venue lets people do.
#[must_use]
pub fn trading_state(value: TradingState) -> &'static str {
    match value {
        TradingState::Unknown => "unknown",
        TradingState::Trading => "trading",
        TradingState::QuotationOnly => "quotation_only",
        TradingState::Paused => "paused",
        TradingState::Halted => HALTED,
    }
}

/// Where a feed stands.
#[must_use]
pub fn feed_state(value: FeedState) -> &'static str {
    match value {
        FeedState::Joining => "joining",
        FeedState::Live => "live",
        FeedState::Recovering => "recovering",
        FeedState::Ended => "ended",
    }
}
