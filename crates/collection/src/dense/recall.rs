//! How much of the truth searches find, measured on the questions that are really asked, and how wide they have to walk for it.
//!
//! Now and then a question is answered a second time by comparing every row, beside all else and for no more than a fiftieth of
//! the work that searches do. The beam follows what that says: wider while the recall may be below the target, narrower
//! while it is surely above.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use vector::flat::Scan;
use vector::{Hit, Scratch};

use crate::AsOf;
use crate::state::{BLOCK_SLOTS, State};

/// Share of searches' work that is spent on measuring.
const SHARE: f64 = 0.02;
/// Recall that the beam is steered to.
const TARGET: f64 = 0.98;
/// Questions that the estimate looks back on.
const WINDOW: usize = 256;
/// Questions at one beam before it is moved again.
const PATIENCE: usize = 24;
const BEAM_START: u32 = 128;
const BEAM_LEAST: u32 = 24;
const BEAM_MOST: u32 = 2048;
/// Standard errors on each side of the mean.
const SPREAD: f64 = 1.96;

/// What was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RecallEstimate {
    /// Mean share of the true nearest that searches of the usual effort found lately.
    pub mean: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Questions it rests on; 0 while nothing was measured.
    pub samples: u64,
    /// Rows that a usual search keeps in view now.
    pub beam: u32,
}

/// The measuring and the steering of one collection.
pub(crate) struct Watch {
    /// Row comparisons that may be spent on measuring.
    credit: AtomicU64,
    beam: AtomicU32,
    shared: Mutex<Shared>,
    changed: Condvar,
}

#[derive(Default)]
struct Shared {
    waiting: Option<Asked>,
    recalls: VecDeque<f64>,
    samples: u64,
    since_moved: usize,
    closing: bool,
}

/// A question and its answer.
struct Asked {
    query: Vec<f32>,
    k: usize,
    seq: u64,
    hits: Vec<Hit>,
    beam: u32,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            credit: AtomicU64::new(0),
            beam: AtomicU32::new(BEAM_START),
            shared: Mutex::default(),
            changed: Condvar::new(),
        }
    }
}

impl Watch {
    /// Rows that a usual search keeps in view.
    pub(crate) fn beam(&self) -> usize {
        self.beam.load(Ordering::Relaxed) as usize
    }

    /// A usual search of now was answered by work worth `rows` comparisons; perhaps it is measured.
    pub(crate) fn answered(
        &self,
        state: &State,
        query: &[f32],
        k: usize,
        hits: &[Hit],
        rows: usize,
    ) {
        let earned = (rows as f64 * SHARE * 16.0) as u64;
        let credit = self.credit.fetch_add(earned, Ordering::Relaxed) / 16;
        if credit < state.version_count() || k == 0 {
            return;
        }
        // Somebody else is at it, or the last one is not done.
        let Ok(mut shared) = self.shared.try_lock() else {
            return;
        };
        if shared.waiting.is_some() {
            return;
        }
        self.credit.store(0, Ordering::Relaxed);
        shared.waiting = Some(Asked {
            query: query.to_vec(),
            k,
            seq: state.head_seq(),
            hits: hits.to_vec(),
            beam: self.beam.load(Ordering::Relaxed),
        });
        self.changed.notify_all();
    }

    /// What was measured lately.
    pub(crate) fn estimate(&self) -> RecallEstimate {
        let shared = self.lock();
        let (mean, error) = spread(&shared.recalls);
        RecallEstimate {
            mean,
            low: (mean - error).max(0.0),
            high: (mean + error).min(1.0),
            samples: shared.samples,
            beam: self.beam.load(Ordering::Relaxed),
        }
    }

    /// Ends the thread after what it is at.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    /// The body of the thread that measures.
    pub(crate) fn run(&self, state: &RwLock<State>) {
        let mut scratch = Scratch::default();
        loop {
            let idle = |shared: &mut Shared| !shared.closing && shared.waiting.is_none();
            let shared = self.changed.wait_while(self.lock(), idle);
            let mut shared = shared.unwrap_or_else(PoisonError::into_inner);
            let Some(asked) = shared.waiting.take() else {
                return;
            };
            drop(shared);
            let recall = measured(&asked, state, &mut scratch);
            self.learn(recall, asked.beam);
        }
    }

    fn learn(&self, recall: f64, beam: u32) {
        let mut shared = self.lock();
        shared.samples += 1;
        // An answer of an earlier beam says nothing of this one.
        if beam != self.beam.load(Ordering::Relaxed) {
            return;
        }
        shared.recalls.push_back(recall);
        if shared.recalls.len() > WINDOW {
            shared.recalls.pop_front();
        }
        shared.since_moved += 1;
        if shared.since_moved < PATIENCE {
            return;
        }
        let moved = moved(beam, spread(&shared.recalls));
        if moved != beam {
            self.beam.store(moved, Ordering::Relaxed);
            shared.recalls.clear();
            shared.since_moved = 0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the beam goes from a mean recall and its error.
fn moved(beam: u32, (mean, error): (f64, f64)) -> u32 {
    let next = if mean < TARGET {
        (beam + beam / 4).max(beam + 1)
    } else if mean - error > TARGET {
        beam - beam / 8
    } else {
        beam
    };
    next.clamp(BEAM_LEAST, BEAM_MOST)
}

/// The mean and what it may be off.
fn spread(recalls: &VecDeque<f64>) -> (f64, f64) {
    let count = recalls.len() as f64;
    if recalls.is_empty() {
        return (0.0, 0.0);
    }
    let mean = recalls.iter().sum::<f64>() / count;
    let variance = recalls.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / count;
    // One answer in so many may be wrong although none was seen to be.
    let least = 1.0 / (count + 1.0);
    (
        mean,
        SPREAD * (variance.max(least * (1.0 - mean).max(0.01)) / count).sqrt(),
    )
}

/// The share of the true nearest that were found. Looks at a block at a time, so that nobody waits long.
fn measured(asked: &Asked, state: &RwLock<State>, scratch: &mut Scratch) -> f64 {
    let read = || state.read().unwrap_or_else(PoisonError::into_inner);
    let metric = read().metric();
    let mut scan = Scan::new(metric, &asked.query, asked.k, scratch);
    let mut from = 0;
    loop {
        let state = read();
        let to = (from + BLOCK_SLOTS as u32).min(state.version_count() as u32);
        if from >= to {
            break;
        }
        let lens = state.lens(&AsOf::Seq(asked.seq));
        let slots = (from..to).filter(|&slot| lens.has(slot));
        scan.slots(slots, |slot| state.row(slot));
        from = to;
    }
    let truth = scan.finish();
    let Some(last) = truth.last() else {
        return 1.0;
    };
    // One that is as near as the last of the truth is as good.
    let is_near = |hit: &&Hit| metric.key(hit.score) <= metric.key(last.score);
    let found = asked.hits.iter().filter(is_near).count();
    found.min(truth.len()) as f64 / truth.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beam_goes_where_the_recall_asks() {
        assert!(moved(100, (0.9, 0.01)) > 100);
        assert_eq!(moved(100, (0.985, 0.01)), 100);
        assert!(moved(100, (0.999, 0.005)) < 100);
        assert_eq!(moved(BEAM_MOST, (0.1, 0.01)), BEAM_MOST);
        assert_eq!(moved(BEAM_LEAST, (1.0, 0.001)), BEAM_LEAST);
    }

    #[test]
    fn few_questions_are_not_certain() {
        let of = |recalls: &[f64]| spread(&recalls.iter().copied().collect());
        assert_eq!(of(&[]), (0.0, 0.0));
        let (mean, error) = of(&[1.0; 10]);
        assert!(mean == 1.0 && error > 0.005);
        assert!(of(&[1.0; 200]).1 < error / 3.0);
        let (mean, error) = of(&[0.8, 1.0, 0.9, 1.0]);
        assert!((mean - 0.925).abs() < 1e-9 && error > 0.05);
    }
}
