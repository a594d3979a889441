//! NASDAQ TotalView-ITCH 5.0: every message of the specification, read in place and written.
//!
//! One message starts with its type byte and has the one length that its type prescribes. Byte
//! maps: `docs/formats/itch50.md`. Source: Nasdaq TotalView-ITCH 5.0, sections 1.1 to 1.8.
//!
//! ```
//! use wire::itch50::{AddOrder, Header, Message, Side, Stock, decode};
//!
//! let header = Header { locate: 7, tracking: 0, timestamp_ns: 34_200_000_000_000 };
//! let stock = Stock::new("AAPL").expect("four letters fit");
//! let sent = AddOrder::new(header, 42, Side::Buy, 100, stock, 1_805_000);
//! let Ok(Message::AddOrder(order)) = decode(sent.as_bytes()) else { panic!() };
//! assert_eq!((order.stock(), order.price(), order.side()), ("AAPL", 1_805_000, Some(Side::Buy)));
//! ```

mod field;
mod orders;
mod scan;
mod system;
#[cfg(test)]
mod tests;
mod trades;

use zerocopy::FromBytes;

pub use field::{Alpha, Field, Header, Mpid, Side, Stock};
pub use orders::{
    AddOrder, AddOrderMpid, OrderCancel, OrderDelete, OrderExecuted, OrderExecutedWithPrice,
    OrderReplace,
};
pub use scan::{BookFields, Scan, Scanned};
pub use system::{
    IpoQuotingPeriodUpdate, IssueSubtype, LuldAuctionCollar, MarketParticipantPosition,
    MwcbDeclineLevel, MwcbStatus, OperationalHalt, Reason, RegShoRestriction, StockDirectory,
    StockTradingAction, SystemEvent,
};
pub use trades::{
    BrokenTrade, CrossTrade, DirectListingPriceDiscovery, Noii, RetailPriceImprovement, Trade,
};

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No type byte.
    #[error("ITCH message is empty: count it and go on with the next message")]
    Empty,
    /// A type that ITCH 5.0 does not have.
    #[error("ITCH message type {0:#04x} is not in ITCH 5.0: is this another venue's dialect?")]
    UnknownType(u8),
    /// The length is not the one that the type prescribes.
    #[error(
        "ITCH message {:?} has {have} bytes where its type has {want}: skip it, its framing is off",
        char::from(*.kind)
    )]
    Length {
        /// The type byte.
        kind: u8,
        /// Bytes that the type prescribes.
        want: usize,
        /// Bytes given.
        have: usize,
    },
}

#[cold]
const fn length_error(kind: u8, want: usize, have: usize) -> DecodeError {
    DecodeError::Length { kind, want, have }
}

/// Joins the record types into [`Message`], so that no list of them can miss one.
macro_rules! messages {
    ($($(#[$doc:meta])* $record:ident,)*) => {
        /// A message, seen where it lies.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Message<'a> {
            $(
                #[doc = concat!("See [`", stringify!($record), "`](struct@", stringify!($record), ").")]
                $record(&'a $record),
            )*
        }

        /// Types of all messages, in the order of the specification.
        pub const KINDS: &[u8] = &[$($record::KIND),*];

        /// The length of a message of this type; `None` when ITCH 5.0 has no such type.
        #[must_use]
        #[inline]
        pub const fn length_of(kind: u8) -> Option<usize> {
            match kind {
                $($record::KIND => Some($record::SIZE),)*
                _ => None,
            }
        }

        /// Sees `bytes` as the message they are: type byte, exact length, cast. No field is read.
        ///
        /// # Errors
        ///
        /// When there is no byte, the type is unknown or the length is not the type's own. The
        /// caller counts it and goes on with the next message.
        #[inline]
        pub fn decode(bytes: &[u8]) -> Result<Message<'_>, DecodeError> {
            let Some(&kind) = bytes.first() else {
                return Err(DecodeError::Empty);
            };
            match kind {
                $(
                    $record::KIND => match $record::ref_from_bytes(bytes) {
                        Ok(record) => Ok(Message::$record(record)),
                        Err(_) => Err(length_error(kind, $record::SIZE, bytes.len())),
                    },
                )*
                _ => Err(DecodeError::UnknownType(kind)),
            }
        }

        impl<'a> Message<'a> {
            /// The type byte.
            #[must_use]
            #[inline]
            pub const fn kind(&self) -> u8 {
                match self { $(Self::$record(_) => $record::KIND,)* }
            }

            /// The name of the record, as in the specification.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$record(_) => stringify!($record),)* }
            }

            /// What all messages start with.
            #[must_use]
            #[inline]
            pub const fn header(&self) -> Header {
                match self { $(Self::$record(record) => record.header(),)* }
            }

            /// The message as it is on the wire.
            #[must_use]
            #[inline]
            pub fn as_bytes(&self) -> &'a [u8] {
                match self { $(Self::$record(record) => record.as_bytes(),)* }
            }

            /// Shows every field after the header to `visit`, by name and in wire order.
            pub fn fields(&self, visit: impl FnMut(&'static str, Field<'a>)) {
                match self { $(Self::$record(record) => record.fields(visit),)* }
            }
        }
    };
}

messages! {
    SystemEvent, StockDirectory, StockTradingAction, RegShoRestriction, MarketParticipantPosition,
    MwcbDeclineLevel, MwcbStatus, IpoQuotingPeriodUpdate, LuldAuctionCollar, OperationalHalt,
    AddOrder, AddOrderMpid, OrderExecuted, OrderExecutedWithPrice, OrderCancel, OrderDelete,
    OrderReplace, Trade, CrossTrade, BrokenTrade, Noii, RetailPriceImprovement,
    DirectListingPriceDiscovery,
}

impl Message<'_> {
    /// The venue's code of the instrument, valid for one day; 0 where none is meant.
    #[must_use]
    #[inline]
    pub const fn locate(&self) -> u16 {
        self.header().locate
    }

    /// Nanoseconds since midnight, venue time.
    #[must_use]
    #[inline]
    pub const fn timestamp_ns(&self) -> u64 {
        self.header().timestamp_ns
    }
}
