//! Books by price whose levels are addressed by rank: 1 is the best.
//!
//! FAST and MDP feeds alike: *new* at a rank moves that level and all behind it one back, and what
//! falls behind the depth is gone without a word; *delete* moves those behind one forward; *change*
//! stays in place. The translation to price levels is said as [`Event::Level`]s.

use crate::event::{Event, Price, Qty, Side};

/// A level's place in its side, from 1.
pub type Rank = u8;

/// What happens at a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A level is put there.
    New,
    /// The level there has another total.
    Change,
    /// The level there is gone.
    Delete,
    /// The levels from the best to this rank are gone.
    DeleteThru,
    /// The levels from this rank on are gone.
    DeleteFrom,
    /// The level there is another one.
    Overlay,
}

/// A side's levels, best first, at most a depth of them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RankedBook {
    bids: Vec<(Price, Qty)>,
    asks: Vec<(Price, Qty)>,
    depth: usize,
    faults: u64,
}

impl RankedBook {
    /// Room for `depth` levels on each side.
    #[must_use]
    pub fn new(depth: usize) -> Self {
        let depth = depth.clamp(1, usize::from(Rank::MAX));
        Self {
            bids: Vec::with_capacity(depth + 1),
            asks: Vec::with_capacity(depth + 1),
            depth,
            faults: 0,
        }
    }

    /// Another depth, from now on; the venue says it.
    pub(super) fn set_depth(&mut self, depth: usize) {
        self.depth = depth.clamp(1, usize::from(Rank::MAX));
    }

    /// The levels of a side, best first.
    #[must_use]
    pub fn levels(&self, side: Side) -> &[(Price, Qty)] {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// Actions at ranks that the side does not have: the venue and we disagree.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// Empties both sides, without events.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Does `action` at a rank and says which price levels changed. False: there is no such rank.
    pub fn apply(
        &mut self,
        action: Action,
        side: Side,
        rank: Rank,
        price: Price,
        qty: Qty,
        mut on_level: impl FnMut(&Event),
    ) -> bool {
        let levels = match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        };
        let at = usize::from(rank).wrapping_sub(1);
        let mut say = |price, qty| on_level(&Event::Level { side, price, qty });
        let is_there = match action {
            Action::New => at <= levels.len() && at < self.depth,
            Action::DeleteThru => at < self.depth,
            Action::DeleteFrom => at < self.depth,
            Action::Change | Action::Delete | Action::Overlay => at < levels.len(),
        };
        if !is_there {
            self.faults += 1;
            return false;
        }
        match action {
            Action::New => {
                levels.insert(at, (price, qty));
                say(price, qty);
                if levels.len() > self.depth
                    && let Some((last, _)) = levels.pop()
                    && !levels.iter().any(|(price, _)| *price == last)
                {
                    say(last, Qty(0));
                }
            }
            Action::Change | Action::Overlay => {
                let old = std::mem::replace(&mut levels[at], (price, qty));
                if old.0 != price && !levels.iter().any(|(price, _)| *price == old.0) {
                    say(old.0, Qty(0));
                }
                say(price, qty);
            }
            Action::Delete => {
                let (old, _) = levels.remove(at);
                match levels.iter().find(|(price, _)| *price == old) {
                    // A level that is there twice for a moment keeps its other total.
                    Some(&(price, qty)) => say(price, qty),
                    None => say(old, Qty(0)),
                }
            }
            Action::DeleteThru => {
                for (old, _) in levels.drain(..(at + 1).min(levels.len())) {
                    say(old, Qty(0));
                }
            }
            Action::DeleteFrom => {
                for (old, _) in levels.drain(at.min(levels.len())..) {
                    say(old, Qty(0));
                }
            }
        }
        true
    }
}
