//! What the log's entries, applied in order, say. Pure: no file, no clock, no chance.
//!
//! Nothing here depends on threads or machines: the same entries give the same tables, slots and
//! [`digest`](State::digest).

mod arena;
mod bits;
mod column;
mod freeze;
mod ids;
mod known;
mod points;
mod prepared;
mod turns;
mod versions;

use std::cell::RefCell;
use std::sync::Arc;

use vector::{Hit, Metric};

use crate::codec::write_payload;
use crate::payload::{PayloadIndex, Rows};
use crate::plan::Watch;
use crate::text::{
    Bm25, Slots, Statistics, TextExplain, TextIndex, TextQuery, TextReader, TextRules, TextScratch,
    TextSearch,
};
use crate::{Condition, Filter, Point};
use arena::Arena;
use known::KnownOrder;
use versions::Versions;

pub(crate) use arena::WholeRows;
pub(crate) use bits::Bits;
pub(crate) use freeze::Blocks;
pub(crate) use prepared::{Change, check, check_filter, check_query, check_size, prepare};
pub use versions::Version;
pub(crate) use versions::{Horizon, Lens};

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

/// Slots of a block: rows and points of a whole one are written to a file once and never again.
pub(crate) const BLOCK_SLOTS: usize = 4096;

/// The applied log.
pub(crate) struct State {
    metric: Metric,
    head_seq: u64,
    versions: Versions,
    arena: Arena,
    text: TextIndex,
    reader: Arc<TextReader>,
    known: KnownOrder,
    payload: PayloadIndex,
    text_bytes: u64,
    /// crc32 of the body of the last entry, where it was read back.
    entry_crc: u32,
}

impl Slots for Lens<'_> {
    #[inline]
    fn has(&self, slot: u32) -> bool {
        Lens::has(self, slot)
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
    text: TextScratch,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl State {
    /// The state before any entry.
    pub(crate) fn new(dim: usize, metric: Metric, rules: &TextRules) -> Self {
        Self {
            metric,
            head_seq: 0,
            versions: Versions::default(),
            arena: Arena::new(dim),
            text: TextIndex::new(rules.reading.clone()),
            reader: Arc::new(TextReader::new(rules.clone())),
            known: KnownOrder::default(),
            payload: PayloadIndex::default(),
            text_bytes: 0,
            entry_crc: 0,
        }
    }

    /// The number of the last entry applied; 0 before the first.
    pub(crate) fn head_seq(&self) -> u64 {
        self.head_seq
    }

    /// The entry to apply next; the settings come again where nothing but they was applied.
    pub(crate) fn next_seq(&self) -> u64 {
        if self.head_seq == 0 {
            0
        } else {
            self.head_seq + 1
        }
    }

    /// Which entry this is the state after: its number and the checksum of its body.
    pub(crate) fn entry(&self) -> (u64, u32) {
        (self.head_seq, self.entry_crc)
    }

    /// The last entry's body has this checksum.
    pub(crate) fn set_entry_crc(&mut self, crc: u32) {
        self.entry_crc = crc;
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
                    self.payload.push(slot, &point.payload, point.event_at);
                }
                Change::Delete { id, known_at } => {
                    self.known.op(known_at);
                    let superseded = self.versions.delete(seq, &id, known_at);
                    self.supersede(superseded, seq);
                }
                Change::Trim { known_before } => self.versions.begin_trim(seq, known_before),
                Change::DeleteWhere { filter, known_at } => {
                    // What was trimmed is not known any more.
                    let known_at = known_at.max(self.versions.horizon.known);
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
            let terms = self.reader.analyser.read(&self.versions.point(slot).text);
            self.text.supersede(slot, seq, &terms);
            self.known.death();
        }
    }

    /// What texts go by.
    pub(crate) fn reader(&self) -> &Arc<TextReader> {
        &self.reader
    }

    /// Components of a vector.
    pub(crate) fn dim(&self) -> usize {
        self.arena.dim()
    }

    /// How vectors compare.
    pub(crate) fn metric(&self) -> Metric {
        self.metric
    }

    /// Who counts as of an instant, prepared to be asked of many slots.
    pub(crate) fn lens(&self, as_of: &AsOf) -> Lens<'_> {
        self.versions.lens(as_of)
    }

    /// Hands `look` the visible slots, ascending.
    pub(crate) fn each_visible(
        &self,
        as_of: &AsOf,
        look: impl FnOnce(&mut dyn Iterator<Item = u32>),
    ) {
        with_scratch(|scratch| {
            let visible = self.versions.visible(as_of, &mut scratch.visible);
            look(&mut visible.iter());
        });
    }

    /// The latest `known_at`, of versions and where nothing is behind `until` of deletions, that is not behind it.
    pub(crate) fn latest_known(&self, until: u64) -> u64 {
        self.versions.latest_known(until)
    }

    /// Before what nothing can be asked.
    pub(crate) fn horizon(&self) -> Horizon {
        self.versions.horizon
    }

    /// Forgets at most `limit` of the versions that trimming gave up, and says whether some are left. No answer depends on
    /// it.
    pub(crate) fn reclaim(&mut self, limit: usize) -> bool {
        self.versions.reclaim(limit)
    }

    /// The versions that were forgotten, in the order in which they were.
    pub(crate) fn forgotten(&self) -> &[u32] {
        &self.versions.forgotten
    }

    /// The same question in the form that is answered fastest.
    pub(crate) fn plain(&self, as_of: &AsOf) -> AsOf {
        match self.versions.plain(as_of) {
            AsOf::Seq(seq) if seq >= self.head_seq => AsOf::Now,
            plain => plain,
        }
    }

    /// About which share of all versions counts; never less than do.
    pub(crate) fn visible_share(&self, as_of: &AsOf) -> f64 {
        self.versions.visible_share(as_of)
    }

    /// The `k` best visible texts that pass, best first, ties to the earlier arrival.
    pub(crate) fn best_texts(
        &self,
        query: &TextQuery,
        k: usize,
        bm25: &Bm25,
        as_of: &AsOf,
        filter: Option<&Filter>,
        told: Option<(&mut TextExplain, &dyn Fn() -> u64)>,
    ) -> Vec<Hit> {
        let (mut told, now) = told.unzip();
        let mut watch = now.map(Watch::new);
        let mut step = |name: &'static str| {
            if let Some(watch) = watch.as_mut() {
                watch.step(name);
            }
        };
        let hits = with_scratch(|Scratch { allowed, text, .. }| {
            let allowed = filter.map(|filter| {
                let matching = self.matching(as_of, filter);
                if let Some(told) = told.as_deref_mut() {
                    told.matched = Some(matching.len() as u64);
                }
                allowed.fill_from(&matching);
                step("select");
                &*allowed
            });
            let search = TextSearch {
                query,
                k,
                bm25: *bm25,
                statistics: self.statistics(as_of),
                visible: &self.lens(as_of),
                allowed,
            };
            step("statistics");
            let hits = self.text.search_told(&search, text, told.as_deref_mut());
            step("search");
            hits
        });
        if let (Some(told), Some(watch)) = (told, watch) {
            told.steps = watch.steps;
        }
        hits
    }

    /// Where the statistics of the texts as of an instant come from.
    fn statistics(&self, as_of: &AsOf) -> Statistics {
        match *as_of {
            AsOf::Now => Statistics::Entry(self.head_seq),
            AsOf::Seq(seq) => Statistics::Entry(seq),
            AsOf::Known(t) if self.known.is_all(t) => Statistics::Entry(self.head_seq),
            AsOf::Known(t) => match self.known.prefix(t, || self.versions.known_before(t)) {
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
            && self.is_rare(filter, as_of, limit)
        {
            let slots = self.matching(as_of, filter).into_iter();
            let mut named: Vec<(Arc<Point>, u32)> = slots
                .map(|slot| (self.point(slot), slot))
                .filter(|(point, _)| after.is_none_or(|after| point.id.as_str() > after))
                .collect();
            named.sort_unstable_by(|a, b| a.0.id.cmp(&b.0.id));
            named.truncate(limit);
            return named.into_iter().map(|(_, slot)| slot).collect();
        }
        let slots = self.versions.ids_after(after);
        slots
            .filter_map(|owner| self.versions.find_owned(owner, as_of))
            .filter(|&slot| filter.is_none_or(|filter| filter.matches(&self.point(slot))))
            .take(limit)
            .collect()
    }

    /// Whether sorting all that pass takes less than going through the ids until `limit` were found.
    fn is_rare(&self, filter: &Filter, as_of: &AsOf, limit: usize) -> bool {
        let seen = self.seen(as_of);
        let all = self.versions.len() as u64;
        let passing = self.payload.estimate(filter, &seen, all);
        let looks = (limit as u64).saturating_mul(all) / passing.likely.max(1);
        passing.high <= looks
    }

    /// How many points are visible.
    pub(crate) fn count(&self, as_of: &AsOf) -> u64 {
        match as_of {
            AsOf::Now => self.versions.live_count(),
            _ => with_scratch(|s| self.versions.visible(as_of, &mut s.visible).count()),
        }
    }

    pub(crate) fn point(&self, slot: u32) -> Arc<Point> {
        self.versions.point(slot)
    }

    pub(crate) fn seq_from(&self, slot: u32) -> u64 {
        self.versions.seq_from(slot)
    }

    pub(crate) fn row(&self, slot: u32) -> &[f32] {
        self.arena.row(slot)
    }

    /// Whether the row and the point of `slot` are there: those of versions that were forgotten may have been given back.
    pub(crate) fn has_row(&self, slot: u32) -> bool {
        self.arena.has(slot)
    }

    /// The rows of whole blocks, to be read without the state.
    pub(crate) fn whole_rows(&self) -> WholeRows {
        self.arena.whole()
    }

    pub(crate) fn history(&self, id: &str) -> Vec<Version> {
        self.versions.history(id)
    }

    /// The visible slots that pass, ascending.
    pub(crate) fn matching(&self, as_of: &AsOf, filter: &Filter) -> Vec<u32> {
        let seen = self.seen(as_of);
        let selected = self.payload.select(filter, &seen);
        let slots = selected.iter();
        slots.filter(|&slot| seen.is_visible(slot)).collect()
    }

    /// The versions as of an instant, as the payload index asks for them.
    pub(crate) fn seen(&self, as_of: &AsOf) -> Seen<'_> {
        Seen {
            state: self,
            lens: self.lens(as_of),
        }
    }

    /// Who has what in its payload.
    pub(crate) fn payload(&self) -> &PayloadIndex {
        &self.payload
    }

    /// A number that is equal for equal states: every version, interval, tombstone and float that something can still ask for.
    /// The indexes are derived from these and left out, so that a better stemmer changes no digest.
    pub(crate) fn digest(&self) -> u64 {
        let mut hash = Hash(self.head_seq);
        let mut payload = Vec::new();
        self.versions.digest(|word| hash.word(word));
        for slot in 0..self.versions.len() as u32 {
            if self.versions.is_forgotten.has(slot) {
                continue;
            }
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

/// The versions as of an instant, as the payload index asks for them.
pub(crate) struct Seen<'a> {
    state: &'a State,
    lens: Lens<'a>,
}

impl Rows for Seen<'_> {
    #[inline]
    fn is_visible(&self, slot: u32) -> bool {
        self.lens.has(slot)
    }

    fn holds(&self, condition: &Condition, slot: u32) -> bool {
        if let Condition::EventAt { gte, lte } = condition {
            // From the column, without touching the point.
            let at = self.state.versions.event_at(slot);
            return gte.is_none_or(|gte| at >= gte) && lte.is_none_or(|lte| at <= lte);
        }
        condition.holds(&self.state.point(slot))
    }

    fn with_prefix(&self, prefix: &str) -> Box<dyn Iterator<Item = u32> + '_> {
        self.state.versions.with_prefix(prefix)
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
