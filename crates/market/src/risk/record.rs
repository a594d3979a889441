//! What was decided and why, one after the other.

use super::AccountId;
use super::gate::Order;
use crate::event::{Notional, Price};

/// Why an order was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The kill switch is thrown, for all or for the account.
    Killed,
    /// Too many orders in too short a time.
    Rate,
    /// Quantity is zero or above the limit.
    Size,
    /// There is no reference price, or it is too old.
    NoReference,
    /// The price is too far from the reference price.
    Collar,
    /// Price times quantity is above the limit.
    Notional,
    /// The position could grow beyond the limit.
    Position,
    /// The account's positions could together grow beyond the limit.
    Gross,
    /// The price is no multiple of the instrument's tick.
    Tick,
    /// The quantity is no multiple of the instrument's lot.
    Lot,
}

/// What a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An order was checked; `None`: it may be sent.
    Checked(Option<Reason>),
    /// The kill switch was thrown (true) or released; of all accounts where there is none named.
    Kill {
        /// Thrown or released.
        on: bool,
        /// `None`: all.
        account: Option<AccountId>,
    },
    /// Limits were replaced.
    Limits,
}

/// One decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Counts from 1 without a hole.
    pub seq: u64,
    /// When, ns UTC, as it was told.
    pub at_ns: u64,
    /// What.
    pub action: Action,
    /// The order, of a check.
    pub order: Option<Order>,
    /// The reference price that it was held against.
    pub reference: Option<Price>,
    /// The worst position after it, in quantity; signed.
    pub position: i64,
    /// The account's gross exposure with it.
    pub gross: Notional,
    /// Of all records up to this one.
    pub digest: u64,
}

impl Record {
    /// The digest with this record added to `before`: FNV-1a over all fields but the digest.
    pub(super) fn sealed(mut self, before: u64) -> Self {
        let action: [u64; 3] = match self.action {
            Action::Checked(reason) => [1, reason.map_or(0, |reason| reason as u64 + 1), 0],
            Action::Kill { on, account } => {
                let account = account.map_or(u64::MAX, |account| u64::from(account.0));
                [2, u64::from(on), account]
            }
            Action::Limits => [3, 0, 0],
        };
        let order = self.order.map_or([0; 5], |order| {
            [
                u64::from(order.account.0) + 1,
                u64::from(order.instrument),
                order.side as u64,
                order.price.0 as u64,
                order.qty.0,
            ]
        });
        let reference = self.reference.map_or([0, 0], |price| [1, price.0 as u64]);
        let gross = [self.gross as u64, (self.gross >> 64) as u64];
        let words = [self.seq, self.at_ns, self.position as u64];
        let all = words
            .iter()
            .chain(&action)
            .chain(&order)
            .chain(&reference)
            .chain(&gross);
        let bytes = all.flat_map(|word| word.to_le_bytes());
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        self.digest = bytes.fold(before, fold);
        self
    }
}
