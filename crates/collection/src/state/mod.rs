//! What the log's entries, applied in order, say. Pure: no file, no clock, no chance.
//!
//! Nothing here depends on threads or machines: the same entries give the same tables, slots and
//! [`digest`](State::digest).

mod arena;
mod bits;
mod known;
mod payload_index;
mod prepared;
mod versions;

use std::cell::RefCell;
use std::sync::Arc;

use vector::flat::Scan;
use vector::{Hit, Metric};

use crate::codec::write_payload;
use crate::text::{
    Bm25, Slots, Statistics, TextIndex, TextQuery, TextScratch, TextSearch, analyse,
};
use crate::{Condition, Filter, Point};
use arena::Arena;
use known::KnownOrder;
use payload_index::PayloadIndex;
use versions::Versions;

pub(crate) use bits::Bits;
pub(crate) use prepared::{Change, check, check_query, check_size, prepare};
pub use versions::Version;

/// The instant a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// After everything applied.
    Now,
    /// After the entry with this number.
    Seq(u64),
    /// What was known at this instant, ns UTC: versions with `known_at` at or before it.
    Known(u64),
}

/// The applied log.
pub(crate) struct State {
    metric: Metric,
    head_seq: u64,
    versions: Versions,
    arena: Arena,
    text: TextIndex,
    known: KnownOrder,
    payload: PayloadIndex,
    text_bytes: u64,
}

/// The versions visible as of an instant, asked one by one.
struct Seen<'a>(&'a Versions, AsOf);

impl Slots for Seen<'_> {
    #[inline]
    fn has(&self, slot: u32) -> bool {
        self.0.is_visible(slot, &self.1)
    }

    fn next(&self, slot: u32) -> Option<u32> {
        Some(slot)
    }
}

/// Memory that a thread keeps between searches.
#[derive(Default)]
struct Scratch {
    visible: Bits,
    allowed: Bits,
    flat: vector::Scratch,
    text: TextScratch,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl State {
    /// The state before any entry.
    pub(crate) fn new(dim: usize, metric: Metric) -> Self {
        Self {
            metric,
            head_seq: 0,
            versions: Versions::default(),
            arena: Arena::new(dim),
            text: TextIndex::default(),
            known: KnownOrder::default(),
            payload: PayloadIndex::default(),
            text_bytes: 0,
        }
    }

    /// The number of the last entry applied; 0 before the first.
    pub(crate) fn head_seq(&self) -> u64 {
        self.head_seq
    }

    /// Versions held, tombstones not counted.
    pub(crate) fn version_count(&self) -> u64 {
        self.versions.len() as u64
    }

    /// Bytes of vectors, texts and index, about.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.arena.size_bytes() + self.text.size_bytes() + self.text_bytes
    }

    /// Applies entry `seq`, the one after the head.
    pub(crate) fn apply(&mut self, seq: u64, changes: Vec<Change>) {
        assert_eq!(
            seq,
            self.head_seq + 1,
            "entries are applied in order, without holes"
        );
        for change in changes {
            match change {
                Change::Upsert {
                    point,
                    vector,
                    terms,
                } => {
                    self.text_bytes += (point.text.len() + point.id.len()) as u64;
                    self.known.op(point.known_at);
                    let (slot, superseded) = self.versions.upsert(seq, Arc::clone(&point));
                    self.arena.push(&vector);
                    self.text.push(slot, seq, &terms);
                    self.supersede(superseded, seq);
                    self.payload.push(slot, &point.payload);
                }
                Change::Delete { id, known_at } => {
                    self.known.op(known_at);
                    let superseded = self.versions.delete(seq, &id, known_at);
                    self.supersede(superseded, seq);
                }
                Change::DeleteWhere { filter, known_at } => {
                    self.known.op(known_at);
                    for slot in self.matching(&AsOf::Known(known_at), &filter) {
                        let owner = self.versions.owner(slot);
                        let superseded = self.versions.delete_owner(seq, owner, known_at);
                        self.supersede(superseded, seq);
                    }
                }
            }
        }
        self.head_seq = seq;
    }

    fn supersede(&mut self, slot: Option<u32>, seq: u64) {
        if let Some(slot) = slot {
            // Read again: to keep the terms of every text would cost more memory than time.
            let terms = analyse(&self.versions.point(slot).text);
            self.text.supersede(slot, seq, &terms);
            self.known.death();
        }
    }

    /// The `k` nearest visible points that pass, nearest first, ties to the earlier arrival.
    pub(crate) fn nearest(
        &self,
        query: &[f32],
        k: usize,
        as_of: &AsOf,
        filter: Option<&Filter>,
    ) -> Vec<Hit> {
        with_scratch(|scratch| {
            let k = k.min(self.versions.len());
            let mut scan = Scan::new(self.metric, query, k, &mut scratch.flat);
            let row = |slot| self.arena.row(slot);
            match filter {
                Some(filter) => scan.slots(self.matching(as_of, filter).into_iter(), row),
                None => {
                    scan.slots(
                        self.versions.visible(as_of, &mut scratch.visible).iter(),
                        row,
                    );
                }
            }
            scan.finish()
        })
    }

    /// The `k` best visible texts that pass, best first, ties to the earlier arrival.
    pub(crate) fn best_texts(
        &self,
        query: &TextQuery,
        k: usize,
        bm25: &Bm25,
        as_of: &AsOf,
        filter: Option<&Filter>,
    ) -> Vec<Hit> {
        with_scratch(|Scratch { allowed, text, .. }| {
            let allowed = filter.map(|filter| {
                allowed.fill_from(&self.matching(as_of, filter));
                &*allowed
            });
            let search = TextSearch {
                query,
                k,
                bm25: *bm25,
                statistics: self.statistics(as_of),
                visible: &Seen(&self.versions, *as_of),
                allowed,
            };
            self.text.search(&search, text)
        })
    }

    /// Where the statistics of the texts as of an instant come from.
    fn statistics(&self, as_of: &AsOf) -> Statistics {
        match *as_of {
            AsOf::Now => Statistics::Entry(self.head_seq),
            AsOf::Seq(seq) => Statistics::Entry(seq),
            AsOf::Known(t) if self.known.is_all(t) => Statistics::Entry(self.head_seq),
            AsOf::Known(t) => match self.known.prefix(t, self.versions.known_at()) {
                Some((births, deaths)) => Statistics::Prefix { births, deaths },
                None => Statistics::Counted,
            },
        }
    }

    /// The visible slot of `id`.
    pub(crate) fn find(&self, id: &str, as_of: &AsOf) -> Option<u32> {
        self.versions.find(id, as_of)
    }

    /// Visible slots that pass, in order of id, after `after`.
    pub(crate) fn scroll(
        &self,
        filter: Option<&Filter>,
        as_of: &AsOf,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<u32> {
        if let Some(filter) = filter
            && self.candidates(filter).is_some()
        {
            let id = |slot: &u32| self.point(*slot).id.as_str();
            let mut slots = self.matching(as_of, filter);
            slots.retain(|slot| after.is_none_or(|after| id(slot) > after));
            slots.sort_unstable_by(|a, b| id(a).cmp(id(b)));
            slots.truncate(limit);
            return slots;
        }
        let slots = self.versions.ids_after(after);
        slots
            .filter_map(|owner| self.versions.find_owned(owner, as_of))
            .filter(|&slot| filter.is_none_or(|filter| filter.matches(self.point(slot))))
            .take(limit)
            .collect()
    }

    /// How many points are visible.
    pub(crate) fn count(&self, as_of: &AsOf) -> u64 {
        match as_of {
            AsOf::Now => self.versions.live_count(),
            _ => with_scratch(|s| self.versions.visible(as_of, &mut s.visible).count()),
        }
    }

    pub(crate) fn point(&self, slot: u32) -> &Arc<Point> {
        self.versions.point(slot)
    }

    pub(crate) fn seq_from(&self, slot: u32) -> u64 {
        self.versions.seq_from(slot)
    }

    pub(crate) fn row(&self, slot: u32) -> &[f32] {
        self.arena.row(slot)
    }

    pub(crate) fn history(&self, id: &str) -> Vec<Version> {
        self.versions.history(id)
    }

    /// The visible slots that pass, ascending. Starts from the rarest indexed condition where there
    /// is one, so that a selective filter costs what it finds.
    fn matching(&self, as_of: &AsOf, filter: &Filter) -> Vec<u32> {
        let passes = |slot: u32, skip: Option<usize>| {
            let must = filter.must.iter().enumerate();
            must.filter(|(at, _)| Some(*at) != skip)
                .all(|(_, c)| self.holds(c, slot))
                && !filter.must_not.iter().any(|c| self.holds(c, slot))
        };
        if let Some((chosen, mut slots)) = self.candidates(filter) {
            let visible = |slot: u32| self.versions.is_visible(slot, as_of);
            slots.retain(|&slot| visible(slot) && passes(slot, Some(chosen)));
            return slots;
        }
        let mut scratch = Bits::default();
        let visible = self.versions.visible(as_of, &mut scratch);
        visible.iter().filter(|&slot| passes(slot, None)).collect()
    }

    fn candidates(&self, filter: &Filter) -> Option<(usize, Vec<u32>)> {
        let must = || filter.must.iter().enumerate();
        let counts = must().filter_map(|(at, condition)| match condition {
            Condition::Any { field, values } => Some((self.payload.any_count(field, values)?, at)),
            _ => None,
        });
        if let Some((_, at)) = counts.min()
            && let Condition::Any { field, values } = &filter.must[at]
        {
            return Some((at, self.payload.any(field, values)?));
        }
        must().find_map(|(at, condition)| match condition {
            Condition::Id(prefix) => Some((at, self.versions.with_prefix(prefix))),
            _ => None,
        })
    }

    fn holds(&self, condition: &Condition, slot: u32) -> bool {
        if let Condition::EventAt { gte, lte } = condition {
            // From the column, without touching the point.
            let at = self.versions.event_at(slot);
            return gte.is_none_or(|gte| at >= gte) && lte.is_none_or(|lte| at <= lte);
        }
        condition.holds(self.point(slot))
    }

    /// A number that is equal for equal states: every version, interval, tombstone and float. The
    /// indexes are derived from these and left out, so that a better stemmer changes no digest.
    pub(crate) fn digest(&self) -> u64 {
        let mut hash = Hash(self.head_seq);
        let mut payload = Vec::new();
        self.versions.digest(|word| hash.word(word));
        for slot in 0..self.versions.len() as u32 {
            let point = self.point(slot);
            hash.bytes(point.id.as_bytes());
            hash.bytes(point.text.as_bytes());
            hash.word(point.event_at);
            payload.clear();
            write_payload(&point.payload, &mut payload);
            hash.bytes(&payload);
            self.row(slot)
                .iter()
                .for_each(|value| hash.word(u64::from(value.to_bits())));
        }
        hash.0
    }
}

/// Multiply and fold: fast, and the same on every machine. Against accidents, not attackers.
struct Hash(u64);

impl Hash {
    fn word(&mut self, word: u64) {
        let mixed = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = (mixed as u64) ^ ((mixed >> 64) as u64) ^ word.rotate_left(29);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }
}

fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => work(&mut scratch),
        Err(_) => work(&mut Scratch::default()),
    })
}
