//! Prints and bars as Arrow columns: over HTTP, by Flight, and in Parquet files.

pub mod flight;
pub mod parquet;
mod query;
mod table;

pub use query::{Batches, Query};
pub use table::{Rows, Table, Whose};
