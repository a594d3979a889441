//! Resting orders and price levels. No book here knows a protocol, a clock or a reader.
//!
//! ```text
//! OrderStore   order reference -> quantity, side, rank   one for all instruments
//! Sides        the sorted levels of each side, the best  one for all instruments
//!              in one block, the others in Tails
//! Queues       who trades first at a level, if wanted    one for all instruments
//! BookSet      the three together: applies L3 events; OrderBook is its view of one instrument
//! LevelBook    two ladders for feeds that publish levels, one per instrument
//! ```
//!
//! Sides and ladders are sorted arrays with the best level at the end, cut into chunks so that a
//! change far from the touch moves little. A price far away is one more entry at the other end;
//! nothing is sized by the distance between prices.

mod book_set;
mod digest;
mod ladder;
mod level_book;
mod order_book;
mod order_store;
mod queue;
mod rows;
mod sides;
mod tails;
mod total;

#[cfg(test)]
mod naive;

pub use book_set::{BookSet, Order, QueuePosition};
pub use digest::{digest_of_ladders, symbol_key};
pub use ladder::Ladder;
pub use level_book::LevelBook;
pub use order_book::OrderBook;

pub(crate) use book_set::Ahead;
use ladder::{price_of, rank_of};

use crate::event::{Price, Side};

/// What an applied event did, for the steps behind the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Applied {
    /// A level among the best [`TOP_LEVELS`](crate::publish::TOP_LEVELS) of its side changed.
    pub near: bool,
    /// A resting order traded: its price and the side that removed liquidity.
    pub execution: Option<(Price, Side)>,
}

/// Why an event could not be applied. Nothing of a rejected event is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// Usually the trace of a lost add: the book is suspect until it is refreshed.
    #[error("no resting order has this reference; the book has missed its add")]
    UnknownOrder,
    /// The add would replace a resting order.
    #[error("an order with this reference rests already")]
    DuplicateOrder,
    /// More traded or was taken away than rests.
    #[error("the order shows less than the event takes away")]
    OverExecuted,
    /// The reference belongs to another instrument.
    #[error("the order rests in another instrument's book")]
    WrongInstrument,
    /// An order that shows nothing cannot rest.
    #[error("an order of zero quantity cannot rest")]
    ZeroQty,
    /// Above 2^40 - 1 units, which no venue sends.
    #[error("the quantity does not fit an order record (2^40 units)")]
    QtyTooLarge,
    /// The instrument was never announced to this book set.
    #[error("no book exists for this instrument")]
    UnknownInstrument,
    /// A level event for an order book or the other way round.
    #[error("this kind of event does not belong to this kind of book")]
    WrongKind,
}
