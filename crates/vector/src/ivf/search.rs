//! One search over lists, wherever they lie.
//!
//! ```text
//! query -> nearest centroids -> per list, 32 rows at once: lower bound by one bit
//!       -> below the k-th best: the high half of the fine code, a tighter lower bound
//!       -> still below: the whole fine code, which ranks
//! ```
//!
//! While a list is scanned, the fine rows its predecessor asked for are on their way; they are the only
//! part that need not be in memory, and those touched are counted.

use super::block::{Block, block_bytes};
use super::centroids::{CentroidsView, NearestScratch, mask, prepare};
use super::fine::{FineQuery, FineShape};
use crate::Hit;
use crate::arch::{BLOCK, Kernels, ListKernels, Range, Table, prefetch_lines};
use crate::code::Query;
use crate::flat::{Scan, Scratch};
use crate::graph::beam::{distance, found};
use crate::graph::{Frame, FrameScratch, Stretch};

/// Share of the spread of a list that counts against it: where rows lie closer to their centroid, more of
/// them are as near as it is. Measured on text: with a half, a fifth fewer probes give the same recall.
const SPREAD: f32 = 0.5;

/// How far a search goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Lists that are probed at most.
    pub probes: usize,
    /// Standard deviations by which an estimate is trusted to be off at most. About 2 loses next to
    /// nothing.
    pub slack: f32,
}

impl Effort {
    /// All of `probes` lists.
    #[must_use]
    pub fn probes(probes: usize) -> Self {
        Self {
            probes,
            slack: super::SLACK,
        }
    }
}

/// What a search did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lists probed.
    pub lists: usize,
    /// Rows estimated by one bit.
    pub rows: usize,
    /// Rows whose fine code was read: reads of the part that may lie on disk.
    pub cold_reads: usize,
    /// Those of them whose fine code was read whole.
    pub whole_reads: usize,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Nearest first.
    pub hits: Vec<Hit>,
    /// What it took.
    pub counts: Counts,
}

/// The rows of a list.
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    pub rows: usize,
    /// Blocks of 32 rows.
    pub blocks: &'a [u8],
    /// A fine code a row.
    pub fine: &'a [u8],
}

/// What is searched.
pub(super) trait Lists {
    fn frame(&self) -> &Frame;
    fn kernels(&self) -> &'static Kernels;
    fn shape(&self) -> FineShape;
    fn centroids(&self) -> CentroidsView<'_>;
    /// About the mean squared length of the residuals of a list's rows.
    fn spread(&self, list: u32) -> f32;
    /// An empty list where there is none of this number.
    fn list(&self, list: u32) -> List<'_>;
}

/// Memory that a thread keeps between searches.
#[derive(Clone, Debug, Default)]
pub struct SearchScratch {
    frame: FrameScratch,
    query: Query,
    nearest: NearestScratch,
    best: Best,
    queues: [Vec<Candidate>; 2],
    rerank: Scratch,
}

/// A row that one bit could not rule out.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    lower: f32,
    row: u32,
    slot: u32,
}

/// The best rows so far, sorted.
#[derive(Clone, Debug, Default)]
struct Best {
    entries: Vec<u64>,
    k: usize,
}

impl Best {
    fn begin(&mut self, k: usize) {
        self.entries.clear();
        self.k = k;
    }

    #[inline(always)]
    fn bound(&self) -> f32 {
        match self.entries.last() {
            Some(&last) if self.entries.len() >= self.k => distance((last >> 32) as u32),
            _ => f32::INFINITY,
        }
    }

    #[inline]
    fn insert(&mut self, distance: f32, slot: u32) {
        let entry = found(distance, slot);
        let at = self.entries.partition_point(|&other| other < entry);
        if at >= self.k {
            return;
        }
        if self.entries.len() >= self.k {
            self.entries.pop();
        }
        self.entries.insert(at, entry);
    }
}

/// The `k` nearest visible rows, with scores of their fine codes.
pub(super) fn search(
    lists: &impl Lists,
    query: &[f32],
    k: usize,
    effort: Effort,
    visible: &impl Fn(u32) -> bool,
    scratch: &mut SearchScratch,
) -> Found {
    let counts = collect(lists, query, k, effort, visible, scratch);
    let hits = scratch.best.entries.iter().map(|&entry| Hit {
        slot: entry as u32,
        score: lists
            .frame()
            .score(distance((entry >> 32) as u32), Stretch::default()),
    });
    Found {
        hits: hits.collect(),
        counts,
    }
}

/// The same, with the nearest `depth` ordered again by their whole rows.
pub(super) fn search_reranked<'r>(
    lists: &impl Lists,
    query: &[f32],
    k: usize,
    (effort, depth): (Effort, usize),
    visible: &impl Fn(u32) -> bool,
    row: impl Fn(u32) -> &'r [f32],
    scratch: &mut SearchScratch,
) -> Found {
    let counts = collect(lists, query, depth.max(k), effort, visible, scratch);
    let mut scan = Scan::new(lists.frame().metric(), query, k, &mut scratch.rerank);
    scan.slots(scratch.best.entries.iter().map(|&entry| entry as u32), row);
    Found {
        hits: scan.finish(),
        counts,
    }
}

/// Leaves the best rows in the scratch.
fn collect(
    lists: &impl Lists,
    query: &[f32],
    k: usize,
    effort: Effort,
    visible: &impl Fn(u32) -> bool,
    scratch: &mut SearchScratch,
) -> Counts {
    let kernels = lists.kernels();
    let SearchScratch {
        frame,
        query: prepared,
        nearest,
        best,
        queues: [ready, coming],
        ..
    } = scratch;
    best.begin(k);
    prepare(
        kernels,
        lists.frame().bring(kernels, query, frame),
        prepared,
    );
    let weight = |list| SPREAD * lists.spread(list);
    lists
        .centroids()
        .nearest(kernels, prepared, effort.probes, weight, nearest);
    let shape = lists.shape();
    let mut probe = Probe {
        kernels: ListKernels::of(kernels),
        fine: FineQuery::new(kernels, prepared, shape),
        table: prepared.table(),
        shape,
        slack: effort.slack,
        best,
        counts: Counts::default(),
    };
    ready.clear();
    let mut coming_list = None;
    let mut before: Option<(List<'_>, f32)> = None;
    for (n, near) in nearest.nearest.iter().enumerate() {
        let list = coming_list.take().unwrap_or_else(|| lists.list(near.list));
        coming_list = nearest.nearest.get(n + 1).map(|next| lists.list(next.list));
        let ahead = coming_list.map_or(&[][..], |next| next.blocks);
        coming.clear();
        probe.scan(&list, near.distance, ahead, visible, coming);
        if let Some((list, base)) = before.replace((list, near.distance)) {
            probe.refine(&list, base, ready);
        }
        std::mem::swap(ready, coming);
    }
    if let Some((list, base)) = before {
        probe.refine(&list, base, ready);
    }
    probe.counts
}

/// A search among lists.
struct Probe<'a> {
    kernels: ListKernels,
    fine: FineQuery<'a>,
    table: Table<'a>,
    shape: FineShape,
    slack: f32,
    best: &'a mut Best,
    counts: Counts,
}

impl Probe<'_> {
    /// Queues the rows that one bit cannot rule out and asks for their fine codes.
    #[inline]
    fn scan(
        &mut self,
        list: &List<'_>,
        base: f32,
        mut next: &[u8],
        visible: &impl Fn(u32) -> bool,
        queue: &mut Vec<Candidate>,
    ) {
        let padded = self.table.bytes.len() / 4;
        let bound = self.best.bound();
        let table = Table {
            offset: self.table.offset - self.slack * one_bit_error(base, padded),
            ..self.table
        };
        let mut out = [0.0; BLOCK];
        let size = block_bytes(padded);
        for (n, bytes) in list.blocks.chunks_exact(size).enumerate() {
            // What is read next, here or in the next list, is on its way meanwhile.
            let ahead = list
                .blocks
                .get((n + 1) * size..)
                .filter(|rest| !rest.is_empty());
            let ahead = ahead.unwrap_or_else(|| std::mem::take(&mut next));
            let range = Range { base, bound, ahead };
            let Some(block) = Block::of(bytes, padded) else {
                return;
            };
            let mut below = self.kernels.scan(&block.codes, &table, &range, &mut out);
            below &= mask(list.rows - n * BLOCK);
            while below != 0 {
                let at = below.trailing_zeros() as usize;
                below &= below - 1;
                let (row, slot) = (n * BLOCK + at, block.slot(at));
                if visible(slot) {
                    queue.push(Candidate {
                        lower: out[at],
                        row: row as u32,
                        slot,
                    });
                }
            }
        }
        self.counts.lists += 1;
        self.counts.rows += list.rows;
        let mut asked = queue.len();
        if bound == f32::INFINITY {
            // The nearest first: after a few of them the bound has fallen below the others.
            queue.sort_unstable_by_key(|candidate| found(candidate.lower, candidate.slot));
            asked = asked.min(2 * self.best.k);
        }
        for candidate in &queue[..asked] {
            prefetch_lines(self.high(list, candidate.row as usize));
        }
    }

    /// Reads the fine codes of a queue.
    #[inline]
    fn refine(&mut self, list: &List<'_>, base: f32, queue: &[Candidate]) {
        let slack = self.slack * base.sqrt();
        for candidate in queue {
            let bound = self.best.bound();
            if candidate.lower >= bound {
                continue;
            }
            let row = self.row(list, candidate.row as usize);
            let (rough, error) = self.fine.rough(row);
            self.counts.cold_reads += 1;
            if self.shape.is_one_half() {
                self.best.insert(base + rough, candidate.slot);
            } else if base + rough - slack * error < bound {
                self.counts.whole_reads += 1;
                self.best
                    .insert(base + self.fine.close(row), candidate.slot);
            }
        }
    }

    #[inline(always)]
    fn row<'l>(&self, list: &List<'l>, row: usize) -> &'l [u8] {
        let size = self.shape.bytes();
        &list.fine[row * size..(row + 1) * size]
    }

    #[inline(always)]
    fn high<'l>(&self, list: &List<'l>, row: usize) -> &'l [u8] {
        &self.row(list, row)[..self.shape.high_bytes()]
    }
}

/// The standard deviation of an estimate by one bit, divided by the row's `mul`, as the table's offset
/// has it. Residuals of rotated rows have a cosine to their signs so near `sqrt(2 / pi)` that no row
/// needs an error of its own: `2 |q - c| mul sqrt(1 - 2 / pi) / sqrt(D - 1)`.
fn one_bit_error(base: f32, padded: usize) -> f32 {
    const ROOT: f32 = 0.602_810_3;
    2.0 * ROOT * (base / (padded - 1) as f32).sqrt()
}
