//! The slow and obvious twins, and the proofs that the fast books equal them.

use super::{BookSet, LevelBook, QueuePosition, Reject};
use crate::event::{Event, InstrumentId, OrderId, Price, Qty, Side};
use crate::publish::Level;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Orders in a map; levels are computed by summing all of them.
#[derive(Default)]
struct NaiveBooks {
    orders: BTreeMap<u64, (u32, Side, i64, u64)>,
    /// References in the order of their coming.
    arrivals: Vec<u64>,
}

impl NaiveBooks {
    fn apply(&mut self, instrument: InstrumentId, event: &Event) -> Result<(), Reject> {
        match *event {
            Event::Add {
                order_id,
                side,
                price,
                qty,
            } => {
                if qty.0 == 0 {
                    return Err(Reject::ZeroQty);
                }
                if self.orders.contains_key(&order_id.0) {
                    return Err(Reject::DuplicateOrder);
                }
                self.insert(order_id, (instrument.0, side, price.0, qty.0));
            }
            Event::Reduce { order_id, qty } | Event::Execute { order_id, qty, .. } => {
                let left = self.find(instrument, order_id)?.3;
                let left = left.checked_sub(qty.0).ok_or(Reject::OverExecuted)?;
                if left == 0 {
                    self.orders.remove(&order_id.0);
                } else if let Some(order) = self.orders.get_mut(&order_id.0) {
                    order.3 = left;
                }
            }
            Event::Delete { order_id } => {
                self.find(instrument, order_id)?;
                self.orders.remove(&order_id.0);
            }
            Event::Replace {
                old_order_id,
                order_id,
                price,
                qty,
            } => {
                let (_, side, _, _) = self.find(instrument, old_order_id)?;
                if qty.0 == 0 {
                    return Err(Reject::ZeroQty);
                }
                if old_order_id != order_id && self.orders.contains_key(&order_id.0) {
                    return Err(Reject::DuplicateOrder);
                }
                self.orders.remove(&old_order_id.0);
                self.insert(order_id, (instrument.0, side, price.0, qty.0));
            }
            Event::Amend {
                order_id,
                price,
                qty,
            } => {
                let (_, side, old_price, old_qty) = self.find(instrument, order_id)?;
                if qty.0 == 0 {
                    return Err(Reject::ZeroQty);
                }
                let order = (instrument.0, side, price.0, qty.0);
                if old_price == price.0 && qty.0 <= old_qty {
                    self.orders.insert(order_id.0, order);
                } else {
                    self.insert(order_id, order);
                }
            }
            Event::Clear => self.orders.retain(|_, order| order.0 != instrument.0),
            _ => {}
        }
        Ok(())
    }

    fn insert(&mut self, id: OrderId, order: (u32, Side, i64, u64)) {
        self.arrivals.retain(|&arrived| arrived != id.0);
        self.arrivals.push(id.0);
        self.orders.insert(id.0, order);
    }

    /// The orders at a price, first come first.
    fn queue(&self, of: InstrumentId, side: Side, price: Price) -> Vec<(OrderId, Qty)> {
        let orders = self
            .arrivals
            .iter()
            .filter_map(|id| Some((id, self.orders.get(id)?)));
        orders
            .filter(|(_, order)| (order.0, order.1, order.2) == (of.0, side, price.0))
            .map(|(&id, order)| (OrderId(id), Qty(order.3)))
            .collect()
    }

    fn find(&self, of: InstrumentId, id: OrderId) -> Result<(u32, Side, i64, u64), Reject> {
        let order = *self.orders.get(&id.0).ok_or(Reject::UnknownOrder)?;
        if order.0 == of.0 {
            Ok(order)
        } else {
            Err(Reject::WrongInstrument)
        }
    }

    fn levels(&self, instrument: InstrumentId, side: Side) -> Vec<Level> {
        let mut levels: BTreeMap<i64, (u64, u32)> = BTreeMap::new();
        for order in self.orders.values() {
            if (order.0, order.1) == (instrument.0, side) {
                let level = levels.entry(order.2).or_default();
                *level = (level.0 + order.3, level.1 + 1);
            }
        }
        best_first(side, levels)
    }
}

fn best_first(side: Side, levels: BTreeMap<i64, (u64, u32)>) -> Vec<Level> {
    let level = |(price, (qty, orders))| Level {
        price: Price(price),
        qty: Qty(qty),
        orders,
    };
    let mut levels: Vec<Level> = levels.into_iter().map(level).collect();
    if side == Side::Bid {
        levels.reverse();
    }
    levels
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Bid), Just(Side::Ask)]
}

fn price() -> impl Strategy<Value = Price> {
    prop_oneof![
        8 => (-30i64..30).prop_map(Price),
        1 => any::<i64>().prop_map(Price),
    ]
}

fn order_event() -> impl Strategy<Value = Event> {
    // On more pages than a small store has.
    let id = || (0u64..40).prop_map(|n| OrderId(n * 131));
    let qty = || (0u64..6).prop_map(Qty);
    prop_oneof![
        6 => (id(), side(), price(), qty()).prop_map(|(order_id, side, price, qty)| Event::Add {
            order_id, side, price, qty
        }),
        2 => (id(), qty()).prop_map(|(order_id, qty)| Event::Reduce { order_id, qty }),
        2 => id().prop_map(|order_id| Event::Delete { order_id }),
        2 => (id(), id(), price(), qty()).prop_map(|(old_order_id, order_id, price, qty)| {
            Event::Replace { old_order_id, order_id, price, qty }
        }),
        2 => (id(), price(), qty()).prop_map(|(order_id, price, qty)| {
            Event::Amend { order_id, price, qty }
        }),
        2 => (id(), qty()).prop_map(|(order_id, qty)| Event::Execute {
            order_id, qty, price: None, printable: true, match_id: 1
        }),
        1 => Just(Event::Clear),
    ]
}

proptest! {
    #[test]
    fn order_books_equal_the_naive_twin(
        steps in prop::collection::vec((0u32..2, order_event()), 0..300),
    ) {
        let mut books = BookSet::with_queues(2, 8, 2);
        let ids = [books.open(), books.open()];
        let mut naive = NaiveBooks::default();
        for (instrument, event) in steps {
            let instrument = ids[instrument as usize];
            let got = books.apply(instrument, &event).map(|_| ());
            prop_assert_eq!(got, naive.apply(instrument, &event), "{:?}", event);
        }
        for id in ids {
            let book = books.book(id).expect("opened above");
            for side in [Side::Bid, Side::Ask] {
                let levels: Vec<Level> = book.levels(side).collect();
                prop_assert_eq!(&levels, &naive.levels(id, side));
                prop_assert_eq!(book.best(side), levels.first().copied());
                prop_assert_eq!(book.best_price(side), levels.first().map(|level| level.price));
                for level in levels {
                    let queue: Vec<_> = books.queue(id, side, level.price).collect();
                    prop_assert_eq!(&queue, &naive.queue(id, side, level.price));
                    for (place, &(order, _)) in queue.iter().enumerate() {
                        let ahead = queue[..place].iter().map(|(_, qty)| qty.0).sum();
                        let position = QueuePosition { orders: place, qty: Qty(ahead) };
                        prop_assert_eq!(books.queue_position(order), Some(position));
                    }
                }
            }
        }
        prop_assert_eq!(books.orders(), naive.orders.len());
    }

    /// Two different event sequences that end in equal books have equal digests, and a single
    /// share more makes them differ.
    #[test]
    fn digests_follow_the_books(adds in prop::collection::vec((side(), price(), 1u64..9), 1..30)) {
        let digest = |order: &mut dyn Iterator<Item = usize>, extra: bool| {
            let mut books = BookSet::new(1, 64, 8);
            let id = books.open();
            for idx in order {
                let (side, price, qty) = adds[idx];
                let add = Event::Add { order_id: OrderId(idx as u64), side, price, qty: Qty(qty) };
                books.apply(id, &add).expect("references are unique");
            }
            if extra {
                let add = Event::Add {
                    order_id: OrderId(99), side: Side::Bid, price: Price(3), qty: Qty(1)
                };
                books.apply(id, &add).expect("a new reference");
            }
            books.digest(|_| 7)
        };
        let n = adds.len();
        prop_assert_eq!(digest(&mut (0..n), false), digest(&mut (0..n).rev(), false));
        prop_assert_ne!(digest(&mut (0..n), false), digest(&mut (0..n), true));
    }

    #[test]
    fn level_books_equal_a_map(
        steps in prop::collection::vec((side(), price(), 0u64..4), 0..300),
    ) {
        let mut book = LevelBook::new(2);
        let mut naive = [BTreeMap::new(), BTreeMap::new()];
        for (side, price, qty) in steps {
            book.set(side, price, Qty(qty));
            let levels = &mut naive[usize::from(side == Side::Ask)];
            if qty == 0 { levels.remove(&price.0); } else { levels.insert(price.0, (qty, 0)); }
        }
        let [bids, asks] = naive;
        for (side, levels) in [(Side::Bid, bids), (Side::Ask, asks)] {
            let levels = best_first(side, levels);
            prop_assert_eq!(book.levels(side).collect::<Vec<_>>(), levels);
        }
    }
}

#[test]
fn locked_crossed_and_mid() {
    let check = |bid: i64, ask: i64, locked: bool, crossed: bool, mid: i64| {
        let mut book = LevelBook::new(4);
        assert_eq!((book.mid(), book.is_crossed()), (None, false));
        book.set(Side::Bid, Price(bid), Qty(1));
        book.set(Side::Ask, Price(ask), Qty(1));
        assert_eq!((book.is_locked(), book.is_crossed()), (locked, crossed));
        assert_eq!(book.mid(), Some(Price(mid)));
    };
    check(10, 12, false, false, 11);
    check(10, 10, true, false, 10);
    check(11, 10, false, true, 10);
    check(i64::MAX, i64::MAX, true, false, i64::MAX);
    check(-3, -2, false, false, -3);
}

#[test]
fn a_far_outlier_is_one_more_level() {
    let mut books = BookSet::new(1, 16, 8);
    let id = books.open();
    for (n, price) in [(1, 1), (2, 199_999_990_000_000), (3, i64::MAX)] {
        let add = Event::Add {
            order_id: OrderId(n),
            side: Side::Ask,
            price: Price(price),
            qty: Qty(1),
        };
        books.apply(id, &add).expect("any price may rest");
    }
    assert_eq!(books.book(id).map(|book| book.depth(Side::Ask)), Some(3));
    assert_eq!(books.growths(), 0);
}
