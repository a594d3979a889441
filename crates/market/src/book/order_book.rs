//! Order by order (L3) books that share one order store.

use super::ladder::{Ladder, price_of, rank_of};
use super::order_store::{Order, OrderStore, Place};
use super::{Applied, Reject, digest_of_ladders};
use crate::event::{Event, InstrumentId, OrderId, Price, Qty, Side};
use crate::publish::{Level, TOP_LEVELS};

/// All resting quantity at one price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    qty: u64,
    orders: u32,
}

/// The levels of one instrument. The orders behind them live in an [`OrderStore`].
#[derive(Clone, Debug)]
pub struct OrderBook {
    bids: Ladder<Total>,
    asks: Ladder<Total>,
}

impl OrderBook {
    /// Room for `levels_reserve` levels on each side before the arrays must grow.
    #[must_use]
    pub fn new(levels_reserve: usize) -> Self {
        Self {
            bids: Ladder::new(levels_reserve),
            asks: Ladder::new(levels_reserve),
        }
    }

    /// The best level of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        let (rank, total) = self.ladder(side).best()?;
        Some(level_of(side, rank, total))
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        let levels = self.ladder(side).best_first();
        levels.map(move |(rank, total)| level_of(side, rank, total))
    }

    /// Copies the best levels of a side to `top`; returns how many there were room and levels for.
    pub fn top(&self, side: Side, top: &mut [Level]) -> usize {
        let mut count = 0;
        for (slot, level) in top.iter_mut().zip(self.levels(side)) {
            *slot = level;
            count += 1;
        }
        count
    }

    /// How many levels a side has.
    #[must_use]
    pub fn depth(&self, side: Side) -> usize {
        self.ladder(side).len()
    }

    /// Best bid equals best ask.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.spread_order() == Some(std::cmp::Ordering::Equal)
    }

    /// Best bid is above best ask.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        self.spread_order() == Some(std::cmp::Ordering::Greater)
    }

    /// The middle of best bid and best ask, rounded towards minus infinity.
    #[must_use]
    pub fn mid(&self) -> Option<Price> {
        let bid = self.best(Side::Bid)?.price.0;
        let ask = self.best(Side::Ask)?.price.0;
        Some(Price((bid & ask) + ((bid ^ ask) >> 1)))
    }

    /// A hash of all levels of both sides, salted with `key`; equal for equal books.
    #[must_use]
    pub fn digest(&self, key: u64) -> u64 {
        let flat = |ladder: &Ladder<Total>, out: &mut dyn FnMut(i64, u64, u32)| {
            for (rank, total) in ladder.best_first() {
                out(rank, total.qty, total.orders);
            }
        };
        digest_of_ladders(
            key,
            |out| flat(&self.bids, out),
            |out| flat(&self.asks, out),
        )
    }

    /// How often the arrays had to grow after start.
    #[must_use]
    pub fn growths(&self) -> u64 {
        self.bids.growths() + self.asks.growths()
    }

    fn spread_order(&self) -> Option<std::cmp::Ordering> {
        let (bid, _) = self.bids.best()?;
        let (ask, _) = self.asks.best()?;
        Some(bid.cmp(&!ask))
    }

    fn ladder(&self, side: Side) -> &Ladder<Total> {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    fn ladder_mut(&mut self, side: Side) -> &mut Ladder<Total> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    /// An order joins; true when the level is among the best. Sums wrap: they undo exactly.
    #[inline]
    fn join(&mut self, order: Order) -> bool {
        let ladder = self.ladder_mut(order.side());
        let at = match ladder.find(order.rank()) {
            Ok(at) => {
                let total = ladder.level_mut(at);
                total.qty = total.qty.wrapping_add(order.qty().0);
                total.orders += 1;
                at
            }
            Err(at) => {
                let qty = order.qty().0;
                ladder.insert(at, order.rank(), Total { qty, orders: 1 })
            }
        };
        ladder.is_among_best(at, TOP_LEVELS)
    }

    /// An order shows `qty` less; `gone` when it leaves. True when the level is among the best.
    #[inline]
    fn take(&mut self, order: Order, qty: Qty, gone: bool) -> bool {
        let ladder = self.ladder_mut(order.side());
        let Ok(at) = ladder.find(order.rank()) else {
            debug_assert!(false, "every stored order has its level");
            return true;
        };
        let near = ladder.is_among_best(at, TOP_LEVELS);
        let total = ladder.level_mut(at);
        total.qty = total.qty.wrapping_sub(qty.0);
        total.orders -= u32::from(gone);
        if total.orders == 0 {
            ladder.remove(at);
        }
        near
    }

    fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }
}

fn level_of(side: Side, rank: i64, total: Total) -> Level {
    Level {
        price: price_of(side, rank),
        qty: Qty(total.qty),
        orders: total.orders,
    }
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
    store: OrderStore,
    books: Vec<OrderBook>,
    count: usize,
    levels_reserve: usize,
    growths: u64,
}

impl BookSet {
    /// Memory for `instruments_limit` books of `levels_reserve` levels a side and `orders_limit`
    /// live orders in all.
    #[must_use]
    pub fn new(instruments_limit: usize, orders_limit: usize, levels_reserve: usize) -> Self {
        let books = (0..instruments_limit).map(|_| OrderBook::new(levels_reserve));
        Self {
            store: OrderStore::new(orders_limit),
            books: books.collect(),
            count: 0,
            levels_reserve,
            growths: 0,
        }
    }

    /// The next instrument's book, empty. Ids are dense from 0. Beyond the limit it allocates.
    pub fn open(&mut self) -> InstrumentId {
        let id = InstrumentId(self.count as u32);
        if self.count == self.books.len() {
            self.growths += 1;
            self.books.push(OrderBook::new(self.levels_reserve));
        }
        self.count += 1;
        id
    }

    /// One instrument's book.
    #[must_use]
    pub fn book(&self, instrument: InstrumentId) -> Option<&OrderBook> {
        self.books[..self.count].get(instrument.0 as usize)
    }

    /// The order with this reference.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<Order> {
        self.store.get(id)
    }

    /// The record where an order would be found. It may be vacant or another's: this is for reading
    /// ahead, so that the record is in the cache when it is needed.
    #[inline]
    pub(crate) fn read_order(&self, id: OrderId) -> Order {
        self.store.read(id)
    }

    /// Reads the ranks around a rank; the chunk is for [`BookSet::read_level`].
    #[inline]
    pub(crate) fn read_ranks(&self, instrument: InstrumentId, side: Side, rank: i64) -> (u32, i64) {
        let book = self.books.get(instrument.0 as usize);
        book.map_or((0, 0), |book| book.ladder(side).read_ranks(rank))
    }

    /// Reads the level near a rank.
    #[inline]
    pub(crate) fn read_level(
        &self,
        instrument: InstrumentId,
        side: Side,
        chunk: u32,
        rank: i64,
    ) -> u32 {
        let book = self.books.get(instrument.0 as usize);
        let total = book.and_then(|book| book.ladder(side).read_level(chunk, rank));
        total.map_or(0, |total| total.orders)
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
        self.store.len()
    }

    /// How often memory had to grow after start: above zero, raise the limits.
    #[must_use]
    pub fn growths(&self) -> u64 {
        let books: u64 = self.books.iter().map(OrderBook::growths).sum();
        self.growths + self.store.growths() + books
    }

    /// Empties all books; instruments stay.
    pub fn clear(&mut self) {
        self.store.clear();
        self.books.iter_mut().for_each(OrderBook::clear);
    }

    /// The sum of all books' digests, each salted with the key that `key_of` gives its instrument
    /// ([`symbol_key`](super::symbol_key)): instruments may be numbered differently elsewhere, and
    /// an empty book counts nothing.
    #[must_use]
    pub fn digest(&self, mut key_of: impl FnMut(InstrumentId) -> u64) -> u64 {
        let books = self.books[..self.count].iter().enumerate();
        books
            .filter(|(_, book)| book.depth(Side::Bid) + book.depth(Side::Ask) > 0)
            .map(|(idx, book)| book.digest(key_of(InstrumentId(idx as u32))))
            .fold(0, u64::wrapping_add)
    }

    /// Applies one L3 event. Prints, states and busts change no book and are accepted.
    ///
    /// # Errors
    /// When the event contradicts the book; nothing of it is applied.
    #[inline]
    pub fn apply(&mut self, instrument: InstrumentId, event: &Event) -> Result<Applied, Reject> {
        let idx = instrument.0 as usize;
        if idx >= self.count {
            return Err(Reject::UnknownInstrument);
        }
        match *event {
            Event::Add {
                order_id,
                side,
                price,
                qty,
            } => {
                let near = self.add(instrument, order_id, side, price, qty)?;
                Ok(Applied::book(near))
            }
            Event::Reduce { order_id, qty } => {
                let (near, _) = self.take(instrument, order_id, qty)?;
                Ok(Applied::book(near))
            }
            Event::Delete { order_id } => {
                let near = self.delete(instrument, order_id)?;
                Ok(Applied::book(near))
            }
            Event::Replace {
                old_order_id,
                order_id,
                price,
                qty,
            } => {
                let near = self.replace(instrument, old_order_id, order_id, price, qty)?;
                Ok(Applied::book(near))
            }
            Event::Amend {
                order_id,
                price,
                qty,
            } => {
                let near = self.amend(instrument, order_id, price, qty)?;
                Ok(Applied::book(near))
            }
            Event::Execute {
                order_id,
                qty,
                price,
                ..
            } => {
                let (near, order) = self.take(instrument, order_id, qty)?;
                let price = price.unwrap_or_else(|| price_of(order.side(), order.rank()));
                Ok(Applied {
                    near,
                    execution: Some((price, order.side().opposite())),
                })
            }
            Event::Clear => {
                self.store.remove_instrument(instrument);
                self.books[idx].clear();
                Ok(Applied::book(true))
            }
            Event::Level { .. } => Err(Reject::WrongKind),
            // Prints, states, auctions, limits and amendments change no book.
            _ => Ok(Applied::default()),
        }
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
        let book = self.books[..self.count].get_mut(instrument.0 as usize);
        let book = book.ok_or(Reject::UnknownInstrument)?;
        let order = order_of(instrument, side, rank_of(side, price), qty)?;
        if !self.store.insert(order_id, order) {
            return Err(Reject::DuplicateOrder);
        }
        Ok(book.join(order))
    }

    /// [`Event::Reduce`] in parts.
    #[inline]
    pub(crate) fn reduce(
        &mut self,
        instrument: InstrumentId,
        order_id: OrderId,
        qty: Qty,
    ) -> Result<bool, Reject> {
        self.take(instrument, order_id, qty).map(|(near, _)| near)
    }

    /// [`Event::Delete`] in parts.
    #[inline]
    pub(crate) fn delete(
        &mut self,
        instrument: InstrumentId,
        order_id: OrderId,
    ) -> Result<bool, Reject> {
        let (place, order) = self.find(instrument, order_id)?;
        self.store.remove(place);
        Ok(self.books[instrument.0 as usize].take(order, order.qty(), true))
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
        let (place, old) = self.find(instrument, old_order_id)?;
        let order = order_of(instrument, old.side(), rank_of(old.side(), price), qty)?;
        if old_order_id != order_id && self.store.find(order_id).is_some() {
            return Err(Reject::DuplicateOrder);
        }
        self.store.remove(place);
        self.store.insert(order_id, order);
        let book = &mut self.books[instrument.0 as usize];
        let left_near = book.take(old, old.qty(), true);
        let joined_near = book.join(order);
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
        let (_, old) = self.find(instrument, order_id)?;
        let order = order_of(instrument, old.side(), rank_of(old.side(), price), qty)?;
        if order.rank() == old.rank() && order.qty() <= old.qty() {
            self.reduce(instrument, order_id, Qty(old.qty().0 - qty.0))
        } else {
            self.replace(instrument, order_id, order_id, price, qty)
        }
    }

    #[inline]
    fn take(
        &mut self,
        instrument: InstrumentId,
        order_id: OrderId,
        qty: Qty,
    ) -> Result<(bool, Order), Reject> {
        let (place, order) = self.find(instrument, order_id)?;
        if qty > order.qty() {
            return Err(Reject::OverExecuted);
        }
        self.store.reduce(place, order, qty);
        let gone = qty == order.qty();
        Ok((
            self.books[instrument.0 as usize].take(order, qty, gone),
            order,
        ))
    }

    #[inline]
    fn find(&self, instrument: InstrumentId, id: OrderId) -> Result<(Place, Order), Reject> {
        let (place, order) = self.store.find(id).ok_or(Reject::UnknownOrder)?;
        if order.instrument() != instrument {
            return Err(Reject::WrongInstrument);
        }
        Ok((place, order))
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

fn order_of(instrument: InstrumentId, side: Side, rank: i64, qty: Qty) -> Result<Order, Reject> {
    Order::new(instrument, side, rank, qty).ok_or(if qty.0 == 0 {
        Reject::ZeroQty
    } else {
        Reject::QtyTooLarge
    })
}
