//! Binance market data: spot and USD-M futures, WebSocket streams and REST depth snapshots.
//!
//! One JSON text becomes one message whose text fields point into it and whose decimals are exact
//! integers. Combined streams (`{"stream":..,"data":..}`) and raw ones are told apart by their
//! keys, so the same call reads both. Fields and examples: `docs/formats/binance.md`. Source:
//! Binance API documentation, "WebSocket Streams" (spot) and "WebSocket Market Streams" (USD-M).
//!
//! ```
//! use wire::binance::{Message, parse};
//!
//! let text = br#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT",
//!     "t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}"#;
//! let Ok(Message::Trade(trade)) = parse(text) else { panic!() };
//! assert_eq!((trade.symbol, trade.price_e9, trade.qty_e8), ("BTCUSDT", 61_837_630_000_000, 2_000_000));
//! ```

mod fields;
#[cfg(test)]
mod tests;

pub use crate::json::{
    DecimalError, Error, Level, LevelIter, Levels, PRICE_DECIMALS, QTY_DECIMALS, parse_decimal,
};

/// A message. Instants are ns since 1970, UTC, by the venue's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Changed price levels (`depthUpdate`).
    Depth(Depth<'a>),
    /// The best bid and ask (`bookTicker`; spot sends it without `"e"`).
    BookTicker(BookTicker<'a>),
    /// One trade (`trade`).
    Trade(Trade<'a>),
    /// Trades of one aggressor at one price (`aggTrade`).
    AggTrade(AggTrade<'a>),
    /// A whole book down to some depth (REST `depth`, or a partial depth stream).
    Snapshot(Snapshot<'a>),
    /// Well-formed, but nothing that is read here.
    Other(Other<'a>),
}

/// Changed price levels. Apply it when it follows the update before it:
/// spot `first_update_id == previous.final_update_id + 1`, USD-M
/// `previous_final_update_id == previous.final_update_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth<'a> {
    /// The stream's name, on a combined connection.
    pub stream: Option<&'a str>,
    /// The instrument, in capitals.
    pub symbol: &'a str,
    /// When the venue made the message (`E`).
    pub event_ns: u64,
    /// When the matching engine made the change (`T`); USD-M only.
    pub transaction_ns: Option<u64>,
    /// First update in this message (`U`).
    pub first_update_id: u64,
    /// Last update in this message (`u`).
    pub final_update_id: u64,
    /// Last update of the message before (`pu`); USD-M only.
    pub previous_final_update_id: Option<u64>,
    /// Changed bid levels, each with its new quantity; quantity 0 removes the level.
    pub bids: Levels<'a>,
    /// Changed ask levels, likewise.
    pub asks: Levels<'a>,
}

/// The best bid and ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookTicker<'a> {
    /// The stream's name, on a combined connection.
    pub stream: Option<&'a str>,
    /// The instrument, in capitals.
    pub symbol: &'a str,
    /// The book update after which this held (`u`).
    pub update_id: u64,
    /// Best bid (`b`, `B`).
    pub bid: Level,
    /// Best ask (`a`, `A`).
    pub ask: Level,
    /// When the venue made the message (`E`); USD-M only.
    pub event_ns: Option<u64>,
    /// When the matching engine made the change (`T`); USD-M only.
    pub transaction_ns: Option<u64>,
}

/// One trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade<'a> {
    /// The stream's name, on a combined connection.
    pub stream: Option<&'a str>,
    /// The instrument, in capitals.
    pub symbol: &'a str,
    /// The trade's number (`t`), rising by one per instrument.
    pub trade_id: u64,
    /// Price in 1e-9 (`p`).
    pub price_e9: i64,
    /// Quantity in 1e-8 (`q`).
    pub qty_e8: i64,
    /// When the venue made the message (`E`).
    pub event_ns: u64,
    /// When it traded (`T`).
    pub trade_ns: u64,
    /// Whether the buyer's order rested, that is, the seller was the aggressor (`m`).
    pub buyer_is_maker: bool,
    /// What made the trade (`X`): `MARKET`, or `INSURANCE_FUND` and the like, which are no market
    /// prices; USD-M only.
    pub cause: Option<&'a str>,
}

/// Trades of one aggressor at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggTrade<'a> {
    /// The stream's name, on a combined connection.
    pub stream: Option<&'a str>,
    /// The instrument, in capitals.
    pub symbol: &'a str,
    /// The aggregate's number (`a`).
    pub agg_trade_id: u64,
    /// First trade in it (`f`).
    pub first_trade_id: u64,
    /// Last trade in it (`l`).
    pub last_trade_id: u64,
    /// Price in 1e-9 (`p`).
    pub price_e9: i64,
    /// Quantity in 1e-8 (`q`).
    pub qty_e8: i64,
    /// When the venue made the message (`E`).
    pub event_ns: u64,
    /// When it traded (`T`).
    pub trade_ns: u64,
    /// Whether the buyer's order rested, that is, the seller was the aggressor (`m`).
    pub buyer_is_maker: bool,
}

/// A whole book down to some depth. The REST answer does not say its instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// The stream's name, on a combined connection.
    pub stream: Option<&'a str>,
    /// The update after which this held (`lastUpdateId`).
    pub last_update_id: u64,
    /// When the venue made the message (`E`); USD-M only.
    pub event_ns: Option<u64>,
    /// When the matching engine made the last change (`T`); USD-M only.
    pub transaction_ns: Option<u64>,
    /// Bid levels, best first.
    pub bids: Levels<'a>,
    /// Ask levels, best first.
    pub asks: Levels<'a>,
}

/// A well-formed message of another kind: a candle, an answer to a subscription, an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other<'a> {
    /// The stream's name, on a combined connection.
    pub stream: Option<&'a str>,
    /// The event's name (`e`), when it has one.
    pub event: Option<&'a str>,
}

/// Reads one JSON text: one WebSocket message or one REST answer.
///
/// Every level is checked here, so that a book never applies half a message.
///
/// # Errors
///
/// When the text is not JSON, or a message of a kind read here lacks a field, or has a number that
/// does not fit exactly.
pub fn parse(text: &[u8]) -> Result<Message<'_>, Error> {
    let fields = fields::Fields::read(text)?;
    let stream = fields.text_if("stream", fields.stream)?;
    let event = fields.text_if("e", fields.event)?;
    match event {
        Some("depthUpdate") => fields.depth(stream).map(Message::Depth),
        Some("bookTicker") => fields.book_ticker(stream).map(Message::BookTicker),
        Some("trade") => fields.trade(stream).map(Message::Trade),
        Some("aggTrade") => fields.agg_trade(stream).map(Message::AggTrade),
        Some(_) => Ok(Message::Other(Other { stream, event })),
        None if fields.is_snapshot() => fields.snapshot(stream).map(Message::Snapshot),
        None if fields.is_book_ticker() => fields.book_ticker(stream).map(Message::BookTicker),
        None => Ok(Message::Other(Other { stream, event })),
    }
}
