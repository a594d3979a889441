//! Group commit: callers that wait at the same time share one write and one sync.
//!
//! The first caller that finds nobody leading leads: it takes all that queue, writes it, syncs it,
//! applies it and wakes everyone; who came meanwhile is the next group. There is no writer thread to
//! hand over to, so a lone caller pays one sync and nothing else. Sequence numbers are given in the
//! queue, under one lock, and groups are applied in that order.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::Error;
use crate::checkpoint::Keeper;
use crate::dense::Dense;
use crate::log::{Entry, KIND_BATCH, Log, LogReader, LogTail};
use crate::state::{Change, State};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// When an acknowledged write is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before it is acknowledged.
    Always,
    /// At most about this many milliseconds after it is acknowledged.
    IntervalMs(u32),
    /// When the operating system pleases, or [`Collection::sync`](crate::Collection::sync) is called.
    Never,
}

/// A batch was stored: the next query sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The entry it became.
    pub seq: u64,
    /// Whether it already survives a loss of power.
    pub durable: bool,
    /// Rows that the graph does not have yet, some in time and those of this batch among them: each search looks at all of them,
    /// some 60 ns a row. Where answers are exact ([`Options::exact_rows`](crate::Options::exact_rows)) there is no graph and these are all rows. Else
    /// who loads much may go by it, or have [`Options::tail_rows`](crate::Options::tail_rows) hold writers.
    pub unlinked: u64,
}

/// Bytes of a group after which the rest waits for the next.
const GROUP_BYTES_LIMIT: usize = 16 << 20;

/// Versions that are forgotten while readers wait.
const RECLAIMED_AT_ONCE: usize = 256;

pub(crate) struct Committer {
    policy: SyncPolicy,
    /// Of this writer.
    epoch: u64,
    state: Arc<RwLock<State>>,
    dense: Arc<Dense>,
    keeper: Arc<Keeper>,
    log: Mutex<Box<dyn Log>>,
    queue: Mutex<Queue>,
    /// Something in the queue changed.
    turn: Condvar,
}

struct Queue {
    next_seq: u64,
    waiting: Vec<Waiting>,
    leading: bool,
    applied_seq: u64,
    durable_seq: u64,
    log_bytes: u64,
    poison: Option<Arc<str>>,
    /// The epoch of a writer that took over.
    fenced_by: Option<u64>,
    /// Entries from this one on were let go by the fence; earlier ones had been taken by a leader.
    barred_from: u64,
    closing: bool,
}

struct Waiting {
    seq: u64,
    body: Vec<u8>,
    changes: Vec<Change>,
}

impl Committer {
    /// Takes a log whose entries are all applied and durable.
    pub(crate) fn new(
        policy: SyncPolicy,
        epoch: u64,
        state: Arc<RwLock<State>>,
        dense: Arc<Dense>,
        keeper: Arc<Keeper>,
        log: Box<dyn Log>,
    ) -> Self {
        let head_seq = log.next_seq() - 1;
        let queue = Queue {
            next_seq: log.next_seq(),
            waiting: Vec::new(),
            leading: false,
            applied_seq: head_seq,
            durable_seq: head_seq,
            log_bytes: log.size_bytes(),
            poison: None,
            fenced_by: None,
            barred_from: u64::MAX,
            closing: false,
        };
        let (log, queue) = (Mutex::new(log), Mutex::new(queue));
        Self {
            policy,
            epoch,
            state,
            dense,
            keeper,
            log,
            queue,
            turn: Condvar::new(),
        }
    }

    /// Stores a batch; returns when it is applied and, by policy, durable.
    pub(crate) fn commit(&self, body: Vec<u8>, changes: Vec<Change>) -> Result<Ack, Error> {
        let mut queue = self.queue();
        queue.writable(self.epoch)?;
        let seq = queue.next_seq;
        queue.next_seq += 1;
        queue.waiting.push(Waiting { seq, body, changes });
        loop {
            if queue.applied_seq >= seq {
                return Ok(Ack {
                    seq,
                    durable: queue.durable_seq >= seq,
                    unlinked: 0,
                });
            }
            queue.outlook(seq, self.epoch)?;
            queue = if queue.leading {
                self.turn
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner)
            } else {
                let group = take_group(&mut queue.waiting);
                self.lead(queue, |log| self.write(log, group))
            };
        }
    }

    /// Makes everything applied durable and says up to which entry that is.
    pub(crate) fn sync(&self) -> Result<u64, Error> {
        let mut queue = self.queue();
        let wanted = queue.applied_seq;
        loop {
            if queue.durable_seq >= wanted {
                return Ok(queue.durable_seq);
            }
            queue.healthy()?;
            queue = if queue.leading {
                self.turn
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner)
            } else {
                self.lead(queue, |log| {
                    log.sync()?;
                    Ok(Done {
                        log_bytes: log.size_bytes(),
                        applied: None,
                        synced: true,
                    })
                })
            };
        }
    }

    /// Lets a writer of `epoch` take over: none of ours is taken any more, whatever comes of it. Says the last entry, which is
    /// durable.
    pub(crate) fn fence(&self, epoch: u64) -> Result<u64, Error> {
        let mut queue = self.queue();
        if epoch > self.epoch {
            // At once, or those who write would go on taking turns.
            queue.fence(epoch);
            self.turn.notify_all();
        }
        while queue.leading {
            let waited = self.turn.wait(queue);
            queue = waited.unwrap_or_else(PoisonError::into_inner);
        }
        queue.healthy()?;
        let mut outcome = Ok(());
        let queue = self.lead(queue, |log| {
            log.sync()?;
            outcome = log.fence(epoch);
            Ok(Done {
                log_bytes: log.size_bytes(),
                applied: None,
                synced: true,
            })
        });
        outcome?;
        queue.healthy()?;
        Ok(queue.applied_seq)
    }

    /// Follows what becomes durable.
    pub(crate) fn log_tail(&self, from: u64) -> Box<dyn LogTail> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.tail(from)
    }

    /// The durable entries, to be read beside writers.
    pub(crate) fn log_reader(&self) -> Box<dyn LogReader> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.reader()
    }

    /// Lets segments go whose entries are all before `seq`, the oldest first, while the log has more than `bytes`.
    pub(crate) fn shorten_log(&self, seq: u64, bytes: u64) -> Result<(), Error> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = log.drop_before(seq, bytes);
        let size = log.size_bytes();
        // While nobody appends: the keeper counts in the order in which it happened.
        self.keeper.shortened(size);
        drop(log);
        self.queue().log_bytes = size;
        outcome
    }

    /// `(applied_seq, durable_seq, log_bytes)`.
    pub(crate) fn positions(&self) -> (u64, u64, u64) {
        let queue = self.queue();
        (queue.applied_seq, queue.durable_seq, queue.log_bytes)
    }

    /// Why no write is taken any more.
    pub(crate) fn poison(&self) -> Option<Arc<str>> {
        self.queue().poison.clone()
    }

    /// The body of the thread that serves `SyncPolicy::IntervalMs`; returns after [`close`](Self::close).
    pub(crate) fn sync_every(&self, interval_ms: u32) {
        let interval = Duration::from_millis(u64::from(interval_ms));
        let mut queue = self.queue();
        while !queue.closing {
            if queue.durable_seq >= queue.applied_seq || queue.poison.is_some() {
                queue = self
                    .turn
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let open = self
                .turn
                .wait_timeout_while(queue, interval, |queue| !queue.closing);
            drop(open.unwrap_or_else(PoisonError::into_inner));
            // A failure has poisoned the queue, which is where everyone looks.
            let _ = self.sync();
            queue = self.queue();
        }
    }

    /// Ends `sync_every`.
    pub(crate) fn close(&self) {
        self.queue().closing = true;
        self.turn.notify_all();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` on the log with the queue open to others, and tells them how it ended.
    fn lead<'a>(
        &'a self,
        mut queue: MutexGuard<'a, Queue>,
        work: impl FnOnce(&mut dyn Log) -> Result<Done, Error>,
    ) -> MutexGuard<'a, Queue> {
        queue.leading = true;
        let durable_before = queue.applied_seq;
        drop(queue);
        let watch = PanicWatch(self);
        let outcome = {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut **log)
        };
        std::mem::forget(watch);
        let mut queue = self.queue();
        queue.leading = false;
        match outcome {
            Ok(done) => {
                queue.applied_seq = done.applied.unwrap_or(durable_before);
                queue.log_bytes = done.log_bytes;
                if done.synced {
                    queue.durable_seq = queue.applied_seq;
                }
            }
            Err(Error::Fenced { by, .. }) => queue.fence(by),
            Err(e) => queue.fail(&e),
        }
        self.turn.notify_all();
        queue
    }

    fn reclaim(&self) -> bool {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.reclaim(RECLAIMED_AT_ONCE)
    }

    fn write(&self, log: &mut dyn Log, group: Vec<Waiting>) -> Result<Done, Error> {
        let entries: Vec<Entry<'_>> = group
            .iter()
            .map(|waiting| Entry {
                seq: waiting.seq,
                kind: KIND_BATCH,
                body: &waiting.body,
            })
            .collect();
        log.append(self.epoch, &entries)?;
        let synced = self.policy == SyncPolicy::Always;
        if synced {
            log.sync()?;
        }
        let applied = group.last().map(|waiting| waiting.seq);
        // Readers are kept out for the tables alone, a batch at a time: the disk is done, texts were
        // read before.
        for Waiting { seq, changes, .. } in group {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            state.apply(seq, changes);
            let count = state.version_count() as u32;
            drop(state);
            // Little by little, so that nobody waits long.
            while self.reclaim() {}
            self.dense.arrived(count);
        }
        self.keeper.grown(log.size_bytes());
        Ok(Done {
            log_bytes: log.size_bytes(),
            applied,
            synced,
        })
    }
}

struct Done {
    log_bytes: u64,
    applied: Option<u64>,
    synced: bool,
}

impl Queue {
    fn healthy(&self) -> Result<(), Error> {
        match &self.poison {
            Some(reason) => Err(Error::Poisoned {
                reason: reason.to_string(),
            }),
            None => Ok(()),
        }
    }

    fn writable(&self, epoch: u64) -> Result<(), Error> {
        match self.fenced_by {
            Some(by) => Err(Error::Fenced { epoch, by }),
            None => self.healthy(),
        }
    }

    /// Whether entry `seq`, which was queued, can still be written. What a leader took before the fence may be: it is neither
    /// refused nor acknowledged before that one is done.
    fn outlook(&self, seq: u64, epoch: u64) -> Result<(), Error> {
        if self.leading && seq < self.barred_from {
            return self.healthy();
        }
        self.writable(epoch)
    }

    /// Who waits is told; nothing of theirs was written.
    fn fence(&mut self, by: u64) {
        let first = self
            .waiting
            .first()
            .map_or(self.next_seq, |first| first.seq);
        self.barred_from = self.barred_from.min(first);
        self.fenced_by = self.fenced_by.max(Some(by));
        self.waiting.clear();
    }

    fn fail(&mut self, error: &Error) {
        let cause = std::error::Error::source(error)
            .map(|e| format!(": {e}"))
            .unwrap_or_default();
        self.poison = Some(format!("{error}{cause}").into());
        self.waiting.clear();
    }
}

/// Releases the others when a leader unwinds: without it they would wait for ever.
struct PanicWatch<'a>(&'a Committer);

impl Drop for PanicWatch<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.leading = false;
        queue.poison = Some("a write ended in a panic".into());
        queue.waiting.clear();
        self.0.turn.notify_all();
    }
}

/// The longest start of the queue that is not too large, at least one batch.
fn take_group(waiting: &mut Vec<Waiting>) -> Vec<Waiting> {
    let mut bytes = 0;
    let fits = waiting.iter().take_while(|waiting| {
        let first = bytes == 0;
        bytes += waiting.body.len();
        first || bytes <= GROUP_BYTES_LIMIT
    });
    let count = fits.count();
    waiting.drain(..count).collect()
}
