//! Connectors to venues that speak WebSocket: connect, subscribe, read, fetch or ask for snapshots,
//! reconnect with growing waits.
//!
//! What a connector knows of a venue (addresses, requests, signs of life) is in `venue`; what its
//! messages mean is the pipeline's business.

mod backoff;
mod connector;
mod pressure;
mod rest;
mod status;
mod venue;

pub use backoff::Backoff;
pub use connector::{Settings, run};
pub use status::Status;
pub use venue::Venue;
