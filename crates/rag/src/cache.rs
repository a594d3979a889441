//! Lists of passages kept for the same words, and given out again only while the memory would say the same.
//!
//! A search by words or by meaning costs milliseconds; people ask the same things. What is kept here are the two lists
//! as the memory gave them, before anything is joined or ordered: that depends on the instant, the lists do not. They
//! are true while the memory has had no later write, and, for a question about now, while nothing that was stored
//! ahead of its time becomes known. The memory vouches for both by a [`Stamp`]; a kept list of another stamp is
//! dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::memory::{Passage, Search, Stamp};
use crate::receipt::Paths;

/// Lists thought to be kept at once.
const LISTS: usize = 1_024;

/// Kept lists, within a bound on bytes. Shared by all threads.
pub struct Kept {
    lists: Cache<Key, Arc<Lists>, Weight>,
    hits: AtomicU64,
    stale: AtomicU64,
    misses: AtomicU64,
}

/// Whatever a list depends on beside the memory's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Which part of the memory is searched.
    pub(crate) scope: String,
    pub(crate) query: String,
    /// The embedder whose vector was searched with; `None` where none was.
    pub(crate) embedder: Option<String>,
    pub(crate) by_words: bool,
    /// `as_of` is the question's own: none for now.
    pub(crate) search: Search,
}

/// Both lists and how they were found.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    pub(crate) stamp: Stamp,
    pub(crate) dense: Vec<Passage>,
    pub(crate) text: Vec<Passage>,
    pub(crate) paths: Paths,
}

/// How often what was asked for was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptCounts {
    /// Given out.
    pub hits: u64,
    /// There, but not true any more.
    pub stale: u64,
    /// Not there.
    pub misses: u64,
}

impl Kept {
    /// Room for so many bytes of passages, about.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self {
            lists: Cache::with_weighter(LISTS, bytes, Weight),
            hits: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Counts since the start.
    #[must_use]
    pub fn counts(&self) -> KeptCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        KeptCounts {
            hits: read(&self.hits),
            stale: read(&self.stale),
            misses: read(&self.misses),
        }
    }

    pub(crate) fn get(&self, key: &Key, stamp: Stamp) -> Option<Arc<Lists>> {
        let found = self.lists.get(key);
        let count = match &found {
            Some(lists) if lists.stamp == stamp => &self.hits,
            Some(_) => &self.stale,
            None => &self.misses,
        };
        count.fetch_add(1, Ordering::Relaxed);
        found.filter(|lists| lists.stamp == stamp)
    }

    /// Whether a list is there and true; nothing is counted.
    pub(crate) fn has(&self, key: &Key, stamp: Stamp) -> bool {
        let found = self.lists.peek(key);
        found.is_some_and(|lists| lists.stamp == stamp)
    }

    pub(crate) fn put(&self, key: Key, lists: Lists) {
        self.lists.insert(key, Arc::new(lists));
    }
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Arc<Lists>> for Weight {
    fn weight(&self, key: &Key, lists: &Arc<Lists>) -> u64 {
        let all = lists.dense.iter().chain(&lists.text);
        let passages: usize = all.map(|p| size_of::<Passage>() + p.text.len() + 200).sum();
        (size_of::<Key>() + key.query.len() + key.scope.len() + passages) as u64
    }
}
