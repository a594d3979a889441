//! The fields of a message by key, in whatever order they came, and the messages made of them.

use super::{
    AggTrade, BookTicker, Depth, Error, Level, Levels, PRICE_DECIMALS, QTY_DECIMALS, Snapshot,
    Trade,
};
use crate::json::{Fault, Scanner, Value, decimal, flag, instant, keep, number, optional, text};

/// A field that may hold levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held<'a> {
    Plain(Value<'a>),
    Levels(Result<Levels<'a>, Fault>),
}

/// What a message may have. `bid` and `ask` (`b`, `a`) are levels in a depth update, a price in a
/// book ticker, and `a` is a number in an aggregate trade.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) stream: Option<Value<'a>>,
    pub(super) event: Option<Value<'a>>,
    event_time: Option<Value<'a>>,
    time: Option<Value<'a>>,
    symbol: Option<Value<'a>>,
    first_id: Option<Value<'a>>,
    final_id: Option<Value<'a>>,
    previous_id: Option<Value<'a>>,
    last_update_id: Option<Value<'a>>,
    trade_id: Option<Value<'a>>,
    first_trade_id: Option<Value<'a>>,
    last_trade_id: Option<Value<'a>>,
    price: Option<Value<'a>>,
    qty: Option<Value<'a>>,
    maker: Option<Value<'a>>,
    cause: Option<Value<'a>>,
    bid: Option<Held<'a>>,
    bid_qty: Option<Value<'a>>,
    ask: Option<Held<'a>>,
    ask_qty: Option<Value<'a>>,
    bids: Option<Held<'a>>,
    asks: Option<Held<'a>>,
}

impl<'a> Fields<'a> {
    /// Reads a whole text. One that is no object, such as a list of candles, has no fields.
    pub(super) fn read(text: &'a [u8]) -> Result<Self, Error> {
        let mut scanner = Scanner::new(text);
        let mut fields = Self::default();
        if scanner.peek() == Some(b'{') {
            fields.object(&mut scanner, true)?;
        } else {
            scanner.value()?;
        }
        match scanner.peek() {
            None => Ok(fields),
            Some(_) => Err(scanner.error()),
        }
    }

    fn object(&mut self, scanner: &mut Scanner<'a>, is_top: bool) -> Result<(), Error> {
        scanner.expect(b'{')?;
        if scanner.take(b'}') {
            return Ok(());
        }
        loop {
            let key = scanner.key()?;
            if is_top && key == b"data" && scanner.peek() == Some(b'{') {
                self.object(scanner, false)?;
            } else {
                self.field(key, scanner)?;
            }
            if !scanner.more(b'}')? {
                return Ok(());
            }
        }
    }

    fn field(&mut self, key: &[u8], scanner: &mut Scanner<'a>) -> Result<(), Error> {
        let (name, slot) = match key {
            b"e" => ("e", &mut self.event),
            b"E" => ("E", &mut self.event_time),
            b"s" => ("s", &mut self.symbol),
            b"u" => ("u", &mut self.final_id),
            b"b" => return keep_held("b", &mut self.bid, scanner, Levels::read_bids),
            b"B" => ("B", &mut self.bid_qty),
            b"a" => return keep_held("a", &mut self.ask, scanner, Levels::read),
            b"A" => ("A", &mut self.ask_qty),
            b"T" => ("T", &mut self.time),
            b"U" => ("U", &mut self.first_id),
            b"pu" => ("pu", &mut self.previous_id),
            b"t" => ("t", &mut self.trade_id),
            b"p" => ("p", &mut self.price),
            b"q" => ("q", &mut self.qty),
            b"m" => ("m", &mut self.maker),
            b"X" => ("X", &mut self.cause),
            b"f" => ("f", &mut self.first_trade_id),
            b"l" => ("l", &mut self.last_trade_id),
            b"stream" => ("stream", &mut self.stream),
            b"lastUpdateId" => ("lastUpdateId", &mut self.last_update_id),
            b"bids" => return keep_held("bids", &mut self.bids, scanner, Levels::read_bids),
            b"asks" => return keep_held("asks", &mut self.asks, scanner, Levels::read),
            _ => return scanner.value().map(|_| ()),
        };
        let value = scanner.value()?;
        keep(name, slot, value)
    }

    pub(super) const fn is_snapshot(&self) -> bool {
        self.last_update_id.is_some() && self.bids.is_some() && self.asks.is_some()
    }

    /// Spot book tickers do not say their event.
    pub(super) const fn is_book_ticker(&self) -> bool {
        self.final_id.is_some() && self.bid.is_some() && self.bid_qty.is_some()
    }

    pub(super) fn depth(&self, stream: Option<&'a str>) -> Result<Depth<'a>, Error> {
        Ok(Depth {
            stream,
            symbol: text("s", self.symbol)?,
            event_ns: instant("E", self.event_time)?,
            transaction_ns: optional("T", self.time, instant)?,
            first_update_id: number("U", self.first_id)?,
            final_update_id: number("u", self.final_id)?,
            previous_final_update_id: optional("pu", self.previous_id, number)?,
            bids: levels("b", self.bid)?,
            asks: levels("a", self.ask)?,
        })
    }

    pub(super) fn book_ticker(&self, stream: Option<&'a str>) -> Result<BookTicker<'a>, Error> {
        Ok(BookTicker {
            stream,
            symbol: text("s", self.symbol)?,
            update_id: number("u", self.final_id)?,
            bid: Level {
                price_e9: decimal("b", plain(self.bid), PRICE_DECIMALS)?,
                qty_e8: decimal("B", self.bid_qty, QTY_DECIMALS)?,
            },
            ask: Level {
                price_e9: decimal("a", plain(self.ask), PRICE_DECIMALS)?,
                qty_e8: decimal("A", self.ask_qty, QTY_DECIMALS)?,
            },
            event_ns: optional("E", self.event_time, instant)?,
            transaction_ns: optional("T", self.time, instant)?,
        })
    }

    pub(super) fn trade(&self, stream: Option<&'a str>) -> Result<Trade<'a>, Error> {
        Ok(Trade {
            stream,
            symbol: text("s", self.symbol)?,
            trade_id: number("t", self.trade_id)?,
            price_e9: decimal("p", self.price, PRICE_DECIMALS)?,
            qty_e8: decimal("q", self.qty, QTY_DECIMALS)?,
            event_ns: instant("E", self.event_time)?,
            trade_ns: instant("T", self.time)?,
            buyer_is_maker: flag("m", self.maker)?,
            cause: optional("X", self.cause, text)?,
        })
    }

    pub(super) fn agg_trade(&self, stream: Option<&'a str>) -> Result<AggTrade<'a>, Error> {
        Ok(AggTrade {
            stream,
            symbol: text("s", self.symbol)?,
            agg_trade_id: number("a", plain(self.ask))?,
            first_trade_id: number("f", self.first_trade_id)?,
            last_trade_id: number("l", self.last_trade_id)?,
            price_e9: decimal("p", self.price, PRICE_DECIMALS)?,
            qty_e8: decimal("q", self.qty, QTY_DECIMALS)?,
            event_ns: instant("E", self.event_time)?,
            trade_ns: instant("T", self.time)?,
            buyer_is_maker: flag("m", self.maker)?,
        })
    }

    pub(super) fn snapshot(&self, stream: Option<&'a str>) -> Result<Snapshot<'a>, Error> {
        Ok(Snapshot {
            stream,
            last_update_id: number("lastUpdateId", self.last_update_id)?,
            event_ns: optional("E", self.event_time, instant)?,
            transaction_ns: optional("T", self.time, instant)?,
            bids: levels("bids", self.bids)?,
            asks: levels("asks", self.asks)?,
        })
    }

    /// Text that need not be there; another kind of value counts as absent.
    pub(super) fn text_if(
        &self,
        key: &'static str,
        value: Option<Value<'a>>,
    ) -> Result<Option<&'a str>, Error> {
        match value {
            Some(Value::Text(_)) => text(key, value).map(Some),
            _ => Ok(None),
        }
    }
}

/// Reads levels where the array is one, and steps over it where it is not: what it should have
/// been is known only when the event's name is.
fn keep_held<'a>(
    key: &'static str,
    slot: &mut Option<Held<'a>>,
    scanner: &mut Scanner<'a>,
    read: impl FnOnce(&mut Scanner<'a>) -> Result<Levels<'a>, Fault>,
) -> Result<(), Error> {
    if scanner.peek() != Some(b'[') {
        let value = scanner.value()?;
        return keep(key, slot, Held::Plain(value));
    }
    let from = *scanner;
    let levels = read(scanner);
    if levels.is_err() {
        *scanner = from;
        scanner.value()?;
    }
    keep(key, slot, Held::Levels(levels))
}

fn plain(held: Option<Held<'_>>) -> Option<Value<'_>> {
    match held {
        Some(Held::Plain(value)) => Some(value),
        _ => None,
    }
}

fn levels<'a>(key: &'static str, held: Option<Held<'a>>) -> Result<Levels<'a>, Error> {
    match held {
        Some(Held::Levels(Ok(levels))) => Ok(levels),
        Some(Held::Levels(Err(fault))) => Err(fault.of(key)),
        _ => Err(Error::Field { key }),
    }
}
