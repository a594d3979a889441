//! Order reference to order: direct where references are dense, hashed where they are sparse.
//!
//! Venues number orders from a counter, so the references of young orders lie close together, and
//! most orders die young. The store maps `reference / 256` through a directory to a page of 256
//! records: two loads and no hashing, and four neighbours a cache line. Pages come from a fixed
//! pool and go back when their last order leaves.
//!
//! Few orders live long, but each would hold a whole page. So when the pool is empty, the oldest
//! page is *thinned*: its last orders move to single places, found through an open-addressing table
//! with linear probing and backward-shift deletion (Knuth, TAOCP 3, 6.4, algorithm R), so that no
//! tombstones pile up over a day. References beyond the directory start there.
//!
//! Every record has a *slot*, a number that names it while it stays where it is.

use std::collections::HashMap;

use crate::event::OrderId;

const PAGE_BITS: u32 = 8;
const PAGE: usize = 1 << PAGE_BITS;
/// References below this have a place in the directory.
const DIRECT_IDS: u64 = 1 << 32;
/// Set in the directory when orders of that page have moved to the table.
const THINNED: u32 = 1 << 31;
/// A quantity that does not fit a record stands beside it.
const WIDE: u32 = u32::MAX;
/// Wide quantities expected.
const WIDE_EXPECTED: usize = 1_024;

/// A resting order: what it shows, and where. Four to a cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(16))]
struct Record {
    /// 0: vacant.
    qty: u32,
    side: u32,
    rank: i64,
}

const VACANT: Record = Record {
    qty: 0,
    side: 0,
    rank: 0,
};

/// What reading ahead knows of a slot that only the table can tell.
pub(super) const IN_TABLE: u32 = u32::MAX;

/// An order as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What the order shows.
    pub(super) qty: u64,
    /// The side it rests on.
    pub(super) side: u32,
    /// Its level there.
    pub(super) rank: i64,
}

/// An order whose record moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) side: u32,
    pub(super) rank: i64,
}

/// Orders of all instruments by reference.
#[derive(Debug)]
pub(super) struct OrderStore {
    /// For each `reference / PAGE`: the page number plus one, 0 for none, and [`THINNED`].
    directory: Vec<u32>,
    /// Pages, then single places.
    records: Vec<Record>,
    /// Orders in each page.
    live: Vec<u16>,
    /// The directory entry of each page.
    owner: Vec<u32>,
    free_pages: Vec<u32>,
    /// The page to be thinned next.
    hand: usize,
    /// References of single places.
    single_ids: Vec<u64>,
    free_singles: Vec<u32>,
    table: Table,
    /// By slot.
    wide: HashMap<u32, u64>,
    count: usize,
    growths: u64,
}

impl OrderStore {
    /// For `orders_limit` live orders. Beyond it the single places grow, which allocates.
    pub(super) fn new(orders_limit: usize) -> Self {
        let pages = (orders_limit * 4).div_ceil(PAGE).max(8);
        let mut records = Vec::with_capacity(pages * PAGE + orders_limit);
        records.resize(pages * PAGE, VACANT);
        // Zeroed memory is mapped on first touch; touch it now, not in the opening burst.
        for record in records.iter_mut().step_by(4096 / size_of::<Record>()) {
            *record = std::hint::black_box(VACANT);
        }
        Self {
            directory: vec![0; (DIRECT_IDS >> PAGE_BITS) as usize],
            records,
            live: vec![0; pages],
            owner: vec![0; pages],
            free_pages: (0..pages as u32).rev().collect(),
            hand: 0,
            single_ids: Vec::with_capacity(orders_limit),
            free_singles: Vec::with_capacity(orders_limit),
            table: Table::new(orders_limit),
            wide: HashMap::with_capacity(WIDE_EXPECTED),
            count: 0,
            growths: 0,
        }
    }

    /// Live orders.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// How often memory had to grow after start.
    pub(super) fn growths(&self) -> u64 {
        self.growths + self.table.growths
    }

    /// Slots are below this.
    pub(super) fn slots(&self) -> usize {
        self.records.len()
    }

    /// The slot of the order with this reference. A number and not a [`Found`], since what is larger
    /// than two registers goes from hand to hand through memory, and that costs as much as the order.
    #[inline]
    pub(super) fn slot(&self, id: OrderId) -> Option<u32> {
        let entry = self.directory.get((id.0 >> PAGE_BITS) as usize).copied();
        if let Some(page) = entry.and_then(page_of) {
            let slot = slot_of(page, id);
            if self.records[slot].qty != 0 {
                return Some(slot as u32);
            }
        }
        if entry.is_some_and(|entry| entry & THINNED == 0) {
            return None;
        }
        self.single_slot(id)
    }

    /// The side of the order in a slot.
    #[inline]
    pub(super) fn side_in(&self, slot: u32) -> u32 {
        self.records[slot as usize].side
    }

    /// The order in a slot.
    #[inline(always)]
    pub(super) fn at(&self, slot: u32) -> Found {
        let record = &self.records[slot as usize];
        Found {
            qty: self.shown(slot, record),
            side: record.side,
            rank: record.rank,
        }
    }

    /// The reference of the order in a slot.
    pub(super) fn id_of(&self, slot: u32) -> OrderId {
        let (page, offset) = (slot as usize / PAGE, slot as usize % PAGE);
        OrderId(match self.owner.get(page) {
            Some(&owner) => u64::from(owner) << PAGE_BITS | offset as u64,
            None => self.single_ids[slot as usize - self.owner.len() * PAGE],
        })
    }

    /// What the order in a slot shows.
    pub(super) fn qty_of(&self, slot: u32) -> u64 {
        self.shown(slot, &self.records[slot as usize])
    }

    /// Stores an order that must not be there yet; returns its slot. `moved` hears of every order
    /// that had to make room.
    ///
    /// # Panics
    /// When `qty` is zero: that means vacant.
    #[inline]
    pub(super) fn insert(
        &mut self,
        id: OrderId,
        qty: u64,
        (side, rank): (u32, i64),
        moved: impl FnMut(Moved),
    ) -> u32 {
        assert!(qty > 0, "an order that shows nothing does not rest");
        self.count += 1;
        let slot = match self.directory.get((id.0 >> PAGE_BITS) as usize) {
            None => self.insert_single(id),
            Some(&entry) => {
                let page = page_of(entry).unwrap_or_else(|| self.open_page(id, moved));
                self.live[page] += 1;
                slot_of(page, id)
            }
        };
        self.records[slot] = Record {
            qty: self.narrow(slot, qty),
            side,
            rank,
        };
        slot as u32
    }

    /// Sets what an order shows; at zero it is gone.
    #[inline]
    pub(super) fn set_qty(&mut self, slot: u32, qty: u64) {
        if qty == 0 {
            self.remove(slot);
        } else {
            self.records[slot as usize].qty = self.narrow(slot as usize, qty);
        }
    }

    /// Removes an order.
    #[inline]
    pub(super) fn remove(&mut self, slot: u32) {
        self.count -= 1;
        let place = slot as usize;
        if self.records[place].qty == WIDE {
            self.wide.remove(&slot);
        }
        self.records[place] = VACANT;
        match self.live.get_mut(place / PAGE) {
            Some(live) => {
                *live -= 1;
                if *live == 0 {
                    self.close_page(place / PAGE);
                }
            }
            None => self.remove_single(slot),
        }
    }

    /// Removes every order on the sides that `of` names.
    pub(super) fn remove_all(&mut self, of: impl Fn(u32) -> bool) {
        for slot in 0..self.records.len() {
            let record = self.records[slot];
            if record.qty != 0 && of(record.side) {
                self.remove(slot as u32);
            }
        }
    }

    /// Removes every order. Time grows with what was stored, not with what could be.
    pub(super) fn clear(&mut self) {
        let pages = self.owner.len();
        for page in 0..pages {
            if self.live[page] > 0 {
                let start = page * PAGE;
                self.records[start..start + PAGE].fill(VACANT);
                self.live[page] = 0;
                self.directory[self.owner[page] as usize] = 0;
                self.free_pages.push(page as u32);
            }
        }
        for id in self.single_ids.drain(..) {
            if let Some(entry) = self.directory.get_mut((id >> PAGE_BITS) as usize) {
                *entry = 0;
            }
        }
        self.records.truncate(pages * PAGE);
        self.free_singles.clear();
        self.table.clear();
        self.wide.clear();
        self.count = 0;
    }

    /// For reading ahead: asks for the record of a reference and gives its slot, or asks for where the
    /// table names it and gives [`IN_TABLE`].
    #[inline]
    pub(super) fn hint(&self, id: OrderId) -> u32 {
        let entry = self.directory.get((id.0 >> PAGE_BITS) as usize);
        match entry.copied() {
            Some(entry) if entry & THINNED == 0 => {
                let slot = slot_of(page_of(entry).unwrap_or(0), id);
                stdx::hint::soon(&self.records, slot);
                slot as u32
            }
            _ => {
                self.table.hint(id.0);
                IN_TABLE
            }
        }
    }

    /// For reading ahead, after [`IN_TABLE`]: asks for the record and gives its slot.
    #[inline]
    pub(super) fn hint_single(&self, id: OrderId) -> u32 {
        let slot = self.slot(id).unwrap_or(0);
        stdx::hint::soon(&self.records, slot as usize);
        slot
    }

    /// For reading ahead: side and rank of whatever is in a slot.
    #[inline]
    pub(super) fn peek(&self, slot: u32) -> (u32, i64) {
        let record = self.records.get(slot as usize).unwrap_or(&VACANT);
        (record.side, record.rank)
    }

    #[inline]
    fn shown(&self, slot: u32, record: &Record) -> u64 {
        match record.qty {
            WIDE => self.wide.get(&slot).copied().unwrap_or(u64::from(WIDE)),
            qty => u64::from(qty),
        }
    }

    /// The quantity as a record holds it.
    #[inline]
    fn narrow(&mut self, slot: usize, qty: u64) -> u32 {
        match u32::try_from(qty) {
            Ok(qty) if qty != WIDE => qty,
            _ => self.widen(slot, qty),
        }
    }

    #[cold]
    fn widen(&mut self, slot: usize, qty: u64) -> u32 {
        self.growths += u64::from(self.wide.len() == self.wide.capacity());
        self.wide.insert(slot as u32, qty);
        WIDE
    }

    #[cold]
    fn single_slot(&self, id: OrderId) -> Option<u32> {
        self.table.find(id.0)
    }

    #[cold]
    fn insert_single(&mut self, id: OrderId) -> usize {
        let slot = self.take_single(id.0);
        self.table.insert(id.0, slot);
        slot as usize
    }

    #[cold]
    fn remove_single(&mut self, slot: u32) {
        let id = self.id_of(slot);
        self.table.remove(id.0);
        self.free_singles.push(slot);
    }

    fn take_single(&mut self, id: u64) -> u32 {
        let first = self.owner.len() * PAGE;
        if let Some(slot) = self.free_singles.pop() {
            self.single_ids[slot as usize - first] = id;
            return slot;
        }
        if self.records.len() == self.records.capacity() {
            // Records, references and free places grow together.
            self.growths += 3;
            let more = self.single_ids.len().max(64);
            self.records.reserve_exact(more);
            self.single_ids.reserve_exact(more);
            let total = self.single_ids.len() + more;
            self.free_singles
                .reserve_exact(total - self.free_singles.len());
        }
        self.records.push(VACANT);
        self.single_ids.push(id);
        self.records.len() as u32 - 1
    }

    /// A page for a reference that has none.
    #[cold]
    fn open_page(&mut self, id: OrderId, moved: impl FnMut(Moved)) -> usize {
        if self.free_pages.is_empty() {
            self.thin_oldest(moved);
        }
        let page = self
            .free_pages
            .pop()
            .expect("a page that was thinned is free");
        let entry = (id.0 >> PAGE_BITS) as usize;
        self.directory[entry] = self.directory[entry] & THINNED | (page + 1);
        self.owner[page as usize] = entry as u32;
        page as usize
    }

    fn close_page(&mut self, page: usize) {
        self.directory[self.owner[page] as usize] &= THINNED;
        self.free_pages.push(page as u32);
    }

    /// Pages are taken in turn, so the hand goes over them in about the order of their age.
    fn thin_oldest(&mut self, mut moved: impl FnMut(Moved)) {
        let page = self.hand;
        self.hand = (self.hand + 1) % self.owner.len();
        let owner = self.owner[page];
        let id_of = |slot: usize| u64::from(owner) << PAGE_BITS | (slot % PAGE) as u64;
        for slot in page * PAGE..(page + 1) * PAGE {
            if self.records[slot].qty != 0 {
                self.table.hint(id_of(slot));
            }
        }
        for from in page * PAGE..(page + 1) * PAGE {
            let record = self.records[from];
            if record.qty == 0 {
                continue;
            }
            let id = id_of(from);
            let to = self.take_single(id);
            self.table.insert(id, to);
            if record.qty == WIDE
                && let Some(qty) = self.wide.remove(&(from as u32))
            {
                self.wide.insert(to, qty);
            }
            self.records[to as usize] = record;
            self.records[from] = VACANT;
            moved(Moved {
                from: from as u32,
                to,
                side: record.side,
                rank: record.rank,
            });
        }
        self.live[page] = 0;
        self.directory[owner as usize] = THINNED;
        self.free_pages.push(page as u32);
    }
}

#[inline]
fn page_of(entry: u32) -> Option<usize> {
    ((entry & !THINNED) as usize).checked_sub(1)
}

#[inline]
fn slot_of(page: usize, id: OrderId) -> usize {
    page << PAGE_BITS | (id.0 as usize & (PAGE - 1))
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u64,
    slot: u32,
    is_used: bool,
}

const UNUSED: Entry = Entry {
    id: 0,
    slot: 0,
    is_used: false,
};

/// References to slots; at most half full.
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
            entries: vec![UNUSED; size],
            shift: 64 - size.trailing_zeros(),
            count: 0,
            growths: 0,
        }
    }

    /// Fibonacci hashing (Knuth, TAOCP 3, 6.4): multiply by 2^64 / phi, take the top bits.
    fn home(&self, id: u64) -> usize {
        (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    fn place(&self, id: u64) -> Option<usize> {
        let mask = self.entries.len() - 1;
        let mut idx = self.home(id);
        loop {
            let entry = self.entries[idx];
            if !entry.is_used {
                return None;
            }
            if entry.id == id {
                return Some(idx);
            }
            idx = (idx + 1) & mask;
        }
    }

    /// For reading ahead: where a reference is named.
    #[inline]
    fn hint(&self, id: u64) {
        stdx::hint::soon(&self.entries, self.home(id));
    }

    fn find(&self, id: u64) -> Option<u32> {
        self.place(id).map(|idx| self.entries[idx].slot)
    }

    fn insert(&mut self, id: u64, slot: u32) {
        if (self.count + 1) * 2 > self.entries.len() {
            self.grow();
        }
        let mask = self.entries.len() - 1;
        let mut idx = self.home(id);
        while self.entries[idx].is_used {
            idx = (idx + 1) & mask;
        }
        self.entries[idx] = Entry {
            id,
            slot,
            is_used: true,
        };
        self.count += 1;
    }

    fn remove(&mut self, id: u64) {
        let Some(mut hole) = self.place(id) else {
            debug_assert!(false, "a single place has its reference in the table");
            return;
        };
        let mask = self.entries.len() - 1;
        let mut idx = hole;
        loop {
            idx = (idx + 1) & mask;
            let entry = self.entries[idx];
            if !entry.is_used {
                break;
            }
            let home = self.home(entry.id);
            let distance_to_hole = idx.wrapping_sub(hole) & mask;
            if idx.wrapping_sub(home) & mask >= distance_to_hole {
                self.entries[hole] = entry;
                hole = idx;
            }
        }
        self.entries[hole] = UNUSED;
        self.count -= 1;
    }

    fn clear(&mut self) {
        self.entries.fill(UNUSED);
        self.count = 0;
    }

    #[cold]
    fn grow(&mut self) {
        self.growths += 1;
        let size = self.entries.len() * 2;
        let old = std::mem::replace(&mut self.entries, vec![UNUSED; size]);
        self.shift -= 1;
        self.count = 0;
        for entry in old.into_iter().filter(|entry| entry.is_used) {
            self.insert(entry.id, entry.slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64, u64),
        Remove(u64),
        Set(u64, u64),
    }

    fn id() -> impl Strategy<Value = u64> {
        prop_oneof![
            0u64..64,
            1_020u64..1_030,
            (0u64..40).prop_map(|page| page << PAGE_BITS),
            (0u64..64).prop_map(|n| DIRECT_IDS + n * 977),
            Just(u64::MAX),
        ]
    }

    fn qty() -> impl Strategy<Value = u64> {
        prop_oneof![1u64..9, (0u64..3).prop_map(|n| u64::from(WIDE) - 1 + n)]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (id(), qty()).prop_map(|(id, qty)| Step::Insert(id, qty)),
            2 => id().prop_map(Step::Remove),
            2 => (id(), qty()).prop_map(|(id, qty)| Step::Set(id, qty)),
        ]
    }

    /// A store, its twin, and where each order should be.
    struct Pair {
        store: OrderStore,
        /// Quantity, side, slot; the rank is the side, negated.
        naive: HashMap<u64, (u64, u32, u32)>,
    }

    impl Pair {
        fn take(&mut self, step: &Step, number: u32) {
            match *step {
                Step::Insert(id, qty) => {
                    if self.store.slot(OrderId(id)).is_some() {
                        return;
                    }
                    let mut moves = Vec::new();
                    let slot = self.store.insert(
                        OrderId(id),
                        qty,
                        (number, -i64::from(number)),
                        |moved| {
                            moves.push(moved);
                        },
                    );
                    for moved in moves {
                        let order = self.naive.values_mut().find(|o| o.2 == moved.from);
                        let order = order.expect("only what is there moves");
                        assert_eq!((order.1, -i64::from(order.1)), (moved.side, moved.rank));
                        order.2 = moved.to;
                    }
                    self.naive.insert(id, (qty, number, slot));
                }
                Step::Remove(id) => {
                    let slot = self.store.slot(OrderId(id));
                    assert_eq!(slot.is_some(), self.naive.remove(&id).is_some());
                    slot.into_iter().for_each(|slot| self.store.remove(slot));
                }
                Step::Set(id, qty) => {
                    if let Some(slot) = self.store.slot(OrderId(id)) {
                        self.store.set_qty(slot, qty - 1);
                        match self.naive.get_mut(&id) {
                            Some(order) if qty > 1 => order.0 = qty - 1,
                            _ => drop(self.naive.remove(&id)),
                        }
                    }
                }
            }
        }

        fn check(&self) {
            assert_eq!(self.store.len(), self.naive.len());
            for (&id, &(qty, side, slot)) in &self.naive {
                let rank = -i64::from(side);
                assert_eq!(self.store.slot(OrderId(id)), Some(slot));
                assert_eq!(self.store.at(slot), Found { qty, side, rank });
                assert_eq!(self.store.id_of(slot), OrderId(id));
            }
        }
    }

    proptest! {
        #[test]
        fn equals_a_hash_map(steps in prop::collection::vec(step(), 0..400)) {
            let mut pair = Pair { store: OrderStore::new(4), naive: HashMap::new() };
            for (number, step) in steps.iter().enumerate() {
                pair.take(step, number as u32);
            }
            pair.check();
            pair.store.remove_all(|side| side % 2 == 0);
            pair.naive.retain(|_, order| order.1 % 2 == 1);
            pair.check();
            pair.store.clear();
            prop_assert_eq!(pair.store.len(), 0);
            prop_assert!(pair.naive.keys().all(|&id| pair.store.slot(OrderId(id)).is_none()));
            pair.naive.clear();
            for (number, step) in steps.iter().enumerate() {
                pair.take(step, number as u32);
            }
            pair.check();
        }
    }
}
