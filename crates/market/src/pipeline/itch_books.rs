//! ITCH to books and nothing else: a whole session's books as fast as they can be made.

use wire::itch50::{BookFields, Scan, Scanned};

use super::ahead::Batch;
use crate::book::{BookSet, Reject, symbol_key};
use crate::event::{Instrument, OrderId, Price, Qty, Side};
use crate::feed::itch::{Meaning, Normaliser};

/// Books of one session, fed with framed messages: no windows, no signals, no frames.
#[derive(Debug)]
pub struct ItchBooks {
    normaliser: Normaliser,
    books: BookSet,
    seq: u64,
    rejected: u64,
}

impl ItchBooks {
    /// Empty books for the day that starts at `midnight_ns`.
    #[must_use]
    pub fn new(midnight_ns: u64, instruments_limit: usize, books: BookSet) -> Self {
        Self {
            normaliser: Normaliser::new(midnight_ns, instruments_limit),
            books,
            seq: 0,
            rejected: 0,
        }
    }

    /// Takes messages, each behind its length of two bytes as in a file or in a packet. Returns how
    /// many there were; what follows the last whole one is not looked at.
    pub fn take(&mut self, frames: &[u8]) -> usize {
        let before = self.seq;
        let mut scan = Scan::new(frames);
        let mut batch = Batch::new();
        loop {
            batch.read(&mut scan, usize::MAX, &self.books, &self.normaliser, |_| {});
            if batch.messages().is_empty() {
                return (self.seq - before) as usize;
            }
            for scanned in batch.messages() {
                self.one(scanned);
            }
        }
    }

    #[inline]
    fn one(&mut self, scanned: &Scanned<'_>) {
        self.seq += 1;
        match pass(&self.normaliser, &mut self.books, &scanned.fields) {
            Some(Ok(_)) => {}
            Some(Err(_)) => self.rejected += 1,
            None => self.other(scanned.bytes),
        }
    }

    #[cold]
    fn other(&mut self, bytes: &[u8]) {
        match self.normaliser.translate(self.seq, 0, bytes) {
            Ok(Meaning::Event {
                instrument, event, ..
            }) => {
                self.open(instrument.0);
                self.rejected += u64::from(self.books.apply(instrument, &event).is_err());
            }
            Ok(Meaning::Listed { instrument, .. }) => self.open(instrument.0),
            Ok(Meaning::Venue { .. } | Meaning::Nothing { .. }) => {}
            Err(_) => self.rejected += 1,
        }
    }

    fn open(&mut self, id: u32) {
        while self.books.len() <= id as usize {
            self.books.open();
        }
    }

    /// All books and orders.
    #[must_use]
    pub fn books(&self) -> &BookSet {
        &self.books
    }

    /// Every instrument named so far; its index is its id.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        self.normaliser.instruments()
    }

    /// Messages that could not be read or applied.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// A hash of all books as they are now; equal wherever the books are equal.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let instruments = self.normaliser.instruments();
        self.books.digest(|id| {
            let instrument = instruments.get(id.0 as usize);
            instrument.map_or(0, |instrument| symbol_key(&instrument.symbol))
        })
    }
}

/// Applies an order's coming, shrinking, leaving or replacing. `None`, and nothing happened, for
/// everything else, a message at fault or of an unknown instrument included.
#[inline(always)]
pub(super) fn pass(
    normaliser: &Normaliser,
    books: &mut BookSet,
    fields: &BookFields,
) -> Option<Result<bool, Reject>> {
    let id = normaliser.locate(fields.locate)?;
    let reference = OrderId(fields.reference);
    let (price, qty) = (Price::from_e4(fields.price), Qty(fields.shares));
    Some(match fields.kind {
        b'A' | b'F' => {
            let side = side_of(fields)?;
            books.add(id, reference, side, price, qty)
        }
        b'D' => books.delete(id, reference),
        b'X' | b'E' => books.reduce(id, reference, qty),
        b'U' => books.replace(id, reference, OrderId(fields.second), price, qty),
        _ => return None,
    })
}

#[inline(always)]
pub(super) fn side_of(fields: &BookFields) -> Option<Side> {
    match fields.side {
        b'B' => Some(Side::Bid),
        b'S' => Some(Side::Ask),
        _ => None,
    }
}
