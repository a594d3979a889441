//! Pre-trade risk: may this order be sent?
//!
//! A pure state machine: orders, fills, cancellations, reference prices and time go in, verdicts
//! come out. A check is a handful of integer comparisons in tables that are taken at start; it
//! allocates nothing. Every verdict, every change of the kill switch and of the limits is a record
//! with a number, and a running digest covers all records ever made, so that a copy can be held
//! against it.
//!
//! Checks, in order; the first that fails is the reason:
//!
//! 1. *kill switch*: thrown for all or for the account;
//! 2. *rate*: a bucket of `burst` tokens an account, refilled `rate_per_s` a second; each order
//!    that passes the switch takes one, accepted or not;
//! 3. *size*: quantity above zero and at most `qty_max`;
//! 4. *units*: price a multiple of the instrument's tick and quantity one of its lot, where these are
//!    known: the venue would refuse it;
//! 5. *collar*: price within `collar_bp` of the reference price, which must be there and not older
//!    than `reference_age_ns`;
//! 6. *notional*: price times quantity at most `notional_max`;
//! 7. *position*: if all that is open on its side were filled with it, at most `position_max` long
//!    or short;
//! 8. *gross exposure*: the account's worst positions at their reference prices, summed, at most
//!    `gross_max`.

mod bucket;
mod gate;
mod record;
#[cfg(test)]
mod tests;

pub use gate::{Gate, Limits, Order, RiskError, Units};
pub use record::{Action, Reason, Record};

/// Accounts are numbered densely by whoever runs the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct AccountId(pub u32);
