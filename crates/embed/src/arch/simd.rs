//! The few vector operations that the generic algorithms need.

/// Output columns of a weight panel.
pub(crate) const PANEL: usize = 64;

/// An instruction set: a token that proves the processor has it, and what it can do.
///
/// Slices given to `load` and `store` hold at least [`Simd::LANES`] items; the rest is left alone.
pub(super) trait Simd: Copy {
    /// A vector of `LANES` f32.
    type F: Copy;
    const LANES: usize;

    fn splat(self, value: f32) -> Self::F;
    fn load(self, from: &[f32]) -> Self::F;
    /// Integers as floats.
    fn load_i32(self, from: &[i32]) -> Self::F;
    fn store(self, to: &mut [f32], value: Self::F);
    /// Stores whole numbers in 0..=255 as bytes.
    fn store_u8(self, to: &mut [u8], value: Self::F);

    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, with one rounding or two.
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// To the nearest whole number, halves to even.
    fn round(self, a: Self::F) -> Self::F;
    /// `a * 2^n` for whole `n` in -126..=127.
    fn scale(self, a: Self::F, n: Self::F) -> Self::F;
    fn sum(self, a: Self::F) -> f32;
    fn largest(self, a: Self::F) -> f32;
    fn smallest(self, a: Self::F) -> f32;

    /// Exact sums of products of `ROWS` rows of codes with one panel: `sums[r][c] = sum over k of
    /// codes[r * depth + k] * panel[k / 4][c][k % 4]`. `ROWS` is at most the instruction set's tile height, `depth` a
    /// multiple of four.
    fn dot_tile<const ROWS: usize>(
        self,
        codes: &[u8],
        depth: usize,
        panel: &[i8],
        sums: &mut [[i32; PANEL]; ROWS],
    );
}

/// The checks that every `dot_tile` rests on.
#[inline(always)]
pub(super) fn check_tile<const ROWS: usize>(codes: &[u8], depth: usize, panel: &[i8]) {
    assert!(depth.is_multiple_of(4));
    assert!(codes.len() >= ROWS * depth);
    assert!(panel.len() >= PANEL * depth);
}

/// `e^x` for `x <= 0`, to about two units in the last place; below -87 it is as good as zero.
#[inline(always)]
pub(super) fn exp<S: Simd>(s: S, x: S::F) -> S::F {
    // Cody and Waite: x = n ln 2 + r, with ln 2 in two parts so that r is exact. Coefficients: Cephes expf.
    let x = s.max(x, s.splat(-87.0));
    let n = s.round(s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    let r = s.mul_add(n, s.splat(-0.693_359_4), x);
    let r = s.mul_add(n, s.splat(2.121_944_4e-4), r);
    let mut p = s.splat(1.987_569_2e-4);
    for c in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        p = s.mul_add(p, r, s.splat(c));
    }
    let p = s.add(s.mul_add(p, s.mul(r, r), r), s.splat(1.0));
    s.scale(p, n)
}

/// Beyond this the Gaussian's tail is below 4e-6.
const GELU_REACH: f32 = 4.5;

/// GELU as `x * (x * h(x^2) + 1/2)`: `h` in powers of `x^2 / 10.125 - 1`, fitted over `x^2` in 0..=20.25 at Chebyshev's points.
pub(super) type Gelu = [f32; 11];

/// `h(t) = erf(sqrt(t / 2)) / (2 sqrt(t))`: the Gaussian's own form, within 3e-5 for `x` in -10..=10, far finer than the
/// codes it is rounded to.
pub(super) const GELU: Gelu = [
    0.156_904_94,
    -0.077_193_86,
    0.054_701_19,
    -0.040_109_213,
    0.028_283_931,
    -0.019_020_941,
    0.011_439_227,
    -0.005_251_548_3,
    0.002_716_277_5,
    -0.002_340_016,
    0.000_980_692_6,
];

/// `h(t) = tanh(sqrt(2 t / pi) (1 + 0.044715 t)) / (2 sqrt(t))`: the form that `gelu_new` names, within 6e-6.
pub(super) const GELU_TANH: Gelu = [
    0.156_938_36,
    -0.077_296_674,
    0.054_790_68,
    -0.040_028_375,
    0.028_013_019,
    -0.018_582_31,
    0.010_897_483,
    -0.005_110_599_6,
    0.003_243_371_6,
    -0.002_897_581_6,
    0.001_143_770_1,
];

/// A form of GELU by its table.
#[inline(always)]
pub(super) fn gelu<S: Simd>(s: S, x: S::F, table: &Gelu) -> S::F {
    let near = s.min(s.max(x, s.splat(-GELU_REACH)), s.splat(GELU_REACH));
    let u = s.mul_add(
        s.mul(near, near),
        s.splat(2.0 / (GELU_REACH * GELU_REACH)),
        s.splat(-1.0),
    );
    let mut h = s.splat(table[10]);
    for k in (0..10).rev() {
        h = s.mul_add(h, u, s.splat(table[k]));
    }
    s.mul(x, s.mul_add(near, h, s.splat(0.5)))
}
