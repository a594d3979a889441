//! Values: text to numbers and times, exactly or not at all.

/// Why a value is not of the wanted type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueFault {
    /// Nothing between the equals sign and the SOH.
    #[error("empty")]
    Empty,
    /// Not the type's syntax.
    #[error("not a value of its type")]
    Syntax,
    /// The syntax is right, the value is outside what the type or this crate can hold.
    #[error("out of range")]
    Range,
    /// Digits other than zero behind the last one that is kept: rounding is refused.
    #[error("more decimals than are kept")]
    Inexact,
}

const NS_PER_SECOND: u64 = 1_000_000_000;
/// The last year whose days all fit `u64` nanoseconds.
const YEAR_MAX: u32 = 2553;

/// A FIX *int*: an optional minus and digits, leading zeros allowed.
///
/// # Errors
///
/// [`ValueFault`] when it is none, or beyond `i64`.
#[inline]
pub fn parse_int(text: &[u8]) -> Result<i64, ValueFault> {
    match text {
        [b'-', digits @ ..] => {
            let magnitude = parse_uint(digits).map_err(|fault| match fault {
                ValueFault::Empty => ValueFault::Syntax,
                other => other,
            })?;
            0_i64
                .checked_sub_unsigned(magnitude)
                .ok_or(ValueFault::Range)
        }
        digits => i64::try_from(parse_uint(digits)?).map_err(|_| ValueFault::Range),
    }
}

/// Digits only, leading zeros allowed: *SeqNum*, *Length*, *NumInGroup*.
///
/// # Errors
///
/// [`ValueFault`] when it is none, or beyond `u64`.
#[inline]
pub fn parse_uint(text: &[u8]) -> Result<u64, ValueFault> {
    if text.is_empty() {
        return Err(ValueFault::Empty);
    }
    let mut value = 0_u64;
    for &byte in text {
        value = push(value, digit(byte)?)?;
    }
    Ok(value)
}

/// A FIX *float* (price, quantity, amount) times `10^decimals`: `parse_decimal(b"0.25", 9)` is
/// `Ok(250_000_000)`. An optional minus, digits, and at most one point before, between or behind
/// them; no exponent, as the specification has none.
///
/// # Errors
///
/// [`ValueFault`] when it is none, has decimals other than zero that are not kept, or does not fit.
#[inline]
pub fn parse_decimal(text: &[u8], decimals: u8) -> Result<i64, ValueFault> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut magnitude = 0_u64;
    let mut missing = decimals;
    let mut point = false;
    let mut count = 0_usize;
    for &byte in digits {
        if byte == b'.' && !point {
            point = true;
            continue;
        }
        let digit = digit(byte)?;
        count += 1;
        if !point {
            magnitude = push(magnitude, digit)?;
        } else if missing > 0 {
            magnitude = push(magnitude, digit)?;
            missing -= 1;
        } else if digit != 0 {
            return Err(ValueFault::Inexact);
        }
    }
    if count == 0 {
        return Err(match text {
            [] => ValueFault::Empty,
            _ => ValueFault::Syntax,
        });
    }
    if magnitude != 0 {
        magnitude = 10_u64
            .checked_pow(u32::from(missing))
            .and_then(|scale| magnitude.checked_mul(scale))
            .ok_or(ValueFault::Range)?;
    }
    if negative {
        0_i64
            .checked_sub_unsigned(magnitude)
            .ok_or(ValueFault::Range)
    } else {
        i64::try_from(magnitude).map_err(|_| ValueFault::Range)
    }
}

/// `YYYYMMDD-HH:MM:SS` with up to nine decimals, in nanoseconds since 1970. A leap second (`:60`)
/// is the first of the next minute.
///
/// # Errors
///
/// [`ValueFault`] when it is none, or not in 1970 to 2553.
#[inline]
pub fn parse_timestamp(text: &[u8]) -> Result<u64, ValueFault> {
    match text.split_at_checked(8) {
        Some((date, [b'-', time @ ..])) => {
            let days = u64::from(parse_date(date)?);
            Ok(days * 86_400 * NS_PER_SECOND + parse_time_of_day(time)?)
        }
        _ if text.is_empty() => Err(ValueFault::Empty),
        _ => Err(ValueFault::Syntax),
    }
}

/// `HH:MM:SS` with up to nine decimals, in nanoseconds since midnight.
///
/// # Errors
///
/// [`ValueFault`] when it is none.
#[inline]
pub fn parse_time_of_day(text: &[u8]) -> Result<u64, ValueFault> {
    let Some((whole, rest)) = text.split_first_chunk::<8>() else {
        return Err(match text {
            [] => ValueFault::Empty,
            _ => ValueFault::Syntax,
        });
    };
    let &[h1, h0, b':', m1, m0, b':', s1, s0] = whole else {
        return Err(ValueFault::Syntax);
    };
    let (hours, minutes, seconds) = (pair(h1, h0)?, pair(m1, m0)?, pair(s1, s0)?);
    if hours > 23 || minutes > 59 || seconds > 60 {
        return Err(ValueFault::Range);
    }
    let nanos = match rest {
        [] => 0,
        [b'.', decimals @ ..] if !decimals.is_empty() && decimals.len() <= 9 => {
            let mut value = 0;
            for &byte in decimals {
                value = value * 10 + digit(byte)?;
            }
            (decimals.len()..9).fold(value, |value, _| value * 10)
        }
        _ => return Err(ValueFault::Syntax),
    };
    Ok((hours * 3600 + minutes * 60 + seconds) * NS_PER_SECOND + nanos)
}

/// `YYYYMMDD` in days since 1970.
///
/// # Errors
///
/// [`ValueFault`] when it is none, or not in 1970 to 2553.
#[inline]
pub fn parse_date(text: &[u8]) -> Result<u32, ValueFault> {
    let &[y3, y2, y1, y0, m1, m0, d1, d0] = text else {
        return Err(match text {
            [] => ValueFault::Empty,
            _ => ValueFault::Syntax,
        });
    };
    let year = (pair(y3, y2)? * 100 + pair(y1, y0)?) as u32;
    let (month, day) = (pair(m1, m0)? as u32, pair(d1, d0)? as u32);
    if !(1970..=YEAR_MAX).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=month_days(year, month)).contains(&day)
    {
        return Err(ValueFault::Range);
    }
    Ok(days_of(year, month, day))
}

/// `Y` or `N`.
///
/// # Errors
///
/// [`ValueFault`] when it is neither.
#[inline]
pub fn parse_bool(text: &[u8]) -> Result<bool, ValueFault> {
    match text {
        b"Y" => Ok(true),
        b"N" => Ok(false),
        [] => Err(ValueFault::Empty),
        _ => Err(ValueFault::Syntax),
    }
}

/// Exactly one byte.
///
/// # Errors
///
/// [`ValueFault`] when there are more or none.
#[inline]
pub fn parse_char(text: &[u8]) -> Result<u8, ValueFault> {
    match text {
        &[byte] => Ok(byte),
        [] => Err(ValueFault::Empty),
        _ => Err(ValueFault::Syntax),
    }
}

/// Days since 1970 of a date that exists. The year starts in March here, so that the day that may
/// be missing is its last.
pub(super) const fn days_of(year: u32, month: u32, day: u32) -> u32 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    // 153 days in five months from March on; 719,468 days from 0000-03-01 to 1970-01-01.
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// Year, month and day: the inverse of [`days_of`].
pub(super) const fn date_of(days: u32) -> (u32, u32, u32) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era;
    if month < 10 {
        (year, month + 3, day)
    } else {
        (year + 1, month - 9, day)
    }
}

const fn month_days(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

#[inline]
const fn digit(byte: u8) -> Result<u64, ValueFault> {
    let digit = byte.wrapping_sub(b'0');
    if digit < 10 {
        Ok(digit as u64)
    } else {
        Err(ValueFault::Syntax)
    }
}

#[inline]
fn pair(tens: u8, ones: u8) -> Result<u64, ValueFault> {
    Ok(digit(tens)? * 10 + digit(ones)?)
}

#[inline]
fn push(value: u64, digit: u64) -> Result<u64, ValueFault> {
    value
        .checked_mul(10)
        .and_then(|tens| tens.checked_add(digit))
        .ok_or(ValueFault::Range)
}
