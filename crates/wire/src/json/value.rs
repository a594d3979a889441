//! What a value read by key may be: the checks that every venue's messages share.

use super::{Error, Value, parse_decimal, parse_unsigned};

pub(crate) fn keep<T>(key: &'static str, slot: &mut Option<T>, value: T) -> Result<(), Error> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::Twice { key }),
    }
}

pub(crate) fn optional<'a, T>(
    key: &'static str,
    value: Option<Value<'a>>,
    read: impl FnOnce(&'static str, Option<Value<'a>>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(_) => read(key, value).map(Some),
    }
}

pub(crate) fn text<'a>(key: &'static str, value: Option<Value<'a>>) -> Result<&'a str, Error> {
    match value {
        // A name with an escape would have to be copied to be read; the venue has none.
        Some(Value::Text(bytes)) if !bytes.contains(&b'\\') => {
            core::str::from_utf8(bytes).map_err(|_| Error::Field { key })
        }
        _ => Err(Error::Field { key }),
    }
}

pub(crate) fn number(key: &'static str, value: Option<Value<'_>>) -> Result<u64, Error> {
    let Some(Value::Number(digits)) = value else {
        return Err(Error::Field { key });
    };
    match parse_unsigned(digits, 0) {
        Ok(number) => u64::try_from(number).map_err(|_| Error::Field { key }),
        Err(source) => Err(Error::Decimal { key, source }),
    }
}

/// The venue sends milliseconds, or microseconds where the connection asked for them. 10^14 tells
/// them apart: as milliseconds that is the year 5138, as microseconds it is 1973.
pub(crate) fn instant(key: &'static str, value: Option<Value<'_>>) -> Result<u64, Error> {
    const MICROSECONDS_MIN: u64 = 100_000_000_000_000;
    let time = number(key, value)?;
    let unit_ns = if time < MICROSECONDS_MIN {
        1_000_000
    } else {
        1_000
    };
    time.checked_mul(unit_ns).ok_or(Error::Field { key })
}

pub(crate) fn decimal(
    key: &'static str,
    value: Option<Value<'_>>,
    decimals: u8,
) -> Result<i64, Error> {
    let Some(Value::Text(digits)) = value else {
        return Err(Error::Field { key });
    };
    parse_unsigned(digits, decimals).map_err(|source| Error::Decimal { key, source })
}

pub(crate) fn flag(key: &'static str, value: Option<Value<'_>>) -> Result<bool, Error> {
    match value {
        Some(Value::Bool(flag)) => Ok(flag),
        _ => Err(Error::Field { key }),
    }
}

/// A number that may be below zero.
pub(crate) fn signed(key: &'static str, value: Option<Value<'_>>) -> Result<i64, Error> {
    let Some(Value::Number(digits)) = value else {
        return Err(Error::Field { key });
    };
    parse_decimal(digits, 0).map_err(|source| Error::Decimal { key, source })
}

/// A whole number in quotes.
pub(crate) fn digits(key: &'static str, value: Option<Value<'_>>) -> Result<u64, Error> {
    decimal(key, value, 0).map(i64::unsigned_abs)
}

/// Milliseconds in quotes, as ns.
pub(crate) fn instant_text(key: &'static str, value: Option<Value<'_>>) -> Result<u64, Error> {
    let ms = digits(key, value)?;
    ms.checked_mul(1_000_000).ok_or(Error::Field { key })
}

/// `2021-04-17T16:43:37.075687Z`, any number of digits behind the point up to nine, as ns.
pub(crate) fn time_text(key: &'static str, value: Option<Value<'_>>) -> Result<u64, Error> {
    let Some(Value::Text(text)) = value else {
        return Err(Error::Field { key });
    };
    utc_ns(text).ok_or(Error::Field { key })
}

fn utc_ns(text: &[u8]) -> Option<u64> {
    let (clock, fraction) = text.strip_suffix(b"Z")?.split_at_checked(19)?;
    let is_shaped = clock
        .iter()
        .zip(b"0000-00-00T00:00:00")
        .all(|(byte, want)| {
            if *want == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == want
            }
        });
    if !is_shaped {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = clock[from..to].iter();
        digits.fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'))
    };
    let (month, day) = (number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    let is_real = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !is_real {
        return None;
    }
    let days = days_since_1970(number(0, 4), month, day)?;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    let nanos = match fraction.split_first() {
        None => 0,
        Some((b'.', digits)) if (1..=9).contains(&digits.len()) => {
            let mut nanos = 0;
            for idx in 0..9 {
                let digit = *digits.get(idx).unwrap_or(&b'0');
                if !digit.is_ascii_digit() {
                    return None;
                }
                nanos = nanos * 10 + u64::from(digit - b'0');
            }
            nanos
        }
        Some(_) => return None,
    };
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// Days of the Gregorian calendar, counted from 1 March so that the leap day is the last.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year.checked_sub(1)?, month + 9)
    };
    let of_years = year * 365 + year / 4 - year / 100 + year / 400;
    let of_months = (month * 153 + 2) / 5;
    (of_years + of_months + day - 1).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_times() {
        let check = |text: &str, want: Option<u64>| {
            assert_eq!(utc_ns(text.as_bytes()), want, "{text}");
        };
        check("1970-01-01T00:00:00Z", Some(0));
        check("1970-01-01T00:00:00.000000001Z", Some(1));
        check(
            "2021-04-17T16:43:37.075687Z",
            Some(1_618_677_817_075_687_000),
        );
        check("2000-02-29T23:59:59.5Z", Some(951_868_799_500_000_000));
        check("2000-03-01T00:00:00Z", Some(951_868_800_000_000_000));
        for garbage in [
            "",
            "Z",
            "2021-04-17T16:43:37",
            "2021-13-17T16:43:37Z",
            "2021-04-17 16:43:37Z",
            "2021-04-17T16:43:37.Z",
            "2021-04-17T16:43:37.0000000001Z",
            "2021-04-17T24:43:37Z",
            "1969-12-31T23:59:59Z",
            "2021-04-17T16:43:37,5Z",
            "9999-12-31T23:59:59Z",
        ] {
            check(garbage, None);
        }
    }
}
