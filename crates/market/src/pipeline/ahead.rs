//! Waits for memory once a packet instead of several times a message.
//!
//! An order and its level lie anywhere in megabytes, and a message cannot be applied before both
//! have come from memory. But the messages of a packet are known at once, and what one of them
//! needs seldom depends on the others. So before they are applied, one pass reads the orders of
//! all of them, a second the ranks around their prices, a third their levels. No pass decides anything by what it reads, so
//! the processor waits for many of these reads at the same time.
//!
//! Nothing here changes a book, and a wrong guess (an order that the packet itself adds) costs one
//! useless read.

use wire::itch50::{BookFields, Scan};
use wire::moldudp64::Messages;

use super::itch_books::side_of;
use crate::book::{Ahead, BookSet};
use crate::event::{OrderId, Price};
use crate::feed::itch::Normaliser;

/// Messages looked at together: more than a full packet of short ones.
pub(super) const BATCH: usize = 80;

/// Asks for what the messages of a packet need.
pub(super) fn read_ahead(books: &BookSet, normaliser: &Normaliser, messages: Messages<'_>) {
    let mut needs = [Ahead::default(); BATCH];
    let mut count = 0;
    for scanned in Scan::new(messages.rest()).take(BATCH) {
        if let Some(need) = ahead_of(books, normaliser, &scanned.fields) {
            needs[count] = need;
            count += 1;
        }
    }
    fetch(books, &mut needs[..count]);
}

/// The first step for one message; `None` when no order is concerned.
#[inline(always)]
pub(super) fn ahead_of(
    books: &BookSet,
    normaliser: &Normaliser,
    fields: &BookFields,
) -> Option<Ahead> {
    let reference = OrderId(fields.reference);
    match fields.kind {
        b'A' | b'F' => {
            let instrument = normaliser.locate(fields.locate)?;
            let side = side_of(fields)?;
            let price = Price::from_e4(fields.price);
            Some(books.ahead_add(instrument, side, reference, price))
        }
        b'D' | b'E' | b'X' | b'C' | b'U' => Some(books.ahead_order(reference)),
        _ => None,
    }
}

/// The steps that follow.
#[inline(always)]
pub(super) fn fetch(books: &BookSet, needs: &mut [Ahead]) {
    needs.iter_mut().for_each(|need| books.ahead_second(need));
    needs.iter_mut().for_each(|need| books.ahead_third(need));
    needs.iter().for_each(|need| books.ahead_fourth(need));
}
