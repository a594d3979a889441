//! Short rows of bytes that lie in tiles, to be compared many at a time.

use crate::arch::{TILE, TILE_DIM_MAX, TileKernels};

/// Rows of bytes of one dimension, component by component in tiles of 64 rows. A row of 24 components takes a tenth of the
/// time that it takes where rows lie one after the other; from some hundred components on nothing is gained.
#[derive(Clone, Debug)]
pub struct Tiles {
    dim: usize,
    count: usize,
    columns: Vec<[i8; TILE]>,
}

impl Tiles {
    /// No rows yet, of `dim` components, with room for `count` of them.
    ///
    /// # Panics
    /// When `dim` is 0 or above [`TILE_DIM_MAX`].
    #[must_use]
    pub fn with_capacity(dim: usize, count: usize) -> Self {
        assert!((1..=TILE_DIM_MAX).contains(&dim), "short rows");
        Self {
            dim,
            count: 0,
            columns: Vec::with_capacity(count.div_ceil(TILE) * dim),
        }
    }

    /// Rows.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes a row behind all others.
    ///
    /// # Panics
    /// When it has another dimension.
    pub fn push(&mut self, row: &[i8]) {
        assert_eq!(row.len(), self.dim, "rows of one dimension");
        let lane = self.count % TILE;
        if lane == 0 {
            self.columns
                .resize(self.columns.len() + self.dim, [0; TILE]);
        }
        let start = self.columns.len() - self.dim;
        for (column, value) in self.columns[start..].iter_mut().zip(row) {
            column[lane] = *value;
        }
        self.count += 1;
    }

    /// The components of a row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, number: usize) -> impl Iterator<Item = i8> {
        assert!(number < self.count, "a row that is there");
        let tile = &self.columns[number / TILE * self.dim..][..self.dim];
        tile.iter().map(move |column| column[number % TILE])
    }

    /// Calls `offer` with each row's number and squared distance to `query`, but not with those of tiles in which none is
    /// within `worst`, which `offer` says anew.
    pub(super) fn compare(
        &self,
        kernels: TileKernels,
        query: &[i8],
        mut worst: u32,
        mut offer: impl FnMut(usize, u32) -> u32,
    ) {
        let mut distances = [0; TILE];
        for (n, tile) in self.columns.chunks_exact(self.dim).enumerate() {
            if kernels.distances(tile, query, &mut distances) > worst {
                continue;
            }
            let rows = n * TILE..self.count.min((n + 1) * TILE);
            for (row, distance) in rows.zip(distances) {
                if distance <= worst {
                    worst = offer(row, distance);
                }
            }
        }
    }
}
