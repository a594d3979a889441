//! The state behind the checks.

use std::collections::VecDeque;

use super::AccountId;
use super::bucket::Bucket;
use super::record::{Action, Reason, Record};
use crate::event::{Notional, Price, Qty, Side};

/// Where the digest begins.
const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// What an account may do, the same for all. Replaceable at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How far a price may be from the reference price, basis points of it.
    pub collar_bp: u32,
    /// How old the reference price may be, ns.
    pub reference_age_ns: u64,
    /// Largest quantity of an order.
    pub qty_max: Qty,
    /// Largest price times quantity of an order.
    pub notional_max: Notional,
    /// Orders a second, sustained.
    pub rate_per_s: u32,
    /// Orders at once.
    pub burst: u32,
    /// Largest position of an account in an instrument, long or short.
    pub position_max: Qty,
    /// Largest sum of an account's positions at their reference prices.
    pub gross_max: Notional,
}

/// What an instrument's orders are multiples of; `None`: not known, and not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Units {
    /// Of the price.
    pub tick: Option<Price>,
    /// Of the quantity.
    pub lot: Option<Qty>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Who.
    pub account: AccountId,
    /// The gate's own dense number of the instrument.
    pub instrument: u32,
    /// `Bid` buys, `Ask` sells.
    pub side: Side,
    /// Its limit.
    pub price: Price,
    /// How much.
    pub qty: Qty,
}

/// An order, fill or price that the gate has no place for: a mistake of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RiskError {
    /// Beyond the tables.
    #[error("account {0} is beyond the gate's accounts; raise accounts_limit and start again")]
    Account(u32),
    /// Beyond the tables.
    #[error("instrument {0} is beyond the gate's instruments; raise instruments_limit")]
    Instrument(u32),
    /// More was filled or cancelled than is open.
    #[error("{asked} filled or cancelled, but only {open} open on that side")]
    NotOpen {
        /// How much.
        asked: u64,
        /// Of how much.
        open: u64,
    },
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    price: Option<Price>,
    at_ns: u64,
}

/// An account in an instrument.
#[derive(Clone, Copy, Debug, Default)]
struct Holding {
    position: i64,
    open_buy: u64,
    open_sell: u64,
    /// Its part of the account's gross exposure.
    exposure: Notional,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    bucket: Bucket,
    gross: Notional,
    is_killed: bool,
}

/// Checks orders and remembers what it answered.
#[derive(Clone, Debug)]
pub struct Gate {
    limits: Limits,
    is_killed: bool,
    accounts: Vec<Account>,
    marks: Vec<Mark>,
    units: Vec<Units>,
    /// One an account and instrument, accounts outermost.
    holdings: Vec<Holding>,
    records: VecDeque<Record>,
    records_limit: usize,
    seq: u64,
    digest: u64,
}

impl Holding {
    /// The position if everything open on one side were filled, the larger of the two.
    fn worst(&self) -> i64 {
        let long = self.position.saturating_add_unsigned(self.open_buy);
        let short = self.position.saturating_sub_unsigned(self.open_sell);
        if long.unsigned_abs() >= short.unsigned_abs() {
            long
        } else {
            short
        }
    }

    fn with(mut self, side: Side, qty: u64) -> Self {
        let open = match side {
            Side::Bid => &mut self.open_buy,
            Side::Ask => &mut self.open_sell,
        };
        *open = open.saturating_add(qty);
        self
    }
}

impl Gate {
    /// Takes all its memory: 64 bytes an account and instrument, and the last `records_limit`
    /// records.
    #[must_use]
    pub fn new(
        limits: Limits,
        accounts_limit: usize,
        instruments_limit: usize,
        records_limit: usize,
    ) -> Self {
        let account = Account {
            bucket: Bucket::new(limits.burst),
            gross: 0,
            is_killed: false,
        };
        Self {
            limits,
            is_killed: false,
            accounts: vec![account; accounts_limit],
            marks: vec![Mark::default(); instruments_limit],
            units: vec![Units::default(); instruments_limit],
            holdings: vec![Holding::default(); accounts_limit * instruments_limit],
            records: VecDeque::with_capacity(records_limit.max(1)),
            records_limit: records_limit.max(1),
            seq: 0,
            digest: SEED,
        }
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Replaces the limits; what is open stays open.
    pub fn set_limits(&mut self, limits: Limits, at_ns: u64) -> Record {
        self.limits = limits;
        self.record(at_ns, Action::Limits, None, None, (0, 0))
    }

    /// Throws or releases the kill switch, of one account or of all.
    ///
    /// # Errors
    /// [`RiskError::Account`].
    pub fn kill(
        &mut self,
        on: bool,
        account: Option<AccountId>,
        at_ns: u64,
    ) -> Result<Record, RiskError> {
        match account {
            None => self.is_killed = on,
            Some(account) => self.account_mut(account)?.is_killed = on,
        }
        Ok(self.record(at_ns, Action::Kill { on, account }, None, None, (0, 0)))
    }

    /// Whether the switch is thrown for all.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.is_killed
    }

    /// A newer reference price; it values positions at their next change.
    ///
    /// # Errors
    /// [`RiskError::Instrument`].
    pub fn mark(&mut self, instrument: u32, price: Price, at_ns: u64) -> Result<(), RiskError> {
        let mark = self
            .marks
            .get_mut(instrument as usize)
            .ok_or(RiskError::Instrument(instrument))?;
        *mark = Mark {
            price: Some(price),
            at_ns,
        };
        Ok(())
    }

    /// What orders of an instrument are multiples of, from now on.
    ///
    /// # Errors
    /// [`RiskError::Instrument`].
    pub fn set_units(&mut self, instrument: u32, units: Units) -> Result<(), RiskError> {
        let known = self.units.get_mut(instrument as usize);
        *known.ok_or(RiskError::Instrument(instrument))? = units;
        Ok(())
    }

    /// Checks an order at `now_ns`. One that may be sent is open from now on: tell its end by
    /// [`Gate::fill`] and [`Gate::cancel`].
    ///
    /// # Errors
    /// When account or instrument are beyond the tables; nothing is recorded then.
    pub fn check(&mut self, order: &Order, now_ns: u64) -> Result<Record, RiskError> {
        let place = self.place(order.account, order.instrument)?;
        let mark = self.marks[order.instrument as usize];
        let is_fresh = now_ns.saturating_sub(mark.at_ns) <= self.limits.reference_age_ns;
        let reference = mark.price.filter(|_| is_fresh);
        let before = self.holdings[place];
        let mut after = before.with(order.side, order.qty.0);
        let value = reference.map_or(0, |price| price.0.unsigned_abs());
        after.exposure = exposure(&after, value);
        let account = &mut self.accounts[order.account.0 as usize];
        let gross = account.gross - before.exposure + after.exposure;
        let reason = if self.is_killed || account.is_killed {
            Some(Reason::Killed)
        } else if !account
            .bucket
            .take(now_ns, self.limits.rate_per_s, self.limits.burst)
        {
            Some(Reason::Rate)
        } else {
            let units = self.units[order.instrument as usize];
            self.limits.reason(order, units, reference, &after, gross)
        };
        if reason.is_none() {
            self.holdings[place] = after;
            self.accounts[order.account.0 as usize].gross = gross;
        }
        let seen = (after.worst(), gross);
        Ok(self.record(
            now_ns,
            Action::Checked(reason),
            Some(*order),
            reference,
            seen,
        ))
    }

    /// Part or all of an open order was filled.
    ///
    /// # Errors
    /// When more is filled than is open on that side, or beyond the tables.
    pub fn fill(
        &mut self,
        account: AccountId,
        instrument: u32,
        side: Side,
        qty: Qty,
    ) -> Result<(), RiskError> {
        self.close(account, instrument, side, qty, true)
    }

    /// Part or all of an open order is gone.
    ///
    /// # Errors
    /// As [`Gate::fill`].
    pub fn cancel(
        &mut self,
        account: AccountId,
        instrument: u32,
        side: Side,
        qty: Qty,
    ) -> Result<(), RiskError> {
        self.close(account, instrument, side, qty, false)
    }

    /// An account's position in an instrument, and what it has open to buy and to sell.
    ///
    /// # Errors
    /// Beyond the tables.
    pub fn holding(
        &self,
        account: AccountId,
        instrument: u32,
    ) -> Result<(i64, u64, u64), RiskError> {
        let holding = self.holdings[self.place(account, instrument)?];
        Ok((holding.position, holding.open_buy, holding.open_sell))
    }

    /// Records from number `from` on that are still kept, oldest first.
    pub fn records(&self, from: u64) -> impl DoubleEndedIterator<Item = &Record> {
        let first = self.seq + 1 - self.records.len() as u64;
        let skip = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        self.records.range(skip.min(self.records.len())..)
    }

    /// How many records were made, and the digest over all of them.
    #[must_use]
    pub fn digest(&self) -> (u64, u64) {
        (self.seq, self.digest)
    }

    fn close(
        &mut self,
        account: AccountId,
        instrument: u32,
        side: Side,
        qty: Qty,
        is_filled: bool,
    ) -> Result<(), RiskError> {
        let place = self.place(account, instrument)?;
        let holding = &mut self.holdings[place];
        let open = match side {
            Side::Bid => &mut holding.open_buy,
            Side::Ask => &mut holding.open_sell,
        };
        let not_open = RiskError::NotOpen {
            asked: qty.0,
            open: *open,
        };
        *open = open.checked_sub(qty.0).ok_or(not_open)?;
        if is_filled {
            holding.position = match side {
                Side::Bid => holding.position.saturating_add_unsigned(qty.0),
                Side::Ask => holding.position.saturating_sub_unsigned(qty.0),
            };
        }
        let mark = self.marks[instrument as usize].price;
        let before = holding.exposure;
        holding.exposure = exposure(holding, mark.map_or(0, |price| price.0.unsigned_abs()));
        let change = holding.exposure - before;
        self.account_mut(account)?.gross += change;
        Ok(())
    }

    fn place(&self, account: AccountId, instrument: u32) -> Result<usize, RiskError> {
        let (row, column) = (account.0 as usize, instrument as usize);
        if row >= self.accounts.len() {
            return Err(RiskError::Account(account.0));
        }
        if column >= self.marks.len() {
            return Err(RiskError::Instrument(instrument));
        }
        Ok(row * self.marks.len() + column)
    }

    fn account_mut(&mut self, account: AccountId) -> Result<&mut Account, RiskError> {
        let found = self.accounts.get_mut(account.0 as usize);
        found.ok_or(RiskError::Account(account.0))
    }

    fn record(
        &mut self,
        at_ns: u64,
        action: Action,
        order: Option<Order>,
        reference: Option<Price>,
        (position, gross): (i64, Notional),
    ) -> Record {
        self.seq += 1;
        let record = Record {
            seq: self.seq,
            at_ns,
            action,
            order,
            reference,
            position,
            gross,
            digest: 0,
        };
        let record = record.sealed(self.digest);
        self.digest = record.digest;
        if self.records.len() == self.records_limit {
            self.records.pop_front();
        }
        self.records.push_back(record);
        record
    }
}

impl Limits {
    /// The first of the checks behind switch and rate that fails.
    fn reason(
        &self,
        order: &Order,
        units: Units,
        reference: Option<Price>,
        after: &Holding,
        gross: Notional,
    ) -> Option<Reason> {
        if order.qty.0 == 0 || order.qty > self.qty_max {
            return Some(Reason::Size);
        }
        if let Some(reason) = units.reason(order) {
            return Some(reason);
        }
        let Some(reference) = reference else {
            return Some(Reason::NoReference);
        };
        let away = i128::from(order.price.0) - i128::from(reference.0);
        let allowed = i128::from(reference.0).abs() * i128::from(self.collar_bp);
        if away.abs() * 10_000 > allowed {
            return Some(Reason::Collar);
        }
        if order.price.times(order.qty).abs() > self.notional_max {
            return Some(Reason::Notional);
        }
        if after.worst().unsigned_abs() > self.position_max.0 {
            return Some(Reason::Position);
        }
        (gross > self.gross_max).then_some(Reason::Gross)
    }
}

impl Units {
    fn reason(&self, order: &Order) -> Option<Reason> {
        let tick = self.tick.filter(|tick| tick.0 > 0);
        if tick.is_some_and(|tick| order.price.0 % tick.0 != 0) {
            return Some(Reason::Tick);
        }
        let lot = self.lot.filter(|lot| lot.0 > 0);
        let is_odd = lot.is_some_and(|lot| !order.qty.0.is_multiple_of(lot.0));
        is_odd.then_some(Reason::Lot)
    }
}

fn exposure(holding: &Holding, price: u64) -> Notional {
    i128::from(holding.worst().unsigned_abs()) * i128::from(price)
}
