//! Documents in: feeds that are asked again and again, filings, folders, and subjects of brokers.
//!
//! A source fetches, turns what it got into drafts ([`feed`], [`html`], [`edgar`]: pure), and hands them to an
//! [`Intake`], which knows from what is stored whether a draft is new, another version, or there already. There is no
//! second file: a restart asks again and stores nothing twice. `known_at` is the instant of arrival.

pub mod edgar;
pub mod feed;
mod fetch;
pub mod folder;
pub mod html;
mod intake;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg_attr(
    not(any(feature = "nats", feature = "kafka")),
    allow(dead_code, reason = "no broker is built in")
)]
mod message;
#[cfg(feature = "nats")]
pub mod nats;
mod pace;
mod poll;
mod status;

pub use fetch::{Body, Conditions, Failure, Fetched, Fetcher, Limits};
pub use intake::{Intake, Manner, Took};
pub use pace::Pace;
pub use poll::{FeedSource, Turn, keep};
pub use status::{Counts, Refusal, Status, probe};

#[cfg(test)]
pub(crate) mod stand_in;
#[cfg(test)]
mod tests;
