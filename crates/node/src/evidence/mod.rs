//! The market asks by itself: a signal becomes a bundle of evidence, before anybody asks why.
//!
//! ```text
//!  Node::publish --signals--> Triggers (bounded, the oldest go, counted)
//!                                 |
//!                     EvidenceWorker: one thread; answer, past moments, book
//!                                 |
//!                             Bundles (the newest, numbered) --> readers, each at its own place
//! ```
//!
//! Whoever publishes looks for signals in its batch, copies the book of those it finds and takes one lock; it never waits for
//! an answer. All of a bundle is as of the signal's instant: what became known after it is no cause of it. Nothing is
//! added to a bundle later; a move that goes on is told again, and gets a bundle of its own that names the one before
//! (`follows`).

mod bundle;
mod trigger;
mod worker;

pub use bundle::{Bundle, Bundles, EvidenceCounts};
pub use trigger::Trigger;
pub use worker::EvidenceWorker;

pub(crate) use trigger::Triggers;
