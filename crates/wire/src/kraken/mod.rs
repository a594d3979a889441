//! Kraken market data: WebSocket API version 1, channels `book` and `trade`.
//!
//! Data come as arrays `[channelID, payload, (payload,) channelName, pair]`, whose meaning stands
//! in their last members; events as objects with `"event"`. Fields, examples and the book's
//! checksum: `docs/formats/kraken.md`. Source: Kraken WebSocket API v1 documentation.
//!
//! ```
//! use wire::kraken::{Message, parse};
//!
//! let text = br#"[992,{"b":[["354.15000000","5.00000000","1618678133.365913"]],"c":"2583817756"},
//!     "book-1000","XMR/USD"]"#;
//! let Ok(Message::Book(book)) = parse(text) else { panic!() };
//! assert_eq!((book.pair, book.depth(), book.checksum), ("XMR/USD", Some(1_000), Some(2_583_817_756)));
//! ```

mod fields;
#[cfg(test)]
mod tests;
mod trades;

pub use crate::json::{DecimalError, Error, Level, LevelIter, LevelText, Levels};
pub use trades::{Trade, TradeIter, Trades};

/// A message. Instants are ns since 1970, UTC, by the venue's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A whole book or changed levels (`book-N`).
    Book(Book<'a>),
    /// Trades of one pair (`trade`).
    Trades(Trades<'a>),
    /// What became of a subscription, or an error (`subscriptionStatus`, `error`).
    Status(Status<'a>),
    /// The venue lives and has nothing to say (`heartbeat`).
    Heartbeat,
    /// The answer to a ping (`pong`).
    Pong,
    /// Well-formed, but nothing that is read here.
    Other(Other<'a>),
}

/// A whole book or changed levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Book<'a> {
    /// The channel's name: `book-10`, `book-1000`.
    pub channel: &'a str,
    /// The instrument: `XBT/USD`.
    pub pair: &'a str,
    /// Replaces the book (`as`, `bs`); else levels change (`a`, `b`).
    pub is_snapshot: bool,
    /// Bid levels; in a change, quantity 0 removes the level.
    pub bids: Levels<'a>,
    /// Ask levels, likewise.
    pub asks: Levels<'a>,
    /// The newest time of a level here; `None` when there is no level.
    pub event_ns: Option<u64>,
    /// CRC-32 over the best ten of each side after this change (`c`); not in a snapshot.
    pub checksum: Option<u32>,
}

impl Book<'_> {
    /// Levels of each side that were subscribed to: what falls behind them leaves the book without
    /// a word. `None` when the channel's name does not say.
    #[must_use]
    pub fn depth(&self) -> Option<usize> {
        self.channel.strip_prefix("book-")?.parse().ok()
    }
}

/// What became of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// `subscribed`, `unsubscribed` or `error`.
    pub status: Option<&'a str>,
    /// The channel's name, where it is about one.
    pub channel: Option<&'a str>,
    /// The instrument, where it is about one.
    pub pair: Option<&'a str>,
    /// The venue's words on an error.
    pub error: Option<&'a str>,
}

/// A well-formed message of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other<'a> {
    /// The channel of data that are not read here: `ticker`, `spread`, `ohlc-5`.
    pub channel: Option<&'a str>,
    /// The event's name: `systemStatus`.
    pub event: Option<&'a str>,
}

/// Reads one WebSocket text. Every level and trade is checked here, so that a book never applies
/// half a message.
///
/// # Errors
///
/// When the text is not JSON, or a message of a kind read here lacks a field, or has a number that
/// does not fit exactly.
pub fn parse(text: &[u8]) -> Result<Message<'_>, Error> {
    fields::read(text)
}
