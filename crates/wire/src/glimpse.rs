//! GLIMPSE 5.0: a snapshot of all ITCH books as ITCH messages, over SoupBinTCP.
//!
//! After the login (for message 1 of the current session) the server sends the directory, the
//! trading states and an add for every resting order, each as an ITCH 5.0 message, and then the one
//! message that is GLIMPSE's own: the number from which the live feed goes on. Byte map:
//! `docs/formats/soupbintcp.md`. Source: Nasdaq GLIMPSE 5.0, "Message Formats".

use crate::itch50::{self, DecodeError, Message};
use crate::soupbintcp::{Error, number, parse_number};

/// The type of the last message.
pub const END_KIND: u8 = b'G';
/// Bytes of the last message.
pub const END_SIZE: usize = 21;

/// One message of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshot<'a> {
    /// A fact that holds as of the snapshot.
    Message(Message<'a>),
    /// Everything was said; the first live message that the snapshot does not hold has this number.
    End {
        /// Its number.
        next_seq: u64,
    },
}

/// Why bytes are not a message of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlimpseError {
    /// Not an ITCH message.
    #[error(transparent)]
    Itch(#[from] DecodeError),
    /// An end of snapshot whose number is none.
    #[error("GLIMPSE end of snapshot without a number: discard the snapshot and ask again")]
    End,
}

/// Sees `bytes` as a message of a snapshot.
///
/// # Errors
/// [`GlimpseError`]: the snapshot cannot be trusted.
pub fn decode(bytes: &[u8]) -> Result<Snapshot<'_>, GlimpseError> {
    if let Some((&END_KIND, digits)) = bytes.split_first() {
        if digits.len() != END_SIZE - 1 {
            return Err(GlimpseError::End);
        }
        let next_seq = parse_number(digits).map_err(|_: Error| GlimpseError::End)?;
        return Ok(Snapshot::End { next_seq });
    }
    Ok(Snapshot::Message(itch50::decode(bytes)?))
}

/// The last message of a snapshot after which the live feed goes on with `next_seq`.
#[must_use]
pub fn end_of_snapshot(next_seq: u64) -> [u8; END_SIZE] {
    let mut bytes = [END_KIND; END_SIZE];
    bytes[1..].copy_from_slice(&number(next_seq));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_carries_its_number() {
        for next_seq in [0, 1, 34_147_961, u64::MAX] {
            let bytes = end_of_snapshot(next_seq);
            assert_eq!(decode(&bytes), Ok(Snapshot::End { next_seq }));
        }
        assert_eq!(
            decode(b"G7                   "),
            Ok(Snapshot::End { next_seq: 7 }),
            "padded on the right, as alphanumeric fields of ITCH are"
        );
        assert_eq!(decode(b"G"), Err(GlimpseError::End));
        assert_eq!(decode(b"G                    "), Err(GlimpseError::End));
        assert!(matches!(decode(b""), Err(GlimpseError::Itch(_))));
    }
}
