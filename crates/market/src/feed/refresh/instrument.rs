//! One instrument: its book by rank, and how far it is proven to be in step.

use super::ranked::RankedBook;
use super::{Change, Entry, Snapshot};
use crate::event::{Event, Side};
use crate::publish::Integrity;

#[derive(Debug)]
pub(super) struct Instrument {
    pub(super) security_id: u64,
    pub(super) book: RankedBook,
    pub(super) has_book: bool,
    /// The last number of its own that was applied.
    pub(super) rpt_seq: Option<u64>,
    /// Nothing of it was lost up to this channel sequence.
    pub(super) proven_seq: u64,
    /// A number of its own is missing: only a snapshot helps.
    pub(super) is_broken: bool,
    pub(super) integrity: Integrity,
    pub(super) doubtful_since_ns: u64,
    /// A book by order: it is compared by nobody here.
    has_orders: bool,
}

/// Where an entry belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is in the book already.
    Old,
    /// It goes on top of the book.
    Follows,
    /// Something before it is missing.
    Misses,
}

/// What a snapshot is to an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It tells nothing new.
    Old,
    /// The same number: it proves, and can be compared.
    Same,
    /// It is what we lack.
    Replace,
}

impl Instrument {
    pub(super) fn new(security_id: u64, depth: usize, now_ns: u64) -> Self {
        Self {
            security_id,
            book: RankedBook::new(depth),
            has_book: false,
            rpt_seq: None,
            proven_seq: 0,
            is_broken: false,
            integrity: Integrity::Recovering,
            doubtful_since_ns: now_ns,
            has_orders: false,
        }
    }

    pub(super) fn restart(&mut self) {
        self.book.clear();
        self.has_book = false;
        self.rpt_seq = None;
        self.proven_seq = 0;
        self.is_broken = false;
    }

    /// The venue emptied the book at a channel sequence.
    pub(super) fn void(&mut self, seq: u64) {
        self.restart();
        self.has_book = true;
        self.rpt_seq = Some(0);
        self.proven_seq = seq;
    }

    /// Where an entry of channel sequence `seq` belongs. Number 1 starts a book from nothing.
    pub(super) fn place(&self, entry: &Entry, seq: u64) -> Place {
        match (entry.rpt_seq, self.rpt_seq) {
            (Some(next), Some(last)) if next <= last => Place::Old,
            // Without a number of its own it is in the book when the snapshot says so.
            (None, _) if self.has_book && seq <= self.proven_seq => Place::Old,
            _ if self.is_broken || !self.has_book && entry.rpt_seq != Some(1) => Place::Misses,
            (Some(1), None) | (None, _) => Place::Follows,
            (Some(next), Some(last)) if self.has_book && next == last + 1 => Place::Follows,
            (Some(_), _) => Place::Misses,
        }
    }

    pub(super) fn verdict(
        &self,
        snapshot: &Snapshot<'_>,
        doubt_end: u64,
        next_seq: Option<u64>,
    ) -> Verdict {
        let is_proven = self.proven_seq + 1 >= doubt_end;
        if !self.has_book {
            return Verdict::Replace;
        }
        let (Some(theirs), Some(ours)) = (snapshot.rpt_seq, self.rpt_seq) else {
            // Without own numbers: only one beyond the doubt is of use.
            let helps = snapshot.last_seq > self.proven_seq && snapshot.last_seq + 1 >= doubt_end;
            return if is_proven && !self.is_broken || !helps {
                Verdict::Old
            } else {
                Verdict::Replace
            };
        };
        // The snapshot may be ahead of increments that are still to come.
        let is_ahead = next_seq.is_some_and(|next| snapshot.last_seq >= next);
        match theirs.cmp(&ours) {
            std::cmp::Ordering::Less => Verdict::Old,
            std::cmp::Ordering::Equal => Verdict::Same,
            std::cmp::Ordering::Greater if is_proven && !self.is_broken && is_ahead => Verdict::Old,
            std::cmp::Ordering::Greater => Verdict::Replace,
        }
    }

    /// Starts over as the snapshot says; its changes follow.
    pub(super) fn take(&mut self, snapshot: &Snapshot<'_>) {
        self.book.clear();
        if let Some(depth) = snapshot.depth {
            self.book.set_depth(usize::from(depth));
        }
        self.has_book = true;
        self.rpt_seq = snapshot.rpt_seq;
        self.proven_seq = self.proven_seq.max(snapshot.last_seq);
        self.is_broken = false;
    }

    /// Whether the book is the snapshot's, which is built in `theirs`; `None` for books by order.
    pub(super) fn equals(&self, snapshot: &Snapshot<'_>, theirs: &mut RankedBook) -> Option<bool> {
        if self.has_orders {
            return None;
        }
        theirs.clear();
        for change in snapshot.changes {
            if let Change::Rank {
                action,
                side,
                rank,
                price,
                qty,
            } = *change
            {
                theirs.apply(action, side, rank, price, qty, |_| {});
            }
        }
        let mut sides = [Side::Bid, Side::Ask].into_iter();
        Some(sides.all(|side| self.book.levels(side) == theirs.levels(side)))
    }

    /// Applies one change to the book by rank and says what that means for the market.
    pub(super) fn change(&mut self, change: &Change, mut on_event: impl FnMut(&Event)) {
        match change {
            Change::Rank {
                action,
                side,
                rank,
                price,
                qty,
            } => {
                let is_there = self
                    .book
                    .apply(*action, *side, *rank, *price, *qty, on_event);
                // A rank that is not there: we are not where the venue is.
                self.has_book &= is_there;
            }
            Change::Event(event) => {
                if matches!(event, Event::Clear) {
                    self.book.clear();
                }
                self.has_orders |= matches!(event, Event::Add { .. });
                on_event(event);
            }
            Change::Nothing | Change::Void => {}
        }
    }
}
