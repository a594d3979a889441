//! Vectors of one model after the other.
//!
//! A data folder has the vectors of one model, until it is opened with another. Then the log of documents is told again,
//! entry by entry and with the same numbers, to a second collection whose vectors are the new model's ([`Reembedding`]).
//! When that has all, one instant is the border, written down before anybody is answered by it: a question about an
//! instant before it goes to the old vectors, now and ever after, any other to the new ones.
//!
//! ```text
//! documents    |====== A: answers ======|- - - history that comes late - - -> until it is forgotten
//! documents.1        |== B follows A ===|====== B: answers, A follows B ====>
//!                                       ^ border: an entry, an instant, one rename of the file `model`
//! ```

mod file;
mod follow;
mod forget;
mod open;
mod texts;
mod worker;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use collection::Collection;
use rag::Fault;

use crate::embedding::{Embedding, MadeBy};

pub(crate) use file::{Entry, first, read as read_file, write as write_file};
pub use file::{MODEL_FILE, Stage};
use file::{put as put_file, settle as settle_file};
pub(crate) use follow::unit_vector;
pub use follow::{Reembedding, Turned};
pub use forget::{ForgetError, Held, forget_model, held_models};
pub use open::Models;
pub(crate) use open::open;
pub use worker::ReembedWorker;

/// All documents with the vectors of one model.
pub(crate) struct Generation {
    /// Counted from 0 in each folder.
    pub number: u32,
    /// Whose vectors they are.
    pub made_by: MadeBy,
    /// The first instant that they answer about, ns UTC.
    pub from: u64,
    /// Entry `n` says what entry `n` of every other generation says, but for the vectors.
    pub collection: Arc<Collection>,
    /// Who makes such vectors; `None` where that model was not opened.
    pub embedding: Option<Arc<Embedding>>,
    /// The last entry of the generation of now that was looked at for this one.
    followed: AtomicU64,
}

/// The generations of a folder at one time.
#[derive(Clone)]
pub(crate) struct Table {
    /// Those whose vectors were dropped.
    forgotten: Vec<Entry>,
    /// Earliest first.
    pub past: Vec<Arc<Generation>>,
    pub now: Arc<Generation>,
    pub coming: Option<Arc<Generation>>,
}

/// The generations of a folder.
pub(crate) struct Generations {
    dir: PathBuf,
    /// By the model that the folder was opened with.
    asked: Arc<Embedding>,
    table: RwLock<Arc<Table>>,
    /// Held by whoever changes the table, from reading it on, or copies what it names.
    changing: Mutex<()>,
    /// The file was renamed, and the folder could not be synced since.
    is_unsettled: AtomicBool,
    /// Why the one that comes does not get on; `None` while it does.
    trouble: Mutex<Option<String>>,
}

/// How a change of model gets on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelChange {
    /// The model that is to come.
    pub to: MadeBy,
    /// Passages that have its vectors.
    pub done: u64,
    /// Passages there are, superseded ones included.
    pub of: u64,
    /// Why it does not get on, in a sentence; `None` while it does.
    pub waits: Option<String>,
}

/// An earlier model whose vectors are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierModel {
    /// Whose they are.
    pub made_by: MadeBy,
    /// They answer about instants before this one, ns UTC.
    pub until: u64,
    /// Whether its embedder was opened: without it such questions are answered by words alone.
    pub is_loaded: bool,
    /// Entries that it has yet to look at for history that came late.
    pub behind: u64,
}

impl Generation {
    pub fn new(
        entry: &Entry,
        collection: Arc<Collection>,
        embedding: Option<Arc<Embedding>>,
    ) -> Self {
        Self {
            number: entry.number,
            made_by: entry.made_by.clone(),
            from: entry.from,
            followed: AtomicU64::new(collection.head_seq()),
            collection,
            embedding,
        }
    }

    fn entry(&self, stage: Stage) -> Entry {
        Entry {
            number: self.number,
            stage,
            from: self.from,
            made_by: self.made_by.clone(),
        }
    }

    fn followed(&self) -> u64 {
        self.followed.load(Ordering::Acquire)
    }
}

impl Table {
    /// Whose vectors answer about an instant.
    ///
    /// # Errors
    /// When they were dropped.
    pub fn at(&self, instant: u64) -> Result<&Arc<Generation>, Fault> {
        if instant >= self.now.from {
            return Ok(&self.now);
        }
        let found = self.past.iter().rev().find(|past| past.from <= instant);
        let gone = self.forgotten.iter().filter(|gone| gone.from <= instant);
        let gone = gone.max_by_key(|gone| gone.from);
        match (found, gone) {
            (Some(found), Some(gone)) if gone.from > found.from => Err(self.gone(Some(gone))),
            (Some(found), _) => Ok(found),
            (None, gone) => Err(self.gone(gone)),
        }
    }

    fn gone(&self, gone: Option<&Entry>) -> Fault {
        let model = gone.map_or("an earlier model", |gone| gone.made_by.id.as_str());
        let from = gone.map_or(0, |gone| gone.from);
        let next = self.past.iter().chain([&self.now]).map(|g| g.from);
        let next = next.filter(|at| *at > from).min().unwrap_or(self.now.from);
        Fault::invalid(
            format!(
                "questions about that instant were answered by vectors of {model}, which were dropped"
            ),
            format!("ask about {next} (ns UTC) or later, or search by words alone (mode text)"),
        )
    }

    /// The generation of that number, if it answers anything.
    pub fn numbered(&self, number: u32) -> Option<&Arc<Generation>> {
        let mut all = self.past.iter().chain([&self.now]);
        all.find(|generation| generation.number == number)
    }

    fn entries(&self) -> Vec<Entry> {
        let past = self.past.iter().map(|past| past.entry(Stage::Past));
        let mut entries: Vec<Entry> = self.forgotten.iter().cloned().chain(past).collect();
        entries.push(self.now.entry(Stage::Now));
        entries.extend(self.coming.iter().map(|coming| coming.entry(Stage::Coming)));
        entries.sort_by_key(|entry| entry.number);
        entries
    }

    /// All that are kept, with their folders.
    pub fn kept(&self) -> impl Iterator<Item = (String, &Arc<Generation>)> {
        let all = self.past.iter().chain([&self.now]).chain(&self.coming);
        all.map(|generation| (Entry::folder(generation.number), generation))
    }
}

impl Generations {
    /// Without anybody who embeds, for tests of what is stored.
    #[cfg(test)]
    pub fn of_one(dir: &Path, collection: Collection) -> Self {
        let embedder = embed::Embedder::packaged().expect("is in the binary");
        let clock = Arc::new(stdx::SystemClock);
        let asked = Arc::new(Embedding::new(embedder, Default::default(), clock));
        let dim = collection.settings().dim;
        let id = "test".to_owned();
        let now = Generation::new(&first(MadeBy { id, dim }), Arc::new(collection), None);
        let table = Table {
            forgotten: Vec::new(),
            past: Vec::new(),
            now: Arc::new(now),
            coming: None,
        };
        Self::new(dir, asked, table)
    }

    pub fn new(dir: &Path, asked: Arc<Embedding>, table: Table) -> Self {
        Self {
            dir: dir.to_path_buf(),
            asked,
            table: RwLock::new(Arc::new(table)),
            changing: Mutex::default(),
            is_unsettled: AtomicBool::new(false),
            trouble: Mutex::default(),
        }
    }

    /// As things stand.
    pub fn table(&self) -> Arc<Table> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&table)
    }

    /// The documents with the vectors that answer about now.
    pub fn now(&self) -> Arc<Collection> {
        Arc::clone(&self.table().now.collection)
    }

    /// By the model of now, or the one that the folder was opened with.
    pub fn embedding(&self) -> Arc<Embedding> {
        let now = self.table().now.embedding.clone();
        now.unwrap_or_else(|| Arc::clone(&self.asked))
    }

    /// What a backup says of them: a change that is under way begins anew in the copy.
    pub fn settled(&self) -> Vec<Entry> {
        let mut entries = self.table().entries();
        entries.retain(|entry| entry.stage != Stage::Coming);
        entries
    }

    pub fn change(&self) -> Option<ModelChange> {
        let table = self.table();
        let coming = table.coming.as_ref()?;
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        Some(ModelChange {
            to: coming.made_by.clone(),
            done: coming.collection.version_count(),
            of: table.now.collection.version_count(),
            waits: trouble.clone(),
        })
    }

    pub fn earlier(&self) -> Vec<EarlierModel> {
        let table = self.table();
        let head = table.now.collection.head_seq();
        let next = table.past.iter().skip(1).chain([&table.now]);
        let each = table
            .past
            .iter()
            .zip(next)
            .map(|(past, next)| EarlierModel {
                made_by: past.made_by.clone(),
                until: next.from,
                is_loaded: past.embedding.is_some(),
                behind: head.saturating_sub(past.followed()),
            });
        each.collect()
    }

    fn set_trouble(&self, why: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn set_table(&self, table: Table) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}

impl Generations {
    /// The generation that comes answers about instants from `from` on; the file says so before anybody is answered by it.
    ///
    /// # Errors
    /// When the file cannot be written, or the table is being changed or copied; all stays as it was. Nobody is waited for:
    /// writers wait for this.
    fn swap(&self, from: u64) -> Result<(), Fault> {
        let Ok(_changing) = self.changing.try_lock() else {
            return Err(Fault::Busy {
                part: "memory",
                what: "a copy is made of it, or it is trimmed".to_owned(),
            });
        };
        let mut table = Table::clone(&self.table());
        let Some(coming) = table.coming.take() else {
            return Ok(());
        };
        let entry = Entry {
            from,
            ..coming.entry(Stage::Now)
        };
        let collection = Arc::clone(&coming.collection);
        let now = Generation::new(&entry, collection, coming.embedding.clone());
        let before = std::mem::replace(&mut table.now, Arc::new(now));
        before
            .followed
            .store(before.collection.head_seq(), Ordering::Release);
        table.past.push(before);
        let replaced = self.replace(table);
        replaced.map_err(|e| Fault::unavailable("memory", format!("the file `{MODEL_FILE}`: {e}")))
    }

    /// Drops the vectors that answer about no instant from `known_before` on.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget_before(&self, known_before: u64) -> io::Result<()> {
        let _changing = self.unchanged();
        let mut table = Table::clone(&self.table());
        let ends = table.past.iter().skip(1).chain([&table.now]);
        let count = ends.take_while(|next| next.from <= known_before).count();
        let gone: Vec<_> = table.past.drain(..count.min(table.past.len())).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let entries = gone.iter().map(|past| past.entry(Stage::Forgotten));
        table.forgotten.extend(entries);
        self.replace(table)?;
        // A file that can come back must find what it names.
        self.settle()?;
        for past in gone {
            std::fs::remove_dir_all(self.dir.join(Entry::folder(past.number)))?;
        }
        Ok(())
    }

    /// Once the file has the new name it holds, whatever becomes of the folder: the next start reads it.
    fn replace(&self, table: Table) -> io::Result<()> {
        put_file(&self.dir, &table.entries())?;
        self.is_unsettled.store(true, Ordering::Release);
        self.set_table(table);
        Ok(())
    }

    /// Syncs the folder where that is still to be done.
    ///
    /// # Errors
    /// When the disk refuses; the next call tries again.
    fn settle(&self) -> io::Result<()> {
        if self.is_unsettled.load(Ordering::Acquire) {
            settle_file(&self.dir)?;
            self.is_unsettled.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Keeps the table as it is while it is held.
    pub fn unchanged(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
