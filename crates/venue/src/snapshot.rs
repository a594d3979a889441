//! The venue as of now, as a GLIMPSE server tells it.

use crate::venue::{Stage, Venue};
use market::event::Side;
use wire::glimpse;
use wire::itch50::{self, AddOrder, Reason, RegShoRestriction, StockTradingAction, SystemEvent};

impl Venue {
    /// Tells everything that holds after the last message said: the phase, the directory, trading
    /// states, short-sale tests, every resting order in priority, and the end of the snapshot.
    /// Answers the number of the first message that is not in it.
    pub fn snapshot(&self, out: &mut impl FnMut(&[u8])) -> u64 {
        let next_seq = self.seq() + 1;
        if self.stage != Stage::Directory {
            let phase = match self.stage {
                Stage::Open => b'Q',
                Stage::Closed => b'C',
                _ => b'S',
            };
            let event = SystemEvent::new(self.header_without_listing(), phase);
            out(event.as_bytes());
            for listing in 0..self.listings.len() {
                out(self.directory(listing).as_bytes());
            }
            for listing in 0..self.listings.len() {
                self.tell_state(listing, out);
            }
            for listing in 0..self.listings.len() {
                for side in [Side::Bid, Side::Ask] {
                    self.tell_orders(listing, side, out);
                }
            }
        }
        out(&glimpse::end_of_snapshot(next_seq));
        next_seq
    }

    fn tell_state(&self, listing: usize, out: &mut impl FnMut(&[u8])) {
        let (header, stock) = (self.header(listing), self.quoted[listing].stock);
        let (state, reason) = if self.quoted[listing].paused {
            (b'P', *b"LUDP")
        } else {
            (b'T', *b"    ")
        };
        let reason = Reason::from_wire(reason);
        let action = StockTradingAction::new(header, stock, state, b' ', reason);
        out(action.as_bytes());
        out(RegShoRestriction::new(header, stock, b'0').as_bytes());
    }

    fn tell_orders(&self, listing: usize, side: Side, out: &mut impl FnMut(&[u8])) {
        let wire_side = match side {
            Side::Bid => itch50::Side::Buy,
            Side::Ask => itch50::Side::Sell,
        };
        let stock = self.quoted[listing].stock;
        for order in self.books.by_priority(listing, side) {
            let add = AddOrder::new(
                self.header(listing),
                order.reference,
                wire_side,
                order.shares,
                stock,
                order.price,
            );
            out(add.as_bytes());
        }
    }
}
