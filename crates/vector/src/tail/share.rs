//! The part of a search that one job does: some blocks, their bounds, and which of their rows may matter.

use std::sync::atomic::{AtomicU32, Ordering};

use super::block::Asked;
use super::{AHEAD, PIECE, PIECE_ROWS, ROWS_WAITING, Tail};
use crate::arch::BLOCK;
use crate::flat::Lowest;
use crate::graph::{distance, key};

/// Blocks of a share: a tenth of a millisecond's work, to hand over at no loss.
pub(super) const SHARE: usize = if cfg!(test) { 3 } else { 512 };
/// Rows of a share.
pub(super) const SHARE_ROWS: usize = SHARE * BLOCK;

/// Memory for one share.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// The bound of each place of each block.
    pub bounds: Vec<[f32; BLOCK]>,
    /// Bound and place as one number, see `found`: the lowest ones.
    pub seeds: Vec<u64>,
    places: Vec<u32>,
    /// Bound and place.
    pub near: Vec<(f32, u32)>,
}

/// A bound that at least as many rows as are asked for stay below, whichever share they are in.
pub(super) struct Limit(AtomicU32);

impl Limit {
    /// None yet.
    pub fn new() -> Self {
        Self(AtomicU32::new(key(f32::INFINITY)))
    }

    fn get(&self) -> f32 {
        distance(self.0.load(Ordering::Relaxed))
    }

    fn lower(&self, limit: f32) {
        self.0.fetch_min(key(limit), Ordering::Relaxed);
    }
}

impl Share {
    /// Writes the bounds of share `n`, and those of its `k` lowest visible rows as seeds, less those that `limit`
    /// rules out.
    pub fn bounds(
        &mut self,
        (tail, asked): (&Tail, &Asked<'_>),
        (n, k): (usize, usize),
        limit: &Limit,
        visible: &impl Fn(u32) -> bool,
    ) {
        let blocks = tail.blocks();
        let first = blocks.start + n * SHARE;
        self.bounds
            .resize(SHARE.min(blocks.end - first), [0.0; BLOCK]);
        let mut lowest = Lowest::new(&mut self.seeds, k);
        for (n, out) in (first..).zip(&mut self.bounds) {
            let (piece, at) = (&tail.pieces[n / PIECE], n % PIECE);
            let below_all = lowest.limit.min(limit.get());
            let block = (at, below_all, piece.codes(at + AHEAD));
            let mut below = piece.bounds(tail.kernels, asked, block, out);
            below &= tail.only_rows(n, out);
            while below != 0 {
                let row = below.trailing_zeros() as usize;
                below &= below - 1;
                if out[row] < lowest.limit && visible(piece.slot(at * BLOCK + row)) {
                    lowest.push(out[row], (n * BLOCK + row) as u32);
                }
            }
            // All threads write one line with it.
            if lowest.limit < below_all {
                limit.lower(lowest.limit);
            }
        }
        lowest.finish();
    }

    /// Collects the rows of share `n` that count and may be as near as `limit`, in no order. Some blocks at a
    /// time, so that what is asked for from memory has come and is still near when it is looked at.
    pub fn narrow(
        &mut self,
        (tail, asked): (&Tail, &Asked<'_>),
        (n, limit): (usize, f32),
        may_count: &impl Fn(u32) -> bool,
    ) {
        let Self {
            bounds,
            places,
            near,
            ..
        } = self;
        near.clear();
        places.clear();
        let mut waiting = 0;
        let first = tail.blocks().start + n * SHARE;
        for (n, bounds) in (first..).zip(&*bounds) {
            let mut bits = tail.kernels.at_most(bounds, limit);
            while bits != 0 {
                let at = bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let place = n * BLOCK + at;
                if !may_count(tail.slot(place as u32)) {
                    continue;
                }
                tail.pieces[place / PIECE_ROWS].prefetch(place % PIECE_ROWS);
                places.push(place as u32);
            }
            if places.len() - waiting >= ROWS_WAITING {
                tail.look_closer(asked, limit, &places[..waiting], near);
                places.drain(..waiting);
                waiting = places.len();
            }
        }
        tail.look_closer(asked, limit, places, near);
    }
}
