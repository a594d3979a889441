//! OKX market data: WebSocket API version 5, channels `books` and `trades`.
//!
//! Every message is an object: data with `"arg"` and `"data"`, answers with `"event"`; the answer to
//! the text `ping` is the text `pong`. Fields, examples and the book's checksum:
//! `docs/formats/okx.md`. Source: OKX API v5 documentation, "Order Book Trading / Market Data".
//!
//! ```
//! use wire::okx::{Message, parse};
//!
//! let text = br#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT",
//!     "tradeId":"7849","px":"30218.8","sz":"1","side":"buy","ts":"1652459199958"}]}"#;
//! let Ok(Message::Trades(trades)) = parse(text) else { panic!() };
//! let trade = trades.iter().next().unwrap();
//! assert_eq!((trades.instrument, trade.trade_id, trade.is_buy), ("BTC-USDT", 7_849, true));
//! ```

mod book;
mod fields;
#[cfg(test)]
mod tests;
mod trades;

pub use crate::json::{DecimalError, Error, Level, LevelIter, LevelText, Levels};
pub use trades::{Trade, TradeIter, Trades};

/// A message. Instants are ns since 1970, UTC, by the venue's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A whole book or changed levels (`books`, `books-l2-tbt`, `books50-l2-tbt`).
    Book(Book<'a>),
    /// Trades of one instrument (`trades`).
    Trades(Trades<'a>),
    /// What became of a request (`subscribe`, `unsubscribe`, `error`, ..).
    Status(Status<'a>),
    /// The answer to a ping.
    Pong,
    /// Well-formed, but nothing that is read here.
    Other(Other<'a>),
}

/// A whole book or changed levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Book<'a> {
    /// The instrument: `BTC-USDT`, `BTC-USDT-SWAP`.
    pub instrument: &'a str,
    /// Replaces the book (`"action":"snapshot"`); else levels change (`update`).
    pub is_snapshot: bool,
    /// Bid levels, best first; in a change, quantity 0 removes the level. Contracts, not coins, for
    /// swaps and futures.
    pub bids: Levels<'a>,
    /// Ask levels, likewise.
    pub asks: Levels<'a>,
    /// When the venue made it (`ts`).
    pub event_ns: u64,
    /// CRC-32 over the best 25 of each side after this change, as a signed number. The venue has
    /// said that it will send 0 for good: then `seq` alone tells of loss.
    pub checksum: Option<i32>,
    /// This message's number (`seqId`); not in recordings before 2023.
    pub seq: Option<u64>,
    /// The number of the message before (`prevSeqId`); -1, here `None`, in a snapshot.
    pub previous_seq: Option<u64>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// `subscribe`, `unsubscribe`, `error`, `notice`, ..
    pub event: &'a str,
    /// The channel, where it is about one.
    pub channel: Option<&'a str>,
    /// The instrument, where it is about one.
    pub instrument: Option<&'a str>,
    /// The venue's words on an error.
    pub message: Option<&'a str>,
}

/// A well-formed message of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other<'a> {
    /// Its channel, when it has one.
    pub channel: Option<&'a str>,
}

/// Reads one WebSocket text. Every level and trade is checked here, so that a book never applies
/// half a message.
///
/// # Errors
///
/// When the text is not JSON, or a message of a kind read here lacks a field, or has a number that
/// does not fit exactly.
pub fn parse(text: &[u8]) -> Result<Message<'_>, Error> {
    if text == b"pong" {
        return Ok(Message::Pong);
    }
    fields::Fields::read(text)?.message()
}
