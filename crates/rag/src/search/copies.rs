//! Copies of one piece of news among hits: the first version wins, the later ones are linked to it.
//!
//! Two passages of different documents are copies when they share three quarters of the shorter one's shingles, runs of
//! three words, neither is twice as long as the other, and they claim the same: neither has words of its own that point up or
//! down or deny, and they do not differ in a number. "Cuts its forecast" is no copy of "raises its forecast". The few passages near the top are compared exactly, by hashes
//! of their shingles; sketches (MinHash, SimHash) earn their error where thousands are compared.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Copied, SearchHit};
use crate::prose::words;
use crate::query::Direction;
use crate::rank::cause::word_lean;

/// Share of the shorter one's shingles.
const SHARE_MIN: f32 = 0.75;
/// Shorter texts are alike by chance.
const SHINGLES_MIN: usize = 8;
/// From this on a word of news points somewhere.
const LEAN_MIN: f32 = 0.5;
/// Words that turn a claim around.
const DENIALS: [&str; 8] = [
    "not", "no", "never", "denies", "denied", "deny", "without", "false",
];
/// Passages looked at for each hit wanted.
const LOOKED: usize = 4;

/// The first `k` hits, best first, copies folded into one another.
pub(super) fn folded(found: impl Iterator<Item = SearchHit>, k: usize) -> Vec<SearchHit> {
    let mut hits: Vec<(SearchHit, Said)> = Vec::with_capacity(k);
    for hit in found.take(k.saturating_mul(LOOKED)) {
        let said = Said::of(&hit.passage.text);
        let same = hits.iter().position(|(other, others)| {
            other.passage.document_id != hit.passage.document_id && said.is_copy_of(others)
        });
        match same {
            Some(idx) => join(&mut hits[idx].0, hit),
            None if hits.len() < k => hits.push((hit, said)),
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

/// What a text says, for comparing.
struct Said {
    /// Hashes of all runs of three words, ascending, each once.
    shingles: Vec<u64>,
    /// Words that point somewhere, and numbers.
    claims: [BTreeSet<String>; 2],
}

impl Said {
    fn of(text: &str) -> Self {
        let lower: Vec<String> = words(text).iter().map(|word| word.lower()).collect();
        let hash = |run: &[String]| {
            let mut hasher = DefaultHasher::new();
            run.hash(&mut hasher);
            hasher.finish()
        };
        let mut shingles: Vec<u64> = lower.windows(3).map(hash).collect();
        shingles.sort_unstable();
        shingles.dedup();
        let that = |is_one: fn(&str) -> bool| {
            let found = lower.iter().filter(|word| is_one(word));
            found.cloned().collect()
        };
        let is_number = |word: &str| word.contains(|c: char| c.is_ascii_digit());
        let claims = [that(points), that(is_number)];
        Self { shingles, claims }
    }

    fn is_copy_of(&self, other: &Self) -> bool {
        let (a, b) = (&self.shingles, &other.shingles);
        let (less, more) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        if less.len() < SHINGLES_MIN || more.len() > 2 * less.len() {
            return false;
        }
        let common = less.iter().filter(|hash| more.binary_search(hash).is_ok());
        let is_alike = common.count() as f32 >= SHARE_MIN * less.len() as f32;
        is_alike && self.claims_same(other)
    }

    /// A number more, such as an hour, makes no other claim; another one in its place does.
    fn claims_same(&self, other: &Self) -> bool {
        let [points, numbers] = [0, 1].map(|kind| (&self.claims[kind], &other.claims[kind]));
        let has_own =
            |(a, b): (&BTreeSet<String>, &BTreeSet<String>)| a.difference(b).next().is_some();
        points.0 == points.1 && !(has_own(numbers) && has_own((numbers.1, numbers.0)))
    }
}

/// Whether a word of news says up or down, good or bad, or denies.
fn points(word: &str) -> bool {
    word_lean(word).abs() >= LEAN_MIN || Direction::of(word).is_some() || DENIALS.contains(&word)
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
        let (repost, other) = (format!("RT: {NEWS} today"), format!("10:32 {NEWS}"));
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
    fn what_claims_something_else_is_no_copy() {
        let numbered = NEWS.replace("the year", "2026");
        for (a, b) in [
            (NEWS, NEWS.replace("cuts", "raises")),
            (NEWS, NEWS.replace("because", "not because")),
            (&*numbered, numbered.replace("2026", "2027")),
        ] {
            let found = vec![hit("a", a, 1, 0.9), hit("b", &b, 2, 0.8)];
            assert_eq!(folded(found.into_iter(), 5).len(), 2, "{a} / {b}");
        }
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
