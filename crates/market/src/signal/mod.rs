//! Facts worth a person's attention, found while events pass.

mod jump;
mod trading;

pub use jump::{JumpConfig, JumpDetector};
pub use trading::TradingWatch;
