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
//! Q           -          31 match   11 (8)  27
//! B           -          11 match   -       -
//! ```
//!
//! Every field is read as eight bytes from its place and shifted down, by 64 where the type lacks
//! it. The typed views of [`decode`](super::decode) are the naive twin. Frames are those of a
//! MoldUDP64 packet and of an ITCH file alike: a length of two bytes, then the message.
//!
//! The way from frame to frame is a chain of loads that nothing can shorten, so it should have few
//! steps: no message is longer than 255 bytes, and the next frame is looked for by the low byte of
//! the length alone while the high byte is checked beside it.

use super::length_of;

/// Bytes read from the start of a frame, whatever its length.
const SEEN: usize = 76;
/// Where messages start in a frame.
const PREFIX: usize = 2;
/// Places are held below this, so that the compiler knows that they lie in what is seen.
const PLACE_MASK: u8 = 63;

/// The fields of one message that books and prints are made of; 0 where its type has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookFields {
    /// The order that the message is about.
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
    /// `B` or `S` of an add as it came; anything at all for other types.
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

/// Where the fields of a type stand; one cache line holds four.
#[derive(Clone, Copy)]
#[repr(align(16))]
struct Layout {
    /// Of the message; more than a frame can hold: no type of interest.
    length: u32,
    second: Place,
    shares: Place,
    price: Place,
    reference: Place,
}

/// Eight bytes from `at`, shifted down twice by `half_shift`.
#[derive(Clone, Copy)]
struct Place {
    at: u8,
    half_shift: u8,
}

impl Place {
    const NONE: Self = Self {
        at: 11,
        half_shift: 32,
    };

    const fn long(at: u8) -> Self {
        Self { at, half_shift: 0 }
    }

    const fn short(at: u8) -> Self {
        Self { at, half_shift: 16 }
    }

    #[inline(always)]
    fn read(self, seen: &[u8; SEEN]) -> u64 {
        let at = PREFIX + usize::from(self.at & PLACE_MASK);
        let half = u32::from(self.half_shift & PLACE_MASK);
        (eight(seen, at) >> half) >> half
    }
}

const fn layout_of(kind: u8) -> Layout {
    let mut layout = Layout {
        length: u32::MAX,
        second: Place::NONE,
        shares: Place::NONE,
        price: Place::NONE,
        reference: Place::NONE,
    };
    if matches!(kind, b'A' | b'F' | b'E' | b'C' | b'X' | b'D' | b'U' | b'P') {
        layout.reference = Place::long(11);
    } else if !matches!(kind, b'Q' | b'B') {
        return layout;
    }
    if let Some(length) = length_of(kind) {
        layout.length = length as u32;
    }
    match kind {
        b'A' | b'F' => {
            layout.shares = Place::short(20);
            layout.price = Place::short(32);
        }
        b'E' => {
            layout.shares = Place::short(19);
            layout.second = Place::long(23);
        }
        b'C' => {
            layout.shares = Place::short(19);
            layout.second = Place::long(23);
            layout.price = Place::short(32);
        }
        b'X' => layout.shares = Place::short(19),
        b'U' => {
            layout.second = Place::long(19);
            layout.shares = Place::short(27);
            layout.price = Place::short(31);
        }
        b'P' => {
            layout.shares = Place::short(20);
            layout.price = Place::short(32);
            layout.second = Place::long(36);
        }
        b'Q' => {
            layout.shares = Place::long(11);
            layout.price = Place::short(27);
            layout.second = Place::long(31);
        }
        b'B' => layout.second = Place::long(11),
        _ => {}
    }
    layout
}

static LAYOUTS: [Layout; 256] = {
    let mut layouts = [layout_of(0); 256];
    let mut kind = 0;
    while kind < 256 {
        layouts[kind] = layout_of(kind as u8);
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

impl BookFields {
    /// The fields of the message behind a length that is `length`.
    #[inline(always)]
    fn read(seen: &[u8; SEEN], length: usize) -> Self {
        let kind = seen[PREFIX];
        let layout = &LAYOUTS[usize::from(kind)];
        let fits = layout.length == length as u32;
        Self {
            reference: layout.reference.read(seen),
            second: layout.second.read(seen),
            shares: layout.shares.read(seen),
            timestamp_ns: eight(seen, PREFIX + 3) & 0xffff_ffff_ffff,
            price: layout.price.read(seen) as u32,
            locate: u16::from_be_bytes([seen[PREFIX + 1], seen[PREFIX + 2]]),
            kind: if fits { kind } else { 0 },
            side: seen[PREFIX + 19],
        }
    }
}

impl<'a> Scan<'a> {
    /// Reads `bytes` from a frame's start on.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
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
            Message::CrossTrade(m) => {
                (fields.shares, fields.price) = (m.shares(), m.cross_price());
                fields.second = m.match_number();
            }
            Message::BrokenTrade(m) => fields.second = m.match_number(),
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
                let (mut fields, twin) = (scanned.fields, through_views(message));
                if matches!(fields.kind, b'A' | b'F') {
                    prop_assert_eq!(fields.side, message[19]);
                }
                fields.side = 0;
                if twin.kind == 0 {
                    prop_assert_eq!(fields.kind, 0);
                } else {
                    prop_assert_eq!(fields, twin);
                }
            }
            prop_assert!(scan.next().is_none() && scan.rest().is_empty());
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut scan = Scan::new(&bytes);
            let seen: usize = scan.by_ref().map(|scanned| scanned.bytes.len() + PREFIX).sum();
            prop_assert_eq!(seen + scan.rest().len(), bytes.len());
        }
    }
}
