//! Changed levels: `[["buy","14.80","12.77"], ..]`.

use core::iter::FusedIterator;

use super::{Error, Level};
use crate::json::{PRICE_DECIMALS, QTY_DECIMALS, Scanner, Value, decimal};

/// One changed level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// A level of bids (`buy`); else of asks (`sell`).
    pub is_bid: bool,
    /// Its price and new quantity.
    pub level: Level,
}

/// Changed levels in the order of the message. They were checked when the message was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes<'a> {
    text: &'a [u8],
    count: usize,
}

impl<'a> Changes<'a> {
    pub(super) fn read(scanner: &mut Scanner<'a>) -> Result<Self, Error> {
        if scanner.peek() != Some(b'[') {
            return Err(Error::Field { key: "changes" });
        }
        scanner.expect(b'[')?;
        let from = scanner.at;
        let mut count = 0;
        if !scanner.take(b']') {
            loop {
                change(scanner)?;
                count += 1;
                if !scanner.more(b']')? {
                    break;
                }
            }
        }
        let text = scanner.since(from);
        Ok(Self { text, count })
    }

    /// How many changes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Walks the changes.
    #[must_use]
    pub const fn iter(&self) -> ChangeIter<'a> {
        ChangeIter {
            scanner: Scanner::new(self.text),
            left: self.count,
        }
    }
}

impl<'a> IntoIterator for &Changes<'a> {
    type Item = Change;
    type IntoIter = ChangeIter<'a>;

    fn into_iter(self) -> ChangeIter<'a> {
        self.iter()
    }
}

/// Walks [`Changes`].
#[derive(Clone, Debug)]
pub struct ChangeIter<'a> {
    scanner: Scanner<'a>,
    left: usize,
}

impl Iterator for ChangeIter<'_> {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        self.left = self.left.checked_sub(1)?;
        // Checked when read, so this is never an error.
        let change = change(&mut self.scanner).ok()?;
        self.scanner.take(b',');
        Some(change)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for ChangeIter<'_> {}
impl FusedIterator for ChangeIter<'_> {}

fn change(scanner: &mut Scanner<'_>) -> Result<Change, Error> {
    let key = "changes";
    if scanner.peek() != Some(b'[') {
        return Err(Error::Field { key });
    }
    scanner.expect(b'[')?;
    let is_bid = match scanner.value()? {
        Value::Text(b"buy") => true,
        Value::Text(b"sell") => false,
        _ => return Err(Error::Field { key }),
    };
    scanner.expect(b',')?;
    let price = scanner.value()?;
    scanner.expect(b',')?;
    let qty = scanner.value()?;
    scanner.expect(b']')?;
    let level = Level {
        price_e9: decimal(key, Some(price), PRICE_DECIMALS)?,
        qty_e8: decimal(key, Some(qty), QTY_DECIMALS)?,
    };
    Ok(Change { is_bid, level })
}
