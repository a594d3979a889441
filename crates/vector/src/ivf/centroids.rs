//! Centroids, searched flat: one bit a component finds candidates, their bytes say which are nearest.
//!
//! A centroid *is* what its bytes say, so that distances to it are exact and every row's residual can be
//! taken again from the same vector.

use zerocopy::IntoBytes;

use super::block::{Block, Blocks, Sketch, block_bytes};
use crate::arch::{BLOCK, EdgeSums, Kernels, Line, ListKernels, Range, SCAN_MOST};
use crate::code::{Factors, Query, RowScale, encode_row};
use crate::graph::beam::{distance, found};

/// Candidates by one bit for `m` nearest centroids: `SPARE_SHARE * m + SPARE`.
const SPARE_SHARE: usize = 2;
const SPARE: usize = 14;

/// All centroids as they lie.
#[derive(Clone, Copy)]
pub(super) struct CentroidsView<'a> {
    pub padded: usize,
    pub count: usize,
    /// `[count, padded]` bytes above 128.
    pub rows: &'a [u8],
    /// Step and squared length of each, two f32.
    pub scales: &'a [u8],
    /// Blocks of codes relative to the origin; the slot of a row is its list.
    pub blocks: &'a [u8],
}

/// Memory for one search among centroids.
#[derive(Clone, Debug, Default)]
pub(super) struct NearestScratch {
    candidates: Vec<u64>,
    /// Least rank first.
    pub nearest: Vec<Near>,
}

/// A centroid that was found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Near {
    /// Squared distance and weight of the list.
    pub rank: f32,
    /// Squared.
    pub distance: f32,
    pub list: u32,
}

impl<'a> CentroidsView<'a> {
    /// Bytes and scale of a centroid.
    #[inline]
    pub fn row(&self, list: u32) -> (&'a [u8], RowScale) {
        let at = list as usize;
        let row = &self.rows[at * self.padded..(at + 1) * self.padded];
        let scale = &self.scales[8 * at..8 * at + 8];
        let float =
            |n: usize| f32::from_le_bytes([scale[n], scale[n + 1], scale[n + 2], scale[n + 3]]);
        (
            row,
            RowScale {
                step: float(0),
                norm: float(4),
            },
        )
    }

    /// The components of a centroid.
    pub fn values(&self, list: u32, values: &mut Vec<f32>) {
        let (row, scale) = self.row(list);
        values.clear();
        values.extend(
            row.iter()
                .map(|&byte| f32::from(i16::from(byte) - 128) * scale.step),
        );
    }

    /// The `m` nearest centroids into the scratch, when the squared distance of each is made longer by
    /// the weight of its list, which is not negative.
    pub fn nearest(
        &self,
        kernels: &Kernels,
        query: &Query,
        m: usize,
        weight: impl Fn(u32) -> f32,
        scratch: &mut NearestScratch,
    ) {
        let NearestScratch {
            candidates,
            nearest,
        } = scratch;
        let m = m.min(self.count);
        let want = (SPARE_SHARE * m + SPARE).min(self.count);
        self.estimate(kernels, query, want, &weight, candidates);
        nearest.clear();
        nearest.extend(candidates.iter().map(|&entry| {
            let list = entry as u32;
            let (row, scale) = self.row(list);
            let distance = query.distance(kernels, row, scale);
            Near {
                rank: distance + weight(list),
                distance,
                list,
            }
        }));
        nearest.sort_unstable_by_key(|near| found(near.rank, near.list));
        nearest.truncate(m);
    }

    /// The `want` that seem to have the least rank by one bit, in no order.
    fn estimate(
        &self,
        kernels: &Kernels,
        query: &Query,
        want: usize,
        weight: &impl Fn(u32) -> f32,
        best: &mut Vec<u64>,
    ) {
        best.clear();
        let kernels = ListKernels::of(kernels);
        let mut range = Range {
            base: query.norm(),
            bound: f32::INFINITY,
            ahead: &[],
        };
        let mut out = [0.0; BLOCK];
        let blocks = self.blocks.chunks_exact(block_bytes(self.padded));
        for (n, bytes) in blocks.enumerate() {
            let Some(block) = Block::of(bytes, self.padded) else {
                return;
            };
            let mut below = kernels.scan(&block.codes, &query.table(), &range, &mut out);
            below &= mask(self.count - n * BLOCK);
            while below != 0 {
                let at = below.trailing_zeros() as usize;
                below &= below - 1;
                let list = (n * BLOCK + at) as u32;
                let rank = out[at] + weight(list);
                if rank < range.bound {
                    best.push(found(rank, list));
                }
            }
            if best.len() >= 2 * want + BLOCK {
                let (_, &mut worst, _) = best.select_nth_unstable(want - 1);
                best.truncate(want);
                // One as far as the worst kept has the greater number and is not needed.
                range.bound = distance((worst >> 32) as u32);
            }
        }
        if best.len() > want {
            best.select_nth_unstable(want - 1);
            best.truncate(want);
        }
    }
}

/// Makes a query of a vector in the frame.
pub(super) fn prepare(kernels: &Kernels, values: &[f32], query: &mut Query) {
    query.set_with(kernels, values, SCAN_MOST);
}

/// Bits of the rows of a block of which `rows` are left.
#[inline(always)]
pub(super) fn mask(rows: usize) -> u32 {
    ((1u64 << rows.min(BLOCK)) - 1) as u32
}

/// Centroids that come, go and move.
#[derive(Clone)]
pub(super) struct Centroids {
    padded: usize,
    rows: Vec<Line>,
    scales: Vec<[u8; 8]>,
    blocks: Blocks,
}

impl Centroids {
    pub fn new(padded: usize) -> Self {
        Self {
            padded,
            rows: Vec::new(),
            scales: Vec::new(),
            blocks: Blocks::new(padded),
        }
    }

    /// Those of a view.
    pub fn of(view: CentroidsView<'_>) -> Self {
        let mut rows = vec![Line([0; 64]); view.rows.len() / 64];
        rows.as_mut_bytes().copy_from_slice(view.rows);
        Self {
            padded: view.padded,
            rows,
            scales: view.scales.as_chunks().0.to_vec(),
            blocks: Blocks::restored(view.padded, view.count, view.blocks),
        }
    }

    pub fn view(&self) -> CentroidsView<'_> {
        CentroidsView {
            padded: self.padded,
            count: self.scales.len(),
            rows: self.rows.as_bytes(),
            scales: self.scales.as_flattened(),
            blocks: self.blocks.bytes(),
        }
    }

    pub fn len(&self) -> usize {
        self.scales.len()
    }

    pub fn push(&mut self, kernels: &Kernels, values: &[f32]) {
        let list = self.len();
        self.rows
            .resize(self.rows.len() + self.padded / 64, Line([0; 64]));
        self.scales.push([0; 8]);
        let sketch = Sketch {
            signs: vec![0; self.padded / 16],
            factors: Factors::default(),
        };
        self.blocks.push(&sketch, list as u32);
        self.set(kernels, list, values);
    }

    /// Moves a centroid.
    pub fn set(&mut self, kernels: &Kernels, list: usize, values: &[f32]) {
        let lines = self.padded / 64;
        let row = self.rows[list * lines..(list + 1) * lines].as_mut_bytes();
        let step = encode_row(values, row).step;
        let said: Vec<f32> = row
            .iter()
            .map(|&byte| f32::from(i16::from(byte) - 128) * step)
            .collect();
        let norm = kernels.dot(&said, &said);
        self.scales[list][..4].copy_from_slice(&step.to_le_bytes());
        self.scales[list][4..].copy_from_slice(&norm.to_le_bytes());
        let origin = vec![0.0; said.len()];
        self.blocks
            .write(list, &sketch(kernels, &said, &origin), list as u32);
    }

    /// Puts the last centroid in the place of `list`.
    pub fn swap_remove(&mut self, list: usize) {
        let last = self.len() - 1;
        let lines = self.padded / 64;
        self.rows.copy_within(last * lines.., list * lines);
        self.rows.truncate(last * lines);
        self.scales.swap_remove(list);
        self.blocks.swap_remove(list);
        if list < last {
            self.blocks.name(list, list as u32);
        }
    }
}

/// What one bit keeps of the residual `way` from `centroid`.
pub(super) fn sketch(kernels: &Kernels, way: &[f32], centroid: &[f32]) -> Sketch {
    let sign = |&value: &f32| if value >= 0.0 { 1.0 } else { -1.0 };
    let units: Vec<f32> = way.iter().map(sign).collect();
    let sums = EdgeSums {
        l1: kernels.dot(way, &units),
        l2_squared: kernels.dot(way, way),
        signed_vertex: kernels.dot(centroid, &units),
    };
    let words = way.chunks_exact(16).map(|values| {
        let bits = values.iter().enumerate();
        bits.fold(0u16, |word, (i, &value)| {
            word | u16::from(value >= 0.0) << i
        })
    });
    Sketch {
        signs: words.collect(),
        factors: Factors::new(sums, way.len()),
    }
}

#[cfg(test)]
mod tests {
    use stdx::Rng;

    use super::*;

    fn normal(rng: &mut Rng, dim: usize) -> Vec<f32> {
        (0..dim)
            .map(|_| rng.normal() as f32 / (dim as f32).sqrt())
            .collect()
    }

    /// Against comparing all, after centroids came, moved and went.
    #[test]
    fn finds_the_nearest() {
        let (mut rng, kernels, dim) = (Rng::new(4), Kernels::get(), 128);
        let mut centroids = Centroids::new(dim);
        let mut twin: Vec<Vec<f32>> = Vec::new();
        for n in 0..400 {
            twin.push(normal(&mut rng, dim));
            centroids.push(kernels, &twin[n]);
        }
        for n in [3, 77, 350] {
            twin.swap_remove(n);
            centroids.swap_remove(n);
            twin[n] = normal(&mut rng, dim);
            centroids.set(kernels, n, &twin[n]);
        }
        let view = centroids.view();
        assert_eq!((view.count, view.rows.len()), (397, 397 * dim));
        let (mut hits, mut scratch) = (0, NearestScratch::default());
        for _ in 0..20 {
            let values = normal(&mut rng, dim);
            let mut query = Query::default();
            prepare(kernels, &values, &mut query);
            view.nearest(kernels, &query, 20, |_| 0.0, &mut scratch);
            let mut all: Vec<(f32, u32)> = (0..397)
                .map(|n| (kernels.l2_squared(&values, &twin[n]), n as u32))
                .collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert_eq!(scratch.nearest.len(), 20);
            for (got, want) in scratch.nearest.iter().zip(&all) {
                hits += u32::from(all[..20].iter().any(|near| near.1 == got.list));
                assert!((got.distance - want.0).abs() < 0.1 * want.0);
            }
            let mut copy = Vec::new();
            view.values(scratch.nearest[0].list, &mut copy);
            let exact = kernels.l2_squared(&values, &copy);
            assert!((exact - scratch.nearest[0].distance).abs() < 1e-3);
        }
        let (mut query, last) = (Query::default(), 396);
        prepare(kernels, &twin[3], &mut query);
        let weight = |list| if list == last { 0.0 } else { 100.0 };
        view.nearest(kernels, &query, 2, weight, &mut scratch);
        let lists = [0, 1].map(|n: usize| scratch.nearest[n].list);
        assert_eq!(lists, [last, 3], "the weight decides, then the distance");
        assert!(hits > 300, "{hits} of 400");
    }
}
