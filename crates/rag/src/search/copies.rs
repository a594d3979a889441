//! Copies of one piece of news among hits: the first version wins, the later ones are linked to it.
//!
//! Two passages of different documents are copies when they share three quarters of the shorter one's shingles, runs of
//! three words, and neither is twice as long as the other. The few passages near the top are compared exactly, by hashes
//! of their shingles; sketches (MinHash, SimHash) earn their error where thousands are compared.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Copied, SearchHit};
use crate::prose::words;

/// Share of the shorter one's shingles.
const SHARE_MIN: f32 = 0.75;
/// Shorter texts are alike by chance.
const SHINGLES_MIN: usize = 8;
/// Passages looked at for each hit wanted.
const LOOKED: usize = 4;

/// The first `k` hits, best first, copies folded into one another.
pub(super) fn folded(found: impl Iterator<Item = SearchHit>, k: usize) -> Vec<SearchHit> {
    let mut hits: Vec<(SearchHit, Vec<u64>)> = Vec::with_capacity(k);
    for hit in found.take(k.saturating_mul(LOOKED)) {
        let shingles = shingles(&hit.passage.text);
        let same = hits.iter().position(|(other, others)| {
            other.passage.document_id != hit.passage.document_id && are_copies(&shingles, others)
        });
        match same {
            Some(idx) => join(&mut hits[idx].0, hit),
            None if hits.len() < k => hits.push((hit, shingles)),
            None => {}
        }
    }
    let hits = hits.into_iter().map(|(mut hit, _)| {
        hit.also.sort_by(|a, b| {
            let by_time = a.known_at.cmp(&b.known_at);
            by_time.then_with(|| a.document_id.cmp(&b.document_id))
        });
        hit.also.dedup_by(|a, b| a.document_id == b.document_id);
        hit
    });
    hits.collect()
}

/// The earlier one is shown, where the better one stood.
fn join(first: &mut SearchHit, mut other: SearchHit) {
    let age = |hit: &SearchHit| (hit.passage.known_at, hit.passage.document_id.clone());
    if age(&other) < age(first) {
        other.passage.score = first.passage.score;
        std::mem::swap(first, &mut other);
        first.also.append(&mut other.also);
    }
    first.also.push(Copied {
        document_id: other.passage.document_id,
        source: other.passage.source,
        known_at: other.passage.known_at,
    });
}

/// Hashes of all runs of three words, ascending, each once.
fn shingles(text: &str) -> Vec<u64> {
    let lower: Vec<String> = words(text).iter().map(|word| word.lower()).collect();
    let hash = |run: &[String]| {
        let mut hasher = DefaultHasher::new();
        run.hash(&mut hasher);
        hasher.finish()
    };
    let mut hashes: Vec<u64> = lower.windows(3).map(hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

fn are_copies(a: &[u64], b: &[u64]) -> bool {
    let (less, more) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if less.len() < SHINGLES_MIN || more.len() > 2 * less.len() {
        return false;
    }
    let common = less.iter().filter(|hash| more.binary_search(hash).is_ok());
    common.count() as f32 >= SHARE_MIN * less.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Passage;

    const NEWS: &str =
        "Acme Steel cuts its forecast for the year because demand for beams was weak in the north";

    fn hit(id: &str, text: &str, known_at: u64, score: f32) -> SearchHit {
        SearchHit {
            passage: Passage {
                document_id: id.into(),
                text: text.into(),
                known_at,
                score,
                ..Passage::default()
            },
            ..SearchHit::default()
        }
    }

    #[test]
    fn the_first_version_is_shown_and_the_others_are_linked() {
        let (repost, other) = (format!("RT: {NEWS} today"), NEWS.replace("cuts", "raises"));
        let opposite = "Acme Copper keeps its dividend and says that demand for pipes was as strong as ever before";
        let found = vec![
            hit("late", NEWS, 30, 0.9),
            hit("odd", opposite, 25, 0.8),
            hit("first", &repost, 10, 0.7),
            hit("between", &other, 20, 0.6),
        ];
        let hits = folded(found.into_iter(), 10);
        let shown: Vec<&str> = hits
            .iter()
            .map(|h| h.passage.document_id.as_str())
            .collect();
        assert_eq!(shown, ["first", "odd"]);
        assert_eq!(hits[0].passage.score, 0.9);
        let also: Vec<&str> = hits[0]
            .also
            .iter()
            .map(|c| c.document_id.as_str())
            .collect();
        assert_eq!(also, ["between", "late"]);
        assert!(hits[1].also.is_empty());
    }

    #[test]
    fn passages_of_one_document_and_short_ones_stay() {
        let found = vec![
            hit("a", NEWS, 1, 0.9),
            hit("a", NEWS, 1, 0.8),
            hit("b", "Rates were cut", 1, 0.7),
            hit("c", "Rates were cut", 1, 0.6),
            hit("d", NEWS, 2, 0.5),
        ];
        let hits = folded(found.into_iter(), 4);
        assert_eq!(hits.len(), 4);
        assert_eq!(hits[0].also.len(), 1);
    }
}
