//! Where the fields stand that are read: looked up once by FIX tag.

use wire::sbe::{GroupSlot, Schema, Shape, Slot};

/// A schema that lacks what is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutFault {
    /// A message.
    #[error("the schema has no message {0}: is it MDP 3.0's, version 9 or later?")]
    Message(u64),
    /// A field or group of a message.
    #[error("message {message} of the schema has no field {tag}")]
    Field {
        /// The message.
        message: u64,
        /// The field's or group's number.
        tag: u32,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Book {
    pub(super) time: Slot,
    pub(super) entries: GroupSlot,
    pub(super) price: Slot,
    pub(super) size: Slot,
    pub(super) security_id: Slot,
    pub(super) rpt_seq: Slot,
    pub(super) rank: Slot,
    pub(super) action: Slot,
    pub(super) kind: Slot,
    pub(super) orders: GroupSlot,
    pub(super) order_id: Slot,
    pub(super) order_qty: Slot,
    pub(super) reference: Slot,
    pub(super) order_action: Slot,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) id: Slot,
    pub(super) price: Slot,
    pub(super) qty: Slot,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Orders {
    pub(super) time: Slot,
    pub(super) entries: GroupSlot,
    pub(super) order: Order,
    pub(super) security_id: Slot,
    pub(super) action: Slot,
    pub(super) kind: Slot,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Trades {
    pub(super) time: Slot,
    pub(super) entries: GroupSlot,
    pub(super) price: Slot,
    pub(super) size: Slot,
    pub(super) security_id: Slot,
    pub(super) rpt_seq: Slot,
    pub(super) aggressor: Slot,
    pub(super) action: Slot,
    pub(super) trade_id: Slot,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) time: Slot,
    pub(super) security_id: Slot,
    pub(super) status: Slot,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    pub(super) last_seq: Slot,
    pub(super) security_id: Slot,
    pub(super) rpt_seq: Slot,
    pub(super) time: Slot,
    pub(super) entries: GroupSlot,
    pub(super) price: Slot,
    pub(super) size: Slot,
    pub(super) rank: Slot,
    pub(super) kind: Slot,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    pub(super) last_seq: Slot,
    pub(super) security_id: Slot,
    pub(super) chunks: Slot,
    pub(super) chunk: Slot,
    pub(super) time: Slot,
    pub(super) entries: GroupSlot,
    pub(super) order: Order,
    pub(super) kind: Slot,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Definition {
    pub(super) security_id: Slot,
    pub(super) symbol: Slot,
    /// What not every version of the schema has.
    pub(super) tick_size: Option<Slot>,
    pub(super) currency: Option<Slot>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) reset_time: Slot,
    pub(super) state: State,
    pub(super) book: Book,
    pub(super) orders: Orders,
    pub(super) trades: Trades,
    pub(super) levels: Levels,
    pub(super) whole: Whole,
    pub(super) definitions: [Definition; 2],
}

impl Layout {
    pub(super) fn new(schema: &Schema) -> Result<Self, LayoutFault> {
        let part = |id| Part::new(schema, id);
        let definition = |id| {
            let root = part(id)?;
            Ok::<_, LayoutFault>(Definition {
                security_id: root.slot(48)?,
                symbol: root.slot(55)?,
                tick_size: root.slot(969).ok(),
                currency: root.slot(15).ok(),
            })
        };
        let state = part(30)?;
        Ok(Self {
            reset_time: part(4)?.slot(60)?,
            state: State {
                time: state.slot(60)?,
                security_id: state.slot(48)?,
                status: state.slot(326)?,
            },
            book: book(part(46)?)?,
            orders: orders(part(47)?)?,
            trades: trades(part(48)?)?,
            levels: levels(part(52)?)?,
            whole: whole(part(53)?)?,
            definitions: [definition(54)?, definition(55)?],
        })
    }
}

/// A message's root or a group's entry.
#[derive(Clone, Copy)]
struct Part<'a> {
    message: u64,
    shape: Shape<'a>,
}

impl<'a> Part<'a> {
    fn new(schema: &'a Schema, message: u64) -> Result<Self, LayoutFault> {
        let shape = schema
            .message(message)
            .ok_or(LayoutFault::Message(message))?;
        Ok(Self { message, shape })
    }

    fn slot(&self, tag: u32) -> Result<Slot, LayoutFault> {
        let message = self.message;
        self.shape
            .slot_of_id(tag)
            .ok_or(LayoutFault::Field { message, tag })
    }

    fn group(&self, tag: u32) -> Result<(GroupSlot, Self), LayoutFault> {
        let message = self.message;
        let slot = self.shape.group_of_id(tag);
        let slot = slot.ok_or(LayoutFault::Field { message, tag })?;
        let shape = self.shape.entries(slot);
        let shape = shape.ok_or(LayoutFault::Field { message, tag })?;
        Ok((slot, Self { message, shape }))
    }
}

fn book(root: Part<'_>) -> Result<Book, LayoutFault> {
    let (entries, entry) = root.group(268)?;
    let (orders, order) = root.group(37_705)?;
    Ok(Book {
        time: root.slot(60)?,
        entries,
        price: entry.slot(270)?,
        size: entry.slot(271)?,
        security_id: entry.slot(48)?,
        rpt_seq: entry.slot(83)?,
        rank: entry.slot(1_023)?,
        action: entry.slot(279)?,
        kind: entry.slot(269)?,
        orders,
        order_id: order.slot(37)?,
        order_qty: order.slot(37_706)?,
        reference: order.slot(9_633)?,
        order_action: order.slot(37_708)?,
    })
}

fn order(entry: Part<'_>) -> Result<Order, LayoutFault> {
    Ok(Order {
        id: entry.slot(37)?,
        price: entry.slot(270)?,
        qty: entry.slot(37_706)?,
    })
}

fn orders(root: Part<'_>) -> Result<Orders, LayoutFault> {
    let (entries, entry) = root.group(268)?;
    Ok(Orders {
        time: root.slot(60)?,
        entries,
        order: order(entry)?,
        security_id: entry.slot(48)?,
        action: entry.slot(279)?,
        kind: entry.slot(269)?,
    })
}

fn trades(root: Part<'_>) -> Result<Trades, LayoutFault> {
    let (entries, entry) = root.group(268)?;
    Ok(Trades {
        time: root.slot(60)?,
        entries,
        price: entry.slot(270)?,
        size: entry.slot(271)?,
        security_id: entry.slot(48)?,
        rpt_seq: entry.slot(83)?,
        aggressor: entry.slot(5_797)?,
        action: entry.slot(279)?,
        trade_id: entry.slot(37_711)?,
    })
}

fn levels(root: Part<'_>) -> Result<Levels, LayoutFault> {
    let (entries, entry) = root.group(268)?;
    Ok(Levels {
        last_seq: root.slot(369)?,
        security_id: root.slot(48)?,
        rpt_seq: root.slot(83)?,
        time: root.slot(60)?,
        entries,
        price: entry.slot(270)?,
        size: entry.slot(271)?,
        rank: entry.slot(1_023)?,
        kind: entry.slot(269)?,
    })
}

fn whole(root: Part<'_>) -> Result<Whole, LayoutFault> {
    let (entries, entry) = root.group(268)?;
    Ok(Whole {
        last_seq: root.slot(369)?,
        security_id: root.slot(48)?,
        chunks: root.slot(37_709)?,
        chunk: root.slot(37_710)?,
        time: root.slot(60)?,
        entries,
        order: order(entry)?,
        kind: entry.slot(269)?,
    })
}
