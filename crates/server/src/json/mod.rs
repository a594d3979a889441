//! JSON shapes of the border, converted by hand from inner types (docs/api.md).

pub mod answer;
pub mod document;
pub mod market;
mod time;

pub use time::{Instant, parse_instant};
