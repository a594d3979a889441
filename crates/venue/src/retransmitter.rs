//! Answers requests for messages that a receiver lost, from a bounded history.

use wire::moldudp64::{PacketWriter, Request};

/// Largest message kept. ITCH 5.0 needs 50 bytes.
pub const MESSAGE_LIMIT: usize = 62;
/// Messages that one request may have at most: more must be asked for again.
pub const REQUEST_LIMIT: u16 = 2_048;

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Another session's name: its numbers mean nothing here.
    Session,
    /// Asks for no message at all.
    Empty,
    /// The first message asked for is gone: take a snapshot or mark the book stale.
    TooOld {
        /// The oldest number still kept.
        oldest: u64,
    },
    /// The first message asked for does not exist yet.
    NotYet {
        /// The number that comes next.
        next: u64,
    },
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session => f.write_str("retransmission refused: another session"),
            Self::Empty => f.write_str("retransmission refused: asks for no message"),
            Self::TooOld { oldest } => write!(
                f,
                "retransmission refused: history begins at {oldest}; the gap stays open"
            ),
            Self::NotYet { next } => {
                write!(
                    f,
                    "retransmission refused: {next} comes next; ask when it was sent"
                )
            }
        }
    }
}

impl std::error::Error for Refused {}

#[derive(Clone, Copy)]
struct Kept {
    size: u8,
    bytes: [u8; MESSAGE_LIMIT],
}

/// The last messages of one session.
#[derive(Clone)]
pub struct Retransmitter {
    session: [u8; 10],
    ring: Box<[Kept]>,
    next_seq: u64,
    packet: Box<[u8]>,
}

impl std::fmt::Debug for Retransmitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retransmitter")
            .field("session", &self.session.escape_ascii())
            .field("kept", &self.ring.len())
            .field("next_seq", &self.next_seq)
            .finish()
    }
}

impl Retransmitter {
    /// Keeps the last `capacity` messages (63 bytes each, taken now) and answers with packets of
    /// at most `limit` bytes of payload.
    #[must_use]
    pub fn new(session: [u8; 10], capacity: usize, limit: usize) -> Self {
        let empty = Kept {
            size: 0,
            bytes: [0; MESSAGE_LIMIT],
        };
        Self {
            session,
            ring: vec![empty; capacity.max(1)].into_boxed_slice(),
            next_seq: 1,
            packet: vec![0; limit.clamp(128, 65_000)].into_boxed_slice(),
        }
    }

    /// Keeps the next message of the session; the oldest may go. A message longer than
    /// [`MESSAGE_LIMIT`] is refused with `false` and takes no number.
    pub fn keep(&mut self, message: &[u8]) -> bool {
        if message.len() > MESSAGE_LIMIT {
            return false;
        }
        let place = (self.next_seq % self.ring.len() as u64) as usize;
        let kept = &mut self.ring[place];
        kept.size = message.len() as u8;
        kept.bytes[..message.len()].copy_from_slice(message);
        self.next_seq += 1;
        true
    }

    /// Sends what `request` asks for, in packets, up to the newest message and to
    /// [`REQUEST_LIMIT`]. Answers how many messages were sent.
    ///
    /// # Errors
    /// [`Refused`], and nothing was sent.
    pub fn answer(
        &mut self,
        request: &Request,
        send: &mut impl FnMut(&[u8]),
    ) -> Result<u64, Refused> {
        if request.session != self.session {
            return Err(Refused::Session);
        }
        if request.count == 0 {
            return Err(Refused::Empty);
        }
        if request.seq >= self.next_seq {
            return Err(Refused::NotYet {
                next: self.next_seq,
            });
        }
        let oldest = self.oldest();
        if request.seq < oldest {
            return Err(Refused::TooOld { oldest });
        }
        let count = u64::from(request.count.min(REQUEST_LIMIT));
        let end = (request.seq + count).min(self.next_seq);
        let mut seq = request.seq;
        while seq < end {
            let mut writer = PacketWriter::new(&mut self.packet, self.session, seq);
            while seq < end {
                let kept = &self.ring[(seq % self.ring.len() as u64) as usize];
                if !writer.push(&kept.bytes[..usize::from(kept.size)]) {
                    break;
                }
                seq += 1;
            }
            send(writer.finish());
        }
        Ok(end - request.seq)
    }

    /// The oldest number still kept (the next one when nothing was kept yet).
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.next_seq.saturating_sub(self.ring.len() as u64).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::moldudp64::Packet;

    const SESSION: [u8; 10] = *b"SESSION001";

    fn kept(count: u64, capacity: usize) -> Retransmitter {
        let mut retransmitter = Retransmitter::new(SESSION, capacity, 200);
        for seq in 1..=count {
            assert!(retransmitter.keep(&seq.to_be_bytes()));
        }
        retransmitter
    }

    #[test]
    fn answers_exactly_what_was_asked_and_exists() {
        let mut retransmitter = kept(500, 100);
        for (seq, count, want) in [(401, 10, 10u64), (450, 51, 51), (490, 500, 11), (500, 1, 1)] {
            let mut got = Vec::new();
            let request = Request {
                session: SESSION,
                seq,
                count,
            };
            let answer = retransmitter.answer(&request, &mut |bytes: &[u8]| {
                let packet = Packet::parse(bytes).expect("a packet");
                assert_eq!(packet.seq(), seq + got.len() as u64);
                for message in packet.messages().flatten() {
                    got.push(u64::from_be_bytes(message.try_into().expect("eight bytes")));
                }
            });
            assert_eq!(answer, Ok(want));
            assert_eq!(got, (seq..seq + want).collect::<Vec<_>>());
        }
    }

    #[test]
    fn refuses_what_it_cannot_answer() {
        let mut retransmitter = kept(500, 100);
        let mut ask = |session, seq, count| {
            retransmitter.answer(
                &Request {
                    session,
                    seq,
                    count,
                },
                &mut |_: &[u8]| panic!("nothing may be sent"),
            )
        };
        assert_eq!(ask(SESSION, 400, 5), Err(Refused::TooOld { oldest: 401 }));
        assert_eq!(ask(SESSION, 0, 5), Err(Refused::TooOld { oldest: 401 }));
        assert_eq!(ask(SESSION, 501, 5), Err(Refused::NotYet { next: 501 }));
        assert_eq!(ask(SESSION, 450, 0), Err(Refused::Empty));
        assert_eq!(ask(*b"OTHERNAMES", 450, 1), Err(Refused::Session));
        assert!(!retransmitter.keep(&[0; MESSAGE_LIMIT + 1]));
    }
}
