//! Approximate search over lists of rows: the tier of data that is not worth a graph's memory.
//!
//! Rows lie in the list of their nearest centroid. What is read of every row of a probed list is one bit
//! a component, relative to the centroid, with the error that such an estimate can have (Gao and Long,
//! "RaBitQ", SIGMOD 2024); only rows that may still be among the nearest are looked at by a fine code,
//! which lies apart and may stay on disk. At 384 dimensions some 65 bytes a row are in memory.
//!
//! ```text
//! query -> centroids (flat) -> lists: 1 bit a component, in memory -> few rows: 4 to 8 bits, mapped
//! ```
//!
//! An [`Index`] takes rows in and out; lists that grow are split and those that shrink are merged, and
//! rows near the new borders move (Xu et al., "SPFresh", SOSP 2023), so that nothing is ever rebuilt. A
//! [`Segment`] is its bytes, searched where they lie (`docs/formats/ivf.md`). Both are functions of the
//! rows and of how they were cut into calls, at any size of team. Knows no ids but slots, and no file.

mod block;
mod centroids;
mod fine;
mod index;
mod kmeans;
mod search;
mod segment;
mod tuning;
mod upkeep;

pub use index::Index;
pub use search::{Counts, Effort, Found, SearchScratch};
pub use segment::{BadIvf, Segment};
pub use tuning::Tuning;

/// Bits a component that a fine code may have.
pub const WIDTHS: [usize; 3] = [4, 6, 8];

/// Standard deviations by which estimates are trusted unless the caller says otherwise.
pub const SLACK: f32 = 1.9;

/// How an index is built. Fixed for its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Rows that a list is meant to hold. One of more than twice as many is split, one of less than an
    /// eighth that rows were taken from is dissolved into its neighbours. Not 0.
    pub rows_per_list: usize,
    /// Bits a component of the fine codes, one of [`WIDTHS`].
    pub bits: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rows_per_list: 128,
            bits: 8,
        }
    }
}

impl Settings {
    /// Rows that a list holds at most.
    pub(crate) fn most(self) -> usize {
        2 * self.rows_per_list
    }

    /// Rows that a list holds at least, unless it is the only one.
    pub(crate) fn least(self) -> usize {
        self.rows_per_list / 8
    }
}

#[cfg(test)]
mod tests;
