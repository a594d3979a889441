//! What the steps of a search cost.

use super::Known;

/// Nanoseconds of one step. Plans compare sums of them, so their ratios matter and not the machine's
/// speed; `cargo xtask bench vector --only filters` prints what each costs where it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// Comparing a row at a slot that is not in cache.
    pub row_ns: f64,
    /// Comparing a row by its sketch.
    pub sketch_ns: f64,
    /// Visiting a vertex: its row, and its neighbours' codes.
    pub visit_ns: f64,
    /// Looking at a point: its payload, through its pointers.
    pub look_ns: f64,
    /// Taking a slot out of an index.
    pub slot_ns: f64,
    /// Making 64 slots of a set ready for a walk.
    pub word_ns: f64,
}

/// Rows that sketches do not rule out: of real texts, so many for each answer and of those that pass.
const READ_PER_ANSWER: f64 = 6.5;
const READ_SHARE: f64 = 0.008;

/// A walk as expected.
pub(super) struct Expected {
    pub ef: usize,
    pub visits: f64,
    pub looks: f64,
}

impl Costs {
    /// Those of rows of `dim` components.
    #[must_use]
    pub fn of_dim(dim: usize) -> Self {
        // Measured on one core with AVX2, 100,000 rows of 384 components; how much of each grows with
        // the dimension is taken from the bytes it reads.
        let dim = dim as f64;
        Self {
            row_ns: 20.0 + 0.065 * dim,
            sketch_ns: 8.0 + 0.05 * dim,
            visit_ns: 180.0 + 1.0 * dim,
            look_ns: 400.0,
            slot_ns: 3.0,
            word_ns: 1.3,
        }
    }

    /// A walk that counts only what passes. Its beam has to hold as many of those as it would of all: a
    /// narrower one finds less (measured where a half and a tenth pass). Of the rows it visits only the
    /// share counts.
    pub(super) fn walk(&self, known: &Known, share: f64) -> Expected {
        let ef = known.ef.max(known.k);
        Expected {
            ef,
            visits: ef as f64 / share,
            looks: 0.0,
        }
    }

    /// A walk that counts everything, wide enough that as many pass.
    pub(super) fn walk_then_check(&self, known: &Known, share: f64) -> Expected {
        let visits = known.ef.max(known.k) as f64 / share;
        let most = usize::try_from(known.rows).unwrap_or(usize::MAX);
        Expected {
            ef: (visits.ceil() as usize).min(most),
            visits,
            looks: (known.k as f64 / share).min(visits),
        }
    }

    /// Comparing all that passes.
    pub(super) fn among_ns(&self, known: &Known) -> f64 {
        let passing = known.passing.likely as f64;
        if !known.has_sketch {
            return passing * self.row_ns;
        }
        let read = passing.min(READ_PER_ANSWER * known.k as f64 + READ_SHARE * passing);
        passing * self.sketch_ns + read * self.row_ns
    }

    /// Making a set over so many rows ready.
    pub(super) fn set_ns(&self, rows: u64) -> f64 {
        rows as f64 / 64.0 * self.word_ns
    }
}
