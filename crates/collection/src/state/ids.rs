//! Ids in order of their bytes, each with its dense number: those of a checkpoint in an automaton that is
//! searched where it lies, those that came since in a tree.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use fst::{IntoStreamer, Map, MapBuilder, Streamer};

/// Ids and their dense numbers.
#[derive(Default)]
pub(super) struct Ids {
    base: Option<Map<Bytes>>,
    new: BTreeMap<Arc<str>, u32>,
}

impl Ids {
    /// The ids that a file has; `None` when it has none that can be read.
    pub fn open(base: Bytes) -> Option<Self> {
        Some(Self {
            base: Some(Map::new(base).ok()?),
            new: BTreeMap::new(),
        })
    }

    pub fn len(&self) -> usize {
        self.base.as_ref().map_or(0, Map::len) + self.new.len()
    }

    pub fn get(&self, id: &str) -> Option<u32> {
        let base = self.base.as_ref();
        (self.new.get(id).copied()).or_else(|| base?.get(id).map(|owner| owner as u32))
    }

    /// Gives the id its number, the next one.
    pub fn insert(&mut self, id: &str) -> u32 {
        let owner = self.len() as u32;
        self.new.insert(id.into(), owner);
        owner
    }

    /// Ids from `from` on in order, with their numbers.
    pub fn from(&self, from: Bound<&str>) -> impl Iterator<Item = (Arc<str>, u32)> {
        let range = self.base.as_ref().map(|base| {
            let range = base.range();
            let range = match from {
                Bound::Included(id) => range.ge(id),
                Bound::Excluded(id) => range.gt(id),
                Bound::Unbounded => range,
            };
            range.into_stream()
        });
        let base = std::iter::from_fn({
            let mut stream = range;
            move || {
                let (id, owner) = stream.as_mut()?.next()?;
                // Written from `str`s, under a checksum.
                Some((std::str::from_utf8(id).ok()?.into(), owner as u32))
            }
        });
        let new = self.new.range::<str, _>((from, Bound::Unbounded));
        let new = new.map(|(id, owner)| (Arc::clone(id), *owner));
        merged(base.peekable(), new.peekable())
    }

    /// All ids as one automaton.
    pub fn freeze(&self) -> Vec<u8> {
        let mut builder = MapBuilder::memory();
        for (id, owner) in self.from(Bound::Unbounded) {
            builder
                .insert(id.as_bytes(), u64::from(owner))
                .expect("ids come in order and memory takes them");
        }
        builder.into_inner().expect("memory takes the rest")
    }
}

/// Two ordered lists that have no id in common, as one.
fn merged(
    mut a: Peekable<impl Iterator<Item = (Arc<str>, u32)>>,
    mut b: Peekable<impl Iterator<Item = (Arc<str>, u32)>>,
) -> impl Iterator<Item = (Arc<str>, u32)> {
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some((left, _)), Some((right, _))) if left > right => b.next(),
        (Some(_), _) => a.next(),
        (None, _) => b.next(),
    })
}
