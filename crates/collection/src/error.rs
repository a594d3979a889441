//! What can go wrong, and what to do next.

use std::io;

use vector::{BadVector, ZeroVector};

/// An operation on a collection failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An op of a batch breaks a rule; nothing of the batch was stored. Fix the input.
    #[error("op {index} (id {id:?}) was refused, and the whole batch with it")]
    Refused {
        /// Position in the batch.
        index: usize,
        /// The op's id; empty for a `DeleteWhere`.
        id: String,
        /// Which rule.
        source: Refusal,
    },
    /// The batch as a whole is too large. Send it in parts.
    #[error("the batch takes {bytes} bytes in the log, the limit is {limit}: send it in parts")]
    BatchTooLarge {
        /// Its encoded size.
        bytes: usize,
        /// [`BATCH_BYTES_LIMIT`](crate::BATCH_BYTES_LIMIT).
        limit: usize,
    },
    /// The query breaks a rule. Fix the input.
    #[error("the query was refused")]
    Query(#[source] Refusal),
    /// `AsOf::Seq` names an entry this collection has not applied. Wait for it, or ask for less.
    #[error("sequence {asked} is not applied here yet, the newest is {head}")]
    Ahead {
        /// What was asked.
        asked: u64,
        /// What there is.
        head: u64,
    },
    /// The slots are used up. Start another collection.
    #[error("the collection holds {versions} versions and can take no more")]
    Full {
        /// Versions held.
        versions: u64,
    },
    /// A write or sync failed, so it is unknown what the disk holds. Reopen the collection: the
    /// log then says what survived.
    #[error("the collection takes no writes until it is reopened, because {reason}")]
    Poisoned {
        /// The first failure.
        reason: String,
    },
    /// A writer of a later epoch took over, so this one stores nothing any more; nothing was written. Write through the later
    /// one, or open the collection in an epoch of its own.
    #[error(
        "a writer of epoch {by} took this collection over, and writes of epoch {epoch} are refused: write there"
    )]
    Fenced {
        /// The writer's.
        epoch: u64,
        /// The one below which writers are refused.
        by: u64,
    },
    /// The log belongs to a collection with other settings. Open it with those, or elsewhere.
    #[error("the collection was created with {found}, not {wanted}")]
    Settings {
        /// What the log says.
        found: String,
        /// What `open` was asked for.
        wanted: String,
    },
    /// Another process has the folder open.
    #[error("{dir} is open in another process: stop it, or use another folder")]
    Locked {
        /// The folder.
        dir: String,
    },
    /// Bytes that had been synced are not what was written. Restore the file from a copy.
    #[error(
        "{file} is corrupt at byte {offset} ({reason}), and entries follow it: restore the file \
         from a copy; nothing was changed"
    )]
    Corrupt {
        /// Name of the segment file.
        file: String,
        /// Where the bad record starts.
        offset: u64,
        /// What does not hold.
        reason: String,
    },
    /// Bytes of a checkpoint changed on disk while it was in use. Reopen the collection: the damaged file is out of
    /// the way, and the log says the same.
    #[error(
        "{what}; the file was set aside: reopen the collection, it goes by an earlier checkpoint or the log"
    )]
    Damaged {
        /// Which file, where, and what does not hold.
        what: String,
    },
    /// A checkpoint could not be written. Nothing is lost: opening applies more of the log.
    #[error("no checkpoint was written: {reason}")]
    Checkpoint {
        /// Why not.
        reason: String,
    },
    /// The question is about an instant before which history was trimmed. Ask about a later one, or restore a snapshot.
    #[error(
        "history was trimmed: entries from {first} on can be asked about, and no earlier instant than what was known then"
    )]
    Trimmed {
        /// The earliest entry.
        first: u64,
    },
    /// An option asks for what collections of this kind do not have. Open it without.
    #[error("{what} is not supported: {why}")]
    Unsupported {
        /// Which option, and with what.
        what: &'static str,
        /// Why not, and what to do.
        why: &'static str,
    },
    /// A folder to copy to has files. Choose an empty one.
    #[error("the folder to copy to is not empty, it has {name}: choose an empty one")]
    NotEmpty {
        /// One of its files.
        name: String,
    },
    /// A copy ended before it was whole. Remove it and copy again.
    #[error("this is a copy that was not finished: remove it and copy again")]
    Unfinished,
    /// An entry's checksum holds, but its content breaks a rule of this version. Report it.
    #[error("entry {seq} of the log cannot be applied: {reason}")]
    Entry {
        /// The entry.
        seq: u64,
        /// Why not.
        reason: String,
    },
    /// The log was written by a newer version of the program. Upgrade.
    #[error("{what} was written by a newer version: upgrade before opening it")]
    Newer {
        /// The file or entry.
        what: String,
    },
    /// The operating system refused an operation on a file.
    #[error("could not {action} {file}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file.
        file: String,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Io {
            action,
            file,
            source,
        }
    }
}

/// The rule that an input breaks.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// A point needs a name.
    #[error("the id is empty: give every point an id")]
    EmptyId,
    /// Rules of texts that make no sense.
    #[error("texts cannot be ranked so: {0}")]
    TextRules(String),
    /// Something is larger than the limit.
    #[error("the {what} takes {size} bytes, the limit is {limit}")]
    TooLarge {
        /// `id`, `text` or `payload`.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The vector does not fit the collection.
    #[error("the vector has {got} components, this collection takes {expected}")]
    Dimension {
        /// The collection's.
        expected: usize,
        /// The vector's.
        got: usize,
    },
    /// A component is not finite.
    #[error(transparent)]
    BadVector(#[from] BadVector),
    /// Cosine of a zero vector.
    #[error(transparent)]
    ZeroVector(#[from] ZeroVector),
    /// A payload number is NaN or infinite.
    #[error("field {field:?} is not a finite number")]
    NotFinite {
        /// Name of the field.
        field: String,
    },
    /// `known_at` is the instant that means "never superseded".
    #[error("known_at must be below 18446744073709551615 ns")]
    EndOfTime,
    /// A place or a shape is not on the Earth.
    #[error(
        "field {field:?} is not on the Earth: latitudes are -90 to 90, longitudes -180 to 180, a \
         radius is at least 0, a ring has at least 3 corners"
    )]
    NotOnEarth {
        /// Name of the field.
        field: String,
    },
    /// Conditions lie too deep in conditions.
    #[error("the filter nests conditions deeper than {limit}")]
    FilterTooDeep {
        /// [`FILTER_DEPTH_LIMIT`](crate::FILTER_DEPTH_LIMIT).
        limit: usize,
    },
    /// Lists lie too deep in lists.
    #[error("field {field:?} nests lists deeper than {limit}")]
    TooDeep {
        /// Name of the field.
        field: String,
        /// [`PAYLOAD_DEPTH_LIMIT`](crate::PAYLOAD_DEPTH_LIMIT).
        limit: usize,
    },
}
