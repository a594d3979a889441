//! Published frames from one machine to many: numbered packets out, and books, prints and bars in.
//!
//! [`Sequencer`] numbers what an outlet hands it, packs it into MoldUDP64 packets and keeps the last
//! messages for those who lost some. [`RelayPipeline`] is the other end: two lines arbitrated, holes
//! asked for again, what cannot be had marked. Neither does I/O.

mod receiver;
mod sequencer;
mod store;
#[cfg(test)]
mod tests;

pub use receiver::RelayPipeline;
pub use sequencer::{PACKET_LIMIT, Sequencer, session_name};
pub use store::Store;
