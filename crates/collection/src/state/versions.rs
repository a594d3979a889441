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

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

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
    ids: BTreeMap<Arc<str>, u32>,
    /// By dense id, ordered by `(known_at, arrival)`.
    turns: Vec<Vec<Turn>>,
    // By slot.
    points: Vec<Arc<Point>>,
    owners: Vec<u32>,
    seq_from: Vec<u64>,
    seq_to: Vec<u64>,
    known_at: Vec<u64>,
    known_to: Vec<u64>,
    event_at: Vec<u64>,
    live: Bits,
    live_count: u64,
}

#[derive(Clone, Copy)]
struct Turn {
    known_at: u64,
    seq: u64,
    /// `None` is a tombstone.
    slot: Option<u32>,
}

impl Versions {
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    pub(super) fn live_count(&self) -> u64 {
        self.live_count
    }

    pub(super) fn point(&self, slot: u32) -> &Arc<Point> {
        &self.points[slot as usize]
    }

    pub(super) fn owner(&self, slot: u32) -> u32 {
        self.owners[slot as usize]
    }

    pub(super) fn seq_from(&self, slot: u32) -> u64 {
        self.seq_from[slot as usize]
    }

    /// When each version was known, by slot.
    pub(super) fn known_at(&self) -> &[u64] {
        &self.known_at
    }

    pub(super) fn event_at(&self, slot: u32) -> u64 {
        self.event_at[slot as usize]
    }

    /// Stores a version, and says its slot and which slot is superseded: the one before it, or it itself
    /// when it is late.
    pub(super) fn upsert(&mut self, seq: u64, point: Arc<Point>) -> (u32, Option<u32>) {
        let owner = self.owner_of(&point.id);
        let slot = self.points.len() as u32;
        self.owners.push(owner);
        self.seq_from.push(seq);
        self.seq_to.push(OPEN);
        self.known_at.push(point.known_at);
        self.known_to.push(OPEN);
        self.event_at.push(point.event_at);
        let known_at = point.known_at;
        self.points.push(point);
        let superseded = self.turn(
            owner,
            Turn {
                known_at,
                seq,
                slot: Some(slot),
            },
        );
        (slot, superseded)
    }

    /// Stores a tombstone, also for an id not seen yet: a version learned earlier may still come. Says
    /// which slot is superseded.
    pub(super) fn delete(&mut self, seq: u64, id: &str, known_at: u64) -> Option<u32> {
        let owner = self.owner_of(id);
        self.delete_owner(seq, owner, known_at)
    }

    pub(super) fn delete_owner(&mut self, seq: u64, owner: u32, known_at: u64) -> Option<u32> {
        self.turn(
            owner,
            Turn {
                known_at,
                seq,
                slot: None,
            },
        )
    }

    fn owner_of(&mut self, id: &str) -> u32 {
        if let Some(&owner) = self.ids.get(id) {
            return owner;
        }
        let owner = self.turns.len() as u32;
        self.ids.insert(id.into(), owner);
        self.turns.push(Vec::new());
        owner
    }

    fn turn(&mut self, owner: u32, turn: Turn) -> Option<u32> {
        let turns = &mut self.turns[owner as usize];
        let at = turns.partition_point(|other| other.known_at <= turn.known_at);
        let before = at.checked_sub(1).and_then(|at| turns[at].slot);
        let after = turns.get(at).map(|next| next.known_at);
        if let Some(slot) = before {
            self.known_to[slot as usize] = turn.known_at;
        }
        if let Some(slot) = turn.slot {
            self.known_to[slot as usize] = after.unwrap_or(OPEN);
        }
        let superseded = if after.is_none() { before } else { turn.slot };
        if after.is_none() {
            if let Some(slot) = before {
                self.seq_to[slot as usize] = turn.seq;
                self.live.remove(slot);
                self.live_count -= 1;
            }
            if let Some(slot) = turn.slot {
                self.live.insert(slot);
                self.live_count += 1;
            }
        } else if let Some(slot) = turn.slot {
            self.seq_to[slot as usize] = turn.seq;
        }
        turns.insert(at, turn);
        superseded
    }

    #[inline]
    pub(super) fn is_visible(&self, slot: u32, as_of: &AsOf) -> bool {
        let at = slot as usize;
        match *as_of {
            AsOf::Now => self.live.has(slot),
            AsOf::Seq(seq) => self.seq_from[at] <= seq && seq < self.seq_to[at],
            AsOf::Known(t) => {
                let t = t.min(OPEN - 1);
                self.known_at[at] <= t && t < self.known_to[at]
            }
        }
    }

    /// The visible slots; `scratch` is filled only where no ready set answers.
    pub(super) fn visible<'a>(&'a self, as_of: &AsOf, scratch: &'a mut Bits) -> &'a Bits {
        let (from, to, at) = match *as_of {
            AsOf::Now => return &self.live,
            AsOf::Seq(seq) => (&self.seq_from, &self.seq_to, seq),
            AsOf::Known(t) => (&self.known_at, &self.known_to, t.min(OPEN - 1)),
        };
        let (from, to) = (&from[..self.len()], &to[..self.len()]);
        scratch.fill(self.len(), |slot| from[slot] <= at && at < to[slot]);
        scratch
    }

    /// The slot of `id` that is visible.
    pub(super) fn find(&self, id: &str, as_of: &AsOf) -> Option<u32> {
        self.find_owned(*self.ids.get(id)?, as_of)
    }

    pub(super) fn find_owned(&self, owner: u32, as_of: &AsOf) -> Option<u32> {
        let turns = self.turns[owner as usize].iter().rev();
        turns
            .filter_map(|turn| turn.slot)
            .find(|&slot| self.is_visible(slot, as_of))
    }

    /// Ids after `after` in byte order, with their dense ids.
    pub(super) fn ids_after(&self, after: Option<&str>) -> impl Iterator<Item = u32> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.ids
            .range::<str, _>((from, Bound::Unbounded))
            .map(|(_, owner)| *owner)
    }

    /// All slots of ids that start with `prefix`, ascending.
    pub(super) fn with_prefix(&self, prefix: &str) -> Vec<u32> {
        let from = self
            .ids
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let owners = from
            .take_while(|(id, _)| id.starts_with(prefix))
            .map(|(_, owner)| *owner);
        let turns = owners.flat_map(|owner| &self.turns[owner as usize]);
        let mut slots: Vec<u32> = turns.filter_map(|turn| turn.slot).collect();
        slots.sort_unstable();
        slots
    }

    /// The history of `id`, earliest knowledge first.
    pub(super) fn history(&self, id: &str) -> Vec<Version> {
        let Some(&owner) = self.ids.get(id) else {
            return Vec::new();
        };
        let turns = &self.turns[owner as usize];
        let mut history = Vec::with_capacity(turns.len());
        let (mut known_to, mut seq_to) = (None, None::<u64>);
        for turn in turns.iter().rev() {
            history.push(Version {
                seq_from: turn.seq,
                seq_to: seq_to.map(|seq| seq.max(turn.seq)),
                known_at: turn.known_at,
                known_to,
                point: turn.slot.map(|slot| Arc::clone(self.point(slot))),
            });
            known_to = Some(turn.known_at);
            seq_to = Some(seq_to.map_or(turn.seq, |seq| seq.min(turn.seq)));
        }
        history.reverse();
        history
    }

    /// Calls `word` with all that is known of the intervals, in order of arrival and of ids.
    pub(super) fn digest(&self, mut word: impl FnMut(u64)) {
        for slot in 0..self.len() {
            word(self.seq_from[slot]);
            word(self.seq_to[slot]);
            word(self.known_at[slot]);
            word(self.known_to[slot]);
            word(u64::from(self.owners[slot]));
        }
        for owner in self.ids.values() {
            word(u64::from(*owner));
            for turn in &self.turns[*owner as usize] {
                word(turn.known_at);
                word(turn.seq);
                word(turn.slot.map_or(OPEN, u64::from));
            }
        }
    }
}
