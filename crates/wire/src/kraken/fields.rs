//! Arrays of data and objects of events.

use super::{Book, Error, Message, Other, Status, Trades};
use crate::json::{Fault, LevelText, Levels, Scanner, Value, digits, keep, parse_unsigned, text};

pub(super) fn read(bytes: &[u8]) -> Result<Message<'_>, Error> {
    let mut scanner = Scanner::new(bytes);
    let message = match scanner.peek() {
        Some(b'[') => Array::read(&mut scanner)?.message(),
        Some(b'{') => event(&mut scanner),
        _ => {
            scanner.value()?;
            Ok(OTHER)
        }
    }?;
    match scanner.peek() {
        None => Ok(message),
        Some(_) => Err(scanner.error()),
    }
}

const OTHER: Message<'static> = Message::Other(Other {
    channel: None,
    event: None,
});

/// Members of a data array.
#[derive(Default)]
struct Array<'a> {
    sides: Sides<'a>,
    /// The first payload that is an array: from its bracket on.
    list: Option<Scanner<'a>>,
    /// The last two texts.
    channel: Option<Value<'a>>,
    pair: Option<Value<'a>>,
}

/// Levels by key, of one or two payloads; whether they must be levels is known at the end.
#[derive(Default)]
struct Sides<'a> {
    whole_asks: Option<Result<Levels<'a>, Fault>>,
    whole_bids: Option<Result<Levels<'a>, Fault>>,
    asks: Option<Result<Levels<'a>, Fault>>,
    bids: Option<Result<Levels<'a>, Fault>>,
    checksum: Option<Value<'a>>,
}

impl<'a> Array<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, Error> {
        let mut array = Self::default();
        scanner.expect(b'[')?;
        if scanner.take(b']') {
            return Ok(array);
        }
        loop {
            match scanner.peek() {
                Some(b'{') => array.sides.object(scanner)?,
                Some(b'[') => {
                    let from = *scanner;
                    scanner.value()?;
                    array.list.get_or_insert(from);
                }
                _ => {
                    let value = scanner.value()?;
                    array.channel = array.pair.replace(value);
                }
            }
            if !scanner.more(b']')? {
                return Ok(array);
            }
        }
    }

    fn message(self) -> Result<Message<'a>, Error> {
        let (Some(Value::Text(_)), Some(Value::Text(_))) = (self.channel, self.pair) else {
            return Ok(OTHER);
        };
        let channel = text("channelName", self.channel)?;
        if channel.starts_with("book") {
            let pair = text("pair", self.pair)?;
            return self.sides.book(channel, pair).map(Message::Book);
        }
        if channel == "trade" {
            let mut list = self.list.ok_or(Error::Field { key: "trade" })?;
            let pair = text("pair", self.pair)?;
            return Trades::read(pair, &mut list).map(Message::Trades);
        }
        Ok(Message::Other(Other {
            channel: Some(channel),
            event: None,
        }))
    }
}

impl<'a> Sides<'a> {
    fn object(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Error> {
        scanner.expect(b'{')?;
        if scanner.take(b'}') {
            return Ok(());
        }
        loop {
            match scanner.key()? {
                b"as" => held("as", &mut self.whole_asks, scanner, Levels::read)?,
                b"bs" => held("bs", &mut self.whole_bids, scanner, Levels::read_bids)?,
                b"a" => held("a", &mut self.asks, scanner, Levels::read)?,
                b"b" => held("b", &mut self.bids, scanner, Levels::read_bids)?,
                b"c" => {
                    let value = scanner.value()?;
                    keep("c", &mut self.checksum, value)?;
                }
                _ => {
                    scanner.value()?;
                }
            }
            if !scanner.more(b'}')? {
                return Ok(());
            }
        }
    }

    fn book(self, channel: &'a str, pair: &'a str) -> Result<Book<'a>, Error> {
        let is_snapshot = self.whole_asks.is_some() || self.whole_bids.is_some();
        if !is_snapshot && self.asks.is_none() && self.bids.is_none() {
            return Err(Error::Field { key: "a" });
        }
        let (asks, bids) = if is_snapshot {
            (
                levels("as", self.whole_asks)?,
                levels("bs", self.whole_bids)?,
            )
        } else {
            (levels("a", self.asks)?, levels("b", self.bids)?)
        };
        let checksum = match self.checksum {
            Some(_) => Some(checksum(self.checksum)?),
            None => None,
        };
        Ok(Book {
            channel,
            pair,
            is_snapshot,
            bids,
            asks,
            event_ns: newest(&asks)?.max(newest(&bids)?),
            checksum,
        })
    }
}

fn held<'a>(
    key: &'static str,
    slot: &mut Option<Result<Levels<'a>, Fault>>,
    scanner: &mut Scanner<'a>,
    read: impl FnOnce(&mut Scanner<'a>) -> Result<Levels<'a>, Fault>,
) -> Result<(), Error> {
    let from = *scanner;
    let levels = read(scanner);
    if levels.is_err() {
        *scanner = from;
        scanner.value()?;
    }
    keep(key, slot, levels)
}

/// A side that is not named is unchanged, or empty.
fn levels<'a>(
    key: &'static str,
    held: Option<Result<Levels<'a>, Fault>>,
) -> Result<Levels<'a>, Error> {
    match held {
        None => Ok(Levels::EMPTY),
        Some(Ok(levels)) => Ok(levels),
        Some(Err(fault)) => Err(fault.of(key)),
    }
}

fn checksum(value: Option<Value<'_>>) -> Result<u32, Error> {
    u32::try_from(digits("c", value)?).map_err(|_| Error::Field { key: "c" })
}

/// Levels carry seconds with six decimals.
fn newest(levels: &Levels<'_>) -> Result<Option<u64>, Error> {
    let mut newest = None;
    for LevelText { third, .. } in levels.texts() {
        let seconds = third.ok_or(Error::Field { key: "timestamp" })?;
        newest = newest.max(Some(seconds_ns(seconds)?));
    }
    Ok(newest)
}

pub(super) fn seconds_ns(text: &[u8]) -> Result<u64, Error> {
    let key = "timestamp";
    let ns = parse_unsigned(text, 9).map_err(|source| Error::Decimal { key, source })?;
    Ok(ns.unsigned_abs())
}

fn event<'a>(scanner: &mut Scanner<'a>) -> Result<Message<'a>, Error> {
    let mut slots = [None; 5];
    let names = ["event", "status", "channelName", "pair", "errorMessage"];
    scanner.expect(b'{')?;
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
    let text_if = |at: usize| match slots[at] {
        Some(Value::Text(_)) => text(names[at], slots[at]).map(Some),
        _ => Ok(None),
    };
    Ok(match text_if(0)? {
        Some("heartbeat") => Message::Heartbeat,
        Some("pong") => Message::Pong,
        Some("subscriptionStatus" | "error") => Message::Status(Status {
            status: text_if(1)?,
            channel: text_if(2)?,
            pair: text_if(3)?,
            // Words with escapes are for people, not worth refusing the message for.
            error: text_if(4).unwrap_or(None),
        }),
        event => Message::Other(Other {
            channel: None,
            event,
        }),
    })
}
