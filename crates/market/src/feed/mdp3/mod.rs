//! CME MDP 3.0: packets on lines A and B, snapshot loops, books by price level or by order.
//!
//! [`wire::mdp3`] takes packets apart, [`wire::sbe`] reads their messages by the venue's schema, and
//! sequence, arbitration and recovery are [`refresh`](super::refresh)'s: the channel sequence is the
//! packet's, instruments have RptSeq in books by price, and none in books by order.
//!
//! Read are the messages 46 (book), 47 (orders), 48 (trades), 30 (states), 4 (channel reset) on the
//! lines, 52 and 53 (whole books, the latter in chunks) on the snapshot line, 54 and 55 (names)
//! wherever they come. Implied levels (`E`, `F`) are not part of the book: they are another book of
//! the venue's. A changed order leaves the book and joins it again, so that its place in time among
//! the orders of its price is the venue's only where a change costs it. States without an instrument
//! (of a whole group) are not applied. Trades that come while an instrument waits for a snapshot are
//! not given out.

mod layout;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use wire::mdp3::Packet;
use wire::sbe::{Block, Message, Schema};

use super::refresh::{Action, Change, Entry, Handler, Rank, RefreshConfig, RefreshFeed, Snapshot};
use crate::event::{Event, OrderId, Price, Qty, Side, Terms, TradingState};
pub use layout::LayoutFault;
use layout::{Layout, Orders};

/// Index of the snapshot line, beside 0 (A) and 1 (B).
pub const LINE_SNAPSHOT: usize = 2;

/// Which of the venue's books is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mdp3Books {
    /// Price levels by rank: messages 46 and 52.
    #[default]
    ByPrice,
    /// Orders: messages 46 (its order entries), 47 and 53.
    ByOrder,
}

/// What an MDP feed needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Mdp3Config {
    /// Sequence, recovery and their limits.
    pub refresh: RefreshConfig,
    /// Which book is kept.
    pub books: Mdp3Books,
}

/// Why a packet, or a part of it, could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mdp3Fault {
    /// Not a packet, or cut.
    #[error("not a whole MDP packet")]
    Packet(#[from] wire::mdp3::Error),
    /// A message that is none of the schema's. Messages that the schema does not have are counted
    /// as unread instead.
    #[error("MDP message cannot be read by this schema")]
    Message(#[from] wire::sbe::Error),
    /// A field is null, or out of range, where it must not be.
    #[error("MDP message lacks a field that its kind needs, or has it out of range")]
    Field,
}

/// One channel: lines A, B and snapshots.
#[derive(Debug)]
pub struct Mdp3Feed {
    schema: Arc<Schema>,
    reader: Reader,
    feed: RefreshFeed,
}

/// What reads messages; apart from the books, which messages change.
#[derive(Debug)]
struct Reader {
    layout: Layout,
    books: Mdp3Books,
    entries: Vec<Entry>,
    changes: Vec<Change>,
    /// Chunks of a snapshot by order: the instrument, its last sequence and the next chunk.
    chunk: Option<(u64, u64, u64)>,
    chunk_limit: usize,
    unread: u64,
}

impl Mdp3Feed {
    /// A feed by this schema; takes its memory.
    ///
    /// # Errors
    /// When the schema lacks a message or field that is read here.
    pub fn new(schema: Arc<Schema>, config: &Mdp3Config) -> Result<Self, LayoutFault> {
        Ok(Self {
            reader: Reader {
                layout: Layout::new(&schema)?,
                books: config.books,
                entries: Vec::with_capacity(config.refresh.message_entries),
                changes: Vec::with_capacity(config.refresh.message_entries),
                chunk: None,
                chunk_limit: config.refresh.waiting_entries,
                unread: 0,
            },
            schema,
            feed: RefreshFeed::new(config.refresh),
        })
    }

    /// Takes one packet of a line: 0 (A), 1 (B) or [`LINE_SNAPSHOT`]; definitions may come by any.
    ///
    /// # Errors
    /// When it, or a part of it, could not be used; that is counted, and the feed goes on. A
    /// packet's number counts even when a message in it cannot be read.
    pub fn packet(
        &mut self,
        line: usize,
        ts_recv: u64,
        bytes: &[u8],
        handler: &mut impl Handler,
    ) -> Result<(), Mdp3Fault> {
        let packet = Packet::parse(bytes);
        self.feed.packet(line, ts_recv, packet.is_err());
        let packet = packet?;
        let seq = u64::from(packet.seq());
        let is_line = line < LINE_SNAPSHOT;
        self.reader.entries.clear();
        let mut outcome = Ok(());
        if !is_line || self.feed.is_new(seq) {
            for bytes in packet.messages() {
                let step = bytes
                    .map_err(Mdp3Fault::from)
                    .and_then(|bytes| self.message(is_line, ts_recv, bytes, handler));
                outcome = outcome.and(step);
            }
        }
        if is_line {
            let entries = &self.reader.entries;
            self.feed.message(line, seq, ts_recv, entries, handler);
        }
        outcome
    }

    /// Lets time pass: holes are given up, instruments that stay in doubt become stale.
    pub fn tick(&mut self, now_ns: u64, handler: &mut impl Handler) {
        self.feed.tick(now_ns, handler);
    }

    /// The channel's sequence, its instruments and their books by price.
    #[must_use]
    pub fn refresh(&self) -> &RefreshFeed {
        &self.feed
    }

    /// Messages of kinds that are not read here.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.reader.unread
    }

    fn message(
        &mut self,
        is_line: bool,
        ts_recv: u64,
        bytes: &[u8],
        handler: &mut impl Handler,
    ) -> Result<(), Mdp3Fault> {
        let message = match self.schema.parse(bytes) {
            Err(wire::sbe::Error::Template { .. }) => {
                self.reader.unread += 1;
                return Ok(());
            }
            parsed => parsed?,
        };
        match (message.template_id(), self.reader.books) {
            (46, Mdp3Books::ByPrice) if is_line => self.reader.book(&message),
            (46, Mdp3Books::ByOrder) if is_line => self.reader.orders_of_levels(&message),
            (47, Mdp3Books::ByOrder) if is_line => self.reader.orders(&message),
            (48, _) if is_line => self.reader.trades(&message),
            (30, _) if is_line => self.reader.state(&message),
            (4, _) if is_line => {
                let ts_event = message.root().u64(self.reader.layout.reset_time);
                self.reader.entries.push(Entry {
                    security_id: 0,
                    rpt_seq: None,
                    ts_event: ts_event.unwrap_or(0),
                    change: Change::Void,
                });
                Ok(())
            }
            (52, Mdp3Books::ByPrice) if !is_line => {
                let snapshot = self.reader.whole_levels(&message)?;
                self.feed.snapshot(ts_recv, &snapshot, handler);
                Ok(())
            }
            (53, Mdp3Books::ByOrder) if !is_line => {
                if let Some(snapshot) = self.reader.whole_orders(&message)? {
                    self.feed.snapshot(ts_recv, &snapshot, handler);
                }
                Ok(())
            }
            (54 | 55, _) => {
                let at = if message.template_id() == 54 { 0 } else { 1 };
                let (root, slots) = (message.root(), &self.reader.layout.definitions[at]);
                let security_id = root.u64(slots.security_id).ok_or(Mdp3Fault::Field)?;
                let name = root.text(slots.symbol).unwrap_or_default();
                handler.named(security_id, std::str::from_utf8(name).unwrap_or_default());
                handler.terms(security_id, &terms_of(&root, slots));
                Ok(())
            }
            (12, _) => Ok(()),
            _ => {
                self.reader.unread += 1;
                Ok(())
            }
        }
    }
}

impl Reader {
    /// 46: levels by rank.
    fn book(&mut self, message: &Message<'_>) -> Result<(), Mdp3Fault> {
        let (root, slots) = (message.root(), &self.layout.book);
        let ts_event = root.u64(slots.time).ok_or(Mdp3Fault::Field)?;
        for entry in root.group(slots.entries) {
            let change = match entry.u64(slots.kind).map(|kind| kind as u8) {
                Some(b'0') => level(&entry, slots, Side::Bid)?,
                Some(b'1') => level(&entry, slots, Side::Ask)?,
                Some(b'J') => Change::Event(Event::Clear),
                _ => Change::Nothing,
            };
            self.entries.push(Entry {
                security_id: entry.u64(slots.security_id).ok_or(Mdp3Fault::Field)?,
                rpt_seq: entry.u64(slots.rpt_seq),
                ts_event,
                change,
            });
        }
        Ok(())
    }

    /// 46: the orders behind the levels, each of which says its level by its place in the message.
    fn orders_of_levels(&mut self, message: &Message<'_>) -> Result<(), Mdp3Fault> {
        let (root, slots) = (message.root(), self.layout.book);
        let ts_event = root.u64(slots.time).ok_or(Mdp3Fault::Field)?;
        for order in root.group(slots.orders) {
            let reference = order.u64(slots.reference).ok_or(Mdp3Fault::Field)? as usize;
            let levels = root.group(slots.entries).nth(reference.wrapping_sub(1));
            let level = levels.ok_or(Mdp3Fault::Field)?;
            let Some(side) = side_of(level.u64(slots.kind)) else {
                continue;
            };
            let of = OrderEntry {
                security_id: level.u64(slots.security_id).ok_or(Mdp3Fault::Field)?,
                ts_event,
                action: order.u64(slots.order_action).ok_or(Mdp3Fault::Field)?,
                order_id: order.u64(slots.order_id).ok_or(Mdp3Fault::Field)?,
                side,
                price: price(&level, slots.price),
                qty: qty(&order, slots.order_qty),
            };
            self.order(of)?;
        }
        Ok(())
    }

    /// 47: orders by themselves.
    fn orders(&mut self, message: &Message<'_>) -> Result<(), Mdp3Fault> {
        let (root, slots) = (message.root(), self.layout.orders);
        let ts_event = root.u64(slots.time).ok_or(Mdp3Fault::Field)?;
        for entry in root.group(slots.entries) {
            let Some(side) = side_of(entry.u64(slots.kind)) else {
                continue;
            };
            let Orders { order, .. } = slots;
            let of = OrderEntry {
                security_id: entry.u64(slots.security_id).ok_or(Mdp3Fault::Field)?,
                ts_event,
                action: entry.u64(slots.action).ok_or(Mdp3Fault::Field)?,
                order_id: entry.u64(order.id).ok_or(Mdp3Fault::Field)?,
                side,
                price: price(&entry, order.price),
                qty: qty(&entry, order.qty),
            };
            self.order(of)?;
        }
        Ok(())
    }

    fn order(&mut self, of: OrderEntry) -> Result<(), Mdp3Fault> {
        let order_id = OrderId(of.order_id);
        let mut push = |event| {
            self.entries.push(Entry {
                security_id: of.security_id,
                rpt_seq: None,
                ts_event: of.ts_event,
                change: Change::Event(event),
            });
        };
        if of.action != 0 {
            push(Event::Delete { order_id });
        }
        if of.action < 2 {
            push(Event::Add {
                order_id,
                side: of.side,
                price: of.price.ok_or(Mdp3Fault::Field)?,
                qty: of.qty.ok_or(Mdp3Fault::Field)?,
            });
        }
        Ok(())
    }

    /// 48: trades, amended and cancelled ones too.
    fn trades(&mut self, message: &Message<'_>) -> Result<(), Mdp3Fault> {
        let (root, slots) = (message.root(), &self.layout.trades);
        let ts_event = root.u64(slots.time).ok_or(Mdp3Fault::Field)?;
        for entry in root.group(slots.entries) {
            let rpt_seq = entry.u64(slots.rpt_seq);
            let match_id = entry.u64(slots.trade_id).or(rpt_seq).unwrap_or(0);
            let price = price(&entry, slots.price).ok_or(Mdp3Fault::Field)?;
            let qty = qty(&entry, slots.size).ok_or(Mdp3Fault::Field)?;
            let event = match entry.u64(slots.action) {
                Some(1) => Event::Correction {
                    match_id,
                    price,
                    qty,
                },
                Some(2) => Event::Bust { match_id },
                _ => Event::Trade {
                    aggressor: match entry.u64(slots.aggressor) {
                        Some(1) => Some(Side::Bid),
                        Some(2) => Some(Side::Ask),
                        _ => None,
                    },
                    price,
                    qty,
                    match_id,
                },
            };
            let is_by_price = self.books == Mdp3Books::ByPrice;
            self.entries.push(Entry {
                security_id: entry.u64(slots.security_id).ok_or(Mdp3Fault::Field)?,
                rpt_seq: rpt_seq.filter(|_| is_by_price),
                ts_event,
                change: Change::Event(event),
            });
        }
        Ok(())
    }

    /// 30: the state of one instrument.
    fn state(&mut self, message: &Message<'_>) -> Result<(), Mdp3Fault> {
        let (root, slots) = (message.root(), &self.layout.state);
        let (Some(security_id), Some(status)) =
            (root.u64(slots.security_id), root.u64(slots.status))
        else {
            self.unread += 1;
            return Ok(());
        };
        let state = match status {
            17 => TradingState::Trading,
            2 | 4 | 18 | 26 => TradingState::Halted,
            15 | 21 | 24 | 25 => TradingState::QuotationOnly,
            103 => return Ok(()),
            _ => TradingState::Unknown,
        };
        let digit = |place: u64| b'0' + (status / place % 10) as u8;
        self.entries.push(Entry {
            security_id,
            rpt_seq: None,
            ts_event: root.u64(slots.time).ok_or(Mdp3Fault::Field)?,
            change: Change::Event(Event::State {
                state,
                reason: [digit(100), digit(10), digit(1), b' '],
            }),
        });
        Ok(())
    }

    /// 52: a whole book by price.
    fn whole_levels(&mut self, message: &Message<'_>) -> Result<Snapshot<'_>, Mdp3Fault> {
        let (root, slots) = (message.root(), &self.layout.levels);
        self.changes.clear();
        for entry in root.group(slots.entries) {
            let Some(side) = side_of(entry.u64(slots.kind)) else {
                continue;
            };
            let rank = entry
                .u64(slots.rank)
                .and_then(|rank| Rank::try_from(rank).ok());
            self.changes.push(Change::Rank {
                action: Action::New,
                side,
                rank: rank.ok_or(Mdp3Fault::Field)?,
                price: price(&entry, slots.price).ok_or(Mdp3Fault::Field)?,
                qty: qty(&entry, slots.size).ok_or(Mdp3Fault::Field)?,
            });
        }
        Ok(Snapshot {
            security_id: root.u64(slots.security_id).ok_or(Mdp3Fault::Field)?,
            rpt_seq: root.u64(slots.rpt_seq),
            last_seq: root.u64(slots.last_seq).ok_or(Mdp3Fault::Field)?,
            ts_event: root.u64(slots.time).unwrap_or(0),
            depth: None,
            changes: &self.changes,
        })
    }

    /// 53: a chunk of a whole book by order; the book once its last chunk is there. A chunk that is
    /// missing costs the round.
    fn whole_orders(&mut self, message: &Message<'_>) -> Result<Option<Snapshot<'_>>, Mdp3Fault> {
        let (root, slots) = (message.root(), self.layout.whole);
        let number = |slot| root.u64(slot).ok_or(Mdp3Fault::Field);
        let (security_id, last_seq) = (number(slots.security_id)?, number(slots.last_seq)?);
        let (chunks, current) = (number(slots.chunks)?, number(slots.chunk)?);
        if current == 1 {
            self.changes.clear();
            self.chunk = Some((security_id, last_seq, 1));
        }
        if self.chunk != Some((security_id, last_seq, current)) {
            self.chunk = None;
            return Ok(None);
        }
        for entry in root.group(slots.entries) {
            let Some(side) = side_of(entry.u64(slots.kind)) else {
                continue;
            };
            if self.changes.len() >= self.chunk_limit {
                self.chunk = None;
                return Err(Mdp3Fault::Field);
            }
            self.changes.push(Change::Event(Event::Add {
                order_id: OrderId(entry.u64(slots.order.id).ok_or(Mdp3Fault::Field)?),
                side,
                price: price(&entry, slots.order.price).ok_or(Mdp3Fault::Field)?,
                qty: qty(&entry, slots.order.qty).ok_or(Mdp3Fault::Field)?,
            }));
        }
        self.chunk = (current < chunks).then_some((security_id, last_seq, current + 1));
        Ok((current >= chunks).then(|| Snapshot {
            security_id,
            rpt_seq: None,
            last_seq,
            ts_event: root.u64(slots.time).unwrap_or(0),
            depth: None,
            changes: &self.changes,
        }))
    }
}

/// What an order entry says.
struct OrderEntry {
    security_id: u64,
    ts_event: u64,
    /// 0 new, 1 changed, 2 gone.
    action: u64,
    order_id: u64,
    side: Side,
    price: Option<Price>,
    qty: Option<Qty>,
}

fn level(entry: &Block<'_>, slots: &layout::Book, side: Side) -> Result<Change, Mdp3Fault> {
    let action = match entry.u64(slots.action).ok_or(Mdp3Fault::Field)? {
        0 => Action::New,
        1 => Action::Change,
        2 => Action::Delete,
        3 => Action::DeleteThru,
        4 => Action::DeleteFrom,
        5 => Action::Overlay,
        _ => return Err(Mdp3Fault::Field),
    };
    let rank = entry
        .u64(slots.rank)
        .and_then(|rank| Rank::try_from(rank).ok());
    let is_put = matches!(action, Action::New | Action::Change | Action::Overlay);
    let (price, qty) = match (price(entry, slots.price), qty(entry, slots.size)) {
        (Some(price), Some(qty)) => (price, qty),
        _ if is_put => return Err(Mdp3Fault::Field),
        _ => (Price(0), Qty(0)),
    };
    Ok(Change::Rank {
        action,
        side,
        rank: rank.ok_or(Mdp3Fault::Field)?,
        price,
        qty,
    })
}

/// Bids and offers; implied ones and statistics are neither.
fn side_of(kind: Option<u64>) -> Option<Side> {
    match kind.map(|kind| kind as u8) {
        Some(b'0') => Some(Side::Bid),
        Some(b'1') => Some(Side::Ask),
        _ => None,
    }
}

/// A composite of mantissa and exponent, exactly in 1e-9.
fn price(entry: &Block<'_>, slot: wire::sbe::Slot) -> Option<Price> {
    let (mantissa, exponent) = entry.decimal(slot)?;
    let shift = u32::try_from(exponent.checked_add(9)?).ok()?;
    Some(Price(mantissa.checked_mul(10_i64.checked_pow(shift)?)?))
}

fn terms_of(root: &Block<'_>, slots: &layout::Definition) -> Terms {
    let tick = slots.tick_size.and_then(|slot| price(root, slot));
    let currency = slots.currency.and_then(|slot| root.text(slot));
    let currency = currency.and_then(|text| std::str::from_utf8(text).ok());
    Terms {
        tick_size: tick.filter(|tick| tick.0 > 0),
        currency: currency.and_then(Terms::currency_of),
        ..Terms::default()
    }
}

fn qty(entry: &Block<'_>, slot: wire::sbe::Slot) -> Option<Qty> {
    entry.u64(slot).map(Qty)
}
