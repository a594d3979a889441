//! The forward pass in plain f32, one text at a time: what the int8 pass of a user's model is held against when it is loaded,
//! and its twin in tests.

use super::source::{BertConfig, Pooling};
use crate::arch::Activation;

/// A linear layer, `[outputs, inputs]`.
pub(super) struct Dense {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

pub(super) struct PlainNorm {
    pub gain: Vec<f32>,
    pub bias: Vec<f32>,
}

pub(super) struct PlainLayer {
    /// Query, key, value.
    pub qkv: [Dense; 3],
    pub output: Dense,
    pub attention_norm: PlainNorm,
    pub expand: Dense,
    pub reduce: Dense,
    pub output_norm: PlainNorm,
}

impl Dense {
    fn apply(&self, rows: &[f32]) -> Vec<f32> {
        let inputs = self.weight.len() / self.bias.len();
        let columns = || self.weight.chunks_exact(inputs).zip(&self.bias);
        let rows = rows.chunks_exact(inputs);
        rows.flat_map(|row| columns().map(move |(weights, bias)| dot(row, weights) + bias))
            .collect()
    }
}

impl PlainNorm {
    pub fn apply(&self, epsilon: f32, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(self.gain.len()) {
            let width = row.len() as f32;
            let mean = row.iter().sum::<f32>() / width;
            let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / width;
            let factor = 1.0 / (variance + epsilon).sqrt();
            for (x, (gain, bias)) in row.iter_mut().zip(self.gain.iter().zip(&self.bias)) {
                *x = (*x - mean) * factor * gain + bias;
            }
        }
    }
}

impl PlainLayer {
    /// One text's tokens, `[tokens, hidden]`, through this layer.
    pub fn apply(&self, config: &BertConfig, rows: &mut [f32]) {
        let [query, key, value] = self.qkv.each_ref().map(|dense| dense.apply(rows));
        let found = attend(config, &query, &key, &value);
        add(rows, &self.output.apply(&found));
        self.attention_norm.apply(config.epsilon, rows);
        let mut wide = self.expand.apply(rows);
        for x in &mut wide {
            *x = activate(config.activation, *x);
        }
        add(rows, &self.reduce.apply(&wide));
        self.output_norm.apply(config.epsilon, rows);
    }
}

/// The vector of a text's tokens, of any length.
pub(super) fn pool(config: &BertConfig, rows: &[f32]) -> Vec<f32> {
    let mut tokens = rows.chunks_exact(config.hidden);
    let mut vector = tokens.next().unwrap_or_default().to_vec();
    if config.pooling == Pooling::Mean {
        tokens.for_each(|token| add(&mut vector, token));
    }
    vector
}

fn attend(config: &BertConfig, query: &[f32], key: &[f32], value: &[f32]) -> Vec<f32> {
    let (hidden, width) = (config.hidden, config.hidden / config.heads);
    let tokens = query.len() / hidden;
    let mut out = vec![0.0; query.len()];
    for head in (0..hidden).step_by(width) {
        for token in 0..tokens {
            let at = token * hidden + head;
            let score = |other: usize| {
                dot(
                    &query[at..at + width],
                    &key[other * hidden + head..][..width],
                ) / (width as f32).sqrt()
            };
            let scores: Vec<f32> = (0..tokens).map(score).collect();
            let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let weights: Vec<f32> = scores.iter().map(|score| (score - most).exp()).collect();
            let total: f32 = weights.iter().sum();
            for (other, weight) in weights.iter().enumerate() {
                let values = &value[other * hidden + head..][..width];
                for (out, value) in out[at..at + width].iter_mut().zip(values) {
                    *out += weight / total * value;
                }
            }
        }
    }
    out
}

fn activate(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::GeluTanh => {
            let inner = std::f32::consts::FRAC_2_PI.sqrt() * (x + 0.044_715 * x * x * x);
            0.5 * x * (1.0 + inner.tanh())
        }
        Activation::Gelu => 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)),
    }
}

/// Within 1.5e-7. Source: Abramowitz and Stegun, 7.1.26.
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let series = [
        1.061_405_4,
        -1.453_152_1,
        1.421_413_8,
        -0.284_496_72,
        0.254_829_6,
    ];
    let sum = series.into_iter().fold(0.0, |sum, c| sum * t + c) * t;
    (1.0 - sum * (-x * x).exp()).copysign(x)
}

fn add(to: &mut [f32], other: &[f32]) {
    for (to, other) in to.iter_mut().zip(other) {
        *to += other;
    }
}

/// In lanes, so that a compiler may use vectors.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut lanes = [0.0; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erf_is_that_of_the_tables() {
        for (x, wanted) in [
            (0.0, 0.0),
            (0.5, 0.520_499_9),
            (1.0, 0.842_700_8),
            (-2.0, -0.995_322_3),
        ] {
            assert!((erf(x) - wanted).abs() < 5e-7, "{x}");
        }
    }
}
