//! What a book needs of every message, read without a branch on its type.
//!
//! A switch on the type is guessed wrong for about every second message of a real feed, and each
//! wrong guess costs as much as reading the whole message. But the fields that a book needs stand at
//! few places, so a table says for each type where, and which of them it lacks:
//!
//! ```text
//! place of    reference  second     shares  price
//! A F         11         -          20      32
//! E           11         23 match   19      -
//! C           11         23 match   19      32
//! X           11         -          19      -
//! D           11         -          -       -
//! U           11         19 new     27      31
//! P           11         36 match   20      32
//! ```
//!
//! A field that the type lacks is read all the same and masked. The few places are the variants of
//! an enum, so that the compiler knows that all of them lie within what is looked at. The typed
//! views of [`decode`](super::decode) are the naive twin. Frames are those of a
//! MoldUDP64 packet and of an ITCH file alike: a length of two bytes, then the message.
//!
//! The way from frame to frame is a chain of loads that nothing can shorten, so it should have few
//! steps: no message is longer than 255 bytes, and the next frame is looked for by the low byte of
//! the length alone while the high byte is checked beside it.

use super::length_of;

/// Bytes looked at from the start of a frame, whatever its length: those of the longest message.
const SEEN: usize = PREFIX + 52;
/// Where messages start in a frame.
const PREFIX: usize = 2;

/// The fields of one message about orders; 0 where its type has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookFields {
    /// The order that the message is about; anything at all where `kind` is 0.
    pub reference: u64,
    /// The new reference of a replace, the match number of a print.
    pub second: u64,
    /// Shares added, executed, cancelled, printed.
    pub shares: u64,
    /// Nanoseconds since midnight, venue time.
    pub timestamp_ns: u64,
    /// 1e-4.
    pub price: u32,
    /// The venue's code of the instrument.
    pub locate: u16,
    /// The type byte of the types above; 0 for any other and where the length is not that of the
    /// type: then [`decode`](super::decode) tells what the message is.
    pub kind: u8,
    /// `B` or `S` as it came.
    pub side: u8,
}

/// Frames one after another, read where they lie.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// One frame: the bytes of its message, and what a book needs of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanned<'a> {
    /// The message.
    pub bytes: &'a [u8],
    /// Its fields.
    pub fields: BookFields,
}

/// Where a field stands in a message.
#[derive(Clone, Copy)]
#[repr(u8)]
enum At {
    P19 = 19,
    P20 = 20,
    P23 = 23,
    P27 = 27,
    P31 = 31,
    P32 = 32,
    P36 = 36,
}

/// Where the fields of a type stand, and masks of those that it has. Two fit a cache line.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Layout {
    second_mask: u64,
    shares_mask: u32,
    price_mask: u32,
    /// Of the message; more than a frame can hold: no type of interest.
    length: u32,
    second: At,
    shares: At,
    price: At,
    side_mask: u8,
}

impl Layout {
    const NONE: Self = Self {
        second_mask: 0,
        shares_mask: 0,
        price_mask: 0,
        length: u32::MAX,
        second: At::P19,
        shares: At::P20,
        price: At::P32,
        side_mask: 0,
    };

    const fn with_second(mut self, at: At) -> Self {
        (self.second, self.second_mask) = (at, u64::MAX);
        self
    }

    const fn with_shares(mut self, at: At) -> Self {
        (self.shares, self.shares_mask) = (at, u32::MAX);
        self
    }

    const fn with_price(mut self, at: At) -> Self {
        (self.price, self.price_mask) = (at, u32::MAX);
        self
    }

    const fn with_side(mut self) -> Self {
        self.side_mask = u8::MAX;
        self
    }

    const fn of(kind: u8) -> Self {
        let none = Self::NONE;
        let mut layout = match kind {
            b'A' | b'F' => none.with_side().with_shares(At::P20).with_price(At::P32),
            b'E' => none.with_shares(At::P19).with_second(At::P23),
            b'C' => none
                .with_shares(At::P19)
                .with_second(At::P23)
                .with_price(At::P32),
            b'X' => none.with_shares(At::P19),
            b'D' => none,
            b'U' => none
                .with_second(At::P19)
                .with_shares(At::P27)
                .with_price(At::P31),
            b'P' => none
                .with_side()
                .with_shares(At::P20)
                .with_price(At::P32)
                .with_second(At::P36),
            _ => return none,
        };
        if let Some(length) = length_of(kind) {
            layout.length = length as u32;
        }
        layout
    }
}

static LAYOUTS: [Layout; 256] = {
    let mut layouts = [Layout::NONE; 256];
    let mut kind = 0;
    while kind < 256 {
        layouts[kind] = Layout::of(kind as u8);
        kind += 1;
    }
    layouts
};

#[inline(always)]
fn eight(seen: &[u8; SEEN], at: usize) -> u64 {
    seen[at..]
        .first_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

#[inline(always)]
fn four(seen: &[u8; SEEN], at: usize) -> u32 {
    seen[at..]
        .first_chunk()
        .map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

impl BookFields {
    /// The fields of the message behind a length that is `length`.
    #[inline(always)]
    fn read(seen: &[u8; SEEN], length: usize) -> Self {
        let kind = seen[PREFIX];
        let layout = &LAYOUTS[usize::from(kind)];
        let fits = layout.length == length as u32;
        Self {
            reference: eight(seen, PREFIX + 11),
            second: eight(seen, PREFIX + layout.second as usize) & layout.second_mask,
            shares: u64::from(four(seen, PREFIX + layout.shares as usize) & layout.shares_mask),
            timestamp_ns: eight(seen, PREFIX + 3) & 0xffff_ffff_ffff,
            price: four(seen, PREFIX + layout.price as usize) & layout.price_mask,
            locate: u16::from_be_bytes([seen[PREFIX + 1], seen[PREFIX + 2]]),
            kind: if fits { kind } else { 0 },
            side: seen[PREFIX + 19] & layout.side_mask,
        }
    }
}

impl<'a> Scan<'a> {
    /// Reads `bytes` from a frame's start on.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next frame where one look suffices for it. `None` also where it is so near the end, or so
    /// long, that [`Iterator::next`] has to be asked: a loop that does so in a place of its own keeps
    /// every field of the others in a register.
    #[inline(always)]
    pub fn next_near(&mut self) -> Option<Scanned<'a>> {
        let scanned = frame_at(self.bytes, self.at)?;
        self.at += PREFIX + scanned.bytes.len();
        Some(scanned)
    }

    /// What was not read: empty at the end, the rest from the first frame that is cut.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

/// The frame at `at` where one look suffices for it.
#[inline(always)]
fn frame_at(bytes: &[u8], at: usize) -> Option<Scanned<'_>> {
    let seen = bytes.get(at..).and_then(<[u8]>::first_chunk::<SEEN>)?;
    let length = usize::from(seen[1]);
    if seen[0] != 0 || length > SEEN - PREFIX {
        return None;
    }
    Some(Scanned {
        bytes: &seen[PREFIX..PREFIX + length],
        fields: BookFields::read(seen, length),
    })
}

/// A frame so near the end, or so long, that what is read in one look does not suffice.
#[cold]
#[inline(never)]
fn last_at(bytes: &[u8], at: usize) -> Option<Scanned<'_>> {
    let rest = bytes.get(at..)?;
    let (length, after) = rest.split_first_chunk::<PREFIX>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let bytes = after.get(..length)?;
    let mut seen = [0; SEEN];
    let known = (PREFIX + length).min(SEEN);
    seen[..known].copy_from_slice(&rest[..known]);
    let fields = BookFields::read(&seen, length);
    Some(Scanned { bytes, fields })
}

impl<'a> Iterator for Scan<'a> {
    type Item = Scanned<'a>;

    /// The next frame; `None` when the rest holds no whole one.
    #[inline(always)]
    fn next(&mut self) -> Option<Scanned<'a>> {
        let scanned = frame_at(self.bytes, self.at).or_else(|| last_at(self.bytes, self.at))?;
        self.at += PREFIX + scanned.bytes.len();
        Some(scanned)
    }

    /// As `next` until the end, but what the rare last frames need does not stand in the loop of
    /// the others: there every field stays in a register.
    #[inline(always)]
    fn fold<B, F: FnMut(B, Scanned<'a>) -> B>(self, init: B, mut f: F) -> B {
        let Self { bytes, mut at } = self;
        let mut folded = init;
        loop {
            while let Some(scanned) = frame_at(bytes, at) {
                at += PREFIX + scanned.bytes.len();
                folded = f(folded, scanned);
            }
            let Some(scanned) = last_at(bytes, at) else {
                return folded;
            };
            at += PREFIX + scanned.bytes.len();
            folded = f(folded, scanned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Message, decode};
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// The twin: the same fields through the typed views.
    fn through_views(bytes: &[u8]) -> BookFields {
        let Ok(message) = decode(bytes) else {
            return BookFields::default();
        };
        let mut fields = BookFields {
            kind: message.kind(),
            locate: message.locate(),
            timestamp_ns: message.timestamp_ns(),
            ..BookFields::default()
        };
        if matches!(fields.kind, b'A' | b'F' | b'P') {
            fields.side = bytes[19];
        }
        match message {
            Message::AddOrder(m) => {
                fields.reference = m.order_reference();
                (fields.shares, fields.price) = (m.shares().into(), m.price());
            }
            Message::AddOrderMpid(m) => {
                fields.reference = m.order_reference();
                (fields.shares, fields.price) = (m.shares().into(), m.price());
            }
            Message::OrderExecuted(m) => {
                fields.reference = m.order_reference();
                fields.shares = m.executed_shares().into();
                fields.second = m.match_number();
            }
            Message::OrderExecutedWithPrice(m) => {
                fields.reference = m.order_reference();
                fields.shares = m.executed_shares().into();
                (fields.second, fields.price) = (m.match_number(), m.execution_price());
            }
            Message::OrderCancel(m) => {
                fields.reference = m.order_reference();
                fields.shares = m.cancelled_shares().into();
            }
            Message::OrderDelete(m) => fields.reference = m.order_reference(),
            Message::OrderReplace(m) => {
                fields.reference = m.original_order_reference();
                fields.second = m.new_order_reference();
                (fields.shares, fields.price) = (m.shares().into(), m.price());
            }
            Message::Trade(m) => {
                fields.reference = m.order_reference();
                (fields.shares, fields.price) = (m.shares().into(), m.price());
                fields.second = m.match_number();
            }
            _ => return BookFields::default(),
        }
        fields
    }

    fn frame(message: &[u8]) -> Vec<u8> {
        let mut frame = (message.len() as u16).to_be_bytes().to_vec();
        frame.extend(message);
        frame
    }

    /// Messages of every type with any bytes behind the type, now and then of a wrong length.
    fn message() -> impl Strategy<Value = Vec<u8>> {
        let any = prop::collection::vec(any::<u8>(), 64);
        let kind = prop::sample::select(super::super::KINDS);
        (kind, any, prop_oneof![9 => Just(0i32), 1 => -3i32..4]).prop_map(
            |(kind, mut bytes, off)| {
                bytes[0] = kind;
                let length = length_of(kind).expect("a known type") as i32 + off;
                bytes.truncate(length as usize);
                bytes
            },
        )
    }

    proptest! {
        #[test]
        fn equals_the_typed_views(messages in prop::collection::vec(message(), 0..40)) {
            let bytes: Vec<u8> = messages.iter().flat_map(|m| frame(m)).collect();
            let mut scan = Scan::new(&bytes);
            for message in &messages {
                let scanned = scan.next().expect("as many frames as messages");
                prop_assert_eq!(scanned.bytes, &message[..]);
                let (fields, twin) = (scanned.fields, through_views(message));
                if twin.kind == 0 {
                    prop_assert_eq!(fields.kind, 0);
                } else {
                    prop_assert_eq!(fields, twin);
                }
            }
            prop_assert!(scan.next().is_none() && scan.rest().is_empty());
            let mut near = Scan::new(&bytes);
            let mut either = || near.next_near().or_else(|| near.next());
            for scanned in Scan::new(&bytes) {
                prop_assert_eq!(either(), Some(scanned));
            }
            prop_assert_eq!(either(), None);
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut scan = Scan::new(&bytes);
            let seen: usize = scan.by_ref().map(|scanned| scanned.bytes.len() + PREFIX).sum();
            prop_assert_eq!(seen + scan.rest().len(), bytes.len());
        }
    }
}
