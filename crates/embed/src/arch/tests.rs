//! Every instruction set against plain arithmetic: integers equal, floats near.

use proptest::prelude::*;
use stdx::Rng;

use super::portable::Portable;
use super::simd::{GELU, GELU_TANH, PANEL, Simd, exp, gelu};
use super::*;

fn floats(rng: &mut Rng, count: usize, reach: f32) -> Vec<f32> {
    (0..count)
        .map(|_| (unit(rng) * 2.0 - 1.0) * reach)
        .collect()
}

fn unit(rng: &mut Rng) -> f32 {
    (rng.next_u64() >> 40) as f32 / (1_u64 << 24) as f32
}

fn bytes(rng: &mut Rng, count: usize) -> Vec<u8> {
    (0..count).map(|_| rng.next_u64() as u8).collect()
}

/// `codes` of `[rows, depth]` by `weights` of `[columns, depth]`, the obvious way.
fn naive_sums(codes: &[u8], weights: &[u8], depth: usize) -> Vec<i32> {
    let product = |row: &[u8], column: &[u8]| -> i32 {
        row.iter()
            .zip(column)
            .map(|(a, b)| i32::from(*a) * i32::from(b.cast_signed()))
            .sum()
    };
    let columns = || weights.chunks_exact(depth);
    codes
        .chunks_exact(depth)
        .flat_map(|row| columns().map(move |c| product(row, c)))
        .collect()
}

/// Sums alone: scale one, offset and bias zero. They stay below 2^24, so f32 holds them exactly.
fn kernel_sums(kernel: Kernel, codes: &[u8], weights: &[u8], depth: usize) -> Vec<f32> {
    let (rows, columns) = (codes.len() / depth, weights.len() / depth);
    let packed = Packed::new(weights, depth, vec![1.0; columns], vec![0.0; columns]);
    let input = Quantised {
        codes: codes.to_vec(),
        scale: vec![1.0; rows],
        low: vec![0.0; rows],
        width: depth,
    };
    let mut out = vec![f32::NAN; rows * columns];
    kernel.linear(&input, &packed, Tail::Store, &mut out);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn integer_sums_equal_plain_arithmetic(rows in 1_usize..20, panels in 1_usize..4, blocks in 1_usize..7, seed: u64) {
        let mut rng = Rng::new(seed);
        let depth = 64 * blocks;
        let codes = bytes(&mut rng, rows * depth);
        let weights = bytes(&mut rng, panels * PANEL * depth);
        let wanted: Vec<f32> = naive_sums(&codes, &weights, depth).iter().map(|sum| *sum as f32).collect();
        for kernel in Kernel::available() {
            prop_assert_eq!(&kernel_sums(kernel, &codes, &weights, depth), &wanted, "{}", kernel.name());
        }
    }

    #[test]
    fn codes_are_the_same_everywhere(rows in 1_usize..5, reach in 1e-3_f32..1e3, seed: u64) {
        let input = floats(&mut Rng::new(seed), rows * 128, reach);
        let mut wanted = Quantised::default();
        rows::quantise(Portable, &input, 128, &mut wanted);
        for ((row, codes), (low, scale)) in input.chunks(128).zip(wanted.codes.chunks(128)).zip(wanted.low.iter().zip(&wanted.scale)) {
            for (value, code) in row.iter().zip(codes) {
                let error = (low + scale * f32::from(*code) - value).abs();
                prop_assert!(error <= 0.501 * scale, "{value} {code} {error}");
            }
        }
        for kernel in Kernel::available() {
            let mut found = Quantised::default();
            kernel.quantise(&input, 128, &mut found);
            prop_assert_eq!(&found.codes, &wanted.codes);
            prop_assert_eq!(&found.low, &wanted.low);
            prop_assert_eq!(&found.scale, &wanted.scale);
        }
    }

    #[test]
    fn attention_equals_the_formula(tokens in 1_usize..70, head in 0_usize..3, seed: u64) {
        let head = [Head::W32, Head::W64, Head::W128][head];
        let width = 2 * head.width();
        let qkv = floats(&mut Rng::new(seed), tokens * 3 * width, 1.5 * (32.0 / head.width() as f32).sqrt());
        let wanted = naive_attention(head.width(), &qkv, width);
        for kernel in Kernel::available() {
            let mut out = vec![f32::NAN; tokens * width];
            kernel.attention(head, &qkv, width, &mut vec![f32::NAN; 77], &mut out);
            for (found, wanted) in out.iter().zip(&wanted) {
                prop_assert!((f64::from(*found) - wanted).abs() < 2e-5, "{}: {found} {wanted}", kernel.name());
            }
        }
    }
}

/// Softmax of queries by keys, times values, in f64.
fn naive_attention(size: usize, qkv: &[f32], width: usize) -> Vec<f64> {
    let tokens = qkv.len() / (3 * width);
    let at = |token: usize, part: usize, d: usize| f64::from(qkv[(3 * token + part) * width + d]);
    let mut out = vec![0.0; tokens * width];
    for head in (0..width).step_by(size) {
        for query in 0..tokens {
            let score = |key: usize| -> f64 {
                (head..head + size)
                    .map(|d| at(query, 0, d) * at(key, 1, d))
                    .sum()
            };
            let weights: Vec<f64> = (0..tokens).map(|key| score(key).exp()).collect();
            let total: f64 = weights.iter().sum();
            for d in head..head + size {
                let sum: f64 = weights
                    .iter()
                    .enumerate()
                    .map(|(key, w)| w * at(key, 2, d))
                    .sum();
                out[query * width + d] = sum / total;
            }
        }
    }
    out
}

#[test]
fn extreme_codes_do_not_saturate() {
    let depth = 1536;
    for (code, weight) in [(255, 127_i8), (255, -127), (255, -128), (1, -128)] {
        let weights = vec![weight.cast_unsigned(); PANEL * depth];
        let wanted = depth as i32 * code * i32::from(weight);
        for kernel in Kernel::available() {
            let found = kernel_sums(kernel, &vec![code as u8; 7 * depth], &weights, depth);
            assert!(
                found.iter().all(|sum| *sum == wanted as f32),
                "{}",
                kernel.name()
            );
        }
    }
}

#[test]
fn a_linear_layer_equals_the_formula_with_every_tail() {
    let mut rng = Rng::new(9);
    let (rows, depth, columns) = (13, 128, 2 * PANEL);
    let input = floats(&mut rng, rows * depth, 2.0);
    let weights = bytes(&mut rng, columns * depth);
    let (scale, bias) = (
        floats(&mut rng, columns, 0.01),
        floats(&mut rng, columns, 1.0),
    );
    let packed = Packed::new(&weights, depth, scale.clone(), bias.clone());
    for kernel in Kernel::available() {
        let mut coded = Quantised::default();
        kernel.quantise(&input, depth, &mut coded);
        for tail in [
            Tail::Store,
            Tail::Add,
            Tail::Through(Activation::Gelu),
            Tail::Through(Activation::GeluTanh),
            Tail::Through(Activation::Relu),
        ] {
            let mut out = vec![0.25; rows * columns];
            kernel.linear(&coded, &packed, tail, &mut out);
            for (n, found) in out.iter().enumerate() {
                let (row, column) = (n / columns, n % columns);
                let value = |d: usize| {
                    coded.low[row] + coded.scale[row] * f32::from(coded.codes[row * depth + d])
                };
                let weight =
                    |d: usize| f32::from(weights[column * depth + d].cast_signed()) * scale[column];
                let sum: f64 = (0..depth)
                    .map(|d| f64::from(value(d)) * f64::from(weight(d)))
                    .sum();
                let y = sum + f64::from(bias[column]);
                let wanted = match tail {
                    Tail::Store => y,
                    Tail::Add => y + 0.25,
                    Tail::Through(Activation::Gelu) => f64::from(naive_gelu(y)),
                    Tail::Through(Activation::GeluTanh) => naive_gelu_tanh(y),
                    Tail::Through(Activation::Relu) => y.max(0.0),
                };
                assert!(
                    (f64::from(*found) - wanted).abs() < 2e-4,
                    "{tail:?}: {found} {wanted}"
                );
            }
        }
    }
}

/// Rows that end in zeros, as those of a width that no vector divides, keep them.
#[test]
fn layer_norm_has_mean_zero_and_length_one_before_gain() {
    let mut rng = Rng::new(4);
    for (width, row_len, epsilon) in [(384, 384, 1e-12), (312, 320, 1e-5), (4, 64, 1e-3)] {
        let zeros = vec![0.0; row_len - width];
        let padded = |mut numbers: Vec<f32>| {
            numbers.extend(&zeros);
            numbers
        };
        let norm = Norm {
            gain: padded(floats(&mut rng, width, 2.0)),
            bias: padded(floats(&mut rng, width, 1.0)),
            width,
            epsilon,
        };
        let input: Vec<f32> = (0..3)
            .flat_map(|_| padded(floats(&mut rng, width, 5.0)))
            .collect();
        for kernel in Kernel::available() {
            let mut rows = input.clone();
            kernel.layer_norm(&mut rows, &norm);
            for (row, input) in rows.chunks(row_len).zip(input.chunks(row_len)) {
                let values = || input[..width].iter().map(|x| f64::from(*x));
                let mean = values().sum::<f64>() / width as f64;
                let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
                for (n, found) in row.iter().enumerate() {
                    let unit =
                        (f64::from(input[n]) - mean) / (variance + f64::from(epsilon)).sqrt();
                    let wanted = unit * f64::from(norm.gain[n]) + f64::from(norm.bias[n]);
                    assert!(
                        (f64::from(*found) - wanted).abs() < 1e-5,
                        "{width}: {found} {wanted}"
                    );
                }
            }
        }
    }
}

/// By the Taylor series of the error function, in f64; beyond 4 the tail is below 2e-8.
fn naive_gelu(x: f64) -> f32 {
    let z = x / std::f64::consts::SQRT_2;
    if z.abs() > 4.0 {
        return x.max(0.0) as f32;
    }
    let (mut term, mut sum) = (z, z);
    for n in 1..200 {
        term *= -z * z / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    let erf = sum * 2.0 / std::f64::consts::PI.sqrt();
    (x * 0.5 * (1.0 + erf)) as f32
}

fn naive_gelu_tanh(x: f64) -> f64 {
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
    0.5 * x * (1.0 + inner.tanh())
}

#[test]
fn the_functions_fit_within_their_stated_error() {
    for step in -1000..=1000 {
        let x = step as f32 / 100.0;
        let found = gelu(Portable, [x; 4], &GELU)[0];
        assert!(
            (found - naive_gelu(f64::from(x))).abs() < 3e-5,
            "gelu({x}) = {found}"
        );
        let found = gelu(Portable, [x; 4], &GELU_TANH)[0];
        assert!(
            (f64::from(found) - naive_gelu_tanh(f64::from(x))).abs() < 2e-5,
            "gelu_new({x}) = {found}"
        );
    }
    for step in 0..=8600 {
        let x = -step as f32 / 100.0;
        let (found, wanted) = (exp(Portable, [x; 4])[0], f64::from(x).exp());
        assert!(
            (f64::from(found) / wanted - 1.0).abs() < 4e-7,
            "exp({x}) = {found}"
        );
    }
    assert!(exp(Portable, [-1e9; 4])[0] < 1e-37);
    assert_eq!(
        Portable.round([0.5, 1.5, -2.5, 254.5]),
        [0.0, 2.0, -2.0, 254.0]
    );
}
