//! The few system calls that std does not offer, each behind a safe function.
//!
//! All `unsafe` of this crate is in this folder. Linux is served in full; elsewhere the crate does
//! not build, because kernel receive stamps and drop counters have no portable form.
#![allow(unsafe_code, reason = "system calls; every block states why it holds")]

pub mod bpf;
pub mod datagram;
pub mod heap;
pub mod interface;
pub mod map;
pub mod receive;
pub mod region;
pub mod send;
pub mod socket;
pub mod thread;
pub mod uring;
pub mod xdp;
