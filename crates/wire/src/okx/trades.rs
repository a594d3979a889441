//! Trades: a list of objects.

use core::iter::FusedIterator;

use super::Error;
use crate::json::{
    PRICE_DECIMALS, QTY_DECIMALS, Scanner, Value, decimal, digits, instant_text, keep,
};

/// One trade, or several of one aggressor at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The number of the trade, or of the last of several.
    pub trade_id: u64,
    /// Price in 1e-9.
    pub price_e9: i64,
    /// Quantity in 1e-8; contracts for swaps and futures.
    pub qty_e8: i64,
    /// When it traded.
    pub trade_ns: u64,
    /// The aggressor bought.
    pub is_buy: bool,
}

/// The trades of one message, in its order. They were checked when the message was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trades<'a> {
    /// The instrument.
    pub instrument: &'a str,
    text: &'a [u8],
    count: usize,
}

impl<'a> Trades<'a> {
    pub(super) fn read(instrument: &'a str, scanner: &mut Scanner<'a>) -> Result<Self, Error> {
        if !scanner.take(b'[') {
            return Err(Error::Field { key: "data" });
        }
        let from = scanner.at;
        let mut count = 0;
        if !scanner.take(b']') {
            loop {
                trade(scanner)?;
                count += 1;
                if !scanner.more(b']')? {
                    break;
                }
            }
        }
        let text = scanner.since(from);
        Ok(Self {
            instrument,
            text,
            count,
        })
    }

    /// How many trades there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Walks the trades.
    #[must_use]
    pub const fn iter(&self) -> TradeIter<'a> {
        TradeIter {
            scanner: Scanner::new(self.text),
            left: self.count,
        }
    }
}

impl<'a> IntoIterator for &Trades<'a> {
    type Item = Trade;
    type IntoIter = TradeIter<'a>;

    fn into_iter(self) -> TradeIter<'a> {
        self.iter()
    }
}

/// Walks [`Trades`].
#[derive(Clone, Debug)]
pub struct TradeIter<'a> {
    scanner: Scanner<'a>,
    left: usize,
}

impl Iterator for TradeIter<'_> {
    type Item = Trade;

    fn next(&mut self) -> Option<Trade> {
        self.left = self.left.checked_sub(1)?;
        // Checked when read, so this is never an error.
        let trade = trade(&mut self.scanner).ok()?;
        self.scanner.take(b',');
        Some(trade)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for TradeIter<'_> {}
impl FusedIterator for TradeIter<'_> {}

fn trade(scanner: &mut Scanner<'_>) -> Result<Trade, Error> {
    let names = ["tradeId", "px", "sz", "side", "ts"];
    let mut slots = [None; 5];
    if !scanner.take(b'{') {
        return Err(Error::Field { key: "data" });
    }
    if !scanner.take(b'}') {
        loop {
            let key = scanner.key()?;
            let value = scanner.value()?;
            let at = names.iter().position(|name| name.as_bytes() == key);
            if let Some(at) = at {
                keep(names[at], &mut slots[at], value)?;
            }
            if !scanner.more(b'}')? {
                break;
            }
        }
    }
    let [id, price, qty, side, time] = slots;
    let is_buy = match side {
        Some(Value::Text(b"buy")) => true,
        Some(Value::Text(b"sell")) => false,
        _ => return Err(Error::Field { key: "side" }),
    };
    Ok(Trade {
        trade_id: digits("tradeId", id)?,
        price_e9: decimal("px", price, PRICE_DECIMALS)?,
        qty_e8: decimal("sz", qty, QTY_DECIMALS)?,
        trade_ns: instant_text("ts", time)?,
        is_buy,
    })
}
