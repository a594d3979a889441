//! How a filtered search is done, and what it did.
//!
//! ```text
//! filter --estimate--> cheap to select? --no--> walk, then look at what was found --too few--+
//!                            | yes                                                           |
//!                          select <----------------------------------------------------------+
//!                            | rows that pass, counted
//!              few --> compare them all <--gave up-- walk among them <-- many
//! ```
//!
//! The estimate knows how many pass, not where they lie. A walk towards a query whose neighbours do
//! not pass goes through all of them, so every walk is bounded by what comparing would have cost: the
//! worst is twice the better of both.

mod cost;
mod dense;
mod explain;
mod run;
#[cfg(test)]
mod tests;

use crate::payload::Estimate;

pub use cost::Costs;
pub(crate) use explain::Watch;
pub use explain::{Explain, Part, Step};
pub(crate) use run::passes;
pub use run::{Ask, PlanScratch, Same, Slots, search};

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Select what passes, compare all of it: exact on the rows as the graph has them.
    Among,
    /// Select what passes, walk, counting only that.
    Walk {
        /// The beam.
        ef: usize,
        /// The bound: more would cost more than `Among`.
        max_visits: usize,
    },
    /// Select nothing: walk counting everything, look at what was found, keep what passes.
    WalkThenCheck {
        /// The beam, which is also how many are looked at.
        ef: usize,
    },
}

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Rows in the graph that can be found.
    pub rows: u64,
    /// Of these, how many pass.
    pub passing: Estimate,
    /// Answers asked.
    pub k: usize,
    /// Beam that gives the recall wanted without a filter.
    pub ef: usize,
    /// Whether rows have sketches, by which they are compared first.
    pub has_sketch: bool,
    /// What it takes to select, in slots taken out of an index; nothing when it was done.
    pub select_slots: u64,
}

/// Times the visits that a walk is thought to take, after which what passes must lie elsewhere.
const PATIENCE: f64 = 4.0;

/// The cheapest plan. Pure: the same numbers give the same plan.
#[must_use]
pub fn plan(known: &Known, costs: &Costs) -> Plan {
    let select_ns = known.select_slots as f64 * costs.slot_ns;
    let among_ns = costs.among_ns(known);
    let share = (known.passing.likely as f64 / known.rows.max(1) as f64).clamp(0.0, 1.0);
    let enough = known
        .k
        .min(usize::try_from(known.rows).unwrap_or(usize::MAX));
    if share == 0.0 || known.passing.likely <= enough as u64 {
        return Plan::Among;
    }
    let walk = costs.walk(known, share);
    let walk_ns = walk.visits * costs.visit_ns + costs.set_ns(known.rows);
    let check = costs.walk_then_check(known, share);
    let check_ns = check.visits * costs.visit_ns + check.looks * costs.look_ns;
    if select_ns > 0.0 && check_ns < select_ns + walk_ns.min(among_ns) {
        return Plan::WalkThenCheck { ef: check.ef };
    }
    if among_ns <= walk_ns {
        return Plan::Among;
    }
    Plan::Walk {
        ef: walk.ef,
        max_visits: (among_ns / costs.visit_ns).min(PATIENCE * walk.visits) as usize,
    }
}
