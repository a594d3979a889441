//! Records of orders, books, trades and bars.

use zerocopy::little_endian::{I32, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::field::{Code, Field, Price, Reserved, Shown, Size, Time, record};

record! {
    /// One change of one order (schema `mbo`).
    Mbo, 56;
    /// The order, unique at its venue.
    order_id: U64,
    /// Its price.
    price: Price,
    /// Its quantity, or the quantity of the change: see [`action`](super::action).
    size: Size,
    /// See [`flag`](super::flag).
    flags: u8,
    /// The venue's channel.
    channel_id: u8,
    /// See [`action`](super::action).
    action: Code,
    /// `A`sk, `B`id or `N`one; of a trade, the aggressor's.
    side: Code,
    /// When Databento received it.
    ts_recv: Time,
    /// Venue send time before `ts_recv`, ns.
    ts_in_delta: I32,
    /// The venue's number of the message.
    sequence: U32,
}

/// One level of both sides.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct BidAsk {
    /// Price of the bid; absent where there is no bid at this depth.
    pub bid_px: Price,
    /// Price of the ask; absent where there is no ask at this depth.
    pub ask_px: Price,
    /// Quantity of the bid.
    pub bid_sz: U32,
    /// Quantity of the ask.
    pub ask_sz: U32,
    /// Orders in the bid.
    pub bid_ct: U32,
    /// Orders in the ask.
    pub ask_ct: U32,
}

/// The best bid and offer of several venues together.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct ConsolidatedBidAsk {
    /// Price of the bid; absent where there is none.
    pub bid_px: Price,
    /// Price of the ask; absent where there is none.
    pub ask_px: Price,
    /// Quantity of the bid.
    pub bid_sz: U32,
    /// Quantity of the ask.
    pub ask_sz: U32,
    /// Whose bid it is.
    pub bid_pb: U16,
    /// Reserved.
    pub reserved_bid: Reserved<2>,
    /// Whose ask it is.
    pub ask_pb: U16,
    /// Reserved.
    pub reserved_ask: Reserved<2>,
}

/// Shows the named fields of each level.
macro_rules! levels {
    ($level:ident: $($name:ident),*) => {
        impl $level {
            const ABSENT: Self = {
                // Zero is a good value of all bytes but the prices'.
                let mut level: Self = zerocopy::transmute!([0_u8; size_of::<$level>()]);
                level.bid_px = Price::ABSENT;
                level.ask_px = Price::ABSENT;
                level
            };
        }

        impl<const N: usize> Shown for [$level; N] {
            const ABSENT: Self = [$level::ABSENT; N];

            fn show<'a>(
                &'a self,
                _name: &'static str,
                visit: &mut impl FnMut(&'static str, Option<usize>, Field<'a>),
            ) {
                for (idx, level) in self.iter().enumerate() {
                    $(level.$name.show(stringify!($name), &mut |name, _, value| {
                        visit(name, Some(idx), value);
                    });)*
                }
            }
        }
    };
}

levels!(BidAsk: bid_px, ask_px, bid_sz, ask_sz, bid_ct, ask_ct);
levels!(ConsolidatedBidAsk: bid_px, ask_px, bid_sz, ask_sz, bid_pb, ask_pb);

record! {
    /// A trade (schema `trades`).
    Trade, 48;
    /// Its price.
    price: Price,
    /// Its quantity.
    size: Size,
    /// `T`.
    action: Code,
    /// The aggressor: `A`sk, `B`id or `N`one.
    side: Code,
    /// See [`flag`](super::flag).
    flags: u8,
    /// The book level that it met.
    depth: u8,
    /// When Databento received it.
    ts_recv: Time,
    /// Venue send time before `ts_recv`, ns.
    ts_in_delta: I32,
    /// The venue's number of the message.
    sequence: U32,
}

record! {
    /// A change of the best level and the book after it (schema `mbp-1`); a trade and the book
    /// before it (schema `tbbo`).
    Mbp1, 80;
    /// Price of the order or trade.
    price: Price,
    /// Its quantity.
    size: Size,
    /// See [`action`](super::action).
    action: Code,
    /// `A`sk, `B`id or `N`one.
    side: Code,
    /// See [`flag`](super::flag).
    flags: u8,
    /// The level that changed.
    depth: u8,
    /// When Databento received it.
    ts_recv: Time,
    /// Venue send time before `ts_recv`, ns.
    ts_in_delta: I32,
    /// The venue's number of the message.
    sequence: U32,
    /// The best level.
    levels: [BidAsk; 1],
}

record! {
    /// A change among the ten best levels and the book after it (schema `mbp-10`).
    Mbp10, 368;
    /// Price of the order or trade.
    price: Price,
    /// Its quantity.
    size: Size,
    /// See [`action`](super::action).
    action: Code,
    /// `A`sk, `B`id or `N`one.
    side: Code,
    /// See [`flag`](super::flag).
    flags: u8,
    /// The level that changed.
    depth: u8,
    /// When Databento received it.
    ts_recv: Time,
    /// Venue send time before `ts_recv`, ns.
    ts_in_delta: I32,
    /// The venue's number of the message.
    sequence: U32,
    /// The ten best levels, best first.
    levels: [BidAsk; 10],
}

record! {
    /// The best level at the end of an interval, and its last trade (schemas `bbo-1s`, `bbo-1m`).
    /// `ts_event` is the last trade's.
    Bbo, 80;
    /// Price of the last trade; absent before the first.
    price: Price,
    /// Quantity of the last trade.
    size: Size,
    /// Reserved.
    reserved_action: Reserved<1>,
    /// The last trade's aggressor.
    side: Code,
    /// See [`flag`](super::flag).
    flags: u8,
    /// Reserved.
    reserved_depth: Reserved<1>,
    /// End of the interval.
    ts_recv: Time,
    /// Reserved.
    reserved_delta: Reserved<4>,
    /// The venue's number of the last message in the interval.
    sequence: U32,
    /// The best level.
    levels: [BidAsk; 1],
}

record! {
    /// A change of the best level over several venues (schema `cmbp-1`); a trade and the book
    /// before it (schema `tcbbo`).
    Cmbp1, 80;
    /// Price of the order or trade.
    price: Price,
    /// Its quantity.
    size: Size,
    /// See [`action`](super::action).
    action: Code,
    /// `A`sk, `B`id or `N`one.
    side: Code,
    /// See [`flag`](super::flag).
    flags: u8,
    /// Reserved.
    reserved_depth: Reserved<1>,
    /// When Databento received it.
    ts_recv: Time,
    /// Venue send time before `ts_recv`, ns.
    ts_in_delta: I32,
    /// Reserved.
    reserved_sequence: Reserved<4>,
    /// The best level.
    levels: [ConsolidatedBidAsk; 1],
}

record! {
    /// The best level over several venues at the end of an interval, and its last trade (schemas
    /// `cbbo-1s`, `cbbo-1m`).
    Cbbo, 80;
    /// Price of the last trade; absent before the first.
    price: Price,
    /// Quantity of the last trade.
    size: Size,
    /// Reserved.
    reserved_action: Reserved<1>,
    /// The last trade's aggressor.
    side: Code,
    /// See [`flag`](super::flag).
    flags: u8,
    /// Reserved.
    reserved_depth: Reserved<1>,
    /// End of the interval.
    ts_recv: Time,
    /// Reserved.
    reserved_delta: Reserved<8>,
    /// The best level.
    levels: [ConsolidatedBidAsk; 1],
}

record! {
    /// One bar (schemas `ohlcv-1s`, `-1m`, `-1h`, `-1d`, `-eod`). `ts_event` is its start.
    Ohlcv, 56;
    /// First price.
    open: Price,
    /// Highest price.
    high: Price,
    /// Lowest price.
    low: Price,
    /// Last price.
    close: Price,
    /// Sum of quantities.
    volume: U64,
}
