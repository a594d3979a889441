//! The thread that writes checkpoints, from the log and the last checkpoint, and so beside writers and readers of the
//! live state: it takes no lock of theirs while it works.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Checkpoint, Sections};
use crate::Error;
use crate::commit::Committer;
use crate::disk::Disk;
use crate::log::Entry;
use crate::state::State;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// When checkpoints are written, and what became of them.
#[derive(Default)]
pub(crate) struct Keeper {
    shared: Mutex<Shared>,
    changed: Condvar,
}

#[derive(Default)]
struct Shared {
    /// Bytes of the log now, and those that the last checkpoint, or the last attempt, saw.
    log_bytes: u64,
    seen_bytes: u64,
    /// A checkpoint is made when the log has grown by this much.
    every_bytes: u64,
    asked: u64,
    answered: u64,
    failure: Option<String>,
    /// Bytes of a file are not those that were written.
    damage: Option<Arc<str>>,
    /// Nothing that was opened is left to be verified.
    verified: bool,
    seq: u64,
    /// How many are copying the files of a checkpoint: none is made meanwhile, as each takes an older one's place.
    copies: u32,
    closing: bool,
    ended: bool,
}

/// No checkpoint is begun until it is dropped.
pub(crate) struct Hold<'a>(&'a Keeper);

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.lock().copies -= 1;
        self.0.changed.notify_all();
    }
}

type Apply = dyn Fn(&mut State, Entry<'_>) -> Result<(), Error> + Send;

/// What the thread works with.
pub(crate) struct Work {
    pub disk: Arc<dyn Disk>,
    /// Bytes that the log may have before its oldest segments go.
    pub log_bytes: u64,
    pub state: Arc<RwLock<State>>,
    pub committer: Arc<Committer>,
    /// Applies an entry to a state.
    pub apply: Box<Apply>,
    /// Slots below this one are in the graph on disk.
    pub linked: Box<dyn Fn() -> u32 + Send>,
    /// A state before any entry.
    pub empty: Box<dyn Fn() -> State + Send>,
}

impl Keeper {
    /// Writes one whenever the log has grown by `every_bytes`; the last one saw entry `seq` and the log at `seen_bytes`.
    pub(crate) fn new(every_bytes: u64, seq: u64, seen_bytes: u64) -> Self {
        Self {
            shared: Mutex::new(Shared {
                every_bytes,
                seq,
                seen_bytes,
                log_bytes: seen_bytes,
                ..Shared::default()
            }),
            changed: Condvar::new(),
        }
    }

    /// The log has `bytes` now.
    pub(crate) fn grown(&self, bytes: u64) {
        let mut shared = self.lock();
        shared.log_bytes = bytes;
        if shared.is_due() {
            self.changed.notify_all();
        }
    }

    /// The log has `bytes` now, after some went from its start; what that was is not growth that is missing.
    pub(crate) fn shortened(&self, bytes: u64) {
        let mut shared = self.lock();
        let went = shared.log_bytes.saturating_sub(bytes);
        shared.log_bytes = bytes;
        shared.seen_bytes = shared.seen_bytes.saturating_sub(went);
    }

    /// Bytes of the log behind the last checkpoint.
    pub(crate) fn grown_by(&self) -> u64 {
        let shared = self.lock();
        shared.log_bytes.saturating_sub(shared.seen_bytes)
    }

    /// Asks for a checkpoint of everything applied and waits for it. Its files stay while the hold is there: one that was
    /// begun already may be finished, which leaves this one's alone, and no other begins.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) fn ask_and_hold(&self) -> Result<(u64, Hold<'_>), String> {
        let mut shared = self.lock();
        shared.asked += 1;
        let mine = shared.asked;
        self.changed.notify_all();
        let waiting = |shared: &mut Shared| shared.answered < mine && !shared.ended;
        let shared = self.changed.wait_while(shared, waiting);
        let mut shared = shared.unwrap_or_else(PoisonError::into_inner);
        if shared.answered < mine {
            return Err("the thread that writes checkpoints ended".into());
        }
        if let Some(failure) = &shared.failure {
            return Err(failure.clone());
        }
        shared.copies += 1;
        Ok((shared.seq, Hold(self)))
    }

    /// The entry of the last checkpoint, and why the last attempt failed.
    pub(crate) fn outcome(&self) -> (u64, Option<String>) {
        let shared = self.lock();
        (shared.seq, shared.failure.clone())
    }

    /// Which file is damaged.
    pub(crate) fn damage(&self) -> Option<Arc<str>> {
        self.lock().damage.clone()
    }

    /// Whether what was opened was verified.
    pub(crate) fn is_verified(&self) -> bool {
        let shared = self.lock();
        shared.verified || shared.ended
    }

    /// Ends the thread after what it is at.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    /// The body of the thread. `opened` is what the collection was opened from and was not verified yet.
    pub(crate) fn run(&self, work: &Work, opened: &[Sections]) {
        let _ended = Ended(self);
        let mut last = None;
        if let Err(error) = super::verify(opened, &*work.disk) {
            self.lock().damage = Some(error.to_string().into());
            return;
        }
        self.lock().verified = true;
        self.serve(|| advance(work, &mut last));
    }

    /// Makes one by `advance` whenever one is due or asked for, until it is closed.
    pub(crate) fn serve(&self, mut advance: impl FnMut() -> Result<u64, Error>) {
        let _ended = Ended(self);
        while let Some(asked) = self.next() {
            {
                let mut shared = self.lock();
                shared.seen_bytes = shared.log_bytes;
            }
            let outcome = advance();
            let mut shared = self.lock();
            shared.answered = asked;
            match outcome {
                Ok(seq) => (shared.seq, shared.failure) = (seq, None),
                Err(error) => shared.failure = Some(error.to_string()),
            }
            self.changed.notify_all();
        }
    }

    /// Waits until one is due or asked for, and says how many were asked for.
    fn next(&self) -> Option<u64> {
        let idle = |shared: &mut Shared| {
            let is_wanted = shared.asked > shared.answered || shared.is_due();
            !shared.closing && (shared.copies > 0 || !is_wanted)
        };
        let shared = self.changed.wait_while(self.lock(), idle);
        let shared = shared.unwrap_or_else(PoisonError::into_inner);
        let is_wanted = shared.asked > shared.answered || !shared.closing;
        is_wanted.then_some(shared.asked)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn is_due(&self) -> bool {
        self.log_bytes - self.seen_bytes.min(self.log_bytes)
            >= self.every_bytes.max(self.log_bytes / 16)
    }
}

/// Makes the next checkpoint from the last one and the log. Says its entry.
fn advance(work: &Work, last: &mut Option<Checkpoint>) -> Result<u64, Error> {
    work.committer.sync()?;
    let mut next = match last.take() {
        Some(last) => last,
        None => super::latest(&*work.disk, &mut Vec::new())?
            .unwrap_or_else(|| Checkpoint::none((work.empty)())),
    };
    let log = work.committer.log_reader();
    let from = next.state.next_seq();
    log.read(from, &mut |entry| (work.apply)(&mut next.state, entry))?;
    next.write(&*work.disk, (work.linked)())?;
    let seq = next.state.head_seq();
    if let Some(older) = super::seqs(&*work.disk)?.iter().rev().nth(1) {
        work.committer.shorten_log(older + 1, work.log_bytes)?;
    }
    // What it took to get here lies in files now.
    let written = super::latest(&*work.disk, &mut Vec::new())?;
    if let Some(written) = &written {
        map_blocks(work, written)?;
    }
    *last = written;
    Ok(seq)
}

/// Lets go of the memory of blocks that lie in files now.
fn map_blocks(work: &Work, written: &Checkpoint) -> Result<(), Error> {
    loop {
        let mapped = {
            let state = work.state.read().unwrap_or_else(PoisonError::into_inner);
            state.mapped_blocks()
        };
        let Some(blocks) = written.blocks_from(&*work.disk, mapped)? else {
            break;
        };
        let mut state = work.state.write().unwrap_or_else(PoisonError::into_inner);
        let old = state.map_blocks(blocks);
        drop(state);
        drop(old);
    }
    for (blocks, held) in written.held() {
        let is_as_written = {
            let state = work.state.read().unwrap_or_else(PoisonError::into_inner);
            state.held(blocks.clone()) == held
        };
        if !is_as_written && let Some(found) = written.blocks_from(&*work.disk, blocks.start)? {
            let mut state = work.state.write().unwrap_or_else(PoisonError::into_inner);
            let old = state.map_again(blocks.start, found);
            drop(state);
            drop(old);
        }
    }
    Ok(())
}

struct Ended<'a>(&'a Keeper);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}
