//! The book one writes first: a hash map of orders and a B-tree of levels a side, per symbol.
//!
//! Decodes with the same decoder, so that the difference is the book's. It reports nothing: no
//! stamps, no windows, no checks of what the feed says, no frames.

use std::collections::{BTreeMap, HashMap};

use market::book::{digest_of_ladders, symbol_key};
use market::event::{Instrument, InstrumentId, Price};
use wire::itch50::{Message, Side};

#[derive(Clone, Copy)]
struct Order {
    locate: u16,
    is_bid: bool,
    price: u32,
    shares: u32,
}

#[derive(Default)]
struct Book {
    symbol: String,
    /// Price to total shares and number of orders; bids, asks.
    sides: [BTreeMap<u32, (u64, u32)>; 2],
}

/// All books of a session, by locate code.
#[derive(Default)]
pub struct NaiveBooks {
    orders: HashMap<u64, Order>,
    books: HashMap<u16, Book>,
}

impl NaiveBooks {
    /// Applies one message; what is no business of a book does nothing.
    pub fn apply(&mut self, message: &Message<'_>) {
        let locate = message.locate();
        match message {
            Message::StockDirectory(m) => {
                self.books.entry(locate).or_default().symbol = m.stock().to_owned();
            }
            Message::AddOrder(m) => {
                let is_bid = m.side() == Some(Side::Buy);
                let order = Order {
                    locate,
                    is_bid,
                    price: m.price(),
                    shares: m.shares(),
                };
                self.add(m.order_reference(), order);
            }
            Message::AddOrderMpid(m) => {
                let is_bid = m.side() == Some(Side::Buy);
                let order = Order {
                    locate,
                    is_bid,
                    price: m.price(),
                    shares: m.shares(),
                };
                self.add(m.order_reference(), order);
            }
            Message::OrderExecuted(m) => self.reduce(m.order_reference(), m.executed_shares()),
            Message::OrderExecutedWithPrice(m) => {
                self.reduce(m.order_reference(), m.executed_shares());
            }
            Message::OrderCancel(m) => self.reduce(m.order_reference(), m.cancelled_shares()),
            Message::OrderDelete(m) => self.reduce(m.order_reference(), u32::MAX),
            Message::OrderReplace(m) => {
                let Some(&old) = self.orders.get(&m.original_order_reference()) else {
                    return;
                };
                self.reduce(m.original_order_reference(), u32::MAX);
                let order = Order {
                    price: m.price(),
                    shares: m.shares(),
                    ..old
                };
                self.add(m.new_order_reference(), order);
            }
            _ => {}
        }
    }

    fn add(&mut self, reference: u64, order: Order) {
        self.orders.insert(reference, order);
        let book = self.books.entry(order.locate).or_default();
        let level = book.sides[usize::from(!order.is_bid)]
            .entry(order.price)
            .or_default();
        level.0 += u64::from(order.shares);
        level.1 += 1;
    }

    fn reduce(&mut self, reference: u64, shares: u32) {
        let Some(order) = self.orders.get_mut(&reference) else {
            return;
        };
        let taken = shares.min(order.shares);
        order.shares -= taken;
        let order = *order;
        let gone = order.shares == 0;
        if gone {
            self.orders.remove(&reference);
        }
        let Some(book) = self.books.get_mut(&order.locate) else {
            return;
        };
        let side = &mut book.sides[usize::from(!order.is_bid)];
        let Some(level) = side.get_mut(&order.price) else {
            return;
        };
        level.0 -= u64::from(taken);
        level.1 -= u32::from(gone);
        if level.1 == 0 {
            side.remove(&order.price);
        }
    }

    /// The same hash of all books as the market's books give.
    pub fn digest(&self) -> u64 {
        let books = self
            .books
            .values()
            .filter(|b| b.sides.iter().any(|side| !side.is_empty()));
        books
            .map(|book| {
                let named = Instrument::new(InstrumentId(0), &book.symbol, 0, 4);
                digest_of_ladders(
                    symbol_key(&named.symbol),
                    |out| {
                        for (&price, &(shares, count)) in book.sides[0].iter().rev() {
                            out(Price::from_e4(price).0, shares, count);
                        }
                    },
                    |out| {
                        for (&price, &(shares, count)) in &book.sides[1] {
                            out(!Price::from_e4(price).0, shares, count);
                        }
                    },
                )
            })
            .fold(0, u64::wrapping_add)
    }
}
