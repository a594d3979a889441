//! Connectors to venues that speak WebSocket.

mod backoff;
pub mod binance;
mod pressure;

pub use backoff::Backoff;
pub use pressure::wait_for_readers;
