//! Where a new order stands and how large it is, drawn as real orders are.
//!
//! Prices are relative to what market makers want to show, never across the other side: the books
//! of this venue are neither locked nor crossed.

use crate::venue::{TICK, Venue};
use market::event::Side;

/// ITCH's highest order price, 1e-4: where stub offers stand.
pub(crate) const PRICE_MAX: u32 = 1_999_999_900;

/// Where a new order stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Distance {
    /// Drawn as real orders are.
    Drawn,
    /// Where market makers want the best price to be.
    Ideal,
    /// So many ticks behind that.
    Near(u32),
    /// Anywhere behind, a few as stubs.
    Far,
}

impl Venue {
    /// A price for a new order that does not cross.
    pub(crate) fn place(&mut self, listing: usize, side: Side, distance: Distance) -> u32 {
        let ideal = self.ideal(listing, side);
        let best = self.books.best(listing, side);
        let price = match distance {
            Distance::Ideal => ideal,
            Distance::Near(ticks) => behind(side, ideal, ticks.saturating_mul(TICK)),
            Distance::Far => self.far(listing, side),
            Distance::Drawn => match (best, self.rng.below(100)) {
                (None, _) => ideal,
                // The touch has fallen behind: it is filled first.
                (Some(best), 0..60) if better(side, ideal, best) => ideal,
                (Some(best), 0..10) => behind_signed(side, best, -(TICK as i32)),
                (Some(best), 10..24) => best,
                (Some(best), 24..50) => {
                    let ticks = self.rng.range(1, 6) as u32;
                    behind(side, best, ticks * TICK)
                }
                (Some(_), _) => self.far(listing, side),
            },
        };
        self.clamp(listing, side, price)
    }

    /// The best price that market makers want on a side, a whole cent.
    fn ideal(&self, listing: usize, side: Side) -> u32 {
        let quoted = &self.quoted[listing];
        let (fair, half, tick) = (quoted.fair, f64::from(quoted.half_spread), f64::from(TICK));
        let ticks = match side {
            Side::Bid => ((fair - half) / tick).floor(),
            Side::Ask => ((fair + half) / tick).ceil(),
        };
        (ticks.max(1.0) as u32).saturating_mul(TICK).min(PRICE_MAX)
    }

    /// Behind the touch by a log-normal share of the price; one in a hundred is a stub.
    fn far(&mut self, listing: usize, side: Side) -> u32 {
        let ideal = self.ideal(listing, side);
        if self.rng.chance(0.01) {
            return match side {
                Side::Bid => TICK * (1 + self.rng.below(20) as u32),
                Side::Ask if self.rng.chance(0.3) => PRICE_MAX,
                Side::Ask => ideal.saturating_mul(2),
            };
        }
        let share = 0.012 * (1.1 * self.rng.normal()).exp();
        let distance = (f64::from(ideal) * share.min(0.9) / f64::from(TICK)) as u32;
        behind(side, ideal, distance.saturating_mul(TICK))
    }

    /// At least a tick away from the other side, and from the fair price.
    pub(crate) fn clamp(&self, listing: usize, side: Side, price: u32) -> u32 {
        let other = self.books.best(listing, side.opposite());
        let fair = self.quoted[listing].fair / f64::from(TICK);
        let price = price.clamp(TICK, PRICE_MAX);
        match side {
            Side::Bid => {
                let fair = (fair.ceil() as u32).saturating_sub(1).max(1) * TICK;
                price
                    .min(fair)
                    .min(other.map_or(PRICE_MAX, |ask| ask.saturating_sub(TICK)))
            }
            Side::Ask => {
                let fair = (fair.floor() as u32 + 1).saturating_mul(TICK);
                price
                    .max(fair)
                    .max(other.map_or(TICK, |bid| bid + TICK))
                    .min(PRICE_MAX)
            }
        }
    }

    /// Over half of all orders are odd lots; the mean is near 146 shares.
    pub(crate) fn draw_shares(&mut self) -> u32 {
        match self.rng.below(100) {
            0..25 => 100,
            25..33 => 10,
            33..39 => 50,
            39..43 => 20,
            43..47 => 200,
            47..51 => 1,
            51..54 => 5,
            54..57 => 25,
            57..84 => self.rng.range(2, 100) as u32,
            84..96 => self.rng.range(3, 8) as u32 * 100,
            _ => self.rng.range(101, 1_600) as u32,
        }
    }
}

fn better(side: Side, price: u32, than: u32) -> bool {
    match side {
        Side::Bid => price > than,
        Side::Ask => price < than,
    }
}

fn behind(side: Side, price: u32, distance: u32) -> u32 {
    match side {
        Side::Bid => price.saturating_sub(distance).max(TICK),
        Side::Ask => price.saturating_add(distance).min(PRICE_MAX),
    }
}

fn behind_signed(side: Side, price: u32, distance: i32) -> u32 {
    match side {
        Side::Bid => price.saturating_add_signed(-distance),
        Side::Ask => price.saturating_add_signed(distance),
    }
}
