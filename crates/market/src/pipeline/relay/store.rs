//! The last messages of a session, for those who ask again. Bounded by bytes.

use std::collections::VecDeque;

use wire::moldudp64::{HEADER_SIZE, PacketWriter, Request};

/// Messages that one request may bring at most; more must be asked for again.
pub const REQUEST_LIMIT: u16 = 1_024;

/// A ring of bytes and the messages that lie in it. All memory is taken at the start.
#[derive(Debug)]
pub struct Store {
    bytes: Box<[u8]>,
    /// Offset and size, oldest first.
    kept: VecDeque<(u32, u32)>,
    /// Where the next message goes.
    head: usize,
    /// The number after the newest.
    next_seq: u64,
}

impl Store {
    /// A store of `bytes` (at least 64 KiB, at most 4 GiB) for messages numbered from `first_seq`.
    #[must_use]
    pub fn new(bytes: usize, first_seq: u64) -> Self {
        let bytes = bytes.clamp(64 << 10, u32::MAX as usize);
        Self {
            bytes: vec![0; bytes].into_boxed_slice(),
            kept: VecDeque::with_capacity(bytes / 128),
            head: 0,
            next_seq: first_seq,
        }
    }

    /// Keeps the next message; the oldest go.
    pub fn keep(&mut self, message: &[u8]) {
        let size = message.len();
        if self.head + size > self.bytes.len() {
            // What lies between here and the end is older than what is overwritten next.
            self.forget(self.head, self.bytes.len());
            self.head = 0;
        }
        self.forget(self.head, self.head + size);
        self.bytes[self.head..self.head + size].copy_from_slice(message);
        self.kept.push_back((self.head as u32, size as u32));
        self.head += size;
        self.next_seq += 1;
    }

    /// Forgets the messages that lie in `[from, to)`: the oldest, since the ring is filled in order.
    fn forget(&mut self, from: usize, to: usize) {
        while let Some(&(at, size)) = self.kept.front() {
            let (at, size) = (at as usize, size as usize);
            let overlaps = at < to && at + size > from;
            if !overlaps {
                return;
            }
            self.kept.pop_front();
        }
    }

    /// The number of the oldest message kept; `next_seq` when there is none.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.next_seq - self.kept.len() as u64
    }

    /// The number after the newest.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The message numbered `seq`, if it is kept.
    #[must_use]
    pub fn get(&self, seq: u64) -> Option<&[u8]> {
        let place = usize::try_from(seq.checked_sub(self.oldest())?).ok()?;
        let &(at, size) = self.kept.get(place)?;
        self.bytes.get(at as usize..(at + size) as usize)
    }

    /// Sends what `request` asks for and the store has, in packets that fit `packet`; how many
    /// messages. Nothing for another session, for numbers that are gone or not there yet: the
    /// receiver gives up what nobody has.
    pub fn answer(
        &self,
        session: [u8; 10],
        request: &Request,
        packet: &mut [u8],
        send: &mut impl FnMut(&[u8]),
    ) -> u64 {
        if request.session != session || packet.len() <= HEADER_SIZE {
            return 0;
        }
        let end = request
            .seq
            .saturating_add(u64::from(request.count.min(REQUEST_LIMIT)));
        let end = end.min(self.next_seq);
        // The first messages may be gone: what is left is still worth having.
        let mut seq = request.seq.max(self.oldest());
        let mut sent = 0;
        while seq < end {
            let mut writer = PacketWriter::new(packet, session, seq);
            while seq < end && self.get(seq).is_some_and(|message| writer.push(message)) {
                seq += 1;
            }
            if writer.count() == 0 {
                return sent;
            }
            sent += u64::from(writer.count());
            send(writer.finish());
        }
        sent
    }
}
