//! Connectors to venues that speak WebSocket.

mod backoff;
pub mod binance;

pub use backoff::Backoff;
