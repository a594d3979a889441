//! Field types of DBN and the macro that turns a field list into a record.
//!
//! Integers are little-endian, text is ASCII ended by zero bytes, and the largest value of a type
//! stands for absence where the specification says so: those fields answer an `Option`, so that no
//! sentinel leaves the decoder. Records are bytes without alignment: they are seen where they lie.

use core::fmt;

use zerocopy::little_endian::{I16, I32, I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// One field of a record, for dumps and comparisons that treat all records alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// A number without a sign.
    Unsigned(u64),
    /// A number with a sign; prices are in 1e-9.
    Signed(i64),
    /// A one-byte ASCII code; 0 where the record has none.
    Code(u8),
    /// Text without its padding.
    Text(&'a str),
    /// The sentinel for absence was sent.
    Absent,
}

/// A field that knows how to show itself and what its absence looks like on the wire.
pub(super) trait Shown {
    /// What a record without this field carries.
    const ABSENT: Self;

    /// Calls `visit(name, level, value)`; reserved bytes call nothing.
    fn show<'a>(
        &'a self,
        name: &'static str,
        visit: &mut impl FnMut(&'static str, Option<usize>, Field<'a>),
    );
}

/// A number whose largest value stands for absence.
macro_rules! sentinel {
    ($(#[$doc:meta])* $name:ident: $wire:ident, $plain:ident, $field:ident as $wide:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
        )]
        #[repr(transparent)]
        pub struct $name($wire);

        impl $name {
            /// `None` where the sender had no value.
            #[must_use]
            #[inline]
            pub const fn get(&self) -> Option<$plain> {
                match self.0.get() {
                    $plain::MAX => None,
                    value => Some(value),
                }
            }

            /// Writes a value or its absence.
            pub const fn set(&mut self, value: Option<$plain>) {
                self.0 = match value {
                    Some(value) => $wire::new(value),
                    None => $wire::new($plain::MAX),
                };
            }
        }

        impl Shown for $name {
            const ABSENT: Self = Self($wire::new($plain::MAX));

            fn show<'a>(
                &'a self,
                name: &'static str,
                visit: &mut impl FnMut(&'static str, Option<usize>, Field<'a>),
            ) {
                let value = self.get();
                visit(name, None, value.map_or(Field::Absent, |value| Field::$field($wide::from(value))));
            }
        }
    };
}

/// One byte that behaves like zerocopy's wider integers, so that the macro above fits it.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
struct U8(u8);

impl U8 {
    const fn new(value: u8) -> Self {
        Self(value)
    }

    const fn get(self) -> u8 {
        self.0
    }
}

#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
struct I8(i8);

impl I8 {
    const fn new(value: i8) -> Self {
        Self(value)
    }

    const fn get(self) -> i8 {
        self.0
    }
}

sentinel! {
    /// A price, or another decimal, in units of 1e-9.
    Price: I64, i64, Signed as i64
}
sentinel! {
    /// Nanoseconds since 1970, UTC.
    Time: U64, u64, Unsigned as u64
}
sentinel! {
    /// A quantity of an order, trade or auction.
    Size: U32, u32, Unsigned as u64
}
sentinel! {
    /// A quantity of a statistic.
    Quantity: I64, i64, Signed as i64
}
sentinel! {
    /// An optional signed number of 32 bits.
    OptI32: I32, i32, Signed as i64
}
sentinel! {
    /// An optional number of 32 bits.
    OptU32: U32, u32, Unsigned as u64
}
sentinel! {
    /// An optional number of 16 bits.
    OptU16: U16, u16, Unsigned as u64
}
sentinel! {
    /// An optional signed number of 16 bits.
    OptI16: I16, i16, Signed as i64
}
sentinel! {
    /// An optional number of 8 bits.
    OptU8: U8, u8, Unsigned as u64
}
sentinel! {
    /// An optional signed number of 8 bits.
    OptI8: I8, i8, Signed as i64
}

macro_rules! plain {
    ($wire:ident: $field:ident as $wide:ident) => {
        impl Shown for $wire {
            const ABSENT: Self = Self::new(0);

            fn show<'a>(
                &'a self,
                name: &'static str,
                visit: &mut impl FnMut(&'static str, Option<usize>, Field<'a>),
            ) {
                visit(name, None, Field::$field($wide::from(self.get())));
            }
        }
    };
}

plain!(I32: Signed as i64);
plain!(U16: Unsigned as u64);
plain!(U32: Unsigned as u64);
plain!(U64: Unsigned as u64);

impl Shown for u8 {
    const ABSENT: Self = 0;

    fn show<'a>(
        &'a self,
        name: &'static str,
        visit: &mut impl FnMut(&'static str, Option<usize>, Field<'a>),
    ) {
        visit(name, None, Field::Unsigned(u64::from(*self)));
    }
}

/// A one-byte ASCII code.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub struct Code(pub u8);

impl Shown for Code {
    const ABSENT: Self = Self(0);

    fn show<'a>(
        &'a self,
        name: &'static str,
        visit: &mut impl FnMut(&'static str, Option<usize>, Field<'a>),
    ) {
        visit(name, None, Field::Code(self.0));
    }
}

/// Text of fixed width, ended by zero bytes.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub struct Text<const N: usize>([u8; N]);

impl<const N: usize> Text<N> {
    /// The text up to its first zero byte. The sender writes UTF-8; should a byte not be, the text
    /// ends before it.
    #[must_use]
    pub fn get(&self) -> &str {
        until_zero(&self.0)
    }

    /// Writes `text`; false, and nothing written, when it does not fit with its ending zero.
    pub fn set(&mut self, text: &str) -> bool {
        let fits = text.len() < N;
        if fits {
            self.0 = [0; N];
            self.0[..text.len()].copy_from_slice(text.as_bytes());
        }
        fits
    }
}

impl<const N: usize> Shown for Text<N> {
    const ABSENT: Self = Self([0; N]);

    fn show<'a>(
        &'a self,
        name: &'static str,
        visit: &mut impl FnMut(&'static str, Option<usize>, Field<'a>),
    ) {
        visit(name, None, Field::Text(self.get()));
    }
}

/// The text before the first zero byte, as far as it is UTF-8.
pub(super) fn until_zero(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|&byte| byte == 0);
    let bytes = &bytes[..end.unwrap_or(bytes.len())];
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(fault) => core::str::from_utf8(&bytes[..fault.valid_up_to()]).unwrap_or_default(),
    }
}

/// Bytes that the specification reserves.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub struct Reserved<const N: usize>([u8; N]);

impl<const N: usize> Shown for Reserved<N> {
    const ABSENT: Self = Self([0; N]);

    fn show<'a>(
        &'a self,
        _name: &'static str,
        _visit: &mut impl FnMut(&'static str, Option<usize>, Field<'a>),
    ) {
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&char::from(self.0), f)
    }
}

/// What every record starts with.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Header {
    /// Length of the whole record in words of four bytes.
    pub length: u8,
    /// The record's type.
    pub rtype: u8,
    /// Dataset and venue, as Databento numbers them.
    pub publisher_id: U16,
    /// The instrument, as the venue or Databento numbers it that day.
    pub instrument_id: U32,
    /// When the venue's matching engine received or made it.
    pub ts_event: Time,
}

impl Header {
    /// A header for [`write`](super::write): the length is filled in there.
    #[must_use]
    pub const fn new(publisher_id: u16, instrument_id: u32, ts_event: u64) -> Self {
        Self {
            length: 0,
            rtype: 0,
            publisher_id: U16::new(publisher_id),
            instrument_id: U32::new(instrument_id),
            ts_event: Time(U64::new(ts_event)),
        }
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("rtype", &format_args!("{:#04x}", self.rtype))
            .field("publisher_id", &self.publisher_id.get())
            .field("instrument_id", &self.instrument_id.get())
            .field("ts_event", &self.ts_event.get())
            .finish()
    }
}

/// Declares one record: layout check, empty record, field list, `Debug`.
macro_rules! record {
    (
        $(#[$doc:meta])*
        $record:ident, $size:literal;
        $($(#[$field_doc:meta])* $name:ident: $field:ty,)*
    ) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, zerocopy::FromBytes, zerocopy::IntoBytes,
            zerocopy::KnownLayout, zerocopy::Immutable, zerocopy::Unaligned,
        )]
        #[repr(C)]
        pub struct $record {
            /// Type, instrument and event time.
            pub header: $crate::dbn::Header,
            $($(#[$field_doc])* pub $name: $field,)*
        }

        const _: () = assert!(size_of::<$record>() == $size && align_of::<$record>() == 1);

        impl $record {
            /// Bytes of a record, without the send time that may follow it.
            pub const SIZE: usize = $size;

            /// A record of type `rtype` in which every field is absent, zero or empty.
            #[must_use]
            pub const fn absent(rtype: u8, header: $crate::dbn::Header) -> Self {
                Self {
                    header: $crate::dbn::Header { length: ($size / 4_usize) as u8, rtype, ..header },
                    $($name: <$field as $crate::dbn::field::Shown>::ABSENT,)*
                }
            }

            /// The record as it is on the wire.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                zerocopy::IntoBytes::as_bytes(self)
            }

            /// Shows every field after the header to `visit` by name, level and value, in wire
            /// order.
            pub fn fields<'a>(
                &'a self,
                mut visit: impl FnMut(&'static str, Option<usize>, $crate::dbn::Field<'a>),
            ) {
                $($crate::dbn::field::Shown::show(&self.$name, stringify!($name), &mut visit);)*
            }
        }

        impl core::fmt::Debug for $record {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let mut shown = f.debug_struct(stringify!($record));
                shown.field("header", &self.header);
                self.fields(|name, level, value| {
                    match level {
                        Some(level) => shown.field(name, &(level, value)),
                        None => shown.field(name, &value),
                    };
                });
                shown.finish()
            }
        }
    };
}

pub(super) use record;
