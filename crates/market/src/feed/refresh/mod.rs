//! Feeds with a refresh line: increments on lines A and B, whole books again and again beside them.
//!
//! The first arrival of each channel sequence wins; a hole that the
//! other line does not fill in time is given up. Whose increments it held nobody knows, so from then
//! on every instrument is *in doubt* until something proves that it missed nothing, or mends it:
//!
//! - an increment whose instrument sequence (`RptSeq`) follows ours: none of its own was lost;
//! - a snapshot as of a channel sequence beyond the hole with our instrument sequence: likewise;
//! - else a snapshot that is ahead of us replaces the book, and the increments kept since go on top.
//!
//! An instrument that misses a number of its own keeps its last book, flagged, and its increments
//! wait for a snapshot. Everything in doubt is `recovering`, and `stale` after `stale_after_ns`; the
//! next good snapshot makes it `ok` again. Books by order have no instrument sequence: for them only
//! the channel sequence counts. Snapshots of an instrument in step are compared with its book.
//!
//! This is protocol-free: translators (`feed::fast`, `feed::mdp3`) give it entries.

mod arbiter;
mod instrument;
mod ranked;
#[cfg(test)]
mod tests;

pub use ranked::{Action, Rank, RankedBook};

use std::collections::{HashMap, VecDeque};

use crate::event::{Event, InstrumentId, Price, Qty, Side, Stamp, Terms};
use crate::publish::{FeedState, FeedStatus, Integrity, LineStatus};
use arbiter::{Arbiter, Arrival};
use instrument::{Instrument, Place};

/// Limits and waits of a feed with a refresh line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshConfig {
    /// How long a hole waits for the other line, ns.
    pub gap_wait_ns: u64,
    /// Messages held back while a hole is open; beyond it the hole is given up at once.
    pub held_messages: usize,
    /// Entries of a message, most.
    pub message_entries: usize,
    /// Entries kept for instruments that wait for a snapshot, all together: the oldest go first, and
    /// their instrument then waits for a later snapshot.
    pub waiting_entries: usize,
    /// How long an instrument may be in doubt before it is `stale`, ns.
    pub stale_after_ns: u64,
    /// Levels on a side of books by price, where the feed does not say.
    pub depth: usize,
    /// Instruments expected.
    pub instruments_limit: usize,
    /// A jump ahead of more messages than this needs a second packet that agrees.
    pub far_ahead: u64,
    /// Old numbers alone, rising, for this long mean that the venue started again, ns.
    pub restart_after_ns: u64,
}

impl Default for RefreshConfig {
    fn default() -> Self {
        Self {
            gap_wait_ns: 2_000_000,
            held_messages: 4_096,
            message_entries: 512,
            waiting_entries: 65_536,
            stale_after_ns: 30_000_000_000,
            depth: 10,
            instruments_limit: 256,
            far_ahead: 1_000_000,
            restart_after_ns: 10_000_000_000,
        }
    }
}

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A level of a book by price, by its rank.
    Rank {
        /// What happens there.
        action: Action,
        /// Which half.
        side: Side,
        /// From 1, the best.
        rank: Rank,
        /// The level's price.
        price: Price,
        /// The level's total.
        qty: Qty,
    },
    /// Anything that is a market event as it stands.
    Event(Event),
    /// A number of the instrument's sequence that changes nothing here.
    Nothing,
    /// Every book of the channel is emptied and own numbers start again; no instrument is named.
    Void,
}

/// One instrument's part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The venue's number of the instrument.
    pub security_id: u64,
    /// The instrument's own sequence, from 1, where the feed has one.
    pub rpt_seq: Option<u64>,
    /// Matching engine time, ns UTC.
    pub ts_event: u64,
    /// What it does.
    pub change: Change,
}

/// A whole book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// The venue's number of the instrument.
    pub security_id: u64,
    /// The instrument's last number in it, where the feed has such.
    pub rpt_seq: Option<u64>,
    /// The last channel sequence in it.
    pub last_seq: u64,
    /// When the venue made it, ns UTC.
    pub ts_event: u64,
    /// Levels on a side, at most, where the feed says it.
    pub depth: Option<Rank>,
    /// Levels (`Action::New` in order of rank) or orders (`Event::Add`); states are applied as well.
    pub changes: &'a [Change],
}

/// Takes what a feed gives, in order.
pub trait Handler {
    /// A new instrument; before anything else about it. `security_id` is the venue's number.
    fn listed(&mut self, id: InstrumentId, security_id: u64);
    /// The venue's name of an instrument, where the feed tells names.
    fn named(&mut self, _security_id: u64, _name: &str) {}
    /// What a definition says of how an instrument trades, listed or not.
    fn terms(&mut self, _security_id: u64, _terms: &Terms) {}
    /// A fact. [`Event::Clear`] goes before a book that is replaced.
    fn event(&mut self, id: InstrumentId, stamp: Stamp, event: &Event);
    /// How far the instrument can be trusted from here on.
    fn integrity(&mut self, id: InstrumentId, integrity: Integrity);
    /// The venue starts its numbers again: every book is void.
    fn restarted(&mut self) {}
}

/// Snapshots that were compared with books in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SnapshotCheck {
    /// Compared.
    pub checked: u64,
    /// Equal.
    pub equal: u64,
}

/// Lines, gaps and books of one channel.
#[derive(Debug)]
pub struct RefreshFeed {
    config: RefreshConfig,
    arbiter: Arbiter,
    lines: [LineStatus; 2],
    instruments: Vec<Instrument>,
    by_security: HashMap<u64, InstrumentId>,
    /// Entries of instruments that wait for a snapshot, in channel order.
    waiting: VecDeque<Waiting>,
    check: SnapshotCheck,
    /// A snapshot's book, to compare with.
    theirs: RankedBook,
    /// Instruments not in step: none means that `waiting` is empty.
    doubtful: usize,
    snapshots_used: u64,
    refused: u64,
    now_ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    id: InstrumentId,
    seq: u64,
    ts_recv: u64,
    entry: Entry,
}

impl RefreshFeed {
    /// A feed that has seen nothing; takes its memory.
    #[must_use]
    pub fn new(config: RefreshConfig) -> Self {
        Self {
            arbiter: Arbiter::new(&config),
            lines: [LineStatus::default(); 2],
            instruments: Vec::with_capacity(config.instruments_limit),
            by_security: HashMap::with_capacity(config.instruments_limit),
            waiting: VecDeque::with_capacity(config.waiting_entries),
            check: SnapshotCheck::default(),
            theirs: RankedBook::new(usize::from(Rank::MAX)),
            doubtful: 0,
            snapshots_used: 0,
            refused: 0,
            now_ns: 0,
            config,
        }
    }

    /// Counts a packet of a line, before what is in it; `is_malformed` where nothing could be read.
    pub fn packet(&mut self, line: usize, ts_recv: u64, is_malformed: bool) {
        self.now_ns = self.now_ns.max(ts_recv);
        if let Some(line) = self.lines.get_mut(line) {
            line.packets += 1;
            line.malformed += u64::from(is_malformed);
            line.last_recv_ns = ts_recv;
        }
    }

    /// Whether a message would be new: duplicates need not be translated.
    #[must_use]
    pub fn is_new(&self, seq: u64) -> bool {
        self.arbiter.is_new(seq)
    }

    /// Takes message `seq` of a line.
    pub fn message(
        &mut self,
        line: usize,
        seq: u64,
        ts_recv: u64,
        entries: &[Entry],
        handler: &mut impl Handler,
    ) {
        self.now_ns = self.now_ns.max(ts_recv);
        let entries = &entries[..entries.len().min(self.config.message_entries)];
        let arrival = self.arbiter.offer(seq, ts_recv, entries);
        let status = &mut self.lines[line.min(1)];
        match arrival {
            Arrival::Old => status.duplicates += 1,
            Arrival::Refused => self.refused += 1,
            Arrival::Held => status.wins += 1,
            Arrival::Next => {
                status.wins += 1;
                self.apply_all(seq, ts_recv, entries, handler);
                self.drain(handler);
            }
            Arrival::First => {
                status.wins += 1;
                // What the snapshots before said may be older than the first message.
                self.judge_all(handler);
                self.apply_all(seq, ts_recv, entries, handler);
            }
            Arrival::Restart => {
                status.wins += 1;
                self.restart(seq, handler);
                self.apply_all(seq, ts_recv, entries, handler);
                self.arbiter.delivered(seq);
            }
        }
        // Time passes by `tick` alone: what one line brings late says nothing of the other's.
        self.give_up_due(None, handler);
    }

    /// The venue said that its numbers start again and that `new_seq` comes next.
    pub fn restart(&mut self, new_seq: u64, handler: &mut impl Handler) {
        self.arbiter.restart(new_seq);
        self.waiting.clear();
        handler.restarted();
        for idx in 0..self.instruments.len() {
            let id = InstrumentId(idx as u32);
            let stamp = Stamp {
                seq: new_seq,
                ts_event: self.now_ns,
                ts_recv: self.now_ns,
            };
            self.instruments[idx].restart();
            handler.event(id, stamp, &Event::Clear);
            self.judge(id, handler);
            // Whoever forgot everything forgot the flags as well.
            handler.integrity(id, self.instruments[idx].integrity);
        }
    }

    /// Takes a whole book.
    pub fn snapshot(&mut self, ts_recv: u64, snapshot: &Snapshot<'_>, handler: &mut impl Handler) {
        self.now_ns = self.now_ns.max(ts_recv);
        let id = self.id_of(snapshot.security_id, handler);
        let instrument = &mut self.instruments[id.0 as usize];
        // A channel that has brought nothing yet proves nothing, but a book is better than none.
        let doubt_end = self.arbiter.doubt_end();
        match instrument.verdict(snapshot, doubt_end, self.arbiter.next_seq()) {
            instrument::Verdict::Old => return,
            instrument::Verdict::Same => {
                if let Some(is_equal) = instrument.equals(snapshot, &mut self.theirs) {
                    self.check.checked += 1;
                    self.check.equal += u64::from(is_equal);
                    if !is_equal {
                        self.replace(id, ts_recv, snapshot, handler);
                    }
                }
                let instrument = &mut self.instruments[id.0 as usize];
                instrument.proven_seq = instrument.proven_seq.max(snapshot.last_seq);
            }
            instrument::Verdict::Replace => {
                self.replace(id, ts_recv, snapshot, handler);
                self.replay(id, handler);
            }
        }
        self.judge(id, handler);
        self.forget_waiting();
    }

    /// Lets time pass: holes are given up, instruments that no snapshot mends become stale. What
    /// came on any line before `now_ns` was handed over by now.
    pub fn tick(&mut self, now_ns: u64, handler: &mut impl Handler) {
        self.now_ns = self.now_ns.max(now_ns);
        self.give_up_due(Some(now_ns), handler);
        if self.doubtful > 0 {
            self.judge_all(handler);
        }
    }

    /// The next message wanted; 0 before the first.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.arbiter.next_seq().unwrap_or(0)
    }

    /// Whether a hole is open: what was delivered is not the newest.
    #[must_use]
    pub fn has_hole(&self) -> bool {
        self.arbiter.has_hole()
    }

    /// Whether some instrument needs a snapshot: the refresh line is worth listening to.
    #[must_use]
    pub fn needs_snapshots(&self) -> bool {
        self.doubtful > 0 || self.instruments.is_empty()
    }

    /// How far an instrument can be trusted.
    #[must_use]
    pub fn integrity(&self, id: InstrumentId) -> Integrity {
        let instrument = self.instruments.get(id.0 as usize);
        instrument.map_or(Integrity::Recovering, |instrument| instrument.integrity)
    }

    /// An instrument's book by price, while it has one.
    #[must_use]
    pub fn ranked(&self, id: InstrumentId) -> Option<&RankedBook> {
        let instrument = self.instruments.get(id.0 as usize)?;
        instrument.has_book.then_some(&instrument.book)
    }

    /// Our id of a venue's number, once it was seen.
    #[must_use]
    pub fn instrument_of(&self, security_id: u64) -> Option<InstrumentId> {
        self.by_security.get(&security_id).copied()
    }

    /// The venue's number of an instrument.
    #[must_use]
    pub fn security_id(&self, id: InstrumentId) -> Option<u64> {
        let instrument = self.instruments.get(id.0 as usize)?;
        Some(instrument.security_id)
    }

    /// The last own number in an instrument's book, where the feed has such.
    #[must_use]
    pub fn rpt_seq(&self, id: InstrumentId) -> Option<u64> {
        self.instruments.get(id.0 as usize)?.rpt_seq
    }

    /// Instruments seen.
    #[must_use]
    pub fn len(&self) -> usize {
        self.instruments.len()
    }

    /// None seen yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instruments.is_empty()
    }

    /// Snapshots compared with books in step.
    #[must_use]
    pub fn check(&self) -> SnapshotCheck {
        self.check
    }

    /// Where the feed stands. `recovered` counts books that a snapshot brought or mended.
    #[must_use]
    pub fn status(&self) -> FeedStatus {
        let state = match (self.arbiter.next_seq(), self.doubtful) {
            (None, _) => FeedState::Joining,
            (Some(_), 0) if !self.arbiter.has_hole() => FeedState::Live,
            (Some(_), _) => FeedState::Recovering,
        };
        let mut lines = self.lines;
        let won = self.arbiter.delivered_count();
        for line in &mut lines {
            line.missed = if line.packets == 0 {
                0
            } else {
                won.saturating_sub(line.wins + line.duplicates)
            };
        }
        FeedStatus {
            state,
            next_seq: self.next_seq(),
            head_seq: self.arbiter.head_seq(),
            lines,
            gaps: self.arbiter.gaps(),
            recovered: self.snapshots_used,
            lost: self.arbiter.lost(),
            rejected: self.refused,
            ..FeedStatus::default()
        }
    }

    fn drain(&mut self, handler: &mut impl Handler) {
        while let Some((seq, ts_recv, entries)) = self.arbiter.take_next() {
            self.apply_all(seq, ts_recv, &entries, handler);
            self.arbiter.give_back(entries);
        }
    }

    fn give_up_due(&mut self, now_ns: Option<u64>, handler: &mut impl Handler) {
        while self.arbiter.give_up_due(now_ns) {
            // Anyone may have been in the hole.
            self.judge_all(handler);
            self.drain(handler);
        }
    }

    fn apply_all(&mut self, seq: u64, ts_recv: u64, entries: &[Entry], handler: &mut impl Handler) {
        for entry in entries {
            if entry.change == Change::Void {
                self.void(seq, ts_recv, entry.ts_event, handler);
                continue;
            }
            let id = self.id_of(entry.security_id, handler);
            let waiting = Waiting {
                id,
                seq,
                ts_recv,
                entry: *entry,
            };
            self.apply(&waiting, false, handler);
            self.judge(id, handler);
        }
    }

    /// Every book is empty, and right so.
    fn void(&mut self, seq: u64, ts_recv: u64, ts_event: u64, handler: &mut impl Handler) {
        self.waiting.clear();
        for idx in 0..self.instruments.len() {
            let id = InstrumentId(idx as u32);
            let stamp = Stamp {
                seq,
                ts_event,
                ts_recv,
            };
            self.instruments[idx].void(seq);
            handler.event(id, stamp, &Event::Clear);
            self.judge(id, handler);
        }
    }

    fn apply(&mut self, waiting: &Waiting, is_again: bool, handler: &mut impl Handler) {
        let instrument = &mut self.instruments[waiting.id.0 as usize];
        // A trading state stands beside the book and has no number of its own.
        if let Change::Event(event @ Event::State { .. }) = &waiting.entry.change {
            let stamp = Stamp {
                seq: waiting.seq,
                ts_event: waiting.entry.ts_event,
                ts_recv: waiting.ts_recv,
            };
            handler.event(waiting.id, stamp, event);
            return;
        }
        match instrument.place(&waiting.entry, waiting.seq) {
            Place::Old => return,
            Place::Misses => {
                instrument.is_broken = true;
                self.keep(*waiting);
                return;
            }
            Place::Follows => {}
        }
        // Without a number of its own it may go on top of a wrong book: it is wanted again then.
        if waiting.entry.rpt_seq.is_none() && instrument.integrity != Integrity::Ok && !is_again {
            self.keep(*waiting);
        }
        let instrument = &mut self.instruments[waiting.id.0 as usize];
        let stamp = Stamp {
            seq: waiting.seq,
            ts_event: waiting.entry.ts_event,
            ts_recv: waiting.ts_recv,
        };
        // Only an own number that follows proves that nothing of this instrument was lost.
        if waiting.entry.rpt_seq.is_some() {
            instrument.rpt_seq = waiting.entry.rpt_seq;
            instrument.proven_seq = instrument.proven_seq.max(waiting.seq);
        }
        instrument.has_book = true;
        instrument.change(&waiting.entry.change, |event| {
            handler.event(waiting.id, stamp, event);
        });
    }

    /// Keeps an entry for the snapshot to come; the oldest make room.
    fn keep(&mut self, waiting: Waiting) {
        if self.waiting.len() == self.config.waiting_entries {
            self.waiting.pop_front();
        }
        self.waiting.push_back(waiting);
    }

    fn replace(
        &mut self,
        id: InstrumentId,
        ts_recv: u64,
        snapshot: &Snapshot<'_>,
        handler: &mut impl Handler,
    ) {
        self.snapshots_used += 1;
        let instrument = &mut self.instruments[id.0 as usize];
        let stamp = Stamp {
            seq: snapshot.last_seq,
            ts_event: snapshot.ts_event,
            ts_recv,
        };
        instrument.take(snapshot);
        handler.event(id, stamp, &Event::Clear);
        for change in snapshot.changes {
            instrument.change(change, |event| handler.event(id, stamp, event));
        }
    }

    /// What was kept and is newer than the snapshot, on top of it.
    fn replay(&mut self, id: InstrumentId, handler: &mut impl Handler) {
        for idx in 0..self.waiting.len() {
            let waiting = self.waiting[idx];
            if waiting.id != id {
                continue;
            }
            match self.instruments[id.0 as usize].place(&waiting.entry, waiting.seq) {
                Place::Old => {}
                Place::Follows => self.apply(&waiting, true, handler),
                Place::Misses => {
                    self.instruments[id.0 as usize].is_broken = true;
                    return;
                }
            }
        }
    }

    /// Nobody waits: what was kept is of no use.
    fn forget_waiting(&mut self) {
        if self.doubtful == 0 {
            self.waiting.clear();
        }
        while let Some(first) = self.waiting.front()
            && self.instruments[first.id.0 as usize].integrity == Integrity::Ok
        {
            self.waiting.pop_front();
        }
    }

    fn judge_all(&mut self, handler: &mut impl Handler) {
        for idx in 0..self.instruments.len() {
            self.judge(InstrumentId(idx as u32), handler);
        }
    }

    /// Says how far an instrument can be trusted, where that changed.
    fn judge(&mut self, id: InstrumentId, handler: &mut impl Handler) {
        let doubt_end = self.arbiter.doubt_end();
        let instrument = &mut self.instruments[id.0 as usize];
        let was = instrument.integrity;
        let is_in_step =
            instrument.has_book && !instrument.is_broken && instrument.proven_seq + 1 >= doubt_end;
        let now = if is_in_step {
            Integrity::Ok
        } else if was == Integrity::Ok {
            instrument.doubtful_since_ns = self.now_ns;
            Integrity::Recovering
        } else if self.now_ns.saturating_sub(instrument.doubtful_since_ns)
            >= self.config.stale_after_ns
        {
            Integrity::Stale
        } else {
            Integrity::Recovering
        };
        if now == was {
            return;
        }
        match (was == Integrity::Ok, now == Integrity::Ok) {
            (true, false) => self.doubtful += 1,
            (false, true) => self.doubtful -= 1,
            _ => {}
        }
        instrument.integrity = now;
        handler.integrity(id, now);
    }

    fn id_of(&mut self, security_id: u64, handler: &mut impl Handler) -> InstrumentId {
        if let Some(&id) = self.by_security.get(&security_id) {
            return id;
        }
        let id = InstrumentId(self.instruments.len() as u32);
        self.by_security.insert(security_id, id);
        self.instruments
            .push(Instrument::new(security_id, self.config.depth, self.now_ns));
        self.doubtful += 1;
        handler.listed(id, security_id);
        handler.integrity(id, Integrity::Recovering);
        id
    }
}
