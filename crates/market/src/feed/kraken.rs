//! Kraken books: a snapshot, changes, and after each change a checksum of the best ten levels.
//!
//! There are no numbers to chain by. A lost change is found by the first checksum that its levels
//! enter; a book that differs behind the best ten is not known to differ. The venue drops levels
//! behind the subscribed depth without a word, so they are dropped here too.

use wire::kraken::Book;

use super::stream_sync::{Outcome, StreamSync};
use super::{SyncState, emit_side, level_removed};
use crate::book::LevelBook;
use crate::event::{Event, InstrumentId, Side, Stamp};

/// Levels of each side in a checksum.
const CHECKED: usize = 10;
/// The largest number of digits behind the point that a price is written with.
const DIGITS_LIMIT: u8 = 18;

#[derive(Clone, Copy, Debug)]
struct Symbol {
    /// Digits behind the point of this pair's prices, as written.
    price_digits: u8,
    /// Levels of each side that the venue keeps.
    depth: usize,
}

/// Books of one connection. Symbols are numbered by [`InstrumentId`].
#[derive(Debug)]
pub struct KrakenSync {
    /// Which symbols are in step.
    pub sync: StreamSync,
    symbols: Vec<Symbol>,
    checked: u64,
    unequal: u64,
}

impl KrakenSync {
    /// No symbol yet.
    #[must_use]
    pub fn new(sync: StreamSync) -> Self {
        Self {
            sync,
            symbols: Vec::new(),
            checked: 0,
            unequal: 0,
        }
    }

    /// Starts the next symbol.
    pub fn open(&mut self, now_ns: u64) -> InstrumentId {
        self.symbols.push(Symbol {
            price_digits: 0,
            depth: usize::MAX,
        });
        self.sync.open(now_ns)
    }

    /// Checksums compared, and how many of them differed.
    #[must_use]
    pub fn checksums(&self) -> (u64, u64) {
        (self.checked, self.unequal)
    }

    /// Takes one message; gives `Clear` and `Level` events to `emit`. Then [`KrakenSync::trim`] and
    /// [`KrakenSync::verify`] the book.
    pub fn book(
        &mut self,
        id: InstrumentId,
        ts_recv: u64,
        book: &Book<'_>,
        mut emit: impl FnMut(Stamp, Event),
    ) -> (Outcome, Stamp) {
        let stamp = Stamp {
            seq: self.sync.count(),
            ts_event: book.event_ns.unwrap_or(ts_recv),
            ts_recv,
        };
        let Some(symbol) = self.symbols.get_mut(id.0 as usize) else {
            return (Outcome::Early, stamp);
        };
        if book.is_snapshot {
            let digits = book.bids.price_digits().or(book.asks.price_digits());
            symbol.price_digits = digits.unwrap_or(0).min(DIGITS_LIMIT);
            symbol.depth = book.depth().unwrap_or(usize::MAX);
            emit(stamp, Event::Clear);
            self.sync.synced(id, ts_recv);
        } else if self.sync.state(id) != SyncState::Synced {
            return (Outcome::Early, stamp);
        } else if symbol.price_digits == 0 {
            // The snapshot was empty: the first levels say how prices are written.
            let digits = book.bids.price_digits().or(book.asks.price_digits());
            symbol.price_digits = digits.unwrap_or(0).min(DIGITS_LIMIT);
        }
        emit_side(Side::Bid, &book.bids, stamp, &mut emit);
        emit_side(Side::Ask, &book.asks, stamp, &mut emit);
        (Outcome::Applied, stamp)
    }

    /// A level that better ones have pushed behind the subscribed depth, if there is one.
    #[must_use]
    pub fn trim(&self, id: InstrumentId, book: &LevelBook) -> Option<Event> {
        let depth = self.symbols.get(id.0 as usize)?.depth;
        let too_deep = |side| book.depth(side) > depth;
        let side = [Side::Bid, Side::Ask]
            .into_iter()
            .find(|&side| too_deep(side))?;
        let price = book.levels(side).nth(depth)?.price;
        Some(level_removed(side, price))
    }

    /// Compares the book with the checksum of the change that made it; false: the symbol waits for
    /// a new snapshot.
    pub fn verify(
        &mut self,
        id: InstrumentId,
        now_ns: u64,
        book: &LevelBook,
        checksum: Option<u32>,
    ) -> bool {
        let (Some(want), Some(symbol)) = (checksum, self.symbols.get(id.0 as usize)) else {
            return true;
        };
        self.checked += 1;
        let is_equal = crc_of(book, symbol.price_digits) == want;
        if !is_equal {
            self.unequal += 1;
            self.sync.break_off(id, now_ns);
        }
        is_equal
    }
}

/// The venue's checksum of a book whose prices it writes with so many digits behind the point.
#[must_use]
pub fn crc_of(book: &LevelBook, price_digits: u8) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    for side in [Side::Ask, Side::Bid] {
        for level in book.levels(side).take(CHECKED) {
            let price = u128::from(level.price.0.unsigned_abs());
            let price = match price_digits {
                0..=9 => price / 10_u128.pow(u32::from(9 - price_digits)),
                _ => price * 10_u128.pow(u32::from(price_digits - 9)),
            };
            digits(price, |text| crc.update(text));
            digits(u128::from(level.qty.0), |text| crc.update(text));
        }
    }
    crc.finalize()
}

/// A number without leading zeros; nothing for zero.
fn digits(number: u128, take: impl FnOnce(&[u8])) {
    let mut text = [0; 39];
    let mut from = text.len();
    let mut left = number;
    while left > 0 {
        from -= 1;
        text[from] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    take(&text[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Price, Qty};

    /// The example of the venue's documentation: "Calculate Book Checksum", version 1.
    #[test]
    fn the_documented_example() {
        let asks = [
            (5_005, 500),
            (5_010, 500),
            (5_015, 500),
            (5_020, 500),
            (5_025, 500),
            (5_030, 500),
            (5_035, 500),
            (5_040, 500),
            (5_045, 500),
            (5_050, 500),
        ];
        let bids = [
            (5_000, 500),
            (4_995, 500),
            (4_990, 500),
            (4_980, 500),
            (4_975, 500),
            (4_970, 500),
            (4_965, 500),
            (4_960, 500),
            (4_955, 500),
            (4_950, 500),
        ];
        let mut book = LevelBook::new(16);
        for (side, levels) in [(Side::Ask, asks), (Side::Bid, bids)] {
            for (price_e5, qty) in levels {
                book.set(side, Price(price_e5 * 10_000), Qty(qty));
            }
        }
        // Prices 0.05005 and so on, quantities 0.00000500.
        assert_eq!(crc_of(&book, 5), 974_947_235);
    }

    #[test]
    fn numbers_have_no_leading_zeros() {
        let check = |number, want: &[u8]| digits(number, |text| assert_eq!(text, want));
        check(0, b"");
        check(7, b"7");
        check(u128::MAX, b"340282366920938463463374607431768211455");
    }
}
