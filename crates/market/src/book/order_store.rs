//! Order reference to order: direct where references are dense, hashed where they are sparse.
//!
//! Venues number orders from a counter, so live references lie close together. The store maps
//! `reference / 1024` through a directory to a page of 1024 records: two loads and no hashing.
//! Pages come from a fixed pool and go back when their last order leaves. A reference beyond the
//! directory, or one that finds the pool empty (few live orders spread over many pages), goes to
//! an open-addressing table with linear probing and backward-shift deletion (Knuth, TAOCP 3, 6.4,
//! algorithm R), so that no tombstones pile up over a day.

use crate::event::{InstrumentId, OrderId, Qty, Side};

const PAGE_BITS: u32 = 10;
const PAGE: usize = 1 << PAGE_BITS;
/// References below this may live in pages; a directory entry costs 4 bytes per 1024 of them.
const DIRECT_IDS: u64 = 1 << 32;

const QTY_BITS: u32 = 40;
const QTY_MASK: u64 = (1 << QTY_BITS) - 1;
const SIDE_BIT: u64 = 1 << QTY_BITS;
const INSTRUMENT_SHIFT: u32 = QTY_BITS + 1;

/// One resting order in 16 bytes; four share a cache line.
///
/// `rank` orders prices so that a larger rank is nearer the touch on both sides. Quantity (40
/// bits), side (1) and instrument (23) share a word; a zero quantity marks a vacant record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Order {
    rank: i64,
    word: u64,
}

impl Order {
    /// The largest quantity a record holds.
    pub const QTY_MAX: Qty = Qty(QTY_MASK);
    const VACANT: Self = Self { rank: 0, word: 0 };

    /// `None` when the quantity is zero or above [`Order::QTY_MAX`], or the instrument above 2^23.
    #[must_use]
    pub fn new(instrument: InstrumentId, side: Side, rank: i64, qty: Qty) -> Option<Self> {
        if qty.0 == 0 || qty.0 > QTY_MASK || instrument.0 >> (64 - INSTRUMENT_SHIFT) != 0 {
            return None;
        }
        let side = if side == Side::Ask { SIDE_BIT } else { 0 };
        Some(Self {
            rank,
            word: qty.0 | side | u64::from(instrument.0) << INSTRUMENT_SHIFT,
        })
    }

    /// Position in its ladder: see [`Ladder`](super::Ladder).
    #[must_use]
    pub fn rank(self) -> i64 {
        self.rank
    }

    /// What it shows.
    #[must_use]
    pub fn qty(self) -> Qty {
        Qty(self.word & QTY_MASK)
    }

    /// Where it rests.
    #[must_use]
    pub fn side(self) -> Side {
        if self.word & SIDE_BIT == 0 {
            Side::Bid
        } else {
            Side::Ask
        }
    }

    /// Whose book it rests in.
    #[must_use]
    pub fn instrument(self) -> InstrumentId {
        InstrumentId((self.word >> INSTRUMENT_SHIFT) as u32)
    }

    fn is_vacant(self) -> bool {
        self.word == 0
    }
}

/// Where an order was found; valid until the next insert or remove.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Page { slot: usize, page: usize },
    Table(usize),
}

/// All resting orders of all instruments of one feed session.
#[derive(Debug)]
pub struct OrderStore {
    /// Page number plus one by `reference >> PAGE_BITS`; 0: no page.
    directory: Vec<u32>,
    slots: Vec<Order>,
    /// Live orders by page.
    live: Vec<u32>,
    free: Vec<u32>,
    table: Table,
    count: usize,
}

impl OrderStore {
    /// Memory for `orders_limit` live orders, whatever their references look like: 64 bytes
    /// an order in pages, since old orders leave pages thinly used, and about 48 in the hash
    /// table, touched only if used.
    #[must_use]
    pub fn new(orders_limit: usize) -> Self {
        let pages = (orders_limit * 4).div_ceil(PAGE).max(8);
        let mut slots = vec![Order::VACANT; pages * PAGE];
        // Zeroed memory is mapped on first touch; touch it now, not in the opening burst.
        for slot in slots.iter_mut().step_by(4096 / size_of::<Order>()) {
            *slot = std::hint::black_box(Order::VACANT);
        }
        Self {
            directory: vec![0; (DIRECT_IDS >> PAGE_BITS) as usize],
            slots,
            live: vec![0; pages],
            free: (0..pages as u32).rev().collect(),
            table: Table::new(orders_limit),
            count: 0,
        }
    }

    /// How many orders rest.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True when nothing rests.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How often the store had to allocate after start.
    #[must_use]
    pub fn growths(&self) -> u64 {
        self.table.growths
    }

    /// The order with this reference.
    #[must_use]
    pub fn get(&self, id: OrderId) -> Option<Order> {
        self.find(id).map(|(_, order)| order)
    }

    /// Adds an order. False, and nothing changes, when the reference is taken.
    pub fn insert(&mut self, id: OrderId, order: Order) -> bool {
        if self.table.count > 0 && self.table.find(id.0).is_some() {
            return false;
        }
        let Some(slot) = self.page_slot_for(id) else {
            self.table.insert(id.0, order);
            self.count += 1;
            return true;
        };
        if !self.slots[slot].is_vacant() {
            return false;
        }
        self.slots[slot] = order;
        self.live[slot >> PAGE_BITS] += 1;
        self.count += 1;
        true
    }

    /// Forgets all orders of one instrument. O(capacity): for a refresh, not for every event.
    pub fn remove_instrument(&mut self, instrument: InstrumentId) {
        for page in 0..self.directory.len() {
            if self.directory[page] == 0 {
                continue;
            }
            for offset in 0..PAGE {
                let id = OrderId((page as u64) << PAGE_BITS | offset as u64);
                self.remove_if_of(id, instrument);
                if self.directory[page] == 0 {
                    break;
                }
            }
        }
        let mut idx = 0;
        while idx < self.table.entries.len() {
            let entry = self.table.entries[idx];
            if !entry.order.is_vacant() && entry.order.instrument() == instrument {
                self.table.remove(idx);
                self.count -= 1;
            } else {
                idx += 1;
            }
        }
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        for page in self.directory.iter_mut().filter(|page| **page != 0) {
            let number = *page - 1;
            let start = number as usize * PAGE;
            self.slots[start..start + PAGE].fill(Order::VACANT);
            self.live[number as usize] = 0;
            self.free.push(number);
            *page = 0;
        }
        self.table.entries.fill(Entry::VACANT);
        self.table.count = 0;
        self.count = 0;
    }

    #[inline]
    pub(super) fn find(&self, id: OrderId) -> Option<(Place, Order)> {
        let page = id.0 >> PAGE_BITS;
        if let Some(&number) = self.directory.get(page as usize)
            && number != 0
        {
            let slot = (number as usize - 1) << PAGE_BITS | (id.0 as usize & (PAGE - 1));
            let order = self.slots[slot];
            if !order.is_vacant() {
                let page = page as usize;
                return Some((Place::Page { slot, page }, order));
            }
        }
        if self.table.count == 0 {
            return None;
        }
        let idx = self.table.find(id.0)?;
        Some((Place::Table(idx), self.table.entries[idx].order))
    }

    /// The record where a paged reference belongs, vacant or not, without a decision on its content.
    #[inline]
    pub(super) fn read(&self, id: OrderId) -> Order {
        let page = self.directory.get((id.0 >> PAGE_BITS) as usize);
        let number = page.map_or(0, |number| *number as usize).saturating_sub(1);
        let slot = number << PAGE_BITS | (id.0 as usize & (PAGE - 1));
        self.slots.get(slot).copied().unwrap_or_default()
    }

    /// Takes `qty` from the order at `place`; removes it at zero. `qty` must not exceed it.
    #[inline]
    pub(super) fn reduce(&mut self, place: Place, order: Order, qty: Qty) {
        if qty >= order.qty() {
            self.remove(place);
            return;
        }
        let word = order.word - qty.0;
        match place {
            Place::Page { slot, .. } => self.slots[slot].word = word,
            Place::Table(idx) => self.table.entries[idx].order.word = word,
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, place: Place) {
        self.count -= 1;
        match place {
            Place::Page { slot, page } => {
                self.slots[slot] = Order::VACANT;
                let number = slot >> PAGE_BITS;
                self.live[number] -= 1;
                if self.live[number] == 0 {
                    self.directory[page] = 0;
                    self.free.push(number as u32);
                }
            }
            Place::Table(idx) => self.table.remove(idx),
        }
    }

    fn remove_if_of(&mut self, id: OrderId, instrument: InstrumentId) {
        if let Some((place @ Place::Page { .. }, order)) = self.find(id)
            && order.instrument() == instrument
        {
            self.remove(place);
        }
    }

    /// The record for a reference in its page, with a page taken from the pool if need be.
    #[inline]
    fn page_slot_for(&mut self, id: OrderId) -> Option<usize> {
        let entry = self.directory.get_mut((id.0 >> PAGE_BITS) as usize)?;
        if *entry == 0 {
            *entry = self.free.pop()? + 1;
        }
        Some((*entry as usize - 1) << PAGE_BITS | (id.0 as usize & (PAGE - 1)))
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u64,
    order: Order,
}

impl Entry {
    const VACANT: Self = Self {
        id: 0,
        order: Order::VACANT,
    };
}

/// Open addressing with linear probing, at most half full.
#[derive(Debug)]
struct Table {
    entries: Vec<Entry>,
    shift: u32,
    count: usize,
    growths: u64,
}

impl Table {
    fn new(orders_limit: usize) -> Self {
        let size = (orders_limit * 2).next_power_of_two().max(16);
        Self {
            entries: vec![Entry::VACANT; size],
            shift: 64 - size.trailing_zeros(),
            count: 0,
            growths: 0,
        }
    }

    /// Fibonacci hashing: the high bits of a product with 2^64 / golden ratio.
    fn home(&self, id: u64) -> usize {
        (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    fn find(&self, id: u64) -> Option<usize> {
        let mask = self.entries.len() - 1;
        let mut idx = self.home(id);
        loop {
            let entry = self.entries[idx];
            if entry.order.is_vacant() {
                return None;
            }
            if entry.id == id {
                return Some(idx);
            }
            idx = (idx + 1) & mask;
        }
    }

    /// The caller has checked that `id` is absent.
    fn insert(&mut self, id: u64, order: Order) {
        if (self.count + 1) * 2 > self.entries.len() {
            self.grow();
        }
        let mask = self.entries.len() - 1;
        let mut idx = self.home(id);
        while !self.entries[idx].order.is_vacant() {
            idx = (idx + 1) & mask;
        }
        self.entries[idx] = Entry { id, order };
        self.count += 1;
    }

    /// Moves later members of the probe run into the hole while that brings them nearer home.
    fn remove(&mut self, mut hole: usize) {
        let mask = self.entries.len() - 1;
        let mut idx = hole;
        loop {
            idx = (idx + 1) & mask;
            let entry = self.entries[idx];
            if entry.order.is_vacant() {
                break;
            }
            let home = self.home(entry.id);
            let distance_to_hole = idx.wrapping_sub(hole) & mask;
            if idx.wrapping_sub(home) & mask >= distance_to_hole {
                self.entries[hole] = entry;
                hole = idx;
            }
        }
        self.entries[hole] = Entry::VACANT;
        self.count -= 1;
    }

    #[cold]
    fn grow(&mut self) {
        self.growths += 1;
        let size = self.entries.len() * 2;
        let old = std::mem::replace(&mut self.entries, vec![Entry::VACANT; size]);
        self.shift -= 1;
        self.count = 0;
        for entry in old.into_iter().filter(|entry| !entry.order.is_vacant()) {
            self.insert(entry.id, entry.order);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn an_order_is_sixteen_bytes() {
        assert_eq!(size_of::<Order>(), 16);
        let order = Order::new(InstrumentId(8_388_607), Side::Ask, -5, Order::QTY_MAX).unwrap();
        assert_eq!(
            (order.instrument(), order.side(), order.rank(), order.qty()),
            (InstrumentId(8_388_607), Side::Ask, -5, Order::QTY_MAX)
        );
        assert_eq!(Order::new(InstrumentId(0), Side::Bid, 1, Qty(0)), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64, u64),
        Remove(u64),
        Reduce(u64, u64),
    }

    /// Dense, page-crossing, beyond-the-directory and colliding references.
    fn id() -> impl Strategy<Value = u64> {
        prop_oneof![
            0u64..64,
            4_090u64..4_100,
            (0u64..40).prop_map(|page| page << PAGE_BITS),
            (0u64..64).prop_map(|n| DIRECT_IDS + n * 977),
            Just(u64::MAX),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (id(), 1u64..9).prop_map(|(id, qty)| Step::Insert(id, qty)),
            2 => id().prop_map(Step::Remove),
            2 => (id(), 1u64..9).prop_map(|(id, qty)| Step::Reduce(id, qty)),
        ]
    }

    proptest! {
        #[test]
        fn equals_a_hash_map(steps in prop::collection::vec(step(), 0..400)) {
            let mut store = OrderStore::new(4);
            let mut naive: HashMap<u64, u64> = HashMap::new();
            for step in steps {
                match step {
                    Step::Insert(id, qty) => {
                        let order = Order::new(InstrumentId(3), Side::Bid, 7, Qty(qty)).unwrap();
                        let fresh = !naive.contains_key(&id);
                        prop_assert_eq!(store.insert(OrderId(id), order), fresh);
                        naive.entry(id).or_insert(qty);
                    }
                    Step::Remove(id) => {
                        let found = store.find(OrderId(id));
                        prop_assert_eq!(found.is_some(), naive.remove(&id).is_some());
                        if let Some((place, _)) = found {
                            store.remove(place);
                        }
                    }
                    Step::Reduce(id, qty) => {
                        if let Some((place, order)) = store.find(OrderId(id)) {
                            store.reduce(place, order, Qty(qty));
                            let left = naive[&id].saturating_sub(qty);
                            if left == 0 { naive.remove(&id); } else { naive.insert(id, left); }
                        }
                    }
                }
                prop_assert_eq!(store.len(), naive.len());
            }
            for (id, qty) in &naive {
                prop_assert_eq!(store.get(OrderId(*id)).map(|o| o.qty()), Some(Qty(*qty)));
            }
            store.remove_instrument(InstrumentId(3));
            prop_assert_eq!(store.len(), 0);
            prop_assert!(naive.keys().all(|id| store.get(OrderId(*id)).is_none()));
        }
    }
}
