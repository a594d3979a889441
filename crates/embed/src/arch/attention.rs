//! Softmax attention over one sequence, head by head, in f32.
//!
//! Keys are transposed once a head so that a vector holds one dimension of many keys; then a tile of queries by keys
//! stays in registers over the dimensions of a head. Values are copied together: a whole row apart, they would share
//! a few sets of the L1 cache and drive each other out. Queries arrive already divided by the root of the head's size
//! (folded into their weights). Sequences are never padded: no mask. A head that is narrower than [`Head`]'s sizes has
//! zeros behind its dimensions, which add nothing to a score and come out as zeros.

use super::simd::{Simd, exp};

/// Query rows that share one pass over the values.
const ROWS: usize = 4;

/// Dimensions that a head takes in a row of queries, keys or values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    W32,
    W64,
    W128,
}

impl Head {
    /// The narrowest that holds `width` dimensions.
    pub fn fitting(width: usize) -> Option<Self> {
        let all = [Self::W32, Self::W64, Self::W128];
        all.into_iter().find(|head| width <= head.width())
    }

    pub fn width(self) -> usize {
        match self {
            Self::W32 => 32,
            Self::W64 => 64,
            Self::W128 => 128,
        }
    }
}

/// `SCORES` vectors of keys in one tile; `VALUES` rows of the value tile (divides 4), `PARTS` vectors in a head.
#[inline(always)]
pub(super) fn attention<
    S: Simd,
    const HEAD: usize,
    const SCORES: usize,
    const VALUES: usize,
    const PARTS: usize,
>(
    s: S,
    qkv: &[f32],
    width: usize,
    scratch: &mut Vec<f32>,
    out: &mut [f32],
) {
    const { assert!(PARTS * S::LANES == HEAD && ROWS.is_multiple_of(VALUES)) };
    assert!(width.is_multiple_of(HEAD) && width > 0);
    let tokens = out.len() / width;
    assert!(out.len() == tokens * width && qkv.len() == 3 * out.len());
    let padded = tokens.next_multiple_of(S::LANES);
    scratch.resize((2 * HEAD + ROWS) * padded, 0.0);
    let (keys, rest) = scratch.split_at_mut(HEAD * padded);
    let (values, scores) = rest.split_at_mut(HEAD * padded);
    let values = &mut values[..HEAD * tokens];
    for head in (0..width).step_by(HEAD) {
        let view = One::<HEAD> {
            qkv,
            width,
            head,
            tokens,
            padded,
        };
        view.transpose_keys(keys);
        view.gather_values(values);
        let mut row = 0;
        while row < tokens {
            let count = ROWS.min(tokens - row);
            // A short last tile repeats its last row: the extra results are not written.
            let rows: [usize; ROWS] = std::array::from_fn(|r| (row + r).min(tokens - 1));
            view.score::<S, SCORES>(s, rows, keys, scores);
            let mut weight = [0.0; ROWS];
            for (scores, weight) in scores.chunks_exact_mut(padded).zip(&mut weight) {
                *weight = 1.0 / softmax(s, scores, tokens);
            }
            for first in (0..ROWS).step_by(VALUES) {
                let scores = &scores[first * padded..];
                let sums = view.blend::<S, VALUES, PARTS>(s, scores, values);
                for (r, sums) in sums.iter().enumerate().take(count.saturating_sub(first)) {
                    let target = &mut out[(row + first + r) * width + head..][..HEAD];
                    let weight = s.splat(weight[first + r]);
                    for (sum, target) in sums.iter().zip(target.chunks_exact_mut(S::LANES)) {
                        s.store(target, s.mul(*sum, weight));
                    }
                }
            }
            row += ROWS;
        }
    }
}

/// One head of one sequence.
struct One<'a, const HEAD: usize> {
    /// Rows of queries, keys and values, `width` of each.
    qkv: &'a [f32],
    width: usize,
    /// First dimension of the head.
    head: usize,
    tokens: usize,
    padded: usize,
}

impl<const HEAD: usize> One<'_, HEAD> {
    /// Part 0, 1 or 2 of a token: its query, key or value in this head.
    #[inline(always)]
    fn part(&self, token: usize, part: usize) -> &[f32; HEAD] {
        let start = (3 * token + part) * self.width + self.head;
        self.qkv[start..]
            .first_chunk()
            .expect("a head lies within its row")
    }

    #[inline(always)]
    fn transpose_keys(&self, keys: &mut [f32]) {
        for token in 0..self.padded {
            // Padding repeats the last key; its scores are cleared by the softmax.
            let key = self.part(token.min(self.tokens - 1), 1);
            for (value, column) in key.iter().zip(keys.chunks_exact_mut(self.padded)) {
                column[token] = *value;
            }
        }
    }

    #[inline(always)]
    fn gather_values(&self, values: &mut [f32]) {
        for (token, value) in values.chunks_exact_mut(HEAD).enumerate() {
            value.copy_from_slice(self.part(token, 2));
        }
    }

    #[inline(always)]
    fn score<S: Simd, const SCORES: usize>(
        &self,
        s: S,
        rows: [usize; ROWS],
        keys: &[f32],
        scores: &mut [f32],
    ) {
        let queries = rows.map(|row| self.part(row, 0));
        let mut key = 0;
        while key + SCORES * S::LANES <= self.padded {
            self.score_tile::<S, SCORES>(s, &queries, key, keys, scores);
            key += SCORES * S::LANES;
        }
        while key < self.padded {
            self.score_tile::<S, 1>(s, &queries, key, keys, scores);
            key += S::LANES;
        }
    }

    #[inline(always)]
    fn score_tile<S: Simd, const SCORES: usize>(
        &self,
        s: S,
        queries: &[&[f32; HEAD]; ROWS],
        key: usize,
        keys: &[f32],
        scores: &mut [f32],
    ) {
        let mut sums = [[s.splat(0.0); SCORES]; ROWS];
        for (d, column) in keys.chunks_exact(self.padded).enumerate().take(HEAD) {
            let column = &column[key..key + SCORES * S::LANES];
            for (row, sums) in sums.iter_mut().enumerate() {
                let query = s.splat(queries[row][d]);
                for (n, sum) in sums.iter_mut().enumerate() {
                    *sum = s.mul_add(query, s.load(&column[n * S::LANES..]), *sum);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (n, sum) in sums.iter().enumerate() {
                s.store(&mut scores[row * self.padded + key + n * S::LANES..], *sum);
            }
        }
    }

    /// Sums of the value rows, each weighted by its score, for `VALUES` rows of scores.
    #[inline(always)]
    fn blend<S: Simd, const VALUES: usize, const PARTS: usize>(
        &self,
        s: S,
        scores: &[f32],
        values: &[f32],
    ) -> [[S::F; PARTS]; VALUES] {
        let mut sums = [[s.splat(0.0); PARTS]; VALUES];
        let rows: [&[f32]; VALUES] =
            std::array::from_fn(|row| &scores[row * self.padded..][..self.tokens]);
        for (token, value) in (0..self.tokens).zip(values.as_chunks::<HEAD>().0) {
            for (row, sums) in rows.iter().zip(&mut sums) {
                let score = s.splat(row[token]);
                for (n, sum) in sums.iter_mut().enumerate() {
                    *sum = s.mul_add(score, s.load(&value[n * S::LANES..]), *sum);
                }
            }
        }
        sums
    }
}

/// Replaces scores by `e^(score - largest)` and gives their sum; what is beyond `tokens` becomes zero.
#[inline(always)]
fn softmax<S: Simd>(s: S, scores: &mut [f32], tokens: usize) -> f32 {
    let mut most = s.load(scores);
    for part in scores.chunks_exact(S::LANES) {
        most = s.max(most, s.load(part));
    }
    let most = s.splat(s.largest(most));
    for part in scores.chunks_exact_mut(S::LANES) {
        let value = exp(s, s.sub(s.load(part), most));
        s.store(part, value);
    }
    scores[tokens..].fill(0.0);
    let mut sum = s.splat(0.0);
    for part in scores.chunks_exact(S::LANES) {
        sum = s.add(sum, s.load(part));
    }
    s.sum(sum)
}
