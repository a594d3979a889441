//! AVX2 with FMA. The byte product of AVX2 (`vpmaddubsw`) saturates at i16, so codes and weights are widened to i16
//! first: `vpmaddwd` is exact.

use std::arch::x86_64::*;

use crate::arch::simd::{PANEL, Simd, check_tile};

/// Proof that the processor has AVX2 and FMA: only [`Avx2::detect`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::arch) struct Avx2(());

impl Avx2 {
    pub fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        found.then_some(Self(()))
    }
}

const LANES: usize = 8;

impl Simd for Avx2 {
    type F = __m256;
    const LANES: usize = LANES;

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    fn load(self, from: &[f32]) -> __m256 {
        // SAFETY: `self` proves AVX; the slice is checked to hold 8 floats, at any alignment.
        unsafe { _mm256_loadu_ps(from[..LANES].as_ptr()) }
    }
    #[inline(always)]
    fn load_i32(self, from: &[i32]) -> __m256 {
        // SAFETY: `self` proves AVX; the slice is checked to hold 8 integers, at any alignment.
        unsafe { _mm256_cvtepi32_ps(_mm256_loadu_si256(from[..LANES].as_ptr().cast())) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32], value: __m256) {
        // SAFETY: `self` proves AVX; the slice is checked to hold 8 floats, at any alignment.
        unsafe { _mm256_storeu_ps(to[..LANES].as_mut_ptr(), value) }
    }
    #[inline(always)]
    fn store_u8(self, to: &mut [u8], value: __m256) {
        // SAFETY: `self` proves AVX2; the slice is checked to hold 8 bytes, at any alignment.
        unsafe {
            let whole = _mm256_cvtps_epi32(value);
            let (low, high) = (
                _mm256_castsi256_si128(whole),
                _mm256_extracti128_si256::<1>(whole),
            );
            let words = _mm_packs_epi32(low, high);
            _mm_storel_epi64(
                to[..LANES].as_mut_ptr().cast(),
                _mm_packus_epi16(words, words),
            );
        }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: `self` proves FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn round(self, a: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn scale(self, a: __m256, n: __m256) -> __m256 {
        // SAFETY: `self` proves AVX2.
        unsafe {
            let biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased)))
        }
    }
    #[inline(always)]
    fn sum(self, a: __m256) -> f32 {
        let lanes = self.lanes(a);
        let halves: [f32; 4] = std::array::from_fn(|n| lanes[n] + lanes[n + 4]);
        (halves[0] + halves[2]) + (halves[1] + halves[3])
    }
    #[inline(always)]
    fn largest(self, a: __m256) -> f32 {
        self.lanes(a).into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
    #[inline(always)]
    fn smallest(self, a: __m256) -> f32 {
        self.lanes(a).into_iter().fold(f32::INFINITY, f32::min)
    }

    #[inline(always)]
    fn dot_tile<const ROWS: usize>(
        self,
        codes: &[u8],
        depth: usize,
        panel: &[i8],
        sums: &mut [[i32; PANEL]; ROWS],
    ) {
        check_tile::<ROWS>(codes, depth, panel);
        assert!(ROWS <= ROWS_MAX);
        *sums = [[0; PANEL]; ROWS];
        for start in (0..depth).step_by(CHUNK) {
            let count = CHUNK.min(depth - start);
            let mut wide = [[0_i16; CHUNK]; ROWS_MAX];
            for (row, wide) in wide.iter_mut().enumerate().take(ROWS) {
                for (wide, code) in wide.iter_mut().zip(&codes[row * depth + start..][..count]) {
                    *wide = i16::from(*code);
                }
            }
            let panel = &panel[PANEL * start..PANEL * (start + count)];
            for first in (0..PANEL).step_by(LANES) {
                self.dot_columns(&wide, count, panel, first, sums);
            }
        }
    }
}

/// Height of a tile, and the depths of it that are widened at a time: with them and a panel's part the L1 cache is full.
const ROWS_MAX: usize = 4;
const CHUNK: usize = 384;

impl Avx2 {
    #[inline(always)]
    fn lanes(self, a: __m256) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes, a);
        lanes
    }

    /// Adds the products of `count` depths to columns `first..first + 8`.
    #[inline(always)]
    fn dot_columns<const ROWS: usize>(
        self,
        wide: &[[i16; CHUNK]; ROWS_MAX],
        count: usize,
        panel: &[i8],
        first: usize,
        sums: &mut [[i32; PANEL]; ROWS],
    ) {
        assert!(ROWS <= ROWS_MAX && count <= CHUNK && count.is_multiple_of(4));
        assert!(panel.len() >= PANEL * count && first + LANES <= PANEL);
        // SAFETY: `self` proves AVX2. By the asserts the weights of eight columns at one group of four depths lie at
        // `4 * (PANEL * group + first)`, 32 bytes, thus within `PANEL * count`; the four widened codes at `4 * group`,
        // thus within a row of `wide`; eight sums at `first` within a row of `sums`. Loads and stores are unaligned.
        unsafe {
            let mut pairs = [[_mm256_setzero_si256(); 2]; ROWS];
            for group in 0..count / 4 {
                let weights = panel.as_ptr().add(4 * (PANEL * group + first));
                let low = _mm256_cvtepi8_epi16(_mm_loadu_si128(weights.cast()));
                let high = _mm256_cvtepi8_epi16(_mm_loadu_si128(weights.add(16).cast()));
                for (wide, pairs) in wide.iter().zip(&mut pairs) {
                    let four = wide.as_ptr().add(4 * group).cast::<i64>().read_unaligned();
                    let four = _mm256_set1_epi64x(four);
                    pairs[0] = _mm256_add_epi32(pairs[0], _mm256_madd_epi16(low, four));
                    pairs[1] = _mm256_add_epi32(pairs[1], _mm256_madd_epi16(high, four));
                }
            }
            for (pairs, sums) in pairs.iter().zip(sums.iter_mut()) {
                // Neighbours are halves of one column; the add leaves columns 0 1 4 5 2 3 6 7.
                let mixed = _mm256_hadd_epi32(pairs[0], pairs[1]);
                let ordered = _mm256_permute4x64_epi64::<0b11_01_10_00>(mixed);
                let sums = sums.as_mut_ptr().add(first).cast();
                _mm256_storeu_si256(sums, _mm256_add_epi32(_mm256_loadu_si256(sums), ordered));
            }
        }
    }
}

crate::arch::entries!(
    Avx2,
    [target_feature(enable = "avx2,fma")],
    rows = 4,
    scores = 2,
    values = [2, 1, 1],
    parts = 4
);
