//! What is said of an auction before it prints.

use super::{Price, Qty, Side};

/// Which auction an imbalance, a collar or a cross belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Auction {
    /// Opens the regular session.
    Opening,
    /// Closes the regular session.
    Closing,
    /// Opens an instrument again after a halt or a pause; ITCH also means first trading (IPO).
    Reopening,
    /// First trading of an instrument, where the venue tells it from a reopening.
    Ipo,
    /// Closes the extended session.
    Extended,
    /// Held while trading goes on.
    Intraday,
}

/// What an auction would do if it were held now: paired and unpaired interest, indicative prices.
/// A newer one of the same instrument replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imbalance {
    /// Which auction, where the venue says so.
    pub auction: Option<Auction>,
    /// Quantity that would match at `reference`.
    pub paired: Qty,
    /// Quantity that would not.
    pub unpaired: Qty,
    /// The side with the unpaired quantity; `None`: balanced, or the venue cannot say.
    pub side: Option<Side>,
    /// Price at which the quantities are counted.
    pub reference: Option<Price>,
    /// Indicative price with continuous orders counted (ITCH near price).
    pub near: Option<Price>,
    /// Indicative price of auction orders alone (ITCH far price).
    pub far: Option<Price>,
}

/// The range in which the auction that ends a pause may print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collar {
    /// The price it was computed from.
    pub reference: Price,
    /// Lowest price allowed.
    pub lower: Price,
    /// Highest price allowed.
    pub upper: Price,
    /// How often the auction was put off so far.
    pub extensions: u32,
}

/// A price that the venue calls official: statements and index values are made with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Official {
    /// Of the opening.
    Opening(Price),
    /// Of the close.
    Closing(Price),
}
