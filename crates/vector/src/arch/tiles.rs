//! Squared distances of short rows of bytes to a query, many rows side by side.
//!
//! A row of few components is sooner compared than its lanes are added up and its distance is looked at. So rows lie in
//! tiles, component by component, and each lane is a row:
//!
//! ```text
//! tile of 64 rows   [ row 0 .. row 63 of component 0 | row 0 .. row 63 of component 1 | .. ]
//! ```
//!
//! The sums are of whole numbers, so all instruction sets give the same ones. Written once, over lanes that the compiler
//! puts into the registers of each.

use super::Kernels;

/// Rows of a tile.
pub const TILE: usize = 64;
/// Components at most: the sum of their squares is a whole number that a float holds.
pub const TILE_DIM_MAX: usize = (1 << 24) / (255 * 255);

/// Compares a tile with a query: fills in the squared distances, and gives the least of them.
type Distances = fn(&[[i8; TILE]], &[i8], &mut [u32; TILE]) -> u32;

/// The kernel over tiles of one instruction set.
#[derive(Clone, Copy)]
pub struct TileKernels {
    distances: Distances,
}

impl TileKernels {
    /// That which goes with `kernels`.
    #[must_use]
    pub fn of(kernels: &Kernels) -> Self {
        match kernels.name {
            #[cfg(target_arch = "x86_64")]
            "avx512" => avx512::TILES,
            #[cfg(target_arch = "x86_64")]
            "avx2" => avx2::TILES,
            _ => plain::TILES,
        }
    }

    /// Squared distances of the rows of a tile to `query`, and the least of them.
    ///
    /// # Panics
    /// When the tile has not the dimension of the query, or that is above [`TILE_DIM_MAX`].
    #[inline]
    pub fn distances(&self, tile: &[[i8; TILE]], query: &[i8], out: &mut [u32; TILE]) -> u32 {
        assert_eq!(tile.len(), query.len(), "a query as long as the rows");
        assert!(query.len() <= TILE_DIM_MAX, "short rows");
        (self.distances)(tile, query, out)
    }
}

/// Writes the kernel of an instruction set.
macro_rules! tiles {
    ($name:ident, #[$features:meta]) => {
        mod $name {
            use super::{TILE, TileKernels};

            pub(super) const TILES: TileKernels = TileKernels { distances };

            fn distances(tile: &[[i8; TILE]], query: &[i8], out: &mut [u32; TILE]) -> u32 {
                #[$features]
                unsafe fn inner(tile: &[[i8; TILE]], query: &[i8], out: &mut [u32; TILE]) -> u32 {
                    super::distances(tile, query, out)
                }
                // SAFETY: `Kernels::available` detected the features.
                unsafe { inner(tile, query, out) }
            }
        }
    };
}

tiles!(plain, #[inline]);
#[cfg(target_arch = "x86_64")]
tiles!(avx2, #[target_feature(enable = "avx2")]);
#[cfg(target_arch = "x86_64")]
tiles!(
    avx512,
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2")]
);

#[inline(always)]
fn distances(tile: &[[i8; TILE]], query: &[i8], out: &mut [u32; TILE]) -> u32 {
    // Signed, as the instructions multiply; and no smaller part of a tile, or each sum goes through memory.
    let mut sums = [0i32; TILE];
    for (column, of) in tile.iter().zip(query) {
        for (sum, value) in sums.iter_mut().zip(column) {
            let apart = i16::from(*value) - i16::from(*of);
            *sum += i32::from(apart) * i32::from(apart);
        }
    }
    *out = sums.map(|sum| sum as u32);
    sums.iter().fold(i32::MAX, |least, sum| least.min(*sum)) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases::{cases, most};

    proptest! {
        #![proptest_config(cases(100))]

        #[test]
        fn distances_are_those_of_row_by_row(
            (dim, bytes) in (0usize..most(TILE_DIM_MAX + 1, 9)).prop_flat_map(|dim| (
                Just(dim),
                prop::collection::vec(prop_oneof![any::<i8>(), Just(-128), Just(127)], (TILE + 1) * dim),
            )),
        ) {
            let (query, rows) = bytes.split_at(dim);
            let tile: Vec<[i8; TILE]> = (0..dim)
                .map(|component| std::array::from_fn(|row| rows[row * dim + component]))
                .collect();
            let naive: [u32; TILE] = std::array::from_fn(|row| {
                let of = rows[row * dim..].iter().zip(query);
                of.map(|(a, b)| (i32::from(*a) - i32::from(*b)).pow(2) as u32).sum()
            });
            for kernels in Kernels::available() {
                let mut out = [7; TILE];
                let least = TileKernels::of(&kernels).distances(&tile, query, &mut out);
                prop_assert_eq!(out, naive, "{}", kernels.name);
                prop_assert_eq!(Some(&least), naive.iter().min());
            }
        }
    }
}
