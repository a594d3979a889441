//! A sketch of every row, one bit a component: enough to know which of given rows are worth reading.
//!
//! A row as bytes is seven lines of memory at 384 components, its sketch one. The sketch gives an
//! unbiased estimate of the distance and how far off that may be (Gao and Long, "RaBitQ", SIGMOD
//! 2024; relative to the centre), so the `k` rows that look nearest are read, and then those that may be
//! nearer than the farthest of them.
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
use crate::code::Query;

/// Sketches of one piece; pieces never move.
const PIECE: usize = 4096;
/// Sketches, and rows, that are on their way while one is worked on.
const AHEAD: usize = 16;
/// Standard deviations below the estimate at which a row is not looked for any more. An answer that
/// is farther below its own estimate may be missed: at the most one in a hundred.
const DEVIATIONS: f32 = 2.3;
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
        let (row, scale) = graph.arena.width().widened(graph.arena.row(slot));
        let sums = graph
            .kernels
            .edge((&row, 0.0), (&row, scale.step), &mut self.signs);
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

    /// About how far the row at `slot` is away, and at least, `slack` standing for how far
    /// estimates may be off.
    #[inline]
    fn compare(
        &self,
        kernels: &Kernels,
        slot: u32,
        query: &PlanedQuery,
        norm: f32,
        slack: f32,
    ) -> (f32, f32) {
        let (signs, rest) = self.bytes(slot).split_at(self.words * 8);
        let word =
            |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
        let (length, f) = (f32::from_bits(word(0)), f32::from_bits(word(4)));
        let sum = word(8).cast_signed() as f32;
        let signs = <[u64]>::ref_from_bytes(signs).expect("sketches are whole words");
        let counted = kernels.weigh(signs, &query.planes) as f32;
        let levels = 2.0 * counted - query.total - LEVELS / 2.0 * sum;
        let estimate = norm + length - 2.0 * f * query.step * levels;
        (estimate, estimate - slack * length.sqrt())
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
        let mut near = std::mem::take(&mut scratch.near);
        near.begin(k);
        let (norm, planed) = (scratch.query.norm(), &scratch.planed);
        // Of the estimate of `2 <q, r>`, see `code`: |q| |r| sqrt(pi / 2 - 1) / sqrt(D), twice.
        let slack = DEVIATIONS * 2.0 * 0.755 * (norm / self.frame.padded() as f32).sqrt();
        let mut compare = |slot: u32| {
            let (estimate, least) = sketch.compare(self.kernels, slot, planed, norm, slack);
            near.seen(slot, estimate, least);
        };
        let mut waiting = [None; AHEAD];
        for (turn, slot) in slots.enumerate() {
            prefetch_lines(sketch.bytes(slot));
            if let Some(slot) = waiting[turn % AHEAD].replace(slot) {
                compare(slot);
            }
        }
        waiting.into_iter().flatten().for_each(&mut compare);
        near.read_promising(self, &scratch.query);
        near.read_possible(self, &scratch.query);
        scratch.visits = near.reads;
        std::mem::swap(&mut scratch.found, &mut near.found);
        scratch.near = near;
        self.hits(k, scratch)
    }
}

/// Rows as their sketches show them, and the nearest that were read.
#[derive(Clone, Debug, Default)]
pub(super) struct Near {
    k: usize,
    /// Slots, and the least they may be away.
    seen: Vec<(f32, u32)>,
    /// The `k` of least estimate, as estimate and slot, least first.
    promising: Vec<u64>,
    /// Distance and slot of rows that were read, nearest first.
    found: Vec<u64>,
    /// A row that is at least farther away than this is not among them.
    bound: f32,
    waiting: Vec<u32>,
    reads: usize,
}

impl Near {
    fn begin(&mut self, k: usize) {
        self.k = k;
        self.seen.clear();
        self.promising.clear();
        self.found.clear();
        self.waiting.clear();
        self.reads = 0;
        self.bound = f32::INFINITY;
    }

    #[inline]
    fn seen(&mut self, slot: u32, estimate: f32, least: f32) {
        self.seen.push((least, slot));
        if self.promising.len() < self.k || estimate < self.bound {
            keep(&mut self.promising, self.k, beam::found(estimate, slot));
            if let (true, Some(last)) = (self.promising.len() == self.k, self.promising.last()) {
                self.bound = beam::distance((last >> 32) as u32);
            }
        }
    }

    /// Reads those that look nearest: none of the answers is farther than the farthest of them.
    fn read_promising(&mut self, graph: &Graph, query: &Query) {
        self.bound = f32::INFINITY;
        let mut promising = std::mem::take(&mut self.promising);
        for &entry in &promising {
            self.offer(graph, query, entry as u32);
        }
        self.read(graph, query);
        promising
            .iter_mut()
            .for_each(|entry| *entry &= u64::from(u32::MAX));
        promising.sort_unstable();
        self.promising = promising;
    }

    /// Reads the others that may be nearer.
    fn read_possible(&mut self, graph: &Graph, query: &Query) {
        if self.k == 0 {
            return;
        }
        let seen = std::mem::take(&mut self.seen);
        for &(least, slot) in &seen {
            if least <= self.bound && self.promising.binary_search(&u64::from(slot)).is_err() {
                self.offer(graph, query, slot);
            }
        }
        self.read(graph, query);
        self.seen = seen;
    }

    #[inline]
    fn offer(&mut self, graph: &Graph, query: &Query, slot: u32) {
        graph.arena.prefetch_row(slot);
        self.waiting.push(slot);
        if self.waiting.len() == AHEAD {
            self.read(graph, query);
        }
    }

    /// Reads the rows that wait.
    fn read(&mut self, graph: &Graph, query: &Query) {
        self.reads += self.waiting.len();
        for slot in self.waiting.drain(..) {
            let vertex = graph.arena.slot(slot);
            if vertex.header.flags == 0 {
                let row = (vertex.row, vertex.header.scale());
                let distance = graph.arena.width().distance(graph.kernels, query, row);
                keep(&mut self.found, self.k, beam::found(distance, slot));
            }
        }
        if let (true, Some(last)) = (self.found.len() == self.k, self.found.last()) {
            self.bound = beam::distance((last >> 32) as u32);
        }
    }
}

/// Puts an entry in its place among the `k` least.
fn keep(entries: &mut Vec<u64>, k: usize, entry: u64) {
    let place = entries.partition_point(|&other| other < entry);
    if place < k {
        entries.truncate(k - 1);
        entries.insert(place, entry);
    }
}
