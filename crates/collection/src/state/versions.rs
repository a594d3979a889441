//! The version table: who was visible when, on two axes.
//!
//! Every op on an id is a *turn* of that id: a version or a tombstone. The turns of an id stand in order
//! of `(known_at, arrival)`. That order, not arrival alone, says what supersedes what:
//!
//! ```text
//! visible as of (entry s, knowledge t) = the last turn among those with seq <= s and known_at <= t,
//!                                        when it is a version
//!
//! arrived   seq 1, known_at 10: A        turns: A@10  C@20  B@30
//!           seq 2, known_at 30: B        Now: B      Seq(1): A
//!           seq 3, known_at 20: C        Known(10): A   Known(20): C   Known(30): B
//! ```
//!
//! C came late. It takes its place in history and changes nothing that is known later: for `Now` and
//! every `Seq` it was superseded before it arrived, so its `[seq_from, seq_to)` is empty. What is known
//! as of `t` thus depends on the set of ops with `known_at <= t` and not on the order they came in,
//! equal instants aside, where the later arrival wins. `Now` is `Seq(head)` is `Known(the end of time)`.

use std::ops::Bound;
use std::sync::Arc;

use super::column::Column;
use super::ids::Ids;
use super::points::Points;
use super::turns::{Turn, Turns};
use super::{AsOf, Bits};
use crate::Point;

/// The end of an interval that is still open.
pub(super) const OPEN: u64 = u64::MAX;

/// One state of a point's history.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// The entry that made it.
    pub seq_from: u64,
    /// The entry that superseded it; equal to `seq_from` when something known later was already
    /// there; `None` while it is current.
    pub seq_to: Option<u64>,
    /// When it was learned, ns UTC.
    pub known_at: u64,
    /// When what superseded it was learned, ns UTC; `None` while nothing did.
    pub known_to: Option<u64>,
    /// The point, without its vector; `None` is a deletion.
    pub point: Option<Arc<Point>>,
}

/// All versions of all points.
#[derive(Default)]
pub(super) struct Versions {
    pub(super) ids: Ids,
    pub(super) turns: Turns,
    // By slot.
    pub(super) points: Points,
    pub(super) owners: Column<u32>,
    pub(super) seq_from: Column<u64>,
    pub(super) seq_to: Vec<u64>,
    pub(super) known_at: Column<u64>,
    pub(super) known_to: Vec<u64>,
    pub(super) event_at: Column<u64>,
    pub(super) live: Bits,
    pub(super) live_count: u64,
    pub(super) in_order: InOrder,
    pub(super) horizon: Horizon,
    /// Given up by trimming and not forgotten yet.
    pub(super) given_up: Vec<u32>,
    /// Forgotten: no question finds them.
    pub(super) forgotten: Vec<u32>,
    pub(super) is_forgotten: Bits,
}

/// Before what nothing can be asked, because the history was trimmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Horizon {
    /// The earliest instant.
    pub known: u64,
    /// The earliest entry.
    pub seq: u64,
}

/// See [`Versions::lens`]. Equals [`Versions::is_visible`] and touches less memory: where slots were born in order one
/// comparison tells who was there, and who is live now was not superseded then.
#[derive(Clone, Copy)]
pub(crate) struct Lens<'a> {
    live: &'a Bits,
    is_now: bool,
    /// Slots below this one were born by then, or some of them where `known_at` has to be asked.
    born: u32,
    to: &'a [u64],
    at: u64,
    known_at: Option<&'a Column<u64>>,
}

impl Lens<'_> {
    /// Whether the version counts.
    #[inline]
    pub(crate) fn has(&self, slot: u32) -> bool {
        if self.is_now {
            return self.live.has(slot);
        }
        slot < self.born
            && (self.live.has(slot) || self.at < self.to[slot as usize])
            && (self.known_at).is_none_or(|known_at| known_at.get(slot as usize) <= self.at)
    }
}

/// Whether all knowledge came in the order in which it was learned.
#[derive(Clone, Copy, Default)]
pub(super) struct InOrder {
    /// The greatest `known_at` so far, of versions and deletions.
    pub latest: u64,
    /// A version came late.
    pub is_broken: bool,
}

impl Versions {
    pub(super) fn len(&self) -> usize {
        self.seq_to.len()
    }

    pub(super) fn live_count(&self) -> u64 {
        self.live_count
    }

    pub(super) fn point(&self, slot: u32) -> Arc<Point> {
        self.points.get(slot)
    }

    pub(super) fn owner(&self, slot: u32) -> u32 {
        self.owners.get(slot as usize)
    }

    pub(super) fn seq_from(&self, slot: u32) -> u64 {
        self.seq_from.get(slot as usize)
    }

    /// How many versions were known at `t`, where they came in order.
    pub(super) fn known_before(&self, t: u64) -> usize {
        self.known_at.partition_point(|at| at <= t)
    }

    pub(super) fn event_at(&self, slot: u32) -> u64 {
        self.event_at.get(slot as usize)
    }

    /// Stores a version, and says its slot and which slot is superseded: the one before it, or it itself
    /// when it is late.
    pub(super) fn upsert(&mut self, seq: u64, point: Arc<Point>) -> (u32, Option<u32>) {
        let owner = self.owner_of(&point.id);
        let slot = self.len() as u32;
        self.owners.push(owner);
        self.seq_from.push(seq);
        self.seq_to.push(OPEN);
        self.known_at.push(point.known_at);
        self.known_to.push(OPEN);
        self.event_at.push(point.event_at);
        let known_at = point.known_at;
        self.in_order.is_broken |= known_at < self.in_order.latest;
        self.points.push(point);
        let superseded = self.turn(owner, Turn::new(known_at, seq, Some(slot)));
        (slot, superseded)
    }

    /// Stores a tombstone, also for an id not seen yet: a version learned earlier may still come. Says
    /// which slot is superseded.
    pub(super) fn delete(&mut self, seq: u64, id: &str, known_at: u64) -> Option<u32> {
        let owner = self.owner_of(id);
        self.delete_owner(seq, owner, known_at)
    }

    pub(super) fn delete_owner(&mut self, seq: u64, owner: u32, known_at: u64) -> Option<u32> {
        self.turn(owner, Turn::new(known_at, seq, None))
    }

    /// Moves the horizon and finds what nobody can ask for any more: what something known at or before `known` superseded.
    pub(super) fn begin_trim(&mut self, seq: u64, known: u64) {
        if known <= self.horizon.known {
            return;
        }
        self.horizon = Horizon { known, seq };
        let given_up = (0..self.len() as u32).filter(|&slot| {
            let to = self.known_to[slot as usize];
            to <= known && !self.live.has(slot) && !self.is_forgotten.has(slot)
        });
        self.given_up = given_up.collect();
        // The first to go is the last of the list.
        self.given_up.reverse();
    }

    /// See [`State::reclaim`](super::State::reclaim).
    pub(super) fn reclaim(&mut self, limit: usize) -> bool {
        for _ in 0..limit {
            let Some(slot) = self.given_up.pop() else {
                return false;
            };
            self.forget(slot);
        }
        !self.given_up.is_empty()
    }

    fn forget(&mut self, slot: u32) {
        let at = slot as usize;
        let known = self.horizon.known;
        let turns = self.turns.of_mut(self.owners.get(at));
        // Deletions that something known by then followed go with it; the last turn stays, it says what is.
        let followed: Vec<bool> = (1..=turns.len())
            .map(|next| turns.get(next).is_some_and(|next| next.known_at <= known))
            .collect();
        let mut followed = followed.into_iter();
        turns.retain(|turn| {
            let is_followed = followed.next().unwrap_or(false);
            turn.slot() != Some(slot) && (turn.slot().is_some() || !is_followed)
        });
        // Visible over nothing.
        self.seq_to[at] = self.seq_from.get(at);
        self.known_to[at] = self.known_at.get(at);
        self.is_forgotten.insert(slot);
        self.forgotten.push(slot);
    }

    fn owner_of(&mut self, id: &str) -> u32 {
        self.ids.get(id).unwrap_or_else(|| {
            self.turns.push();
            self.ids.insert(id)
        })
    }

    fn turn(&mut self, owner: u32, turn: Turn) -> Option<u32> {
        self.in_order.latest = self.in_order.latest.max(turn.known_at);
        let turns = self.turns.of_mut(owner);
        let at = turns.partition_point(|other| other.known_at <= turn.known_at);
        let before = at.checked_sub(1).and_then(|at| turns[at].slot());
        let after = turns.get(at).map(|next| next.known_at);
        turns.insert(at, turn);
        if let Some(slot) = before {
            self.known_to[slot as usize] = turn.known_at;
        }
        if let Some(slot) = turn.slot() {
            self.known_to[slot as usize] = after.unwrap_or(OPEN);
        }
        let superseded = if after.is_none() { before } else { turn.slot() };
        if after.is_none() {
            if let Some(slot) = before {
                self.seq_to[slot as usize] = turn.seq;
                self.live.remove(slot);
                self.live_count -= 1;
            }
            if let Some(slot) = turn.slot() {
                self.live.insert(slot);
                self.live_count += 1;
            }
        } else if let Some(slot) = turn.slot() {
            self.seq_to[slot as usize] = turn.seq;
        }
        superseded
    }

    /// Who counts as of an instant, prepared to be asked of many slots.
    pub(super) fn lens(&self, as_of: &AsOf) -> Lens<'_> {
        let (born, to, at, known_at) = match *as_of {
            AsOf::Now => (self.len(), &self.seq_to, 0, None),
            AsOf::Seq(seq) => {
                let born = self.seq_from.partition_point(|from| from <= seq);
                (born, &self.seq_to, seq, None)
            }
            AsOf::Known(t) => {
                let t = t.min(OPEN - 1);
                if self.in_order.is_broken {
                    (self.len(), &self.known_to, t, Some(&self.known_at))
                } else {
                    let born = self.known_at.partition_point(|from| from <= t);
                    (born, &self.known_to, t, None)
                }
            }
        };
        Lens {
            live: &self.live,
            is_now: *as_of == AsOf::Now,
            born: born as u32,
            to,
            at,
            known_at,
        }
    }

    pub(super) fn is_visible(&self, slot: u32, as_of: &AsOf) -> bool {
        let at = slot as usize;
        match *as_of {
            AsOf::Now => self.live.has(slot),
            AsOf::Seq(seq) => self.seq_from.get(at) <= seq && seq < self.seq_to[at],
            AsOf::Known(t) => {
                let t = t.min(OPEN - 1);
                self.known_at.get(at) <= t && t < self.known_to[at]
            }
        }
    }

    /// See [`State::latest_known`](super::State::latest_known).
    pub(super) fn latest_known(&self, until: u64) -> u64 {
        if self.in_order.latest <= until {
            return self.in_order.latest;
        }
        let known = (0..self.len()).map(|slot| self.known_at.get(slot));
        known.filter(|&at| at <= until).max().unwrap_or(0)
    }

    /// The same question in the form that is answered fastest.
    pub(super) fn plain(&self, as_of: &AsOf) -> AsOf {
        match *as_of {
            AsOf::Known(t) if t >= self.in_order.latest => AsOf::Now,
            other => other,
        }
    }

    /// About which share of all versions counts; never less than do.
    pub(super) fn visible_share(&self, as_of: &AsOf) -> f64 {
        let born = match *as_of {
            AsOf::Now => self.live_count as usize,
            AsOf::Seq(seq) => self.seq_from.partition_point(|from| from <= seq),
            AsOf::Known(t) if !self.in_order.is_broken => {
                self.known_at.partition_point(|from| from <= t)
            }
            AsOf::Known(_) => self.len(),
        };
        born as f64 / self.len().max(1) as f64
    }

    /// The visible slots; `scratch` is filled only where no ready set answers.
    pub(super) fn visible<'a>(&'a self, as_of: &AsOf, scratch: &'a mut Bits) -> &'a Bits {
        let (from, to, at) = match *as_of {
            AsOf::Now => return &self.live,
            AsOf::Seq(seq) => (&self.seq_from, &self.seq_to, seq),
            AsOf::Known(t) => (&self.known_at, &self.known_to, t.min(OPEN - 1)),
        };
        scratch.fill(self.len(), |slot| from.get(slot) <= at && at < to[slot]);
        scratch
    }

    /// The slot of `id` that is visible.
    pub(super) fn find(&self, id: &str, as_of: &AsOf) -> Option<u32> {
        self.find_owned(self.ids.get(id)?, as_of)
    }

    pub(super) fn find_owned(&self, owner: u32, as_of: &AsOf) -> Option<u32> {
        let is_visible = |turn: &Turn| turn.slot().is_some_and(|slot| self.is_visible(slot, as_of));
        self.turns.rfind(owner, is_visible)?.slot()
    }

    /// Ids after `after` in byte order, with their dense ids.
    pub(super) fn ids_after(&self, after: Option<&str>) -> impl Iterator<Item = u32> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.ids.from(from).map(|(_, owner)| owner)
    }

    /// All slots of ids that start with `prefix`, in order of ids.
    pub(super) fn with_prefix(&self, prefix: &str) -> Box<dyn Iterator<Item = u32> + '_> {
        let from = self.ids.from(Bound::Included(prefix));
        let owners = from.take_while(|(id, _)| id.starts_with(prefix));
        let owners: Vec<u32> = owners.map(|(_, owner)| owner).collect();
        let turns = owners.into_iter().flat_map(|owner| self.turns.of(owner));
        Box::new(turns.filter_map(|turn| turn.slot()))
    }

    /// The history of `id`, earliest knowledge first.
    pub(super) fn history(&self, id: &str) -> Vec<Version> {
        let Some(owner) = self.ids.get(id) else {
            return Vec::new();
        };
        let turns = self.turns.of(owner);
        let mut history = Vec::with_capacity(turns.len());
        let (mut known_to, mut seq_to) = (None, None::<u64>);
        for turn in turns.iter().rev() {
            history.push(Version {
                seq_from: turn.seq,
                seq_to: seq_to.map(|seq| seq.max(turn.seq)),
                known_at: turn.known_at,
                known_to,
                point: turn.slot().map(|slot| self.point(slot)),
            });
            known_to = Some(turn.known_at);
            seq_to = Some(seq_to.map_or(turn.seq, |seq| seq.min(turn.seq)));
        }
        history.reverse();
        history
    }

    /// Calls `word` with all that is known of the intervals, in order of arrival and of ids.
    pub(super) fn digest(&self, mut word: impl FnMut(u64)) {
        if self.horizon != Horizon::default() {
            word(self.horizon.known);
            word(self.horizon.seq);
        }
        for slot in 0..self.len() {
            word(self.seq_from.get(slot));
            word(self.seq_to[slot]);
            word(self.known_at.get(slot));
            word(self.known_to[slot]);
            word(u64::from(self.owners.get(slot)));
        }
        for (_, owner) in self.ids.from(Bound::Unbounded) {
            word(u64::from(owner));
            for turn in self.turns.of(owner) {
                word(turn.known_at);
                word(turn.seq);
                word(turn.slot().map_or(OPEN, u64::from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_lens_sees_what_is_visible(
            ops in prop::collection::vec((any::<bool>(), 0u8..12, 0u64..40), 1..80),
            in_order: bool,
        ) {
            let (mut versions, mut latest) = (Versions::default(), 0);
            for (seq, (is_upsert, id, known_at)) in (1..).zip(&ops) {
                latest = latest.max(*known_at);
                let known_at = if in_order { latest } else { *known_at };
                let id = format!("{id}");
                if *is_upsert {
                    let point = Point { id, known_at, ..Point::default() };
                    versions.upsert(seq, Arc::new(point));
                } else {
                    versions.delete(seq, &id, known_at);
                }
            }
            let seqs = (0..=ops.len() as u64).map(AsOf::Seq);
            let instants = (0..42).map(AsOf::Known).chain([AsOf::Known(OPEN), AsOf::Now]);
            for as_of in seqs.chain(instants) {
                let lens = versions.lens(&as_of);
                let mut scratch = Bits::default();
                let visible = versions.visible(&as_of, &mut scratch);
                for slot in 0..versions.len() as u32 {
                    prop_assert_eq!(lens.has(slot), versions.is_visible(slot, &as_of));
                    prop_assert_eq!(lens.has(slot), visible.has(slot));
                }
            }
        }
    }
}
