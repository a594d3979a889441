//! What measured recall says of an index: how wide its fine codes must be, and how many lists a search
//! must probe. Functions of rows and seed.

use std::sync::Mutex;

use stdx::Rng;

use super::search::{Effort, SearchScratch};
use super::{Index, Settings, WIDTHS};
use crate::Hit;
use crate::flat::{Scan, Scratch};
use crate::graph::{Frame, Team, map};

/// Nearest rows that are asked for.
const K: usize = 10;
/// Rows that serve as queries.
const QUERIES: usize = 128;
/// Rows of the sample that widths are compared on.
const SAMPLE: usize = 16_384;

/// How far searches of an index go, and what that was measured to find.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// Lists to probe.
    pub probes: usize,
    /// Recall@10 of rows of the index as queries, themselves left out.
    pub recall: f32,
}

impl Tuning {
    /// The effort of a search.
    #[must_use]
    pub fn effort(self) -> Effort {
        Effort::probes(self.probes)
    }
}

impl Settings {
    /// Settings with the narrowest fine codes that lose at most half of what a recall of `target`
    /// allows to lose, measured on up to 16,384 rows of `sample` (`[n, dim]`, row-major); the widest
    /// where none is so good. More rows lie closer together: take a sample of the size to come, or
    /// leave room in the target.
    ///
    /// # Panics
    /// When the sample is not whole rows.
    #[must_use]
    pub fn chosen(
        frame: &Frame,
        rows_per_list: usize,
        sample: &[f32],
        target: f32,
        team: &dyn Team,
    ) -> Self {
        let dim = frame.dim();
        assert!(sample.len().is_multiple_of(dim), "whole rows");
        let rows = sample.len() / dim;
        let taken = rows.min(SAMPLE);
        let some: Vec<&[f32]> = (0..taken)
            .map(|n| n * rows / taken)
            .map(|n| &sample[n * dim..][..dim])
            .collect();
        let slots: Vec<u32> = (0..taken as u32).collect();
        let allowed = 1.0 - (1.0 - target) / 2.0;
        let of = |bits| Self {
            rows_per_list,
            bits,
        };
        let is_enough = |&bits: &usize| {
            let row = |slot: u32| some[slot as usize];
            let mut index = Index::new(frame.clone(), of(bits), &some.concat(), taken, team);
            index.insert(&slots, row, team);
            let questions = Questions::new(&index, row, team);
            questions.recall(&index, Effort::probes(index.lists()), row, team) >= allowed
        };
        let widest = WIDTHS[WIDTHS.len() - 1];
        of(WIDTHS.into_iter().find(is_enough).unwrap_or(widest))
    }
}

impl Index {
    /// Measures how many lists searches must probe for a recall@10 of `target`, or what all of them
    /// give, and keeps it with the index. Compares some rows with all, exactly; worth doing again when
    /// the rows are others than they were.
    ///
    /// # Panics
    /// When a row has not the index's dimension.
    pub fn tune<'r>(
        &mut self,
        target: f32,
        row: impl Fn(u32) -> &'r [f32] + Sync,
        team: &dyn Team,
    ) -> Tuning {
        let questions = Questions::new(self, &row, team);
        let at = |probes: usize| Tuning {
            probes,
            recall: questions.recall(self, Effort::probes(probes), &row, team),
        };
        let mut tuned = at(1);
        // Each step probes an eighth more: finer than recall can be told.
        while tuned.recall < target && tuned.probes < self.lists() {
            let probes = tuned.probes + tuned.probes.div_ceil(8);
            tuned = at(probes.min(self.lists()));
        }
        self.tuning = Some(tuned);
        tuned
    }

    /// What [`tune`](Self::tune) found last.
    #[must_use]
    pub fn tuning(&self) -> Option<Tuning> {
        self.tuning
    }
}

/// Rows of an index and the exact answers to them.
struct Questions {
    slots: Vec<u32>,
    answers: Vec<Vec<Hit>>,
}

impl Questions {
    fn new<'r>(index: &Index, row: impl Fn(u32) -> &'r [f32] + Sync, team: &dyn Team) -> Self {
        let mut rng = Rng::new(index.frame().seed());
        let all: Vec<u32> = index.homes.keys().copied().collect();
        let count = QUERIES.min(all.len());
        let drawn = (0..count).map(|_| all[rng.below(all.len() as u64) as usize]);
        let slots: Vec<u32> = drawn.collect();
        let metric = index.frame().metric();
        let answers = map(
            team,
            slots.len(),
            &Mutex::default(),
            Scratch::default,
            |n, scratch| {
                let query = slots[n];
                let mut scan = Scan::new(metric, row(query), K, scratch);
                let others = all.iter().copied().filter(|&slot| slot != query);
                scan.slots(others, &row);
                scan.finish()
            },
        );
        Self { slots, answers }
    }

    /// Share of the exact answers that searches find; all where there is nothing to find.
    fn recall<'r>(
        &self,
        index: &Index,
        effort: Effort,
        row: impl Fn(u32) -> &'r [f32] + Sync,
        team: &dyn Team,
    ) -> f32 {
        let scratches = Mutex::default();
        let found = map(
            team,
            self.slots.len(),
            &scratches,
            SearchScratch::default,
            |n, scratch| {
                let query = self.slots[n];
                let got = index.search(row(query), K, effort, |slot| slot != query, scratch);
                let is_found = |hit: &&Hit| got.hits.iter().any(|other| other.slot == hit.slot);
                self.answers[n].iter().filter(is_found).count()
            },
        );
        let all: usize = self.answers.iter().map(Vec::len).sum();
        found.into_iter().sum::<usize>() as f32 / all.max(1) as f32 + f32::from(all == 0)
    }
}
