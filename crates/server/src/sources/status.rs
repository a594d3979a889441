//! What a source has brought, and what is wrong with it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::app::{Check, Probe};

/// Refused documents that are shown; all are counted.
const SHOWN: usize = 32;
/// Longest reason that is shown, in bytes.
const REASON_BYTES: usize = 300;

/// One source: what it is, and its numbers.
#[derive(Debug)]
pub struct Status {
    /// `feed`, `edgar`, `folder`, `nats` or `kafka`.
    pub kind: &'static str,
    /// The name under which it is shown.
    pub name: String,
    /// Where it reads: an address without secrets, a folder, a subject.
    pub target: String,
    counts: Mutex<Counts>,
}

/// Numbers of a source in this run.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// When it last worked: an answer was read, a folder looked through, a message taken; ns UTC.
    pub last_success: Option<u64>,
    /// When it is asked next, where it is one that is asked; ns UTC.
    pub next: Option<u64>,
    /// Times that it was asked.
    pub asked: u64,
    /// Of them, those that were told that nothing changed.
    pub unchanged: u64,
    /// Documents stored for the first time.
    pub documents: u64,
    /// Documents stored as another version.
    pub revisions: u64,
    /// Documents that were there already.
    pub duplicates: u64,
    /// Documents deleted because their files were removed.
    pub deleted: u64,
    /// Documents that cannot be stored as they are.
    pub refused: u64,
    /// Times that it did not work.
    pub failures: u64,
    /// What is wrong now, in words.
    pub trouble: Option<String>,
    /// The last refused.
    pub refusals: VecDeque<Refusal>,
}

/// A document that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When, ns UTC.
    pub at: u64,
    /// Which: an entry, a file and line, a message.
    pub place: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Status {
    /// Of a source that did nothing yet.
    #[must_use]
    pub fn new(kind: &'static str, name: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            target: target.into(),
            counts: Mutex::default(),
        }
    }

    /// Its numbers.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.with(|counts| counts.clone())
    }

    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Counts) -> T) -> T {
        f(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// It worked.
    #[allow(
        clippy::print_stderr,
        reason = "the log of a server is its standard error"
    )]
    pub(super) fn works(&self, now: u64) {
        let was = self.with(|counts| {
            counts.last_success = Some(now);
            counts.trouble.take()
        });
        if was.is_some() {
            eprintln!("ouzel: source {} works again", self.name);
        }
    }

    /// It did not work: one line on standard error where that is new.
    #[allow(
        clippy::print_stderr,
        reason = "the log of a server is its standard error"
    )]
    pub(super) fn fails(&self, why: &str) {
        let was = self.with(|counts| {
            counts.failures += 1;
            counts.trouble.replace(why.to_owned())
        });
        if was.as_deref() != Some(why) {
            eprintln!("ouzel: source {} is in trouble: {why}", self.name);
        }
    }

    /// A document is set aside.
    #[allow(
        clippy::print_stderr,
        reason = "the log of a server is its standard error"
    )]
    pub(super) fn refuse(&self, now: u64, place: &str, reason: &str) {
        let reason = &reason[..reason.floor_char_boundary(REASON_BYTES)];
        let place = &place[..place.floor_char_boundary(REASON_BYTES)];
        let (is_new, count) = self.with(|counts| {
            let mut seen = counts.refusals.iter();
            let is_new = !seen.any(|r| r.place == place && r.reason == reason);
            if is_new {
                counts.refused += 1;
                if counts.refusals.len() == SHOWN {
                    counts.refusals.pop_front();
                }
                counts.refusals.push_back(Refusal {
                    at: now,
                    place: place.to_owned(),
                    reason: reason.to_owned(),
                });
            }
            (is_new, counts.refused)
        });
        if is_new && count <= SHOWN as u64 {
            eprintln!("ouzel: source {}: {place}: {reason}", self.name);
        }
    }
}

/// Health of all sources. One that fails is told here and does not make the node unready: what is stored answers on.
#[must_use]
pub fn probe(sources: &[Arc<Status>]) -> Probe {
    let sources = sources.to_vec();
    let read = Box::new(move || {
        let troubles = sources.iter().filter_map(|source| {
            let trouble = source.counts().trouble?;
            Some(format!("{}: {trouble}", source.name))
        });
        let troubles: Vec<String> = troubles.collect();
        let all = sources.len();
        let detail = match troubles.len() {
            0 => format!("{all}, none in trouble"),
            n => format!("{n} of {all} in trouble: {}", troubles.join("; ")),
        };
        Check { ok: true, detail }
    });
    Probe {
        name: "sources",
        read,
    }
}
