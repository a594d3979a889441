//! FAST market data as exchanges of the FIX family send it (the case is MOEX FORTS): increments on
//! lines A and B, whole books on a snapshot line, by the venue's own template file.
//!
//! [`wire::fast11`] makes records of datagrams; the templates' field ids are FIX tags, and what a
//! record means is read from those tags in one place, [`tags`], which FIX tag=value feeds share.
//! Sequence, arbitration and recovery are [`refresh`](super::refresh)'s.
//!
//! Read are `X` (increments: bids, asks, trades, empty books), `W` (snapshots), `f` (states of one
//! instrument), `d` (definitions, on any line) and `4` (sequence reset); other messages only have their number counted. States of
//! whole markets (`h`) are not applied: instruments do not say which market they are of.
//!
//! A datagram that cannot be decoded is dropped with what it held, and the decoder is reset: venues
//! start each datagram with a reset message. Those numbers then come from the other line, or are a
//! hole.

mod channel;
mod fix;
mod layout;
pub mod tags;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use wire::fast11::{Decoder, Limits, Plan};

use super::refresh::{Handler, RefreshConfig};
pub use channel::TagChannel;
pub use fix::{FixFault, FixFeed};
use layout::{FastFields, Layout};
use tags::TagFault;

/// Index of the snapshot line, beside 0 (A) and 1 (B).
pub const LINE_SNAPSHOT: usize = 2;

/// What a FAST feed needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FastConfig {
    /// Sequence, recovery and their limits.
    pub refresh: RefreshConfig,
    /// Limits of one message.
    pub limits: Limits,
    /// Bytes before the first message of a datagram that are not FAST (MOEX: 4 or 0).
    pub preamble_bytes: usize,
    /// How far the venue's clock texts are ahead of UTC, seconds (Moscow in 2013: 14,400).
    pub utc_offset_s: i64,
}

/// Why a datagram, or a part of it, could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FastFault {
    /// Not FAST, or not by these templates.
    #[error("datagram is not FAST by these templates")]
    Decode(#[from] wire::fast11::Error),
    /// A message lacks what its kind needs.
    #[error("FAST message refused")]
    Tag(#[from] TagFault),
    /// Fewer bytes than the preamble.
    #[error("datagram has {have} bytes, fewer than its preamble")]
    Short {
        /// Bytes given.
        have: usize,
    },
}

/// One channel: lines A, B and snapshots.
#[derive(Debug)]
pub struct FastFeed {
    decoders: [Decoder; 3],
    layout: Layout,
    preamble_bytes: usize,
    channel: TagChannel,
}

impl FastFeed {
    /// A feed by these templates; takes its memory.
    #[must_use]
    pub fn new(plan: Arc<Plan>, config: &FastConfig) -> Self {
        let decoder = || Decoder::new(Arc::clone(&plan), config.limits);
        Self {
            decoders: [decoder(), decoder(), decoder()],
            layout: Layout::new(&plan),
            preamble_bytes: config.preamble_bytes,
            channel: TagChannel::new(config.refresh, config.utc_offset_s),
        }
    }

    /// Takes one datagram of a line: 0 (A), 1 (B) or [`LINE_SNAPSHOT`].
    ///
    /// # Errors
    /// When it, or a part of it, could not be used; that is counted, and the feed goes on.
    pub fn packet(
        &mut self,
        line: usize,
        ts_recv: u64,
        bytes: &[u8],
        handler: &mut impl Handler,
    ) -> Result<(), FastFault> {
        let line = line.min(LINE_SNAPSHOT);
        let outcome = self.read(line, ts_recv, bytes, handler);
        let is_malformed = matches!(outcome, Err(FastFault::Decode(_) | FastFault::Short { .. }));
        self.channel.packet(line, ts_recv, is_malformed);
        outcome
    }

    /// Lets time pass: holes are given up, instruments that stay in doubt become stale.
    pub fn tick(&mut self, now_ns: u64, handler: &mut impl Handler) {
        self.channel.tick(now_ns, handler);
    }

    /// The channel's sequence, its instruments and their books.
    #[must_use]
    pub fn channel(&self) -> &TagChannel {
        &self.channel
    }

    fn read(
        &mut self,
        line: usize,
        ts_recv: u64,
        bytes: &[u8],
        handler: &mut impl Handler,
    ) -> Result<(), FastFault> {
        let short = FastFault::Short { have: bytes.len() };
        let mut rest = bytes.get(self.preamble_bytes..).ok_or(short)?;
        let mut outcome = Ok(());
        let decoder = &mut self.decoders[line];
        while !rest.is_empty() {
            let (record, used) = match decoder.decode(rest) {
                Ok(read) => read,
                Err(error) => {
                    decoder.reset();
                    return Err(error.into());
                }
            };
            rest = &rest[used..];
            let fields = FastFields::new(record, &self.layout);
            if let Err(fault) = self.channel.message(line, ts_recv, fields, handler) {
                outcome = Err(fault.into());
            }
        }
        outcome
    }
}
