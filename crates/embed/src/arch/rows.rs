//! Work on one row (one token) after the other: codes and layer normalisation.

use super::simd::Simd;

/// A layer normalisation. Rows may be longer than what is normalised: they end in zeros and keep them, since gain and bias
/// are zero there.
#[derive(Debug)]
pub(crate) struct Norm {
    /// As long as a row, as is `bias`.
    pub gain: Vec<f32>,
    pub bias: Vec<f32>,
    /// Numbers of a row that count.
    pub width: usize,
    /// Added to the variance.
    pub epsilon: f32,
}

/// Rows of activations as bytes: `value` is about `low[row] + scale[row] * code`.
///
/// The offset uses all 256 codes on whatever range a token has, which halves the error against codes that are
/// symmetric about zero: what GELU gives is nearly all on one side.
#[derive(Debug, Default)]
pub(crate) struct Quantised {
    /// `[rows, width]`.
    pub codes: Vec<u8>,
    pub scale: Vec<f32>,
    pub low: Vec<f32>,
    pub width: usize,
}

#[inline(always)]
pub(super) fn quantise<S: Simd>(s: S, input: &[f32], width: usize, out: &mut Quantised) {
    assert!(width.is_multiple_of(S::LANES) && width > 0);
    out.width = width;
    out.scale.clear();
    out.low.clear();
    // Only growth writes zeros: every code in reach is written below.
    out.codes.resize(input.len(), 0);
    for (row, codes) in input
        .chunks_exact(width)
        .zip(out.codes.chunks_exact_mut(width))
    {
        let mut least = s.load(row);
        let mut most = least;
        for part in row.chunks_exact(S::LANES) {
            let values = s.load(part);
            least = s.min(least, values);
            most = s.max(most, values);
        }
        let low = s.smallest(least);
        let range = s.largest(most) - low;
        // A row of one value has codes zero at any scale.
        let steps = if range > 0.0 { 255.0 / range } else { 0.0 };
        out.low.push(low);
        out.scale.push(range / 255.0);
        let (low, steps, top) = (s.splat(low), s.splat(steps), s.splat(255.0));
        for (part, codes) in row
            .chunks_exact(S::LANES)
            .zip(codes.chunks_exact_mut(S::LANES))
        {
            let code = s.round(s.mul(s.sub(s.load(part), low), steps));
            s.store_u8(codes, s.min(code, top));
        }
    }
}

#[inline(always)]
pub(super) fn layer_norm<S: Simd>(s: S, rows: &mut [f32], norm: &Norm) {
    let (gain, bias, row_len) = (&norm.gain, &norm.bias, norm.gain.len());
    assert!(row_len.is_multiple_of(S::LANES) && bias.len() == row_len);
    assert!((1..=row_len).contains(&norm.width));
    let count = norm.width as f32;
    for row in rows.chunks_exact_mut(row_len) {
        // What no whole vector holds is added one by one: the zeros behind it are not numbers of the row.
        let numbers = row[..norm.width].chunks_exact(S::LANES);
        let (numbers, rest) = (numbers.clone(), numbers.remainder());
        let mut sum = s.splat(0.0);
        for part in numbers.clone() {
            sum = s.add(sum, s.load(part));
        }
        let centre = (s.sum(sum) + rest.iter().sum::<f32>()) / count;
        let mean = s.splat(centre);
        let mut squares = s.splat(0.0);
        for part in numbers {
            let off = s.sub(s.load(part), mean);
            squares = s.mul_add(off, off, squares);
        }
        let rest: f32 = rest.iter().map(|x| (x - centre) * (x - centre)).sum();
        let variance = (s.sum(squares) + rest) / count;
        let factor = s.splat(1.0 / (variance + norm.epsilon).sqrt());
        let parts = row.chunks_exact_mut(S::LANES);
        let gains = gain.chunks_exact(S::LANES).zip(bias.chunks_exact(S::LANES));
        for (part, (gain, bias)) in parts.zip(gains) {
            let unit = s.mul(s.sub(s.load(part), mean), factor);
            s.store(part, s.mul_add(unit, s.load(gain), s.load(bias)));
        }
    }
}
