//! Order by order (L3) books of all instruments of a feed.

use super::level_store::{Level, LevelStore, NONE, side_number};
use super::order_store::{Found, OrderStore};
use super::queue::Queues;
use super::sides::Sides;
use super::{Applied, OrderBook, Reject, rank_of};
use crate::event::{Event, InstrumentId, OrderId, Price, Qty, Side};
use crate::publish::TOP_LEVELS;

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
    pub(super) levels: LevelStore,
    pub(super) sides: Sides,
    pub(super) queues: Queues,
    count: usize,
}

impl BookSet {
    /// Memory for `instruments_limit` books and `orders_limit` live orders in all, on at most
    /// `levels_reserve` levels a side. About 60 bytes an order and 70 a level, touched as they are used.
    #[must_use]
    pub fn new(instruments_limit: usize, orders_limit: usize, levels_reserve: usize) -> Self {
        let sides_limit = 2 * instruments_limit;
        // Every level has an order.
        let levels_limit = orders_limit.min(sides_limit.saturating_mul(levels_reserve));
        Self {
            orders: OrderStore::new(orders_limit),
            levels: LevelStore::new(levels_limit),
            sides: Sides::new(sides_limit, levels_limit),
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
        let books = Self::new(instruments_limit, orders_limit, levels_reserve);
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
            levels: &self.levels,
            instrument,
        })
    }

    /// The order with this reference.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<Order> {
        let found = self.orders.find(id)?;
        let level = self.levels.get(found.level);
        Some(Order {
            instrument: level.instrument(),
            side: level.side(),
            price: level.price(),
            qty: Qty(found.qty),
        })
    }

    /// What trades before an order at its price. `None` when there is no such order, or queues are
    /// not kept. Time grows with the orders ahead.
    #[must_use]
    pub fn queue_position(&self, id: OrderId) -> Option<QueuePosition> {
        let found = self.orders.find(id).filter(|_| self.queues.is_kept())?;
        let mut position = QueuePosition {
            orders: 0,
            qty: Qty(0),
        };
        for slot in self.queues.ahead_of(found.slot) {
            position.orders += 1;
            position.qty.0 += self.orders.qty_of(slot);
        }
        Some(position)
    }

    /// The orders at a price, first to trade first; none unless queues are kept.
    pub fn queue(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
    ) -> impl Iterator<Item = (OrderId, Qty)> + '_ {
        let known = (instrument.0 as usize) < self.count;
        let side_number = side_number(instrument, side);
        let found = known.then(|| self.sides.find(side_number, rank_of(side, price)));
        let level = found.and_then(Result::ok).map(|(_, level)| level);
        level.into_iter().flat_map(|level| {
            let slots = self.queues.of(self.levels.get(level));
            slots.map(|slot| (self.orders.id_of(slot), Qty(self.orders.qty_of(slot))))
        })
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
        self.orders.growths() + self.levels.growths() + self.sides.growths() + self.queues.growths()
    }

    /// Empties all books; instruments stay.
    pub fn clear(&mut self) {
        self.orders.clear();
        self.levels.clear();
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
        if self.orders.find(order_id).is_some() {
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
        let found = self.find(instrument, order_id)?;
        Ok(self.leave(found))
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
        if old_order_id != order_id && self.orders.find(order_id).is_some() {
            return Err(Reject::DuplicateOrder);
        }
        let side = self.levels.get(old.level).side();
        let left_near = self.leave(old);
        let side_number = side_number(instrument, side);
        let joined_near = self.join(side_number, order_id, rank_of(side, price), qty);
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
        let old = self.find(instrument, order_id)?;
        check_qty(qty)?;
        if self.levels.get(old.level).price() == price && qty.0 <= old.qty {
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
        let found = self.find(instrument, order_id)?;
        let left = found.qty.checked_sub(qty.0).ok_or(Reject::OverExecuted)?;
        let level = self.levels.get_mut(found.level);
        let (price, side) = (level.price(), level.side());
        if left == 0 {
            return Ok((self.leave(found), price, side));
        }
        level.qty -= qty.0;
        let near = self
            .sides
            .is_near(side_number(instrument, side), level.rank);
        self.orders.set_qty(found, left);
        Ok((near, price, side))
    }

    /// An order that is not there yet joins its level.
    #[inline]
    fn join(&mut self, side: u32, id: OrderId, rank: i64, qty: Qty) -> bool {
        let (level, near) = match self.sides.find(side, rank) {
            Ok((_, level)) => (level, self.sides.is_near(side, rank)),
            Err(at) => {
                let level = self.levels.open(side, rank);
                (level, self.sides.insert(side, at, rank, level))
            }
        };
        let (queues, levels) = (&mut self.queues, &mut self.levels);
        let slot = self.orders.insert(id, qty.0, level, |moved| {
            queues.follow(moved, levels);
        });
        let level = self.levels.get_mut(level);
        level.qty += qty.0;
        level.orders += 1;
        self.queues.join(slot, level);
        near
    }

    /// An order leaves, and its level with it when it was the last.
    #[inline]
    fn leave(&mut self, found: Found) -> bool {
        let level = self.levels.get_mut(found.level);
        level.qty -= found.qty;
        level.orders -= 1;
        self.queues.leave(found.slot, level);
        let (side, rank) = (side_number(level.instrument(), level.side()), level.rank);
        let is_last = level.orders == 0;
        self.orders.remove(found);
        if !is_last {
            return self.sides.is_near(side, rank);
        }
        self.levels.close(found.level);
        match self.sides.find(side, rank) {
            Ok((at, _)) => self.sides.remove(side, at),
            Err(_) => {
                debug_assert!(false, "every level with orders is in its side");
                true
            }
        }
    }

    #[inline]
    fn find(&self, instrument: InstrumentId, id: OrderId) -> Result<Found, Reject> {
        let found = self.orders.find(id).ok_or(Reject::UnknownOrder)?;
        if self.levels.get(found.level).instrument() != instrument {
            return Err(Reject::WrongInstrument);
        }
        Ok(found)
    }

    /// Removes everything of one instrument; goes over all orders.
    #[cold]
    fn empty(&mut self, instrument: InstrumentId) {
        let levels = &self.levels;
        self.orders
            .remove_all(|level| levels.get(level).instrument() == instrument);
        for side in [Side::Bid, Side::Ask] {
            let side = side_number(instrument, side);
            let numbers = self.sides.best_first(side);
            let levels = &mut self.levels;
            numbers.for_each(|level| levels.close(level));
            self.sides.clear(side);
        }
    }
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
    side: u32,
    slot: u32,
    chunk: u32,
    rank: i64,
    level: u32,
    /// The rank is known: an add's own, or read from the level.
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
            side: number,
            slot: self.orders.hint(id),
            rank: rank_of(side, price),
            level: NONE,
            has_rank: true,
            ..Ahead::default()
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
            level: NONE,
            ..Ahead::default()
        }
    }

    /// Second step: the order's level, or the add's index.
    #[inline]
    pub(crate) fn ahead_second(&self, ahead: &mut Ahead) {
        if ahead.has_rank {
            self.sides.hint_entries(ahead.side);
        } else {
            ahead.level = self.orders.peek_level(ahead.slot);
            self.levels.hint(ahead.level);
            if self.queues.is_kept() {
                self.queues.hint_neighbours(ahead.slot);
            }
        }
    }

    /// Third step: the add's chunk; of a level that will go, its side.
    #[inline]
    pub(crate) fn ahead_third(&self, ahead: &mut Ahead) {
        if ahead.has_rank {
            ahead.chunk = self.sides.hint_chunk(ahead.side, ahead.rank);
        } else if let Some(level) = self.levels.peek(ahead.level) {
            ahead.side = side_of(level);
            ahead.rank = level.rank;
            self.sides.hint_side(ahead.side);
            ahead.has_rank = level.orders == 1;
        }
    }

    /// Fourth step: the add's level; of a level that will go, its chunk.
    #[inline]
    pub(crate) fn ahead_fourth(&self, ahead: &Ahead) {
        if !ahead.has_rank {
            return;
        }
        if ahead.level == NONE {
            self.levels
                .hint(self.sides.peek_level(ahead.chunk, ahead.rank));
        } else {
            let _ = self.sides.hint_chunk(ahead.side, ahead.rank);
        }
    }
}

impl BookSet {
    /// Asks for the best levels of books that will be read soon, one kind of memory at a time, so
    /// that the books wait for it together.
    pub(crate) fn soon(&self, books: &[InstrumentId]) {
        let is_open = |id: &&InstrumentId| (id.0 as usize) < self.len();
        let sides = || {
            let books = books.iter().filter(is_open);
            books.flat_map(|&id| [Side::Bid, Side::Ask].map(|side| side_number(id, side)))
        };
        sides().for_each(|side| self.sides.hint_side(side));
        sides().for_each(|side| self.sides.hint_best_entry(side));
        sides().for_each(|side| self.sides.hint_best_numbers(side));
        for side in sides() {
            let numbers = self.sides.best_first(side).take(TOP_LEVELS);
            numbers.for_each(|number| self.levels.hint(number));
        }
    }
}

fn side_of(level: &Level) -> u32 {
    side_number(level.instrument(), level.side())
}
