//! The inverted index: per term the slots that hold it, in order, and how often.
//!
//! A slot that is not visible as of the asked instant is skipped while the postings are read, so it
//! neither scores nor counts: `df`, the number of texts and their mean length are those of the
//! visible texts alone, and a text search of the past ranks exactly as it did then.

use std::collections::{BinaryHeap, HashMap};

use vector::Hit;

use super::{Bm25, Terms};
use crate::state::Bits;

/// Texts by slot.
#[derive(Default)]
pub(crate) struct TextIndex {
    terms: HashMap<Box<str>, Postings>,
    /// Length in terms, by slot.
    lengths: Vec<u32>,
}

/// Six bytes an occurrence; slots ascend because versions only ever get larger ones.
#[derive(Default)]
struct Postings {
    slots: Vec<u32>,
    counts: Vec<u16>,
}

/// Memory that a thread keeps between searches.
#[derive(Default)]
pub(crate) struct TextScratch {
    /// Score by slot; all zero between searches.
    scores: Vec<f32>,
    touched: Vec<u32>,
    /// The visible postings of one term.
    matches: Vec<(u32, u16)>,
}

impl TextIndex {
    /// Takes the text of the next slot.
    pub(crate) fn push(&mut self, terms: &Terms) {
        let slot = self.lengths.len() as u32;
        self.lengths.push(terms.total);
        for (term, count) in terms.iter() {
            let postings = match self.terms.get_mut(term) {
                Some(postings) => postings,
                None => self.terms.entry(term.into()).or_default(),
            };
            postings.slots.push(slot);
            postings.counts.push(count);
        }
    }

    /// Bytes held, about.
    pub(crate) fn size_bytes(&self) -> u64 {
        let postings: usize = self
            .terms
            .values()
            .map(|p| p.slots.capacity() * 4 + p.counts.capacity() * 2)
            .sum();
        let terms = self.terms.len() * (size_of::<(Box<str>, Postings)>() + 16);
        (postings + terms + self.lengths.capacity() * 4) as u64
    }

    /// The `k` best visible texts that also pass `allowed`, best first, ties to the smaller slot.
    /// Statistics are those of all `visible` texts, whatever passes.
    pub(crate) fn search(
        &self,
        query: &Terms,
        k: usize,
        bm25: &Bm25,
        visible: &Bits,
        allowed: Option<&Bits>,
        scratch: &mut TextScratch,
    ) -> Vec<Hit> {
        let found = query
            .iter()
            .filter_map(|(term, n)| Some((self.terms.get(term)?, n)));
        let found: Vec<(&Postings, u16)> = found.collect();
        if found.is_empty() || k == 0 {
            return Vec::new();
        }
        let texts = self.statistics(visible);
        scratch
            .scores
            .resize(self.lengths.len().max(scratch.scores.len()), 0.0);
        for (postings, times) in found {
            self.score_term(
                postings,
                f32::from(times),
                bm25,
                texts,
                (visible, allowed),
                scratch,
            );
        }
        best(k, scratch)
    }

    fn score_term(
        &self,
        postings: &Postings,
        times: f32,
        bm25: &Bm25,
        texts: Texts,
        (visible, allowed): (&Bits, Option<&Bits>),
        scratch: &mut TextScratch,
    ) {
        scratch.matches.clear();
        let pairs = postings
            .slots
            .iter()
            .copied()
            .zip(postings.counts.iter().copied());
        scratch
            .matches
            .extend(pairs.filter(|(slot, _)| visible.has(*slot)));
        let df = scratch.matches.len() as f64;
        let idf = (1.0 + (texts.count - df + 0.5) / (df + 0.5)).ln() as f32;
        let weight = times * idf * (bm25.k1 + 1.0);
        let per_term = bm25.k1 * bm25.b / texts.mean_length;
        for &(slot, count) in &scratch.matches {
            if allowed.is_some_and(|allowed| !allowed.has(slot)) {
                continue;
            }
            let count = f32::from(count);
            let length = self.lengths[slot as usize] as f32;
            let norm = bm25.k1 * (1.0 - bm25.b) + per_term * length;
            let score = &mut scratch.scores[slot as usize];
            if *score == 0.0 {
                scratch.touched.push(slot);
            }
            *score += weight * count / (count + norm);
        }
    }

    fn statistics(&self, visible: &Bits) -> Texts {
        let (mut count, mut total) = (0u64, 0u64);
        visible.each(|slot| {
            count += 1;
            total += u64::from(self.lengths[slot as usize]);
        });
        let mean_length = if count == 0 {
            1.0
        } else {
            total as f64 / count as f64
        };
        Texts {
            count: count as f64,
            mean_length: (mean_length as f32).max(f32::MIN_POSITIVE),
        }
    }
}

#[derive(Clone, Copy)]
struct Texts {
    count: f64,
    mean_length: f32,
}

/// Takes the best out of the scratch and leaves it clean.
fn best(k: usize, scratch: &mut TextScratch) -> Vec<Hit> {
    let mut heap: BinaryHeap<Ranked> = BinaryHeap::with_capacity(k.min(1024) + 1);
    for slot in scratch.touched.drain(..) {
        let score = std::mem::take(&mut scratch.scores[slot as usize]);
        let ranked = Ranked { score, slot };
        if heap.len() < k {
            heap.push(ranked);
        } else if let Some(mut worst) = heap.peek_mut()
            && ranked < *worst
        {
            *worst = ranked;
        }
    }
    let sorted = heap.into_sorted_vec();
    sorted
        .into_iter()
        .map(|ranked| Hit {
            slot: ranked.slot,
            score: ranked.score,
        })
        .collect()
}

/// Ordered best first, then by slot.
struct Ranked {
    score: f32,
    slot: u32,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other
            .score
            .total_cmp(&self.score)
            .then(self.slot.cmp(&other.slot))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}
