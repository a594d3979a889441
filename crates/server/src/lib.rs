//! The doors: HTTP, WebSocket, connectors, metrics and the console. The only crate that knows
//! JSON and the only async one on a single machine.

// The doors meet the outside world; below `engine` time arrives as an argument.
#![allow(
    clippy::disallowed_methods,
    reason = "the server times its own requests"
)]

mod app;
pub mod client;
pub mod connect;
pub mod fix_door;
pub mod http;
pub mod json;
pub mod load;
pub mod mcp;
pub mod metrics;
pub mod model;
pub mod out;
pub mod risk;
pub mod seal;
pub mod sources;
pub mod standing;
mod stream;
pub mod verify;

pub use app::{App, Check, Probe};
