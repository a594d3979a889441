//! Coinbase Exchange market data: WebSocket channels `level2` (or `level2_batch`), `matches`,
//! `heartbeat`.
//!
//! Every message is an object with `"type"`. Fields and examples: `docs/formats/coinbase.md`.
//! Source: Coinbase Exchange documentation, "WebSocket Channels".
//!
//! ```
//! use wire::coinbase::{Message, parse};
//!
//! let text = br#"{"type":"l2update","product_id":"SKL-BTC","changes":[["sell","0.00001306","660.5"]],
//!     "time":"2021-04-17T16:43:37.075687Z"}"#;
//! let Ok(Message::Update(update)) = parse(text) else { panic!() };
//! let change = update.changes.iter().next().unwrap();
//! assert_eq!((change.is_bid, change.level.price_e9, change.level.qty_e8), (false, 13_060, 66_050_000_000));
//! ```

mod changes;
mod fields;
#[cfg(test)]
mod tests;

pub use crate::json::{DecimalError, Error, Level, LevelIter, LevelText, Levels};
pub use changes::{Change, ChangeIter, Changes};

/// A message. Instants are ns since 1970, UTC, by the venue's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A whole book (`snapshot`).
    Snapshot(Snapshot<'a>),
    /// Changed levels (`l2update`).
    Update(Update<'a>),
    /// A trade (`match`, or `last_match` on subscribing).
    Match(Match<'a>),
    /// The product lives (`heartbeat`, once a second).
    Heartbeat(Heartbeat<'a>),
    /// A request was refused (`error`).
    Failure(Failure<'a>),
    /// Well-formed, but nothing that is read here.
    Other(Other<'a>),
}

/// A whole book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// The instrument: `BTC-USD`.
    pub product: &'a str,
    /// When the venue made it; old recordings do not say.
    pub event_ns: Option<u64>,
    /// Bid levels, best first.
    pub bids: Levels<'a>,
    /// Ask levels, best first.
    pub asks: Levels<'a>,
}

/// Changed levels. There is no sequence number: only a time that never goes back tells order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update<'a> {
    /// The instrument.
    pub product: &'a str,
    /// When the levels changed.
    pub event_ns: u64,
    /// The levels, each with its new quantity; 0 removes the level.
    pub changes: Changes<'a>,
}

/// A trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match<'a> {
    /// The instrument.
    pub product: &'a str,
    /// It traded before the subscription (`last_match`).
    pub is_past: bool,
    /// The trade's number, rising by one per product.
    pub trade_id: u64,
    /// The product's sequence number of the message, which counts orders too.
    pub sequence: u64,
    /// Price in 1e-9.
    pub price_e9: i64,
    /// Quantity in 1e-8.
    pub qty_e8: i64,
    /// When it traded.
    pub trade_ns: u64,
    /// The order that rested bought (`side` is the maker's): the seller was the aggressor.
    pub maker_is_buy: bool,
}

/// The product lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat<'a> {
    /// The instrument.
    pub product: &'a str,
    /// The product's newest sequence number.
    pub sequence: u64,
    /// The newest trade: a reader that has not seen it has lost messages.
    pub last_trade_id: u64,
    /// When the venue made it.
    pub event_ns: u64,
}

/// A request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// The venue's words.
    pub message: Option<&'a str>,
    /// More of them.
    pub reason: Option<&'a str>,
}

/// A well-formed message of another kind: `subscriptions`, `ticker`, `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other<'a> {
    /// Its type, when it has one.
    pub kind: Option<&'a str>,
}

/// Reads one WebSocket text. Every level is checked here, so that a book never applies half a
/// message.
///
/// # Errors
///
/// When the text is not JSON, or a message of a kind read here lacks a field, or has a number that
/// does not fit exactly.
pub fn parse(text: &[u8]) -> Result<Message<'_>, Error> {
    fields::Fields::read(text)?.message()
}
