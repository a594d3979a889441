//! The risk gate behind its door: names to numbers, reference prices from the market, and every
//! record to a file before it is answered.
//!
//! Quantities are kept in 1e-8 of a unit, so that shares and coins have the same limits' scale.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use market::event::{Price, Qty, Side};
use market::publish::Integrity;
use market::risk::{AccountId, Action, Gate, Limits, Order, Record, RiskError, Units};
use node::Node;

use crate::json::risk::{RecordRow, reason_word};

const ACCOUNTS: usize = 64;
const INSTRUMENTS: usize = 16_384;
const RECORDS: usize = 65_536;
/// The verdict without a reason against.
const ALLOWED: &str = "allowed";

/// Limits until others are set: small, so that a forgotten setting stops orders and not losses.
pub const LIMITS: Limits = Limits {
    collar_bp: 500,
    reference_age_ns: 10_000_000_000,
    qty_max: Qty(10_000 * QTY_SCALE),
    notional_max: 1_000_000 * MONEY_SCALE,
    rate_per_s: 100,
    burst: 200,
    position_max: Qty(50_000 * QTY_SCALE),
    gross_max: 10_000_000 * MONEY_SCALE,
};

/// Quantity units in one share or coin.
pub const QTY_SCALE: u64 = 100_000_000;
/// Notional units in one unit of currency.
pub const MONEY_SCALE: i128 = 1_000_000_000 * QTY_SCALE as i128;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// Too many names.
    #[error("{0} are all taken by other names")]
    Full(&'static str),
    /// The caller's mistake.
    #[error(transparent)]
    Risk(#[from] RiskError),
    /// The record could not be kept, so nothing may be sent.
    #[error("the verdict cannot be recorded")]
    Record(#[source] std::io::Error),
}

/// An order in the caller's words.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Whose.
    pub account: &'a str,
    /// Of what.
    pub symbol: &'a str,
    /// `Bid` buys.
    pub side: Side,
    /// Its limit.
    pub price: Price,
    /// How much, in 1e-8 of a unit.
    pub qty: Qty,
}

/// The gate and who stands before it.
pub struct Desk(Mutex<Inner>);

struct Inner {
    gate: Gate,
    accounts: HashMap<String, AccountId>,
    instruments: HashMap<String, u32>,
    names: Names,
    log: Option<File>,
    /// Checks so far by their word.
    verdicts: BTreeMap<&'static str, u64>,
}

/// Names by number, for records.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Of accounts.
    pub accounts: Vec<String>,
    /// Of instruments.
    pub instruments: Vec<String>,
}

impl Default for Desk {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            gate: Gate::new(LIMITS, ACCOUNTS, INSTRUMENTS, RECORDS),
            accounts: HashMap::new(),
            instruments: HashMap::new(),
            names: Names::default(),
            log: None,
            verdicts: BTreeMap::from([(ALLOWED, 0)]),
        }))
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends every record from now on to `path`, as one JSON object a line.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn record_to(&self, path: &Path) -> std::io::Result<()> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        self.lock().log = Some(file);
        Ok(())
    }

    /// Checks an order against the limits and what `node` knows of its market. What is open is
    /// counted from now on if it may be sent.
    ///
    /// # Errors
    /// When there is no place for a name, or the verdict cannot be recorded: do not send it then.
    pub fn check(&self, node: &Node, asked: &Asked<'_>) -> Result<RecordRow, DeskError> {
        let now_ns = node.clock().now_ns();
        let reference = reference_of(node, asked.symbol);
        let units = units_of(node, asked.symbol);
        let mut inner = self.lock();
        let (account, instrument) = inner.places(asked.account, asked.symbol)?;
        if let Some((price, at_ns)) = reference {
            inner.gate.mark(instrument, price, at_ns)?;
        }
        inner.gate.set_units(instrument, units)?;
        let order = Order {
            account,
            instrument,
            side: asked.side,
            price: asked.price,
            qty: asked.qty,
        };
        let record = inner.gate.check(&order, now_ns)?;
        let row = inner.keep(&record)?;
        if let Action::Checked(reason) = record.action {
            let word = reason.map_or(ALLOWED, reason_word);
            *inner.verdicts.entry(word).or_default() += 1;
        }
        Ok(row)
    }

    /// Part of an open order was filled, or is gone.
    ///
    /// # Errors
    /// When more is named than is open.
    pub fn close(
        &self,
        account: &str,
        symbol: &str,
        side: Side,
        qty: Qty,
        is_filled: bool,
    ) -> Result<(i64, u64, u64), DeskError> {
        let mut inner = self.lock();
        let (account, instrument) = inner.places(account, symbol)?;
        let gate = &mut inner.gate;
        if is_filled {
            gate.fill(account, instrument, side, qty)?;
        } else {
            gate.cancel(account, instrument, side, qty)?;
        }
        Ok(gate.holding(account, instrument)?)
    }

    /// Throws or releases the kill switch.
    ///
    /// # Errors
    /// When there is no place for the account, or it cannot be recorded.
    pub fn kill(
        &self,
        on: bool,
        account: Option<&str>,
        at_ns: u64,
    ) -> Result<RecordRow, DeskError> {
        let mut inner = self.lock();
        let account = account.map(|name| inner.account(name)).transpose()?;
        let record = inner.gate.kill(on, account, at_ns)?;
        inner.keep(&record)
    }

    /// Replaces the limits.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn set_limits(&self, limits: Limits, at_ns: u64) -> Result<RecordRow, DeskError> {
        let mut inner = self.lock();
        let record = inner.gate.set_limits(limits, at_ns);
        inner.keep(&record)
    }

    /// Limits, whether all are stopped, and how many records with which digest.
    #[must_use]
    pub fn state(&self) -> (Limits, bool, (u64, u64)) {
        let inner = self.lock();
        (
            *inner.gate.limits(),
            inner.gate.is_killed(),
            inner.gate.digest(),
        )
    }

    /// How often each verdict was given, by its word: `allowed`, or the reason.
    #[must_use]
    pub fn verdicts(&self) -> BTreeMap<&'static str, u64> {
        self.lock().verdicts.clone()
    }

    /// At most `count` records from number `from` on, oldest first.
    #[must_use]
    pub fn records(&self, from: u64, count: usize) -> Vec<RecordRow> {
        let inner = self.lock();
        let records = inner.gate.records(from).take(count);
        records
            .map(|record| RecordRow::new(record, &inner.names))
            .collect()
    }
}

impl Inner {
    fn account(&mut self, name: &str) -> Result<AccountId, DeskError> {
        if let Some(id) = self.accounts.get(name) {
            return Ok(*id);
        }
        if self.accounts.len() == ACCOUNTS {
            return Err(DeskError::Full("accounts"));
        }
        let id = AccountId(self.accounts.len() as u32);
        self.accounts.insert(name.to_owned(), id);
        self.names.accounts.push(name.to_owned());
        Ok(id)
    }

    fn places(&mut self, account: &str, symbol: &str) -> Result<(AccountId, u32), DeskError> {
        let account = self.account(account)?;
        if let Some(id) = self.instruments.get(symbol) {
            return Ok((account, *id));
        }
        if self.instruments.len() == INSTRUMENTS {
            return Err(DeskError::Full("instruments"));
        }
        let id = self.instruments.len() as u32;
        self.instruments.insert(symbol.to_owned(), id);
        self.names.instruments.push(symbol.to_owned());
        Ok((account, id))
    }

    fn keep(&mut self, record: &Record) -> Result<RecordRow, DeskError> {
        let row = RecordRow::new(record, &self.names);
        if let Some(log) = &mut self.log {
            let mut line = serde_json::to_vec(&row)
                .map_err(|e| DeskError::Record(std::io::Error::other(e)))?;
            line.push(b'\n');
            log.write_all(&line).map_err(DeskError::Record)?;
        }
        Ok(row)
    }
}

/// Tick and lot of a symbol, from what was loaded or else from the feed.
fn units_of(node: &Node, symbol: &str) -> Units {
    let terms = node.terms(symbol);
    let view = node.market();
    let decimals = view.symbol(symbol).map_or(0, |s| s.instrument.qty_decimals);
    let unit = 10_u64.checked_pow(decimals.into()).unwrap_or(u64::MAX);
    let lot = |lot: Qty| Qty(lot.0.saturating_mul(QTY_SCALE) / unit);
    Units {
        tick: terms.tick_size,
        lot: terms.lot_size.map(lot),
    }
}

/// The middle of a book that can be trusted, or else the last print; with its receive time.
fn reference_of(node: &Node, symbol: &str) -> Option<(Price, u64)> {
    let view = node.market();
    let found = view.symbol(symbol)?;
    if found.integrity() != Integrity::Ok {
        return None;
    }
    let book = found
        .book
        .filter(|book| book.bid_count > 0 && book.ask_count > 0);
    let middle = book.map(|book| {
        let twice = i128::from(book.bids[0].price.0) + i128::from(book.asks[0].price.0);
        (Price((twice >> 1) as i64), book.stamp.ts_recv)
    });
    middle.or_else(|| found.last.map(|print| (print.price, print.stamp.ts_recv)))
}
