//! The fields of a message by key, in whatever order they came, and the messages made of them.

use super::{Changes, Error, Failure, Heartbeat, Match, Message, Other, Snapshot, Update};
use crate::json::{
    Fault, Levels, PRICE_DECIMALS, QTY_DECIMALS, Scanner, Value, decimal, keep, number, optional,
    text, time_text,
};

/// Names of fields that hold one value, by their place.
const NAMES: [&str; 11] = [
    "type",
    "product_id",
    "time",
    "trade_id",
    "sequence",
    "last_trade_id",
    "price",
    "size",
    "side",
    "message",
    "reason",
];
const TYPE: usize = 0;
const PRODUCT: usize = 1;
const TIME: usize = 2;
const TRADE_ID: usize = 3;
const SEQUENCE: usize = 4;
const LAST_TRADE_ID: usize = 5;
const PRICE: usize = 6;
const SIZE: usize = 7;
const SIDE: usize = 8;
const MESSAGE: usize = 9;
const REASON: usize = 10;

/// What a message may have. Lists are kept as positions: what they must be is known when the type
/// is.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    values: [Option<Value<'a>>; NAMES.len()],
    bids: Option<Scanner<'a>>,
    asks: Option<Scanner<'a>>,
    changes: Option<Scanner<'a>>,
}

impl<'a> Fields<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut scanner = Scanner::new(bytes);
        let mut fields = Self::default();
        if scanner.peek() == Some(b'{') {
            fields.object(&mut scanner)?;
        } else {
            scanner.value()?;
        }
        match scanner.peek() {
            None => Ok(fields),
            Some(_) => Err(scanner.error()),
        }
    }

    fn object(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Error> {
        scanner.expect(b'{')?;
        if scanner.take(b'}') {
            return Ok(());
        }
        loop {
            let key = scanner.key()?;
            scanner.peek();
            let from = *scanner;
            let value = scanner.value()?;
            match key {
                b"bids" => keep("bids", &mut self.bids, from)?,
                b"asks" => keep("asks", &mut self.asks, from)?,
                b"changes" => keep("changes", &mut self.changes, from)?,
                _ => {
                    let at = NAMES.iter().position(|name| name.as_bytes() == key);
                    if let Some(at) = at {
                        keep(NAMES[at], &mut self.values[at], value)?;
                    }
                }
            }
            if !scanner.more(b'}')? {
                return Ok(());
            }
        }
    }

    pub(super) fn message(&self) -> Result<Message<'a>, Error> {
        match self.text_if(TYPE)? {
            Some("snapshot") => self.snapshot().map(Message::Snapshot),
            Some("l2update") => self.update().map(Message::Update),
            Some("match") => self.trade(false).map(Message::Match),
            Some("last_match") => self.trade(true).map(Message::Match),
            Some("heartbeat") => self.heartbeat().map(Message::Heartbeat),
            Some("error") => Ok(Message::Failure(Failure {
                // Words with escapes are for people, not worth refusing the message for.
                message: self.text_if(MESSAGE).unwrap_or(None),
                reason: self.text_if(REASON).unwrap_or(None),
            })),
            kind => Ok(Message::Other(Other { kind })),
        }
    }

    fn snapshot(&self) -> Result<Snapshot<'a>, Error> {
        Ok(Snapshot {
            product: self.product()?,
            event_ns: optional(NAMES[TIME], self.values[TIME], time_text)?,
            bids: levels("bids", self.bids, Levels::read_bids)?,
            asks: levels("asks", self.asks, Levels::read)?,
        })
    }

    fn update(&self) -> Result<Update<'a>, Error> {
        let mut changes = self.changes.ok_or(Error::Field { key: "changes" })?;
        Ok(Update {
            product: self.product()?,
            event_ns: time_text(NAMES[TIME], self.values[TIME])?,
            changes: Changes::read(&mut changes)?,
        })
    }

    fn trade(&self, is_past: bool) -> Result<Match<'a>, Error> {
        let maker_is_buy = match self.text_if(SIDE)? {
            Some("buy") => true,
            Some("sell") => false,
            _ => return Err(Error::Field { key: NAMES[SIDE] }),
        };
        Ok(Match {
            product: self.product()?,
            is_past,
            trade_id: self.number(TRADE_ID)?,
            sequence: self.number(SEQUENCE)?,
            price_e9: decimal(NAMES[PRICE], self.values[PRICE], PRICE_DECIMALS)?,
            qty_e8: decimal(NAMES[SIZE], self.values[SIZE], QTY_DECIMALS)?,
            trade_ns: time_text(NAMES[TIME], self.values[TIME])?,
            maker_is_buy,
        })
    }

    fn heartbeat(&self) -> Result<Heartbeat<'a>, Error> {
        Ok(Heartbeat {
            product: self.product()?,
            sequence: self.number(SEQUENCE)?,
            last_trade_id: self.number(LAST_TRADE_ID)?,
            event_ns: time_text(NAMES[TIME], self.values[TIME])?,
        })
    }

    fn product(&self) -> Result<&'a str, Error> {
        text(NAMES[PRODUCT], self.values[PRODUCT])
    }

    fn number(&self, at: usize) -> Result<u64, Error> {
        number(NAMES[at], self.values[at])
    }

    /// Text that need not be there; another kind of value counts as absent.
    fn text_if(&self, at: usize) -> Result<Option<&'a str>, Error> {
        match self.values[at] {
            Some(Value::Text(_)) => text(NAMES[at], self.values[at]).map(Some),
            _ => Ok(None),
        }
    }
}

fn levels<'a>(
    key: &'static str,
    at: Option<Scanner<'a>>,
    read: impl FnOnce(&mut Scanner<'a>) -> Result<Levels<'a>, Fault>,
) -> Result<Levels<'a>, Error> {
    let mut scanner = at.ok_or(Error::Field { key })?;
    read(&mut scanner).map_err(|fault| fault.of(key))
}
