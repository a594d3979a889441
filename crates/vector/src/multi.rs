//! Documents of several vectors each: late interaction.
//!
//! A query of rows `q` and a document of rows `d` score `sum over q of max over d of <q, d>`: each part of the
//! question is answered by the part of the document that answers it best (Khattab and Zaharia, "ColBERT",
//! SIGIR 2020). Comparing all documents costs a product for each pair of rows. [`search`] compares few: any
//! index over the rows of all documents says which are near each query row; a document is worth at most
//! about the sum of its own hits and, where it has none, the last hit of that query row (Lee et al.,
//! "Rethinking the role of token retrieval in multi-vector retrieval", NeurIPS 2023); the best by that are
//! scored exactly.

use std::collections::BTreeMap;

use crate::arch::Kernels;
use crate::{Hit, Metric};

/// Documents that lie one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Documents<'a> {
    dim: usize,
    /// `[rows, dim]`, row-major.
    rows: &'a [f32],
    ends: &'a [u32],
}

impl<'a> Documents<'a> {
    /// `rows` are those of all documents (`[n, dim]`, row-major), and `ends[d]` says how many of them the
    /// documents up to and with `d` have. A document may have none.
    ///
    /// # Panics
    /// When the ends fall or the last is not the number of rows.
    #[must_use]
    pub fn new(dim: usize, rows: &'a [f32], ends: &'a [u32]) -> Self {
        assert!(ends.is_sorted(), "documents one behind the other");
        let last = ends.last().map_or(0, |&end| end as usize);
        assert_eq!(rows.len(), last * dim, "all rows are some document's");
        Self { dim, rows, ends }
    }

    /// Documents.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The rows of a document.
    ///
    /// # Panics
    /// When there is none of this number.
    #[must_use]
    pub fn rows(&self, document: u32) -> &'a [f32] {
        let document = document as usize;
        let start = document
            .checked_sub(1)
            .map_or(0, |before| self.ends[before]);
        &self.rows[start as usize * self.dim..self.ends[document] as usize * self.dim]
    }

    /// The document of a row; nothing behind the last.
    #[must_use]
    pub fn of_row(&self, row: u32) -> Option<u32> {
        let document = self.ends.partition_point(|&end| end <= row);
        (document < self.ends.len()).then_some(document as u32)
    }
}

/// The score of one document, both `[n, dim]`, row-major: for each query row the greatest product with a row
/// of the document, added up. Nothing for a document without rows.
///
/// # Panics
/// When either is not whole rows.
#[must_use]
pub fn max_sim(dim: usize, query: &[f32], document: &[f32]) -> Option<f32> {
    assert!(dim > 0 && query.len().is_multiple_of(dim), "whole rows");
    assert!(document.len().is_multiple_of(dim), "whole rows");
    if document.is_empty() {
        return None;
    }
    let kernels = Kernels::get();
    let best = query.chunks_exact(dim).map(|q| {
        let fours = document.chunks_exact(4 * dim);
        let rest = fours
            .remainder()
            .chunks_exact(dim)
            .map(|row| kernels.dot(q, row));
        let fours = fours.flat_map(|rows| {
            let row = |n: usize| &rows[n * dim..(n + 1) * dim];
            kernels.score4(Metric::Ip, q, [row(0), row(1), row(2), row(3)])
        });
        fours.chain(rest).fold(f32::NEG_INFINITY, f32::max)
    });
    Some(best.sum())
}

/// The `k` best visible documents, best first; of equal ones the smaller number. The slot of a hit is the
/// number of the document.
///
/// # Panics
/// When the query is not whole rows.
#[must_use]
pub fn top_k(
    documents: &Documents<'_>,
    query: &[f32],
    k: usize,
    visible: impl Fn(u32) -> bool,
) -> Vec<Hit> {
    let all = (0..documents.len() as u32).filter(|&document| visible(document));
    best_of(documents, query, k, all)
}

/// As [`top_k`], among the documents that `nearest` leads to: it is asked for the nearest rows of each query
/// row, best first, with their products as scores and numbers of rows as slots. The `depth` documents that
/// promise most are scored exactly; documents that no query row leads to are not found.
///
/// # Panics
/// When the query is not whole rows.
#[must_use]
pub fn search(
    documents: &Documents<'_>,
    query: &[f32],
    (k, depth): (usize, usize),
    visible: impl Fn(u32) -> bool,
    mut nearest: impl FnMut(&[f32]) -> Vec<Hit>,
) -> Vec<Hit> {
    // What each document has above the last hit of the query rows that lead to it.
    let mut promises: BTreeMap<u32, f32> = BTreeMap::new();
    for q in query.chunks_exact(documents.dim) {
        let hits = nearest(q);
        let last = hits.last().map_or(0.0, |hit| hit.score);
        let mut own: BTreeMap<u32, f32> = BTreeMap::new();
        for hit in hits {
            // Best first: the first hit of a document is its best.
            if let Some(document) = documents
                .of_row(hit.slot)
                .filter(|&document| visible(document))
            {
                own.entry(document).or_insert(hit.score - last);
            }
        }
        for (document, above) in own {
            *promises.entry(document).or_insert(0.0) += above;
        }
    }
    let mut promises: Vec<(u32, f32)> = promises.into_iter().collect();
    promises.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    promises.truncate(depth.max(k));
    best_of(
        documents,
        query,
        k,
        promises.into_iter().map(|promise| promise.0),
    )
}

fn best_of(
    documents: &Documents<'_>,
    query: &[f32],
    k: usize,
    some: impl Iterator<Item = u32>,
) -> Vec<Hit> {
    let mut hits: Vec<Hit> = some
        .filter_map(|slot| {
            let score = max_sim(documents.dim, query, documents.rows(slot))?;
            Some(Hit { slot, score })
        })
        .collect();
    let order = |a: &Hit, b: &Hit| Metric::Ip.order(a.score, b.score).then(a.slot.cmp(&b.slot));
    if hits.len() > k && k > 0 {
        hits.select_nth_unstable_by(k - 1, order);
    }
    hits.truncate(k);
    hits.sort_unstable_by(order);
    hits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases::cases;
    use crate::flat;

    const DIM: usize = 5;

    /// Rows of all documents, their ends, a query, who is visible.
    fn case() -> impl Strategy<Value = (Vec<f32>, Vec<u32>, Vec<f32>, Vec<bool>)> {
        let value = || prop_oneof![Just(0.0f32), Just(1.0), Just(-1.0), -2.0f32..2.0];
        prop::collection::vec(0u32..11, 0..12).prop_flat_map(move |counts| {
            let ends: Vec<u32> = counts
                .iter()
                .scan(0, |end, count| {
                    *end += count;
                    Some(*end)
                })
                .collect();
            let rows = ends.last().map_or(0, |&end| end as usize);
            (
                prop::collection::vec(value(), rows * DIM),
                Just(ends),
                (0usize..4).prop_flat_map(move |n| prop::collection::vec(value(), n * DIM)),
                prop::collection::vec(any::<bool>(), counts.len()),
            )
        })
    }

    /// Every pair of rows, every document, sorted.
    fn naive(rows: &[f32], ends: &[u32], query: &[f32], seen: &[bool]) -> Vec<Hit> {
        let mut start = 0;
        let mut hits = Vec::new();
        for (slot, &end) in ends.iter().enumerate() {
            let own = &rows[start..end as usize * DIM];
            start = end as usize * DIM;
            if own.is_empty() || !seen[slot] {
                continue;
            }
            let mut score = 0.0;
            for q in query.chunks(DIM) {
                let products = own
                    .chunks(DIM)
                    .map(|row| Kernels::available()[0].dot(q, row));
                score += products.reduce(f32::max).unwrap();
            }
            let slot = slot as u32;
            hits.push(Hit { slot, score });
        }
        hits.sort_by(|a, b| Metric::Ip.order(a.score, b.score).then(a.slot.cmp(&b.slot)));
        hits
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn equals_comparing_everything((rows, ends, query, seen) in case(), k in 0usize..14) {
            let documents = Documents::new(DIM, &rows, &ends);
            let mut want = naive(&rows, &ends, &query, &seen);
            let visible = |document: u32| seen[document as usize];
            // Led to every row, the search compares every document.
            let all = |q: &[f32]| flat::top_k(Metric::Ip, DIM, &rows, q, rows.len(), |_| true);
            let found = search(&documents, &query, (k, ends.len()), visible, all);
            if !query.is_empty() {
                prop_assert_eq!(&found, &want[..k.min(want.len())]);
            }
            want.truncate(k);
            prop_assert_eq!(top_k(&documents, &query, k, visible), want);
        }

        /// Led to few rows, what is found has its exact score and is in order.
        #[test]
        fn what_is_found_is_scored_exactly((rows, ends, query, seen) in case(), near in 1usize..6) {
            let documents = Documents::new(DIM, &rows, &ends);
            let nearest = |q: &[f32]| flat::top_k(Metric::Ip, DIM, &rows, q, near, |_| true);
            let found = search(&documents, &query, (3, 3), |d| seen[d as usize], nearest);
            let all = naive(&rows, &ends, &query, &seen);
            let mut places = found.iter().map(|hit| all.iter().position(|other| other == hit));
            prop_assert!(places.clone().all(|place| place.is_some()), "{found:?} {all:?}");
            prop_assert!(places.by_ref().is_sorted());
        }
    }

    #[test]
    fn rows_know_their_document() {
        let rows = [0.0; 4 * DIM];
        let documents = Documents::new(DIM, &rows, &[0, 3, 3, 4]);
        let of: Vec<Option<u32>> = (0..5).map(|row| documents.of_row(row)).collect();
        assert_eq!(of, [Some(1), Some(1), Some(1), Some(3), None]);
        assert_eq!((documents.rows(2).len(), documents.rows(3).len()), (0, DIM));
        assert_eq!((documents.len(), documents.is_empty()), (4, false));
    }

    /// A document that answers both halves of a question beats one that answers one of them better.
    #[test]
    fn each_part_of_a_question_counts() {
        let rows = [1.0, 0.0, 0.9, 0.0, 0.0, 0.8];
        let documents = Documents::new(2, &rows, &[1, 3]);
        let query = [1.0, 0.0, 0.0, 1.0];
        let found = top_k(&documents, &query, 2, |_| true);
        assert_eq!([found[0].slot, found[1].slot], [1, 0]);
        let nearest = |q: &[f32]| flat::top_k(Metric::Ip, 2, &rows, q, 2, |_| true);
        assert_eq!(
            search(&documents, &query, (1, 2), |_| true, nearest),
            found[..1]
        );
    }
}
