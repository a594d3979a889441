//! Facts worth a person's attention, found while events pass.

mod jump;
mod rule;
mod trading;

pub use jump::{JumpConfig, JumpDetector};
pub use rule::{FIELDS, PRESETS, RuleConfig, RuleError, Rules, fields_text};
pub use trading::TradingWatch;
