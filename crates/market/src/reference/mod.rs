//! What instruments are, beside what happens to them: tick size, lot, currency, sector.
//!
//! A [`Table`] is built on the control side, sealed, and handed to a lane as one `Arc`: the lane
//! swaps it between two packets and goes on. It finds an instrument's row by symbol once a table and
//! by dense id ever after. The table before stays for events that are older than the new one's
//! start. A lane never frees a table: whoever built it keeps a clone until the lane has let go, so
//! that the memory goes back on the control side.
//!
//! Text that no calculation needs (names, registry numbers) stays with whoever loaded it; a row's
//! `line` leads back to it.

use std::sync::Arc;

use crate::event::{InstrumentId, Price, Qty, Terms};

/// What calculations need to know of an instrument. Plain numbers, copied into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Row {
    /// Smallest price increment; `None`: not known.
    pub tick_size: Option<Price>,
    /// Quantity traded in whole multiples, in the instrument's units; `None`: not known.
    pub lot_size: Option<Qty>,
    /// Quantity below which an order is an odd lot, in the instrument's units; `None`: not known.
    pub round_lot: Option<Qty>,
    /// ISO 4217 code or the venue's own, ASCII, space padded; spaces: not known.
    pub currency: [u8; 4],
    /// A number for the sector, given by whoever built the table; 0: not known.
    pub sector: u16,
    /// Place of the row in what was loaded, from 0.
    pub line: u32,
    /// Which table it comes from: tables of one process are numbered from 1; 0: the feed itself.
    pub revision: u32,
}

impl Row {
    /// What the feed itself says; `None` where it says nothing.
    #[must_use]
    pub fn of_feed(terms: &Terms) -> Option<Self> {
        (*terms != Terms::default()).then(|| Self {
            tick_size: terms.tick_size,
            lot_size: terms.lot_size,
            round_lot: terms.round_lot,
            currency: terms.currency.unwrap_or([b' '; 4]),
            ..Self::default()
        })
    }
}

/// Rows by symbol, sealed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Table {
    revision: u32,
    /// Event time from which it is in force, ns UTC.
    since_ns: u64,
    /// Ascending by padded symbol, as a number.
    rows: Vec<([u8; 16], Row)>,
}

impl Table {
    /// Seals rows by padded symbol. Of two rows of one symbol the later wins. `revision` numbers
    /// the tables of a process from 1; events before `since_ns` keep the table before.
    #[must_use]
    pub fn new(revision: u32, since_ns: u64, mut rows: Vec<([u8; 16], Row)>) -> Self {
        rows.sort_by_key(|(symbol, _)| *symbol);
        rows.reverse();
        rows.dedup_by_key(|(symbol, _)| *symbol);
        rows.reverse();
        for (_, row) in &mut rows {
            row.revision = revision;
        }
        Self {
            revision,
            since_ns,
            rows,
        }
    }

    /// Its number.
    #[must_use]
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// How many symbols have a row.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// One symbol's row, by its padded text. O(log n).
    #[must_use]
    pub fn find(&self, symbol: &[u8; 16]) -> Option<Row> {
        let found = self
            .rows
            .binary_search_by_key(symbol, |(symbol, _)| *symbol);
        found.ok().map(|idx| self.rows[idx].1)
    }
}

/// One instrument's place in the two tables.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    symbol: [u8; 16],
    /// What the feed itself says.
    feed: Option<Row>,
    /// Revision for which `rows` was looked up; 0: none yet.
    revision: u32,
    /// In the table in force, and in the one before.
    rows: [Option<Row>; 2],
}

/// The tables in force in one lane, by dense instrument id.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    current: Arc<Table>,
    previous: Arc<Table>,
    slots: Vec<Slot>,
}

impl Reference {
    /// Empty, with room for instruments numbered below `instruments_limit`.
    #[must_use]
    pub fn new(instruments_limit: usize) -> Self {
        Self {
            slots: Vec::with_capacity(instruments_limit),
            ..Self::default()
        }
    }

    /// Puts a table in force. O(1): rows are looked up when they are first asked for.
    pub fn swap(&mut self, table: Arc<Table>) {
        self.previous = std::mem::replace(&mut self.current, table);
    }

    /// Number of the table in force; 0: none was loaded.
    #[must_use]
    pub fn revision(&self) -> u32 {
        self.current.revision
    }

    /// A new or renamed instrument, with what the feed says of it. True when that allocated.
    pub fn list(&mut self, id: InstrumentId, symbol: [u8; 16], feed: Option<Row>) -> bool {
        let count = id.0 as usize + 1;
        let grows = count > self.slots.capacity();
        if count > self.slots.len() {
            self.slots.resize(count, Slot::default());
        }
        let slot = &mut self.slots[id.0 as usize];
        *slot = Slot {
            symbol,
            feed: feed.or(slot.feed),
            ..Slot::default()
        };
        grows
    }

    /// The row in force at `ts_event`: what the table says, and where it is silent the feed. O(1),
    /// and O(log rows) once an instrument and table.
    #[inline]
    pub fn at(&mut self, id: InstrumentId, ts_event: u64) -> Option<Row> {
        let slot = self.slots.get_mut(id.0 as usize)?;
        if slot.revision != self.current.revision {
            slot.revision = self.current.revision;
            let tables = [&self.current, &self.previous];
            slot.rows = tables.map(|table| table.find(&slot.symbol));
        }
        let is_before = ts_event < self.current.since_ns;
        joined(slot.rows[usize::from(is_before)], slot.feed)
    }
}

/// The table's word before the feed's, field by field.
fn joined(table: Option<Row>, feed: Option<Row>) -> Option<Row> {
    let (Some(table), Some(feed)) = (table, feed) else {
        return table.or(feed);
    };
    let is_silent = table.currency == [b' '; 4] || table.currency == [0; 4];
    Some(Row {
        tick_size: table.tick_size.or(feed.tick_size),
        lot_size: table.lot_size.or(feed.lot_size),
        round_lot: table.round_lot.or(feed.round_lot),
        currency: if is_silent {
            feed.currency
        } else {
            table.currency
        },
        ..table
    })
}

/// A symbol as instruments carry it: ASCII, space padded, cut at 16 bytes.
#[must_use]
pub fn padded(symbol: &str) -> [u8; 16] {
    let mut padded = [b' '; 16];
    let count = symbol.len().min(16);
    padded[..count].copy_from_slice(&symbol.as_bytes()[..count]);
    padded
}

#[cfg(test)]
mod tests;
