//! Two ranked lists into one, by weighted scores.
//!
//! Cosines and BM25 scores live on different scales. BM25's is put on the other's by its best: a passage earns
//! `text * bm25 / best_bm25 + dense * cosine`. What a list does not have is taken to be as good as the last that it
//! has, or to share no word at all where the list was not full. Scores and not ranks, because they say by how much:
//! where one passage has every word of a rare question, or nothing is near in meaning, ranks see only an order. On
//! two judged sets this beat equal reciprocal ranks at every weight of meaning from a half to 0.65 (`docs/benchmarks.md`;
//! Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", 2023, for the idea).

use std::collections::HashMap;

use crate::memory::Passage;
use crate::query::Style;
use crate::settings::Settings;

/// A passage with what each list says of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// The passage; `score` is the joined score.
    pub passage: Passage,
    /// Cosine to the question, or a bound from above; `None` without a search by meaning.
    pub cosine: Option<f32>,
    /// BM25; `None` when the list by words does not have it.
    pub bm25: Option<f32>,
    /// Rank in the list by meaning, from 1.
    pub rank_dense: Option<usize>,
    /// Rank in the list by words, from 1.
    pub rank_text: Option<usize>,
}

/// What each list counts for; the two make 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// The list by meaning.
    pub dense: f32,
    /// The list by words.
    pub text: f32,
}

impl Weights {
    /// Those of a style of question, measured (`docs/benchmarks.md`, "Retrieval").
    #[must_use]
    pub fn of(style: Style, settings: &Settings) -> Self {
        let dense = match style {
            Style::Question => settings.dense_question,
            Style::Statement => settings.dense_statement,
            Style::Keywords => settings.dense_keywords,
        };
        Self {
            dense,
            text: 1.0 - dense,
        }
    }
}

/// Joins the lists, best first; ties by passage id, so that the order is the same every time. `asked`: how many
/// passages each list was to have at least.
#[must_use]
pub fn fuse(
    dense: Vec<Passage>,
    text: Vec<Passage>,
    weights: Weights,
    asked: usize,
) -> Vec<Candidate> {
    let best = text.first().map_or(1.0, |p| p.score).max(f32::MIN_POSITIVE);
    let last = |list: &[Passage]| {
        list.last()
            .filter(|_| list.len() >= asked)
            .map_or(0.0, |p| p.score)
    };
    let (bm25_else, cosine_else) = (last(&text), last(&dense));
    let mut by_id: HashMap<String, Candidate> = HashMap::new();
    for (idx, passage) in dense.into_iter().enumerate() {
        let cosine = passage.score;
        let candidate = by_id
            .entry(passage.id.clone())
            .or_insert_with(|| fresh(passage));
        if candidate.rank_dense.is_none() {
            candidate.rank_dense = Some(idx + 1);
            candidate.cosine = Some(cosine);
        }
    }
    for (idx, passage) in text.into_iter().enumerate() {
        let bm25 = passage.score;
        let candidate = by_id
            .entry(passage.id.clone())
            .or_insert_with(|| fresh(passage));
        if candidate.rank_text.is_none() {
            candidate.rank_text = Some(idx + 1);
            candidate.bm25 = Some(bm25);
        }
    }
    let mut fused: Vec<Candidate> = by_id.into_values().collect();
    for candidate in &mut fused {
        let bm25 = candidate.bm25.unwrap_or(bm25_else) / best;
        let cosine = candidate.cosine.unwrap_or(cosine_else);
        candidate.passage.score = weights.text * bm25 + weights.dense * cosine;
    }
    fused.sort_by(|a, b| {
        let by_score = b.passage.score.total_cmp(&a.passage.score);
        by_score.then_with(|| a.passage.id.cmp(&b.passage.id))
    });
    fused
}

fn fresh(passage: Passage) -> Candidate {
    Candidate {
        passage,
        ..Candidate::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Scores fall by a step a place.
    fn passages(ids: &[u8], best: f32) -> Vec<Passage> {
        let scores = (0..).map(|at| best - at as f32 * best / 32.0);
        ids.iter()
            .zip(scores)
            .map(|(id, score)| Passage {
                id: id.to_string(),
                score,
                ..Passage::default()
            })
            .collect()
    }

    /// The definition, quadratic: for each id, look it up in both lists.
    fn naive(dense: &[Passage], text: &[Passage], weights: Weights, asked: usize) -> Vec<String> {
        let mut ids: Vec<&String> = dense.iter().chain(text).map(|p| &p.id).collect();
        ids.sort();
        ids.dedup();
        let of = |list: &[Passage], id: &str| match list.iter().find(|p| p.id == id) {
            Some(found) => found.score,
            None if list.is_empty() || list.len() < asked => 0.0,
            None => list[list.len() - 1].score,
        };
        let best = if text.is_empty() { 1.0 } else { text[0].score };
        let mut scored: Vec<(&String, f32)> = ids
            .into_iter()
            .map(|id| {
                let text = weights.text * (of(text, id) / best);
                (id, text + weights.dense * of(dense, id))
            })
            .collect();
        scored.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        scored.into_iter().map(|(id, _)| id.clone()).collect()
    }

    proptest! {
        #[test]
        fn equals_the_definition(
            dense in prop::collection::hash_set(0u8..20, 0..15),
            text in prop::collection::hash_set(0u8..20, 0..15),
            share in 0.0f32..1.0,
            asked in 0usize..20,
        ) {
            let ids = |set: std::collections::HashSet<u8>| set.into_iter().collect::<Vec<_>>();
            let (dense, text) = (passages(&ids(dense), 0.9), passages(&ids(text), 23.0));
            let weights = Weights { dense: share, text: 1.0 - share };
            let want = naive(&dense, &text, weights, asked);
            let got: Vec<_> = fuse(dense, text, weights, asked)
                .into_iter()
                .map(|c| c.passage.id)
                .collect();
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn one_list_alone_keeps_its_order() {
        let weights = Weights {
            dense: 0.6,
            text: 0.4,
        };
        let ids =
            |found: Vec<Candidate>| found.into_iter().map(|c| c.passage.id).collect::<Vec<_>>();
        let list = passages(&[3, 1, 2], 0.5);
        assert_eq!(
            ids(fuse(list.clone(), Vec::new(), weights, 9)),
            ["3", "1", "2"]
        );
        assert_eq!(ids(fuse(Vec::new(), list, weights, 9)), ["3", "1", "2"]);
    }
}
