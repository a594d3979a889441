//! The venue's own resting orders: who stands where, in time priority.
//!
//! The generator must pick the front order of the best level, any order near the touch and any
//! order at all, each in constant time, so orders live in one table, are chained per level and
//! listed per book. It shares no code with the books of `market`: equal digests mean something.

use market::event::Side;

/// An order's place in the table. Reused after the order is gone.
pub(crate) type Slot = u32;

const NONE: Slot = Slot::MAX;

/// One resting order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub reference: u64,
    /// 1e-4.
    pub price: u32,
    pub shares: u32,
    pub listing: u32,
    pub side: Side,
    previous: Slot,
    next: Slot,
    /// Index in the book's list of live orders.
    position: u32,
}

/// All orders of one side at one price, oldest at the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// 1e-4.
    pub price: u32,
    pub count: u32,
    pub shares: u64,
    head: Slot,
    tail: Slot,
}

/// One side: levels sorted so that the best is the last.
#[derive(Clone, Debug, Default)]
struct Ladder(Vec<Level>);

#[derive(Clone, Debug, Default)]
struct Book {
    bids: Ladder,
    asks: Ladder,
    live: Vec<Slot>,
}

impl Book {
    fn ladder(&self, side: Side) -> &Ladder {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    fn ladder_mut(&mut self, side: Side) -> &mut Ladder {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }
}

/// Every book of the venue.
#[derive(Clone, Debug)]
pub(crate) struct Books {
    orders: Vec<Order>,
    free: Vec<Slot>,
    books: Vec<Book>,
}

/// Sorts a side so that better is larger.
fn rank(side: Side, price: u32) -> i64 {
    match side {
        Side::Bid => i64::from(price),
        Side::Ask => -i64::from(price),
    }
}

impl Books {
    /// `count` empty books.
    pub fn new(count: usize) -> Self {
        Self {
            orders: Vec::new(),
            free: Vec::new(),
            books: vec![Book::default(); count],
        }
    }

    /// A new order behind all others at its price.
    pub fn add(
        &mut self,
        listing: usize,
        side: Side,
        price: u32,
        shares: u32,
        reference: u64,
    ) -> Slot {
        let position = self.books[listing].live.len() as u32;
        let mut order = Order {
            reference,
            price,
            shares,
            listing: listing as u32,
            side,
            previous: NONE,
            next: NONE,
            position,
        };
        let slot = self.free.pop().unwrap_or(self.orders.len() as Slot);
        let book = &mut self.books[listing];
        book.live.push(slot);
        let levels = &mut book.ladder_mut(side).0;
        match find(levels, side, price) {
            Ok(idx) => {
                let level = &mut levels[idx];
                order.previous = level.tail;
                self.orders[level.tail as usize].next = slot;
                level.tail = slot;
                level.count += 1;
                level.shares += u64::from(shares);
            }
            Err(idx) => {
                let level = Level {
                    price,
                    count: 1,
                    shares: u64::from(shares),
                    head: slot,
                    tail: slot,
                };
                levels.insert(idx, level);
            }
        }
        match self.orders.get_mut(slot as usize) {
            Some(place) => *place = order,
            None => self.orders.push(order),
        }
        slot
    }

    /// The order in `slot`, which must be live.
    pub fn order(&self, slot: Slot) -> &Order {
        &self.orders[slot as usize]
    }

    /// The order in `slot` if it is still the one with this reference.
    pub fn is_live(&self, slot: Slot, reference: u64) -> bool {
        self.orders
            .get(slot as usize)
            .is_some_and(|o| o.reference == reference && o.shares > 0)
    }

    /// Takes `shares` off a live order; at zero it is gone.
    pub fn reduce(&mut self, slot: Slot, shares: u32) {
        let order = &mut self.orders[slot as usize];
        if shares >= order.shares {
            self.remove(slot);
            return;
        }
        order.shares -= shares;
        let (side, price) = (order.side, order.price);
        let levels = &mut self.books[order.listing as usize].ladder_mut(side).0;
        let idx = find(levels, side, price).expect("a live order has a level");
        levels[idx].shares -= u64::from(shares);
    }

    /// Takes a live order off the book.
    pub fn remove(&mut self, slot: Slot) {
        let order = self.orders[slot as usize];
        let book = &mut self.books[order.listing as usize];
        book.live.swap_remove(order.position as usize);
        if let Some(&moved) = book.live.get(order.position as usize) {
            self.orders[moved as usize].position = order.position;
        }
        if order.previous != NONE {
            self.orders[order.previous as usize].next = order.next;
        }
        if order.next != NONE {
            self.orders[order.next as usize].previous = order.previous;
        }
        let levels = &mut self.books[order.listing as usize].ladder_mut(order.side).0;
        let idx = find(levels, order.side, order.price).expect("a live order has a level");
        let level = &mut levels[idx];
        level.count -= 1;
        level.shares -= u64::from(order.shares);
        if level.head == slot {
            level.head = order.next;
        }
        if level.tail == slot {
            level.tail = order.previous;
        }
        if level.count == 0 {
            levels.remove(idx);
        }
        self.orders[slot as usize].shares = 0;
        self.free.push(slot);
    }

    /// The best price of a side, 1e-4.
    pub fn best(&self, listing: usize, side: Side) -> Option<u32> {
        self.books[listing]
            .ladder(side)
            .0
            .last()
            .map(|level| level.price)
    }

    /// The oldest order at the `depth`-th best price (0: the best).
    pub fn front(&self, listing: usize, side: Side, depth: usize) -> Option<Slot> {
        let levels = &self.books[listing].ladder(side).0;
        levels
            .get(levels.len().checked_sub(depth + 1)?)
            .map(|level| level.head)
    }

    /// The youngest order at the `depth`-th best price (0: the best).
    pub fn back(&self, listing: usize, side: Side, depth: usize) -> Option<Slot> {
        let levels = &self.books[listing].ladder(side).0;
        levels
            .get(levels.len().checked_sub(depth + 1)?)
            .map(|level| level.tail)
    }

    /// Live orders of a listing, in no order that means anything.
    pub fn live(&self, listing: usize) -> &[Slot] {
        &self.books[listing].live
    }

    /// Levels of one side, best first.
    pub fn levels(&self, listing: usize, side: Side) -> impl Iterator<Item = &Level> {
        self.books[listing].ladder(side).0.iter().rev()
    }

    /// Resting orders of one side, best price first and oldest first at each price.
    pub fn by_priority(&self, listing: usize, side: Side) -> impl Iterator<Item = &Order> {
        self.levels(listing, side).flat_map(move |level| {
            let mut slot = level.head;
            std::iter::from_fn(move || {
                let order = self.orders.get(slot as usize)?;
                slot = order.next;
                Some(order)
            })
        })
    }

    /// How many price levels a side has.
    pub fn depth(&self, listing: usize, side: Side) -> usize {
        self.books[listing].ladder(side).0.len()
    }
}

/// Most activity is near the touch, so look at the last few levels before halving.
fn find(levels: &[Level], side: Side, price: u32) -> Result<usize, usize> {
    let wanted = rank(side, price);
    let near = levels.len().saturating_sub(4);
    for idx in (near..levels.len()).rev() {
        let here = rank(side, levels[idx].price);
        if here == wanted {
            return Ok(idx);
        }
        if here < wanted {
            return Err(idx + 1);
        }
    }
    levels[..near].binary_search_by(|level| rank(side, level.price).cmp(&wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use stdx::Rng;

    /// The obvious book: orders by reference, levels summed when asked.
    #[derive(Default)]
    struct Naive(BTreeMap<u64, (Side, u32, u32)>);

    impl Naive {
        fn levels(&self, side: Side) -> Vec<(u32, u64, u32)> {
            let mut sums: BTreeMap<i64, (u32, u64, u32)> = BTreeMap::new();
            for (_, &(_, price, shares)) in self.0.iter().filter(|(_, o)| o.0 == side) {
                let sum = sums.entry(-rank(side, price)).or_insert((price, 0, 0));
                sum.1 += u64::from(shares);
                sum.2 += 1;
            }
            sums.into_values().collect()
        }
    }

    #[test]
    fn equals_the_naive_book() {
        let mut rng = Rng::new(11);
        let (mut books, mut naive) = (Books::new(1), Naive::default());
        for reference in 1..4_000u64 {
            let live = books.live(0);
            let victim = (!live.is_empty()).then(|| *rng.pick(live));
            match (rng.below(3), victim) {
                (1, Some(slot)) => {
                    let shares = rng.range(1, 200) as u32;
                    let order = *books.order(slot);
                    books.reduce(slot, shares);
                    if shares >= order.shares {
                        naive.0.remove(&order.reference);
                    } else if let Some(known) = naive.0.get_mut(&order.reference) {
                        known.2 -= shares;
                    }
                }
                (2, Some(slot)) => {
                    naive.0.remove(&books.order(slot).reference);
                    books.remove(slot);
                }
                _ => {
                    let side = if rng.chance(0.5) {
                        Side::Bid
                    } else {
                        Side::Ask
                    };
                    let (price, shares) = (rng.range(1, 60) as u32, rng.range(1, 200) as u32);
                    let slot = books.add(0, side, price, shares, reference);
                    assert!(books.is_live(slot, reference));
                    naive.0.insert(reference, (side, price, shares));
                }
            }
            for side in [Side::Bid, Side::Ask] {
                let have: Vec<_> = books
                    .levels(0, side)
                    .map(|l| (l.price, l.shares, l.count))
                    .collect();
                assert_eq!(have, naive.levels(side), "after {reference}");
            }
        }
    }

    #[test]
    fn front_is_the_oldest_and_back_the_youngest() {
        let mut books = Books::new(1);
        let first = books.add(0, Side::Ask, 100, 5, 1);
        let second = books.add(0, Side::Ask, 100, 5, 2);
        let behind = books.add(0, Side::Ask, 200, 5, 3);
        assert_eq!(books.front(0, Side::Ask, 0), Some(first));
        assert_eq!(books.back(0, Side::Ask, 0), Some(second));
        assert_eq!(books.front(0, Side::Ask, 1), Some(behind));
        assert_eq!(books.front(0, Side::Ask, 2), None);
        books.remove(first);
        assert_eq!(books.front(0, Side::Ask, 0), Some(second));
    }
}
