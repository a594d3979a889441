//! Price levels: `[["61837.63","1.5"], ..]`.

use core::iter::FusedIterator;

use super::decimal::parse_unsigned;
use super::scan::Scanner;
use super::{DecimalError, Error, PRICE_DECIMALS, QTY_DECIMALS};

/// A price and the quantity there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Price in 1e-9.
    pub price_e9: i64,
    /// Quantity in 1e-8; in an update, 0 removes the level.
    pub qty_e8: i64,
}

/// Levels of one side, in the order of the message. They were checked when the message was read,
/// so walking them cannot fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels<'a> {
    /// The array's text from its first level on; nothing when it is empty.
    text: &'a [u8],
    count: usize,
}

/// Why an array is not levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It may still be good JSON of another shape.
    Shape,
    /// A level's number does not fit.
    Decimal(DecimalError),
}

impl<'a> Levels<'a> {
    pub(super) const EMPTY: Self = Self {
        text: &[],
        count: 0,
    };

    /// Passes an array of levels and checks each.
    pub(super) fn read(scanner: &mut Scanner<'a>) -> Result<Self, Fault> {
        let shape = |_: Error| Fault::Shape;
        scanner.expect(b'[').map_err(shape)?;
        if scanner.take(b']') {
            return Ok(Self::EMPTY);
        }
        let from = scanner.at;
        let mut count = 0;
        loop {
            level(scanner)?;
            count += 1;
            if !scanner.more(b']').map_err(shape)? {
                return Ok(Self {
                    text: scanner.since(from),
                    count,
                });
            }
        }
    }

    /// How many levels there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Walks the levels.
    #[must_use]
    pub const fn iter(&self) -> LevelIter<'a> {
        LevelIter {
            scanner: Scanner::new(self.text),
            left: self.count,
        }
    }
}

impl<'a> IntoIterator for Levels<'a> {
    type Item = Level;
    type IntoIter = LevelIter<'a>;

    fn into_iter(self) -> LevelIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Levels<'a> {
    type Item = Level;
    type IntoIter = LevelIter<'a>;

    fn into_iter(self) -> LevelIter<'a> {
        self.iter()
    }
}

/// Walks [`Levels`].
#[derive(Clone, Debug)]
pub struct LevelIter<'a> {
    scanner: Scanner<'a>,
    left: usize,
}

impl Iterator for LevelIter<'_> {
    type Item = Level;

    #[inline]
    fn next(&mut self) -> Option<Level> {
        self.left = self.left.checked_sub(1)?;
        // Checked when read, so neither of these is ever an error.
        let level = level(&mut self.scanner).ok()?;
        self.scanner.take(b',');
        Some(level)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for LevelIter<'_> {}
impl FusedIterator for LevelIter<'_> {}

#[inline]
fn level(scanner: &mut Scanner<'_>) -> Result<Level, Fault> {
    let shape = |_: Error| Fault::Shape;
    scanner.expect(b'[').map_err(shape)?;
    let price = scanner.string().map_err(shape)?;
    scanner.expect(b',').map_err(shape)?;
    let qty = scanner.string().map_err(shape)?;
    // Old spot messages had an empty array as a third member of each level.
    if scanner.take(b',') {
        scanner.value().map_err(shape)?;
    }
    scanner.expect(b']').map_err(shape)?;
    Ok(Level {
        price_e9: parse_unsigned(price, PRICE_DECIMALS).map_err(Fault::Decimal)?,
        qty_e8: parse_unsigned(qty, QTY_DECIMALS).map_err(Fault::Decimal)?,
    })
}
