//! Distances and exact search over borrowed slices.
//!
//! Knows no file, no market and no text. Every kernel adds in one fixed order, so the same vectors
//! give the same bits on every machine: a graph or a ranking built by one replica is the one every
//! replica builds.

pub mod arch;
#[cfg(test)]
mod cases;
mod code;
pub mod flat;
pub mod graph;
pub mod ivf;
mod metric;
pub mod multi;
mod rotate;
pub mod series;
pub mod sparse;
pub mod tail;

pub use flat::{Hit, Scratch, top_k};
pub use metric::{BadVector, DIM_MAX, Metric, ZeroVector, check, normalise};
