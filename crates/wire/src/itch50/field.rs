//! Field types of ITCH 5.0 and the macro that turns a field list into a record.
//!
//! All integers are big-endian and unsigned, text is ASCII, left-justified and padded with spaces
//! (specification, "Data Types"). Every record is a sequence of bytes without alignment, so it can
//! be seen in place at any offset of a packet.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Text of fixed width, padded with spaces on the right.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(transparent)]
pub struct Alpha<const N: usize>([u8; N]);

/// An issue symbol.
pub type Stock = Alpha<8>;
/// A market participant identifier.
pub type Mpid = Alpha<4>;

impl<const N: usize> Alpha<N> {
    /// Pads `text`; `None` when it does not fit or is not printable ASCII.
    #[must_use]
    pub const fn new(text: &str) -> Option<Self> {
        let source = text.as_bytes();
        if source.len() > N {
            return None;
        }
        let mut padded = [b' '; N];
        let mut at = 0;
        while at < source.len() {
            if source[at] < b' ' || source[at] > b'~' {
                return None;
            }
            padded[at] = source[at];
            at += 1;
        }
        Some(Self(padded))
    }

    /// Takes the bytes as they are on the wire.
    #[must_use]
    pub const fn from_wire(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The bytes as they are on the wire, padding included.
    #[must_use]
    #[inline]
    pub const fn wire(&self) -> &[u8; N] {
        &self.0
    }

    /// The text without its padding. A venue sends ASCII only; should a byte not be UTF-8, the
    /// text ends before it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let valid = match core::str::from_utf8(&self.0) {
            Ok(text) => text,
            Err(fault) => core::str::from_utf8(&self.0[..fault.valid_up_to()]).unwrap_or_default(),
        };
        valid.trim_end_matches(' ')
    }
}

impl<const N: usize> fmt::Debug for Alpha<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A 48-bit time: nanoseconds since midnight of the venue's day.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub(crate) struct Time48([u8; 6]);

impl Time48 {
    #[inline]
    pub(crate) const fn new(ns: u64) -> Self {
        let [_, _, a, b, c, d, e, f] = ns.to_be_bytes();
        Self([a, b, c, d, e, f])
    }

    #[inline]
    pub(crate) const fn get(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }
}

/// Whether an order buys or sells, in the specification's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Side {
    /// `B`
    Buy = b'B',
    /// `S`
    Sell = b'S',
}

impl Side {
    /// The side of a wire code; `None` for any byte the specification does not name.
    #[must_use]
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            b'B' => Some(Self::Buy),
            b'S' => Some(Self::Sell),
            _ => None,
        }
    }
}

/// What every message starts with after its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The venue's code of the instrument, valid for one day; 0 where no instrument is meant.
    pub locate: u16,
    /// The venue's own tracking number.
    pub tracking: u16,
    /// Nanoseconds since midnight, venue time. Only the low 48 bits go on the wire.
    pub timestamp_ns: u64,
}

/// One field of a message, for dumps and comparisons that treat all messages alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// An unsigned integer; prices are in the unit that the field's getter states.
    Number(u64),
    /// A one-byte code.
    Code(u8),
    /// Text without its padding.
    Text(&'a str),
}

/// The record type of a field kind.
macro_rules! wire_type {
    (u32) => {
        zerocopy::big_endian::U32
    };
    (u64) => {
        zerocopy::big_endian::U64
    };
    (code) => {
        u8
    };
    (side) => {
        u8
    };
    ($alpha:ident) => {
        $crate::itch50::$alpha
    };
}

/// The argument type of a field kind in `new`.
macro_rules! argument_type {
    (u32) => {
        u32
    };
    (u64) => {
        u64
    };
    (code) => {
        u8
    };
    (side) => {
        $crate::itch50::Side
    };
    ($alpha:ident) => {
        $crate::itch50::$alpha
    };
}

/// An argument of `new` as its record type.
macro_rules! to_wire {
    (u32, $value:expr) => {
        zerocopy::big_endian::U32::new($value)
    };
    (u64, $value:expr) => {
        zerocopy::big_endian::U64::new($value)
    };
    (side, $value:expr) => {
        $value as u8
    };
    ($other:ident, $value:expr) => {
        $value
    };
}

/// The getter or getters of a field.
macro_rules! getter {
    ($(#[$doc:meta])* $name:ident: u32) => {
        $(#[$doc])* #[must_use] #[inline]
        pub const fn $name(&self) -> u32 { self.$name.get() }
    };
    ($(#[$doc:meta])* $name:ident: u64) => {
        $(#[$doc])* #[must_use] #[inline]
        pub const fn $name(&self) -> u64 { self.$name.get() }
    };
    ($(#[$doc:meta])* $name:ident: code) => {
        $(#[$doc])* #[must_use] #[inline]
        pub const fn $name(&self) -> u8 { self.$name }
    };
    ($(#[$doc:meta])* $name:ident: side) => {
        $(#[$doc])* ///
        /// `None` for a byte that the specification does not name.
        #[must_use] #[inline]
        pub const fn $name(&self) -> Option<$crate::itch50::Side> {
            $crate::itch50::Side::from_code(self.$name)
        }
    };
    ($(#[$doc:meta])* $name:ident: $alpha:ident) => {
        $(#[$doc])* #[must_use]
        pub fn $name(&self) -> &str { self.$name.as_str() }
    };
}

/// A field as a [`Field`].
macro_rules! field_value {
    (u32, $record:ident, $name:ident) => {
        $crate::itch50::Field::Number(u64::from($record.$name.get()))
    };
    (u64, $record:ident, $name:ident) => {
        $crate::itch50::Field::Number($record.$name.get())
    };
    (code, $record:ident, $name:ident) => {
        $crate::itch50::Field::Code($record.$name)
    };
    (side, $record:ident, $name:ident) => {
        $crate::itch50::Field::Code($record.$name)
    };
    ($alpha:ident, $record:ident, $name:ident) => {
        $crate::itch50::Field::Text($record.$name.as_str())
    };
}

/// Declares one message: record, layout check, constructor, getters, bytes, field list, `Debug`.
///
/// Field kinds: `u32`, `u64`, `code` (one byte), `side`, or a text type (`Stock`, `Mpid`, ..).
macro_rules! message {
    (
        $(#[$doc:meta])*
        $record:ident = $kind:literal, $size:literal;
        $($(#[$field_doc:meta])* $name:ident: $field:ident,)*
    ) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, zerocopy::FromBytes, zerocopy::IntoBytes,
            zerocopy::KnownLayout, zerocopy::Immutable, zerocopy::Unaligned,
        )]
        #[repr(C)]
        pub struct $record {
            kind: u8,
            locate: zerocopy::big_endian::U16,
            tracking: zerocopy::big_endian::U16,
            time: $crate::itch50::field::Time48,
            $($name: wire_type!($field),)*
        }

        const _: () = assert!(size_of::<$record>() == $size && align_of::<$record>() == 1);

        impl $record {
            /// The byte that starts this message.
            pub const KIND: u8 = $kind;
            /// The length of this message in bytes, type byte included.
            pub const SIZE: usize = $size;

            /// The message with these fields, in the order of the specification.
            #[must_use]
            #[allow(clippy::too_many_arguments, reason = "one argument per field on the wire")]
            pub const fn new(
                header: $crate::itch50::Header,
                $($name: argument_type!($field),)*
            ) -> Self {
                Self {
                    kind: $kind,
                    locate: zerocopy::big_endian::U16::new(header.locate),
                    tracking: zerocopy::big_endian::U16::new(header.tracking),
                    time: $crate::itch50::field::Time48::new(header.timestamp_ns),
                    $($name: to_wire!($field, $name),)*
                }
            }

            /// The message as it goes on the wire.
            #[must_use]
            #[inline]
            pub fn as_bytes(&self) -> &[u8] {
                zerocopy::IntoBytes::as_bytes(self)
            }

            /// The venue's code of the instrument, valid for one day; 0 where none is meant.
            #[must_use]
            #[inline]
            pub const fn locate(&self) -> u16 {
                self.locate.get()
            }

            /// The venue's own tracking number.
            #[must_use]
            #[inline]
            pub const fn tracking(&self) -> u16 {
                self.tracking.get()
            }

            /// Nanoseconds since midnight, venue time.
            #[must_use]
            #[inline]
            pub const fn timestamp_ns(&self) -> u64 {
                self.time.get()
            }

            /// What all messages start with.
            #[must_use]
            pub const fn header(&self) -> $crate::itch50::Header {
                $crate::itch50::Header {
                    locate: self.locate(),
                    tracking: self.tracking(),
                    timestamp_ns: self.timestamp_ns(),
                }
            }

            $(getter! { $(#[$field_doc])* $name: $field })*

            /// Shows every field after the header to `visit`, by name and in wire order.
            pub fn fields<'a>(&'a self, mut visit: impl FnMut(&'static str, $crate::itch50::Field<'a>)) {
                let _ = &mut visit;
                $(visit(stringify!($name), field_value!($field, self, $name));)*
            }
        }

        impl core::fmt::Debug for $record {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let mut shown = f.debug_struct(stringify!($record));
                shown.field("header", &self.header());
                self.fields(|name, value| {
                    match value {
                        $crate::itch50::Field::Number(number) => shown.field(name, &number),
                        $crate::itch50::Field::Code(code) => shown.field(name, &char::from(code)),
                        $crate::itch50::Field::Text(text) => shown.field(name, &text),
                    };
                });
                shown.finish()
            }
        }
    };
}

pub(crate) use {argument_type, field_value, getter, message, to_wire, wire_type};
