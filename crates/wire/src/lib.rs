//! Bytes to protocol messages and back: borrowed views, no allocation, no I/O.
//!
//! A message is looked at where it lies: decoding checks the length and casts, and every getter
//! converts one field when it is asked for. The writers fill the same records, so what a simulated
//! venue sends and what a feed reads cannot drift apart. Nothing here knows a book, a clock or a
//! socket; time and memory belong to the caller.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(test)]
extern crate std;

pub mod binance;
pub mod coinbase;
pub mod dbn;
pub mod fast11;
pub mod fix;
pub mod glimpse;
pub mod iextp;
pub mod itch50;
pub mod itchfile;
pub mod json;
pub mod kraken;
pub mod mdp3;
pub mod moldudp64;
pub mod okx;
pub mod ouzel;
pub mod pcap;
pub mod sbe;
pub mod soupbintcp;
