//! The records, byte for byte. Little-endian, no padding, any alignment.

use zerocopy::little_endian::{I32, I64, I128, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Best bid equals best ask.
pub const BOOK_LOCKED: u8 = 1;
/// Best bid is above best ask.
pub const BOOK_CROSSED: u8 = 2;
/// A [`Last`] follows the levels.
pub const BOOK_HAS_LAST: u8 = 4;

macro_rules! records {
    ($($(#[$doc:meta])* $name:ident: $size:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
        #[repr(C)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        const _: () = assert!(size_of::<$name>() == $size && align_of::<$name>() == 1);

        impl $name {
            /// The record as it goes on the wire.
            #[must_use]
            #[inline]
            pub fn bytes(&self) -> &[u8] {
                self.as_bytes()
            }
        }
    )*};
}

records! {
    /// What every message begins with.
    Head: 8 {
        /// One of the `KIND_` constants.
        kind: u8,
        /// How far to trust it: 0 ok, 1 suspect, 2 recovering, 3 stale.
        integrity: u8,
        /// Which feed of the sender; instruments are numbered within it.
        lane: U16,
        /// The sender's number of the instrument; 0 where the message is about none.
        instrument: U32,
    }

    /// What the numbers of an instrument mean.
    Symbol: 28 {
        /// Kind 1.
        head: Head,
        /// Venue text, ASCII, space padded.
        symbol: [u8; 16],
        /// Decimal digits of quantities.
        qty_decimals: u8,
        /// Decimal digits in which prices are shown.
        price_decimals: u8,
        /// Zero.
        reserved: [u8; 2],
    }

    /// The fixed part of a book; bids, asks and perhaps a [`Last`] follow.
    Book: 36 {
        /// Kind 2.
        head: Head,
        /// The venue's number of the last message applied.
        seq: U64,
        /// Matching engine time, ns UTC.
        ts_event: U64,
        /// The sender's receive time, ns UTC.
        ts_recv: U64,
        /// How many bids follow.
        bid_count: u8,
        /// How many asks follow, after the bids.
        ask_count: u8,
        /// 0 unknown, 1 trading, 2 quotation only, 3 paused, 4 halted.
        state: u8,
        /// `BOOK_` bits.
        marks: u8,
    }

    /// All that rests at one price.
    Level: 20 {
        /// In 1e-9.
        price: I64,
        /// In units of `qty_decimals`.
        qty: U64,
        /// How many orders; 0 where the feed does not say.
        orders: U32,
    }

    /// A print's own fields.
    Print: 52 {
        /// The venue's number of the message.
        seq: U64,
        /// Matching engine time, ns UTC.
        ts_event: U64,
        /// The sender's receive time, ns UTC.
        ts_recv: U64,
        /// In 1e-9.
        price: I64,
        /// In units of `qty_decimals`.
        qty: U64,
        /// The venue's number of the match.
        match_id: U64,
        /// 0 unknown, 1 buyer, 2 seller removed liquidity.
        aggressor: u8,
        /// 1 for an auction print.
        cross: u8,
        /// Zero.
        reserved: [u8; 2],
    }

    /// The last print before a book.
    Last: 56 {
        /// The print.
        print: Print,
        /// How far to trust it, as in [`Head`].
        integrity: u8,
        /// Zero.
        reserved: [u8; 3],
    }

    /// One print.
    Trade: 60 {
        /// Kind 3.
        head: Head,
        /// The print.
        print: Print,
    }

    /// Open, high, low, close and volume of `[start_ns, end_ns)`, event time.
    Bar: 108 {
        /// Kind 4.
        head: Head,
        /// ns UTC.
        start_ns: U64,
        /// ns UTC, exclusive.
        end_ns: U64,
        /// In 1e-9.
        open: I64,
        /// In 1e-9.
        high: I64,
        /// In 1e-9.
        low: I64,
        /// In 1e-9.
        close: I64,
        /// In units of `qty_decimals`.
        volume: U64,
        /// Sum of price times quantity.
        notional: I128,
        /// How many prints.
        trades: U32,
        /// What closed it: 0 time, 1 a number of prints, 2 volume, 3 notional, 4 silence.
        family: u8,
        /// Zero.
        reserved: [u8; 7],
        /// So many prints, so much volume or notional, or so many ns of silence; 0 for time.
        rule: I128,
    }

    /// Volume-weighted average over `[end_ns - length_ns, end_ns)`: notional / volume.
    Vwap: 52 {
        /// Kind 5.
        head: Head,
        /// ns UTC, exclusive.
        end_ns: U64,
        /// ns.
        length_ns: U64,
        /// Sum of price times quantity.
        notional: I128,
        /// In units of `qty_decimals`.
        volume: U64,
        /// How many prints.
        trades: U32,
    }

    /// Something worth attention; what `from`, `to`, `span_ns` and `size` mean, `code` says.
    Signal: 92 {
        /// Kind 6.
        head: Head,
        /// The venue's number of the message that triggered it.
        seq: U64,
        /// Matching engine time, ns UTC.
        ts_event: U64,
        /// The sender's receive time, ns UTC.
        ts_recv: U64,
        /// 1 jump, 2 halt, 3 resume, 4 a rule of the sender's user.
        code: u8,
        /// Zero.
        reserved: [u8; 3],
        /// The venue's reason of a halt, ASCII, space padded.
        reason: [u8; 4],
        /// In 1e-9: the price before a jump; the value that a rule looked at.
        from: I64,
        /// In 1e-9: the price that crossed the threshold.
        to: I64,
        /// Over how long, ns.
        span_ns: U64,
        /// Signed move in basis points.
        size: I32,
        /// The rule's name, ASCII, space padded.
        rule: [u8; 24],
    }

    /// One line of a feed.
    Line: 56 {
        /// Packets received.
        packets: U64,
        /// Messages it brought first.
        wins: U64,
        /// Messages that the other line had brought.
        duplicates: U64,
        /// Messages it never brought.
        missed: U64,
        /// Packets that could not be decoded.
        malformed: U64,
        /// Packets that the kernel dropped.
        kernel_drops: U64,
        /// Receive time of the last packet, ns UTC; 0 before the first.
        last_recv_ns: U64,
    }

    /// Where a feed of the sender stands.
    Feed: 220 {
        /// Kind 7.
        head: Head,
        /// 0 joining, 1 live, 2 recovering, 3 ended, 4 refreshing.
        state: u8,
        /// Zero.
        reserved: [u8; 3],
        /// The next number to apply.
        next_seq: U64,
        /// One past the highest number seen.
        head_seq: U64,
        /// Lines A and B.
        lines: [Line; 2],
        /// Gaps ever opened.
        gaps: U64,
        /// Messages asked for again.
        requested: U64,
        /// Messages that came by retransmission.
        recovered: U64,
        /// Messages given up.
        lost: U64,
        /// Messages that could not be decoded or applied.
        rejected: U64,
        /// Gaps that were none.
        refuted: U64,
        /// Snapshots asked for.
        snapshots_asked: U64,
        /// Snapshots that never came whole or in time.
        snapshots_failed: U64,
        /// Times the books were refreshed from a snapshot.
        refreshed: U64,
        /// Messages not applied to stale books while a snapshot was on its way.
        unresolved: U64,
    }

    /// An earlier print was busted or corrected; what was published of it stands.
    Amendment: 64 {
        /// Kind 9.
        head: Head,
        /// The venue's number of the message that amended it.
        seq: U64,
        /// Matching engine time, ns UTC.
        ts_event: U64,
        /// The sender's receive time, ns UTC.
        ts_recv: U64,
        /// The venue's number of the match.
        match_id: U64,
        /// 1 bust, 2 correction.
        code: u8,
        /// Zero.
        reserved: [u8; 7],
        /// In 1e-9: what it should have said; 0 for a bust.
        price: I64,
        /// What it should have said; 0 for a bust.
        qty: U64,
    }

    /// Messages of the venue are gone for good, or the books are whole again after that.
    Loss: 32 {
        /// Kind 10, lost, or 11, refreshed.
        head: Head,
        /// Lost: the first number. Refreshed: the last number that the books reflect.
        from_seq: U64,
        /// Lost: one past the last number. Refreshed: end of the hole, event time, ns UTC.
        to: U64,
        /// Newest event time before the hole, ns UTC.
        after_ns: U64,
    }

    /// Messages of a lane that were lost before they were numbered: the hole is here.
    Dropped: 16 {
        /// Kind 8.
        head: Head,
        /// How many.
        count: U64,
    }
}

impl Head {
    /// The beginning of a message.
    #[must_use]
    pub fn new(kind: u8, integrity: u8, lane: u16, instrument: u32) -> Self {
        Self {
            kind,
            integrity,
            lane: U16::new(lane),
            instrument: U32::new(instrument),
        }
    }
}
