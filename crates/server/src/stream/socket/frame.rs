//! Frames of RFC 6455, the server's side: bytes to messages and back. No I/O.

use super::deflate::Inflater;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV23: u8 = 0x30;
const MASKED: u8 = 0x80;
const CONTROL_LIMIT: usize = 125;

/// What a frame carries (section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// More of a message.
    Continuation = 0,
    /// Text.
    Text = 1,
    /// Bytes.
    Binary = 2,
    /// The end.
    Close = 8,
    /// Are you there?
    Ping = 9,
    /// I am.
    Pong = 10,
}

impl Opcode {
    fn of(bits: u8) -> Option<Self> {
        [
            Self::Continuation,
            Self::Text,
            Self::Binary,
            Self::Close,
            Self::Ping,
            Self::Pong,
        ]
        .into_iter()
        .find(|opcode| *opcode as u8 == bits)
    }

    fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// A whole message of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// To be answered with the same bytes.
    Ping(Vec<u8>),
    /// Still there.
    Pong,
    /// To be answered with the same code.
    Close(u16),
}

/// Why the connection must end; the number is the close code of section 7.4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// 1002.
    #[error("the client breaks the WebSocket protocol: {0}")]
    Protocol(&'static str),
    /// 1007.
    #[error("the client's text is not UTF-8")]
    NotUtf8,
    /// 1009.
    #[error("the client's message has more than {limit} bytes")]
    TooBig {
        /// The limit.
        limit: usize,
    },
}

impl Fault {
    /// The close code.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::NotUtf8 => 1007,
            Self::TooBig { .. } => 1009,
        }
    }
}

struct Header {
    is_last: bool,
    is_compressed: bool,
    opcode: Opcode,
    mask: [u8; 4],
    /// Of the header.
    size: usize,
    payload: usize,
}

/// Bytes as they come, to messages. Holds at most one message and one frame.
pub struct Decoder {
    bytes: Vec<u8>,
    /// The message so far, and how it began.
    message: Vec<u8>,
    begun: Option<(Opcode, bool)>,
    inflater: Option<Inflater>,
    limit: usize,
}

impl Decoder {
    /// For messages of at most `limit` bytes, unpacked too.
    pub fn new(limit: usize, inflater: Option<Inflater>) -> Self {
        Self {
            bytes: Vec::new(),
            message: Vec::new(),
            begun: None,
            inflater,
            limit,
        }
    }

    /// Takes bytes of the connection.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, if it is there.
    ///
    /// # Errors
    /// When the connection must end.
    #[allow(
        clippy::should_implement_trait,
        reason = "no iterator: an error ends it"
    )]
    pub fn next(&mut self) -> Result<Option<Said>, Fault> {
        while let Some(header) = self.header()? {
            let end = header.size + header.payload;
            if self.bytes.len() < end {
                return Ok(None);
            }
            let mut payload: Vec<u8> = self.bytes.drain(..end).skip(header.size).collect();
            for (byte, key) in payload.iter_mut().zip(header.mask.iter().cycle()) {
                *byte ^= key;
            }
            if let Some(said) = self.frame(&header, payload)? {
                return Ok(Some(said));
            }
        }
        Ok(None)
    }

    /// The header of the next frame, checked; `None` until it is there.
    fn header(&self) -> Result<Option<Header>, Fault> {
        let &[first, second, ..] = self.bytes.as_slice() else {
            return Ok(None);
        };
        let opcode = Opcode::of(first & 0x0f).ok_or(Fault::Protocol("unknown opcode"))?;
        let (is_last, is_compressed) = (first & FIN != 0, first & RSV1 != 0);
        let may_compress =
            self.inflater.is_some() && matches!(opcode, Opcode::Text | Opcode::Binary);
        if first & RSV23 != 0 || (is_compressed && !may_compress) {
            return Err(Fault::Protocol("reserved bit without its extension"));
        }
        if second & MASKED == 0 {
            return Err(Fault::Protocol("frame without a mask"));
        }
        let extra = match second & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(rest) = self.bytes.get(2..2 + extra + 4) else {
            return Ok(None);
        };
        let (length, mask) = rest.split_at(extra);
        let payload = match length {
            [] => u64::from(second & !MASKED),
            _ => length.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)),
        };
        let payload = usize::try_from(payload).unwrap_or(usize::MAX);
        if opcode.is_control() && (payload > CONTROL_LIMIT || !is_last) {
            return Err(Fault::Protocol("control frame in parts or too long"));
        }
        if payload.saturating_add(self.message.len()) > self.limit {
            return Err(Fault::TooBig { limit: self.limit });
        }
        Ok(Some(Header {
            is_last,
            is_compressed,
            opcode,
            mask: [mask[0], mask[1], mask[2], mask[3]],
            size: 2 + extra + 4,
            payload,
        }))
    }

    fn frame(&mut self, header: &Header, payload: Vec<u8>) -> Result<Option<Said>, Fault> {
        match (header.opcode, self.begun) {
            (Opcode::Ping, _) => return Ok(Some(Said::Ping(payload))),
            (Opcode::Pong, _) => return Ok(Some(Said::Pong)),
            (Opcode::Close, _) => return close(&payload).map(|code| Some(Said::Close(code))),
            (Opcode::Continuation, None) => {
                return Err(Fault::Protocol("continuation of nothing"));
            }
            (Opcode::Continuation, Some(_)) => {}
            (_, Some(_)) => return Err(Fault::Protocol("message inside a message")),
            (opcode, None) => self.begun = Some((opcode, header.is_compressed)),
        }
        self.message.extend_from_slice(&payload);
        if !header.is_last {
            return Ok(None);
        }
        let mut message = std::mem::take(&mut self.message);
        let (opcode, is_compressed) = self.begun.take().expect("set above");
        if is_compressed && let Some(inflater) = &mut self.inflater {
            message = inflater.inflate(&message, self.limit)?;
        }
        Ok(Some(match opcode {
            Opcode::Text => Said::Text(String::from_utf8(message).map_err(|_| Fault::NotUtf8)?),
            _ => Said::Binary(message),
        }))
    }
}

fn close(payload: &[u8]) -> Result<u16, Fault> {
    match payload {
        [] => Ok(1000),
        [_] => Err(Fault::Protocol("close code of one byte")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            let is_code = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            if !is_code {
                return Err(Fault::Protocol("close code that may not be sent"));
            }
            std::str::from_utf8(reason).map_err(|_| Fault::NotUtf8)?;
            Ok(code)
        }
    }
}

/// Appends one whole frame, unmasked as a server's are.
pub fn encode(opcode: Opcode, payload: &[u8], is_compressed: bool, out: &mut Vec<u8>) {
    out.push(FIN | if is_compressed { RSV1 } else { 0 } | opcode as u8);
    match payload.len() {
        size @ 0..=125 => out.push(size as u8),
        size @ 126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(size as u16).to_be_bytes());
        }
        size => {
            out.push(127);
            out.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        encode(Opcode::Binary, payload, false, &mut frame);
        frame[0] = first;
        frame[1] |= MASKED;
        let at = frame.len() - payload.len();
        let mask = [1, 2, 3, 4];
        frame.splice(at..at, mask);
        let body = frame[at + 4..].iter_mut();
        body.zip(mask.iter().cycle())
            .for_each(|(byte, key)| *byte ^= key);
        frame
    }

    fn all(bytes: &[u8], step: usize) -> Result<Vec<Said>, Fault> {
        let mut decoder = Decoder::new(70_000, None);
        let mut said = Vec::new();
        for part in bytes.chunks(step) {
            decoder.feed(part);
            while let Some(one) = decoder.next()? {
                said.push(one);
            }
        }
        Ok(said)
    }

    #[test]
    fn messages_come_whole_however_the_bytes_are_cut() {
        let long = vec![b'x'; 66_000];
        let bytes = [
            masked(0x81, b"one"),
            masked(0x01, b"tw"),
            masked(0x89, b"ping"),
            masked(0x80, b"o"),
            masked(0x82, &long),
            masked(0x82, &long[..300]),
            masked(0x88, &[3, 232]),
        ]
        .concat();
        let want = vec![
            Said::Text("one".to_owned()),
            Said::Ping(b"ping".to_vec()),
            Said::Text("two".to_owned()),
            Said::Binary(long.clone()),
            Said::Binary(long[..300].to_vec()),
            Said::Close(1000),
        ];
        for step in [1, 2, 7, 4_096, usize::MAX] {
            assert_eq!(all(&bytes, step), Ok(want.clone()), "{step}");
        }
    }

    #[test]
    fn what_breaks_the_protocol_ends_it_with_the_right_code() {
        let mut unmasked = Vec::new();
        encode(Opcode::Text, b"hi", false, &mut unmasked);
        let cases: [(&[u8], u16); 10] = [
            (&unmasked, 1002),
            (&masked(0xc1, b"hi"), 1002),
            (&masked(0xa1, b"hi"), 1002),
            (&masked(0x83, b"hi"), 1002),
            (&masked(0x80, b"hi"), 1002),
            (&masked(0x09, b"hi"), 1002),
            (&masked(0x88, &[3]), 1002),
            (&masked(0x88, &[3, 237]), 1002),
            (&masked(0x81, &[0xff]), 1007),
            (&[0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4], 1009),
        ];
        for (bytes, code) in cases {
            assert_eq!(all(bytes, 64).map_err(Fault::code), Err(code), "{bytes:x?}");
        }
        let nested = [masked(0x01, b"a"), masked(0x01, b"b")].concat();
        assert_eq!(all(&nested, 64).map_err(Fault::code), Err(1002));
    }
}
