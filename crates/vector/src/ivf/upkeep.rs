//! Lists that stay small and near their rows while rows come and go.
//!
//! ```text
//! too long:   2-means of its rows; one half keeps the list, the other gets a new one.
//!             Rows that are farther from both new centroids than from the old one look for another list;
//!             rows of neighbouring lists that are nearer to a new centroid than to theirs come over.
//! too short:  its rows go to their next nearest lists, and the list is gone.
//! ```
//!
//! Source of the two conditions: Xu et al., "SPFresh: Incremental in-place update for billion-scale vector
//! search" (SOSP 2023), section 4.

use super::block::{Block, block_bytes};
use super::centroids::{mask, prepare};
use super::index::{Index, Place, Rows};
use super::search::Lists;
use crate::arch::{BLOCK, ListKernels, Range, half};
use crate::code::{Query, length_squared_about};

/// Lists beside a split one whose rows may come over.
const NEIGHBOURS: usize = 8;
/// Rounds of 2-means.
const ROUNDS: usize = 6;

impl Index {
    /// Splits the lists that got too long.
    pub(super) fn split_long<'r>(&mut self, grown: Vec<u32>, row: &impl Fn(u32) -> &'r [f32]) {
        self.split_all(&mut distinct(grown), row, &mut Place::default());
    }

    /// Dissolves the lists that got too short. Not while rows come in: a list may be new.
    pub(super) fn merge_short<'r>(&mut self, shrunk: Vec<u32>, row: &impl Fn(u32) -> &'r [f32]) {
        let (mut scratch, mut moved) = (Place::default(), Vec::new());
        // The last list takes the number of one that goes: from the greatest number down, the numbers
        // still to come stay what they were.
        for list in distinct(shrunk).into_iter().rev() {
            let rows = self.lists[list as usize].blocks.len();
            if rows < self.settings.least() && self.lists.len() > 1 {
                self.dissolve(list, row, &mut scratch, &mut moved);
            }
        }
        let grown = moved
            .iter()
            .filter_map(|slot| self.homes.get(slot).copied());
        self.split_long(grown.collect(), row);
    }

    /// Splits what is too long; adds the lists that were touched on the way.
    fn split_all<'r>(
        &mut self,
        touched: &mut Vec<u32>,
        row: &impl Fn(u32) -> &'r [f32],
        scratch: &mut Place,
    ) {
        // Every split parts rows, so this many are never needed; numbers of damaged bytes may ask for more.
        let lists_most = self.lists.len() + self.homes.len();
        let mut at = 0;
        while let Some(&list) = touched.get(at) {
            let rows = self.lists[list as usize].blocks.len();
            if rows > self.settings.most() && self.lists.len() < lists_most {
                self.split(list, row, scratch, touched);
            } else {
                at += 1;
            }
        }
    }

    fn split<'r>(
        &mut self,
        list: u32,
        row: &impl Fn(u32) -> &'r [f32],
        scratch: &mut Place,
        touched: &mut Vec<u32>,
    ) {
        let padded = self.frame.padded();
        let slots: Vec<u32> = self.lists[list as usize].blocks.slots().collect();
        let mut framed = Vec::with_capacity(slots.len() * padded);
        for &slot in &slots {
            framed.extend_from_slice(
                self.frame
                    .bring(self.kernels, row(slot), &mut scratch.frame),
            );
        }
        let mut old = Vec::new();
        self.centroids.view().values(list, &mut old);
        let halves = self.two_means(&framed);
        self.centroids
            .set(self.kernels, list as usize, &halves.0[0]);
        self.centroids.push(self.kernels, &halves.0[1]);
        let other = self.lists.len() as u32;
        self.lists[list as usize] = Rows::new(padded);
        self.lists.push(Rows::new(padded));
        touched.push(other);
        for ((&slot, values), &is_second) in
            slots.iter().zip(framed.chunks_exact(padded)).zip(&halves.1)
        {
            let own = if is_second { other } else { list };
            let home = self.better_home(values, own, &old, scratch);
            if home != own && home != list && home != other {
                touched.push(home);
            }
            let coded = self.code(values, home, scratch);
            self.put(slot, home, &coded);
        }
        self.draw_in([list, other], &old, row, scratch, touched);
    }

    /// `own`, or the nearest list where the row got farther from its centroid than it was.
    fn better_home(&self, values: &[f32], own: u32, old: &[f32], scratch: &mut Place) -> u32 {
        let mut centroid = Vec::new();
        self.centroids.view().values(own, &mut centroid);
        let now = self.kernels.l2_squared(values, &centroid);
        if now <= self.kernels.l2_squared(values, old) {
            return own;
        }
        let nearest = self.nearest(values, scratch);
        if nearest.distance < now {
            nearest.list
        } else {
            own
        }
    }

    /// Brings rows of neighbouring lists over that are nearer to one of the new centroids.
    fn draw_in<'r>(
        &mut self,
        new: [u32; 2],
        old: &[f32],
        row: &impl Fn(u32) -> &'r [f32],
        scratch: &mut Place,
        touched: &mut Vec<u32>,
    ) {
        prepare(self.kernels, old, &mut scratch.query);
        let view = self.centroids.view();
        view.nearest(
            self.kernels,
            &scratch.query,
            NEIGHBOURS + 2,
            |_| 0.0,
            &mut scratch.nearest,
        );
        let neighbours: Vec<u32> = scratch
            .nearest
            .nearest
            .iter()
            .map(|near| near.list)
            .collect();
        for home in neighbours.into_iter().filter(|list| !new.contains(list)) {
            for slot in self.seem_nearer(home, new) {
                let values = self
                    .frame
                    .bring(self.kernels, row(slot), &mut scratch.frame)
                    .to_vec();
                let distance = |list: u32| {
                    let mut centroid = Vec::new();
                    self.centroids.view().values(list, &mut centroid);
                    self.kernels.l2_squared(&values, &centroid)
                };
                let (first, second) = (distance(new[0]), distance(new[1]));
                let (nearer, to) = if second < first {
                    (second, new[1])
                } else {
                    (first, new[0])
                };
                if nearer < distance(home) {
                    let coded = self.code(&values, to, scratch);
                    self.take(slot);
                    self.put(slot, to, &coded);
                    touched.extend([home, to]);
                }
            }
        }
    }

    /// Slots of a list that by one bit are nearer to one of the new centroids than to theirs.
    fn seem_nearer(&self, home: u32, new: [u32; 2]) -> Vec<u32> {
        let padded = self.frame.padded();
        let (list, view) = (Lists::list(self, home), self.centroids.view());
        let (mut values, mut own, mut slots) = (Vec::new(), Vec::new(), Vec::new());
        view.values(home, &mut own);
        for new in new {
            view.values(new, &mut values);
            let mut query = Query::default();
            prepare(self.kernels, &values, &mut query);
            let range = Range {
                base: self.kernels.l2_squared(&values, &own),
                bound: f32::INFINITY,
                ahead: &[],
            };
            let mut out = [0.0; BLOCK];
            for (n, bytes) in list.blocks.chunks_exact(block_bytes(padded)).enumerate() {
                let Some(block) = Block::of(bytes, padded) else {
                    continue;
                };
                let below = ListKernels::of(self.kernels).scan(
                    &block.codes,
                    &query.table(),
                    &range,
                    &mut out,
                );
                let below = below & mask(list.rows - n * BLOCK);
                let seem = (0..BLOCK).filter(|at| below >> at & 1 == 1);
                let seem =
                    seem.filter(|&at| out[at] < length_squared_about(half(block.codes.mul[at])));
                slots.extend(seem.map(|at| block.slot(at)));
            }
        }
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// Two centroids, and which rows are the second's: at least a quarter each.
    fn two_means(&self, framed: &[f32]) -> ([Vec<f32>; 2], Vec<bool>) {
        let padded = self.frame.padded();
        let rows: Vec<&[f32]> = framed.chunks_exact(padded).collect();
        let farthest = |from: &[f32]| {
            let far = rows.iter().map(|row| self.kernels.l2_squared(from, row));
            let far = far.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
            rows[far.map_or(0, |far| far.0)].to_vec()
        };
        let first = farthest(&mean(padded, rows.iter().copied()));
        let mut centroids = [farthest(&first), first];
        let mut is_second = vec![false; rows.len()];
        for _ in 0..ROUNDS {
            let mut order: Vec<(f32, usize)> = rows
                .iter()
                .map(|row| {
                    centroids
                        .each_ref()
                        .map(|centroid| self.kernels.l2_squared(row, centroid))
                })
                .map(|[first, second]| first - second)
                .zip(0..)
                .collect();
            order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let quarter = (rows.len() / 4).max(1);
            let cut = order.partition_point(|row| row.0 < 0.0);
            let cut = cut.clamp(quarter, rows.len() - quarter);
            order
                .iter()
                .enumerate()
                .for_each(|(n, row)| is_second[row.1] = n >= cut);
            let half = |second: bool| {
                let own = rows
                    .iter()
                    .zip(&is_second)
                    .filter(move |row| *row.1 == second);
                mean(padded, own.map(|row| *row.0))
            };
            centroids = [half(false), half(true)];
        }
        (centroids, is_second)
    }

    /// Takes a list away and puts its rows where they are nearest then; says which slots moved.
    fn dissolve<'r>(
        &mut self,
        list: u32,
        row: &impl Fn(u32) -> &'r [f32],
        scratch: &mut Place,
        moved: &mut Vec<u32>,
    ) {
        let rows = self.lists.swap_remove(list as usize);
        self.centroids.swap_remove(list as usize);
        if let Some(renamed) = self.lists.get(list as usize) {
            for slot in renamed.blocks.slots() {
                self.homes.insert(slot, list);
            }
        }
        for slot in rows.blocks.slots() {
            let (home, coded) = self.place(row(slot), scratch);
            self.put(slot, home, &coded);
            moved.push(slot);
        }
    }
}

fn mean<'r>(padded: usize, rows: impl Iterator<Item = &'r [f32]>) -> Vec<f32> {
    let (mut sum, mut count) = (vec![0.0f32; padded], 0usize);
    for row in rows {
        sum.iter_mut()
            .zip(row)
            .for_each(|(sum, value)| *sum += value);
        count += 1;
    }
    sum.iter_mut().for_each(|sum| *sum /= count.max(1) as f32);
    sum
}

fn distinct(mut lists: Vec<u32>) -> Vec<u32> {
    lists.sort_unstable();
    lists.dedup();
    lists
}
