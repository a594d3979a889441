//! What is put before a reader or a model: no passage twice, and no more than fits.

use std::collections::HashSet;

use crate::prose::{Word, words};
use crate::rank::Evidence;

/// Share of word triples in common above which two texts are one.
const SAME_SHARE: f32 = 0.7;

/// Evidence without what repeats it, taken one by one, better evidence first: the same words (reposts, wire copies) or
/// the same place of the same document.
#[derive(Default)]
pub struct Distinct {
    /// Each with its shingles.
    kept: Vec<(Evidence, HashSet<String>)>,
}

impl Distinct {
    /// Takes one, unless it repeats one that was taken.
    pub fn take(&mut self, one: Evidence) {
        let shingles = shingles(one.passage.text.get(one.quote.clone()).unwrap_or(""));
        let repeats = self.kept.iter().any(|(other, others)| {
            let overlap = other.passage.document_id == one.passage.document_id
                && other.passage.start + other.quote.start < one.passage.start + one.quote.end
                && one.passage.start + one.quote.start < other.passage.start + other.quote.end;
            overlap || share(&shingles, others) >= SAME_SHARE
        });
        if !repeats {
            self.kept.push((one, shingles));
        }
    }

    /// What was taken, in order.
    #[must_use]
    pub fn into_evidence(self) -> Vec<Evidence> {
        self.kept
            .into_iter()
            .map(|(evidence, _)| evidence)
            .collect()
    }

    /// How many were taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The first that was taken.
    #[must_use]
    pub fn first(&self) -> Option<&Evidence> {
        self.kept.first().map(|(evidence, _)| evidence)
    }
}

/// Leaves out what repeats better evidence ([`Distinct`]). Keeps the order.
#[must_use]
pub fn distinct(evidence: Vec<Evidence>) -> Vec<Evidence> {
    let mut kept = Distinct::default();
    evidence.into_iter().for_each(|one| kept.take(one));
    kept.into_evidence()
}

/// As many of the first texts as fit the budget; at least one, since a model given nothing can
/// only invent.
#[must_use]
pub fn within_budget(evidence: &[Evidence], tokens_limit: usize) -> usize {
    let mut tokens = 0;
    for (idx, one) in evidence.iter().enumerate() {
        tokens += token_estimate(&one.passage.text);
        if tokens > tokens_limit && idx > 0 {
            return idx;
        }
    }
    evidence.len()
}

/// Tokens of a text, estimated from above: a token is rarely shorter than three bytes.
#[must_use]
pub fn token_estimate(text: &str) -> usize {
    text.len().div_ceil(3)
}

/// Word triples, masks and punctuation aside; single words for texts shorter than that.
fn shingles(text: &str) -> HashSet<String> {
    let lower: Vec<String> = words(text)
        .iter()
        .map(Word::lower)
        .filter(|w| !["rt", "url", "at_user", "at", "user"].contains(&w.as_str()))
        .collect();
    if lower.len() < 3 {
        return lower.into_iter().collect();
    }
    lower.windows(3).map(|w| w.join(" ")).collect()
}

/// Common share of the smaller set.
fn share(a: &HashSet<String>, b: &HashSet<String>) -> f32 {
    let smaller = a.len().min(b.len());
    if smaller == 0 {
        return 0.0;
    }
    a.intersection(b).count() as f32 / smaller as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Passage;

    fn evidence(document: &str, text: &str) -> Evidence {
        Evidence {
            quote: 0..text.len(),
            passage: Passage {
                document_id: document.into(),
                text: text.into(),
                ..Passage::default()
            },
            score: 1.0,
        }
    }

    #[test]
    fn reposts_are_left_out() {
        let kept = distinct(vec![
            evidence("a", "Acme cuts its forecast on weak demand URL"),
            evidence("b", "rt AT_USER Acme cuts its forecast on weak demand"),
            evidence("c", "Rival raises its forecast on strong demand"),
            evidence("c", "Rival raises its target"),
        ]);
        let ids: Vec<_> = kept
            .iter()
            .map(|e| e.passage.document_id.as_str())
            .collect();
        assert_eq!(ids, ["a", "c"]);
    }

    #[test]
    fn the_budget_keeps_at_least_one() {
        let long = "word ".repeat(300);
        let all = [
            evidence("a", &long),
            evidence("b", &long),
            evidence("c", "short"),
        ];
        assert_eq!(within_budget(&all, 10), 1);
        assert_eq!(within_budget(&all, 1_100), 3);
        assert_eq!(within_budget(&[], 10), 0);
    }
}
