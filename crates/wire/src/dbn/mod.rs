//! Databento Binary Encoding, versions 1, 2 and 3: every record read in place and written.
//!
//! A file is a header and records; a fragment is records alone. A record says its length and type;
//! of some types there are several layouts, told apart by their length. Byte maps:
//! `docs/formats/dbn.md`. Source: Databento, "Databento Binary Encoding", and the published crate
//! `dbn`, with whose output every record of its own test files is compared.
//!
//! ```
//! use wire::dbn::{Header, Mbo, Record, Records, action, rtype};
//!
//! let mut sent = Mbo::absent(rtype::MBO, Header::new(1, 5_482, 1_609_160_400_000_704_060));
//! sent.order_id.set(647_784_973_705);
//! sent.price.set(Some(3_722_750_000_000));
//! sent.size.set(Some(1));
//! sent.action.0 = action::CANCEL;
//! let mut records = Records::new(sent.as_bytes());
//! let Some(Ok(Record::Mbo(mbo))) = records.next() else { panic!() };
//! assert_eq!((mbo.price.get(), mbo.ts_recv.get()), (Some(3_722_750_000_000), None));
//! ```

mod definition;
mod field;
mod market;
mod metadata;
mod notices;
mod reference;
#[cfg(test)]
mod tests;

use zerocopy::FromBytes;

pub use definition::{Definition, DefinitionV1, DefinitionV2, DefinitionV3};
pub use field::{
    Code, Field, Header, OptI8, OptI16, OptI32, OptU8, OptU16, OptU32, Price, Quantity, Reserved,
    Size, Text, Time,
};
pub use market::{Bbo, BidAsk, Cbbo, Cmbp1, ConsolidatedBidAsk, Mbo, Mbp1, Mbp10, Ohlcv, Trade};
pub use metadata::{
    HeaderText, Interval, Intervals, Mapping, Mappings, Metadata, PRELUDE_SIZE,
    STYPE_INSTRUMENT_ID, Symbols, VERSION_MAX, write_header,
};
pub use notices::{
    ErrorV1, ErrorV2, SymbolMapping, SymbolMappingV1, SymbolMappingV2, SystemV1, SystemV2,
};
pub use reference::{Imbalance, StatisticsV1, StatisticsV3, Status};

/// Bytes of the send time that follows a record where the header says `ts_out`.
const TS_OUT_SIZE: usize = 8;

/// Record types.
pub mod rtype {
    /// [`Trade`](super::Trade).
    pub const TRADE: u8 = 0x00;
    /// [`Mbp1`](super::Mbp1), of `mbp-1` and `tbbo`.
    pub const MBP_1: u8 = 0x01;
    /// [`Mbp10`](super::Mbp10).
    pub const MBP_10: u8 = 0x0a;
    /// [`Ohlcv`](super::Ohlcv) of any length, in old files.
    pub const OHLCV_OLD: u8 = 0x11;
    /// [`Status`](super::Status).
    pub const STATUS: u8 = 0x12;
    /// [`Definition`](super::Definition).
    pub const DEFINITION: u8 = 0x13;
    /// [`Imbalance`](super::Imbalance).
    pub const IMBALANCE: u8 = 0x14;
    /// [`ErrorV2`](super::ErrorV2) or its predecessor.
    pub const ERROR: u8 = 0x15;
    /// [`SymbolMapping`](super::SymbolMapping).
    pub const SYMBOL_MAPPING: u8 = 0x16;
    /// [`SystemV2`](super::SystemV2) or its predecessor.
    pub const SYSTEM: u8 = 0x17;
    /// [`StatisticsV3`](super::StatisticsV3) or its predecessor.
    pub const STATISTICS: u8 = 0x18;
    /// [`Ohlcv`](super::Ohlcv), a second.
    pub const OHLCV_1S: u8 = 0x20;
    /// [`Ohlcv`](super::Ohlcv), a minute.
    pub const OHLCV_1M: u8 = 0x21;
    /// [`Ohlcv`](super::Ohlcv), an hour.
    pub const OHLCV_1H: u8 = 0x22;
    /// [`Ohlcv`](super::Ohlcv), a UTC day.
    pub const OHLCV_1D: u8 = 0x23;
    /// [`Ohlcv`](super::Ohlcv), a trading day.
    pub const OHLCV_EOD: u8 = 0x24;
    /// [`Mbo`](super::Mbo).
    pub const MBO: u8 = 0xa0;
    /// [`Cmbp1`](super::Cmbp1), a change.
    pub const CMBP_1: u8 = 0xb1;
    /// [`Cbbo`](super::Cbbo), a second.
    pub const CBBO_1S: u8 = 0xc0;
    /// [`Cbbo`](super::Cbbo), a minute.
    pub const CBBO_1M: u8 = 0xc1;
    /// [`Cmbp1`](super::Cmbp1), a trade.
    pub const TCBBO: u8 = 0xc2;
    /// [`Bbo`](super::Bbo), a second.
    pub const BBO_1S: u8 = 0xc3;
    /// [`Bbo`](super::Bbo), a minute.
    pub const BBO_1M: u8 = 0xc4;
}

/// What a record does to the book (specification, "Action").
pub mod action {
    /// An order joins.
    pub const ADD: u8 = b'A';
    /// An order loses `size`; all of it: it leaves.
    pub const CANCEL: u8 = b'C';
    /// An order now has this price and size; an order not known joins.
    pub const MODIFY: u8 = b'M';
    /// All orders of the instrument leave.
    pub const CLEAR: u8 = b'R';
    /// An aggressor traded; the book is not changed.
    pub const TRADE: u8 = b'T';
    /// A resting order traded; the book is not changed: a cancel or modify follows.
    pub const FILL: u8 = b'F';
    /// No action; flags may matter.
    pub const NONE: u8 = b'N';
}

/// Bits of a record's flags.
pub mod flag {
    /// The last record of one event of the venue, for its instrument.
    pub const LAST: u8 = 1 << 7;
    /// A best price rather than an order.
    pub const TOB: u8 = 1 << 6;
    /// From a replay or snapshot.
    pub const SNAPSHOT: u8 = 1 << 5;
    /// A level rather than an order.
    pub const MBP: u8 = 1 << 4;
    /// `ts_recv` cannot be trusted.
    pub const BAD_TS_RECV: u8 = 1 << 3;
    /// Messages were lost: the book may be wrong.
    pub const MAYBE_BAD_BOOK: u8 = 1 << 2;
}

/// What a status record says (specification, "Status action").
pub mod status_action {
    /// No change.
    pub const NONE: u16 = 0;
    /// Orders are taken, none match.
    pub const PRE_OPEN: u16 = 1;
    /// Before an auction.
    pub const PRE_CROSS: u16 = 2;
    /// Quotes only.
    pub const QUOTING: u16 = 3;
    /// An auction.
    pub const CROSS: u16 = 4;
    /// A rotation of options.
    pub const ROTATION: u16 = 5;
    /// A new price indication.
    pub const NEW_PRICE_INDICATION: u16 = 6;
    /// Continuous trading.
    pub const TRADING: u16 = 7;
    /// Halted.
    pub const HALT: u16 = 8;
    /// Paused.
    pub const PAUSE: u16 = 9;
    /// Suspended.
    pub const SUSPEND: u16 = 10;
    /// Before the close.
    pub const PRE_CLOSE: u16 = 11;
    /// Closed.
    pub const CLOSE: u16 = 12;
    /// After the close.
    pub const POST_CLOSE: u16 = 13;
    /// Only the short-sale restriction changed.
    pub const SSR_CHANGE: u16 = 14;
    /// Not to be traded at all.
    pub const NOT_AVAILABLE: u16 = 15;
}

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file does not begin with `DBN`.
    #[error(
        "not a DBN file: it does not begin with \"DBN\"; is it a fragment, or still compressed?"
    )]
    NotDbn,
    /// The format before DBN.
    #[error("a legacy DBZ file: convert it with Databento's own tool (`dbn FILE.dbz -o FILE.dbn`)")]
    LegacyDbz,
    /// A version that did not exist when this was written.
    #[error("DBN version {0} is not known here (1 to 3 are): a newer program is needed")]
    Version(u8),
    /// The file ends inside its header.
    #[error("the DBN header has {have} bytes where it needs {want}: the file is cut")]
    MetadataCut {
        /// Bytes needed.
        want: usize,
        /// Bytes given.
        have: usize,
    },
    /// Counts or lengths of the header contradict each other.
    #[error("the DBN header contradicts itself: the file is damaged")]
    MetadataBad,
    /// Schema definitions were never used.
    #[error("the DBN header holds a schema definition, which no version uses yet")]
    SchemaDefinition,
    /// A record's length cannot hold its own header.
    #[error("record of {have} bytes where the header alone has 16: nothing after it can be read")]
    RecordHeader {
        /// The length that the record says, or the bytes left.
        have: usize,
    },
    /// The bytes end inside a record.
    #[error("the file is cut inside a record: {want} bytes wanted, {have} left")]
    RecordCut {
        /// Bytes of the record.
        want: usize,
        /// Bytes left.
        have: usize,
    },
    /// A type that no version has.
    #[error("record type {0:#04x} is not in DBN 1 to 3: skip the record")]
    UnknownType(u8),
    /// The length is none of its type's.
    #[error("record type {rtype:#04x} has {have} bytes, which is no layout of its type: skip it")]
    Length {
        /// The type.
        rtype: u8,
        /// Bytes given.
        have: usize,
    },
}

/// Whether bytes begin like a file of the format before DBN: a frame that zstd skips, then `DBZ`.
#[must_use]
pub fn is_legacy(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [
            0x50..=0x5f,
            0x2a,
            0x4d,
            0x18,
            _,
            _,
            _,
            _,
            b'D',
            b'B',
            b'Z',
            ..
        ]
    )
}

/// Joins the record types into [`Record`].
macro_rules! records {
    ($($(#[$doc:meta])* $record:ident;)*) => {
        /// A record, seen where it lies.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Record<'a> {
            $($(#[$doc])* $record(&'a $record),)*
        }

        impl<'a> Record<'a> {
            /// What every record starts with.
            #[must_use]
            #[inline]
            pub const fn header(self) -> &'a Header {
                match self { $(Self::$record(record) => &record.header,)* }
            }

            /// The record as it is on the wire, without the send time that may follow it.
            #[must_use]
            pub fn as_bytes(self) -> &'a [u8] {
                match self { $(Self::$record(record) => record.as_bytes(),)* }
            }

            /// Shows every field after the header to `visit` by name, level and value, in wire
            /// order.
            pub fn fields(self, visit: impl FnMut(&'static str, Option<usize>, Field<'a>)) {
                match self { $(Self::$record(record) => record.fields(visit),)* }
            }
        }
    };
}

records! {
    /// One change of one order.
    Mbo;
    /// A trade.
    Trade;
    /// The best level after a change, or before a trade.
    Mbp1;
    /// The ten best levels after a change.
    Mbp10;
    /// The best level at the end of an interval.
    Bbo;
    /// The best level over several venues after a change, or before a trade.
    Cmbp1;
    /// The best level over several venues at the end of an interval.
    Cbbo;
    /// A bar.
    Ohlcv;
    /// The trading state.
    Status;
    /// An instrument, version 1.
    DefinitionV1;
    /// An instrument, version 2.
    DefinitionV2;
    /// An instrument, version 3.
    DefinitionV3;
    /// What is known of an auction to come.
    Imbalance;
    /// A statistic, versions 1 and 2.
    StatisticsV1;
    /// A statistic, version 3.
    StatisticsV3;
    /// A name of an instrument, version 1.
    SymbolMappingV1;
    /// A name of an instrument, versions 2 and 3.
    SymbolMappingV2;
    /// An error, version 1.
    ErrorV1;
    /// An error, versions 2 and 3.
    ErrorV2;
    /// A system message, version 1.
    SystemV1;
    /// A system message, versions 2 and 3.
    SystemV2;
}

impl<'a> Record<'a> {
    /// The instrument, if the record defines one.
    #[must_use]
    pub const fn definition(self) -> Option<Definition<'a>> {
        match self {
            Self::DefinitionV1(record) => Some(Definition::V1(record)),
            Self::DefinitionV2(record) => Some(Definition::V2(record)),
            Self::DefinitionV3(record) => Some(Definition::V3(record)),
            _ => None,
        }
    }

    /// The mapping, if the record is one.
    #[must_use]
    pub const fn symbol_mapping(self) -> Option<SymbolMapping<'a>> {
        match self {
            Self::SymbolMappingV1(record) => Some(SymbolMapping::V1(record)),
            Self::SymbolMappingV2(record) => Some(SymbolMapping::V2(record)),
            _ => None,
        }
    }
}

/// Sees `bytes`, one whole record, as what they are.
///
/// # Errors
/// When the type is unknown or the length none of its type's; the caller counts it and goes on
/// with the next record.
#[inline]
pub fn decode(bytes: &[u8]) -> Result<Record<'_>, Error> {
    split(bytes).map(|(record, _)| record)
}

/// [`decode`], and the send time that followed the record.
///
/// # Errors
/// As [`decode`].
#[inline]
pub fn split(bytes: &[u8]) -> Result<(Record<'_>, Option<u64>), Error> {
    let &[_, kind, ..] = bytes else {
        return Err(Error::RecordHeader { have: bytes.len() });
    };
    /// The first layout that fits, alone or with a send time behind it.
    macro_rules! layouts {
        ($($record:ident),*) => {{
            $(
                if let Some(ts_out) = ts_out_of(bytes, $record::SIZE)
                    && let Ok((record, _)) = $record::ref_from_prefix(bytes)
                {
                    return Ok((Record::$record(record), ts_out));
                }
            )*
            Err(Error::Length { rtype: kind, have: bytes.len() })
        }};
    }
    match kind {
        rtype::MBO => layouts!(Mbo),
        rtype::TRADE => layouts!(Trade),
        rtype::MBP_1 => layouts!(Mbp1),
        rtype::MBP_10 => layouts!(Mbp10),
        rtype::BBO_1S | rtype::BBO_1M => layouts!(Bbo),
        rtype::CMBP_1 | rtype::TCBBO => layouts!(Cmbp1),
        rtype::CBBO_1S | rtype::CBBO_1M => layouts!(Cbbo),
        rtype::OHLCV_OLD | rtype::OHLCV_1S..=rtype::OHLCV_EOD => layouts!(Ohlcv),
        rtype::STATUS => layouts!(Status),
        rtype::DEFINITION => layouts!(DefinitionV3, DefinitionV2, DefinitionV1),
        rtype::IMBALANCE => layouts!(Imbalance),
        rtype::STATISTICS => layouts!(StatisticsV3, StatisticsV1),
        rtype::SYMBOL_MAPPING => layouts!(SymbolMappingV2, SymbolMappingV1),
        rtype::ERROR => layouts!(ErrorV2, ErrorV1),
        rtype::SYSTEM => layouts!(SystemV2, SystemV1),
        other => Err(Error::UnknownType(other)),
    }
}

/// `Some(send time)` when `bytes` are a record of `size`, or one with a send time behind it.
#[inline]
fn ts_out_of(bytes: &[u8], size: usize) -> Option<Option<u64>> {
    let behind = bytes.get(size..)?;
    match behind.len() {
        0 => Some(None),
        TS_OUT_SIZE => Some(behind.first_chunk().map(|ns| u64::from_le_bytes(*ns))),
        _ => None,
    }
}

/// The records of a file or fragment, after its header if it has one.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// Over `bytes` that begin with a record.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The bytes of the next record, whatever it is.
    ///
    /// # Errors
    /// As of this iterator, after which nothing more can be read.
    #[inline]
    pub fn next_bytes(&mut self) -> Option<Result<&'a [u8], Error>> {
        let &length = self.rest.first()?;
        let want = usize::from(length) * 4;
        let have = self.rest.len();
        if want < size_of::<Header>() {
            self.rest = &[];
            return Some(Err(Error::RecordHeader { have: want }));
        }
        let Some((bytes, rest)) = self.rest.split_at_checked(want) else {
            self.rest = &[];
            return Some(Err(Error::RecordCut { want, have }));
        };
        self.rest = rest;
        Some(Ok(bytes))
    }
}

/// An unknown record is an error and the next one follows; after a cut or an impossible length
/// nothing does.
impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_bytes()?.and_then(decode))
    }
}

impl core::iter::FusedIterator for Records<'_> {}
