//! A simulated venue: order flow calibrated by real sessions, spoken as ITCH 5.0.
//!
//! Everything follows from a seed: messages, planted shocks, the news that causes them and the news
//! that does not. Companies, prices, orders, trades and headlines are all invented and labelled
//! so. Pure state machines: no I/O, no clock, no thread. [`Venue`] speaks, [`Packetiser`] packs, [`Loss`] drops, [`Retransmitter`]
//! answers; the sockets belong to whoever runs them.

mod book;
mod flow;
mod listing;
mod loss;
mod news;
mod opening;
mod pace;
mod packetiser;
mod placement;
mod retransmitter;
mod script;
mod shock;
mod snapshot;
mod venue;

pub use listing::{Listing, Sector, listings};
pub use loss::{Loss, LossConfig};
pub use news::{NewsItem, SOURCE};
pub use packetiser::{PAYLOAD_LIMIT, Packetiser};
pub use retransmitter::{MESSAGE_LIMIT, REQUEST_LIMIT, Refused, Retransmitter};
pub use script::{Script, ScriptConfig, Shock};
pub use venue::{Venue, VenueConfig};
