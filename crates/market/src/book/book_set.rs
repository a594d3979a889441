//! Order by order (L3) books of all instruments of a feed.

use super::order_store::{Found, IN_TABLE, OrderStore};
use super::queue::{NONE, Queues};
use super::sides::{Sides, instrument_of, side_number, side_of};
use super::{Applied, OrderBook, Reject, price_of, rank_of};
use crate::event::{Event, InstrumentId, OrderId, Price, Qty, Side};

/// The largest quantity of one order.
const QTY_MAX: u64 = (1 << 40) - 1;

/// A resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Whose book it rests in.
    pub instrument: InstrumentId,
    /// Where it rests.
    pub side: Side,
    /// Its limit.
    pub price: Price,
    /// What it shows.
    pub qty: Qty,
}

/// What trades before an order at its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePosition {
    /// Orders ahead; 0 for the first.
    pub orders: usize,
    /// What they show together.
    pub qty: Qty,
}

/// The books of all instruments of a feed, over one order store.
///
/// ```
/// use market::book::BookSet;
/// use market::event::{Event, InstrumentId, OrderId, Price, Qty, Side};
/// let mut books = BookSet::new(16, 1_000, 64);
/// let apple = books.open();
/// let add = Event::Add { order_id: OrderId(1), side: Side::Bid, price: Price(5), qty: Qty(3) };
/// books.apply(apple, &add).expect("a fresh order");
/// assert_eq!(books.book(apple).and_then(|book| book.best(Side::Bid)).map(|level| level.qty), Some(Qty(3)));
/// ```
#[derive(Debug)]
pub struct BookSet {
    pub(super) orders: OrderStore,
    pub(super) sides: Sides,
    pub(super) queues: Queues,
    count: usize,
}

impl BookSet {
    /// Memory for `instruments_limit` books and `orders_limit` live orders in all, on at most
    /// `levels_reserve` levels a side. About 120 bytes an order, 60 a level and 900 an instrument,
    /// touched as they are used.
    #[must_use]
    pub fn new(instruments_limit: usize, orders_limit: usize, levels_reserve: usize) -> Self {
        Self::of(instruments_limit, orders_limit, levels_reserve, false)
    }

    fn of(
        instruments_limit: usize,
        orders_limit: usize,
        levels_reserve: usize,
        has_queues: bool,
    ) -> Self {
        let sides_limit = 2 * instruments_limit;
        // Every level has an order.
        let levels_limit = orders_limit.min(sides_limit.saturating_mul(levels_reserve));
        Self {
            orders: OrderStore::new(orders_limit),
            sides: Sides::new(sides_limit, levels_limit, has_queues),
            queues: Queues::off(),
            count: 0,
        }
    }

    /// The same with the queue of every level: [`BookSet::queue_position`] answers. 40 bytes more
    /// an order.
    #[must_use]
    pub fn with_queues(
        instruments_limit: usize,
        orders_limit: usize,
        levels_reserve: usize,
    ) -> Self {
        let books = Self::of(instruments_limit, orders_limit, levels_reserve, true);
        let queues = Queues::kept(books.orders.slots() + orders_limit);
        Self { queues, ..books }
    }

    /// The next instrument's book, empty. Ids are dense from 0. Beyond the limit it allocates.
    pub fn open(&mut self) -> InstrumentId {
        let id = InstrumentId(self.count as u32);
        self.sides.open();
        self.sides.open();
        self.count += 1;
        id
    }

    /// One instrument's book.
    #[must_use]
    pub fn book(&self, instrument: InstrumentId) -> Option<OrderBook<'_>> {
        ((instrument.0 as usize) < self.count).then_some(OrderBook {
            sides: &self.sides,
            instrument,
        })
    }

    /// The order with this reference.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<Order> {
        let found = self.orders.at(self.orders.slot(id)?);
        let side = side_of(found.side);
        Some(Order {
            instrument: instrument_of(found.side),
            side,
            price: price_of(side, found.rank),
            qty: Qty(found.qty),
        })
    }

    /// What trades before an order at its price. `None` when there is no such order, or queues are
    /// not kept. Time grows with the orders ahead.
    #[must_use]
    pub fn queue_position(&self, id: OrderId) -> Option<QueuePosition> {
        let slot = self.orders.slot(id).filter(|_| self.queues.is_kept())?;
        let mut position = QueuePosition {
            orders: 0,
            qty: Qty(0),
        };
        for slot in self.queues.ahead_of(slot) {
            position.orders += 1;
            position.qty.0 += self.orders.qty_of(slot);
        }
        Some(position)
    }

    /// The orders at a price, first to trade first; none unless queues are kept. Allocates.
    pub fn queue(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
    ) -> impl Iterator<Item = (OrderId, Qty)> + '_ {
        let known = (instrument.0 as usize) < self.count;
        let last = known.then(|| {
            self.sides
                .last(side_number(instrument, side), rank_of(side, price))
        });
        let slots: Vec<u32> = self.queues.last_first(last.flatten()).collect();
        slots
            .into_iter()
            .rev()
            .map(|slot| (self.orders.id_of(slot), Qty(self.orders.qty_of(slot))))
    }

    /// How many instruments were opened.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True before the first [`BookSet::open`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many orders rest in all books.
    #[must_use]
    pub fn orders(&self) -> usize {
        self.orders.len()
    }

    /// How often memory had to grow after start: above zero, raise the limits.
    #[must_use]
    pub fn growths(&self) -> u64 {
        self.orders.growths() + self.sides.growths() + self.queues.growths()
    }

    /// Empties all books; instruments stay.
    pub fn clear(&mut self) {
        self.orders.clear();
        self.queues.clear();
        (0..2 * self.count as u32).for_each(|side| self.sides.clear(side));
    }

    /// The sum of all books' digests, each salted with the key that `key_of` gives its instrument
    /// ([`symbol_key`](super::symbol_key)): instruments may be numbered differently elsewhere, and
    /// an empty book counts nothing.
    #[must_use]
    pub fn digest(&self, mut key_of: impl FnMut(InstrumentId) -> u64) -> u64 {
        let books = (0..self.count as u32).filter_map(|id| self.book(InstrumentId(id)));
        books
            .filter(|book| book.depth(Side::Bid) + book.depth(Side::Ask) > 0)
            .map(|book| book.digest(key_of(book.instrument)))
            .fold(0, u64::wrapping_add)
    }

    /// Applies one L3 event. Prints, states and busts change no book and are accepted.
    ///
    /// # Errors
    /// When the event contradicts the book; nothing of it is applied.
    #[inline]
    pub fn apply(&mut self, instrument: InstrumentId, event: &Event) -> Result<Applied, Reject> {
        if instrument.0 as usize >= self.count {
            return Err(Reject::UnknownInstrument);
        }
        let near = match *event {
            Event::Add {
                order_id,
                side,
                price,
                qty,
            } => self.add(instrument, order_id, side, price, qty)?,
            Event::Reduce { order_id, qty } => self.reduce(instrument, order_id, qty)?,
            Event::Delete { order_id } => self.delete(instrument, order_id)?,
            Event::Replace {
                old_order_id,
                order_id,
                price,
                qty,
            } => self.replace(instrument, old_order_id, order_id, price, qty)?,
            Event::Amend {
                order_id,
                price,
                qty,
            } => self.amend(instrument, order_id, price, qty)?,
            Event::Execute {
                order_id,
                qty,
                price,
                ..
            } => {
                let (near, rested, side) = self.take(instrument, order_id, qty)?;
                return Ok(Applied {
                    near,
                    execution: Some((price.unwrap_or(rested), side.opposite())),
                });
            }
            Event::Clear => {
                self.empty(instrument);
                true
            }
            Event::Level { .. } => return Err(Reject::WrongKind),
            _ => return Ok(Applied::default()),
        };
        Ok(Applied::book(near))
    }

    /// [`Event::Add`] in parts; like its three sisters, true when the event was near the touch.
    #[inline]
    pub(crate) fn add(
        &mut self,
        instrument: InstrumentId,
        order_id: OrderId,
        side: Side,
        price: Price,
        qty: Qty,
    ) -> Result<bool, Reject> {
        if instrument.0 as usize >= self.count {
            return Err(Reject::UnknownInstrument);
        }
        check_qty(qty)?;
        if self.orders.slot(order_id).is_some() {
            return Err(Reject::DuplicateOrder);
        }
        let side_number = side_number(instrument, side);
        Ok(self.join(side_number, order_id, rank_of(side, price), qty))
    }

    /// [`Event::Reduce`] in parts.
    #[inline]
    pub(crate) fn reduce(
        &mut self,
        instrument: InstrumentId,
        order_id: OrderId,
        qty: Qty,
    ) -> Result<bool, Reject> {
        self.take(instrument, order_id, qty).map(|(near, ..)| near)
    }

    /// [`Event::Delete`] in parts.
    #[inline]
    pub(crate) fn delete(
        &mut self,
        instrument: InstrumentId,
        order_id: OrderId,
    ) -> Result<bool, Reject> {
        let slot = self.find(instrument, order_id)?;
        Ok(self.leave(slot))
    }

    /// [`Event::Replace`] in parts.
    #[inline]
    pub(crate) fn replace(
        &mut self,
        instrument: InstrumentId,
        old_order_id: OrderId,
        order_id: OrderId,
        price: Price,
        qty: Qty,
    ) -> Result<bool, Reject> {
        let old = self.find(instrument, old_order_id)?;
        check_qty(qty)?;
        if old_order_id != order_id && self.orders.slot(order_id).is_some() {
            return Err(Reject::DuplicateOrder);
        }
        let side = self.orders.side_in(old);
        let left_near = self.leave(old);
        let joined_near = self.join(side, order_id, rank_of(side_of(side), price), qty);
        Ok(left_near | joined_near)
    }

    /// [`Event::Amend`] in parts.
    fn amend(
        &mut self,
        instrument: InstrumentId,
        order_id: OrderId,
        price: Price,
        qty: Qty,
    ) -> Result<bool, Reject> {
        let old = self.orders.at(self.find(instrument, order_id)?);
        check_qty(qty)?;
        if price_of(side_of(old.side), old.rank) == price && qty.0 <= old.qty {
            self.reduce(instrument, order_id, Qty(old.qty - qty.0))
        } else {
            self.replace(instrument, order_id, order_id, price, qty)
        }
    }

    /// Shows `qty` less of an order: near the touch, its price and its side.
    #[inline]
    fn take(
        &mut self,
        instrument: InstrumentId,
        order_id: OrderId,
        qty: Qty,
    ) -> Result<(bool, Price, Side), Reject> {
        let slot = self.find(instrument, order_id)?;
        let found = self.orders.at(slot);
        let left = found.qty.checked_sub(qty.0).ok_or(Reject::OverExecuted)?;
        let side = side_of(found.side);
        let price = price_of(side, found.rank);
        if left == 0 {
            return Ok((self.leave(slot), price, side));
        }
        let near = match self.sides.find(found.side, found.rank) {
            Ok(at) => {
                self.sides.lose(found.side, at, found.rank, qty.0, 0);
                self.sides.is_near(found.side, at)
            }
            Err(_) => lost_level(),
        };
        self.orders.set_qty(slot, left);
        Ok((near, price, side))
    }

    /// An order that is not there yet joins its level.
    #[inline]
    fn join(&mut self, side: u32, id: OrderId, rank: i64, Qty(qty): Qty) -> bool {
        let near = match self.sides.find(side, rank) {
            Ok(at) => {
                self.sides.gain(side, at, rank, qty);
                self.sides.is_near(side, at)
            }
            Err(at) => self.sides.insert(side, at, rank, qty, NONE),
        };
        let (queues, sides) = (&mut self.queues, &mut self.sides);
        let slot = self.orders.insert(id, qty, (side, rank), |moved| {
            queues.follow(moved, sides);
        });
        if self.queues.is_kept()
            && let Some(last) = self.sides.last_mut(side, rank)
        {
            self.queues.join(slot, last);
        }
        near
    }

    /// An order leaves, and its level with it when it was the last.
    #[inline]
    fn leave(&mut self, slot: u32) -> bool {
        let Found { qty, side, rank } = self.orders.at(slot);
        self.orders.remove(slot);
        if self.queues.is_kept()
            && let Some(last) = self.sides.last_mut(side, rank)
        {
            self.queues.leave(slot, last);
        }
        let Ok(at) = self.sides.find(side, rank) else {
            return lost_level();
        };
        match self.sides.lose(side, at, rank, qty, 1) {
            0 => self.sides.remove(side, at),
            _ => self.sides.is_near(side, at),
        }
    }

    /// The slot of an instrument's order.
    #[inline]
    fn find(&self, instrument: InstrumentId, id: OrderId) -> Result<u32, Reject> {
        let slot = self.orders.slot(id).ok_or(Reject::UnknownOrder)?;
        if instrument_of(self.orders.side_in(slot)) != instrument {
            return Err(Reject::WrongInstrument);
        }
        Ok(slot)
    }

    /// Removes everything of one instrument; goes over all orders.
    #[cold]
    fn empty(&mut self, instrument: InstrumentId) {
        self.orders
            .remove_all(|side| instrument_of(side) == instrument);
        for side in [Side::Bid, Side::Ask] {
            self.sides.clear(side_number(instrument, side));
        }
    }
}

/// Says that a level was near: better too much is published than too little.
#[cold]
fn lost_level() -> bool {
    debug_assert!(false, "every level with orders is in its side");
    true
}

fn check_qty(qty: Qty) -> Result<(), Reject> {
    match qty.0 {
        0 => Err(Reject::ZeroQty),
        1..=QTY_MAX => Ok(()),
        _ => Err(Reject::QtyTooLarge),
    }
}

impl Applied {
    pub(super) fn book(near: bool) -> Self {
        Self {
            near,
            execution: None,
        }
    }
}

/// What one message will need, found in steps that never wait for each other's memory; see
/// `pipeline::ahead`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ahead {
    slot: u32,
    side: u32,
    rank: i64,
    chunk: u32,
    /// Side and rank are known: an add's own, or read from the order.
    has_rank: bool,
}

impl BookSet {
    /// First step, for an order that comes.
    #[inline]
    pub(crate) fn ahead_add(
        &self,
        instrument: InstrumentId,
        side: Side,
        id: OrderId,
        price: Price,
    ) -> Ahead {
        let number = side_number(instrument, side);
        self.sides.hint_side(number);
        Ahead {
            slot: self.orders.hint(id),
            side: number,
            rank: rank_of(side, price),
            chunk: NONE,
            has_rank: true,
        }
    }

    /// First step, for an order that changes.
    #[inline]
    pub(crate) fn ahead_order(&self, id: OrderId) -> Ahead {
        let slot = self.orders.hint(id);
        if self.queues.is_kept() {
            self.queues.hint(slot);
        }
        Ahead {
            slot,
            rank: id.0 as i64,
            chunk: NONE,
            ..Ahead::default()
        }
    }

    /// Between the first step and the second: where an order is that only the table can tell, whose
    /// reference stands in place of the rank until then.
    #[inline]
    pub(crate) fn ahead_single(&self, ahead: &mut Ahead) {
        if ahead.slot == IN_TABLE && !ahead.has_rank {
            ahead.slot = self.orders.hint_single(OrderId(ahead.rank as u64));
        }
    }

    /// Second step, for an order that changes: its side.
    #[inline]
    pub(crate) fn ahead_side(&self, ahead: &mut Ahead) {
        if ahead.has_rank {
            return;
        }
        (ahead.side, ahead.rank) = self.orders.peek(ahead.slot);
        self.sides.hint_side(ahead.side);
        if self.queues.is_kept() {
            self.queues.hint_neighbours(ahead.slot);
        }
    }

    /// Third step: what says where on its side the level is.
    #[inline]
    pub(crate) fn ahead_index(&self, ahead: &Ahead) {
        self.sides.hint_index(ahead.side, ahead.rank);
    }

    /// Fourth step: the place itself.
    #[inline]
    pub(crate) fn ahead_place(&self, ahead: &mut Ahead) {
        ahead.chunk = self.sides.hint_place(ahead.side, ahead.rank);
    }

    /// Fifth step: what rests there.
    #[inline]
    pub(crate) fn ahead_total(&self, ahead: &Ahead) {
        if ahead.chunk != NONE {
            self.sides.hint_total(ahead.chunk, ahead.rank);
        }
    }

    /// Asks for the best levels of books that will be read soon.
    pub(crate) fn soon(&self, books: &[InstrumentId]) {
        for &book in books {
            for side in [Side::Bid, Side::Ask] {
                self.sides.hint_best(side_number(book, side));
            }
        }
    }
}
