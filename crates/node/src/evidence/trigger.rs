//! Signals on their way to the worker.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use market::event::{Instrument, InstrumentId, Stamp};
use market::publish::{BookTop, Frame, Signal, SignalKind};

use crate::market::MarketView;

/// Signals that wait at most: some seconds of work.
const WAITING_LIMIT: usize = 512;

/// A signal that asks for evidence.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Whose, as people are shown it.
    pub symbol: String,
    /// Its scales.
    pub instrument: Instrument,
    /// What happened.
    pub signal: Signal,
    /// The newest published book that is not from after the signal; `None` where there is none.
    pub book: Option<BookTop>,
    /// When the node had it, ns UTC.
    pub had_ns: u64,
}

/// A signal, and the book that was in force.
pub(crate) type Noticed = (Signal, Option<BookTop>);

/// A bounded queue whose oldest leave when it is full.
#[derive(Debug, Default)]
pub(crate) struct Triggers {
    waiting: Mutex<VecDeque<Trigger>>,
    filled: Condvar,
    /// Somebody reads it; without a reader nothing is queued.
    is_read: AtomicBool,
    taken: AtomicU64,
    dropped: AtomicU64,
}

impl Triggers {
    /// The signals of a batch that ask for evidence, with their books. Call it before the batch is applied to `view`.
    pub fn notice(
        &self,
        lane: usize,
        frames: &[Frame],
        view: impl FnOnce(&mut dyn FnMut(&MarketView)),
    ) -> Vec<Noticed> {
        let asks = |frame: &Frame| match frame {
            Frame::Signal(signal) if signal.kind != SignalKind::Resume => Some(*signal),
            _ => None,
        };
        if !self.is_read.load(Ordering::Acquire) || !frames.iter().any(|f| asks(f).is_some()) {
            return Vec::new();
        }
        let mut noticed: Vec<Noticed> = Vec::new();
        view(&mut |view| {
            for signal in frames.iter().filter_map(asks) {
                let known = view.of_lane(lane, signal.instrument).and_then(|s| s.book);
                let newer = frames
                    .iter()
                    .filter_map(|frame| book_of(frame, signal.instrument));
                let books = known.into_iter().chain(newer);
                let by_then = books.filter(|book| at(&book.stamp) <= at(&signal.stamp));
                noticed.push((signal, by_then.max_by_key(|book| at(&book.stamp))));
            }
        });
        noticed
    }

    /// Queues what was noticed.
    pub fn push(&self, triggers: Vec<Trigger>) {
        if triggers.is_empty() {
            return;
        }
        let mut waiting = self.lock();
        for trigger in triggers {
            if waiting.len() == WAITING_LIMIT {
                waiting.pop_front();
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            waiting.push_back(trigger);
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// The oldest that waits; `None` after `timeout` without one.
    pub fn take(&self, timeout: Duration) -> Option<Trigger> {
        let waiting = self.lock();
        let waited = self
            .filled
            .wait_timeout_while(waiting, timeout, |waiting| waiting.is_empty());
        let mut waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        waiting.pop_front()
    }

    /// From now on somebody reads; false where somebody does already.
    pub fn begin_reading(&self) -> bool {
        !self.is_read.swap(true, Ordering::AcqRel)
    }

    /// Nobody reads any more: what waits is dropped and counted.
    pub fn end_reading(&self) {
        self.is_read.store(false, Ordering::Release);
        let left = std::mem::take(&mut *self.lock()).len();
        self.dropped.fetch_add(left as u64, Ordering::Relaxed);
    }

    /// Taken, and of those dropped unanswered.
    pub fn counts(&self) -> (u64, u64) {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        (count(&self.taken), count(&self.dropped))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Trigger>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn at(stamp: &Stamp) -> (u64, u64) {
    (stamp.ts_event, stamp.seq)
}

fn book_of(frame: &Frame, instrument: InstrumentId) -> Option<BookTop> {
    match frame {
        Frame::Book(book) if book.instrument == instrument => Some(*book),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::publish::Integrity;

    fn signal(seq: u64, kind: SignalKind) -> Signal {
        Signal {
            instrument: InstrumentId(0),
            stamp: stamp(seq),
            kind,
            integrity: Integrity::Ok,
        }
    }

    fn stamp(seq: u64) -> Stamp {
        Stamp {
            seq,
            ts_event: seq * 10,
            ts_recv: seq * 10,
        }
    }

    fn book(seq: u64) -> Frame {
        Frame::Book(BookTop {
            stamp: stamp(seq),
            ..BookTop::VACANT
        })
    }

    fn trigger(seq: u64) -> Trigger {
        Trigger {
            symbol: "A".into(),
            instrument: Instrument::new(InstrumentId(0), "A", 0, 2),
            signal: signal(seq, SignalKind::Halt { reason: *b"T1  " }),
            book: None,
            had_ns: 0,
        }
    }

    #[test]
    fn the_book_is_the_newest_that_is_not_later_than_the_signal() {
        let mut view = MarketView::default();
        let instrument = Instrument::new(InstrumentId(0), "A", 0, 2);
        view.apply(0, &Frame::Instrument(instrument));
        view.apply(0, &book(3));
        let triggers = Triggers::default();
        let halt = SignalKind::Halt { reason: *b"T1  " };
        let notice = |frames: &[Frame]| -> Vec<Option<u64>> {
            let noticed = triggers.notice(0, frames, |with| with(&view));
            let seq = |(_, book): &Noticed| book.map(|book| book.stamp.seq);
            noticed.iter().map(seq).collect()
        };
        let batch = [
            Frame::Signal(signal(5, halt)),
            book(4),
            Frame::Signal(signal(2, halt)),
            book(6),
            Frame::Signal(signal(7, SignalKind::Resume)),
        ];
        assert_eq!(notice(&batch), [], "nobody reads");
        assert!(triggers.begin_reading() && !triggers.begin_reading());
        assert_eq!(notice(&batch), [Some(4), None]);
        assert_eq!(notice(&[Frame::Signal(signal(9, halt))]), [Some(3)]);
    }

    #[test]
    fn the_oldest_leave_a_full_queue_and_are_counted() {
        let triggers = Triggers::default();
        let all = WAITING_LIMIT as u64 + 3;
        triggers.push((0..all).map(trigger).collect());
        assert_eq!(triggers.counts(), (all, 3));
        let first = triggers.take(Duration::ZERO).map(|t| t.signal.stamp.seq);
        assert_eq!(first, Some(3));
        assert!(triggers.take(Duration::ZERO).is_some());
        triggers.end_reading();
        assert_eq!(triggers.counts(), (all, 3 + WAITING_LIMIT as u64 - 2));
        assert!(triggers.take(Duration::ZERO).is_none());
    }
}
