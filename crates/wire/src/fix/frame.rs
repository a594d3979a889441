//! Cutting messages out of a stream of bytes, and finding the next one after garbage.

use core::iter::FusedIterator;

use super::{Message, SOH, TRAILER_SIZE};

/// Longest `BeginString` that is looked at: `8=FIXT.1.1` has 8 bytes.
const BEGIN_STRING_SIZE_MAX: usize = 16;
/// Most digits of a body length: 9,999,999 bytes, leading zeros included.
const LENGTH_DIGITS_MAX: usize = 7;
/// How each message starts.
const START: &[u8] = b"8=FIX";

/// What [`find`] saw at the start of the bytes.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// A whole message: length and checksum are right. Go on behind its [`Message::bytes`].
    Message(Message<'a>),
    /// Bytes that are no message: drop `size` of them and look again. A receiver ignores them; the
    /// sequence number they may have carried will show as a gap.
    Garbled(Garbled),
    /// The message is not complete: come back with `size_min` bytes or more from the same start.
    More {
        /// Least bytes, counted from the start, that can change the verdict.
        size_min: usize,
    },
}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("FIX: {fault}; {size} bytes dropped")]
pub struct Garbled {
    /// Bytes up to where the next message may start; at least 1.
    pub size: usize,
    /// What was wrong with them.
    pub fault: Fault,
}

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// They do not start with `8=FIX`.
    #[error("no message starts here")]
    Start,
    /// `8=` is not followed by a SOH after at most 16 bytes.
    #[error("BeginString (8) is longer than 16 bytes")]
    BeginString,
    /// The second field is not `9=` with 1 to 7 digits.
    #[error("no BodyLength (9) of 1 to 7 digits in second place")]
    BodyLength,
    /// The length goes beyond the limit that the caller set.
    #[error("BodyLength (9) makes a message of {size} bytes, the limit is {limit}")]
    TooLong {
        /// Bytes of the whole message.
        size: usize,
        /// Most bytes allowed.
        limit: usize,
    },
    /// The third field is not `35=`.
    #[error("no MsgType (35) in third place")]
    MsgType,
    /// Where the length says that the body ends there is no `10=ddd`.
    #[error("no CheckSum (10) at byte {at}, where BodyLength (9) says that it starts")]
    Trailer {
        /// Offset from the start of the message.
        at: usize,
    },
    /// The bytes do not add up.
    #[error("CheckSum (10) is {told}, the bytes add up to {sum}")]
    CheckSum {
        /// What the message says: 0 to 999.
        told: u16,
        /// The sum of its bytes modulo 256.
        sum: u8,
    },
    /// The bytes end inside a message: only [`Frames`] and [`Message::parse`] say so.
    #[error("cut: {have} bytes of a message of at least {want}")]
    Cut {
        /// Bytes given.
        have: usize,
        /// Bytes needed to say more.
        want: usize,
    },
}

/// Looks for one message at the start of `bytes`. A message longer than `limit` bytes is refused
/// before it is waited for, so a receiver's buffer needs no more than `limit`.
///
/// Cost: the bytes of one message are added up once; the fields are not looked at.
#[must_use]
#[inline]
pub fn find(bytes: &[u8], limit: usize) -> Found<'_> {
    match header(bytes, limit) {
        Ok(Some(header)) => body(bytes, header),
        Ok(None) => Found::More {
            size_min: bytes.len() + 1,
        },
        Err(fault) => garbled(bytes, fault),
    }
}

/// Where the parts of a message are.
#[derive(Clone, Copy)]
struct Header {
    /// Where `35=` must start.
    body_at: usize,
    /// Where `10=` must start.
    trailer_at: usize,
}

/// The first two fields; `None` when they are not complete but good so far.
#[inline]
fn header(bytes: &[u8], limit: usize) -> Result<Option<Header>, Fault> {
    let start = &bytes[..bytes.len().min(START.len())];
    if !START.starts_with(start) {
        return Err(Fault::Start);
    }
    if start.len() < START.len() {
        return Ok(None);
    }
    let begin = &bytes[2..bytes.len().min(3 + BEGIN_STRING_SIZE_MAX)];
    let begin_size = match begin.iter().position(|&byte| byte == SOH) {
        Some(size) => size,
        None if begin.len() > BEGIN_STRING_SIZE_MAX => return Err(Fault::BeginString),
        None => return Ok(None),
    };
    let length_at = 2 + begin_size + 1;
    match &bytes[length_at..] {
        [] | [b'9'] => return Ok(None),
        [b'9', b'=', ..] => {}
        _ => return Err(Fault::BodyLength),
    }
    let mut at = length_at + 2;
    let mut length = 0_usize;
    loop {
        match bytes.get(at) {
            None => return Ok(None),
            Some(&SOH) if at > length_at + 2 => break,
            Some(&digit @ b'0'..=b'9') if at - length_at - 2 < LENGTH_DIGITS_MAX => {
                length = length * 10 + usize::from(digit - b'0');
            }
            Some(_) => return Err(Fault::BodyLength),
        }
        at += 1;
    }
    let body_at = at + 1;
    let size = body_at + length + TRAILER_SIZE;
    if size > limit {
        return Err(Fault::TooLong { size, limit });
    }
    Ok(Some(Header {
        body_at,
        trailer_at: body_at + length,
    }))
}

#[inline]
fn body(bytes: &[u8], header: Header) -> Found<'_> {
    let Header {
        body_at,
        trailer_at,
    } = header;
    // A wrong third field is seen before the whole body has come: nothing is waited for in vain.
    let start = &bytes[body_at..bytes.len().min(body_at + 3)];
    if !b"35=".starts_with(start) {
        return garbled(bytes, Fault::MsgType);
    }
    let Some(whole) = bytes.get(..trailer_at + TRAILER_SIZE) else {
        return Found::More {
            size_min: trailer_at + TRAILER_SIZE,
        };
    };
    let told = match &whole[trailer_at - 1..] {
        [SOH, b'1', b'0', b'=', hundreds, tens, ones, SOH]
            if [hundreds, tens, ones].iter().all(|d| d.is_ascii_digit()) =>
        {
            u16::from(hundreds - b'0') * 100 + u16::from(tens - b'0') * 10 + u16::from(ones - b'0')
        }
        _ => return garbled(bytes, Fault::Trailer { at: trailer_at }),
    };
    let sum = sum(&whole[..trailer_at]);
    if u16::from(sum) != told {
        // The length was right, so the whole message is what goes.
        return Found::Garbled(Garbled {
            size: whole.len(),
            fault: Fault::CheckSum { told, sum },
        });
    }
    Found::Message(Message::new(whole, body_at, trailer_at))
}

/// The checksum of `bytes`: their sum modulo 256.
#[inline]
pub(super) fn sum(bytes: &[u8]) -> u8 {
    // Sums of whole words would be no quicker: the compiler adds 32 bytes at a time here.
    bytes.iter().fold(0, |sum, &byte| sum.wrapping_add(byte))
}

#[cold]
fn garbled(bytes: &[u8], fault: Fault) -> Found<'_> {
    let start = bytes
        .windows(START.len())
        .skip(1)
        .position(|five| five == START);
    let size = match start {
        Some(before) => before + 1,
        // The end may be the beginning of a start. One byte must go, or nothing would change.
        None => {
            let kept = (1..START.len())
                .rev()
                .find(|&size| bytes.ends_with(&START[..size]));
            (bytes.len() - kept.unwrap_or(0)).max(1)
        }
    };
    Found::Garbled(Garbled { size, fault })
}

/// The messages of a file or of any run of bytes, one after another. Garbage between them is an
/// item of its own; a cut last message too, and then it ends.
///
/// ```
/// use wire::fix::Frames;
/// let bytes = b"8=FIX.4.4\x019=5\x0135=0\x0110=163\x01noise";
/// let mut frames = Frames::new(bytes, 4096);
/// assert_eq!(frames.next().expect("one").expect("good").msg_type(), b"0");
/// assert_eq!(frames.next().expect("two").expect_err("noise").size, 5);
/// assert!(frames.next().is_none());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    limit: usize,
}

impl<'a> Frames<'a> {
    /// Reads `bytes`; a message may have `limit` bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8], limit: usize) -> Self {
        Self {
            bytes,
            at: 0,
            limit,
        }
    }

    /// Where the next item starts.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Message<'a>, Garbled>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return None;
        }
        match find(rest, self.limit) {
            Found::Message(message) => {
                self.at += message.bytes().len();
                Some(Ok(message))
            }
            Found::Garbled(garbled) => {
                self.at += garbled.size;
                Some(Err(garbled))
            }
            Found::More { size_min } => {
                self.at = self.bytes.len();
                let (have, want) = (rest.len(), size_min);
                Some(Err(Garbled {
                    size: have,
                    fault: Fault::Cut { have, want },
                }))
            }
        }
    }
}

impl FusedIterator for Frames<'_> {}
