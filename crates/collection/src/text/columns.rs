//! Reading columns and variable-length numbers out of bytes that may be damaged.

/// The words of a column; a column that cannot be there is empty.
pub(super) fn words(bytes: &[u8]) -> &[[u8; 4]] {
    bytes.as_chunks().0
}

/// The long words of a column.
pub(super) fn longs(bytes: &[u8]) -> &[[u8; 8]] {
    bytes.as_chunks().0
}

/// The word at `at` of a column; 0 past its end.
#[inline]
pub(super) fn word(column: &[[u8; 4]], at: usize) -> u32 {
    column.get(at).map_or(0, |word| u32::from_le_bytes(*word))
}

/// The long word at `at` of a column; 0 past its end.
#[inline]
pub(super) fn long(column: &[[u8; 8]], at: usize) -> u64 {
    column.get(at).map_or(0, |long| u64::from_le_bytes(*long))
}

/// Appends `value`, seven bits a byte, lowest first; the top bit says that more follow.
pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a number off the front.
#[inline]
pub(super) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// As [`take_varint`], for numbers that fit a word.
#[inline]
pub(super) fn take_word(bytes: &mut &[u8]) -> Option<u32> {
    take_varint(bytes)?.try_into().ok()
}

/// Takes `size` bytes off the front.
pub(super) fn take<'a>(bytes: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(size)?;
    *bytes = rest;
    Some(taken)
}

/// Passes over `count` numbers and says how many bytes they are.
pub(super) fn skip_varints(bytes: &[u8], count: u64) -> usize {
    let mut left = count;
    for (at, byte) in bytes.iter().enumerate() {
        if left == 0 {
            return at;
        }
        left -= u64::from(*byte < 0x80);
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(values in prop::collection::vec(any::<u64>(), 0..20), at in 0usize..20) {
            let mut bytes = Vec::new();
            for &value in &values {
                put_varint(value >> (value % 64), &mut bytes);
            }
            let skipped = skip_varints(&bytes, at as u64);
            let (mut all, mut rest) = (&bytes[..], &bytes[skipped..]);
            for &value in &values {
                prop_assert_eq!(take_varint(&mut all), Some(value >> (value % 64)));
            }
            for &value in values.iter().skip(at) {
                prop_assert_eq!(take_varint(&mut rest), Some(value >> (value % 64)));
            }
            prop_assert_eq!((take_varint(&mut all), take_varint(&mut rest)), (None, None));
        }

        #[test]
        fn damage_ends(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut rest = &bytes[..];
            while take_varint(&mut rest).is_some() {}
        }
    }
}
