//! From lanes to readers: the one loop that moves published frames into the market view.

mod check;
mod depth;
mod pump;

pub use check::DigestCheck;
pub use depth::DepthLane;
pub use pump::Pump;
