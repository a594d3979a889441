//! Runs market state machines on pinned threads: sockets, lanes, capture files, rings.
//!
//! Bytes come from a [`source::Source`], go through a [`pipeline::Pipeline`] on the one thread of a
//! [`lane::Lane`], and leave as frames through a bounded [`ring`]. The only place with sockets on
//! the hot path; no async, and `unsafe` only around system calls, in one folder. [`doctor`] says
//! whether this machine is fit for it.

pub mod capture;
pub mod doctor;
pub mod glimpse;
pub mod hop;
pub mod lane;
pub mod memory;
pub mod pipeline;
pub mod relay;
pub mod ring;
pub mod source;
pub mod tape;
pub mod udp;

mod sys;
