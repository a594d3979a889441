//! Price levels: `[["61837.63","1.5"], ..]`, in some venues with more members behind.

use core::iter::FusedIterator;

use super::decimal::parse_unsigned;
use super::scan::{Scanner, Value};
use super::{DecimalError, Error, PRICE_DECIMALS, QTY_DECIMALS};

/// A price and the quantity there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Price in 1e-9.
    pub price_e9: i64,
    /// Quantity in 1e-8; in an update, 0 removes the level.
    pub qty_e8: i64,
}

/// A level as it was written, for what depends on the digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelText<'a> {
    /// The price, in decimals.
    pub price: &'a [u8],
    /// The quantity, in decimals.
    pub qty: &'a [u8],
    /// A third member that is text: the level's time at Kraken, deprecated zeros at OKX.
    pub third: Option<&'a [u8]>,
}

/// Levels of one side, in the order of the message. They were checked when the message was read,
/// so walking them cannot fail.
///
/// Joke offers far above any market (an ask of 9,999,999,997) do not fit an integer price. They
/// are stepped over and counted in [`Levels::beyond`]: no such ask is ever near a best price that
/// fits. A bid beyond the limit refuses its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels<'a> {
    /// The array's text from its first level on; nothing when it is empty.
    text: &'a [u8],
    count: usize,
    beyond: usize,
}

/// Why an array is not levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It may still be good JSON of another shape.
    Shape,
    /// A level's number does not fit.
    Decimal(DecimalError),
}

impl Fault {
    /// The same as an error of the message's field `key`.
    pub(crate) const fn of(self, key: &'static str) -> Error {
        match self {
            Self::Shape => Error::Field { key },
            Self::Decimal(source) => Error::Decimal { key, source },
        }
    }
}

impl<'a> Levels<'a> {
    pub(crate) const EMPTY: Self = Self {
        text: &[],
        count: 0,
        beyond: 0,
    };

    /// [`Levels::read`] for bids, where a price beyond the limit is a fault.
    pub(crate) fn read_bids(scanner: &mut Scanner<'a>) -> Result<Self, Fault> {
        let levels = Self::read(scanner)?;
        match levels.beyond {
            0 => Ok(levels),
            _ => Err(Fault::Decimal(DecimalError::Overflow)),
        }
    }

    /// Passes an array of levels and checks each.
    pub(crate) fn read(scanner: &mut Scanner<'a>) -> Result<Self, Fault> {
        let shape = |_: Error| Fault::Shape;
        scanner.expect(b'[').map_err(shape)?;
        if scanner.take(b']') {
            return Ok(Self::EMPTY);
        }
        let from = scanner.at;
        let (mut count, mut beyond) = (0, 0);
        loop {
            match level(scanner)? {
                Some(_) => count += 1,
                None => beyond += 1,
            }
            if !scanner.more(b']').map_err(shape)? {
                return Ok(Self {
                    text: scanner.since(from),
                    count,
                    beyond,
                });
            }
        }
    }

    /// Walks the levels as they were written, those beyond too.
    pub fn texts(&self) -> impl Iterator<Item = LevelText<'a>> + use<'a> {
        let mut scanner = Scanner::new(self.text);
        (0..self.count + self.beyond).map_while(move |_| {
            // Checked when read, so this is never an error.
            let text = level_text(&mut scanner).ok()?;
            scanner.take(b',');
            Some(text)
        })
    }

    /// Digits behind the point of the first price: `None` without a level.
    #[must_use]
    pub fn price_digits(&self) -> Option<u8> {
        let price = self.texts().next()?.price;
        let point = price.iter().position(|byte| *byte == b'.');
        let digits = point.map_or(0, |at| price.len() - at - 1);
        u8::try_from(digits).ok()
    }

    /// How many levels there are, without those beyond.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many levels were stepped over since their price does not fit.
    #[must_use]
    pub const fn beyond(&self) -> usize {
        self.beyond
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
        loop {
            // Checked when read, so this is never an error.
            let level = level(&mut self.scanner).ok()?;
            self.scanner.take(b',');
            if level.is_some() {
                return level;
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for LevelIter<'_> {}
impl FusedIterator for LevelIter<'_> {}

/// `None`: the price does not fit.
#[inline]
fn level(scanner: &mut Scanner<'_>) -> Result<Option<Level>, Fault> {
    let text = level_text(scanner)?;
    let qty_e8 = parse_unsigned(text.qty, QTY_DECIMALS).map_err(Fault::Decimal)?;
    match parse_unsigned(text.price, PRICE_DECIMALS) {
        Ok(price_e9) => Ok(Some(Level { price_e9, qty_e8 })),
        Err(DecimalError::Overflow) => Ok(None),
        Err(fault) => Err(Fault::Decimal(fault)),
    }
}

#[inline]
fn level_text<'a>(scanner: &mut Scanner<'a>) -> Result<LevelText<'a>, Fault> {
    let shape = |_: Error| Fault::Shape;
    scanner.expect(b'[').map_err(shape)?;
    let price = scanner.string().map_err(shape)?;
    scanner.expect(b',').map_err(shape)?;
    let qty = scanner.string().map_err(shape)?;
    let mut third = None;
    let mut is_third = true;
    while scanner.take(b',') {
        let value = scanner.value().map_err(shape)?;
        if let (true, Value::Text(text)) = (is_third, value) {
            third = Some(text);
        }
        is_third = false;
    }
    scanner.expect(b']').map_err(shape)?;
    Ok(LevelText { price, qty, third })
}
