//! Ways out that are not HTTP: each reads from an outlet of its own and speaks to one outside part.
//!
//! When that part is gone the outlet meets its policy, `/v1/outlets`, `/metrics` and `/readyz` say so,
//! one line is logged, and everything else goes on.

pub mod broker;
mod health;
pub mod multicast;
pub mod names;
#[cfg(feature = "nats")]
pub mod nats;

use health::Health;
