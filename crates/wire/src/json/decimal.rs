//! Decimal text to integers of a fixed scale, exactly or not at all.

/// Why text is not a decimal of the wanted scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Something other than an optional minus, digits, and an optional point with digits.
    #[error("not a decimal number")]
    Syntax,
    /// A digit other than zero behind the last one that the scale keeps.
    #[error("more digits after the point than the scale keeps: rounding is refused")]
    Inexact,
    /// Below zero where the venue has no such number; [`parse_decimal`] itself takes them.
    #[error("negative")]
    Negative,
    /// Too large for the integer.
    #[error("too large for 64 bits at this scale")]
    Overflow,
}

/// The value of `text` times `10^decimals`: `parse_decimal(b"0.25", 8)` is `Ok(25_000_000)`.
///
/// # Errors
///
/// When `text` is not a plain decimal, has more digits than the scale keeps (trailing zeros do not
/// count), or does not fit `i64`.
#[inline]
pub fn parse_decimal(text: &[u8], decimals: u8) -> Result<i64, DecimalError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut magnitude = 0_u64;
    let mut at = 0;
    while let Some(digit) = digits.get(at).and_then(|&byte| digit_of(byte)) {
        magnitude = push(magnitude, digit)?;
        at += 1;
    }
    if at == 0 {
        return Err(DecimalError::Syntax);
    }
    let mut missing = decimals;
    if at < digits.len() {
        let fraction = &digits[at + 1..];
        if digits[at] != b'.' || fraction.is_empty() {
            return Err(DecimalError::Syntax);
        }
        for &byte in fraction {
            let digit = digit_of(byte).ok_or(DecimalError::Syntax)?;
            if missing > 0 {
                magnitude = push(magnitude, digit)?;
                missing -= 1;
            } else if digit != 0 {
                // Keep reading would only change which error is told.
                return Err(DecimalError::Inexact);
            }
        }
    }
    if magnitude != 0 {
        let scale = 10_u64
            .checked_pow(u32::from(missing))
            .ok_or(DecimalError::Overflow)?;
        magnitude = magnitude.checked_mul(scale).ok_or(DecimalError::Overflow)?;
    }
    if negative {
        0_i64
            .checked_sub_unsigned(magnitude)
            .ok_or(DecimalError::Overflow)
    } else {
        i64::try_from(magnitude).map_err(|_| DecimalError::Overflow)
    }
}

/// [`parse_decimal`] for prices and quantities, which are never below zero.
#[inline]
pub(crate) fn parse_unsigned(text: &[u8], decimals: u8) -> Result<i64, DecimalError> {
    if text.first() == Some(&b'-') {
        return Err(DecimalError::Negative);
    }
    parse_decimal(text, decimals)
}

#[inline]
const fn digit_of(byte: u8) -> Option<u64> {
    let digit = byte.wrapping_sub(b'0');
    if digit < 10 { Some(digit as u64) } else { None }
}

#[inline]
fn push(magnitude: u64, digit: u64) -> Result<u64, DecimalError> {
    magnitude
        .checked_mul(10)
        .and_then(|tens| tens.checked_add(digit))
        .ok_or(DecimalError::Overflow)
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use proptest::prelude::*;

    use super::*;

    /// The same by padding the digits as text: slow and obvious.
    fn naive(text: &str, decimals: u8) -> Option<i64> {
        let (sign, digits) = text
            .strip_prefix('-')
            .map_or(("", text), |rest| ("-", rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(fraction) {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let zeros = usize::from(decimals).checked_sub(fraction.len())?;
        let padded: String = format!("{sign}{whole}{fraction}{}", "0".repeat(zeros));
        let trimmed = padded.trim_start_matches('-').trim_start_matches('0');
        let trimmed = if trimmed.is_empty() { "0" } else { trimmed };
        format!("{sign}{trimmed}").parse().ok()
    }

    #[test]
    fn boundaries() {
        let check = |text: &str, decimals, want| {
            assert_eq!(
                parse_decimal(text.as_bytes(), decimals),
                want,
                "{text} e-{decimals}"
            );
            assert_eq!(
                naive(text, decimals),
                want.ok(),
                "naive: {text} e-{decimals}"
            );
        };
        check("0", 9, Ok(0));
        check("-0.0", 9, Ok(0));
        check("61837.63000000", 9, Ok(61_837_630_000_000));
        check("0.00000001", 8, Ok(1));
        check("0.000000010000", 8, Ok(1));
        check("0.000000011", 8, Err(DecimalError::Inexact));
        check("9223372036.854775807", 9, Ok(i64::MAX));
        check("9223372036.854775808", 9, Err(DecimalError::Overflow));
        check("-9223372036.854775808", 9, Ok(i64::MIN));
        check("-9223372036.854775809", 9, Err(DecimalError::Overflow));
        check("000000000000000000000000000001", 9, Ok(1_000_000_000));
        check("99999999999999999999999", 0, Err(DecimalError::Overflow));
        for garbage in [
            "", "-", ".", ".5", "5.", "1e5", "+1", " 1", "1 ", "1.2.3", "--1", "NaN",
        ] {
            check(garbage, 9, Err(DecimalError::Syntax));
        }
    }

    proptest! {
        #[test]
        fn equals_the_naive_twin(text in "-?[0-9]{0,21}(\\.[0-9]{0,12})?", decimals in 0u8..20) {
            prop_assert_eq!(parse_decimal(text.as_bytes(), decimals).ok(), naive(&text, decimals));
        }

        #[test]
        fn no_bytes_panic(text in prop::collection::vec(any::<u8>(), 0..40), decimals: u8) {
            let _ = parse_decimal(&text, decimals);
        }
    }
}
