//! A plain inverted index: every posting of every term is read, statistics are counted as they are
//! needed. The text index was this before it had blocks.

use std::collections::{BinaryHeap, HashMap};

use collection::text::{Slots, Terms};

use super::Set;

const K1: f32 = 0.9;
const B: f32 = 0.4;

#[derive(Default)]
pub struct PlainIndex {
    terms: HashMap<Box<str>, (Vec<u32>, Vec<u16>)>,
    lengths: Vec<u32>,
    scores: std::cell::RefCell<Vec<f32>>,
}

impl PlainIndex {
    pub fn push(&mut self, terms: &Terms) {
        let slot = self.lengths.len() as u32;
        self.lengths.push(terms.len());
        for term in terms.iter() {
            let (slots, counts) = match self.terms.get_mut(term.text) {
                Some(postings) => postings,
                None => self.terms.entry(term.text.into()).or_default(),
            };
            slots.push(slot);
            counts.push(term.count);
        }
    }

    pub fn size_bytes(&self) -> usize {
        let lists = self.terms.values();
        let lists: usize = lists
            .map(|(s, c)| s.capacity() * 4 + c.capacity() * 2)
            .sum();
        lists + self.terms.len() * 80 + self.lengths.capacity() * 4
    }

    /// The best scores.
    pub fn search(
        &self,
        query: &Terms,
        k: usize,
        visible: &Set,
        allowed: Option<&Set>,
    ) -> Vec<f32> {
        let (mut count, mut total) = (0u64, 0u64);
        for (at, &word) in visible.0.iter().enumerate() {
            let mut rest = word;
            while rest != 0 {
                count += 1;
                let slot = at * 64 + rest.trailing_zeros() as usize;
                total += u64::from(self.lengths[slot]);
                rest &= rest - 1;
            }
        }
        let mean = (total as f64 / count.max(1) as f64) as f32;
        let mut scores = self.scores.borrow_mut();
        scores.resize(self.lengths.len(), 0.0);
        let (mut touched, mut matches) = (Vec::new(), Vec::new());
        for term in query.iter() {
            let Some((slots, counts)) = self.terms.get(term.text) else {
                continue;
            };
            matches.clear();
            let pairs = slots.iter().copied().zip(counts.iter().copied());
            matches.extend(pairs.filter(|(slot, _)| visible.has(*slot)));
            let df = matches.len() as f64;
            let idf = (1.0 + (count as f64 - df + 0.5) / (df + 0.5)).ln() as f32;
            let weight = f32::from(term.count) * idf * (K1 + 1.0);
            for &(slot, count) in &matches {
                if allowed.is_some_and(|allowed| !allowed.has(slot)) {
                    continue;
                }
                let count = f32::from(count);
                let length = self.lengths[slot as usize] as f32;
                let norm = K1 * (1.0 - B) + K1 * B / mean * length;
                let score = &mut scores[slot as usize];
                if *score == 0.0 {
                    touched.push(slot);
                }
                *score += weight * count / (count + norm);
            }
        }
        let mut heap = BinaryHeap::with_capacity(k + 1);
        for slot in touched {
            // Positive floats are in the order of their bits.
            let bits = std::mem::take(&mut scores[slot as usize]).to_bits();
            let ranked = std::cmp::Reverse((bits, std::cmp::Reverse(slot)));
            if heap.len() < k {
                heap.push(ranked);
            } else if let Some(mut worst) = heap.peek_mut()
                && ranked < *worst
            {
                *worst = ranked;
            }
        }
        let best = heap.into_sorted_vec().into_iter();
        best.map(|ranked| f32::from_bits(ranked.0.0)).collect()
    }
}
