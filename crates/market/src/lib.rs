//! Messages to facts. Pure state machines: no I/O, no clock, no allocation per event after start.
//!
//! Data moves one way: [`feed`] turns packets into ordered events, [`book`] keeps the resting
//! orders, [`window`] and [`signal`] summarise, [`publish`] keeps the newest state per key for
//! whoever reads; [`reference`] says what instruments are and [`risk`] what an order may be;
//! [`pipeline`] joins the steps. Only `feed` knows `wire`. Nothing here knows
//! files, sockets or vectors.
#![forbid(unsafe_code)]

pub mod book;
pub mod event;
pub mod feed;
pub mod pipeline;
pub mod publish;
pub mod reference;
pub mod risk;
pub mod signal;
pub mod window;
