//! The log that is the database: numbered entries, appended, synced, read back in order.
//!
//! A trait, because a single node keeps its log in local files and a cluster in a replicated
//! stream; the collection above cannot tell. The owner drives it from one thread at a time.

mod fence;
mod local;
mod record;
mod tail;

use std::time::Duration;

pub use local::{Cut, LocalLog};
pub(crate) use local::{SEGMENT_BYTES_LIMIT, SUFFIX as LOG_SUFFIX};
pub use record::{RECORD_HEADER_SIZE, SEGMENT_HEADER_SIZE};

use crate::Error;

/// The entry that says what the collection is: number 0 of every log.
pub(crate) const KIND_SETTINGS: u8 = 1;
/// A batch of ops.
pub(crate) const KIND_BATCH: u8 = 2;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its number; entries are numbered from 0 without holes.
    pub seq: u64,
    /// What the body is.
    pub kind: u8,
    /// Its bytes; the log does not look inside.
    pub body: &'a [u8],
}

/// An append-only sequence of entries.
pub trait Log: Send {
    /// The number the next entry gets.
    fn next_seq(&self) -> u64;

    /// The first entry it still has; 0 where nothing was let go.
    fn first_seq(&self) -> u64;

    /// Lets entries before `seq` go, the oldest first and as many as lie together, while it has more than `bytes`.
    ///
    /// # Errors
    /// When files cannot be removed; the log goes on.
    fn drop_before(&mut self, seq: u64, bytes: u64) -> Result<(), Error>;

    /// Bytes the log occupies.
    fn size_bytes(&self) -> u64;

    /// Writes entries that continue the sequence, as the writer of `epoch`. They are durable only after
    /// [`sync`](Log::sync).
    ///
    /// # Errors
    /// `Fenced` when a writer of a later epoch took over: nothing was written, and never will be. After others some
    /// entries may have been written; append nothing more and reopen the log.
    fn append(&mut self, epoch: u64, entries: &[Entry<'_>]) -> Result<(), Error>;

    /// The epoch below which writers are refused; 0 where none ever were.
    fn epoch(&self) -> u64;

    /// Refuses writers of epochs below `epoch` from now on, durably: whoever takes a shard over fences it first, so that
    /// one that was thought dead and is not changes nothing any more.
    ///
    /// # Errors
    /// `Fenced` when a later writer has taken over already; else that of the disk, and the fence may stand or not.
    fn fence(&mut self, epoch: u64) -> Result<(), Error>;

    /// A barrier: returns when everything appended is durable.
    ///
    /// # Errors
    /// What was appended since the last sync may or may not survive; reopen the log.
    fn sync(&mut self) -> Result<(), Error>;

    /// Gives `visit` every entry from number `from` on, in order.
    ///
    /// # Errors
    /// `Corrupt` where an entry is not what was written, or the first error of `visit`.
    fn read(
        &self,
        from: u64,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), Error>,
    ) -> Result<(), Error>;

    /// Gives `visit` the entry numbered `seq`, where the log still has it.
    ///
    /// # Errors
    /// As `read`.
    fn read_one(&self, seq: u64, visit: &mut dyn FnMut(Entry<'_>)) -> Result<(), Error>;

    /// Reads what is durable now without keeping the log from its writer.
    fn reader(&self) -> Box<dyn LogReader>;

    /// Follows what becomes durable, from entry `from` on, without keeping the log from its writer.
    fn tail(&self, from: u64) -> Box<dyn LogTail>;

    /// Drops every entry numbered `next_seq` or later, durably.
    ///
    /// # Errors
    /// When files cannot be changed; reopen the log.
    fn truncate_to(&mut self, next_seq: u64) -> Result<(), Error>;
}

/// One that follows a log as it grows.
pub trait LogTail: Send {
    /// The number of the entry it waits for.
    fn next_seq(&self) -> u64;

    /// Waits until there are durable entries that it has not given, for at most `timeout`, gives `visit` all of them in order
    /// and says how many. None when the time is up, or the log was closed.
    ///
    /// # Errors
    /// `Trimmed` when the next entry is no longer in the log, `Ahead` when the log was cut back behind it, `Corrupt`, or the
    /// first error of `visit`, whose entry comes again.
    fn next(
        &mut self,
        timeout: Duration,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), Error>,
    ) -> Result<u64, Error>;
}

/// The durable entries of a log at one time.
pub trait LogReader: Send {
    /// The number behind the last of them.
    fn next_seq(&self) -> u64;

    /// The first of them.
    fn first_seq(&self) -> u64;

    /// Gives `visit` every entry from number `from` on, in order.
    ///
    /// # Errors
    /// As [`Log::read`].
    fn read(
        &self,
        from: u64,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), Error>,
    ) -> Result<(), Error>;
}
