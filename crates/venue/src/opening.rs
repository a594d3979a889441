//! Before the bell: system events, the directory, full books, the opening cross; and the close.

use crate::listing::Sector;
use crate::placement::Distance;
use crate::venue::{OPENING_NS, Stage, Venue, mpid};
use market::event::Side;
use wire::itch50::{
    Alpha, CrossTrade, MarketParticipantPosition, MwcbDeclineLevel, Noii, Reason,
    RegShoRestriction, StockDirectory, StockTradingAction, SystemEvent,
};

const FILL_START_NS: u64 = 50_000_000;
const FILL_SPAN_NS: u64 = 350_000_000;
const MARKET_MAKERS: [&str; 4] = ["OZLA", "OZLB", "OZLC", "OZLD"];

impl Venue {
    /// When the next part of the opening is due; `None` once the flow runs.
    pub(crate) fn opening_due(&self) -> Option<u64> {
        let start = self.config.start_ns;
        match self.stage {
            Stage::Directory => Some(start),
            Stage::Fill(listing) => {
                let share = FILL_SPAN_NS * listing as u64 / self.listings.len() as u64;
                Some(start + FILL_START_NS + share)
            }
            Stage::Bell => Some(start + OPENING_NS),
            Stage::Open | Stage::Closed => None,
        }
    }

    pub(crate) fn opening_step(&mut self, out: &mut impl FnMut(&[u8])) {
        self.stage = match self.stage {
            Stage::Directory => {
                self.say_directory(out);
                Stage::Fill(0)
            }
            Stage::Fill(listing) => {
                self.fill(listing, out);
                let next = listing + 1;
                if next < self.listings.len() {
                    Stage::Fill(next)
                } else {
                    Stage::Bell
                }
            }
            Stage::Bell => {
                self.ring_bell(out);
                Stage::Open
            }
            stage @ (Stage::Open | Stage::Closed) => stage,
        };
    }

    /// Ends the session: every order left is deleted and the system events of the evening follow.
    /// Nothing is said after it.
    pub fn close(&mut self, out: &mut impl FnMut(&[u8])) {
        if self.stage == Stage::Closed {
            return;
        }
        self.system_event(b'M', out);
        for listing in 0..self.listings.len() {
            while let Some(&slot) = self.books.live(listing).last() {
                self.delete(slot, out);
            }
        }
        self.system_event(b'E', out);
        self.system_event(b'C', out);
        self.stage = Stage::Closed;
    }

    fn system_event(&mut self, code: u8, out: &mut impl FnMut(&[u8])) {
        let event = SystemEvent::new(self.header_without_listing(), code);
        self.say(event.as_bytes(), out);
    }

    fn say_directory(&mut self, out: &mut impl FnMut(&[u8])) {
        self.system_event(b'O', out);
        let levels = MwcbDeclineLevel::new(
            self.header_without_listing(),
            465_000_000_000,
            435_000_000_000,
            400_000_000_000,
        );
        self.say(levels.as_bytes(), out);
        for listing in 0..self.listings.len() {
            self.now_ns += 1_000;
            let (header, stock) = (self.header(listing), self.quoted[listing].stock);
            let directory = self.directory(listing);
            self.say(directory.as_bytes(), out);
            let reason = Reason::from_wire(*b"    ");
            let action = StockTradingAction::new(header, stock, b'T', b' ', reason);
            self.say(action.as_bytes(), out);
            self.say(RegShoRestriction::new(header, stock, b'0').as_bytes(), out);
            for maker in MARKET_MAKERS {
                let position =
                    MarketParticipantPosition::new(header, mpid(maker), stock, b'Y', b'N', b'A');
                self.say(position.as_bytes(), out);
            }
        }
        self.system_event(b'S', out);
    }

    pub(crate) fn directory(&self, listing: usize) -> StockDirectory {
        let (header, stock) = (self.header(listing), self.quoted[listing].stock);
        let fund = self.listings[listing].sector == Sector::Fund;
        let (class, subtype) = if fund { (b'Q', "E") } else { (b'C', "Z") };
        StockDirectory::new(
            header,
            stock,
            b'Q',
            b'N',
            100,
            b'N',
            class,
            Alpha::new(subtype).expect("one letter fits"),
            b'P',
            b'N',
            b'N',
            b'1',
            if fund { b'Y' } else { b'N' },
            0,
            b'N',
        )
    }

    /// The book that the opening hits is already full: touch first, then orders all over.
    fn fill(&mut self, listing: usize, out: &mut impl FnMut(&[u8])) {
        let count = self.quoted[listing].target_live;
        for n in 0..count {
            let side = if n % 2 == 0 { Side::Bid } else { Side::Ask };
            let distance = match n {
                0 | 1 => Distance::Ideal,
                2..60 => Distance::Near(n as u32 / 4),
                _ => Distance::Far,
            };
            self.now_ns += 20;
            let reference = self.take_reference();
            self.add(listing, side, distance, reference, out);
        }
    }

    fn ring_bell(&mut self, out: &mut impl FnMut(&[u8])) {
        for listing in 0..self.listings.len() {
            self.imbalance(listing, b'O', out);
        }
        self.system_event(b'Q', out);
        for listing in 0..self.listings.len() {
            self.now_ns += 500;
            // Two thirds of the crosses of a real day match nothing.
            let shares = if self.rng.chance(0.33) {
                self.rng.range(1, 400) * 100
            } else {
                0
            };
            self.cross(listing, shares, b'O', out);
        }
    }

    /// An auction print at the fair price; zero shares: the auction found no match.
    pub(crate) fn cross(
        &mut self,
        listing: usize,
        shares: u64,
        kind: u8,
        out: &mut impl FnMut(&[u8]),
    ) {
        let number = self.take_match();
        let price = if shares == 0 { 0 } else { self.mid(listing) };
        let cross = CrossTrade::new(
            self.header(listing),
            shares,
            self.quoted[listing].stock,
            price,
            number,
            kind,
        );
        self.say(cross.as_bytes(), out);
    }

    /// Net order imbalance before or inside an auction.
    pub(crate) fn imbalance(&mut self, listing: usize, kind: u8, out: &mut impl FnMut(&[u8])) {
        let price = self.mid(listing);
        let paired = self.rng.range(1, 2_000) * 100;
        let imbalance = self.rng.below(300) * 100;
        let direction = match imbalance {
            0 => b'N',
            n if n % 200 == 0 => b'B',
            _ => b'S',
        };
        let message = Noii::new(
            self.header(listing),
            paired,
            imbalance,
            direction,
            self.quoted[listing].stock,
            price,
            price,
            price,
            kind,
            b'L',
        );
        self.say(message.as_bytes(), out);
    }
}
