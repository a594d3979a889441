//! Waits for memory a few times a packet instead of several times a message.
//!
//! An order and its level lie anywhere in megabytes, and a message cannot be applied before both
//! have come from memory. But the messages of a packet are known at once, and what one of them
//! needs seldom depends on the others. So before they are applied, one pass asks for the orders of
//! all of them, the next for the sides of those, and so on to the levels. No pass waits for what it
//! asks for, so many of these reads are on their way at the same time.
//!
//! Where more than a packet is known, the passes over one batch of messages stand between parts of the
//! one before it, which is being applied: then the processor has something to do while it waits.
//!
//! Nothing here changes a book, and a wrong guess (an order that the packet itself adds) costs one
//! useless read.

use wire::itch50::{BookFields, Scan, Scanned};

use super::itch_books::side_of;
use crate::book::{Ahead, BookSet};
use crate::event::{InstrumentId, OrderId, Price};
use crate::feed::itch::Normaliser;

/// Messages looked at together: more than a full packet has.
const BATCH: usize = 48;
/// Passes over a batch behind the first.
pub(super) const PASSES: usize = 4;

/// Messages that were read, and whose memory is on its way.
pub(super) struct Batch<'a> {
    scanned: [Scanned<'a>; BATCH],
    count: usize,
    needs: [Ahead; BATCH],
    needed: usize,
}

impl<'a> Batch<'a> {
    /// Nothing read yet.
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self {
            scanned: [NOTHING; BATCH],
            count: 0,
            needs: [Ahead::NONE; BATCH],
            needed: 0,
        }
    }

    /// Reads the next messages, `limit` at most, and takes the first pass over them; `symbol` hears
    /// whose they are.
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        scan: &mut Scan<'a>,
        limit: usize,
        books: &BookSet,
        normaliser: &Normaliser,
        symbol: impl Fn(InstrumentId),
    ) {
        (self.count, self.needed) = (0, 0);
        for (slot, scanned) in self.scanned.iter_mut().zip(scan.take(limit)) {
            *slot = scanned;
            self.count += 1;
            let Some(id) = normaliser.locate(scanned.fields.locate) else {
                continue;
            };
            symbol(id);
            if let Some(need) = first_step(books, id, &scanned.fields) {
                self.needs[self.needed] = need;
                self.needed += 1;
            }
        }
    }

    /// Takes one of the passes that follow, numbered below [`PASSES`], each after the one before.
    #[inline(always)]
    pub(super) fn pass(&mut self, number: usize, books: &BookSet) {
        let needs = self.needs[..self.needed].iter_mut();
        match number {
            0 => needs.for_each(|need| books.ahead_side(need)),
            1 => needs.for_each(|need| books.ahead_index(need)),
            2 => needs.for_each(|need| books.ahead_place(need)),
            _ => needs.for_each(|need| books.ahead_total(need)),
        }
    }

    /// What was read.
    #[inline(always)]
    pub(super) fn messages(&self) -> &[Scanned<'a>] {
        &self.scanned[..self.count]
    }

    /// A share of what was read, one for each pass over another batch.
    #[inline(always)]
    pub(super) fn share(&self, number: usize) -> &[Scanned<'a>] {
        let at = |number: usize| self.count * number / PASSES;
        &self.scanned[at(number)..at(number + 1)]
    }
}

/// `None` when no order is concerned.
#[inline(always)]
fn first_step(books: &BookSet, instrument: InstrumentId, fields: &BookFields) -> Option<Ahead> {
    let reference = OrderId(fields.reference);
    match fields.kind {
        b'A' | b'F' => {
            let price = Price::from_e4(fields.price);
            Some(books.ahead_add(instrument, side_of(fields)?, reference, price))
        }
        b'D' | b'E' | b'X' | b'C' | b'U' => Some(books.ahead_order(reference)),
        _ => None,
    }
}

const NOTHING: Scanned<'static> = Scanned {
    bytes: &[],
    fields: BookFields {
        reference: 0,
        second: 0,
        shares: 0,
        timestamp_ns: 0,
        price: 0,
        locate: 0,
        kind: 0,
        side: 0,
    },
};
