//! Feeds with a refresh line joined to the general pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;

use wire::fast11::Plan;
use wire::sbe::Schema;

use super::config::PipelineConfig;
use super::digests::Digests;
use super::event::EventPipeline;
use super::rejects::RejectReason;
use crate::event::{Event, InstrumentId, Stamp, Terms};
use crate::feed::fast::{FastConfig, FastFault, FastFeed};
use crate::feed::mdp3::{LayoutFault, Mdp3Config, Mdp3Fault, Mdp3Feed};
use crate::feed::refresh::{Handler, RefreshFeed};
use crate::publish::{Integrity, Sink};
use crate::reference::Table;

/// Definitions kept, of instruments heard of or not: about 100 MB.
const DEFINITIONS_LIMIT: usize = 1 << 20;

/// Names of instruments by the venue's numbers; one without a name is called by its number.
pub type SecurityNames = BTreeMap<u64, String>;

/// FAST market data to frames.
#[derive(Debug)]
pub struct FastPipeline {
    feed: FastFeed,
    join: Join,
    digests: Digests,
}

impl FastPipeline {
    /// A pipeline by these templates; takes its memory.
    #[must_use]
    pub fn new(
        plan: Arc<Plan>,
        feed: &FastConfig,
        names: SecurityNames,
        config: &PipelineConfig,
    ) -> Self {
        Self {
            feed: FastFeed::new(plan, feed),
            join: Join::new(names, config),
            digests: Digests::new(),
        }
    }

    /// Takes one datagram of a line: 0 (A), 1 (B) or
    /// [`LINE_SNAPSHOT`](crate::feed::fast::LINE_SNAPSHOT).
    ///
    /// # Errors
    /// When it, or a part of it, could not be used; it was counted and kept in
    /// [`EventPipeline::rejected`].
    pub fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) -> Result<(), FastFault> {
        let outcome = self.feed.packet(line, ts_recv, bytes, &mut self.join);
        if let Err(fault) = outcome {
            let reason = RejectReason::Fast(fault);
            self.join.events.record(ts_recv, line, reason, bytes);
        }
        self.join.settle(self.feed.channel().refresh());
        self.look();
        outcome
    }

    /// Lets time pass: holes, stale instruments, quiet windows, status.
    pub fn tick(&mut self, now_ns: u64) {
        self.feed.tick(now_ns, &mut self.join);
        self.join.settle(self.feed.channel().refresh());
        self.join.events.tick(now_ns);
    }

    /// Nothing comes any more: the last status is due.
    pub fn finish(&mut self) {
        self.join.events.want_status();
    }

    /// Offers everything new to the sink.
    pub fn publish(&mut self, sink: &mut impl Sink) {
        self.join.events.publish(sink);
    }

    /// Keeps the digest of all books when message `seq` has been applied; at most 64 are
    /// remembered.
    pub fn digest_at(&mut self, seq: u64) {
        self.digests.want(seq);
        self.look();
    }

    /// The oldest digest taken and not fetched: `(seq, digest)`.
    pub fn take_digest(&mut self) -> Option<(u64, u64)> {
        self.digests.fetch()
    }

    /// Puts a table of reference data in force.
    pub fn swap_reference(&mut self, table: Arc<Table>) {
        self.join.events.swap_reference(table);
    }

    /// Tells how many packets of a line the kernel has dropped in all.
    pub fn kernel_drops(&mut self, line: usize, total: u64) {
        if let Some(drops) = self.join.kernel_drops.get_mut(line) {
            *drops = total;
        }
    }

    fn look(&mut self) {
        let events = &self.join.events;
        let next_seq = self.feed.channel().refresh().next_seq();
        self.digests.look(next_seq, || events.book_digest());
    }

    /// The feed: sequence, recovery, books by rank.
    #[must_use]
    pub fn feed(&self) -> &FastFeed {
        &self.feed
    }

    /// Books, windows, signals and what was rejected.
    #[must_use]
    pub fn events(&self) -> &EventPipeline {
        &self.join.events
    }
}

/// MDP 3.0 market data to frames.
#[derive(Debug)]
pub struct Mdp3Pipeline {
    feed: Mdp3Feed,
    join: Join,
    digests: Digests,
}

impl Mdp3Pipeline {
    /// A pipeline by this schema; takes its memory. Names that the feed's definitions bring before
    /// an instrument is first heard of are taken too.
    ///
    /// # Errors
    /// When the schema lacks what is read.
    pub fn new(
        schema: Arc<Schema>,
        feed: &Mdp3Config,
        names: SecurityNames,
        config: &PipelineConfig,
    ) -> Result<Self, LayoutFault> {
        Ok(Self {
            feed: Mdp3Feed::new(schema, feed)?,
            join: Join::new(names, config),
            digests: Digests::new(),
        })
    }

    /// Takes one packet of a line: 0 (A), 1 (B) or
    /// [`LINE_SNAPSHOT`](crate::feed::mdp3::LINE_SNAPSHOT).
    ///
    /// # Errors
    /// When it, or a part of it, could not be used; it was counted and kept in
    /// [`EventPipeline::rejected`].
    pub fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) -> Result<(), Mdp3Fault> {
        let outcome = self.feed.packet(line, ts_recv, bytes, &mut self.join);
        if let Err(fault) = outcome {
            let reason = RejectReason::Mdp3(fault);
            self.join.events.record(ts_recv, line, reason, bytes);
        }
        self.join.settle(self.feed.refresh());
        self.look();
        outcome
    }

    /// Lets time pass: holes, stale instruments, quiet windows, status.
    pub fn tick(&mut self, now_ns: u64) {
        self.feed.tick(now_ns, &mut self.join);
        self.join.settle(self.feed.refresh());
        self.join.events.tick(now_ns);
    }

    /// Nothing comes any more: the last status is due.
    pub fn finish(&mut self) {
        self.join.events.want_status();
    }

    /// Offers everything new to the sink.
    pub fn publish(&mut self, sink: &mut impl Sink) {
        self.join.events.publish(sink);
    }

    /// Keeps the digest of all books when packet `seq` has been applied; at most 64 are
    /// remembered.
    pub fn digest_at(&mut self, seq: u64) {
        self.digests.want(seq);
        self.look();
    }

    /// The oldest digest taken and not fetched: `(seq, digest)`.
    pub fn take_digest(&mut self) -> Option<(u64, u64)> {
        self.digests.fetch()
    }

    /// Puts a table of reference data in force.
    pub fn swap_reference(&mut self, table: Arc<Table>) {
        self.join.events.swap_reference(table);
    }

    /// Tells how many packets of a line the kernel has dropped in all.
    pub fn kernel_drops(&mut self, line: usize, total: u64) {
        if let Some(drops) = self.join.kernel_drops.get_mut(line) {
            *drops = total;
        }
    }

    fn look(&mut self) {
        let events = &self.join.events;
        let next_seq = self.feed.refresh().next_seq();
        self.digests.look(next_seq, || events.book_digest());
    }

    /// The feed: sequence, recovery, books by rank.
    #[must_use]
    pub fn feed(&self) -> &Mdp3Feed {
        &self.feed
    }

    /// Books, windows, signals and what was rejected.
    #[must_use]
    pub fn events(&self) -> &EventPipeline {
        &self.join.events
    }
}

/// What a feed's handler does with a pipeline.
#[derive(Debug)]
pub(super) struct Join {
    pub(super) events: EventPipeline,
    names: SecurityNames,
    ids: Vec<InstrumentId>,
    /// What definitions said, and who was listed, by the venue's numbers.
    terms: BTreeMap<u64, Terms>,
    listed: BTreeMap<u64, InstrumentId>,
    /// Books that are open in the middle of a packet.
    touched: Vec<(InstrumentId, Stamp)>,
    has_gap: bool,
    /// Packets of lines A and B that the kernel dropped.
    kernel_drops: [u64; 2],
}

impl Join {
    pub(super) fn new(names: SecurityNames, config: &PipelineConfig) -> Self {
        Self {
            events: EventPipeline::new(config),
            names,
            ids: Vec::with_capacity(config.instruments_limit),
            terms: BTreeMap::new(),
            listed: BTreeMap::new(),
            touched: Vec::with_capacity(config.instruments_limit),
            has_gap: false,
            kernel_drops: [0; 2],
        }
    }

    /// The packet is done: its books are whole.
    pub(super) fn settle(&mut self, feed: &RefreshFeed) {
        for (id, stamp) in self.touched.drain(..) {
            self.events.settle(id, stamp);
        }
        if feed.has_hole() != self.has_gap {
            self.has_gap = feed.has_hole();
            self.events.set_gap(self.has_gap);
        }
        let mut status = feed.status();
        for (line, drops) in status.lines.iter_mut().zip(self.kernel_drops) {
            line.kernel_drops = drops;
        }
        self.events.set_status(status);
    }
}

impl Handler for Join {
    fn listed(&mut self, id: InstrumentId, security_id: u64) {
        let number = security_id.to_string();
        let name = self.names.get(&security_id).unwrap_or(&number);
        let ours = self.events.list(name, 0, 2);
        debug_assert_eq!(self.ids.len(), id.0 as usize, "ids are dense");
        self.ids.push(ours);
        self.listed.insert(security_id, ours);
        if let Some(terms) = self.terms.get(&security_id) {
            self.events.terms(ours, terms);
        }
    }

    fn named(&mut self, security_id: u64, name: &str) {
        let is_known = self.names.contains_key(&security_id);
        if is_known || name.is_empty() || self.names.len() == DEFINITIONS_LIMIT {
            return;
        }
        self.names.insert(security_id, name.to_string());
        // Whoever was heard of before its definition came was called by its number.
        if let Some(ours) = self.listed.get(&security_id) {
            self.events.rename(*ours, name);
        }
    }

    fn terms(&mut self, security_id: u64, terms: &Terms) {
        if self.terms.len() == DEFINITIONS_LIMIT && !self.terms.contains_key(&security_id) {
            return;
        }
        let known = self.terms.entry(security_id).or_default();
        *known = known.updated(terms);
        if let Some(ours) = self.listed.get(&security_id) {
            self.events.terms(*ours, known);
        }
    }

    fn event(&mut self, id: InstrumentId, stamp: Stamp, event: &Event) {
        let ours = self.ids[id.0 as usize];
        // A refused event is counted there, and flags its instrument.
        let _counted = self.events.apply_part(ours, stamp, event);
        match self.touched.iter_mut().find(|(id, _)| *id == ours) {
            Some(touched) => touched.1 = stamp,
            None => self.touched.push((ours, stamp)),
        }
    }

    fn integrity(&mut self, id: InstrumentId, integrity: Integrity) {
        self.events.set_flag(self.ids[id.0 as usize], integrity);
    }

    fn restarted(&mut self) {
        self.events.reset();
        self.touched.clear();
    }
}
