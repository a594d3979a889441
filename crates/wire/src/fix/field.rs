//! One field: its tag, its bytes, where it stands, and its value as the type that the reader wants.

use super::value::{self, ValueFault};

/// A field where it lies. Absence is the caller's `Option`: an empty value is refused by each getter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The number before the equals sign.
    pub tag: u32,
    /// What stands between the equals sign and the SOH.
    pub value: &'a [u8],
    /// Offset of the tag from the start of the message.
    pub at: usize,
}

/// What is wrong with a field, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("FIX field {tag} at byte {at}: {fault}")]
pub struct FieldError {
    /// The tag; 0 when it could not be read.
    pub tag: u32,
    /// Offset of the field from the start of the message; its length where the field is missing.
    pub at: usize,
    /// What is wrong.
    pub fault: FieldFault,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldFault {
    /// What stands before the equals sign is not a number from 1 to 999,999,999.
    #[error("its tag is no number from 1 to 999999999")]
    Tag,
    /// No equals sign before the SOH.
    #[error("no equals sign")]
    NoValue,
    /// The bytes that its length field announced go beyond the message or do not end with SOH.
    #[error("its {length} bytes of data, by the length field before it, do not end with SOH")]
    Data {
        /// What the length field said.
        length: usize,
    },
    /// The message does not have it.
    #[error("missing")]
    Missing,
    /// The value is not of the wanted type.
    #[error("{0}")]
    Value(#[from] ValueFault),
}

impl<'a> Field<'a> {
    /// A whole number; leading zeros are allowed.
    ///
    /// # Errors
    ///
    /// [`FieldFault::Value`] when it is none, or does not fit.
    #[inline]
    pub fn int(&self) -> Result<i64, FieldError> {
        self.wrap(value::parse_int(self.value))
    }

    /// A whole number from 0: sequence numbers, lengths, counts.
    ///
    /// # Errors
    ///
    /// [`FieldFault::Value`] when it is none, is negative, or does not fit.
    #[inline]
    pub fn uint(&self) -> Result<u64, FieldError> {
        self.wrap(value::parse_uint(self.value))
    }

    /// A price in units of 1e-9.
    ///
    /// # Errors
    ///
    /// [`FieldFault::Value`] when it is no decimal, has more than nine decimals that are not zero, or
    /// does not fit: beyond about 9.2 thousand million.
    #[inline]
    pub fn price(&self) -> Result<i64, FieldError> {
        self.decimal(super::PRICE_DECIMALS)
    }

    /// A decimal times `10^decimals`: a quantity in units that the caller chose.
    ///
    /// # Errors
    ///
    /// [`FieldFault::Value`] as for [`Field::price`].
    #[inline]
    pub fn decimal(&self, decimals: u8) -> Result<i64, FieldError> {
        self.wrap(value::parse_decimal(self.value, decimals))
    }

    /// A `UTCTimestamp` in nanoseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`FieldFault::Value`] when it is none; at most nine decimals of a second are taken.
    #[inline]
    pub fn timestamp(&self) -> Result<u64, FieldError> {
        self.wrap(value::parse_timestamp(self.value))
    }

    /// A `UTCTimeOnly` in nanoseconds since midnight.
    ///
    /// # Errors
    ///
    /// [`FieldFault::Value`] when it is none.
    #[inline]
    pub fn time_of_day(&self) -> Result<u64, FieldError> {
        self.wrap(value::parse_time_of_day(self.value))
    }

    /// A `UTCDateOnly` or `LocalMktDate` in days since 1970.
    ///
    /// # Errors
    ///
    /// [`FieldFault::Value`] when it is none.
    #[inline]
    pub fn date(&self) -> Result<u32, FieldError> {
        self.wrap(value::parse_date(self.value))
    }

    /// `Y` or `N`.
    ///
    /// # Errors
    ///
    /// [`FieldFault::Value`] when it is neither.
    #[inline]
    pub fn bool(&self) -> Result<bool, FieldError> {
        self.wrap(value::parse_bool(self.value))
    }

    /// Exactly one byte.
    ///
    /// # Errors
    ///
    /// [`FieldFault::Value`] when there are more or none.
    #[inline]
    pub fn char(&self) -> Result<u8, FieldError> {
        self.wrap(value::parse_char(self.value))
    }

    /// Text of at least one byte, in whatever encoding the two sides agreed on.
    ///
    /// # Errors
    ///
    /// [`FieldFault::Value`] when it is empty.
    #[inline]
    pub fn text(&self) -> Result<&'a [u8], FieldError> {
        if self.value.is_empty() {
            return self.wrap(Err(ValueFault::Empty));
        }
        Ok(self.value)
    }

    #[inline]
    fn wrap<T>(&self, value: Result<T, ValueFault>) -> Result<T, FieldError> {
        value.map_err(|fault| FieldError {
            tag: self.tag,
            at: self.at,
            fault: FieldFault::Value(fault),
        })
    }
}
