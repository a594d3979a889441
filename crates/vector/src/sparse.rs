//! Sparse vectors: few weights of many terms, compared by inner product.
//!
//! An inverted list a term, cut where slots pass a multiple of 64; a part keeps the greatest weight in it.
//! For a query, the greatest weights of its terms add up to a bound of each range of 64 slots; ranges are
//! scored from the greatest bound down, and the rest is left when it is below the k-th best (Mallia, Suel,
//! Tonellotto, "Faster learned sparse retrieval with block-max pruning", SIGIR 2024).
//!
//! ```text
//! term -> parts: range | greatest code | first posting      posting: place in the range | code, 1 byte each
//! ```
//!
//! Weights are kept in 255 steps of their term's greatest one. The answer is exact for weights so rounded:
//! additions happen in one order and rounding never turns that order around, so a bound is never too low.

use std::collections::{BTreeMap, BinaryHeap};

use crate::graph::beam::{distance, found};
use crate::{BadVector, Hit};

/// Slots of a range.
const RANGE: u32 = 64;

/// One term of a vector and what it weighs there.
pub type Weight = (u32, f32);

/// Why weights are no sparse vector.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BadWeights {
    /// A weight that is not finite or not above 0; leave terms of no weight out.
    #[error("every weight must be a finite number above 0")]
    Weight(#[source] BadVector),
    /// Terms that do not rise; each may be there once.
    #[error("term {0} does not come after the one before it: sort the terms, each once")]
    Order(u32),
}

/// Refuses what has no place in an index: weights that are not finite and above 0, terms not in order.
///
/// # Errors
/// `BadWeights` names the first; fix the input.
pub fn check(vector: &[Weight]) -> Result<(), BadWeights> {
    for (index, &(term, value)) in vector.iter().enumerate() {
        if !(value.is_finite() && value > 0.0) {
            return Err(BadWeights::Weight(BadVector { index, value }));
        }
        if index > 0 && vector[index - 1].0 >= term {
            return Err(BadWeights::Order(term));
        }
    }
    Ok(())
}

/// Inverted lists of vectors that do not change.
#[derive(Clone, Debug, Default)]
pub struct Postings {
    terms: BTreeMap<u32, Term>,
    parts: Vec<Part>,
    places: Vec<u8>,
    codes: Vec<u8>,
    slots: u32,
}

#[derive(Clone, Debug)]
struct Term {
    /// Worth of one step of a code.
    step: f32,
    parts: std::ops::Range<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    range: u32,
    most: u8,
    /// First posting; the next part's is behind the last.
    start: u32,
}

/// Memory that a thread keeps between searches.
#[derive(Clone, Debug, Default)]
pub struct SparseScratch {
    /// Bound of each range; 0 between searches.
    bounds: Vec<f32>,
    touched: Vec<u32>,
    /// Parts of the query's terms as `(range, turn of the term, part)`.
    parts: Vec<(u32, u32, u32)>,
    best: BinaryHeap<u64>,
}

/// Hits of a search and how many ranges were scored for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SparseFound {
    /// Greatest product first; of equal ones the smaller slot.
    pub hits: Vec<Hit>,
    /// Ranges of 64 slots that were scored.
    pub ranges: usize,
}

impl Postings {
    /// Lists of `vectors`, whose slots are their positions.
    ///
    /// # Errors
    /// `BadWeights` of the first bad vector.
    ///
    /// # Panics
    /// With 2^32 weights or more.
    pub fn new(vectors: &[&[Weight]]) -> Result<Self, BadWeights> {
        let mut lists: BTreeMap<u32, Vec<(u32, f32)>> = BTreeMap::new();
        for (slot, vector) in (0u32..).zip(vectors) {
            check(vector)?;
            for &(term, weight) in *vector {
                lists.entry(term).or_default().push((slot, weight));
            }
        }
        let mut postings = Self {
            slots: vectors.len() as u32,
            ..Self::default()
        };
        for (term, list) in lists {
            let term_parts = postings.push(&list);
            postings.terms.insert(term, term_parts);
        }
        let end = postings.end();
        postings.parts.push(Part {
            range: u32::MAX,
            most: 0,
            start: end,
        });
        Ok(postings)
    }

    fn push(&mut self, list: &[(u32, f32)]) -> Term {
        let most = list
            .iter()
            .fold(0.0f32, |most, posting| most.max(posting.1));
        let step = most / 255.0;
        let first = self.parts.len();
        for &(slot, weight) in list {
            let range = slot / RANGE;
            if self.parts.len() == first
                || self.parts.last().is_some_and(|part| part.range != range)
            {
                let start = self.end();
                self.parts.push(Part {
                    range,
                    most: 0,
                    start,
                });
            }
            let code = encode(weight, step);
            if let Some(part) = self.parts.last_mut() {
                part.most = part.most.max(code);
            }
            self.places.push((slot % RANGE) as u8);
            self.codes.push(code);
        }
        let parts = first..self.parts.len();
        Term { step, parts }
    }

    fn end(&self) -> u32 {
        u32::try_from(self.codes.len()).expect("fewer than 2^32 weights")
    }

    /// Bytes of the lists.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.codes.len() * 2
            + self.parts.len() * size_of::<Part>()
            + self.terms.len() * size_of::<Term>()
    }

    /// The `k` visible vectors of the greatest product with `query` that share a term with it. Exact for
    /// the weights as they are kept.
    ///
    /// # Errors
    /// `BadWeights` when the query is no sparse vector.
    pub fn search(
        &self,
        query: &[Weight],
        k: usize,
        visible: impl Fn(u32) -> bool,
        scratch: &mut SparseScratch,
    ) -> Result<SparseFound, BadWeights> {
        check(query)?;
        let terms = query.iter().filter_map(|(term, weight)| {
            let term = self.terms.get(term)?;
            Some((weight * term.step, term))
        });
        let terms: Vec<(f32, &Term)> = terms.collect();
        let order = self.bound(&terms, scratch);
        let SparseScratch { parts, best, .. } = scratch;
        best.clear();
        let mut ranges = 0;
        for (bound, range) in order {
            // What cannot beat the k-th cannot, whatever its slot: its bound is the greatest product.
            let is_full = best.len() >= k;
            if is_full
                && best
                    .peek()
                    .is_none_or(|&worst| -distance((worst >> 32) as u32) > bound)
            {
                break;
            }
            ranges += 1;
            let own = parts.partition_point(|part| part.0 < range);
            let own = parts[own..].iter().take_while(|part| part.0 == range);
            let scores = self.score(&terms, own);
            for (place, &score) in (0u32..).zip(&scores) {
                let slot = range * RANGE + place;
                // Negated, so that the smallest number is the best, and of equal ones the smaller slot.
                let entry = found(-score, slot);
                let enters = best.len() < k || best.peek().is_some_and(|&worst| entry < worst);
                if score > 0.0 && enters && visible(slot) {
                    best.push(entry);
                    if best.len() > k {
                        best.pop();
                    }
                }
            }
        }
        let entries = std::mem::take(best).into_sorted_vec();
        let hits = entries.iter().map(|&entry| Hit {
            slot: entry as u32,
            score: -distance((entry >> 32) as u32),
        });
        let hits = hits.collect();
        *best = BinaryHeap::from(entries);
        Ok(SparseFound { hits, ranges })
    }

    /// Ranges that share a term with the query, greatest bound first, and the parts of each.
    fn bound(&self, terms: &[(f32, &Term)], scratch: &mut SparseScratch) -> Vec<(f32, u32)> {
        let SparseScratch {
            bounds,
            touched,
            parts,
            ..
        } = scratch;
        bounds.resize(bounds.len().max(self.slots.div_ceil(RANGE) as usize), 0.0);
        parts.clear();
        for (turn, (worth, term)) in (0u32..).zip(terms) {
            for at in term.parts.clone() {
                let part = self.parts[at];
                let bound = &mut bounds[part.range as usize];
                if *bound == 0.0 {
                    touched.push(part.range);
                }
                *bound += worth * f32::from(part.most);
                parts.push((part.range, turn, at as u32));
            }
        }
        parts.sort_unstable();
        // Products below the smallest number leave a bound of 0, and the range is there twice.
        touched.sort_unstable();
        touched.dedup();
        let take = |range: u32| (std::mem::take(&mut bounds[range as usize]), range);
        let mut order: Vec<(f32, u32)> = touched.drain(..).map(take).collect();
        order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        order
    }

    /// Products of all slots of a range.
    fn score<'p>(
        &self,
        terms: &[(f32, &Term)],
        parts: impl Iterator<Item = &'p (u32, u32, u32)>,
    ) -> [f32; RANGE as usize] {
        let mut scores = [0.0; RANGE as usize];
        for &(_, turn, at) in parts {
            let (worth, at) = (terms[turn as usize].0, at as usize);
            let postings = self.parts[at].start as usize..self.parts[at + 1].start as usize;
            let postings = self.places[postings.clone()]
                .iter()
                .zip(&self.codes[postings]);
            for (&place, &code) in postings {
                scores[usize::from(place)] += worth * f32::from(code);
            }
        }
        scores
    }
}

/// The nearest step, but never none: a weight that is there stays.
fn encode(weight: f32, step: f32) -> u8 {
    let steps = (weight / step).round();
    if steps.is_finite() {
        steps.clamp(1.0, 255.0) as u8
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stdx::Rng;

    use super::*;
    use crate::cases::{cases, most};

    type Vectors = Vec<BTreeMap<u32, f32>>;

    fn vector(terms: u32, most: usize) -> impl Strategy<Value = BTreeMap<u32, f32>> {
        let weight = prop_oneof![3 => 0.01f32..3.0, 1 => Just(1.0f32), 1 => Just(1e-42f32)];
        prop::collection::btree_map(0..terms, weight, 0..most)
    }

    fn flat(vector: &BTreeMap<u32, f32>) -> Vec<Weight> {
        vector
            .iter()
            .map(|(&term, &weight)| (term, weight))
            .collect()
    }

    fn built(vectors: &Vectors) -> Postings {
        let flat: Vec<Vec<Weight>> = vectors.iter().map(flat).collect();
        let slices: Vec<&[Weight]> = flat.iter().map(Vec::as_slice).collect();
        Postings::new(&slices).unwrap()
    }

    /// Every vector, every term, with weights rounded anew.
    fn naive(vectors: &Vectors, query: &BTreeMap<u32, f32>, k: usize, seen: &[bool]) -> Vec<Hit> {
        let most = |term: &u32| {
            let all = vectors.iter().filter_map(|vector| vector.get(term));
            all.fold(0.0f32, |most, &weight| most.max(weight))
        };
        let mut hits = Vec::new();
        for (slot, vector) in vectors.iter().enumerate() {
            let mut score = 0.0;
            for (term, q) in query {
                if let Some(weight) = vector.get(term) {
                    let step = most(term) / 255.0;
                    let code = if step == 0.0 {
                        1.0
                    } else {
                        (weight / step).round().clamp(1.0, 255.0)
                    };
                    score += q * step * code;
                }
            }
            if score > 0.0 && seen[slot] {
                let slot = slot as u32;
                hits.push(Hit { slot, score });
            }
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.slot.cmp(&b.slot)));
        hits.truncate(k);
        hits
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn equals_comparing_everything(
            vectors in prop::collection::vec(vector(30, 12), 0..most(300, 20)),
            queries in prop::collection::vec(vector(33, 9), 1..4),
            seed in any::<u64>(),
            k in 0usize..20,
        ) {
            let mut rng = Rng::new(seed);
            let seen: Vec<bool> = vectors.iter().map(|_| rng.chance(0.7)).collect();
            let postings = built(&vectors);
            let mut scratch = SparseScratch::default();
            for query in &queries {
                let visible = |slot: u32| seen[slot as usize];
                let got = postings.search(&flat(query), k, visible, &mut scratch).unwrap();
                prop_assert_eq!(got.hits, naive(&vectors, query, k, &seen));
            }
        }
    }

    /// Where one range holds all that matters, the others are not scored, and scores are near those of
    /// weights that were not rounded.
    #[test]
    #[cfg_attr(
        miri,
        ignore = "many rows, and nothing here is unsafe but kernels that other tests run"
    )]
    fn ranges_that_cannot_matter_are_left() {
        let mut rng = Rng::new(3);
        let vectors: Vectors = (0..6_400)
            .map(|slot| {
                let scale = if (640..700).contains(&slot) { 3.0 } else { 0.5 };
                (0..20)
                    .map(|_| (rng.below(60) as u32, (0.2 + rng.f64() as f32) * scale))
                    .collect()
            })
            .collect();
        let query: BTreeMap<u32, f32> = (0..6).map(|term| (term * 9, 1.0)).collect();
        let found =
            built(&vectors).search(&flat(&query), 5, |_| true, &mut SparseScratch::default());
        let found = found.unwrap();
        assert!((1..20).contains(&found.ranges), "{} of 100", found.ranges);
        for hit in &found.hits {
            let vector = &vectors[hit.slot as usize];
            let exact: f32 = query.keys().filter_map(|term| vector.get(term)).sum();
            assert!(
                (hit.score - exact).abs() < 0.01 * exact,
                "{} {exact}",
                hit.score
            );
        }
        assert!(built(&vectors).size_bytes() < 6_400 * 20 * 4);
    }

    #[test]
    fn what_is_no_vector_is_refused() {
        let bad = |weights: &[Weight]| Postings::new(&[weights]).err();
        assert_eq!(bad(&[(1, 2.0), (5, 0.1)]), None);
        assert_eq!(bad(&[(1, 2.0), (1, 2.0)]), Some(BadWeights::Order(1)));
        assert_eq!(bad(&[(7, 2.0), (1, 2.0)]), Some(BadWeights::Order(1)));
        for value in [0.0, -1.0, f32::INFINITY] {
            let index = 1;
            let want = BadWeights::Weight(BadVector { index, value });
            assert_eq!(bad(&[(0, 1.0), (3, value)]), Some(want));
        }
        assert!(matches!(bad(&[(0, f32::NAN)]), Some(BadWeights::Weight(_))));
    }
}
