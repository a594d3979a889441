//! Places on the Earth and shapes around them.
//!
//! The Earth is a sphere here and distances are great circles, which is within 0.6 % of the
//! ellipsoid. Sines come from `libm` and not from the system, so that a place on the edge of a shape
//! is on the same side of it on every machine: a delete by filter is part of the log.

/// Mean radius, metres. Source: IUGG, R1 of GRS 80.
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// A place, in degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// North of the equator, -90 to 90.
    pub lat: f64,
    /// East of Greenwich, -180 to 180.
    pub lon: f64,
}

/// A part of the Earth's surface. The edge of a circle and of a box belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Everything not farther from the centre.
    Circle {
        /// The centre.
        centre: Place,
        /// Metres along the surface.
        radius_m: f64,
    },
    /// Between two parallels and two meridians.
    Box {
        /// Least latitude.
        south: f64,
        /// Where it begins going east.
        west: f64,
        /// Greatest latitude.
        north: f64,
        /// Where it ends going east; less than `west` when it crosses the 180th meridian.
        east: f64,
    },
    /// Inside a ring of corners, the last joined to the first, as drawn on a flat map of degrees: an
    /// edge is no great circle and does not cross the 180th meridian. Even-odd where it cuts itself.
    Polygon(Vec<Place>),
}

impl Place {
    /// Whether latitude and longitude are those of a place.
    #[must_use]
    pub fn is_on_earth(&self) -> bool {
        (-90.0..=90.0).contains(&self.lat) && (-180.0..=180.0).contains(&self.lon)
    }

    /// Metres along the surface. Source: the haversine formula.
    #[must_use]
    pub fn distance_m(&self, other: &Self) -> f64 {
        let half_chord = |from: f64, to: f64| {
            let sine = libm::sin((to - from).to_radians() / 2.0);
            sine * sine
        };
        let parallels = libm::cos(self.lat.to_radians()) * libm::cos(other.lat.to_radians());
        let h = half_chord(self.lat, other.lat) + parallels * half_chord(self.lon, other.lon);
        2.0 * EARTH_RADIUS_M * libm::asin(h.sqrt().min(1.0))
    }
}

impl Shape {
    /// Whether all its numbers make sense.
    #[must_use]
    pub fn is_on_earth(&self) -> bool {
        match self {
            Self::Circle { centre, radius_m } => {
                centre.is_on_earth() && radius_m.is_finite() && *radius_m >= 0.0
            }
            Self::Box {
                south,
                west,
                north,
                east,
            } => [(*south, *west), (*north, *east)]
                .iter()
                .all(|&(lat, lon)| Place { lat, lon }.is_on_earth()),
            Self::Polygon(ring) => ring.len() >= 3 && ring.iter().all(Place::is_on_earth),
        }
    }

    /// Whether the place is inside.
    #[must_use]
    pub fn holds(&self, place: Place) -> bool {
        match self {
            Self::Circle { centre, radius_m } => centre.distance_m(&place) <= *radius_m,
            Self::Box {
                south,
                west,
                north,
                east,
            } => {
                let between = if west <= east {
                    *west <= place.lon && place.lon <= *east
                } else {
                    *west <= place.lon || place.lon <= *east
                };
                between && *south <= place.lat && place.lat <= *north
            }
            Self::Polygon(ring) => inside(ring, place),
        }
    }
}

/// The edges of a ring.
pub(crate) fn edges(ring: &[Place]) -> impl Iterator<Item = (Place, Place)> {
    let next = ring.iter().cycle().skip(1);
    ring.iter().zip(next).map(|(from, to)| (*from, *to))
}

/// Whether a ray to the north crosses the ring an odd number of times.
fn inside(ring: &[Place], place: Place) -> bool {
    let mut is_inside = false;
    for (from, to) in edges(ring) {
        if (from.lon > place.lon) != (to.lon > place.lon) {
            let share = (place.lon - from.lon) / (to.lon - from.lon);
            let lat = from.lat + share * (to.lat - from.lat);
            is_inside ^= place.lat <= lat;
        }
    }
    is_inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: f64, lon: f64) -> Place {
        Place { lat, lon }
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        let degree = EARTH_RADIUS_M.to_radians();
        let near = |a: Place, b: Place, metres: f64| {
            let got = a.distance_m(&b);
            assert!(
                (got - metres).abs() < 1e-6 * metres + 1e-9,
                "{got} {metres}"
            );
        };
        near(at(0.0, 0.0), at(1.0, 0.0), degree);
        near(at(0.0, 179.5), at(0.0, -179.5), degree);
        near(at(90.0, 10.0), at(89.0, -100.0), degree);
        near(at(0.0, 0.0), at(0.0, 180.0), 180.0 * degree);
        // Paris and New York, by an outside great-circle calculator.
        let d = at(48.8566, 2.3522).distance_m(&at(40.7128, -74.0060));
        assert!((d - 5_837_000.0).abs() < 2_000.0, "{d}");
    }

    #[test]
    fn boxes_cross_the_date_line_and_rings_may_be_hollow() {
        let pacific = Shape::Box {
            south: -10.0,
            west: 170.0,
            north: 10.0,
            east: -170.0,
        };
        assert!(pacific.holds(at(0.0, 180.0)) && pacific.holds(at(10.0, -175.0)));
        assert!(!pacific.holds(at(0.0, 0.0)) && !pacific.holds(at(11.0, 175.0)));
        // A "U": its notch is outside.
        let corners = [
            (0, 0),
            (0, 3),
            (3, 3),
            (3, 2),
            (1, 2),
            (1, 1),
            (3, 1),
            (3, 0),
        ];
        let ring = Shape::Polygon(
            corners
                .map(|(lat, lon)| at(f64::from(lat), f64::from(lon)))
                .into(),
        );
        assert!(ring.holds(at(2.0, 0.5)) && ring.holds(at(0.5, 1.5)) && ring.holds(at(2.0, 2.5)));
        assert!(
            !ring.holds(at(2.0, 1.5)) && !ring.holds(at(4.0, 0.5)) && !ring.holds(at(0.5, 4.0))
        );
    }

    #[test]
    fn what_is_not_on_earth_is_known() {
        for bad in [at(90.1, 0.0), at(0.0, -180.1), at(f64::NAN, 0.0)] {
            assert!(!bad.is_on_earth());
            assert!(
                !Shape::Circle {
                    centre: bad,
                    radius_m: 1.0
                }
                .is_on_earth()
            );
        }
        let centre = at(0.0, 0.0);
        for radius_m in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(!Shape::Circle { centre, radius_m }.is_on_earth());
        }
        assert!(!Shape::Polygon(vec![centre; 2]).is_on_earth());
        assert!(Shape::Polygon(vec![centre; 3]).is_on_earth());
    }
}
