//! Trades: `[["354.11","0.895","1618678142.557535","s","l",""], ..]`.

use core::iter::FusedIterator;

use super::Error;
use super::fields::seconds_ns;
use crate::json::{PRICE_DECIMALS, QTY_DECIMALS, Scanner, Value, decimal};

/// One trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Price in 1e-9.
    pub price_e9: i64,
    /// Quantity in 1e-8.
    pub qty_e8: i64,
    /// When it traded.
    pub trade_ns: u64,
    /// The order that triggered the trade bought (`b`); else it sold (`s`).
    pub is_buy: bool,
}

/// The trades of one message, in its order. They were checked when the message was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trades<'a> {
    /// The instrument.
    pub pair: &'a str,
    text: &'a [u8],
    count: usize,
}

impl<'a> Trades<'a> {
    pub(super) fn read(pair: &'a str, scanner: &mut Scanner<'a>) -> Result<Self, Error> {
        scanner.expect(b'[')?;
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
        Ok(Self { pair, text, count })
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
    let mut members = [None; 4];
    let mut at = 0;
    if scanner.peek() != Some(b'[') {
        return Err(Error::Field { key: "trade" });
    }
    scanner.expect(b'[')?;
    if !scanner.take(b']') {
        loop {
            let value = scanner.value()?;
            if let Some(slot) = members.get_mut(at) {
                *slot = Some(value);
            }
            at += 1;
            if !scanner.more(b']')? {
                break;
            }
        }
    }
    let [price, qty, time, side] = members;
    let Some(Value::Text(time)) = time else {
        return Err(Error::Field { key: "timestamp" });
    };
    let is_buy = match side {
        Some(Value::Text(b"b")) => true,
        Some(Value::Text(b"s")) => false,
        _ => return Err(Error::Field { key: "side" }),
    };
    Ok(Trade {
        price_e9: decimal("price", price, PRICE_DECIMALS)?,
        qty_e8: decimal("volume", qty, QTY_DECIMALS)?,
        trade_ns: seconds_ns(time)?,
        is_buy,
    })
}
