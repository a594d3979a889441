//! When to say nothing: thresholds that evidence must pass before it is shown at all.
//!
//! A cause needs a total score (see `rank`); a plain answer needs meaning and words. Both are
//! absolute: the best of a bad lot is still bad. Where the thresholds come from is said beside
//! each.

use std::collections::BTreeSet;

use crate::fuse::Candidate;
use crate::prose::shared_stems;
use crate::rank::Evidence;

/// The least score of a cause. On planted news mixed with decoys (tests/planted.rs) true causes
/// score 0.32 to 1; decoys fail a single factor, and old news that passes them stays below 0.08.
/// The gap is wide because real causes are often told in weaker words than planted ones.
pub const CAUSE_SCORE_MIN: f32 = 0.25;
/// Further causes are shown only when nearly as strong as the first.
pub const CAUSE_SHARE_MIN: f32 = 0.75;

/// The least cosine that any share of words makes up for.
const COSINE_MIN: f32 = 0.25;

/// Keeps the causes worth showing, of a list that is best first.
#[must_use]
pub fn credible(mut causes: Vec<Evidence>) -> Vec<Evidence> {
    let best = causes.first().map_or(0.0, |e| e.score);
    causes.retain(|e| e.score >= CAUSE_SCORE_MIN.max(best * CAUSE_SHARE_MIN));
    causes
}

/// Whether a candidate supports an answer to a plain question: 0 when not, else its strength.
/// `stems` are the question's telling words; `margin` is added to each least cosine.
#[must_use]
pub fn relevance(candidate: &Candidate, stems: &BTreeSet<String>, margin: f32) -> f32 {
    if candidate
        .cosine
        .is_some_and(|cosine| cosine - margin < COSINE_MIN)
    {
        return 0.0;
    }
    let overlap = overlap(candidate, stems);
    let cosine = candidate.cosine.unwrap_or(0.0);
    // Sentence models put unrelated English text at 0 to 0.25 and a passage that answers at 0.45
    // and above; in between, shared words must make up for it.
    let passes = match candidate.cosine {
        Some(cosine) => {
            let cosine = cosine - margin;
            (cosine >= 0.55 && overlap >= 0.25)
                || (cosine >= 0.4 && overlap >= 0.5)
                || (cosine >= COSINE_MIN && overlap >= 0.75)
        }
        None => overlap >= 0.75 && stems.len() >= 2,
    };
    if passes {
        0.6 * cosine.max(0.3) + 0.4 * overlap
    } else {
        0.0
    }
}

/// Share of the question's telling words that the passage or its title has.
#[must_use]
pub fn overlap(candidate: &Candidate, stems: &BTreeSet<String>) -> f32 {
    if stems.is_empty() {
        return 0.0;
    }
    let title = candidate.passage.title.as_deref().unwrap_or("");
    let shared = shared_stems(&[&candidate.passage.text, title], stems);
    shared as f32 / stems.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::prose::content_stems;

    fn evidence(score: f32) -> Evidence {
        Evidence {
            score,
            ..Evidence::default()
        }
    }

    #[test]
    fn weak_and_much_weaker_causes_are_dropped() {
        let scores = |causes: &[f32]| -> Vec<f32> {
            credible(causes.iter().map(|&s| evidence(s)).collect())
                .iter()
                .map(|e| e.score)
                .collect()
        };
        assert_eq!(scores(&[0.9, 0.7, 0.4]), [0.9, 0.7]);
        assert_eq!(scores(&[0.24, 0.2]), [] as [f32; 0]);
        assert_eq!(scores(&[]), [] as [f32; 0]);
    }

    #[test]
    fn relevance_needs_meaning_and_words() {
        let stems = content_stems("What is the fee of the index fund?");
        let check = |text: &str, cosine: Option<f32>, want: bool| {
            let mut candidate = Candidate {
                cosine,
                ..Candidate::default()
            };
            candidate.passage.text = text.into();
            assert_eq!(
                relevance(&candidate, &stems, 0.0) > 0.0,
                want,
                "{text} {cosine:?}"
            );
        };
        check("Index funds charge a fee of 0.1 percent.", Some(0.6), true);
        check("Index funds charge a fee of 0.1 percent.", None, true);
        check("Index funds charge a fee of 0.1 percent.", Some(0.1), false);
        check("Dogs like walks.", Some(0.7), false);
        check("A fund has many owners.", Some(0.4), false);
    }
}
