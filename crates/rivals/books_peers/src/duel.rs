//! Our books and a peer's in turns over the same messages, and whether they end alike.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::{Result, ensure};
use market::book::BookSet;
use market::event::{InstrumentId, Side as OurSide};
use market::pipeline::ItchBooks;
use serde_json::{Value, json};
use wire::itch50::{self, Message};
use wire::itchfile::Frames;

/// In 1e-4.
pub const CENT: u32 = 100;
const SYMBOLS: usize = 8_000;
const ROUNDS: usize = 5;
/// Only what happens within a day counts; where midnight was does not.
const MIDNIGHT_NS: u64 = 0;

/// Of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Buyers.
    Bid,
    /// Sellers.
    Ask,
}

/// The other engine: books of all symbols, order by order.
pub trait Peer {
    /// Empty books.
    fn new(symbols: usize) -> Self;
    /// A new order.
    fn add(&mut self, symbol: usize, id: u64, side: Side, price_e4: u32, shares: u32);
    /// An order shows `left` from now on, which is not 0.
    fn reduce(&mut self, symbol: usize, id: u64, side: Side, price_e4: u32, left: u32);
    /// An order is gone.
    fn delete(&mut self, symbol: usize, id: u64, side: Side, price_e4: u32);
    /// The best price of a side, 1e-4.
    fn best(&self, symbol: usize, side: Side) -> Option<u32>;
}

#[derive(Clone, Copy)]
struct Order {
    symbol: u16,
    side: Side,
    price_e4: u32,
    shares: u32,
}

/// A message as a peer wants it.
#[derive(Clone, Copy)]
enum Step {
    Add(u64, Order),
    Reduce(u64, Order),
    Delete(u64, Order),
    /// Old reference and order, new reference; price and shares are the new ones.
    Replace(u64, Order, u64, u32, u32),
    Nothing,
}

/// Both in turns, `messages` from the first order on; what `rivals` prints of it, as JSON.
///
/// # Errors
/// When a best price of any symbol differs at the end.
pub fn fight<P: Peer>(name: &str, day: &[u8], messages: usize) -> Result<Value> {
    let (directory, orders) = cut(day, messages);
    let steps = decoded(orders);
    let (mut ours_ns, mut theirs_ns) = (Vec::new(), Vec::new());
    let mut resting = 0;
    for round in 0..=ROUNDS {
        let mut ours = ItchBooks::new(MIDNIGHT_NS, SYMBOLS, BookSet::new(SYMBOLS, 4_000_000, 160));
        ours.take(directory);
        let start = Instant::now();
        let taken = ours.take(orders);
        let our_ns = start.elapsed().as_nanos() as f64 / steps.len() as f64;
        ensure!(
            taken == steps.len() && ours.rejected() == 0,
            "ours missed messages"
        );
        let mut theirs = P::new(SYMBOLS);
        let start = Instant::now();
        steps.iter().for_each(|step| apply(&mut theirs, step));
        let their_ns = start.elapsed().as_nanos() as f64 / steps.len() as f64;
        resting = ours.books().orders();
        alike(&ours, &theirs)?;
        if round > 0 {
            ours_ns.push(our_ns);
            theirs_ns.push(their_ns);
        }
    }
    Ok(json!({
        "peer": name,
        "ours_ns": ours_ns,
        "theirs_ns": theirs_ns,
        "note": format!(
            "the first {} messages from the first order on, {resting} orders live at the end; order by order on both sides; the peer's messages are decoded beforehand, ours are not; best bid and ask of all {SYMBOLS} symbols equal at the end",
            steps.len()
        ),
    }))
}

/// What stands before the first order, and `messages` from there on.
fn cut(day: &[u8], messages: usize) -> (&[u8], &[u8]) {
    let (mut at, mut start, mut left) = (0, None, messages);
    for frame in Frames::new(day).flatten() {
        if start.is_none() && matches!(frame.first(), Some(b'A' | b'F')) {
            start = Some(at);
        }
        if start.is_some() {
            if left == 0 {
                break;
            }
            left -= 1;
        }
        at += 2 + frame.len();
    }
    let start = start.unwrap_or(at);
    (&day[..start], &day[start..at])
}

fn decoded(orders: &[u8]) -> Vec<Step> {
    let mut resting: HashMap<u64, Order> = HashMap::new();
    let step = |frame| match itch50::decode(frame) {
        Ok(message) => step(&mut resting, &message),
        Err(_) => Step::Nothing,
    };
    Frames::new(orders).flatten().map(step).collect()
}

fn step(resting: &mut HashMap<u64, Order>, message: &Message<'_>) -> Step {
    let symbol = message.locate();
    let side = |side| match side {
        Some(itch50::Side::Buy) => Side::Bid,
        _ => Side::Ask,
    };
    let mut add = |id, side, price_e4, shares| {
        let order = Order {
            symbol,
            side,
            price_e4,
            shares,
        };
        resting.insert(id, order);
        Step::Add(id, order)
    };
    match message {
        Message::AddOrder(m) => add(m.order_reference(), side(m.side()), m.price(), m.shares()),
        Message::AddOrderMpid(m) => add(m.order_reference(), side(m.side()), m.price(), m.shares()),
        Message::OrderExecuted(m) => reduce(resting, m.order_reference(), m.executed_shares()),
        Message::OrderExecutedWithPrice(m) => {
            reduce(resting, m.order_reference(), m.executed_shares())
        }
        Message::OrderCancel(m) => reduce(resting, m.order_reference(), m.cancelled_shares()),
        Message::OrderDelete(m) => reduce(resting, m.order_reference(), u32::MAX),
        Message::OrderReplace(m) => {
            let (old, new) = (m.original_order_reference(), m.new_order_reference());
            let Some(order) = resting.remove(&old) else {
                return Step::Nothing;
            };
            let (price_e4, shares) = (m.price(), m.shares());
            resting.insert(
                new,
                Order {
                    price_e4,
                    shares,
                    ..order
                },
            );
            Step::Replace(old, order, new, price_e4, shares)
        }
        _ => Step::Nothing,
    }
}

fn reduce(resting: &mut HashMap<u64, Order>, id: u64, shares: u32) -> Step {
    let Some(order) = resting.get_mut(&id) else {
        return Step::Nothing;
    };
    order.shares = order.shares.saturating_sub(shares);
    let order = *order;
    if order.shares == 0 {
        resting.remove(&id);
        return Step::Delete(id, order);
    }
    Step::Reduce(id, order)
}

#[inline]
fn apply<P: Peer>(peer: &mut P, step: &Step) {
    match *step {
        Step::Add(id, o) => peer.add(usize::from(o.symbol) - 1, id, o.side, o.price_e4, o.shares),
        Step::Reduce(id, o) => {
            peer.reduce(usize::from(o.symbol) - 1, id, o.side, o.price_e4, o.shares);
        }
        Step::Delete(id, o) => peer.delete(usize::from(o.symbol) - 1, id, o.side, o.price_e4),
        Step::Replace(old, o, new, price_e4, shares) => {
            let symbol = usize::from(o.symbol) - 1;
            peer.delete(symbol, old, o.side, o.price_e4);
            peer.add(symbol, new, o.side, price_e4, shares);
        }
        Step::Nothing => {}
    }
}

fn alike<P: Peer>(ours: &ItchBooks, theirs: &P) -> Result<()> {
    for symbol in 0..SYMBOLS {
        let book = ours.books().book(InstrumentId(symbol as u32));
        for (side, our_side) in [(Side::Bid, OurSide::Bid), (Side::Ask, OurSide::Ask)] {
            let best = book.as_ref().and_then(|book| book.best(our_side));
            let best = best.map(|level| (level.price.0 / 100_000) as u32);
            let their_best = theirs.best(symbol, side);
            ensure!(
                best == their_best,
                "symbol {symbol}: our best {side:?} is {best:?}, theirs {their_best:?}"
            );
        }
    }
    Ok(())
}
