//! Market states on disk, so that the next run can be asked about this one's.
//!
//! Beside the feed, not in its way: a thread copies what was published since its last turn and appends it, a frame a
//! turn. A crash of the process costs the states since that turn, one of the machine what the file system had not
//! written yet; a torn frame is left out at the next start. Each run begins a file of its own, and a file goes when all of
//! its states have left the memory.

mod record;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use record::{MAGIC, Reader, Writer};

use super::MomentStore;

/// States of a file.
const FILE_ROWS: u64 = 1 << 17;
/// States that are copied while the store is held.
const TURN_ROWS: u64 = 512;
/// Between two turns.
const EVERY: Duration = Duration::from_secs(1);
const ENDING: &str = "states";

/// What an earlier run left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptStates {
    /// States that were read.
    pub states: u64,
    /// Files.
    pub files: usize,
    /// Of each file that could not be read to its end, its path and how many bytes were left.
    pub torn: Vec<(PathBuf, usize)>,
}

/// The files of a folder.
pub struct StateFiles {
    dir: PathBuf,
    /// Files that are whole, and the number after their last state's.
    whole: VecDeque<(PathBuf, u64)>,
    open: Option<Open>,
    writer: Writer,
    /// The number of the next file.
    number: u64,
    /// The number of the next state to write.
    next: u64,
    counts: KeepCounts,
}

/// What was kept of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeepCounts {
    /// States written.
    pub written: u64,
    /// States that left the memory before they could be written.
    pub lost: u64,
    /// Why the last turn failed, if it did.
    pub failed: Option<String>,
}

struct Open {
    path: PathBuf,
    file: File,
    rows: u64,
}

impl StateFiles {
    /// Reads what is in the folder, which is made where there is none, into `store`.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be read.
    pub fn open(dir: &Path, store: &MomentStore) -> io::Result<(Self, KeptStates)> {
        fs::create_dir_all(dir)?;
        let mut kept = KeptStates::default();
        let mut whole = VecDeque::new();
        let mut number = 0;
        for (of, path) in files(dir)? {
            read(&path, store, &mut kept)?;
            let counts = store.counts();
            whole.push_back((path, counts.left + counts.states));
            number = of + 1;
        }
        kept.files = whole.len();
        let counts = store.counts();
        let files = Self {
            dir: dir.to_path_buf(),
            whole,
            open: None,
            writer: Writer::default(),
            number,
            next: counts.left + counts.states,
            counts: KeepCounts::default(),
        };
        Ok((files, kept))
    }

    /// Appends what `store` has taken since the last time, and removes files of which it has nothing any more. Says how
    /// many states were written.
    ///
    /// # Errors
    /// When the disk refuses. What could not be written is tried again by the next call, in a new file, while it is in
    /// memory.
    pub fn save(&mut self, store: &MomentStore) -> io::Result<u64> {
        let mut saved = 0;
        loop {
            let writer = &mut self.writer;
            let mut rows = 0;
            let (first, to) = store.rows(self.next, TURN_ROWS, |name, row| {
                writer.state(name, row);
                rows += 1;
            });
            self.forget_before(first);
            if rows == 0 {
                return Ok(saved);
            }
            if let Err(error) = self.append(rows) {
                // The torn frame ends this file, whatever is behind it.
                self.seal();
                return Err(error);
            }
            self.counts.lost += first.saturating_sub(self.next);
            self.counts.written += rows;
            self.next = to;
            saved += rows;
            if self
                .open
                .as_ref()
                .is_some_and(|open| open.rows >= FILE_ROWS)
            {
                self.sync()?;
                self.seal();
            }
        }
    }

    fn append(&mut self, rows: u64) -> io::Result<()> {
        let frame = self.writer.take();
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                // A number is used once, come what may: what lies there is another's.
                self.number += 1;
                none.insert(Open::new(&self.dir, self.number - 1)?)
            }
        };
        open.file.write_all(&frame)?;
        open.rows += rows;
        Ok(())
    }

    fn seal(&mut self) {
        self.writer = Writer::default();
        let Some(open) = self.open.take() else {
            return;
        };
        if open.rows > 0 {
            self.whole.push_back((open.path, self.next));
        } else {
            // No error: an empty file that stays is read as one without states.
            let _left = fs::remove_file(open.path);
        }
    }

    /// A file that cannot be removed is tried again at the next start.
    fn forget_before(&mut self, first: u64) {
        while let Some((path, end)) = self.whole.front()
            && *end <= first
        {
            // No error: the next start reads it, finds its states to be the oldest and lets go of it again.
            let _left = fs::remove_file(path);
            self.whole.pop_front();
        }
    }

    /// What was written is on the disk.
    fn sync(&mut self) -> io::Result<()> {
        match &self.open {
            Some(open) => open.file.sync_data(),
            None => Ok(()),
        }
    }
}

impl Open {
    fn new(dir: &Path, number: u64) -> io::Result<Self> {
        let path = dir.join(format!("{number:010}.{ENDING}"));
        let file = File::create_new(&path)?;
        let mut open = Self {
            path,
            file,
            rows: 0,
        };
        if let Err(error) = open.file.write_all(MAGIC) {
            // No error: the one above is told.
            let _left = fs::remove_file(&open.path);
            return Err(error);
        }
        Ok(open)
    }
}

/// Files by number.
fn files(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let is_ours = path.extension().is_some_and(|ending| ending == ENDING);
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        // No error: another's file is left alone.
        let number = stem.and_then(|stem| stem.parse().ok());
        if let (true, Some(number)) = (is_ours, number) {
            files.push((number, path));
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn read(path: &Path, store: &MomentStore, kept: &mut KeptStates) -> io::Result<()> {
    let bytes = fs::read(path)?;
    let Some(mut reader) = Reader::new(&bytes) else {
        kept.torn.push((path.to_path_buf(), bytes.len()));
        return Ok(());
    };
    while let Some(rows) = reader.next() {
        kept.states += rows.len() as u64;
        store.take_back(&rows);
    }
    if reader.left() > 0 {
        kept.torn.push((path.to_path_buf(), reader.left()));
    }
    Ok(())
}

/// What the thread did.
#[derive(Debug, Default)]
pub(super) struct Keeping(Mutex<KeepCounts>);

impl Keeping {
    pub fn counts(&self) -> KeepCounts {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn tell(&self, counts: KeepCounts) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }
}

/// The thread that keeps states. Dropped, it saves once more and ends.
pub struct Keeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts it over what `store` hands out.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(mut files: StateFiles, store: Arc<MomentStore>) -> io::Result<Self> {
        let (stop, stopped): (Sender<()>, Receiver<()>) = channel();
        let work = move || {
            loop {
                let is_last =
                    !matches!(stopped.recv_timeout(EVERY), Err(RecvTimeoutError::Timeout));
                let saved = files.save(&store);
                let synced = match is_last {
                    true => files.sync(),
                    false => Ok(()),
                };
                let failed = saved.err().or(synced.err());
                files.counts.failed = failed.map(|error| error.to_string());
                store.keeping().tell(files.counts.clone());
                if is_last {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("states".to_owned());
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread.spawn(work)?),
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _done = thread.join();
        }
    }
}

/// Copies the files of one folder to another, which is made, as far as they are written; nothing where there is none.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for (_, path) in files(from)? {
        let Some(name) = path.file_name() else {
            continue;
        };
        match fs::copy(&path, to.join(name)) {
            // Its states have left since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            copied => drop(copied?),
        }
    }
    Ok(())
}
