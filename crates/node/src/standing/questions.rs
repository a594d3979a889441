//! The standing questions of a node: kept on disk, waited for, and what came of them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use stdx::Histogram;

use super::alert::AlertLog;
use super::file::{Kept, QuestionFile};
use super::mark::{Ledger, Mark};
use super::matcher::{Matcher, Standing};
use super::question::Question;

/// Questions at most.
pub const QUESTIONS_LIMIT: usize = 100_000;

/// A question on its way in: what it asks, and what the border says of it.
#[derive(Clone, Debug)]
pub struct NewQuestion {
    /// What it asks.
    pub question: Question,
    /// To be read back by another run.
    pub definition: String,
}

/// Reads a question that an earlier run kept.
pub type ReadQuestion<'a> = &'a dyn Fn(&Kept) -> Result<Question, String>;

/// Reads a question again when the model has changed: the same, or with its meaning as the new model has it and a definition
/// that says so.
pub type RenewQuestion = Box<dyn Fn(&Kept) -> Result<NewQuestion, String> + Send>;

/// Why questions are not kept.
#[derive(Debug, thiserror::Error)]
pub enum StandingError {
    /// There are enough.
    #[error("there would be {count} standing questions, more than {QUESTIONS_LIMIT}")]
    Full {
        /// How many there would be.
        count: usize,
    },
    /// The disk refuses.
    #[error("the standing questions cannot be kept")]
    Disk(#[from] io::Error),
    /// What an earlier run kept cannot be read.
    #[error(
        "standing question {id:?} of {} cannot be read: {why}",
        super::QUESTIONS_FILE
    )]
    Unreadable {
        /// Which.
        id: String,
        /// Why.
        why: String,
    },
    /// Nobody waits for answers here.
    #[error("this process does not watch for answers")]
    Closed,
}

/// What came of the questions in this run.
#[derive(Clone, Default)]
pub struct StandingCounts {
    /// Questions that wait.
    pub questions: u64,
    /// Bytes of directions that every arrival is compared with.
    pub scanned_bytes: u64,
    /// The last entry that was matched.
    pub matched_seq: u64,
    /// The last up to which every alert was delivered or given up.
    pub settled_seq: u64,
    /// Documents of entries matched.
    pub arrivals: u64,
    /// Alerts.
    pub alerts: u64,
    /// Documents stored ahead of their time that wait to become known.
    pub ahead: u64,
    /// Entries that went unmatched because the log no longer had them, and documents stored ahead of their time that were too many
    /// to wait for.
    pub missed: u64,
    /// Times the file of the questions could not be written anew without what is of no use.
    pub untidied: u64,
    /// Alerts given up because too many waited for the broker.
    pub broker_dropped: u64,
    /// Alerts given up because the broker does not take such.
    pub broker_refused: u64,
    /// Market states matched.
    pub states: u64,
    /// What it took to match a document.
    pub match_ns: Histogram,
}

/// Alerts that a broker did not get, written by who sends them.
#[derive(Debug, Default)]
pub struct BrokerTally {
    /// Too many waited.
    pub dropped: AtomicU64,
    /// It does not take such.
    pub refused: AtomicU64,
}

/// Numbers that the watcher writes.
#[derive(Default)]
pub(super) struct Tally {
    pub matched_seq: AtomicU64,
    pub settled_seq: AtomicU64,
    pub arrivals: AtomicU64,
    pub ahead: AtomicU64,
    pub missed: AtomicU64,
    pub untidied: AtomicU64,
    pub states: AtomicU64,
    pub match_ns: Mutex<Histogram>,
}

/// The standing questions of a node.
pub struct StandingQuestions {
    dir: PathBuf,
    matcher: RwLock<Matcher>,
    /// `None` until it is opened. Locked before the matcher.
    file: Mutex<Option<QuestionFile>>,
    alerts: AlertLog,
    pub(super) ledger: Arc<Ledger>,
    pub(super) tally: Tally,
    broker: Arc<BrokerTally>,
}

impl StandingQuestions {
    /// Of a data folder; empty and closed.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            matcher: RwLock::default(),
            file: Mutex::default(),
            alerts: AlertLog::default(),
            ledger: Arc::default(),
            tally: Tally::default(),
            broker: Arc::default(),
        }
    }

    /// Reads what earlier runs kept, `head` being the log's last entry. A second call does nothing.
    ///
    /// # Errors
    /// When the file is damaged, or a question in it cannot be read.
    pub fn open(&self, head: u64, read: ReadQuestion<'_>) -> Result<(), StandingError> {
        let mut file = self.file();
        if file.is_some() {
            return Ok(());
        }
        let (opened, kept) = QuestionFile::open(&self.dir)?;
        let mut matcher = self.matcher_mut();
        for kept in kept {
            let question = read(&kept).map_err(|why| StandingError::Unreadable {
                id: kept.id.clone(),
                why,
            })?;
            // A folder that was restored as of an instant may end before it.
            let after_seq = kept.after_seq.min(head);
            matcher.put(standing(question, after_seq, kept.definition));
        }
        *file = Some(opened);
        Ok(())
    }

    /// Keeps questions, durably, all or none; each in the place of the one of its id. They wait for entries behind `head`.
    ///
    /// # Errors
    /// When there would be too many, the disk refuses, or nothing was opened.
    pub fn put(&self, new: Vec<NewQuestion>, head: u64) -> Result<(), StandingError> {
        let mut file = self.file();
        let file = file.as_mut().ok_or(StandingError::Closed)?;
        // Of two with one id the later one stands.
        let mut by_id = std::collections::BTreeMap::new();
        for new in new {
            by_id.insert(new.question.id.clone(), new);
        }
        let (replaced, count) = {
            let matcher = self.matcher();
            let known = by_id.keys().filter(|id| matcher.get(id).is_some()).count();
            (known, matcher.len() + by_id.len() - known)
        };
        if count > QUESTIONS_LIMIT {
            return Err(StandingError::Full { count });
        }
        if Mark::read(&self.dir)?.is_none() {
            // What was stored before the first question is no arrival.
            let (seq, ahead) = (head, Vec::new());
            Mark { seq, ahead }.write(&self.dir)?;
        }
        let kept: Vec<Kept> = by_id.values().map(|new| keep(new, head)).collect();
        file.put(&kept, replaced)?;
        let mut matcher = self.matcher_mut();
        for new in by_id.into_values() {
            matcher.put(standing(new.question, head, new.definition));
        }
        drop(matcher);
        self.tidy(file);
        Ok(())
    }

    /// Forgets a question, durably; whether there was one. Its alerts on their way still arrive.
    ///
    /// # Errors
    /// When the disk refuses, or nothing was opened.
    pub fn remove(&self, id: &str) -> Result<bool, StandingError> {
        let mut file = self.file();
        let file = file.as_mut().ok_or(StandingError::Closed)?;
        if self.matcher().get(id).is_none() {
            return Ok(false);
        }
        file.remove(id)?;
        self.matcher_mut().remove(id);
        self.tidy(file);
        Ok(true)
    }

    /// Has every meaning as the model of now has it, durably.
    ///
    /// # Errors
    /// What one of them could not be embedded for, or the disk refuses; those before it are done.
    pub fn renew(&self, renew: &RenewQuestion) -> Result<(), StandingError> {
        for old in self.list("", QUESTIONS_LIMIT) {
            if old.question.meaning.is_none() {
                continue;
            }
            let kept = kept(&old);
            let new = renew(&kept).map_err(|why| StandingError::Unreadable { id: kept.id, why })?;
            if new.question == old.question {
                continue;
            }
            let mut file = self.file();
            let file = file.as_mut().ok_or(StandingError::Closed)?;
            let is_same = |now: Arc<Standing>| Arc::ptr_eq(&now, &old);
            if !self.get(&old.question.id).is_some_and(is_same) {
                // It was put anew, or removed, meanwhile.
                continue;
            }
            if *new.definition != *old.definition {
                file.put(&[keep(&new, old.after_seq)], 1)?;
            }
            let new = standing(new.question, old.after_seq, new.definition);
            self.matcher_mut().put(new);
            self.tidy(file);
        }
        Ok(())
    }

    /// What was asked for is kept already: a file that cannot be written anew is left for the next change. Nothing is
    /// matched slower meanwhile, and whoever has the file is the only one to change the questions.
    fn tidy(&self, file: &mut QuestionFile) {
        if !file.is_wasteful() {
            return;
        }
        let kept: Vec<Kept> = self.matcher().iter_after("").map(kept).collect();
        if file.rewrite(&kept).is_err() {
            self.tally.untidied.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The question of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Standing>> {
        self.matcher().get(id).cloned()
    }

    /// Questions in byte order of their ids, after the id `after`, `limit` at most.
    #[must_use]
    pub fn list(&self, after: &str, limit: usize) -> Vec<Arc<Standing>> {
        self.matcher()
            .iter_after(after)
            .take(limit)
            .cloned()
            .collect()
    }

    /// The newest alerts.
    #[must_use]
    pub fn alerts(&self) -> &AlertLog {
        &self.alerts
    }

    /// Where a sender to a broker counts what it gives up.
    #[must_use]
    pub fn broker(&self) -> &Arc<BrokerTally> {
        &self.broker
    }

    /// What came of the questions so far.
    #[must_use]
    pub fn counts(&self) -> StandingCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let tally = &self.tally;
        let match_ns = tally.match_ns.lock();
        let matcher = self.matcher();
        StandingCounts {
            questions: matcher.len() as u64,
            scanned_bytes: matcher.scanned_bytes() as u64,
            matched_seq: read(&tally.matched_seq),
            settled_seq: read(&tally.settled_seq),
            arrivals: read(&tally.arrivals),
            alerts: self.alerts.last(),
            ahead: read(&tally.ahead),
            missed: read(&tally.missed),
            untidied: read(&tally.untidied),
            broker_dropped: read(&self.broker.dropped),
            broker_refused: read(&self.broker.refused),
            states: read(&tally.states),
            match_ns: match_ns.unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn matcher(&self) -> RwLockReadGuard<'_, Matcher> {
        self.matcher.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn matcher_mut(&self) -> RwLockWriteGuard<'_, Matcher> {
        self.matcher.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> MutexGuard<'_, Option<QuestionFile>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn standing(question: Question, after_seq: u64, definition: String) -> Arc<Standing> {
    Arc::new(Standing {
        question,
        after_seq,
        definition: definition.into(),
    })
}

fn kept(standing: &Arc<Standing>) -> Kept {
    Kept {
        id: standing.question.id.clone(),
        after_seq: standing.after_seq,
        vector: vector(&standing.question),
        definition: standing.definition.to_string(),
    }
}

fn keep(new: &NewQuestion, after_seq: u64) -> Kept {
    Kept {
        id: new.question.id.clone(),
        after_seq,
        vector: vector(&new.question),
        definition: new.definition.clone(),
    }
}

/// What its meaning, or its state, is compared by.
fn vector(question: &Question) -> Vec<f32> {
    let meaning = question.meaning.as_ref().map(|meaning| &meaning.vector);
    let state = question.state.as_ref().map(|state| &state.vector);
    // A question of words alone is compared by none.
    meaning.or(state).cloned().unwrap_or_default()
}
