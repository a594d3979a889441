//! Kernels over lists: estimates of 32 rows by one bit, and fine codes: rows of 4, 6 or 8 bits a component, kept as two planes so that the coarse
//! half can be read without the other.
//!
//! ```text
//! 64 components are a group; code = high << low_bits | low
//! high, 32 bytes a group:  byte i = high of component i      | high of component 32 + i << 4
//! low of 4 bits, the same
//! low of 2 bits, 16 bytes: byte i = low of components i, 16 + i, 32 + i, 48 + i, from the lowest bits up
//! ```
//!
//! Sums are of unsigned codes and signed query components, exact in integers, and so the same on
//! every machine whatever the order of additions.

use super::{BLOCK, Codes, Kernels, Planes, Range, Table};

/// Components whose codes lie together.
const GROUP: usize = 64;

/// The greatest entry of a table that is scanned: four fit a byte.
pub const SCAN_MOST: u8 = 63;

type Scan = fn(&Codes<'_>, &Table<'_>, &Range<'_>, &mut [f32; BLOCK]) -> u32;

/// The kernels over lists of one instruction set.
#[derive(Clone, Copy)]
pub struct ListKernels {
    pub(super) scan: Scan,
    pub(super) dot_high: fn(&[u8], &Planes) -> i32,
    pub(super) dot_fine: fn(&[u8], &[u8], &Planes) -> i64,
}

impl ListKernels {
    /// Those that go with `kernels`.
    #[must_use]
    pub fn of(kernels: &Kernels) -> Self {
        #[cfg(target_arch = "x86_64")]
        if matches!(kernels.name, "avx2" | "avx512") {
            let wider = kernels.name == "avx512";
            let lists = super::avx2_lists::LISTS;
            return Self {
                scan: if wider {
                    kernels.codes.estimate
                } else {
                    lists.scan
                },
                ..lists
            };
        }
        Self {
            scan: kernels.codes.estimate,
            dot_high,
            dot_fine,
        }
    }

    /// [`Kernels::estimate`] for tables whose entries are at most [`SCAN_MOST`], which can be added four
    /// at a time before a sum needs more than a byte; the same bits.
    ///
    /// # Panics
    /// When codes and table differ in length or are no groups of 64 components.
    #[inline]
    pub fn scan(
        &self,
        codes: &Codes<'_>,
        table: &Table<'_>,
        range: &Range<'_>,
        out: &mut [f32; BLOCK],
    ) -> u32 {
        assert_eq!(codes.bytes.len(), table.bytes.len(), "one dimension");
        assert!(codes.bytes.len().is_multiple_of(4 * GROUP), "whole groups");
        (self.scan)(codes, table, range, out)
    }

    /// The sum of `high * query`, both of few bits: codes of 4, and the query's high plane.
    ///
    /// # Panics
    /// When the codes are not half as many bytes as the query has components.
    #[inline]
    #[must_use]
    pub fn dot_high(&self, high: &[u8], query: &Planes) -> i32 {
        assert_eq!(high.len() * 2, query.dim(), "half a byte a component");
        (self.dot_high)(high, query)
    }

    /// The sum of `code * query` over whole codes and the whole query. No bytes in `low` are codes of
    /// 4 bits, a quarter as many as components codes of 6, half as many codes of 8.
    ///
    /// # Panics
    /// When the codes have none of these lengths.
    #[inline]
    #[must_use]
    pub fn dot_fine(&self, high: &[u8], low: &[u8], query: &Planes) -> i64 {
        assert_eq!(high.len() * 2, query.dim(), "half a byte a component");
        let parts = [0, high.len() / 2, high.len()];
        assert!(parts.contains(&low.len()), "low bits of one width");
        (self.dot_fine)(high, low, query)
    }
}

impl Planes {
    /// Sums of the whole components and of the high plane: what a code of one everywhere gives.
    #[must_use]
    pub fn totals(&self) -> (i64, i64) {
        let high = self.high.iter().map(|&high| i64::from(high));
        (self.excess / 128, high.sum())
    }
}

/// Bits below the high ones.
fn low_bits(high: &[u8], low: &[u8]) -> usize {
    4 * low.len() / high.len()
}

/// Writes the codes of a row, each below `16 << low_bits`, into its planes.
///
/// # Panics
/// When codes and planes do not fit each other.
pub fn pack(codes: &[u8], high: &mut [u8], low: &mut [u8]) {
    assert!(codes.len().is_multiple_of(GROUP), "whole groups");
    assert_eq!(high.len() * 2, codes.len(), "half a byte a component");
    let bits = low_bits(high, low);
    let lows = low.len() / (codes.len() / GROUP);
    for (group, codes) in codes.chunks_exact(GROUP).enumerate() {
        for (i, byte) in high[32 * group..][..32].iter_mut().enumerate() {
            *byte = codes[i] >> bits | codes[i + 32] >> bits << 4;
        }
        for (i, byte) in low[lows * group..][..lows].iter_mut().enumerate() {
            let part = |at: usize| codes[at] & ((1 << bits) - 1);
            *byte = match bits {
                2 => part(i) | part(i + 16) << 2 | part(i + 32) << 4 | part(i + 48) << 6,
                _ => part(i) | part(i + 32) << 4,
            };
        }
    }
}

/// The code of component `at`.
fn code(high: &[u8], low: &[u8], at: usize) -> i32 {
    let (group, i) = (at / GROUP, at % GROUP);
    let nibble = |plane: &[u8]| i32::from(plane[32 * group + i % 32] >> (i / 32 * 4) & 15);
    match low_bits(high, low) {
        0 => nibble(high),
        2 => nibble(high) << 2 | i32::from(low[16 * group + i % 16] >> (i / 16 * 2) & 3),
        _ => nibble(high) << 4 | nibble(low),
    }
}

fn dot_high(high: &[u8], query: &Planes) -> i32 {
    let each = query.high.iter().enumerate();
    each.map(|(at, &q)| code(high, &[], at) * i32::from(q))
        .sum()
}

fn dot_fine(high: &[u8], low: &[u8], query: &Planes) -> i64 {
    let each = query.wide.iter().enumerate();
    each.map(|(at, &q)| i64::from(code(high, low, at)) * i64::from(q))
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases::{cases, most};

    /// Codes of one width for 64 to 960 or 4,096 components, and a query; ends of ranges often.
    fn case() -> impl Strategy<Value = (usize, Vec<u8>, Vec<i16>)> {
        let dim = prop_oneof![4 => 1usize..=most(15, 2), 1 => Just(most(64, 1))];
        (0usize..3, dim).prop_flat_map(|(width, groups)| {
            let most = (16u32 << (2 * width)) - 1;
            let code = prop_oneof![3 => 0..=most, 1 => Just(most)].prop_map(|code| code as u8);
            let value = prop_oneof![
                3 => -Planes::MAX..=Planes::MAX, 1 => Just(Planes::MAX), 1 => Just(-Planes::MAX)
            ];
            (
                Just(width),
                prop::collection::vec(code, groups * GROUP),
                prop::collection::vec(value, groups * GROUP),
            )
        })
    }

    proptest! {
        #![proptest_config(cases(128))]

        #[test]
        fn scans_have_the_bits_of_estimates(
            (codes, table) in (1usize..=most(17, 1)).prop_map(|n| if n > 16 { 64 } else { n }).prop_flat_map(|n| (
                prop::collection::vec(any::<u8>(), n * 4 * GROUP),
                prop::collection::vec(
                    prop_oneof![3 => 0..=SCAN_MOST, 1 => Just(SCAN_MOST)], n * 4 * GROUP
                ),
            )),
            add in prop::array::uniform32(0u16..0x7c00),
            mul in prop::array::uniform32(0u16..0x7c00),
            (slope, offset, base, bound) in (-2.0f32..2.0, -2.0f32..2.0, 0.0f32..4.0, -9.0f32..9.0),
        ) {
            let codes = Codes { bytes: &codes, add: &add, mul: &mul };
            let table = Table { bytes: &table, slope, offset };
            let range = Range { base, bound, ahead: codes.bytes };
            let (mut want, mut got) = ([0.0; BLOCK], [0.0; BLOCK]);
            let below = Kernels::available()[0].estimate(&codes, &table, &range, &mut want);
            for kernels in Kernels::available() {
                let lists = ListKernels::of(&kernels);
                prop_assert_eq!(lists.scan(&codes, &table, &range, &mut got), below);
                prop_assert_eq!(got.map(f32::to_bits), want.map(f32::to_bits), "{}", kernels.name);
            }
        }

        #[test]
        fn products_of_fine_codes_are_exact((width, codes, query) in case()) {
            let mut planes = Planes::default();
            let values: Vec<f32> = query.iter().map(|&wide| f32::from(wide)).collect();
            planes.set(Kernels::get(), &values, 1.0);
            let mut high = vec![0; codes.len() / 2];
            let mut low = vec![0; codes.len() / 4 * width];
            pack(&codes, &mut high, &mut low);
            let bits = 2 * width;
            let pairs = codes.iter().zip(&query);
            let want: i64 = pairs.clone().map(|(&c, &q)| i64::from(c) * i64::from(q)).sum();
            let few = |q: i16| (i32::from(q) + 64) >> 7;
            let want_high: i32 = pairs.map(|(&c, &q)| i32::from(c >> bits) * few(q)).sum();
            for kernels in Kernels::available() {
                let fine = ListKernels::of(&kernels);
                prop_assert_eq!(fine.dot_fine(&high, &low, &planes), want, "{}", kernels.name);
                prop_assert_eq!(fine.dot_high(&high, &planes), want_high, "{}", kernels.name);
            }
        }
    }
}
