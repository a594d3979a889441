//! Rows that no index holds yet, all of them looked at by every search, by as many threads as it is handed.
//!
//! A row is two bits a component, four bits a component and their factors; its whole form stays with the
//! owner and is read only where it may matter:
//!
//! ```text
//! 1 bounds   of 32 rows at once, by two bits      nearer than its bound no row is, most likely
//! 2 seeds    the 4 k lowest, by four bits         k of them, compared whole, give a k-th distance
//! 3 rest     bounds that do not pass it           .. by four bits, then whole, lowest first
//! ```
//!
//! Two bits, read from one end to the other, leave a hundredth of the rows or less where one bit left a tenth to a
//! third, each of them four lines somewhere in memory.
//!
//! A row is beyond its bound with a chance of 1e-7 (`block` says why), so that one of ten true
//! answers is missed by fewer than one search in a million. Otherwise the answer is that of the exact
//! scan, bit for bit.

mod block;
mod planes;
mod share;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Hit;
use crate::arch::{BLOCK, Kernels};
use crate::code::Query;
use crate::flat::{Scan, Scratch};
use crate::graph::{Frame, FrameScratch, Stretch, Team};

use block::{Asked, Piece};
use planes::TwoPlanes;
use share::{Limit, SHARE, SHARE_ROWS, Share};

/// Seeds for each row asked for: of so many lowest bounds the nearest rows, by four bits, are nearly the
/// nearest of all, and the first limit nearly the last.
const SEEDS: usize = 4;
/// Rows whose four bits are on their way while others are looked at.
const ROWS_WAITING: usize = 16;
/// Blocks of a piece. Rows give their memory back a piece at a time, and it is long enough for huge pages: a million rows
/// took a fifth less time on them. Tests cross from one piece to the next.
const PIECE: usize = if cfg!(test) { 2 } else { 2048 };
/// Blocks between the one that is read and what is asked for meanwhile.
const AHEAD: usize = 1;
/// Rows of a piece.
const PIECE_ROWS: usize = PIECE * BLOCK;
/// Whole rows compared between two looks at the k-th distance so far.
const ROWS_AT_ONCE: usize = 8;

/// Rows in the order in which they came.
pub struct Tail {
    frame: Frame,
    kernels: &'static Kernels,
    pieces: VecDeque<Piece>,
    /// Rows of the first piece that are gone.
    skipped: usize,
    count: usize,
    /// The greatest squared length of a row that ever came.
    longest: f32,
    scratch: FrameScratch,
}

/// Memory that a thread keeps between searches.
#[derive(Debug, Default)]
pub struct TailScratch {
    frame: FrameScratch,
    query: Query,
    planes: TwoPlanes,
    shares: Vec<Mutex<Share>>,
    /// Bound and place as one number, see `found`.
    seeds: Vec<u64>,
    places: Vec<u32>,
    /// Bound and place.
    near: Vec<(f32, u32)>,
    scan: Scratch,
    /// Whole rows that the last search compared.
    pub compared: usize,
}

impl Tail {
    /// No rows, to be seen as `frame` sees them.
    #[must_use]
    pub fn new(frame: Frame) -> Self {
        Self {
            frame,
            kernels: Kernels::get(),
            pieces: VecDeque::new(),
            skipped: 0,
            count: 0,
            longest: 0.0,
            scratch: FrameScratch::default(),
        }
    }

    /// Rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of all codes; the rows themselves are the owner's.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.pieces.iter().map(Piece::size_bytes).sum()
    }

    /// Takes a row behind all others. `slot` is what searches call it. Under `Cosine` it has unit
    /// length.
    ///
    /// # Panics
    /// When the row has not the frame's dimension.
    pub fn push(&mut self, slot: u32, row: &[f32]) {
        let place = (self.skipped + self.count) % PIECE_ROWS;
        if place == 0 {
            let piece = Piece::with_room(self.frame.padded(), PIECE);
            self.pieces.push_back(piece);
        }
        self.longest = self.longest.max(self.kernels.dot(row, row) * 1.001);
        let values = self.frame.bring(self.kernels, row, &mut self.scratch);
        if let Some(piece) = self.pieces.back_mut() {
            piece.write(self.kernels, place, slot, values);
        }
        self.count += 1;
    }

    /// Lets the first `count` rows go.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn remove_front(&mut self, count: usize) {
        assert!(count <= self.count, "rows that are here");
        self.count -= count;
        self.skipped += count;
        self.pieces.drain(..self.skipped / PIECE_ROWS);
        self.skipped %= PIECE_ROWS;
    }

    /// The `k` nearest visible rows, nearest first, ties to the smaller slot; the module says how sure
    /// that is. `row` gives the whole row of a slot. Under `Cosine` the query has unit length. `team` does what can be
    /// done at once, and changes nothing about the answer.
    ///
    /// # Panics
    /// When the query or a row has not the frame's dimension.
    #[must_use]
    pub fn search<'r>(
        &self,
        (query, k): (&[f32], usize),
        visible: impl Fn(u32) -> bool + Sync,
        row: impl Fn(u32) -> &'r [f32],
        team: &dyn Team,
        scratch: &mut TailScratch,
    ) -> Vec<Hit> {
        let TailScratch {
            frame,
            query: prepared,
            planes,
            shares,
            seeds,
            places,
            near,
            scan,
            compared,
        } = scratch;
        let stretch = self.frame.query(self.kernels, query, prepared, frame);
        planes.set(self.kernels, frame.values());
        *compared = 0;
        if k == 0 || self.count == 0 {
            return Vec::new();
        }
        let asked = Asked::new(prepared, planes, &self.frame);
        shares.resize_with(self.blocks().len().div_ceil(SHARE), Mutex::default);
        let most = k.min(self.count) * SEEDS;
        let limit = Limit::new();
        team.run(shares.len(), &|n| {
            lock(&shares[n]).bounds((self, &asked), (n, most), &limit, &visible);
        });
        lowest(shares, most, seeds);
        places.clear();
        places.extend(seeds.iter().map(|&seed| seed as u32));
        near.clear();
        self.look_closer(&asked, f32::MAX, places, near);
        near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut scan = Scan::new(self.frame.metric(), query, k, scan);
        let first = &near[..near.len().min(k)];
        scan.slots(first.iter().map(|&(_, place)| self.slot(place)), &row);
        *compared = first.len();
        // Fewer visible rows than asked for were all seeds.
        let Some(worst) = scan.worst() else {
            return scan.finish();
        };
        for &(_, place) in first {
            self.pass_over(place, shares);
        }
        let limit = self.distance(worst, stretch);
        team.run(shares.len(), &|n| {
            lock(&shares[n]).narrow((self, &asked), (n, limit), &visible);
        });
        near.clear();
        shares
            .iter()
            .for_each(|share| near.extend(&lock(share).near));
        near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        for near in near.chunks(ROWS_AT_ONCE) {
            let worst = scan
                .worst()
                .map_or(limit, |worst| self.distance(worst, stretch));
            let near = near.iter().filter(|&&(bound, _)| bound <= worst);
            let slots = near.map(|&(_, place)| self.slot(place));
            scan.slots(slots.inspect(|_| *compared += 1), &row);
        }
        scan.finish()
    }

    /// Has a row that was compared already count no more.
    fn pass_over(&self, place: u32, shares: &[Mutex<Share>]) {
        let place = place as usize - self.blocks().start * BLOCK;
        let mut share = lock(&shares[place / SHARE_ROWS]);
        share.bounds.as_flattened_mut()[place % SHARE_ROWS] = f32::INFINITY;
    }

    /// The greatest distance at which a row has this score; the greatest number where that is none.
    fn distance(&self, score: f32, stretch: Stretch) -> f32 {
        let distance = self.frame.distance(score, stretch, self.longest);
        distance.min(f32::MAX)
    }

    /// Collects the rows of `places` that may be as near as `limit` by four bits a component.
    fn look_closer(
        &self,
        asked: &Asked<'_>,
        limit: f32,
        places: &[u32],
        near: &mut Vec<(f32, u32)>,
    ) {
        for &place in places {
            let (piece, at) = (place as usize / PIECE_ROWS, place as usize % PIECE_ROWS);
            if let Some(bound) = self.pieces[piece].closer(self.kernels, asked, at, limit) {
                near.push((bound, place));
            }
        }
    }

    #[inline]
    fn slot(&self, place: u32) -> u32 {
        self.pieces[place as usize / PIECE_ROWS].slot(place as usize % PIECE_ROWS)
    }

    /// Blocks that have rows.
    fn blocks(&self) -> Range<usize> {
        self.skipped / BLOCK..(self.skipped + self.count).div_ceil(BLOCK)
    }

    /// Writes infinity where block `n` has no row; the others' bits are set.
    #[inline]
    fn only_rows(&self, n: usize, bounds: &mut [f32; BLOCK]) -> u32 {
        let start = self.skipped.saturating_sub(n * BLOCK);
        let end = (self.skipped + self.count - n * BLOCK).min(BLOCK);
        bounds[..start].fill(f32::INFINITY);
        bounds[end..].fill(f32::INFINITY);
        (u32::MAX << start) & (u32::MAX >> (BLOCK - end))
    }
}

/// The `most` lowest seeds of all shares, in no order.
fn lowest(shares: &[Mutex<Share>], most: usize, seeds: &mut Vec<u64>) {
    seeds.clear();
    shares
        .iter()
        .for_each(|share| seeds.extend(&lock(share).seeds));
    if seeds.len() > most {
        seeds.select_nth_unstable(most - 1);
        seeds.truncate(most);
    }
}

fn lock(share: &Mutex<Share>) -> MutexGuard<'_, Share> {
    share.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
