//! Price levels of all books, each at a place that it keeps for life.
//!
//! An order knows its level, so whatever happens to the order later finds price, side, instrument
//! and total in one place, without a search. Only a level that comes or goes is looked for in its
//! side ([`sides`](super::sides)).

use super::{price_of, sides::TOP};
use crate::event::{InstrumentId, Price, Qty, Side};
use crate::publish::Level as Shown;

/// No order, no level.
pub(super) const NONE: u32 = u32::MAX;

/// All resting quantity at one price of one side; two to a cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(32))]
pub(super) struct Level {
    /// See [`rank_of`](super::rank_of).
    pub(super) rank: i64,
    /// What its orders show together.
    pub(super) qty: u64,
    /// How many orders.
    pub(super) orders: u32,
    /// Twice the instrument, plus one for asks.
    owner: u32,
    /// The order that trades first, where queues are kept. Of a vacant place: the next vacant one.
    pub(super) head: u32,
    /// The order that trades last.
    pub(super) tail: u32,
}

const _: () = assert!(size_of::<Level>() == 32);

impl Level {
    #[inline]
    pub(super) fn instrument(&self) -> InstrumentId {
        InstrumentId(self.owner >> 1)
    }

    #[inline]
    pub(super) fn side(&self) -> Side {
        if self.owner & 1 == 0 {
            Side::Bid
        } else {
            Side::Ask
        }
    }

    #[inline]
    pub(super) fn price(&self) -> Price {
        price_of(self.side(), self.rank)
    }

    pub(super) fn shown(&self) -> Shown {
        Shown {
            price: self.price(),
            qty: Qty(self.qty),
            orders: self.orders,
        }
    }
}

/// The number of a side: two for each instrument.
#[inline]
pub(super) fn side_number(instrument: InstrumentId, side: Side) -> u32 {
    instrument.0 << 1 | u32::from(side == Side::Ask)
}

/// All levels; vacant places are a chain.
#[derive(Debug)]
pub(super) struct LevelStore {
    levels: Vec<Level>,
    vacant: u32,
    growths: u64,
}

impl LevelStore {
    pub(super) fn new(levels_limit: usize) -> Self {
        Self {
            levels: Vec::with_capacity(levels_limit),
            vacant: NONE,
            growths: 0,
        }
    }

    pub(super) fn growths(&self) -> u64 {
        self.growths
    }

    #[inline]
    pub(super) fn get(&self, level: u32) -> &Level {
        &self.levels[level as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, level: u32) -> &mut Level {
        &mut self.levels[level as usize]
    }

    /// A new level without orders.
    #[inline]
    pub(super) fn open(&mut self, side: u32, rank: i64) -> u32 {
        let level = Level {
            rank,
            qty: 0,
            orders: 0,
            owner: side,
            head: NONE,
            tail: NONE,
        };
        let number = self.vacant;
        if let Some(place) = self.levels.get_mut(number as usize) {
            self.vacant = place.head;
            *place = level;
            return number;
        }
        self.growths += u64::from(self.levels.len() == self.levels.capacity());
        self.levels.push(level);
        self.levels.len() as u32 - 1
    }

    /// Takes the place of a level back.
    #[inline]
    pub(super) fn close(&mut self, level: u32) {
        let place = &mut self.levels[level as usize];
        place.orders = 0;
        place.head = self.vacant;
        self.vacant = level;
    }

    pub(super) fn clear(&mut self) {
        self.levels.clear();
        self.vacant = NONE;
    }

    /// For reading ahead.
    #[inline]
    pub(super) fn hint(&self, level: u32) {
        stdx::hint::soon(&self.levels, level as usize);
    }

    /// A level that may not exist, for reading ahead.
    #[inline]
    pub(super) fn peek(&self, level: u32) -> Option<&Level> {
        self.levels.get(level as usize)
    }
}

const _: () = assert!(TOP < NONE as usize);
