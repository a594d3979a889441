//! Two ranked lists into one, by weighted reciprocal ranks.
//!
//! Cosines and BM25 scores live on different scales, ranks do not: a passage at rank `r` (from 1)
//! of a list with weight `w` earns `w / (c + r)`. The constant `c` is 10 and not the customary 60:
//! our lists are short, and a first place should count clearly more than a tenth (Cormack, Clarke
//! and Buettcher, SIGIR 2009, for the idea).

use std::collections::HashMap;

use crate::memory::Passage;

/// A passage with its place in each list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// The passage; `score` is the fused score.
    pub passage: Passage,
    /// Cosine to the question, or a bound from above; `None` without a search by meaning.
    pub cosine: Option<f32>,
    /// Rank in the list by meaning, from 1.
    pub rank_dense: Option<usize>,
    /// Rank in the list by words, from 1.
    pub rank_text: Option<usize>,
}

/// Joins the lists, best first; ties by passage id, so that the order is the same every time.
#[must_use]
pub fn fuse(
    dense: Vec<Passage>,
    text: Vec<Passage>,
    weights: (f32, f32),
    rank_constant: f32,
) -> Vec<Candidate> {
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
        let candidate = by_id
            .entry(passage.id.clone())
            .or_insert_with(|| fresh(passage));
        candidate.rank_text.get_or_insert(idx + 1);
    }
    let mut fused: Vec<Candidate> = by_id.into_values().collect();
    let share = |weight: f32, rank: Option<usize>| {
        rank.map_or(0.0, |rank| weight / (rank_constant + rank as f32))
    };
    for candidate in &mut fused {
        candidate.passage.score =
            share(weights.0, candidate.rank_dense) + share(weights.1, candidate.rank_text);
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

    fn passages(ids: &[u8]) -> Vec<Passage> {
        ids.iter()
            .map(|id| Passage {
                id: id.to_string(),
                ..Passage::default()
            })
            .collect()
    }

    /// The definition, quadratic: for each id, look it up in both lists.
    fn naive(dense: &[u8], text: &[u8], weights: (f32, f32), constant: f32) -> Vec<(String, f32)> {
        let mut ids: Vec<String> = dense.iter().chain(text).map(u8::to_string).collect();
        ids.sort();
        ids.dedup();
        let share = |list: &[u8], weight: f32, id: &str| {
            let rank = list.iter().position(|other| other.to_string() == id);
            rank.map_or(0.0, |rank| weight / (constant + rank as f32 + 1.0))
        };
        let mut scored: Vec<(String, f32)> = ids
            .into_iter()
            .map(|id| {
                let score = share(dense, weights.0, &id) + share(text, weights.1, &id);
                (id, score)
            })
            .collect();
        scored.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        scored
    }

    proptest! {
        #[test]
        fn equals_the_definition(
            dense in prop::collection::vec(0u8..20, 0..15),
            text in prop::collection::vec(0u8..20, 0..15),
            weights in (0.1f32..3.0, 0.1f32..3.0),
        ) {
            let got: Vec<_> = fuse(passages(&dense), passages(&text), weights, 10.0)
                .into_iter()
                .map(|c| (c.passage.id, c.passage.score))
                .collect();
            prop_assert_eq!(got, naive(&dense, &text, weights, 10.0));
        }
    }
}
