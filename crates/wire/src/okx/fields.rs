//! The outer object of a message: what it is about, and where its data lie.

use super::book;
use super::{Error, Message, Other, Status, Trades};
use crate::json::{Scanner, Value, keep, text};

#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    event: Option<Value<'a>>,
    action: Option<Value<'a>>,
    words: Option<Value<'a>>,
    channel: Option<Value<'a>>,
    instrument: Option<Value<'a>>,
    /// The list of data, from its bracket on.
    data: Option<Scanner<'a>>,
}

impl<'a> Fields<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut scanner = Scanner::new(bytes);
        let mut fields = Self::default();
        if scanner.peek() == Some(b'{') {
            fields.object(&mut scanner, false)?;
        } else {
            scanner.value()?;
        }
        match scanner.peek() {
            None => Ok(fields),
            Some(_) => Err(scanner.error()),
        }
    }

    fn object(&mut self, scanner: &mut Scanner<'a>, is_arg: bool) -> Result<(), Error> {
        scanner.expect(b'{')?;
        if scanner.take(b'}') {
            return Ok(());
        }
        loop {
            let key = scanner.key()?;
            let next = scanner.peek();
            let from = *scanner;
            match (is_arg, key) {
                (false, b"arg") if next == Some(b'{') => self.object(scanner, true)?,
                (false, b"data") => {
                    scanner.value()?;
                    keep("data", &mut self.data, from)?;
                }
                _ => {
                    let value = scanner.value()?;
                    match (is_arg, key) {
                        (true, b"channel") => keep("channel", &mut self.channel, value)?,
                        (true, b"instId") => keep("instId", &mut self.instrument, value)?,
                        (false, b"event") => keep("event", &mut self.event, value)?,
                        (false, b"action") => keep("action", &mut self.action, value)?,
                        (false, b"msg") => keep("msg", &mut self.words, value)?,
                        _ => {}
                    }
                }
            }
            if !scanner.more(b'}')? {
                return Ok(());
            }
        }
    }

    pub(super) fn message(&self) -> Result<Message<'a>, Error> {
        let channel = text_if("channel", self.channel)?;
        if let Some(event) = text_if("event", self.event)? {
            return Ok(Message::Status(Status {
                event,
                channel,
                instrument: text_if("instId", self.instrument)?,
                // Words with escapes are for people, not worth refusing the message for.
                message: text_if("msg", self.words).unwrap_or(None),
            }));
        }
        match (channel, self.data) {
            (Some("books" | "books-l2-tbt" | "books50-l2-tbt"), Some(mut data)) => {
                let is_snapshot = match text("action", self.action)? {
                    "snapshot" => true,
                    "update" => false,
                    _ => return Err(Error::Field { key: "action" }),
                };
                book::read(&mut data, self.instrument()?, is_snapshot).map(Message::Book)
            }
            (Some("trades"), Some(mut data)) => {
                Trades::read(self.instrument()?, &mut data).map(Message::Trades)
            }
            _ => Ok(Message::Other(Other { channel })),
        }
    }

    fn instrument(&self) -> Result<&'a str, Error> {
        text("instId", self.instrument)
    }
}

/// Text that need not be there; another kind of value counts as absent.
fn text_if<'a>(key: &'static str, value: Option<Value<'a>>) -> Result<Option<&'a str>, Error> {
    match value {
        Some(Value::Text(_)) => text(key, value).map(Some),
        _ => Ok(None),
    }
}
