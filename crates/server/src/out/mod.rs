//! Ways out that are not HTTP: each reads from an outlet of its own and speaks to one outside part.
//!
//! When that part is gone the outlet meets its policy, `/v1/outlets`, `/metrics` and `/readyz` say so,
//! one line is logged, and everything else goes on.

#[cfg(feature = "arrow")]
pub mod arrow;
pub mod broker;
mod health;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod multicast;
pub mod names;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "nats")]
pub mod nats_alerts;
pub(crate) mod thread;

use health::Health;
pub(crate) use thread::Thread;
