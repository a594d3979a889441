//! The steps joined: bytes in, frames out, one packet at a time to completion.
//!
//! [`ItchPipeline`] reads ITCH over MoldUDP64, [`DepthPipeline`] depth feeds in JSON;
//! [`EventPipeline`] takes the events of every other feed, whose translator in
//! [`feed`](crate::feed) owns sequence and recovery; [`FastPipeline`] and its sisters
//! are the two joined. All hand normalised events to the same `Board`,
//! which keeps what is known of every symbol and feeds windows, signals and the publisher.
//!
//! Integrity travels with every frame. It is the worst of
//!
//! * the symbol's own flag: *suspect* after a message that could not be decoded or applied;
//! * the feed's: *recovering* while a gap is open, since nobody can know whose messages are missing, and
//!   while both lines are silent for longer than a heartbeat: what is shown is right as of before. Where a
//!   gap was filled nothing is missing, and what follows is ok. *Stale* once messages were lost, or when
//!   the feed was joined late: what is shown may be wrong;
//! * *suspect* while the book is crossed in continuous trading.
//!
//! Suspect and stale last until the books are refreshed from a snapshot, or the session ends. A refresh
//! makes books ok at once, and not what looks back: bars and sliding windows that touch the hole stay
//! flagged, since prints in it are missing; signals stay flagged for as long as their detectors
//! remember (`signal_memory_ns`); the last print of each symbol is stale until the next one. The hole
//! itself is told in the stream of prints, by [`Frame::Lost`](crate::publish::Frame::Lost) where it begins and
//! [`Frame::Refreshed`](crate::publish::Frame::Refreshed) where the books are whole again.
//!
//! Time: events move the watermark. When the venue is quiet and no gap is open, `tick` lets event
//! time run on at our clock's rate (see [`EventClock`](crate::window::EventClock)); while a gap is
//! open it stands still, so that what the gap hides is not late when it comes; and it never runs on
//! beyond the last packet that said that nothing is missing, so that a cut of both lines closes no bar.

mod ahead;
mod board;
mod config;
mod dbn;
mod depth;
mod digests;
mod event;
mod iex;
mod itch;
mod itch_books;
mod refresh;
mod rejects;
mod relay;
mod shard;
mod snapshot;
mod top;
mod trade;
mod wider;

pub use config::{JumpPrice, PipelineConfig};
pub use dbn::DbnPipeline;
pub use depth::{DepthCheck, DepthPipeline, DepthVenue, TickerCheck};
pub use event::{BookKind, EventPipeline};
pub use iex::IexPipeline;
pub use itch::ItchPipeline;
pub use itch_books::ItchBooks;
pub use refresh::{FastPipeline, Mdp3Pipeline, SecurityNames};
pub use rejects::{Offender, RejectReason, RejectRing};
pub use relay::{PACKET_LIMIT, RelayPipeline, Sequencer, Store, session_name};
pub use shard::Shard;
pub use snapshot::{Offered, SnapshotConfig};
