//! Market states kept to be searched: what was this moment like, when was it like this before, and
//! what followed.
//!
//! A rolling, append-only store of what the lanes publish as [`MarketState`]: vectors as one byte a
//! component in blocks, the oldest of which leaves when the limit in bytes is reached. A moment is
//! visible from the instant at which it was known, and so is what followed it: nothing in an answer as
//! of an instant was learned after it.

mod block;
mod find;
mod gaps;
mod keep;
mod outcome;
mod shape;
mod store;
#[cfg(test)]
mod tests;

pub use find::{Moment, MomentQuery, Moments, Similar, Unanswered};
pub(crate) use keep::copy as copy_states;
pub use keep::{KeepCounts, Keeper, KeptStates, StateFiles};
pub use outcome::{Spread, spread};
pub use shape::Shape;
pub use store::{MomentCounts, MomentStore};

#[cfg(doc)]
use market::publish::MarketState;
