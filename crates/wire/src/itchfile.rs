//! ITCH files: messages one after another, each behind its length as a big-endian `u16`.
//!
//! This is how NASDAQ publishes its sample days. A length of zero ends the session; a file that was
//! cut says where. Byte map: `docs/formats/itchfile.md`. Source: Nasdaq BinaryFILE 1.00.
//!
//! ```
//! use wire::itchfile::{CutTail, Frames};
//!
//! let mut frames = Frames::new(b"\x00\x03one\x00\x03tw");
//! assert_eq!(frames.next(), Some(Ok(&b"one"[..])));
//! assert_eq!(frames.next(), Some(Err(CutTail { offset: 5, want: 5, have: 4 })));
//! assert_eq!(frames.next(), None);
//! ```

use core::iter::FusedIterator;

/// The file ends inside a frame. All frames before it are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "ITCH file is cut at byte {offset}: {have} bytes left of a frame of {want}; \
     the messages before it are good, fetch the file again for the rest"
)]
pub struct CutTail {
    /// Where the cut frame starts, from the start of the file.
    pub offset: usize,
    /// Bytes of the whole frame, length included; 2 when the length itself is cut.
    pub want: usize,
    /// Bytes left.
    pub have: usize,
}

/// The messages of a file. After a cut tail or an end-of-session mark it ends.
#[derive(Clone, Copy, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
    offset: usize,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Mark,
    Cut,
}

impl<'a> Frames<'a> {
    /// Reads a whole file, or a part of it that starts at a frame.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            offset: 0,
            end: None,
        }
    }

    /// Where the next frame starts.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Whether the mark that ends a session was read. What follows it is not looked at.
    #[must_use]
    pub fn session_ended(&self) -> bool {
        self.end == Some(End::Mark)
    }

    #[cold]
    fn cut(&mut self, want: usize) -> CutTail {
        self.end = Some(End::Cut);
        CutTail {
            offset: self.offset,
            want,
            have: self.rest.len(),
        }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<&'a [u8], CutTail>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.end.is_some() {
            return None;
        }
        let Some((length, after)) = self.rest.split_first_chunk::<2>() else {
            return Some(Err(self.cut(2)));
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 {
            self.end = Some(End::Mark);
            return None;
        }
        let Some((message, rest)) = after.split_at_checked(length) else {
            return Some(Err(self.cut(2 + length)));
        };
        self.rest = rest;
        self.offset += 2 + length;
        Some(Ok(message))
    }
}

impl FusedIterator for Frames<'_> {}

/// The two bytes that go before `message` in a file; `None` when it is empty (that would end the
/// session) or longer than a frame can say.
#[must_use]
pub fn length_prefix(message: &[u8]) -> Option<[u8; 2]> {
    match u16::try_from(message.len()) {
        Ok(0) | Err(_) => None,
        Ok(length) => Some(length.to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ends_and_cuts() {
        let check = |bytes: &[u8], good: usize, cut: Option<CutTail>, ended: bool| {
            let mut frames = Frames::new(bytes);
            let all: Vec<_> = frames.by_ref().collect();
            let cuts: Vec<_> = all.iter().filter_map(|frame| frame.err()).collect();
            assert_eq!(all.len() - cuts.len(), good, "{bytes:?}");
            assert_eq!(cuts.first().copied(), cut, "{bytes:?}");
            assert_eq!(frames.session_ended(), ended, "{bytes:?}");
            assert_eq!(frames.next(), None);
        };
        check(b"", 0, None, false);
        check(
            b"\0",
            0,
            Some(CutTail {
                offset: 0,
                want: 2,
                have: 1,
            }),
            false,
        );
        check(b"\0\x01A", 1, None, false);
        check(b"\0\x01A\0\0", 1, None, true);
        check(b"\0\x01A\0\0junk", 1, None, true);
        check(
            b"\0\x01A\0\x02B",
            1,
            Some(CutTail {
                offset: 3,
                want: 4,
                have: 3,
            }),
            false,
        );
    }

    proptest! {
        #[test]
        fn what_is_framed_comes_back(messages in prop::collection::vec(
            prop::collection::vec(any::<u8>(), 1..60), 0..20), cut in 0usize..40,
        ) {
            let mut file = Vec::new();
            for message in &messages {
                file.extend(length_prefix(message).expect("1 to 59 bytes"));
                file.extend(message);
            }
            file.truncate(file.len().saturating_sub(cut));
            let mut offset = 0;
            for (frame, message) in Frames::new(&file).zip(&messages) {
                match frame {
                    Ok(frame) => { prop_assert_eq!(frame, &message[..]); offset += 2 + frame.len(); }
                    Err(tail) => { prop_assert_eq!(tail.offset, offset);
                        prop_assert_eq!(tail.offset + tail.have, file.len()); }
                }
            }
        }
    }

    #[test]
    fn a_frame_is_one_to_65535_bytes() {
        assert_eq!(length_prefix(&[]), None);
        assert_eq!(length_prefix(&[0; 65_535]), Some([0xFF, 0xFF]));
        assert_eq!(length_prefix(&[0; 65_536]), None);
    }
}
