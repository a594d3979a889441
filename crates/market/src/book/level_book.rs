//! Books for feeds that publish levels (L2), thousands deep.

use super::ladder::{Ladder, price_of, rank_of};
use super::{Applied, Reject, digest_of_ladders};
use crate::event::{Event, Price, Qty, Side};
use crate::publish::{Level, TOP_LEVELS};

/// The levels of one instrument of a depth feed. `orders` of its levels is 0: the feed is silent.
#[derive(Clone, Debug)]
pub struct LevelBook {
    bids: Ladder<Qty>,
    asks: Ladder<Qty>,
}

impl LevelBook {
    /// Room for `levels_reserve` levels on each side before the arrays must grow.
    #[must_use]
    pub fn new(levels_reserve: usize) -> Self {
        Self {
            bids: Ladder::new(levels_reserve),
            asks: Ladder::new(levels_reserve),
        }
    }

    /// Sets the total at a price; zero removes the level (removing an absent one is no mistake:
    /// depth feeds repeat removals). True when the level is among the best.
    pub fn set(&mut self, side: Side, price: Price, qty: Qty) -> bool {
        let ladder = match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        };
        let rank = rank_of(side, price);
        match (ladder.find(rank), qty.0) {
            (Err(_), 0) => false,
            (Err(at), _) => {
                let at = ladder.insert(at, rank, qty);
                ladder.is_among_best(at, TOP_LEVELS)
            }
            (Ok(at), 0) => {
                let near = ladder.is_among_best(at, TOP_LEVELS);
                ladder.remove(at);
                near
            }
            (Ok(at), _) => {
                *ladder.level_mut(at) = qty;
                ladder.is_among_best(at, TOP_LEVELS)
            }
        }
    }

    /// Applies one L2 event. Prints, states and busts change no book and are accepted.
    ///
    /// # Errors
    /// [`Reject::WrongKind`] for an order by order event.
    pub fn apply(&mut self, event: &Event) -> Result<Applied, Reject> {
        match *event {
            Event::Level { side, price, qty } => Ok(Applied::book(self.set(side, price, qty))),
            Event::Clear => {
                self.clear();
                Ok(Applied::book(true))
            }
            Event::Trade { .. }
            | Event::Cross { .. }
            | Event::Bust { .. }
            | Event::Correction { .. }
            | Event::Imbalance(_)
            | Event::Official(_)
            | Event::Collar(_)
            | Event::Band(_)
            | Event::Limit(_)
            | Event::ShortSale(_)
            | Event::OperationalHalt { .. }
            | Event::State { .. } => Ok(Applied::default()),
            Event::Add { .. }
            | Event::Reduce { .. }
            | Event::Delete { .. }
            | Event::Replace { .. }
            | Event::Amend { .. }
            | Event::Execute { .. } => Err(Reject::WrongKind),
        }
    }

    /// Empties both sides.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// The best level of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.levels(side).next()
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        let ladder = self.ladder(side).best_first();
        ladder.map(move |(rank, qty)| Level {
            price: price_of(side, rank),
            qty,
            orders: 0,
        })
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
        let flat = |ladder: &Ladder<Qty>, out: &mut dyn FnMut(i64, u64, u32)| {
            for (rank, qty) in ladder.best_first() {
                out(rank, qty.0, 0);
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
        let bid = self.best(Side::Bid)?.price;
        let ask = self.best(Side::Ask)?.price;
        Some(bid.cmp(&ask))
    }

    fn ladder(&self, side: Side) -> &Ladder<Qty> {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }
}
