//! The steps joined: bytes in, frames out, one packet at a time to completion.
//!
//! [`ItchPipeline`] reads ITCH over MoldUDP64, [`DepthPipeline`] depth feeds in JSON;
//! [`EventPipeline`] takes the events of every other feed, whose translator in
//! [`feed`](crate::feed) owns sequence and recovery; [`FastPipeline`] and its sisters
//! are the two joined. All hand normalised events to the same `Board`,
//! which keeps what is known of every symbol and feeds windows, signals and the publisher.
//!
//! Integrity travels with every frame. It is the worst of three: the symbol's own flag (suspect
//! after a message that could not be applied, until the session ends), the feed's (recovering
//! while a gap is open, since nobody can know whose messages are missing; stale for good once some
//! were lost), and suspect while the book is crossed in continuous trading. Recovering is a state
//! of *now*, not a stain: when a gap was filled, nothing is missing and what follows is ok again.
//!
//! Time: events move the watermark. When the venue is quiet and no gap is open, `tick` lets event
//! time run on at our clock's rate (see [`EventClock`](crate::window::EventClock)); while a gap is
//! open it stands still, so that what the gap hides is not late when it comes.

mod ahead;
mod board;
mod config;
mod dbn;
mod depth;
mod event;
mod itch;
mod itch_books;
mod refresh;
mod rejects;
mod relay;
mod shard;
mod top;
mod wider;

pub use config::{JumpPrice, PipelineConfig};
pub use dbn::DbnPipeline;
pub use depth::{DepthPipeline, TickerCheck};
pub use event::{BookKind, EventPipeline};
pub use itch::ItchPipeline;
pub use itch_books::ItchBooks;
pub use refresh::{FastPipeline, Mdp3Pipeline, SecurityNames};
pub use rejects::{Offender, RejectReason, RejectRing};
pub use relay::{PACKET_LIMIT, RelayPipeline, Sequencer, Store, session_name};
pub use shard::Shard;
