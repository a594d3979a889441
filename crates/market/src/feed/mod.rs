//! Packets and texts to ordered, normalised events. The only place that knows `wire`.
//!
//! Nothing here sends or receives: a feed takes bytes and our time, gives events and notes to its
//! handler, and holds requests (retransmit, snapshot) as values until someone asks for them.

pub mod binance;
pub mod dbn;
pub mod fast;
pub mod itch;
pub mod mdp3;
pub mod mold;
pub mod ouzel;
pub mod refresh;
