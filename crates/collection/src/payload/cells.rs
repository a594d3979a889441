//! Places as cells of a grid along a curve, and the stretches of the curve that cover a shape.
//!
//! Latitude and longitude in 32 bits each, their bits in turns (Morton, 1966): a square of the grid
//! whose side is a power of two is one stretch of the curve. A shape is covered from the whole Earth
//! down, its edge in ever smaller squares; what lies in a square inside the shape needs no look at
//! its place.

use std::ops::RangeInclusive;

use super::key::Entry;
use crate::geo::edges;
use crate::{Place, Shape};

/// Squares of a cover, about: more leave fewer places to look at and take longer to find.
const SQUARES: usize = 64;
/// Degrees added around a square: above what 32 bits and rounding lose.
const PAD: f64 = 2e-7;
/// Metres: above what rounding takes from a distance on the Earth.
const SLACK_M: f64 = 0.01;

/// The cell of a place.
pub(super) fn cell(place: Place) -> u64 {
    let grid = |degrees: f64, span: f64| ((degrees / span + 0.5) * 4_294_967_296.0) as u32;
    spread(grid(place.lat, 180.0)) << 1 | spread(grid(place.lon, 360.0))
}

/// A zero before each bit.
fn spread(bits: u32) -> u64 {
    let mut x = u64::from(bits);
    x = (x | x << 16) & 0x0000_ffff_0000_ffff;
    x = (x | x << 8) & 0x00ff_00ff_00ff_00ff;
    x = (x | x << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    x = (x | x << 2) & 0x3333_3333_3333_3333;
    (x | x << 1) & 0x5555_5555_5555_5555
}

fn gathered(spread: u64) -> u32 {
    let mut x = spread & 0x5555_5555_5555_5555;
    x = (x | x >> 1) & 0x3333_3333_3333_3333;
    x = (x | x >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    x = (x | x >> 4) & 0x00ff_00ff_00ff_00ff;
    x = (x | x >> 8) & 0x0000_ffff_0000_ffff;
    (x | x >> 16) as u32
}

/// How a square lies to a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lies {
    Outside,
    Inside,
    /// Neither is certain.
    Across,
}

/// A square of the grid: the first cell, and of its 64 bits how many are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Square {
    first: u64,
    free: u32,
}

impl Square {
    const EARTH: Self = Self { first: 0, free: 64 };

    /// The square that is one cell.
    pub(super) fn of_cell(first: u64) -> Self {
        Self { first, free: 0 }
    }

    /// The cell that a place is in.
    pub(super) fn of_place(place: Place) -> Self {
        Self::of_cell(cell(place))
    }

    /// Its entries in a column of places.
    pub(super) fn range(self) -> RangeInclusive<Entry> {
        let last = self.first | u64::MAX.checked_shr(64 - self.free).unwrap_or(0);
        (self.first, 0)..=(last, u64::MAX)
    }

    fn quarters(self) -> [Self; 4] {
        let free = self.free - 2;
        std::array::from_fn(|n| Self {
            first: self.first | (n as u64) << free,
            free,
        })
    }

    fn area(self) -> Area {
        let side = (1u64 << (self.free / 2)) as f64;
        let degrees = |from: u32, span: f64| {
            let at = |cells: f64| (cells / 4_294_967_296.0 - 0.5) * span;
            (at(f64::from(from)) - PAD, at(f64::from(from) + side) + PAD)
        };
        let (south, north) = degrees(gathered(self.first >> 1), 180.0);
        let (west, east) = degrees(gathered(self.first), 360.0);
        Area {
            south,
            west,
            north,
            east,
        }
    }

    /// How it lies to the shape.
    pub(super) fn lies(self, shape: &Shape) -> Lies {
        let area = self.area();
        match shape {
            Shape::Circle { centre, radius_m } => area.lies_to_circle(*centre, *radius_m),
            Shape::Box {
                south,
                west,
                north,
                east,
            } => {
                let part = |west, east| {
                    let part = Area {
                        south: *south,
                        west,
                        north: *north,
                        east,
                    };
                    area.lies_to_area(&part)
                };
                if west <= east {
                    return part(*west, *east);
                }
                match (part(*west, 180.0 + PAD), part(-180.0 - PAD, *east)) {
                    (Lies::Outside, Lies::Outside) => Lies::Outside,
                    (Lies::Inside, _) | (_, Lies::Inside) => Lies::Inside,
                    _ => Lies::Across,
                }
            }
            Shape::Polygon(ring) => {
                let centre = area.centre();
                if edges(ring).any(|(from, to)| area.may_meet(from, to)) {
                    Lies::Across
                } else if shape.holds(centre) {
                    Lies::Inside
                } else {
                    Lies::Outside
                }
            }
        }
    }
}

/// Squares that together hold every place of the shape, and whether each is inside it.
pub(super) fn cover(shape: &Shape) -> Vec<(Square, bool)> {
    let mut done = Vec::new();
    let mut open = vec![Square::EARTH];
    while !open.is_empty() && done.len() + open.len() < SQUARES && open[0].free > 0 {
        let mut smaller = Vec::new();
        for quarter in open.into_iter().flat_map(Square::quarters) {
            match quarter.lies(shape) {
                Lies::Outside => {}
                Lies::Inside => done.push((quarter, true)),
                Lies::Across => smaller.push(quarter),
            }
        }
        open = smaller;
    }
    done.extend(open.into_iter().map(|square| (square, false)));
    done
}

/// Degrees between which a square lies, a little more than exactly.
struct Area {
    south: f64,
    west: f64,
    north: f64,
    east: f64,
}

impl Area {
    fn centre(&self) -> Place {
        Place {
            lat: self.south.midpoint(self.north),
            lon: self.west.midpoint(self.east),
        }
    }

    fn lies_to_area(&self, other: &Self) -> Lies {
        let apart = self.north < other.south
            || other.north < self.south
            || self.east < other.west
            || other.east < self.west;
        let inside = other.south <= self.south
            && self.north <= other.north
            && other.west <= self.west
            && self.east <= other.east;
        match (apart, inside) {
            (true, _) => Lies::Outside,
            (_, true) => Lies::Inside,
            _ => Lies::Across,
        }
    }

    /// No place of the square is farther from its centre than along the meridian and then along the
    /// parallel.
    fn lies_to_circle(&self, centre: Place, radius_m: f64) -> Lies {
        let widest = if self.south <= 0.0 && self.north >= 0.0 {
            0.0
        } else {
            self.south.abs().min(self.north.abs())
        };
        let parallel = libm::cos(widest.min(90.0).to_radians()) * (self.east - self.west) / 2.0;
        let degrees = (self.north - self.south) / 2.0 + parallel;
        let reach = Place::default().distance_m(&Place {
            lat: degrees.min(180.0),
            lon: 0.0,
        });
        let distance = self.centre().distance_m(&centre);
        if distance - reach > radius_m + SLACK_M {
            Lies::Outside
        } else if distance + reach < radius_m - SLACK_M {
            Lies::Inside
        } else {
            Lies::Across
        }
    }

    /// Whether the edge comes into the square; it may say so when it only comes near.
    fn may_meet(&self, from: Place, to: Place) -> bool {
        let beside = from.lat.max(to.lat) < self.south
            || from.lat.min(to.lat) > self.north
            || from.lon.max(to.lon) < self.west
            || from.lon.min(to.lon) > self.east;
        if beside {
            return false;
        }
        // All corners on one side of the edge's line: it passes by.
        let side = |lat: f64, lon: f64| {
            (to.lon - from.lon) * (lat - from.lat) - (to.lat - from.lat) * (lon - from.lon)
        };
        let corners = [
            side(self.south, self.west),
            side(self.south, self.east),
            side(self.north, self.west),
            side(self.north, self.east),
        ];
        !(corners.iter().all(|&side| side > 1e-9) || corners.iter().all(|&side| side < -1e-9))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place() -> impl Strategy<Value = Place> {
        let lat = prop_oneof![-90f64..=90.0, -1f64..1.0, Just(90.0), Just(-90.0)];
        let lon = prop_oneof![-180f64..=180.0, -1f64..1.0, Just(180.0), Just(-180.0)];
        (lat, lon).prop_map(|(lat, lon)| Place { lat, lon })
    }

    fn shape() -> impl Strategy<Value = Shape> {
        prop_oneof![
            (place(), prop_oneof![0f64..100.0, 0f64..1e5, 0f64..2.1e7])
                .prop_map(|(centre, radius_m)| Shape::Circle { centre, radius_m }),
            (place(), place()).prop_map(|(a, b)| Shape::Box {
                south: a.lat.min(b.lat),
                west: a.lon,
                north: a.lat.max(b.lat),
                east: b.lon,
            }),
            prop::collection::vec(place(), 3..7).prop_map(Shape::Polygon),
        ]
    }

    proptest! {
        /// A place near the edge as often as one anywhere.
        #[test]
        fn squares_agree_with_places(
            shape in shape(),
            place in place(),
            free in 0u32..32,
            off in (-1e-6f64..1e-6, -1e-6f64..1e-6),
        ) {
            let near = match &shape {
                Shape::Circle { centre, .. } => *centre,
                Shape::Box { north, east, .. } => Place { lat: *north, lon: *east },
                Shape::Polygon(ring) => ring[0],
            };
            let near = Place {
                lat: (near.lat + off.0).clamp(-90.0, 90.0),
                lon: (near.lon + off.1).clamp(-180.0, 180.0),
            };
            let cover = cover(&shape);
            prop_assert!(cover.len() < SQUARES * 4);
            for place in [place, near] {
                let holds = shape.holds(place);
                let entry = (cell(place), 5);
                let bits = free * 2;
                let first = cell(place) & !u64::MAX.checked_shr(64 - bits).unwrap_or(0);
                let square = Square { first, free: bits };
                prop_assert!(square.range().contains(&entry));
                match square.lies(&shape) {
                    Lies::Outside => prop_assert!(!holds),
                    Lies::Inside => prop_assert!(holds),
                    Lies::Across => {}
                }
                let mut around = cover.iter().filter(|(square, _)| square.range().contains(&entry));
                match around.next() {
                    None => prop_assert!(!holds),
                    Some((_, true)) => prop_assert!(holds),
                    Some((_, false)) => {}
                }
                prop_assert!(around.next().is_none());
            }
        }
    }
}
