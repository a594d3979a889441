//! Waits for memory a few times a packet instead of several times a message.
//!
//! An order and its level lie anywhere in megabytes, and a message cannot be applied before both
//! have come from memory. But the messages of a packet are known at once, and what one of them
//! needs seldom depends on the others. So before they are applied, one pass asks for the orders of
//! all of them, the next for the sides of those, and so on to the levels. No pass waits for what it
//! asks for, so many of these reads are on their way at the same time.
//!
//! Nothing here changes a book, and a wrong guess (an order that the packet itself adds) costs one
//! useless read.

use wire::itch50::{BookFields, Scan, Scanned};

use super::itch_books::side_of;
use crate::book::{Ahead, BookSet};
use crate::event::{InstrumentId, OrderId, Price};
use crate::feed::itch::Normaliser;

/// Messages looked at together: more than a full packet of short ones.
const BATCH: usize = 80;

/// Messages that were read, and whose memory is on its way.
pub(super) struct Batch<'a> {
    scanned: [Scanned<'a>; BATCH],
    count: usize,
}

impl<'a> Batch<'a> {
    /// Reads the next messages, `limit` at most; `symbol` hears whose they are.
    #[inline(always)]
    pub(super) fn read(
        scan: &mut Scan<'a>,
        limit: usize,
        books: &BookSet,
        normaliser: &Normaliser,
        symbol: impl Fn(InstrumentId),
    ) -> Self {
        let mut batch = Self {
            scanned: [EMPTY; BATCH],
            count: 0,
        };
        let mut needs = [Ahead::default(); BATCH];
        let mut needed = 0;
        for (slot, scanned) in batch.scanned.iter_mut().zip(scan.take(limit)) {
            *slot = scanned;
            batch.count += 1;
            let Some(id) = normaliser.locate(scanned.fields.locate) else {
                continue;
            };
            symbol(id);
            if let Some(need) = first_step(books, id, &scanned.fields) {
                needs[needed] = need;
                needed += 1;
            }
        }
        let needs = &mut needs[..needed];
        needs.iter_mut().for_each(|need| books.ahead_side(need));
        needs.iter().for_each(|need| books.ahead_index(need));
        needs.iter_mut().for_each(|need| books.ahead_place(need));
        needs.iter().for_each(|need| books.ahead_total(need));
        batch
    }

    /// What was read.
    #[inline(always)]
    pub(super) fn messages(&self) -> &[Scanned<'a>] {
        &self.scanned[..self.count]
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

const EMPTY: Scanned<'static> = Scanned {
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
