//! Enum values as the words that answers and the API show.

use market::event::{Auction, LimitState, ShortSale, TradingState, VenuePhase};
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
        FeedState::Refreshing => "refreshing",
        FeedState::Ended => "ended",
    }
}

/// Which auction.
#[must_use]
pub fn auction(value: Auction) -> &'static str {
    match value {
        Auction::Opening => "opening",
        Auction::Closing => "closing",
        Auction::Reopening => "reopening",
        Auction::Ipo => "ipo",
        Auction::Extended => "extended",
        Auction::Intraday => "intraday",
    }
}

/// Where the market rests in its band.
#[must_use]
pub fn limit_state(value: LimitState) -> &'static str {
    match value {
        LimitState::Inside => "inside",
        LimitState::Upper => "upper",
        LimitState::Lower => "lower",
    }
}

/// The short-sale price test.
#[must_use]
pub fn short_sale(value: ShortSale) -> &'static str {
    match value {
        ShortSale::Free => "free",
        ShortSale::Restricted => "restricted",
        ShortSale::StillRestricted => "still_restricted",
    }
}

/// Where the venue's day stands.
#[must_use]
pub fn venue_phase(value: VenuePhase) -> &'static str {
    match value {
        VenuePhase::Started => "started",
        VenuePhase::Open => "open",
        VenuePhase::Regular => "regular",
        VenuePhase::AfterRegular => "after_regular",
        VenuePhase::Closed => "closed",
        VenuePhase::Finished => "finished",
    }
}
