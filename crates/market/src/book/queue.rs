//! Who trades first: the orders of a level in the order of their coming.
//!
//! Each order knows its neighbours in the queue of its level, so that coming and leaving touch two
//! others at most, wherever in the queue; the level knows its last. A position is counted when
//! somebody asks for it.

use super::order_store::Moved;
use super::sides::Sides;

/// No order.
pub(super) const NONE: u32 = u32::MAX;

/// An order's neighbours by slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    ahead: u32,
    behind: u32,
}

const ALONE: Link = Link {
    ahead: NONE,
    behind: NONE,
};

/// The queues of all levels. Does nothing unless it is kept.
#[derive(Debug)]
pub(super) struct Queues {
    links: Vec<Link>,
    is_kept: bool,
    growths: u64,
}

impl Queues {
    /// Queues that are not kept: nobody asks for positions.
    pub(super) fn off() -> Self {
        Self {
            links: Vec::new(),
            is_kept: false,
            growths: 0,
        }
    }

    /// Room for orders in so many slots.
    pub(super) fn kept(slots: usize) -> Self {
        Self {
            links: vec![ALONE; slots],
            is_kept: true,
            growths: 0,
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        self.is_kept
    }

    pub(super) fn growths(&self) -> u64 {
        self.growths
    }

    /// An order comes behind `last`, the last of its level.
    #[inline]
    pub(super) fn join(&mut self, slot: u32, last: &mut u32) {
        self.make_room(slot);
        self.links[slot as usize] = Link {
            ahead: *last,
            behind: NONE,
        };
        if let Some(link) = self.links.get_mut(*last as usize) {
            link.behind = slot;
        }
        *last = slot;
    }

    /// An order leaves the level whose last is `last`.
    #[inline]
    pub(super) fn leave(&mut self, slot: u32, last: &mut u32) {
        let Link { ahead, behind } = self.links[slot as usize];
        if let Some(link) = self.links.get_mut(ahead as usize) {
            link.behind = behind;
        }
        match self.links.get_mut(behind as usize) {
            Some(link) => link.ahead = ahead,
            None => *last = ahead,
        }
    }

    /// An order has another slot now.
    pub(super) fn follow(&mut self, moved: Moved, sides: &mut Sides) {
        if !self.is_kept {
            return;
        }
        self.make_room(moved.to);
        let link = self.links[moved.from as usize];
        self.links[moved.to as usize] = link;
        if let Some(ahead) = self.links.get_mut(link.ahead as usize) {
            ahead.behind = moved.to;
        }
        if let Some(behind) = self.links.get_mut(link.behind as usize) {
            behind.ahead = moved.to;
        } else if let Some(last) = sides.last_mut(moved.side, moved.rank) {
            *last = moved.to;
        }
    }

    /// The slots before `slot`, from its neighbour to the first.
    pub(super) fn ahead_of(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.next_ahead(slot), |&slot| self.next_ahead(slot))
    }

    /// The slots of a level whose last is `last`, last to first.
    pub(super) fn last_first(&self, last: Option<u32>) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(last, |&slot| self.next_ahead(slot))
    }

    pub(super) fn clear(&mut self) {
        self.links.fill(ALONE);
    }

    /// For reading ahead.
    #[inline]
    pub(super) fn hint(&self, slot: u32) {
        stdx::hint::soon(&self.links, slot as usize);
    }

    /// For reading ahead: the neighbours of an order.
    #[inline]
    pub(super) fn hint_neighbours(&self, slot: u32) {
        if let Some(link) = self.links.get(slot as usize) {
            self.hint(link.ahead);
            self.hint(link.behind);
        }
    }

    fn next_ahead(&self, slot: u32) -> Option<u32> {
        let ahead = self.links.get(slot as usize)?.ahead;
        (ahead != NONE).then_some(ahead)
    }

    #[inline]
    fn make_room(&mut self, slot: u32) {
        if slot as usize >= self.links.len() {
            self.growths += u64::from(slot as usize >= self.links.capacity());
            self.links.resize(slot as usize + 1, ALONE);
        }
    }
}
