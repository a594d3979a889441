//! Frames of a reader that is slow or gone, on disk until it takes them.
//!
//! ```text
//!  publisher --> queue in memory --(half full)--> thread "spill" --> file --> reader
//!                      └──────────────(file empty)──────────────────────────────┘
//! ```
//!
//! The publisher never waits for the disk: a thread moves what waits from the queue to the file once
//! half of the queue is full, and while the file holds anything the reader takes from there, so that
//! the order is kept. Beyond the limit of the file new frames are dropped, and a mark stands where they were.
//!
//! What `docs/formats/ouzel-frames.md` does not carry does not go to disk: of measures, trading statuses
//! and states of the market the newest is kept in memory, a joined print is dropped and marked.

mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use market::feed::ouzel;
use market::publish::Frame;
use wire::ouzel::Message;

use super::Laned;
use super::kind::Key;
use super::registry::Shared;
use file::{Next, SpillFile};

/// Where frames are spilled, and how much.
#[derive(Clone, Debug)]
pub struct SpillSettings {
    /// Each outlet has a folder of its name in it.
    pub dir: PathBuf,
    /// Bytes on disk of one outlet, at most.
    pub limit: u64,
}

/// The far half of an outlet that spills.
pub(super) struct Spill {
    back: Mutex<Back>,
    /// Frames that wait behind the queue in memory. Changes while the queue's lock is held, so that
    /// whoever holds it sees every frame in one of the two.
    waiting: AtomicU64,
    spilled: AtomicU64,
    pub asked: Condvar,
    is_closed: AtomicBool,
}

struct Back {
    file: SpillFile,
    /// Newest states that the file does not carry.
    states: BTreeMap<Key, Laned>,
    /// Names that found no room: without them nothing that follows could be understood.
    names: BTreeMap<Key, Laned>,
    /// Lost and not marked yet, by lane.
    holes: BTreeMap<usize, u64>,
    /// Lost while reading.
    unread: u64,
    record: Vec<u8>,
    buffer: Box<ouzel::Buffer>,
    trouble: Option<String>,
}

impl Spill {
    /// Frames in `dir`, at most `limit` bytes; and how many an earlier run left there, removed now.
    pub fn open(dir: &Path, limit: u64) -> std::io::Result<(Self, u64)> {
        let (file, left) = SpillFile::open(dir, limit)?;
        let back = Back {
            file,
            states: BTreeMap::new(),
            names: BTreeMap::new(),
            holes: BTreeMap::new(),
            unread: 0,
            record: Vec::new(),
            buffer: Box::new(ouzel::buffer()),
            trouble: None,
        };
        let spill = Self {
            back: Mutex::new(back),
            waiting: AtomicU64::new(0),
            spilled: AtomicU64::new(0),
            asked: Condvar::new(),
            is_closed: AtomicBool::new(false),
        };
        Ok((spill, left))
    }

    fn lock(&self) -> MutexGuard<'_, Back> {
        self.back.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frames that wait here. Exact for whoever holds the queue's lock.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Acquire)
    }

    /// Frames written to disk so far.
    pub fn spilled(&self) -> u64 {
        self.spilled.load(Ordering::Relaxed)
    }

    /// Takes up to `limit` frames in order, from here and then from the queue.
    pub fn take(&self, shared: &Shared, limit: usize, frames: &mut Vec<Laned>) -> usize {
        let mut back = self.lock();
        let before = frames.len();
        frames.extend(std::iter::from_fn(|| back.next()).take(limit));
        let from_here = (frames.len() - before) as u64;
        let mut inner = shared.lock();
        self.waiting.store(back.len(), Ordering::Release);
        inner.queue.counts.sent += from_here;
        inner.queue.counts.dropped += std::mem::take(&mut back.unread);
        if back.len() == 0 {
            let left = limit - (frames.len() - before);
            frames.extend(std::iter::from_fn(|| inner.queue.pop()).take(left));
        }
        frames.len() - before
    }

    /// Moves all that waits in the queue to the file.
    pub fn shift(&self, shared: &Shared, moved: &mut Vec<Laned>) {
        let mut back = self.lock();
        {
            let mut inner = shared.lock();
            moved.clear();
            moved.extend(std::iter::from_fn(|| inner.queue.pass_on()));
            // None of them is in the queue any more and not all are in the file yet.
            self.waiting
                .store(back.len() + moved.len() as u64, Ordering::Release);
        }
        let (mut written, mut dropped) = (BTreeMap::new(), 0);
        for (lane, frame) in moved.drain(..) {
            match back.put(lane, &frame) {
                Put::File => *written.entry(lane).or_default() += 1,
                Put::Memory => {}
                Put::Lost(own) => dropped += own,
            }
        }
        if let Err(error) = back.file.flush() {
            for (lane, count) in std::mem::take(&mut written) {
                dropped += count;
                back.lose(lane, count);
            }
            back.trouble = Some(format!("cannot spill: {error}"));
        }
        let written: u64 = written.values().sum();
        let trouble = back.trouble.take();
        let mut inner = shared.lock();
        self.waiting.store(back.len(), Ordering::Release);
        self.spilled.fetch_add(written, Ordering::Relaxed);
        inner.queue.counts.dropped += dropped;
        inner.spill_trouble = trouble;
    }

    /// Moves frames whenever half of the queue is full, until the outlet closes.
    pub fn spawn(shared: &Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
        let shared = Arc::clone(shared);
        let work = move || {
            let Some(spill) = &shared.spill else {
                return;
            };
            let mut moved = Vec::new();
            loop {
                let inner = shared.lock();
                let is_idle = |inner: &mut super::registry::Inner| {
                    inner.queue.is_half_free() && !spill.is_closed.load(Ordering::Acquire)
                };
                let waited = spill.asked.wait_while(inner, is_idle);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
                if spill.is_closed.load(Ordering::Acquire) {
                    return;
                }
                spill.shift(&shared, &mut moved);
            }
        };
        std::thread::Builder::new()
            .name("spill".to_owned())
            .spawn(work)
    }

    /// Ends the thread.
    pub fn close(&self, shared: &Shared) {
        self.is_closed.store(true, Ordering::Release);
        let inner = shared.lock();
        drop(inner);
        self.asked.notify_all();
    }
}

/// Where a frame went; `Lost` with how many of it count as this outlet's own loss.
enum Put {
    File,
    Memory,
    Lost(u64),
}

impl Back {
    fn len(&self) -> u64 {
        let kept = self.names.len() + self.holes.len() + self.states.len();
        self.file.len() + kept as u64
    }

    fn put(&mut self, lane: usize, frame: &Frame) -> Put {
        let key = Key::of(lane, frame);
        if ouzel::write(lane, frame, &mut self.buffer).is_none() {
            return match key {
                Some(key) => {
                    self.states.insert(key, (lane, *frame));
                    Put::Memory
                }
                None => self.lose_frame(lane, frame),
            };
        }
        if self.catch_up() && self.append(lane, frame) {
            return Put::File;
        }
        match (frame, key) {
            (Frame::Instrument(_), Some(key)) => {
                self.names.insert(key, (lane, *frame));
                Put::Memory
            }
            _ => self.lose_frame(lane, frame),
        }
    }

    /// Names and marks that found no room go in before what follows them; whether all did.
    fn catch_up(&mut self) -> bool {
        while let Some((key, (lane, frame))) = self.names.pop_first() {
            if !self.append(lane, &frame) {
                self.names.insert(key, (lane, frame));
                return false;
            }
        }
        while let Some((lane, count)) = self.holes.pop_first() {
            if !self.append(lane, &Frame::Dropped { count }) {
                self.holes.insert(lane, count);
                return false;
            }
        }
        true
    }

    fn append(&mut self, lane: usize, frame: &Frame) -> bool {
        let message = ouzel::write(lane, frame, &mut self.buffer);
        message.is_some_and(|message| self.file.push(message))
    }

    fn lose_frame(&mut self, lane: usize, frame: &Frame) -> Put {
        // A mark that is lost stands for what it marked, and that was counted where it was lost.
        let (count, own) = match frame {
            Frame::Dropped { count } => (*count, 0),
            _ => (1, 1),
        };
        self.lose(lane, count);
        Put::Lost(own)
    }

    fn lose(&mut self, lane: usize, count: u64) {
        *self.holes.entry(lane).or_default() += count;
    }

    /// The oldest frame; names, marks and states come once the file is empty.
    fn next(&mut self) -> Option<Laned> {
        let lost = match self.file.next(&mut self.record) {
            Next::Record => {
                // What cannot be read is counted below, whatever the reason.
                let read = Message::parse(&self.record).ok();
                match read.and_then(|message| ouzel::read(&message)) {
                    Some(laned) => return Some(laned),
                    // Ours, with a good checksum, and not readable: nothing that this version writes.
                    None => 1,
                }
            }
            // Whose frames those were is not known any more: the first lane's mark tells.
            Next::Lost(count) => count,
            Next::Empty => return self.next_in_memory(),
        };
        self.unread += lost;
        Some((0, Frame::Dropped { count: lost }))
    }

    fn next_in_memory(&mut self) -> Option<Laned> {
        if let Some((_, name)) = self.names.pop_first() {
            return Some(name);
        }
        if let Some((lane, count)) = self.holes.pop_first() {
            return Some((lane, Frame::Dropped { count }));
        }
        self.states.pop_first().map(|(_, state)| state)
    }
}

#[cfg(test)]
mod tests;
