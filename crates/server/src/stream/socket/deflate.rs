//! permessage-deflate (RFC 7692): what is negotiated, and messages packed and unpacked.
//!
//! A client's window of fewer than 15 bits for us is declined, since our compressor has only the
//! largest; the connection then goes on without compression.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::frame::Fault;

/// Shorter messages are sent as they are.
const SMALLEST: usize = 64;
/// What ends every flushed block and is not sent (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// What both sides agreed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    server_resets: bool,
    client_resets: bool,
    names_window: bool,
}

impl Agreed {
    /// The first offer of a `Sec-WebSocket-Extensions` header that we can keep.
    pub fn from_offers(header: &str) -> Option<Self> {
        header.split(',').find_map(Self::from_offer)
    }

    fn from_offer(offer: &str) -> Option<Self> {
        let mut parts = offer.split(';').map(str::trim);
        if parts.next() != Some("permessage-deflate") {
            return None;
        }
        let mut agreed = Self::default();
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
                None => (part, None),
            };
            match (name, value) {
                ("server_no_context_takeover", None) => agreed.server_resets = true,
                ("client_no_context_takeover", None) => agreed.client_resets = true,
                ("server_max_window_bits", Some("15")) => agreed.names_window = true,
                // A hint or a promise: we unpack any window.
                ("client_max_window_bits", None) => {}
                ("client_max_window_bits", Some(bits)) if is_window(bits) => {}
                _ => return None,
            }
        }
        Some(agreed)
    }

    /// The header of the answer.
    pub fn header(self) -> String {
        let mut header = "permessage-deflate".to_owned();
        for (is_so, name) in [
            (self.server_resets, "; server_no_context_takeover"),
            (self.client_resets, "; client_no_context_takeover"),
            (self.names_window, "; server_max_window_bits=15"),
        ] {
            if is_so {
                header.push_str(name);
            }
        }
        header
    }

    /// Packs what we send.
    pub fn deflater(self) -> Deflater {
        Deflater {
            compress: Compress::new(Compression::fast(), false),
            resets: self.server_resets,
            packed: Vec::new(),
        }
    }

    /// Unpacks what the client sends.
    pub fn inflater(self) -> Inflater {
        Inflater {
            decompress: Decompress::new(false),
            resets: self.client_resets,
        }
    }
}

fn is_window(bits: &str) -> bool {
    bits.parse().is_ok_and(|bits: u8| (8..=15).contains(&bits))
}

/// The compressor of one connection.
pub struct Deflater {
    compress: Compress,
    resets: bool,
    packed: Vec<u8>,
}

impl Deflater {
    /// The message packed; `None` when it is better sent as it is.
    pub fn deflate(&mut self, message: &[u8]) -> Option<&[u8]> {
        if message.len() < SMALLEST {
            return None;
        }
        self.packed.clear();
        let before = self.compress.total_in();
        loop {
            let done = (self.compress.total_in() - before) as usize;
            let room = (message.len() - done) / 2 + 128;
            self.packed.reserve(room);
            let rest = &message[done..];
            let packed = self
                .compress
                .compress_vec(rest, &mut self.packed, FlushCompress::Sync);
            // With a sync flush the only failure is a misuse of the stream.
            packed.expect("a stream that was begun goes on");
            let is_all = self.compress.total_in() - before == message.len() as u64;
            if is_all && self.packed.len() < self.packed.capacity() {
                break;
            }
        }
        if self.resets {
            self.compress.reset();
        }
        debug_assert!(self.packed.ends_with(&TAIL), "a flushed block");
        let size = self.packed.len().saturating_sub(TAIL.len());
        Some(&self.packed[..size])
    }
}

/// The decompressor of one connection.
pub struct Inflater {
    decompress: Decompress,
    resets: bool,
}

impl Inflater {
    /// The message unpacked, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// When it is no deflate stream or grows beyond the limit.
    pub fn inflate(&mut self, packed: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
        let mut message = Vec::with_capacity((packed.len() * 3).clamp(256, limit.max(256)));
        for part in [packed, &TAIL] {
            self.part(part, limit, &mut message)?;
        }
        if self.resets {
            self.decompress.reset(false);
        }
        Ok(message)
    }

    fn part(&mut self, part: &[u8], limit: usize, message: &mut Vec<u8>) -> Result<(), Fault> {
        let bad = Fault::Protocol("packed message that cannot be unpacked");
        let before = self.decompress.total_in();
        loop {
            let rest = &part[(self.decompress.total_in() - before) as usize..];
            let status = self
                .decompress
                .decompress_vec(rest, message, FlushDecompress::Sync)
                .map_err(|_| bad)?;
            if message.len() > limit {
                return Err(Fault::TooBig { limit });
            }
            let is_read = self.decompress.total_in() - before == part.len() as u64;
            match status {
                // A final block ends the stream; the next message begins another.
                Status::StreamEnd => {
                    self.decompress.reset(false);
                    return Ok(());
                }
                _ if is_read && message.len() < message.capacity() => return Ok(()),
                Status::BufError if message.len() < message.capacity() => return Err(bad),
                _ => message.reserve(message.len().clamp(256, limit)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_of_browsers_and_libraries_are_read() {
        let header = |offers| Agreed::from_offers(offers).map(Agreed::header);
        let plain = Some("permessage-deflate".to_owned());
        assert_eq!(header("permessage-deflate; client_max_window_bits"), plain);
        let python = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12, \
            permessage-deflate; client_max_window_bits";
        assert_eq!(
            header(python),
            plain,
            "the second offer is the one we can keep"
        );
        let all = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
            server_max_window_bits=15";
        assert_eq!(header(all).as_deref(), Some(all));
        for none in [
            "",
            "x-other",
            "permessage-deflate; server_max_window_bits=9",
            "permessage-deflate; x",
        ] {
            assert_eq!(header(none), None, "{none}");
        }
    }

    #[test]
    fn messages_survive_packing_with_and_without_memory() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; server_no_context_takeover",
        ] {
            let agreed = Agreed::from_offers(offer).expect("kept");
            let mut deflater = agreed.deflater();
            // The client's end unpacks what ours packs.
            let mut inflater = Inflater {
                decompress: Decompress::new(false),
                resets: agreed.server_resets,
            };
            let mut sizes = Vec::new();
            for n in [64usize, 100, 5_000, 100, 300_000, 100] {
                let message: Vec<u8> = (0..n).map(|i| (i * i / 7 % 251) as u8).collect();
                let packed = deflater.deflate(&message).expect("long enough").to_vec();
                sizes.push(packed.len());
                assert_eq!(inflater.inflate(&packed, 1 << 20), Ok(message));
            }
            if !agreed.server_resets {
                assert!(sizes[3] < sizes[1], "what was said before helps: {sizes:?}");
            }
            assert_eq!(deflater.deflate(b"short"), None);
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let agreed = Agreed::default();
        let bomb = agreed
            .deflater()
            .deflate(&vec![0; 50 << 20])
            .expect("packed")
            .to_vec();
        assert!(bomb.len() < 1 << 20);
        let limit = 64 << 10;
        assert_eq!(
            agreed.inflater().inflate(&bomb, limit),
            Err(Fault::TooBig { limit })
        );
        assert!(agreed.inflater().inflate(&[0xff; 40], limit).is_err());
    }
}
