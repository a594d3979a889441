//! OKX books: a snapshot, then changes chained by `prevSeqId`, each with a checksum of the best 25
//! levels. Old recordings have the checksum alone, and the venue has announced that it will end;
//! each is compared where it is there.

use wire::okx::Book;

use super::stream_sync::{Outcome, StreamSync};
use super::{SyncState, emit_side};
use crate::book::LevelBook;
use crate::event::{Event, InstrumentId, Side, Stamp};
use crate::publish::Level;

/// Levels of each side in a checksum.
const CHECKED: usize = 25;

#[derive(Clone, Copy, Debug)]
struct Symbol {
    seq: Option<u64>,
    /// Numbers are written without trailing zeros, as the checksum needs them.
    is_plain: bool,
}

/// Books of one connection. Symbols are numbered by [`InstrumentId`].
#[derive(Debug)]
pub struct OkxSync {
    /// Which symbols are in step.
    pub sync: StreamSync,
    symbols: Vec<Symbol>,
    checked: u64,
    unequal: u64,
}

impl OkxSync {
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
            seq: None,
            is_plain: true,
        });
        self.sync.open(now_ns)
    }

    /// Checksums compared, and how many of them differed.
    #[must_use]
    pub fn checksums(&self) -> (u64, u64) {
        (self.checked, self.unequal)
    }

    /// Takes one message; gives `Clear` and `Level` events to `emit`. Then
    /// [`OkxSync::verify`] the book.
    pub fn book(
        &mut self,
        id: InstrumentId,
        ts_recv: u64,
        book: &Book<'_>,
        mut emit: impl FnMut(Stamp, Event),
    ) -> (Outcome, Stamp) {
        let count = self.sync.count();
        let stamp = Stamp {
            seq: book.seq.unwrap_or(count),
            ts_event: book.event_ns,
            ts_recv,
        };
        let Some(symbol) = self.symbols.get_mut(id.0 as usize) else {
            return (Outcome::Early, stamp);
        };
        if book.is_snapshot {
            emit(stamp, Event::Clear);
            symbol.is_plain = true;
            self.sync.synced(id, ts_recv);
        } else if self.sync.state(id) != SyncState::Synced {
            return (Outcome::Early, stamp);
        } else if let (Some(last), Some(previous)) = (symbol.seq, book.previous_seq)
            && previous != last
        {
            if book.seq == Some(last) {
                return (Outcome::Old, stamp);
            }
            self.sync.break_off(id, ts_recv);
            return (Outcome::Broken, stamp);
        }
        symbol.seq = book.seq;
        if symbol.is_plain {
            let mut texts = book.bids.texts().chain(book.asks.texts());
            symbol.is_plain = texts.all(|text| is_plain(text.price) && is_plain(text.qty));
        }
        emit_side(Side::Bid, &book.bids, stamp, &mut emit);
        emit_side(Side::Ask, &book.asks, stamp, &mut emit);
        (Outcome::Applied, stamp)
    }

    /// Compares the book with the checksum of the message that made it; false: the symbol waits for
    /// a new snapshot.
    pub fn verify(
        &mut self,
        id: InstrumentId,
        now_ns: u64,
        book: &LevelBook,
        checksum: Option<i32>,
    ) -> bool {
        let is_plain = self.symbols.get(id.0 as usize).is_some_and(|s| s.is_plain);
        let Some(want) = checksum.filter(|&sum| sum != 0 && is_plain) else {
            return true;
        };
        self.checked += 1;
        let is_equal = crc_of(book) == want;
        if !is_equal {
            self.unequal += 1;
            self.sync.break_off(id, now_ns);
        }
        is_equal
    }
}

/// No zero at the end of a fraction.
fn is_plain(text: &[u8]) -> bool {
    !text.contains(&b'.') || !matches!(text.last(), Some(b'0' | b'.'))
}

/// The venue's checksum of a book.
#[must_use]
pub fn crc_of(book: &LevelBook) -> i32 {
    let mut crc = crc32fast::Hasher::new();
    let mut is_first = true;
    let mut add = |level: Option<Level>| {
        let Some(level) = level else { return };
        let price = level.price.0.unsigned_abs();
        for (units, scale) in [(price, 9), (level.qty.0, 8)] {
            if !std::mem::take(&mut is_first) {
                crc.update(b":");
            }
            decimal(units, scale, |text| crc.update(text));
        }
    };
    let mut bids = book.levels(Side::Bid).take(CHECKED);
    let mut asks = book.levels(Side::Ask).take(CHECKED);
    for _ in 0..CHECKED {
        add(bids.next());
        add(asks.next());
    }
    crc.finalize().cast_signed()
}

/// A decimal without trailing zeros: `units` times `10^-scale`.
fn decimal(units: u64, scale: usize, take: impl FnOnce(&[u8])) {
    let mut text = [b'0'; 32];
    let (mut from, mut to, mut left) = (text.len(), text.len(), units);
    for place in 0.. {
        if place == scale {
            from -= 1;
            text[from] = b'.';
        }
        if place > scale && left == 0 {
            break;
        }
        from -= 1;
        text[from] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    while text[to - 1] == b'0' {
        to -= 1;
    }
    if text[to - 1] == b'.' {
        to -= 1;
    }
    take(&text[from..to]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Price, Qty};

    #[test]
    fn decimals_are_written_as_the_venue_does() {
        let check = |units, scale, want: &str| {
            decimal(units, scale, |text| {
                assert_eq!(std::str::from_utf8(text), Ok(want));
            });
        };
        check(3_366_100_000_000, 9, "3366.1");
        check(7 * 100_000_000, 8, "7");
        check(1, 9, "0.000000001");
        check(10 * 100_000_000, 8, "10");
        check(0, 8, "0");
        check(u64::MAX, 9, "18446744073.709551615");
    }

    /// The example of the venue's documentation: bids before asks, the longer side at the end.
    #[test]
    fn the_documented_order() {
        let mut book = LevelBook::new(8);
        let e9 = |price: i64| Price(price * 100_000_000);
        book.set(Side::Bid, e9(33_661), Qty(7 * 100_000_000));
        book.set(Side::Ask, e9(33_668), Qty(9 * 100_000_000));
        book.set(Side::Ask, e9(33_680), Qty(8 * 100_000_000));
        book.set(Side::Ask, e9(33_720), Qty(8 * 100_000_000));
        let want = crc32fast::hash(b"3366.1:7:3366.8:9:3368:8:3372:8");
        assert_eq!(crc_of(&book), want.cast_signed());
    }

    #[test]
    fn trailing_zeros_are_noticed() {
        for (text, want) in [
            ("7", true),
            ("70", true),
            ("7.5", true),
            ("7.50", false),
            ("7.", false),
        ] {
            assert_eq!(is_plain(text.as_bytes()), want, "{text}");
        }
    }
}
