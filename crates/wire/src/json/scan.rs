//! A JSON reader that allocates nothing: it walks a text once and hands out pieces of it.

use super::Error;

/// Nesting below the top value; the venue's own messages need four.
const DEPTH_LIMIT: usize = 16;

/// What a value is; text and numbers keep their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Without its quotes; escapes are left as they are.
    Text(&'a [u8]),
    Number(&'a [u8]),
    Bool(bool),
    Null,
    /// An array or an object.
    Nested,
}

/// A position in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    #[cold]
    pub(crate) const fn error(&self) -> Error {
        Error::Json { offset: self.at }
    }

    /// The bytes from `from` to the position.
    pub(crate) fn since(&self, from: usize) -> &'a [u8] {
        self.text.get(from..self.at).unwrap_or_default()
    }

    /// The next byte that is not space, without passing it.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Passes `byte` if it is next.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Passes `byte`, which must be next.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.error())
        }
    }

    /// After a value in an array or object: true at a comma, false at `close`.
    #[inline]
    pub(crate) fn more(&mut self, close: u8) -> Result<bool, Error> {
        if self.take(b',') {
            return Ok(true);
        }
        self.expect(close).map(|()| false)
    }

    /// Passes a string and returns what is between its quotes, escapes as they are.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<&'a [u8], Error> {
        self.expect(b'"')?;
        let from = self.at;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => {
                    let content = self.since(from);
                    self.at += 1;
                    return Ok(content);
                }
                // Which escape it is matters to no one here; it only must not end the string.
                Some(b'\\') => self.at += 2,
                Some(0..0x20) | None => return Err(self.error()),
                Some(_) => self.at += 1,
            }
        }
    }

    /// Passes any value.
    pub(crate) fn value(&mut self) -> Result<Value<'a>, Error> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word(b"true", Value::Bool(true)),
            Some(b'f') => self.word(b"false", Value::Bool(false)),
            Some(b'n') => self.word(b"null", Value::Null),
            Some(b'[' | b'{') => self.nested().map(|()| Value::Nested),
            _ => Err(self.error()),
        }
    }

    fn word(&mut self, word: &[u8], value: Value<'a>) -> Result<Value<'a>, Error> {
        if !self
            .text
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word))
        {
            return Err(self.error());
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<&'a [u8], Error> {
        let from = self.at;
        self.at += usize::from(self.text.get(self.at) == Some(&b'-'));
        self.digits()?;
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(self.since(from))
    }

    fn digits(&mut self) -> Result<(), Error> {
        let from = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == from {
            Err(self.error())
        } else {
            Ok(())
        }
    }

    /// Passes an array or an object. The closers still due are kept in a small stack, not in
    /// recursion, so that a hostile text cannot grow the thread's stack.
    fn nested(&mut self) -> Result<(), Error> {
        let mut closers = [0_u8; DEPTH_LIMIT];
        let mut depth = 0;
        loop {
            // A value is due.
            match self.peek() {
                Some(open @ (b'[' | b'{')) => {
                    let slot = closers
                        .get_mut(depth)
                        .ok_or(Error::Depth { offset: self.at })?;
                    // In ASCII both closers are two after their openers.
                    *slot = open + 2;
                    depth += 1;
                    self.at += 1;
                    if !self.take(open + 2) {
                        if open == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                    depth -= 1;
                }
                _ => {
                    self.value()?;
                }
            }
            // A value ended: go up until one more is due.
            loop {
                let Some(above) = depth.checked_sub(1) else {
                    return Ok(());
                };
                if self.more(closers[above])? {
                    if closers[above] == b'}' {
                        self.key()?;
                    }
                    break;
                }
                depth = above;
            }
        }
    }

    /// Passes a key and its colon, and returns the key.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<&'a [u8], Error> {
        let key = self.string()?;
        self.expect(b':')?;
        Ok(key)
    }
}
