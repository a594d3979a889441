//! Ways out of the node: every published frame goes to any number of bounded outlets.
//!
//! ```text
//!  pump, depth lanes --Node::publish--> market view
//!                          |
//!                          +--> outlet "ws-7"   conflate      --take--> a WebSocket client
//!                          +--> outlet "nats"   drop + mark   --take--> a broker
//!                          +--> outlet "store"  block         --take--> a file
//!                          +--> outlet "kafka"  spill  <--> disk  --take--> a broker
//! ```
//!
//! Whoever publishes hands over a batch and takes each outlet's lock once for it, to copy frames and
//! nothing else; a reader holds that lock only to copy frames out. A reader that is slow, stuck or
//! gone therefore costs memory up to its bound and then meets its [`SlowPolicy`]; it never holds up
//! a lane. UDP cannot be slowed down: waiting for a reader would only move the loss into the kernel.
//! Only an input over TCP may wait, and it waits before it reads more ([`Outlets::is_pressed`]),
//! never while it publishes.
//!
//! A new outlet begins with every instrument, the newest book, print window and feed state of each,
//! so that a late reader starts whole.

mod handle;
mod kind;
mod queue;
mod registry;
mod spill;

pub use handle::Outlet;
pub use kind::{Kind, Kinds};
pub use registry::{FarSide, OutletStatus, OutletTotals, Outlets};
pub use spill::SpillSettings;

pub(crate) use registry::Registry;

/// A frame and the lane that published it.
pub type Laned = (usize, market::publish::Frame);

/// What happens to the frames of a reader that does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlowPolicy {
    /// Books, VWAPs and feed states are replaced by newer ones of the same key; prints, bars and
    /// signals queue up to the capacity, beyond which the newest are dropped and marked.
    Conflate,
    /// Nothing is replaced; at the capacity the oldest frames go, and a mark stands where they were.
    DropWithMark,
    /// At the capacity inputs over TCP stop reading until half of it is free. Inputs that cannot wait
    /// go on, up to twice the capacity; beyond it as `DropWithMark`.
    Block,
    /// Nothing is replaced; once half of the capacity is taken, frames wait on disk, and beyond the
    /// limit there the newest are dropped and marked.
    Spill,
}

impl SlowPolicy {
    /// As shown to people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Conflate => "conflate",
            Self::DropWithMark => "drop-with-mark",
            Self::Block => "block",
            Self::Spill => "spill",
        }
    }
}
