//! Ways out that are not HTTP: each reads from an outlet of its own and speaks to one outside part.
//!
//! When that part is gone the outlet meets its policy, `/v1/outlets`, `/metrics` and `/readyz` say so,
//! one line is logged, and everything else goes on.

mod health;
pub mod multicast;

use health::Health;
