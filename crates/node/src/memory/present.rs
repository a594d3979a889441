//! What "now" means to a question, so that the same question asked later about that instant finds the same.
//!
//! A document becomes known at an instant, is embedded, and reaches the disk some milliseconds later. A question in
//! between does not find it, and the same question asked tomorrow about this instant would. So questions are about an
//! instant before everything that is being written, and what is written becomes known after every instant that a question
//! was already about. History is left alone: a document that says it was known long ago tells of a past that was not
//! answered about from here.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long after its `known_at` a document may be stored and still count as arriving.
pub const ARRIVING_NS: u64 = 60_000_000_000;

/// The border between what questions may know and what is on its way.
#[derive(Debug, Default)]
pub struct Present(Mutex<Border>);

#[derive(Debug, Default)]
struct Border {
    /// The latest instant that a question was about; 0: none was asked.
    asked: u64,
    /// Instants at which what is being written becomes known, and how many writes there are of each.
    writing: BTreeMap<u64, usize>,
}

/// A write on its way; over when dropped.
pub struct Writing<'a> {
    present: &'a Present,
    known_at: Option<u64>,
}

impl Present {
    /// The instant that a question asked at `now` is about.
    pub fn ask(&self, now: u64) -> u64 {
        let mut border = self.border();
        let first = border.writing.first_key_value().map(|(&at, _)| at);
        let at = first.map_or(now, |first| now.min(first.saturating_sub(1)));
        border.asked = border.asked.max(at);
        at
    }

    /// Begins a write of what says that it became known at `known_at`, and says at which instant it does: later where
    /// questions were answered without it.
    pub fn write(&self, known_at: u64, now: u64) -> (u64, Writing<'_>) {
        let mut border = self.border();
        if known_at.saturating_add(ARRIVING_NS) < now {
            let history = Writing {
                present: self,
                known_at: None,
            };
            return (known_at, history);
        }
        let known_at = match border.asked {
            0 => known_at,
            asked => known_at.max(asked + 1),
        };
        *border.writing.entry(known_at).or_default() += 1;
        let writing = Writing {
            present: self,
            known_at: Some(known_at),
        };
        (known_at, writing)
    }

    /// Calls `set` with the first instant that no question was about yet. Questions wait until it is done.
    pub fn border_at<T>(&self, now: u64, set: impl FnOnce(u64) -> T) -> T {
        let border = self.border();
        set(now.max(border.asked) + 1)
    }

    fn border(&self) -> MutexGuard<'_, Border> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let Some(known_at) = self.known_at else {
            return;
        };
        let mut border = self.present.border();
        if let Some(count) = border.writing.get_mut(&known_at) {
            *count -= 1;
            if *count == 0 {
                border.writing.remove(&known_at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000 * ARRIVING_NS;

    #[test]
    fn a_question_is_about_an_instant_before_what_is_being_written() {
        let present = Present::default();
        let (known_at, writing) = present.write(NOW - 5, NOW);
        assert_eq!((known_at, present.ask(NOW)), (NOW - 5, NOW - 6));
        let (second, also) = present.write(NOW - 5, NOW);
        assert_eq!(second, NOW - 5);
        drop(writing);
        assert_eq!(present.ask(NOW), NOW - 6);
        drop(also);
        assert_eq!(present.ask(NOW), NOW);
    }

    #[test]
    fn what_a_question_did_not_find_becomes_known_after_it() {
        let present = Present::default();
        assert_eq!(present.ask(NOW), NOW);
        assert_eq!(present.write(NOW - 5, NOW + 9).0, NOW + 1);
        assert_eq!(present.write(NOW + 50, NOW + 9).0, NOW + 50);
    }

    #[test]
    fn history_is_stored_as_it_says_and_holds_nobody_up() {
        let present = Present::default();
        present.ask(NOW);
        let long_ago = NOW - ARRIVING_NS - 1;
        let (known_at, _writing) = present.write(long_ago, NOW);
        assert_eq!((known_at, present.ask(NOW + 1)), (long_ago, NOW + 1));
    }
}
