//! An index in memory, which takes rows in and out.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::block::{Blocks, Sketch};
use super::centroids::{Centroids, CentroidsView, Near, NearestScratch, prepare, sketch};
use super::fine::{FineScratch, FineShape, encode};
use super::kmeans;
use super::search::{self, Effort, Found, List, Lists, SearchScratch};
use super::{Settings, Tuning};
use crate::Metric;
use crate::arch::Kernels;
use crate::code::Query;
use crate::graph::{Frame, FrameScratch, Team, map};

/// Rows that are placed together: they see the lists as they were before the first of them. Fixed,
/// because it decides the index.
pub const CHUNK: usize = 1024;
/// Rows of the sample that a centroid is trained with, at most.
const SAMPLE_ROWS: usize = 64;
const ROUNDS: usize = 8;

/// Lists of rows, see the module.
#[derive(Clone)]
pub struct Index {
    pub(super) frame: Frame,
    pub(super) settings: Settings,
    pub(super) centroids: Centroids,
    pub(super) lists: Vec<Rows>,
    /// The list of each slot.
    pub(super) homes: BTreeMap<u32, u32>,
    /// What searches were measured to need.
    pub(super) tuning: Option<Tuning>,
    pub(super) kernels: &'static Kernels,
}

/// The rows of one list.
#[derive(Clone)]
pub(super) struct Rows {
    pub blocks: Blocks,
    pub fine: Vec<u8>,
    /// Of the blocks.
    pub spread: f32,
}

impl Rows {
    pub fn new(padded: usize) -> Self {
        Self {
            blocks: Blocks::new(padded),
            fine: Vec::new(),
            spread: 0.0,
        }
    }

    pub fn push(&mut self, slot: u32, coded: &Coded) {
        self.blocks.push(&coded.sketch, slot);
        self.fine.extend_from_slice(&coded.fine);
        self.spread = self.blocks.spread();
    }

    /// Takes the row of this slot out; false where it is not here.
    pub fn remove(&mut self, slot: u32, fine_bytes: usize) -> bool {
        let Some(at) = self.blocks.slots().position(|other| other == slot) else {
            return false;
        };
        self.blocks.swap_remove(at);
        let last = self.blocks.len() * fine_bytes;
        self.fine.copy_within(last.., at * fine_bytes);
        self.fine.truncate(last);
        self.spread = self.blocks.spread();
        true
    }
}

/// A row as a list keeps it.
#[derive(Clone, Debug, Default)]
pub(super) struct Coded {
    pub sketch: Sketch,
    pub fine: Vec<u8>,
}

/// Memory to place one row.
#[derive(Default)]
pub(super) struct Place {
    pub frame: FrameScratch,
    pub query: Query,
    pub nearest: NearestScratch,
    centroid: Vec<f32>,
    way: Vec<f32>,
    fine: FineScratch,
}

impl Index {
    /// An empty index for about `expected` rows like those of `sample` (`[n, dim]`, row-major). Where
    /// more come, lists are split; a sample of some 64 rows a list trains them well.
    ///
    /// # Panics
    /// When the sample is not whole rows, lists are meant to hold none, the metric is `Ip` or the width of the fine codes is
    /// none of [`super::WIDTHS`].
    #[must_use]
    pub fn new(
        frame: Frame,
        settings: Settings,
        sample: &[f32],
        expected: usize,
        team: &dyn Team,
    ) -> Self {
        let kernels = Kernels::get();
        let (dim, padded) = (frame.dim(), frame.padded());
        assert!(sample.len().is_multiple_of(dim), "whole rows");
        assert!(
            frame.metric() != Metric::Ip,
            "lists are ranked by distance, and a product of unequal lengths is none"
        );
        let shape = FineShape::new(padded, settings.bits);
        assert!(settings.rows_per_list > 0, "lists hold rows");
        let count = (expected / settings.rows_per_list).max(1);
        let rows = sample.len() / dim;
        let taken = rows.min(count * SAMPLE_ROWS);
        // Evenly over the sample, which may be in some order.
        let chosen: Vec<usize> = (0..taken).map(|n| n * rows / taken.max(1)).collect();
        let framed = map(
            team,
            taken,
            &Mutex::default(),
            FrameScratch::default,
            |n, scratch| {
                let row = &sample[chosen[n] * dim..][..dim];
                frame.bring(kernels, row, scratch).to_vec()
            },
        );
        let framed = framed.concat();
        let seed = frame.seed() ^ shape.bits() as u64;
        let centroids = kmeans::train(kernels, padded, &framed, (count, ROUNDS), seed, team);
        Self {
            lists: vec![Rows::new(padded); centroids.len()],
            frame,
            settings,
            centroids,
            homes: BTreeMap::new(),
            tuning: None,
            kernels,
        }
    }

    /// Rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.homes.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.homes.is_empty()
    }

    /// Lists.
    #[must_use]
    pub fn lists(&self) -> usize {
        self.lists.len()
    }

    /// How rows are seen: dimension, metric, rotation.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// How it is built.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Whether there is a row of this slot.
    #[must_use]
    pub fn has(&self, slot: u32) -> bool {
        self.homes.contains_key(&slot)
    }

    /// Puts in the rows of `slots`, in chunks of [`CHUNK`]; one that is there already is replaced. `row`
    /// gives any row of the index, whole: those whose list is split may move.
    ///
    /// # Panics
    /// When a row has not the index's dimension.
    pub fn insert<'r>(
        &mut self,
        slots: &[u32],
        row: impl Fn(u32) -> &'r [f32] + Sync,
        team: &dyn Team,
    ) {
        let scratches = Mutex::default();
        for chunk in slots.chunks(CHUNK) {
            let placed = map(
                team,
                chunk.len(),
                &scratches,
                Place::default,
                |n, scratch| self.place(row(chunk[n]), scratch),
            );
            let mut grown = Vec::new();
            for (&slot, (list, coded)) in chunk.iter().zip(placed) {
                self.take(slot);
                self.put(slot, list, &coded);
                grown.push(list);
            }
            self.split_long(grown, &row);
        }
    }

    /// Takes rows out; slots that are not there are passed over. `row` as for [`insert`](Self::insert),
    /// of the rows that stay.
    ///
    /// # Panics
    /// When a row has not the index's dimension.
    pub fn delete<'r>(&mut self, slots: &[u32], row: impl Fn(u32) -> &'r [f32] + Sync) {
        let shrunk = slots.iter().filter_map(|&slot| self.take(slot)).collect();
        self.merge_short(shrunk, &row);
    }

    /// The `k` nearest visible rows, nearest first, with scores of their fine codes. Under `Cosine` the
    /// query has unit length, as the rows have. Visibility is asked of rows that one bit cannot rule
    /// out, before their fine code is read.
    ///
    /// # Panics
    /// When the query has not the index's dimension.
    #[must_use]
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        effort: Effort,
        visible: impl Fn(u32) -> bool,
        scratch: &mut SearchScratch,
    ) -> Found {
        search::search(self, query, k, effort, &visible, scratch)
    }

    /// As [`search`](Self::search), with the nearest `depth` ordered again by their whole rows; scores
    /// are those of the whole rows.
    ///
    /// # Panics
    /// When the query or a row has not the index's dimension.
    #[must_use]
    pub fn search_reranked<'r>(
        &self,
        query: &[f32],
        k: usize,
        (effort, depth): (Effort, usize),
        visible: impl Fn(u32) -> bool,
        row: impl Fn(u32) -> &'r [f32],
        scratch: &mut SearchScratch,
    ) -> Found {
        search::search_reranked(self, query, k, (effort, depth), &visible, row, scratch)
    }

    /// The list and the code of a row.
    pub(super) fn place(&self, row: &[f32], scratch: &mut Place) -> (u32, Coded) {
        let framed = self
            .frame
            .bring(self.kernels, row, &mut scratch.frame)
            .to_vec();
        let list = self.nearest(&framed, scratch).list;
        (list, self.code(&framed, list, scratch))
    }

    /// The nearest centroid; the first where, by damage, none can be compared.
    pub(super) fn nearest(&self, framed: &[f32], scratch: &mut Place) -> Near {
        prepare(self.kernels, framed, &mut scratch.query);
        let view = self.centroids.view();
        view.nearest(
            self.kernels,
            &scratch.query,
            1,
            |_| 0.0,
            &mut scratch.nearest,
        );
        let nearest = scratch.nearest.nearest.first();
        nearest.copied().unwrap_or_default()
    }

    /// The code of a row in a list.
    pub(super) fn code(&self, framed: &[f32], list: u32, scratch: &mut Place) -> Coded {
        let Place {
            centroid,
            way,
            fine,
            ..
        } = scratch;
        self.centroids.view().values(list, centroid);
        way.clear();
        way.extend(framed.iter().zip(centroid.iter()).map(|(x, c)| x - c));
        let mut coded = Coded {
            sketch: sketch(self.kernels, way, centroid),
            fine: Vec::new(),
        };
        encode(
            self.kernels,
            self.shape(),
            way,
            centroid,
            fine,
            &mut coded.fine,
        );
        coded
    }

    pub(super) fn put(&mut self, slot: u32, list: u32, coded: &Coded) {
        self.lists[list as usize].push(slot, coded);
        self.homes.insert(slot, list);
    }

    /// Takes a row out of its list, which it says.
    pub(super) fn take(&mut self, slot: u32) -> Option<u32> {
        let list = self.homes.remove(&slot)?;
        let bytes = self.shape().bytes();
        let was_there = self.lists[list as usize].remove(slot, bytes);
        assert!(was_there, "a slot is in the list that is its home");
        Some(list)
    }
}

impl Lists for Index {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn kernels(&self) -> &'static Kernels {
        self.kernels
    }

    fn shape(&self) -> FineShape {
        FineShape::new(self.frame.padded(), self.settings.bits)
    }

    fn centroids(&self) -> CentroidsView<'_> {
        self.centroids.view()
    }

    fn spread(&self, list: u32) -> f32 {
        self.lists[list as usize].spread
    }

    fn list(&self, list: u32) -> List<'_> {
        let rows = &self.lists[list as usize];
        List {
            rows: rows.blocks.len(),
            blocks: rows.blocks.bytes(),
            fine: &rows.fine,
        }
    }
}
