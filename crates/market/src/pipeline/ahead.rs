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

use arrayvec::ArrayVec;
use wire::itch50::{BookFields, Scan, Scanned};

use super::itch_books::side_of;
use crate::book::{Ahead, BookSet};
use crate::event::{InstrumentId, OrderId, Price};
use crate::feed::itch::Normaliser;

/// Messages looked at together: more than a full packet of short ones.
const BATCH: usize = 80;
/// So few messages have little to wait for together, and are applied sooner than looked at ahead.
pub(super) const FEW: usize = 2;

/// Messages that were read, and whose memory is on its way.
pub(super) struct Batch<'a>(ArrayVec<Scanned<'a>, BATCH>);

impl<'a> Batch<'a> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self(ArrayVec::new())
    }

    /// Reads the next messages, `limit` at most, in place of those before; `symbol` hears whose they
    /// are. Room that no message needs is not touched, since a packet may have one only.
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        scan: &mut Scan<'a>,
        limit: usize,
        books: &BookSet,
        normaliser: &Normaliser,
        symbol: impl Fn(InstrumentId),
    ) {
        self.0.clear();
        let limit = limit.min(BATCH);
        let mut reading = Reading {
            batch: &mut self.0,
            needs: ArrayVec::new(),
            books,
            normaliser,
            symbol,
        };
        while reading.batch.len() < limit {
            if let Some(scanned) = scan.next_near() {
                reading.take(scanned);
            } else if !reading.take_last(scan) {
                break;
            }
        }
        let needs = &mut reading.needs;
        needs.iter_mut().for_each(|need| books.ahead_single(need));
        needs.iter_mut().for_each(|need| books.ahead_side(need));
        needs.iter().for_each(|need| books.ahead_index(need));
        needs.iter_mut().for_each(|need| books.ahead_place(need));
        needs.iter().for_each(|need| books.ahead_total(need));
    }

    /// What was read.
    #[inline(always)]
    pub(super) fn messages(&self) -> &[Scanned<'a>] {
        &self.0
    }
}

/// A batch that is being read.
struct Reading<'a, 'b, F> {
    batch: &'b mut ArrayVec<Scanned<'a>, BATCH>,
    needs: ArrayVec<Ahead, BATCH>,
    books: &'b BookSet,
    normaliser: &'b Normaliser,
    symbol: F,
}

impl<'a, F: Fn(InstrumentId)> Reading<'a, '_, F> {
    #[inline(always)]
    fn take(&mut self, scanned: Scanned<'a>) {
        self.batch.push(scanned);
        let Some(id) = self.normaliser.locate(scanned.fields.locate) else {
            return;
        };
        (self.symbol)(id);
        if let Some(need) = first_step(self.books, id, &scanned.fields) {
            self.needs.push(need);
        }
    }

    /// One of the last frames of a packet; false when there is none.
    #[inline(never)]
    fn take_last(&mut self, scan: &mut Scan<'a>) -> bool {
        let last = scan.next();
        last.into_iter().for_each(|scanned| self.take(scanned));
        last.is_some()
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
