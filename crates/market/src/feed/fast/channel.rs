//! Messages by tags to a feed with a refresh line, whatever they were encoded in.

use super::LINE_SNAPSHOT;
use super::tags::{self, MessageKind, TagFault, TagFields, VenueClock};
use crate::feed::refresh::{Change, Entry, Handler, RefreshConfig, RefreshFeed};

/// A second sequence reset within this time is the other line's copy.
const RESET_TWICE_NS: u64 = 5_000_000_000;

/// One channel's messages, read by their FIX tags.
#[derive(Debug)]
pub struct TagChannel {
    feed: RefreshFeed,
    clock: VenueClock,
    entries: Vec<Entry>,
    changes: Vec<Change>,
    reset_at_ns: Option<u64>,
    unread: u64,
}

impl TagChannel {
    /// A channel that has seen nothing; `utc_offset_s` as in [`FastConfig`](super::FastConfig).
    #[must_use]
    pub fn new(config: RefreshConfig, utc_offset_s: i64) -> Self {
        Self {
            entries: Vec::with_capacity(config.message_entries),
            changes: Vec::with_capacity(config.message_entries),
            feed: RefreshFeed::new(config),
            clock: VenueClock::new(utc_offset_s),
            reset_at_ns: None,
            unread: 0,
        }
    }

    /// Takes one message of a line: 0 (A), 1 (B) or [`LINE_SNAPSHOT`].
    ///
    /// # Errors
    /// When it lacks what its kind needs. Its number is counted all the same, where it has one: what
    /// it held is missed by its instruments' own numbers.
    pub fn message(
        &mut self,
        line: usize,
        ts_recv: u64,
        fields: impl TagFields,
        handler: &mut impl Handler,
    ) -> Result<(), TagFault> {
        match tags::kind_of(fields) {
            None => Ok(()),
            Some(MessageKind::Snapshot) => {
                let snapshot = tags::snapshot(fields, &self.clock, &mut self.changes)?;
                self.feed.snapshot(ts_recv, &snapshot, handler);
                Ok(())
            }
            // Numbers of the snapshot line are its own; a reset there is a new round.
            Some(MessageKind::Definition) if line == LINE_SNAPSHOT => define(&fields, handler),
            Some(kind) if line == LINE_SNAPSHOT => {
                self.unread += u64::from(kind == MessageKind::Other);
                Ok(())
            }
            Some(MessageKind::Reset) => {
                let new_seq = tags::reset(fields)?;
                let before = self.reset_at_ns.replace(ts_recv);
                if before.is_none_or(|at_ns| ts_recv.saturating_sub(at_ns) > RESET_TWICE_NS) {
                    self.feed.restart(new_seq, handler);
                }
                Ok(())
            }
            Some(kind) => {
                let seq = tags::seq(fields)?;
                self.entries.clear();
                let outcome = match kind {
                    _ if !self.feed.is_new(seq) => Ok(()),
                    MessageKind::Increment => {
                        tags::increment(fields, &self.clock, &mut self.entries)
                    }
                    MessageKind::State => tags::state(fields, &self.clock, &mut self.entries),
                    MessageKind::Definition => define(&fields, handler),
                    _ => {
                        self.unread += 1;
                        Ok(())
                    }
                };
                self.feed
                    .message(line, seq, ts_recv, &self.entries, handler);
                outcome
            }
        }
    }

    /// Counts a datagram of a line; `is_malformed` where some of it could not be read.
    pub fn packet(&mut self, line: usize, ts_recv: u64, is_malformed: bool) {
        self.feed.packet(line, ts_recv, is_malformed);
    }

    /// Lets time pass: holes are given up, instruments that stay in doubt become stale.
    pub fn tick(&mut self, now_ns: u64, handler: &mut impl Handler) {
        self.feed.tick(now_ns, handler);
    }

    /// The channel's sequence, its instruments and their books.
    #[must_use]
    pub fn refresh(&self) -> &RefreshFeed {
        &self.feed
    }

    /// Messages of kinds that are not read here.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.unread
    }
}

fn define<F: TagFields>(fields: &F, handler: &mut impl Handler) -> Result<(), TagFault> {
    let (security_id, name, terms) = tags::definition(fields)?;
    handler.named(security_id, name);
    handler.terms(security_id, &terms);
    Ok(())
}
