//! Ordinary trading: which listing, which kind of event, which order, which price.
//!
//! The weights are those of a whole day of real traffic; the opening adds batches. Nothing here
//! matches orders: a marketable order is told as executions of the orders it would hit, and an add
//! is clamped so that it never crosses.

use std::cmp::Reverse;

use crate::book::Slot;
use crate::placement::{Distance, PRICE_MAX};
use crate::venue::{OPENING_NS, TICK, Venue, mpid};
use market::event::Side;
use wire::itch50::{
    self, AddOrder, AddOrderMpid, BrokenTrade, OrderCancel, OrderDelete, OrderExecuted,
    OrderExecutedWithPrice, OrderReplace, Trade,
};

/// Chances per ten thousand of each kind; flickers add the deletes that are missing here.
const ADD: u64 = 5_070;
const ADD_MPID: u64 = 54;
const REPLACE: u64 = 845;
const EXECUTE: u64 = 240;
const EXECUTE_WITH_PRICE: u64 = 5;
const REDUCE: u64 = 146;
const TRADE: u64 = 41;
const IMBALANCE: u64 = 115;
/// One add in so many is deleted within about a millisecond.
const FLICKER: f64 = 0.29;
/// The opening makes a book at most so many times as deep as an average one was before it.
const DEEPENING_LIMIT: usize = 16;

impl Venue {
    /// One beat of the flow: an event or a batch.
    pub(crate) fn flow_step(&mut self, out: &mut impl FnMut(&[u8])) {
        let listing = self.choose_listing();
        let before = self.emitted;
        let opening = self.config.opening_peak > 0.0
            && self.now_ns < self.config.start_ns + OPENING_NS + 4_000_000_000;
        let batch = if opening { 0.02 } else { 0.002 };
        if self.rng.chance(batch) {
            self.batch(listing, opening, out);
        } else {
            self.drift(listing);
            self.act(listing, out);
        }
        self.pace
            .owe((self.emitted - before).saturating_sub(1) as usize);
        let beat = self.pace.next(&mut self.rng);
        self.beat_ns = beat.at_ns;
        if beat.opens_burst {
            self.choose_leader();
        }
    }

    /// Deletes an order that was meant to live for less than a millisecond, if it still does.
    pub(crate) fn flicker(&mut self, out: &mut impl FnMut(&[u8])) {
        let Some(Reverse((_, slot, reference))) = self.flickers.pop() else {
            return;
        };
        if self.books.is_live(slot, reference) {
            self.delete(slot, out);
            self.pace.owe(1);
        }
    }

    fn choose_leader(&mut self) {
        if self.now_ns >= self.hot_until_ns {
            self.hot = self.choose_by_weight();
            self.hot_until_ns = self.now_ns + self.rng.range(500_000_000, 3_000_000_000);
        }
        self.leader = if self.rng.chance(0.1) {
            self.hot
        } else {
            self.choose_by_weight()
        };
        self.current = self.leader;
    }

    /// Runs: most events follow one of the same listing.
    fn choose_listing(&mut self) -> usize {
        if !self.rng.chance(0.65) {
            self.current = if self.rng.chance(0.4) {
                self.leader
            } else {
                self.choose_by_weight()
            };
        }
        self.current
    }

    fn choose_by_weight(&mut self) -> usize {
        let draw = self.rng.f64();
        self.weights
            .partition_point(|&sum| sum <= draw)
            .min(self.weights.len() - 1)
    }

    /// The fair price wanders and is drawn back, a few basis points a second.
    fn drift(&mut self, listing: usize) {
        let quoted = &mut self.quoted[listing];
        let since_ns = self.now_ns - quoted.drifted_ns;
        if since_ns < 5_000_000 || quoted.shocked {
            return;
        }
        quoted.drifted_ns = self.now_ns;
        let seconds = (since_ns as f64 * 1e-9).min(1.0);
        let pull = (quoted.anchor - quoted.fair) * 0.05 * seconds;
        let noise = quoted.fair * 1.5e-4 * seconds.sqrt() * self.rng.normal();
        quoted.fair = (quoted.fair + pull + noise).max(f64::from(10 * TICK));
    }

    fn act(&mut self, listing: usize, out: &mut impl FnMut(&[u8])) {
        if let Some(side) = self.offside(listing) {
            return self.chase(listing, side, out);
        }
        let mut draw = self.rng.below(10_000);
        let mut is = |weight: u64| {
            let hit = draw < weight;
            draw = draw.wrapping_sub(weight);
            hit
        };
        if is(ADD) {
            self.add_or_make_room(listing, out);
        } else if is(ADD_MPID) {
            self.add_with_mpid(listing, out);
        } else if is(REPLACE) {
            self.replace_one(listing, out);
        } else if is(EXECUTE) {
            self.trade_at_touch(listing, false, out);
        } else if is(EXECUTE_WITH_PRICE) {
            self.trade_at_touch(listing, true, out);
        } else if is(REDUCE) {
            self.reduce_one(listing, out);
        } else if is(TRADE) {
            self.hidden_trade(listing, out);
        } else if is(IMBALANCE) {
            self.imbalance(listing, b'C', out);
        } else {
            self.delete_or_refill(listing, out);
        }
    }

    /// A side whose best price the fair price has left behind.
    pub(crate) fn offside(&self, listing: usize) -> Option<Side> {
        let fair = self.quoted[listing].fair;
        let best = |side| self.books.best(listing, side).map(f64::from);
        if best(Side::Ask).is_some_and(|ask| ask < fair) {
            return Some(Side::Ask);
        }
        best(Side::Bid)
            .is_some_and(|bid| bid > fair)
            .then_some(Side::Bid)
    }

    /// Someone takes the stale quote, or its owner is quicker.
    pub(crate) fn chase(&mut self, listing: usize, side: Side, out: &mut impl FnMut(&[u8])) {
        let Some(slot) = self.books.front(listing, side, 0) else {
            return;
        };
        let trades = !self.quoted[listing].paused && self.rng.chance(0.3);
        if trades {
            let shares = self.books.order(slot).shares;
            self.execute(slot, shares, out);
        } else if self.rng.chance(0.25) {
            self.replace(slot, Distance::Ideal, out);
        } else {
            self.delete(slot, out);
        }
    }

    fn add_or_make_room(&mut self, listing: usize, out: &mut impl FnMut(&[u8])) {
        let (live, target) = (
            self.books.live(listing).len(),
            self.quoted[listing].target_live,
        );
        let crowded = live > target * 5 / 4 && self.rng.chance(0.5);
        if crowded || live > target * 4 {
            return self.delete_one(listing, out);
        }
        let side = self.flip_side();
        let reference = self.take_reference();
        let slot = self.add(listing, side, Distance::Drawn, reference, out);
        if self.rng.chance(FLICKER) {
            let age = 300_000.0 * (0.9 * self.rng.normal()).exp();
            self.flickers
                .push(Reverse((self.now_ns + age as u64 + 1, slot, reference)));
        }
    }

    fn delete_or_refill(&mut self, listing: usize, out: &mut impl FnMut(&[u8])) {
        let (live, target) = (
            self.books.live(listing).len(),
            self.quoted[listing].target_live,
        );
        if live < target * 3 / 4 && self.rng.chance(0.5) {
            let (side, reference) = (self.flip_side(), self.take_reference());
            self.add(listing, side, Distance::Drawn, reference, out);
        } else {
            self.delete_one(listing, out);
        }
    }

    /// Orders near the touch die young, the others whenever chance finds them.
    fn delete_one(&mut self, listing: usize, out: &mut impl FnMut(&[u8])) {
        if let Some(slot) = self.any_order(listing) {
            self.delete(slot, out);
        } else {
            let (side, reference) = (self.flip_side(), self.take_reference());
            self.add(listing, side, Distance::Ideal, reference, out);
        }
    }

    fn any_order(&mut self, listing: usize) -> Option<Slot> {
        if self.rng.chance(0.4) {
            let (side, depth) = (self.flip_side(), self.rng.below(4) as usize);
            if self.books.depth(listing, side) > 12 {
                return self.books.back(listing, side, depth);
            }
        }
        let live = self.books.live(listing);
        if live.len() < 8 {
            return None;
        }
        Some(live[self.rng.below(live.len() as u64) as usize])
    }

    fn replace_one(&mut self, listing: usize, out: &mut impl FnMut(&[u8])) {
        match self.any_order(listing) {
            Some(slot) => self.replace(slot, Distance::Drawn, out),
            None => self.delete_one(listing, out),
        }
    }

    fn reduce_one(&mut self, listing: usize, out: &mut impl FnMut(&[u8])) {
        match self.any_order(listing) {
            Some(slot) if self.books.order(slot).shares > 1 => {
                let order = *self.books.order(slot);
                let shares = self.rng.range(1, u64::from(order.shares)) as u32;
                let message = OrderCancel::new(self.header(listing), order.reference, shares);
                self.books.reduce(slot, shares);
                self.say(message.as_bytes(), out);
            }
            _ => self.add_or_make_room(listing, out),
        }
    }

    fn trade_at_touch(&mut self, listing: usize, priced: bool, out: &mut impl FnMut(&[u8])) {
        let side = self.flip_side();
        let front = self.books.front(listing, side, 0);
        let deep = self.books.depth(listing, side) > 6;
        let Some(slot) = front.filter(|_| deep && !self.quoted[listing].paused) else {
            return self.add_or_make_room(listing, out);
        };
        let order = *self.books.order(slot);
        let drawn = 65.0 * (1.1 * self.rng.normal()).exp();
        let shares = (drawn as u32).clamp(1, order.shares);
        if !priced {
            return self.execute(slot, shares, out);
        }
        let number = self.take_match();
        let printable = if self.rng.chance(0.9) { b'Y' } else { b'N' };
        let header = self.header(listing);
        let message = OrderExecutedWithPrice::new(
            header,
            order.reference,
            shares,
            number,
            printable,
            self.mid(listing),
        );
        self.books.reduce(slot, shares);
        self.say(message.as_bytes(), out);
    }

    /// A print against an order that nobody saw; rarely, one is declared void afterwards.
    pub(crate) fn hidden_trade(&mut self, listing: usize, out: &mut impl FnMut(&[u8])) {
        if self.quoted[listing].paused {
            return self.add_or_make_room(listing, out);
        }
        let (number, shares) = (self.take_match(), self.draw_shares());
        let trade = Trade::new(
            self.header(listing),
            0,
            itch50::Side::Buy,
            shares,
            self.quoted[listing].stock,
            self.mid(listing),
            number,
        );
        self.say(trade.as_bytes(), out);
        if self.rng.chance(1e-4) {
            let broken = BrokenTrade::new(self.header(listing), number);
            self.say(broken.as_bytes(), out);
        }
    }

    /// Adds (or deletes) that share one nanosecond and lie side by side.
    fn batch(&mut self, listing: usize, opening: bool, out: &mut impl FnMut(&[u8])) {
        let count = match self.rng.below(4) {
            0 => 38,
            1 => 90,
            _ => self.rng.range(20, 91) as usize,
        };
        let room = self.books.live(listing).len() < self.quoted[listing].target_live * 4;
        let deepest = self
            .config
            .orders_per_symbol
            .saturating_mul(DEEPENING_LIMIT);
        if opening && room && self.quoted[listing].target_live < deepest {
            // What the opening shows stays: the book is deeper from then on.
            self.quoted[listing].target_live += count;
        } else if !room || self.rng.chance(0.5) {
            let live = self.books.live(listing).len();
            for _ in 0..count.min(live / 4) {
                let live = self.books.live(listing);
                let slot = live[self.rng.below(live.len() as u64) as usize];
                self.delete(slot, out);
            }
            return;
        }
        for _ in 0..count {
            let (side, reference) = (self.flip_side(), self.take_held_reference());
            self.add(listing, side, Distance::Far, reference, out);
        }
    }

    /// A new order, told and booked.
    pub(crate) fn add(
        &mut self,
        listing: usize,
        side: Side,
        distance: Distance,
        reference: u64,
        out: &mut impl FnMut(&[u8]),
    ) -> Slot {
        let (price, shares) = (self.place(listing, side, distance), self.draw_shares());
        let stock = self.quoted[listing].stock;
        let message = AddOrder::new(
            self.header(listing),
            reference,
            code(side),
            shares,
            stock,
            price,
        );
        let slot = self.books.add(listing, side, price, shares, reference);
        self.say(message.as_bytes(), out);
        slot
    }

    fn add_with_mpid(&mut self, listing: usize, out: &mut impl FnMut(&[u8])) {
        let (side, reference) = (self.flip_side(), self.take_reference());
        let (price, shares) = (
            self.place(listing, side, Distance::Drawn),
            self.draw_shares(),
        );
        let message = AddOrderMpid::new(
            self.header(listing),
            reference,
            code(side),
            shares,
            self.quoted[listing].stock,
            price,
            mpid("OZLA"),
        );
        self.books.add(listing, side, price, shares, reference);
        self.say(message.as_bytes(), out);
    }

    pub(crate) fn delete(&mut self, slot: Slot, out: &mut impl FnMut(&[u8])) {
        let order = *self.books.order(slot);
        self.books.remove(slot);
        let message = OrderDelete::new(self.header(order.listing as usize), order.reference);
        self.say(message.as_bytes(), out);
    }

    pub(crate) fn execute(&mut self, slot: Slot, shares: u32, out: &mut impl FnMut(&[u8])) {
        let (order, number) = (*self.books.order(slot), self.take_match());
        self.books.reduce(slot, shares);
        let header = self.header(order.listing as usize);
        let message = OrderExecuted::new(header, order.reference, shares, number);
        self.say(message.as_bytes(), out);
    }

    /// The order gets a new price and reference; the size stays, as it nearly always does.
    fn replace(&mut self, slot: Slot, distance: Distance, out: &mut impl FnMut(&[u8])) {
        let order = *self.books.order(slot);
        let listing = order.listing as usize;
        self.books.remove(slot);
        let price = match distance {
            Distance::Drawn => {
                let ticks = self.rng.range(1, 5) as u32 * TICK;
                let moved = if self.rng.chance(0.5) {
                    order.price.saturating_add(ticks).min(PRICE_MAX)
                } else {
                    order.price.saturating_sub(ticks)
                };
                self.clamp(listing, order.side, moved)
            }
            other => self.place(listing, order.side, other),
        };
        let reference = self.take_reference();
        let header = self.header(listing);
        let message = OrderReplace::new(header, order.reference, reference, order.shares, price);
        self.books
            .add(listing, order.side, price, order.shares, reference);
        self.say(message.as_bytes(), out);
    }

    fn flip_side(&mut self) -> Side {
        if self.rng.chance(0.5) {
            Side::Bid
        } else {
            Side::Ask
        }
    }

    /// The fair price in whole half-cents, 1e-4.
    pub(crate) fn mid(&self, listing: usize) -> u32 {
        (self.quoted[listing].fair / 50.0).round() as u32 * 50
    }
}

fn code(side: Side) -> itch50::Side {
    match side {
        Side::Bid => itch50::Side::Buy,
        Side::Ask => itch50::Side::Sell,
    }
}
