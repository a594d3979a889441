//! What the venues that speak JSON share: a scanner that allocates nothing, exact decimals, price
//! levels, and the reasons to refuse a text.
//!
//! Each venue's folder says which keys make which message. Reading is one walk over the text; what
//! nobody asked for is stepped over, checked to be JSON and no more.

mod decimal;
mod levels;
mod scan;
mod value;

pub(crate) use decimal::parse_unsigned;
pub use decimal::{DecimalError, parse_decimal};
pub(crate) use levels::Fault;
pub use levels::{Level, LevelIter, LevelText, Levels};
pub(crate) use scan::{Scanner, Value};
pub(crate) use value::{
    decimal, digits, flag, instant, instant_text, keep, number, optional, signed, text, time_text,
};

/// Digits after the point of a price: integers of 1e-9.
pub const PRICE_DECIMALS: u8 = 9;
/// Digits after the point of a quantity: integers of 1e-8.
pub const QTY_DECIMALS: u8 = 8;

/// Why a text is not a message. Drop the text, count it, and go on with the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not JSON.
    #[error("message is not JSON at byte {offset}: drop it")]
    Json {
        /// Where reading stopped.
        offset: usize,
    },
    /// JSON nested deeper than any message of these venues.
    #[error("message is nested too deep at byte {offset}: drop it")]
    Depth {
        /// Where the limit was passed.
        offset: usize,
    },
    /// A key twice in one message: it cannot be said which value is meant.
    #[error("message has key \"{key}\" twice: drop it")]
    Twice {
        /// The key.
        key: &'static str,
    },
    /// A field that the message needs is missing or of another kind.
    #[error("message lacks \"{key}\" or has it in another form: has the venue's API changed?")]
    Field {
        /// The key.
        key: &'static str,
    },
    /// A decimal that does not fit its integer.
    #[error("message has a bad decimal in \"{key}\"")]
    Decimal {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        #[source]
        source: DecimalError,
    },
}
