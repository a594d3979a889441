//! What std might have had, without a domain word: clock, seeded random numbers, histogram, memory
//! hints.
//!
//! Everything here is allocation free after construction unless it says otherwise.

pub mod buckets;
pub mod clock;
pub mod hint;
pub mod histogram;
pub mod rng;

pub use buckets::{BOUNDS_NS, Buckets};
pub use clock::{Clock, ManualClock, SystemClock};
pub use histogram::Histogram;
pub use rng::Rng;
