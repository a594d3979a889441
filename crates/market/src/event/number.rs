//! Integers with a unit. Floats appear only outside, at the edge.

use std::fmt;

/// A price in units of 1e-9 of the quote currency. Negative prices are legal (spreads, futures).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Price(pub i64);

impl Price {
    /// Units in one unit of currency.
    pub const SCALE: i64 = 1_000_000_000;

    /// From ITCH's four decimals.
    #[must_use]
    pub fn from_e4(units: u32) -> Self {
        Self(i64::from(units) * 100_000)
    }

    /// For people and for the edge; never in the hot path.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::SCALE as f64
    }
}

/// Shows up to nine decimals, at least two: `163.25`, `0.000000001`.
impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs();
        let (whole, mut fraction) = (units / 1_000_000_000, units % 1_000_000_000);
        let mut width = 9;
        while width > 2 && fraction % 10 == 0 {
            fraction /= 10;
            width -= 1;
        }
        write!(f, "{sign}{whole}.{fraction:0width$}")
    }
}

/// A quantity in units of the instrument's `qty_decimals` (shares for equities).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Qty(pub u64);

/// Sum of `Price * Qty`, exact: 1e-9 currency units times quantity units.
pub type Notional = i128;

impl Price {
    /// `self * qty`, exact.
    #[must_use]
    pub fn times(self, qty: Qty) -> Notional {
        i128::from(self.0) * i128::from(qty.0)
    }
}

/// Our dense instrument number: an index, small and reused every session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct InstrumentId(pub u32);

/// The venue's order reference, unique in a feed session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct OrderId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_print_without_floats() {
        let check = |units: i64, text: &str| assert_eq!(Price(units).to_string(), text);
        check(163_250_000_000, "163.25");
        check(1, "0.000000001");
        check(-1_500_000_000, "-1.50");
        check(0, "0.00");
        check(i64::MIN, "-9223372036.854775808");
    }

    #[test]
    fn notional_holds_the_largest_product() {
        assert_eq!(
            Price(i64::MAX).times(Qty(u64::MAX)),
            i128::from(i64::MAX) * i128::from(u64::MAX)
        );
    }
}
