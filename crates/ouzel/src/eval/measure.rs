//! The usual measures of a ranked list against judgements, as `trec_eval` has them: the gain of a
//! document is its grade, and lists that are shorter than asked are no error.

use std::collections::HashMap;

/// Means over queries, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measures {
    pub ndcg_10: f64,
    pub recall_10: f64,
    pub recall_100: f64,
    pub mrr_10: f64,
}

impl Measures {
    /// Of one ranked list of different documents, best first. `relevant` is not empty.
    pub fn of(ranked: &[&str], relevant: &HashMap<String, u32>) -> Self {
        let gains: Vec<u32> = ranked
            .iter()
            .map(|id| relevant.get(*id).copied().unwrap_or(0))
            .collect();
        let mut ideal: Vec<u32> = relevant.values().copied().collect();
        ideal.sort_unstable_by(|a, b| b.cmp(a));
        let first = gains.iter().take(10).position(|gain| *gain > 0);
        Self {
            ndcg_10: discounted(&gains) / discounted(&ideal),
            recall_10: recall(&gains, 10, relevant.len()),
            recall_100: recall(&gains, 100, relevant.len()),
            mrr_10: first.map_or(0.0, |rank| 1.0 / (rank + 1) as f64),
        }
    }

    /// The mean of many.
    pub fn mean(all: &[Self]) -> Self {
        let mean = |of: fn(&Self) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
        Self {
            ndcg_10: mean(|m| m.ndcg_10),
            recall_10: mean(|m| m.recall_10),
            recall_100: mean(|m| m.recall_100),
            mrr_10: mean(|m| m.mrr_10),
        }
    }
}

fn discounted(gains: &[u32]) -> f64 {
    let first = gains.iter().take(10).enumerate();
    first
        .map(|(rank, gain)| f64::from(*gain) / ((rank + 2) as f64).log2())
        .sum()
}

fn recall(gains: &[u32], k: usize, relevant: usize) -> f64 {
    let found = gains.iter().take(k).filter(|gain| **gain > 0).count();
    found as f64 / relevant as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let relevant = HashMap::from([
            ("a".to_owned(), 2),
            ("b".to_owned(), 1),
            ("z".to_owned(), 1),
        ]);
        let got = Measures::of(&["x", "a", "b"], &relevant);
        let dcg = 2.0 / 3f64.log2() + 1.0 / 4f64.log2();
        let ideal = 2.0 / 2f64.log2() + 1.0 / 3f64.log2() + 1.0 / 4f64.log2();
        assert!((got.ndcg_10 - dcg / ideal).abs() < 1e-12);
        assert!((got.recall_10 - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(got.mrr_10, 0.5);
        assert_eq!(Measures::of(&[], &relevant), Measures::default());
    }

    #[test]
    fn only_the_first_ten_and_hundred_count() {
        let relevant = HashMap::from([("a".to_owned(), 1)]);
        let mut ranked = vec!["x"; 150];
        ranked[10] = "a";
        let got = Measures::of(&ranked, &relevant);
        assert_eq!((got.ndcg_10, got.recall_10, got.mrr_10), (0.0, 0.0, 0.0));
        assert_eq!(got.recall_100, 1.0);
        ranked.swap(10, 100);
        assert_eq!(Measures::of(&ranked, &relevant).recall_100, 0.0);
    }
}
