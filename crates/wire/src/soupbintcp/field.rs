//! Logins and their answers. Text is ASCII; names are padded on the right, sessions and numbers on
//! the left (section 2).

use super::Error;

/// Digits of a sequence number.
pub(super) const NUMBER_SIZE: usize = 20;
const SESSION_SIZE: usize = 10;

/// Who wants which session from which message on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginRequest {
    /// Padded with spaces on the right.
    pub username: [u8; 6],
    /// Padded with spaces on the right.
    pub password: [u8; 10],
    /// The session wanted; all spaces: the current one.
    pub session: [u8; SESSION_SIZE],
    /// The next message wanted; 0: only what comes from now on.
    pub seq: u64,
}

impl LoginRequest {
    /// Bytes of payload.
    pub const SIZE: usize = 6 + 10 + SESSION_SIZE + NUMBER_SIZE;
    /// The current session, whichever it is.
    pub const ANY_SESSION: [u8; SESSION_SIZE] = [b' '; SESSION_SIZE];

    /// A request for `seq` of the current session. Names that do not fit are `None`.
    #[must_use]
    pub fn new(username: &str, password: &str, seq: u64) -> Option<Self> {
        Some(Self {
            username: padded(username)?,
            password: padded(password)?,
            session: Self::ANY_SESSION,
            seq,
        })
    }

    pub(super) fn parse(payload: &[u8]) -> Result<Self, Error> {
        let wrong = || length(b'L', Self::SIZE, payload.len());
        let (username, rest) = payload.split_first_chunk().ok_or_else(wrong)?;
        let (password, rest) = rest.split_first_chunk().ok_or_else(wrong)?;
        let (session, number) = rest.split_first_chunk().ok_or_else(wrong)?;
        Ok(Self {
            username: *username,
            password: *password,
            session: *session,
            seq: parse_number(number)?,
        })
    }

    pub(super) fn write(&self, out: &mut [u8; Self::SIZE]) {
        out[..6].copy_from_slice(&self.username);
        out[6..16].copy_from_slice(&self.password);
        out[16..26].copy_from_slice(&self.session);
        out[26..].copy_from_slice(&number(self.seq));
    }
}

/// Which session the client is in, and the number of the next sequenced message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginAccepted {
    /// Padded with spaces on the left.
    pub session: [u8; SESSION_SIZE],
    /// The number of the next sequenced message.
    pub seq: u64,
}

impl LoginAccepted {
    /// Bytes of payload.
    pub const SIZE: usize = SESSION_SIZE + NUMBER_SIZE;

    pub(super) fn parse(payload: &[u8]) -> Result<Self, Error> {
        let (session, number) = payload
            .split_first_chunk()
            .ok_or_else(|| length(b'A', Self::SIZE, payload.len()))?;
        Ok(Self {
            session: *session,
            seq: parse_number(number)?,
        })
    }

    pub(super) fn write(&self, out: &mut [u8; Self::SIZE]) {
        out[..10].copy_from_slice(&self.session);
        out[10..].copy_from_slice(&number(self.seq));
    }
}

/// Why a login does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RejectReason {
    /// `A`: wrong name or password, or one that may not have this session.
    #[error("the server does not accept name and password: fix the configuration")]
    NotAuthorised,
    /// `S`: the session does not exist.
    #[error("the server has no such session: ask for the current one")]
    NoSession,
}

impl RejectReason {
    /// The code on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::NotAuthorised => b'A',
            Self::NoSession => b'S',
        }
    }

    pub(super) fn parse(payload: &[u8]) -> Result<Self, Error> {
        match payload {
            [b'A'] => Ok(Self::NotAuthorised),
            [b'S'] => Ok(Self::NoSession),
            [other] => Err(Error::RejectCode(*other)),
            _ => Err(length(b'J', 1, payload.len())),
        }
    }
}

fn length(kind: u8, want: usize, have: usize) -> Error {
    Error::Length { kind, want, have }
}

/// `text` padded on the right; `None` when it does not fit or is not printable ASCII.
fn padded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if text.len() > N || !is_plain {
        return None;
    }
    let mut out = [b' '; N];
    out[..text.len()].copy_from_slice(text.as_bytes());
    Some(out)
}

/// Decimal digits, padded with spaces on the left.
pub(crate) fn number(mut value: u64) -> [u8; NUMBER_SIZE] {
    let mut out = [b' '; NUMBER_SIZE];
    for slot in out.iter_mut().rev() {
        *slot = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out
}

/// Digits with spaces on either side: servers pad as they like.
pub(crate) fn parse_number(text: &[u8]) -> Result<u64, Error> {
    let digits = text.trim_ascii();
    if digits.is_empty() {
        return Err(Error::Number);
    }
    digits.iter().try_fold(0u64, |value, &digit| {
        let digit = match digit {
            b'0'..=b'9' => u64::from(digit - b'0'),
            _ => return Err(Error::Number),
        };
        value
            .checked_mul(10)
            .and_then(|value| value.checked_add(digit))
            .ok_or(Error::Number)
    })
}
