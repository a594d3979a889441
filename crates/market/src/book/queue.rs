//! Who trades first: the orders of a level in the order of their coming.
//!
//! Each order knows its neighbours in the queue of its level, so that coming and leaving touch two
//! others at most, wherever in the queue. A position is counted when somebody asks for it.

use super::level_store::{Level, LevelStore, NONE};
use super::order_store::Moved;

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

    /// An order comes last.
    #[inline]
    pub(super) fn join(&mut self, slot: u32, level: &mut Level) {
        if !self.is_kept {
            return;
        }
        self.make_room(slot);
        self.links[slot as usize] = Link {
            ahead: level.tail,
            behind: NONE,
        };
        match self.links.get_mut(level.tail as usize) {
            Some(last) => last.behind = slot,
            None => level.head = slot,
        }
        level.tail = slot;
    }

    /// An order leaves.
    #[inline]
    pub(super) fn leave(&mut self, slot: u32, level: &mut Level) {
        if !self.is_kept {
            return;
        }
        let Link { ahead, behind } = self.links[slot as usize];
        match self.links.get_mut(ahead as usize) {
            Some(link) => link.behind = behind,
            None => level.head = behind,
        }
        match self.links.get_mut(behind as usize) {
            Some(link) => link.ahead = ahead,
            None => level.tail = ahead,
        }
    }

    /// An order has another slot now.
    pub(super) fn follow(&mut self, moved: Moved, levels: &mut LevelStore) {
        if !self.is_kept {
            return;
        }
        self.make_room(moved.to);
        let link = self.links[moved.from as usize];
        self.links[moved.to as usize] = link;
        let level = levels.get_mut(moved.level);
        match self.links.get_mut(link.ahead as usize) {
            Some(ahead) => ahead.behind = moved.to,
            None => level.head = moved.to,
        }
        match self.links.get_mut(link.behind as usize) {
            Some(behind) => behind.ahead = moved.to,
            None => level.tail = moved.to,
        }
    }

    /// The slots before `slot`, from its neighbour to the first.
    pub(super) fn ahead_of(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.next_ahead(slot), |&slot| self.next_ahead(slot))
    }

    /// The slots of a level, first to last.
    pub(super) fn of(&self, level: &Level) -> impl Iterator<Item = u32> + '_ {
        let behind = |slot: u32| self.links.get(slot as usize).map(|link| link.behind);
        let exists = |slot: &u32| *slot != NONE;
        let first = Some(level.head).filter(|_| self.is_kept).filter(exists);
        std::iter::successors(first, move |&slot| behind(slot).filter(exists))
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
