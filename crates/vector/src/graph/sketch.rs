//! A sketch of every row, one bit a component: enough to know which of given rows are worth reading.
//!
//! A row as bytes is seven lines of memory at 384 components, its sketch one. The sketch gives an
//! unbiased estimate of the distance and how far off that may be (Gao and Long, "RaBitQ", SIGMOD
//! 2024; relative to the centre), so rows are read in order of the least they may be away, until
//! that is more than the nearest found.
//!
//! ```text
//! sketch: [ signs D / 64 words | |r|^2 f32, f f32 | sum of signs i32 | to half a line or whole lines ]
//! |q - r|^2 is about |q|^2 + |r|^2 - 2 f <q, s>   with  f = |r|^2 / sum |r_i|
//! <q, s> from a query of 4 bits a component, as four planes of bits: sums of counted bits
//! ```

use zerocopy::{FromBytes, IntoBytes};

use super::beam;
use super::{Graph, WalkScratch};
use crate::Hit;
use crate::arch::{Kernels, Line, prefetch_lines};

/// Sketches of one piece; pieces never move.
const PIECE: usize = 4096;
/// Sketches, and rows, that are on their way while one is worked on.
const AHEAD: usize = 16;
/// Standard deviations below the estimate at which a row is not looked for any more. An answer that
/// is farther below its own estimate is missed: one in a thousand of those that would be among many.
const DEVIATIONS: f32 = 2.6;
/// Greatest component of a query in planes.
const LEVELS: f32 = 15.0;

/// The sketches of a graph's rows, by slot.
#[derive(Debug)]
pub struct Sketch {
    /// Words of signs, and of all.
    words: usize,
    stride: usize,
    pieces: Vec<Box<[Line]>>,
    signs: Vec<u16>,
}

/// A query as counted bits want it.
#[derive(Clone, Debug, Default)]
pub(super) struct PlanedQuery {
    /// Four planes of each word.
    planes: Vec<u64>,
    step: f32,
    /// The sum of all levels.
    total: f32,
}

impl Sketch {
    /// The sketches of all rows of the graph.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let words = graph.frame().padded() / 64;
        let with_factors = words + 2;
        let stride = if with_factors <= 4 {
            4
        } else {
            with_factors.next_multiple_of(8)
        };
        let mut sketch = Self {
            words,
            stride,
            pieces: Vec::new(),
            signs: vec![0; words * 4],
        };
        (0..graph.slots() as u32).for_each(|slot| sketch.take(graph, slot));
        sketch
    }

    /// Takes the row at `slot` of the graph, in place of what was there.
    ///
    /// # Panics
    /// When the slot was never given out.
    pub fn take(&mut self, graph: &Graph, slot: u32) {
        let (row, scale) = graph.arena.row(slot);
        let sums = graph
            .kernels
            .edge((row, 0.0), (row, scale.step), &mut self.signs);
        let f = if sums.l1 > 0.0 {
            sums.l2_squared / sums.l1
        } else {
            0.0
        };
        while self.pieces.len() <= slot as usize / PIECE {
            let lines = (PIECE * self.stride).div_ceil(8);
            self.pieces
                .push(vec![Line([0; 64]); lines].into_boxed_slice());
        }
        let (words, stride) = (self.words, self.stride);
        let bytes = self.pieces[slot as usize / PIECE].as_mut_bytes();
        let at = slot as usize % PIECE * stride * 8;
        let sketch = &mut bytes[at..at + stride * 8];
        for (word, signs) in sketch.chunks_exact_mut(8).zip(self.signs.chunks_exact(4)) {
            word.copy_from_slice(signs.as_bytes());
        }
        let ones: u32 = self.signs.iter().map(|signs| signs.count_ones()).sum();
        let sum = 2 * ones as i32 - 64 * words as i32;
        let factors = &mut sketch[words * 8..words * 8 + 12];
        factors[..4].copy_from_slice(&sums.l2_squared.to_le_bytes());
        factors[4..8].copy_from_slice(&f.to_le_bytes());
        factors[8..].copy_from_slice(&sum.to_le_bytes());
    }

    /// Bytes in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len() * 64).sum()
    }

    #[inline]
    fn bytes(&self, slot: u32) -> &[u8] {
        let at = slot as usize % PIECE * self.stride * 8;
        &self.pieces[slot as usize / PIECE].as_bytes()[at..at + self.stride * 8]
    }

    /// The least the row at `slot` is away from the query, `slack` standing for how far estimates
    /// may be off.
    #[inline]
    fn least(
        &self,
        kernels: &Kernels,
        slot: u32,
        query: &PlanedQuery,
        norm: f32,
        slack: f32,
    ) -> f32 {
        let bytes = self.bytes(slot);
        let (signs, rest) = bytes.split_at(self.words * 8);
        let float = |at: usize| f32::from_le_bytes(std::array::from_fn(|n| rest[at + n]));
        let sum = i32::from_le_bytes(std::array::from_fn(|n| rest[8 + n])) as f32;
        let signs = <[u64]>::ref_from_bytes(signs).expect("sketches are whole words");
        let (length, f) = (float(0), float(4));
        let counted = kernels.weigh(signs, &query.planes) as f32;
        let levels = 2.0 * counted - query.total - LEVELS / 2.0 * sum;
        let product = f * query.step * levels;
        norm + length - 2.0 * product - slack * length.sqrt()
    }
}

impl PlanedQuery {
    fn set(&mut self, values: &[f32]) {
        let most = values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        self.step = 2.0 * most / LEVELS;
        let inverse = if self.step > 0.0 {
            1.0 / self.step
        } else {
            0.0
        };
        self.planes.clear();
        let mut total = 0;
        for values in values.chunks(64) {
            let mut planes = [0u64; 4];
            for (bit, value) in values.iter().enumerate() {
                let level = (value * inverse + LEVELS / 2.0 + 0.5) as u64;
                let level = level.min(LEVELS as u64);
                total += level;
                for (n, plane) in planes.iter_mut().enumerate() {
                    *plane |= (level >> n & 1) << bit;
                }
            }
            self.planes.extend(planes);
        }
        self.total = total as f32;
    }
}

impl Graph {
    /// As [`search_among`](Self::search_among), reading only rows that their sketches do not rule
    /// out. One answer in some hundreds may be missed for it.
    ///
    /// # Panics
    /// When the query has not the graph's dimension, or a slot no sketch.
    #[must_use]
    pub fn search_among_sketched(
        &self,
        query: &[f32],
        k: usize,
        slots: impl Iterator<Item = u32>,
        sketch: &Sketch,
        scratch: &mut WalkScratch,
    ) -> Vec<Hit> {
        self.frame
            .query(self.kernels, query, &mut scratch.query, &mut scratch.frame);
        scratch.planed.set(scratch.frame.values());
        self.bounds(slots, sketch, scratch);
        self.read_by_bounds(k, scratch);
        self.hits(k, scratch)
    }

    /// Lists the slots by the least they may be away.
    fn bounds(&self, slots: impl Iterator<Item = u32>, sketch: &Sketch, scratch: &mut WalkScratch) {
        let WalkScratch {
            query,
            planed,
            bounds,
            ..
        } = scratch;
        // Of the estimate of `2 <q, r>`, see `code`: |q| |r| sqrt(pi / 2 - 1) / sqrt(D), twice.
        let padded = self.frame.padded() as f32;
        let norm = query.norm();
        let slack = DEVIATIONS * 2.0 * 0.755 * norm.sqrt() / padded.sqrt();
        bounds.clear();
        let mut add = |slot: u32| {
            let least = sketch.least(self.kernels, slot, planed, norm, slack);
            bounds.push(beam::found(least, slot));
        };
        let mut waiting = [None; AHEAD];
        for (turn, slot) in slots.enumerate() {
            prefetch_lines(sketch.bytes(slot));
            if let Some(slot) = waiting[turn % AHEAD].replace(slot) {
                add(slot);
            }
        }
        waiting.into_iter().flatten().for_each(&mut add);
    }

    /// Reads rows in that order until the next is farther than `k` found.
    fn read_by_bounds(&self, k: usize, scratch: &mut WalkScratch) {
        let WalkScratch {
            query,
            bounds,
            found,
            visits,
            ..
        } = scratch;
        found.clear();
        *visits = 0;
        let (mut rest, mut chunk) = (&mut bounds[..], (4 * k).max(64));
        while !rest.is_empty() {
            let count = chunk.min(rest.len());
            if count < rest.len() {
                rest.select_nth_unstable(count - 1);
            }
            let (now, later) = rest.split_at_mut(count);
            now.sort_unstable();
            for at in 0..now.len() {
                if let Some(next) = now.get(at + AHEAD / 2) {
                    self.arena.prefetch_row(*next as u32);
                }
                // Both are keys of distances with a slot below.
                if found.len() >= k && (k == 0 || now[at] >> 32 > found[k - 1] >> 32) {
                    return;
                }
                let slot = now[at] as u32;
                let vertex = self.arena.slot(slot);
                *visits += 1;
                if vertex.header.flags == 0 {
                    let distance = query.distance(self.kernels, vertex.row, vertex.header.scale());
                    let entry = beam::found(distance, slot);
                    let place = found.partition_point(|&other| other < entry);
                    if place < k {
                        found.truncate(k.saturating_sub(1));
                        found.insert(place, entry);
                    }
                }
            }
            (rest, chunk) = (later, chunk * 2);
        }
    }
}
