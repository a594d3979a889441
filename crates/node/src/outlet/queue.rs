//! What waits for one reader, as a plain state machine: no lock, no thread.

use std::collections::VecDeque;

use market::publish::Frame;

use super::kind::{Key, TABLES};
use super::{Laned, SlowPolicy};

/// What became of the frames of one outlet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub sent: u64,
    pub conflated: u64,
    pub dropped: u64,
}

#[allow(
    clippy::large_enum_variant,
    reason = "frames queue by value; a box each would allocate per frame"
)]
enum Entry {
    /// A frame that keeps its place.
    Frame(Laned),
    /// The newest frame of a key, in `Slots`.
    Slot(u32),
}

/// Frames of one outlet between the publisher and the reader.
pub(super) struct Queue {
    policy: SlowPolicy,
    capacity: usize,
    /// Goes out first: what a new reader needs to start whole, and names rescued from a hole.
    start: VecDeque<Laned>,
    entries: VecDeque<Entry>,
    slots: Slots,
    /// Of `entries`, those that count against the capacity.
    counted: usize,
    /// Lost and not marked yet, by lane.
    holes: Vec<(usize, u64)>,
    pub counts: Counts,
}

impl Queue {
    pub fn new(policy: SlowPolicy, capacity: usize) -> Self {
        Self {
            policy,
            capacity: capacity.max(2),
            start: VecDeque::new(),
            entries: VecDeque::new(),
            slots: Slots::default(),
            counted: 0,
            holes: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Gives a new reader what it needs before the first live frame. Not counted by the capacity.
    pub fn begin(&mut self, lane: usize, frame: Frame) {
        self.start.push_back((lane, frame));
    }

    pub fn push(&mut self, lane: usize, frame: &Frame) {
        match self.policy {
            SlowPolicy::Conflate => self.push_conflated(lane, frame),
            SlowPolicy::DropWithMark | SlowPolicy::Spill => {
                self.push_in_order(lane, frame, self.capacity)
            }
            SlowPolicy::Block => self.push_in_order(lane, frame, 2 * self.capacity),
        }
    }

    pub fn pop(&mut self) -> Option<Laned> {
        let next = self.pop_any();
        self.counts.sent += u64::from(next.is_some());
        next
    }

    /// The same for whoever keeps the frame for the reader: it is not sent yet.
    pub fn pass_on(&mut self) -> Option<Laned> {
        self.pop_any()
    }

    /// Frames that wait, the beginning of a new reader included.
    pub fn len(&self) -> usize {
        self.start.len() + self.entries.len()
    }

    /// Whether inputs that can wait should.
    pub fn is_full(&self) -> bool {
        self.counted >= self.capacity
    }

    /// Whether half of the capacity is free.
    pub fn is_half_free(&self) -> bool {
        self.counted <= self.capacity / 2
    }

    fn push_conflated(&mut self, lane: usize, frame: &Frame) {
        if let Some(key) = Key::of(lane, frame) {
            match self.slots.put(key, (lane, *frame)) {
                Some(slot) => self.entries.push_back(Entry::Slot(slot)),
                None => self.counts.conflated += 1,
            }
            return;
        }
        // The marks of a hole need their own places before what follows the hole.
        if self.counted + 1 + self.holes.len() > self.capacity {
            self.lose(lane, frame);
            return;
        }
        while let Some(mark) = self.take_mark() {
            self.append(mark);
        }
        self.append((lane, *frame));
    }

    fn push_in_order(&mut self, lane: usize, frame: &Frame, limit: usize) {
        self.append((lane, *frame));
        while self.counted > limit {
            let Some(Entry::Frame((lane, oldest))) = self.entries.pop_front() else {
                return;
            };
            self.counted -= 1;
            match oldest {
                // Without it nothing that follows could be understood.
                Frame::Instrument(_) => self.rescue((lane, oldest)),
                _ => self.lose(lane, &oldest),
            }
        }
    }

    /// Keeps a name that would be lost; one for each key, so that this has a bound too.
    fn rescue(&mut self, (lane, frame): Laned) {
        let key = Key::of(lane, &frame);
        let same = self.start.iter_mut().find(|(of, f)| Key::of(*of, f) == key);
        match same {
            Some(older) => *older = (lane, frame),
            None => self.start.push_back((lane, frame)),
        }
    }

    fn append(&mut self, laned: Laned) {
        self.entries.push_back(Entry::Frame(laned));
        self.counted += 1;
    }

    fn lose(&mut self, lane: usize, frame: &Frame) {
        // A mark that is lost stands for what it marked.
        let (count, own) = match frame {
            Frame::Dropped { count } => (*count, 0),
            _ => (1, 1),
        };
        self.counts.dropped += own;
        match self.holes.iter_mut().find(|(of, _)| *of == lane) {
            Some((_, hole)) => *hole += count,
            None => self.holes.push((lane, count)),
        }
    }

    fn take_mark(&mut self) -> Option<Laned> {
        let (lane, count) = self.holes.pop()?;
        Some((lane, Frame::Dropped { count }))
    }

    fn pop_any(&mut self) -> Option<Laned> {
        if let Some(first) = self.start.pop_front() {
            return Some(first);
        }
        // In order, the hole is before the oldest; conflated, it is behind the newest that counts.
        let is_here = self.policy != SlowPolicy::Conflate || self.counted == 0;
        if is_here && let Some(mark) = self.take_mark() {
            return Some(mark);
        }
        match self.entries.pop_front()? {
            Entry::Frame(laned) => {
                self.counted -= 1;
                Some(laned)
            }
            Entry::Slot(slot) => self.slots.take(slot),
        }
    }
}

/// The newest frame of each key. Grows to the number of keys and no further: ids are dense.
#[derive(Default)]
struct Slots {
    frames: Vec<Option<Laned>>,
    free: Vec<u32>,
    /// Slot + 1 by lane, table and row; 0: nothing waits.
    waiting: Vec<[Vec<u32>; TABLES]>,
}

impl Slots {
    /// Keeps the newest frame of `key`; answers its slot when nothing of that key waited.
    fn put(&mut self, key: Key, laned: Laned) -> Option<u32> {
        if self.waiting.len() <= key.lane {
            self.waiting.resize_with(key.lane + 1, Default::default);
        }
        let rows = &mut self.waiting[key.lane][key.table];
        if rows.len() <= key.row {
            rows.resize(key.row + 1, 0);
        }
        if rows[key.row] > 0 {
            self.frames[rows[key.row] as usize - 1] = Some(laned);
            return None;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.frames.push(None);
            self.frames.len() as u32 - 1
        });
        self.frames[slot as usize] = Some(laned);
        rows[key.row] = slot + 1;
        Some(slot)
    }

    fn take(&mut self, slot: u32) -> Option<Laned> {
        let (lane, frame) = self.frames.get_mut(slot as usize)?.take()?;
        if let Some(key) = Key::of(lane, &frame) {
            self.waiting[key.lane][key.table][key.row] = 0;
        }
        self.free.push(slot);
        Some((lane, frame))
    }
}

#[cfg(test)]
mod tests;
