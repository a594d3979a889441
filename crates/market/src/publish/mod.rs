//! What leaves the hot path: plain records, newest state per key.

mod frame;
mod publisher;

pub use frame::{
    Bar, BookTop, FeedState, FeedStatus, Frame, Integrity, Level, LineStatus, Signal, SignalKind,
    TOP_LEVELS, TradePrint, Vwap,
};
pub use publisher::{Published, Publisher, Sink};
