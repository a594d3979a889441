//! The messages of DEEP 1.0 and TOPS 1.6.

use zerocopy::little_endian::{I64, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Error;
use crate::itch50::Alpha;

/// A symbol in Nasdaq's notation, padded with spaces.
pub type Symbol = Alpha<8>;

/// Bits of [`PriceLevelUpdate::flags`].
pub mod event_flag {
    /// The change that this message belongs to is complete: the book is whole.
    pub const COMPLETE: u8 = 1;
}

/// Bits of [`TradeReport::flags`].
pub mod sale {
    /// By an intermarket sweep order.
    pub const SWEEP: u8 = 0x80;
    /// Outside the regular session.
    pub const EXTENDED_HOURS: u8 = 0x40;
    /// Less than a round lot.
    pub const ODD_LOT: u8 = 0x20;
    /// Exempt from the trade-through rule.
    pub const TRADE_THROUGH_EXEMPT: u8 = 0x10;
    /// In a cross at one price.
    pub const SINGLE_PRICE_CROSS: u8 = 0x08;
}

/// One field of a message, for dumps and comparisons that treat all messages alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// A number without a sign.
    Unsigned(u64),
    /// A price in 1e-4.
    Price(i64),
    /// A one-byte code or flag set.
    Code(u8),
    /// Text without its padding.
    Text(&'a str),
    /// Zero was sent, which stands for no value.
    Absent,
}

/// A price in 1e-4 that may be missing: the venue sends zero.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(transparent)]
pub struct OptPrice(I64);

impl OptPrice {
    /// `None` where there is no price.
    #[must_use]
    pub const fn get(&self) -> Option<i64> {
        match self.0.get() {
            0 => None,
            units => Some(units),
        }
    }

    /// Writes a price or its absence.
    pub const fn set(&mut self, price: Option<i64>) {
        self.0 = I64::new(match price {
            Some(units) => units,
            None => 0,
        });
    }
}

/// How a field shows itself.
trait Shown {
    fn show(&self) -> Field<'_>;
}

impl Shown for u8 {
    fn show(&self) -> Field<'_> {
        Field::Code(*self)
    }
}

impl Shown for U32 {
    fn show(&self) -> Field<'_> {
        Field::Unsigned(self.get().into())
    }
}

impl Shown for U64 {
    fn show(&self) -> Field<'_> {
        Field::Unsigned(self.get())
    }
}

impl Shown for I64 {
    fn show(&self) -> Field<'_> {
        Field::Price(self.get())
    }
}

impl Shown for OptPrice {
    fn show(&self) -> Field<'_> {
        self.get().map_or(Field::Absent, Field::Price)
    }
}

impl<const N: usize> Shown for Alpha<N> {
    fn show(&self) -> Field<'_> {
        Field::Text(self.as_str())
    }
}

/// Declares all messages and joins them into [`Message`], so that no list can miss one.
macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        $record:ident = $($kind:literal)|+, $size:literal {
            $($(#[$field_doc:meta])* $name:ident: $field:ty,)*
        }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable,
                Unaligned,
            )]
            #[repr(C)]
            pub struct $record {
                /// The type byte.
                pub kind: u8,
                $($(#[$field_doc])* pub $name: $field,)*
            }

            const _: () = assert!(size_of::<$record>() == $size && align_of::<$record>() == 1);

            impl $record {
                /// The length of this message in bytes, type byte included.
                pub const SIZE: usize = $size;

                /// A message of this type byte, all else zero.
                #[must_use]
                pub fn empty(kind: u8) -> Self {
                    Self { kind, ..zerocopy::FromZeros::new_zeroed() }
                }

                /// The message as it goes on the wire.
                #[must_use]
                pub fn as_bytes(&self) -> &[u8] {
                    IntoBytes::as_bytes(self)
                }
            }

            impl core::fmt::Debug for $record {
                fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    let mut shown = f.debug_struct(stringify!($record));
                    $(shown.field(stringify!($name), &self.$name.show());)*
                    shown.finish()
                }
            }
        )*

        /// A message, seen where it lies.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Message<'a> {
            $($(#[$doc])* $record(&'a $record),)*
        }

        impl<'a> Message<'a> {
            /// The type byte.
            #[must_use]
            pub const fn kind(self) -> u8 {
                match self { $(Self::$record(message) => message.kind,)* }
            }

            /// When the venue made it, ns UTC.
            #[must_use]
            pub const fn timestamp_ns(self) -> u64 {
                match self { $(Self::$record(message) => message.timestamp_ns.get(),)* }
            }

            /// The message as it is on the wire.
            #[must_use]
            pub fn as_bytes(self) -> &'a [u8] {
                match self { $(Self::$record(message) => message.as_bytes(),)* }
            }

            /// Shows every field after the type to `visit`, by name and in wire order.
            pub fn fields(self, mut visit: impl FnMut(&'static str, Field<'a>)) {
                match self {
                    $(Self::$record(message) => {
                        $(visit(stringify!($name), message.$name.show());)*
                    })*
                }
            }
        }

        /// Sees `bytes` as the message they are: type byte, exact length, cast.
        ///
        /// # Errors
        /// When there is no byte, the type is unknown or the length is not the type's own.
        #[inline]
        pub fn decode(bytes: &[u8]) -> Result<Message<'_>, Error> {
            let Some(&kind) = bytes.first() else {
                return Err(Error::Empty);
            };
            match kind {
                $($($kind)|+ => match $record::ref_from_bytes(bytes) {
                    Ok(message) => Ok(Message::$record(message)),
                    Err(_) => Err(Error::Length { kind, want: $size, have: bytes.len() }),
                },)*
                _ => Err(Error::UnknownType(kind)),
            }
        }
    };
}

messages! {
    /// The venue's day goes on.
    SystemEvent = b'S', 10 {
        /// `O` messages begin, `S` system hours, `R` regular hours, `M` regular hours end, `E` system
        /// hours end, `C` messages end.
        event: u8,
        /// When the venue made it, ns UTC.
        timestamp_ns: U64,
    }

    /// A security, sent before its day and whenever a receiver may need it.
    SecurityDirectory = b'D', 31 {
        /// 0x80 test security, 0x40 when issued, 0x20 exchange traded product.
        flags: u8,
        /// When the venue made it, ns UTC.
        timestamp_ns: U64,
        /// The security.
        symbol: Symbol,
        /// Shares in a round lot.
        round_lot_size: U32,
        /// The last official close, adjusted for corporate actions, 1e-4.
        adjusted_poc_price: OptPrice,
        /// 0 none, 1 tier 1, 2 tier 2 of Limit Up-Limit Down.
        luld_tier: u8,
    }

    /// The trading state of a security.
    TradingStatus = b'H', 22 {
        /// `H` halted on all markets, `O` order acceptance after a halt, `P` paused on IEX, `T` trading.
        status: u8,
        /// When the venue made it, ns UTC.
        timestamp_ns: U64,
        /// The security.
        symbol: Symbol,
        /// Why it is halted; blank otherwise.
        reason: Alpha<4>,
    }

    /// Trading of a security on IEX alone.
    OperationalHalt = b'O', 18 {
        /// `O` halted, `N` not.
        status: u8,
        /// When the venue made it, ns UTC.
        timestamp_ns: U64,
        /// The security.
        symbol: Symbol,
    }

    /// The short-sale price test (Reg SHO).
    ShortSale = b'P', 19 {
        /// 1 in effect, 0 not.
        status: u8,
        /// When the venue made it, ns UTC.
        timestamp_ns: U64,
        /// The security.
        symbol: Symbol,
        /// Blank none, `A` activated today, `C` continued, `D` deactivated, `N` not available.
        detail: u8,
    }

    /// Best bid and offer (TOPS).
    QuoteUpdate = b'Q', 42 {
        /// 0x80 halted, paused or unavailable; 0x40 outside the regular session.
        flags: u8,
        /// When the venue made it, ns UTC.
        timestamp_ns: U64,
        /// The security.
        symbol: Symbol,
        /// Shares bid; 0 none.
        bid_size: U32,
        /// Best bid, 1e-4.
        bid_price: OptPrice,
        /// Best offer, 1e-4.
        ask_price: OptPrice,
        /// Shares offered; 0 none.
        ask_size: U32,
    }

    /// A level of the book (DEEP): `8` of buyers, `5` of sellers.
    PriceLevelUpdate = b'8' | b'5', 30 {
        /// See [`event_flag`].
        flags: u8,
        /// When the venue made it, ns UTC.
        timestamp_ns: U64,
        /// The security.
        symbol: Symbol,
        /// Shares at the price in all; 0: the level is gone.
        size: U32,
        /// The price, 1e-4.
        price: I64,
    }

    /// A trade.
    TradeReport = b'T', 38 {
        /// See [`sale`].
        flags: u8,
        /// When the venue made it, ns UTC.
        timestamp_ns: U64,
        /// The security.
        symbol: Symbol,
        /// Shares.
        size: U32,
        /// The price, 1e-4.
        price: I64,
        /// The trade's number, unique for the day.
        trade_id: U64,
    }

    /// An official opening or closing price.
    OfficialPrice = b'X', 26 {
        /// `Q` opening, `M` closing.
        price_type: u8,
        /// When the venue made it, ns UTC.
        timestamp_ns: U64,
        /// The security.
        symbol: Symbol,
        /// The price, 1e-4.
        price: I64,
    }

    /// A trade of the day is broken.
    TradeBreak = b'B', 38 {
        /// See [`sale`].
        flags: u8,
        /// When the venue made it, ns UTC.
        timestamp_ns: U64,
        /// The security.
        symbol: Symbol,
        /// Shares.
        size: U32,
        /// The price, 1e-4.
        price: I64,
        /// The number of the trade that is broken.
        trade_id: U64,
    }

    /// What is known of an auction to come.
    AuctionInformation = b'A', 80 {
        /// `O`pening, `C`losing, `I`PO, `H`alt, `V`olatility.
        auction_type: u8,
        /// When the venue made it, ns UTC.
        timestamp_ns: U64,
        /// The security.
        symbol: Symbol,
        /// Shares that would match at the reference price.
        paired_shares: U32,
        /// The reference price, 1e-4.
        reference_price: OptPrice,
        /// Where continuous and auction orders would clear, 1e-4.
        indicative_clearing_price: OptPrice,
        /// Shares that would not match.
        imbalance_shares: U32,
        /// `B`uy, `S`ell, `N`one.
        imbalance_side: u8,
        /// How often the auction was extended.
        extension_number: u8,
        /// When the auction will be, seconds UTC.
        scheduled_auction_time: U32,
        /// Where auction orders alone would clear, 1e-4.
        auction_book_clearing_price: OptPrice,
        /// What the collar is computed from, 1e-4.
        collar_reference_price: OptPrice,
        /// Lowest price allowed, 1e-4.
        lower_auction_collar: OptPrice,
        /// Highest price allowed, 1e-4.
        upper_auction_collar: OptPrice,
    }

    /// The opening or closing of a security is complete (DEEP).
    SecurityEvent = b'E', 18 {
        /// `O` opening, `C` closing.
        event: u8,
        /// When the venue made it, ns UTC.
        timestamp_ns: U64,
        /// The security.
        symbol: Symbol,
    }

    /// Retail liquidity rests inside the spread (later revisions of both).
    RetailLiquidity = b'I', 18 {
        /// Blank none, `A` buy, `B` sell, `C` both.
        indicator: u8,
        /// When the venue made it, ns UTC.
        timestamp_ns: U64,
        /// The security.
        symbol: Symbol,
    }
}
