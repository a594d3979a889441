//! What must outlive a connection: the two sequence numbers, and what was sent.

mod file;

use std::collections::VecDeque;
use std::io;

pub use file::FileStore;

/// Numbers and sent messages of one session.
///
/// A session calls [`Store::commit`] before it lets go of the bytes it wants sent, so whatever a
/// counterparty has seen can be sent again. What takes a disk's time is left to [`Store::settle`].
pub trait Store: Send {
    /// The number that our next message gets; from 1.
    fn next_sender(&self) -> u64;

    /// The number that the counterparty's next message must have; from 1.
    fn next_target(&self) -> u64;

    /// When numbers last started again, ns UTC; 0 when never.
    fn reset_ns(&self) -> u64;

    /// Keeps a message that will be sent with number [`Store::next_sender`], and counts it.
    ///
    /// # Errors
    ///
    /// When it cannot be kept: the session must end, or the message could not be sent again.
    fn sent(&mut self, message: &[u8]) -> io::Result<()>;

    /// Sets the number expected next.
    ///
    /// # Errors
    ///
    /// When it cannot be kept.
    fn set_next_target(&mut self, seq: u64) -> io::Result<()>;

    /// The message sent with number `seq`; `None` when it is no longer kept.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn read(&mut self, seq: u64) -> io::Result<Option<Vec<u8>>>;

    /// Forgets everything: both numbers are 1 again.
    ///
    /// # Errors
    ///
    /// When that cannot be kept.
    fn reset(&mut self, now_ns: u64) -> io::Result<()>;

    /// Makes all of the above outlive the process. Hands bytes to the system and waits for no disk.
    ///
    /// # Errors
    ///
    /// When it does not.
    fn commit(&mut self) -> io::Result<()>;

    /// Whether [`Store::settle`] is due before anything that was committed is sent.
    fn owes(&self) -> bool {
        false
    }

    /// Waits for the disk where that was asked for, and writes anew what has grown too large. May
    /// take long.
    ///
    /// # Errors
    ///
    /// When it does not succeed.
    fn settle(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Numbers and the newest messages in memory: gone with the process.
#[derive(Debug)]
pub struct MemoryStore {
    first: u64,
    messages: VecDeque<Vec<u8>>,
    bytes: usize,
    bytes_limit: usize,
    next_target: u64,
    reset_ns: u64,
}

impl MemoryStore {
    /// Keeps messages of `bytes_limit` in all; older ones are forgotten.
    #[must_use]
    pub fn new(bytes_limit: usize) -> Self {
        Self {
            first: 1,
            messages: VecDeque::new(),
            bytes: 0,
            bytes_limit,
            next_target: 1,
            reset_ns: 0,
        }
    }
}

impl Store for MemoryStore {
    fn next_sender(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    fn next_target(&self) -> u64 {
        self.next_target
    }

    fn reset_ns(&self) -> u64 {
        self.reset_ns
    }

    fn sent(&mut self, message: &[u8]) -> io::Result<()> {
        self.messages.push_back(message.to_vec());
        self.bytes += message.len();
        while self.bytes > self.bytes_limit {
            let Some(oldest) = self.messages.pop_front() else {
                break;
            };
            self.bytes -= oldest.len();
            self.first += 1;
        }
        Ok(())
    }

    fn set_next_target(&mut self, seq: u64) -> io::Result<()> {
        self.next_target = seq;
        Ok(())
    }

    fn read(&mut self, seq: u64) -> io::Result<Option<Vec<u8>>> {
        let idx = seq.checked_sub(self.first).map(|idx| idx as usize);
        Ok(idx.and_then(|idx| self.messages.get(idx)).cloned())
    }

    fn reset(&mut self, now_ns: u64) -> io::Result<()> {
        *self = Self {
            reset_ns: now_ns,
            ..Self::new(self.bytes_limit)
        };
        Ok(())
    }

    fn commit(&mut self) -> io::Result<()> {
        Ok(())
    }
}
