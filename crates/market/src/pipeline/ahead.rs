//! Waits for memory once a packet instead of several times a message.
//!
//! An order and its level lie anywhere in megabytes, and a message cannot be applied before both
//! have come from memory. But the messages of a packet are known at once, and what one of them
//! needs seldom depends on the others. So before they are applied, one pass reads the orders of
//! all of them, a second the ranks around their prices, a third their levels. No pass decides anything by what it reads, so
//! the processor waits for many of these reads at the same time.
//!
//! Nothing here changes a book, and a wrong guess (another message type, an order that the packet
//! itself adds) costs one useless read.

use std::hint::black_box;

use wire::moldudp64::Messages;

use crate::book::BookSet;
use crate::event::{InstrumentId, OrderId, Price, Side};
use crate::feed::itch::Normaliser;

/// Messages looked at together: more than a full packet of short ones.
const BATCH: usize = 80;
/// Two bytes of length and the longest order message that matters here.
const SEEN: usize = 38;

/// A level that a message will need.
#[derive(Clone, Copy, Debug)]
struct Need {
    instrument: InstrumentId,
    side: Side,
    rank: i64,
    chunk: u32,
}

/// Reads what the messages of a packet need.
pub(super) fn read_ahead(books: &BookSet, normaliser: &Normaliser, mut messages: Messages<'_>) {
    let mut needs = [Need {
        instrument: InstrumentId(0),
        side: Side::Bid,
        rank: 0,
        chunk: 0,
    }; BATCH];
    let mut count = 0;
    for need in &mut needs {
        let here = messages.rest();
        if !matches!(messages.next(), Some(Ok(_))) {
            break;
        }
        // The last short message of a packet is read in vain, which is cheaper than a branch on
        // the length of each.
        let Some(seen) = here.first_chunk::<SEEN>() else {
            break;
        };
        *need = need_of(books, normaliser, seen);
        count += 1;
    }
    let needs = &mut needs[..count];
    let mut lines = 0;
    for need in needs.iter_mut() {
        let (chunk, line) = books.read_ranks(need.instrument, need.side, need.rank);
        need.chunk = chunk;
        lines ^= line;
    }
    let mut orders = 0;
    for need in needs.iter() {
        orders ^= books.read_level(need.instrument, need.side, need.chunk, need.rank);
    }
    black_box((lines, orders));
}

/// All order messages have the reference at the same place; an add says the rest itself, the
/// others leave it to the order.
#[inline]
fn need_of(books: &BookSet, normaliser: &Normaliser, seen: &[u8; SEEN]) -> Need {
    let field =
        |at: usize| u32::from_be_bytes([seen[at], seen[at + 1], seen[at + 2], seen[at + 3]]);
    let reference = u64::from(field(13)) << 32 | u64::from(field(17));
    let order = books.read_order(OrderId(reference));
    let is_add = matches!(seen[2], b'A' | b'F');
    let side = if seen[21] == b'S' {
        Side::Ask
    } else {
        Side::Bid
    };
    let price = Price::from_e4(field(34));
    let locate = u16::from_be_bytes([seen[3], seen[4]]);
    Need {
        instrument: normaliser.locate(locate).unwrap_or_default(),
        side: if is_add { side } else { order.side() },
        rank: if is_add {
            crate::book::rank_of(side, price)
        } else {
            order.rank()
        },
        chunk: 0,
    }
}
