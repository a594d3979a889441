//! BM25 as in a textbook: a hash map of words to postings, scores added up in an array.
//!
//! Splits at everything that is no letter or digit and folds case; no stems, no stop words, no
//! updates, no instants. What a text search costs when it need do nothing else.

use std::collections::HashMap;

const K1: f32 = 1.2;
const B: f32 = 0.75;

/// An index that never changes.
pub struct Postings {
    words: HashMap<String, Vec<(u32, u32)>>,
    lengths: Vec<f32>,
    mean: f32,
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
}

impl Postings {
    /// Indexes all texts.
    pub fn new(texts: &[String]) -> Self {
        let mut index: HashMap<String, Vec<(u32, u32)>> = HashMap::new();
        let mut lengths = Vec::with_capacity(texts.len());
        for (number, text) in (0..).zip(texts) {
            let mut length = 0.0;
            for word in words(text) {
                length += 1.0;
                let list = index.entry(word).or_default();
                match list.last_mut() {
                    Some(last) if last.0 == number => last.1 += 1,
                    _ => list.push((number, 1)),
                }
            }
            lengths.push(length);
        }
        let mean = lengths.iter().sum::<f32>() / lengths.len().max(1) as f32;
        Self {
            words: index,
            lengths,
            mean,
        }
    }

    /// The best `k` texts and their scores, best first.
    pub fn search(&self, query: &str, k: usize) -> Vec<(f32, u32)> {
        let mut scores = vec![0f32; self.lengths.len()];
        for word in words(query) {
            let Some(list) = self.words.get(&word) else {
                continue;
            };
            let (all, with) = (self.lengths.len() as f32, list.len() as f32);
            let rarity = (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
            for &(number, count) in list {
                let count = count as f32;
                let length = self.lengths[number as usize] / self.mean;
                scores[number as usize] +=
                    rarity * count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length));
            }
        }
        let mut found: Vec<(f32, u32)> = scores
            .into_iter()
            .zip(0..)
            .filter(|hit| hit.0 > 0.0)
            .collect();
        let k = k.min(found.len());
        if k > 0 {
            found.select_nth_unstable_by(k - 1, |a, b| b.0.total_cmp(&a.0));
        }
        found.truncate(k);
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_win() {
        let texts = ["a cat sat", "a dog sat", "a cat and a dog", "a fox"].map(str::to_owned);
        let index = Postings::new(&texts);
        assert_eq!(index.search("the FOX", 2).first().map(|hit| hit.1), Some(3));
        assert_eq!(index.search("cat dog", 1)[0].1, 2);
        assert!(index.search("none of these words", 3).is_empty());
    }
}
