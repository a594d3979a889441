//! Copies of a collection: whole, as of an entry, as of a time.
//!
//! A snapshot is a folder that opens like any other: the log up to an entry, the checkpoint of that entry and, written
//! last, what was copied and the digest of it. A copy that was not finished says so and is refused.

use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::{copy_files, last_seq};
use crate::disk::Disk;
use crate::log::{
    Entry, KIND_BATCH, LOG_SUFFIX, LocalLog, Log, LogReader, LogTail, SEGMENT_BYTES_LIMIT,
};
use crate::{Collection, Error, Options, Settings};

/// Name of the page that says what a copy holds.
const MANIFEST: &str = "snapshot";
/// Name of an empty file that is there while a copy is not finished.
const UNFINISHED: &str = "snapshot.unfinished";
const FIRST_LINE: &str = "ouzel snapshot 1";
/// Entries that may be missing when writers are barred.
const CAUGHT_UP: u64 = 64;
/// How long to wait for an entry that is on its way.
const FOLLOW_TIMEOUT: Duration = Duration::from_millis(10);
/// Entries that are copied with one sync.
const COPY_BYTES: usize = 8 << 20;

/// What a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last entry in it.
    pub seq: u64,
    /// [`Collection::digest`] of it.
    pub digest: u64,
}

/// How far to restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// All there is.
    Head,
    /// The entry with this number.
    Seq(u64),
    /// The last entry before the first in which something became known after this instant, ns UTC.
    Known(u64),
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The last entry.
    pub seq: u64,
    /// The digest of the copy, read back.
    pub digest: u64,
    /// Whether that is the digest the snapshot said; `None` where none was said for that entry.
    pub is_as_said: Option<bool>,
}

impl Collection {
    /// Copies everything applied to an empty disk, as readers and writers go on.
    ///
    /// # Errors
    /// `Checkpoint`, `Io`, or `NotEmpty` when the disk has files.
    pub fn snapshot(&self, to: &Arc<dyn Disk>) -> Result<Snapshot, Error> {
        begin(&**to)?;
        // Two checkpoints that became due while the log is copied would take this one's tables away.
        let (seq, _hold) = self.checkpoint_held()?;
        let from = self.disk().ok_or_else(|| Error::Checkpoint {
            reason: "this collection keeps no files".into(),
        })?;
        copy_log(&*self.log_reader(), to, seq)?;
        let files = self.dense.files();
        let checkpoint = copy_files(&*from, &**to, seq)?;
        drop(files);
        let digest = checkpoint.state.digest();
        let snapshot = Snapshot { seq, digest };
        write_manifest(&**to, &snapshot)?;
        end(&**to)?;
        Ok(snapshot)
    }

    /// Moves the collection to an empty disk and to a writer of `epoch`, which opens it there: copies everything applied while
    /// writers go on, follows the log until little is missing, then bars the writers of this one and copies the rest. Says the
    /// last entry, which is durable in both. Writes that were acknowledged here are all there; those that come too late are
    /// told so (`Fenced`).
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot) and [`fence`](Self::fence). What was copied is not whole then and is refused, and unless
    /// the fence was the step that failed, writers go on here.
    pub fn hand_over(&self, to: &Arc<dyn Disk>, epoch: u64) -> Result<u64, Error> {
        let Snapshot { seq, .. } = self.snapshot(to)?;
        // What follows makes of the snapshot something else: not whole until it is.
        let unfinished = to.create(UNFINISHED);
        unfinished.map_err(Error::io("create", UNFINISHED))?;
        to.remove(MANIFEST).map_err(Error::io("remove", MANIFEST))?;
        let (mut log, _) = LocalLog::open(Arc::clone(to))?;
        log.fence(epoch)?;
        let mut tail = self.log_tail(seq + 1);
        // Each round copies what came in the one before: less each time, unless they write faster than it copies.
        let mut missing = u64::MAX;
        while missing > CAUGHT_UP {
            self.sync()?;
            let came = follow(&mut *tail, &mut log, epoch)?;
            if came > missing / 2 {
                break;
            }
            missing = came;
        }
        let last = self.fence(epoch)?;
        while tail.next_seq() <= last {
            follow(&mut *tail, &mut log, epoch)?;
        }
        end(&**to)?;
        Ok(last)
    }
}

/// Copies what became durable since the last look, and says how many entries that were.
fn follow(tail: &mut dyn LogTail, log: &mut LocalLog, epoch: u64) -> Result<u64, Error> {
    let mut copied = Copied::to(log, epoch);
    let count = tail.next(FOLLOW_TIMEOUT, &mut |entry| copied.take(entry))?;
    copied.flush()?;
    Ok(count)
}

/// Entries on their way to another log, many with one sync.
struct Copied<'l> {
    log: &'l mut LocalLog,
    epoch: u64,
    waiting: Vec<(u64, u8, Vec<u8>)>,
    bytes: usize,
}

impl<'l> Copied<'l> {
    fn to(log: &'l mut LocalLog, epoch: u64) -> Self {
        Self {
            log,
            epoch,
            waiting: Vec::new(),
            bytes: 0,
        }
    }

    fn take(&mut self, entry: Entry<'_>) -> Result<(), Error> {
        self.bytes += entry.body.len();
        (self.waiting).push((entry.seq, entry.kind, entry.body.to_vec()));
        if self.bytes >= COPY_BYTES {
            return self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        let entries = self.waiting.iter().map(|(seq, kind, body)| Entry {
            seq: *seq,
            kind: *kind,
            body,
        });
        self.log.append(self.epoch, &entries.collect::<Vec<_>>())?;
        self.waiting.clear();
        self.bytes = 0;
        self.log.sync()
    }
}

/// Copies a collection that nobody has open, a snapshot or the folder of one that was stopped, to an empty disk, and reads the
/// copy back.
///
/// # Errors
/// `Unfinished` for a copy that was not finished, `Ahead` when the entry is not there, `NotEmpty`, and as
/// [`Collection::open`].
pub fn restore(
    from: &Arc<dyn Disk>,
    to: &Arc<dyn Disk>,
    settings: Settings,
    until: Until,
) -> Result<Restored, Error> {
    check_finished(&**from)?;
    check_log(&**from)?;
    begin(&**to)?;
    let said = read_manifest(&**from)?;
    let (log, _) = LocalLog::open(Arc::clone(from))?;
    let head = log.next_seq().saturating_sub(1);
    let seq = match until {
        Until::Head => head,
        Until::Seq(asked) if asked > head => return Err(Error::Ahead { asked, head }),
        Until::Seq(seq) => seq,
        Until::Known(at) => last_known(&log, at)?,
    };
    copy_log(&*log.reader(), to, seq)?;
    let near = last_seq(&**from, seq)?;
    if near.map_or(0, |near| near + 1) < log.first_seq() {
        let first = log.first_seq();
        return Err(Error::Trimmed { first });
    }
    if let Some(near) = near {
        copy_files(&**from, &**to, near)?;
    }
    end(&**to)?;
    let (copy, _) = Collection::open_with(Arc::clone(to), settings, Options::default())?;
    let digest = copy.digest()?;
    let said = said.filter(|said| said.seq == seq);
    Ok(Restored {
        seq,
        digest,
        is_as_said: said.map(|said| said.digest == digest),
    })
}

/// Refuses a copy that was not finished.
///
/// # Errors
/// `Unfinished`.
pub(crate) fn check_finished(disk: &dyn Disk) -> Result<(), Error> {
    match disk.size(UNFINISHED) {
        Ok(_) => Err(Error::Unfinished),
        Err(_) => Ok(()),
    }
}

/// Opening a folder without a log would begin one there.
fn check_log(disk: &dyn Disk) -> Result<(), Error> {
    let names = disk
        .list()
        .map_err(Error::io("list", "the folder to copy from"))?;
    if names.iter().any(|name| name.ends_with(LOG_SUFFIX)) {
        return Ok(());
    }
    let source = std::io::ErrorKind::NotFound.into();
    Err(Error::io("find", "a log in the folder to copy from")(
        source,
    ))
}

fn begin(disk: &dyn Disk) -> Result<(), Error> {
    check_empty(disk)?;
    let file = disk.create(UNFINISHED);
    file.map(drop).map_err(Error::io("create", UNFINISHED))
}

fn end(disk: &dyn Disk) -> Result<(), Error> {
    disk.remove(UNFINISHED)
        .map_err(Error::io("remove", UNFINISHED))
}

fn check_empty(disk: &dyn Disk) -> Result<(), Error> {
    let names = disk
        .list()
        .map_err(Error::io("list", "the folder to copy to"))?;
    match names.first() {
        Some(name) => Err(Error::NotEmpty { name: name.clone() }),
        None => Ok(()),
    }
}

/// Copies the entries up to `seq`; each is checked as it is read.
fn copy_log(from: &dyn LogReader, to: &Arc<dyn Disk>, seq: u64) -> Result<(), Error> {
    let (mut log, _) = LocalLog::open_from(Arc::clone(to), SEGMENT_BYTES_LIMIT, from.first_seq())?;
    let mut copied = Copied::to(&mut log, 0);
    from.read(0, &mut |entry| {
        if entry.seq > seq {
            return Ok(());
        }
        copied.take(entry)
    })?;
    copied.flush()
}

/// The last entry before the first that has something known after `at`.
fn last_known(log: &LocalLog, at: u64) -> Result<u64, Error> {
    let mut last = None;
    let mut seen = 0;
    log.read(0, &mut |entry| {
        if last.is_none() && entry.kind == KIND_BATCH {
            let unreadable = |error: crate::codec::Malformed| Error::Entry {
                seq: entry.seq,
                reason: error.to_string(),
            };
            let ops = crate::codec::read_batch(entry.body).map_err(unreadable)?;
            if ops.iter().any(|op| op.known_at() > at) {
                last = Some(seen);
            }
        }
        seen = entry.seq;
        Ok(())
    })?;
    Ok(last.unwrap_or(seen))
}

fn write_manifest(disk: &dyn Disk, snapshot: &Snapshot) -> Result<(), Error> {
    let text = format!(
        "{FIRST_LINE}\nseq {}\ndigest {:016x}\n",
        snapshot.seq, snapshot.digest
    );
    let text = format!("{text}crc32 {:08x}\n", crc32fast::hash(text.as_bytes()));
    let mut file = disk
        .create(MANIFEST)
        .map_err(Error::io("create", MANIFEST))?;
    file.append(text.as_bytes())
        .map_err(Error::io("append to", MANIFEST))?;
    file.sync().map_err(Error::io("sync", MANIFEST))
}

/// What a snapshot says of itself; `None` in the folder of a collection that was none.
fn read_manifest(disk: &dyn Disk) -> Result<Option<Snapshot>, Error> {
    let bytes = match disk.read(MANIFEST) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io("read", MANIFEST)(e)),
    };
    parse_manifest(&bytes)
        .map(Some)
        .ok_or_else(|| Error::Corrupt {
            file: MANIFEST.into(),
            offset: 0,
            reason:
                "it does not say what the snapshot holds: the copy was not finished or was changed"
                    .into(),
        })
}

fn parse_manifest(bytes: &[u8]) -> Option<Snapshot> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (said, crc) = text.split_at(text.find("crc32 ")?);
    let crc = u32::from_str_radix(crc.strip_prefix("crc32 ")?.trim_end(), 16).ok()?;
    let mut lines = said.lines();
    let is_ours = crc == crc32fast::hash(said.as_bytes()) && lines.next()? == FIRST_LINE;
    let seq = lines.next()?.strip_prefix("seq ")?.parse().ok()?;
    let digest = u64::from_str_radix(lines.next()?.strip_prefix("digest ")?, 16).ok()?;
    is_ours.then_some(Snapshot { seq, digest })
}

/// Kept here, because only copying asks for it.
impl crate::Op {
    fn known_at(&self) -> u64 {
        match self {
            Self::Upsert(point) => point.known_at,
            Self::Delete { known_at, .. } | Self::DeleteWhere { known_at, .. } => *known_at,
            // It says nothing that was learned.
            Self::Trim { .. } => 0,
        }
    }
}
