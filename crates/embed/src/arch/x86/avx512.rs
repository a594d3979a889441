//! AVX-512 with VNNI: `vpdpbusd` adds four products of a u8 and an i8 to each of sixteen i32, without saturation.

use std::arch::x86_64::*;

use crate::arch::simd::{PANEL, Simd, check_tile};

/// Proof that the processor has AVX-512 F, BW, DQ, VL and VNNI: only [`Avx512::detect`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::arch) struct Avx512(());

impl Avx512 {
    pub fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        found.then_some(Self(()))
    }
}

const LANES: usize = 16;
/// Registers in the width of a panel.
const WIDE: usize = PANEL / LANES;

impl Simd for Avx512 {
    type F = __m512;
    const LANES: usize = LANES;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    fn load(self, from: &[f32]) -> __m512 {
        // SAFETY: `self` proves AVX-512F; the slice is checked to hold 16 floats, at any alignment.
        unsafe { _mm512_loadu_ps(from[..LANES].as_ptr()) }
    }
    #[inline(always)]
    fn load_i32(self, from: &[i32]) -> __m512 {
        // SAFETY: `self` proves AVX-512F; the slice is checked to hold 16 integers, at any alignment.
        unsafe { _mm512_cvtepi32_ps(_mm512_loadu_si512(from[..LANES].as_ptr().cast())) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32], value: __m512) {
        // SAFETY: `self` proves AVX-512F; the slice is checked to hold 16 floats, at any alignment.
        unsafe { _mm512_storeu_ps(to[..LANES].as_mut_ptr(), value) }
    }
    #[inline(always)]
    fn store_u8(self, to: &mut [u8], value: __m512) {
        // SAFETY: `self` proves AVX-512F; the slice is checked to hold 16 bytes, at any alignment.
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(value));
            _mm_storeu_si128(to[..LANES].as_mut_ptr().cast(), bytes);
        }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn scale(self, a: __m512, n: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_scalef_ps(a, n) }
    }
    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_reduce_add_ps(a) }
    }
    #[inline(always)]
    fn largest(self, a: __m512) -> f32 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_reduce_max_ps(a) }
    }
    #[inline(always)]
    fn smallest(self, a: __m512) -> f32 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_reduce_min_ps(a) }
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
        // SAFETY: `self` proves AVX-512F and VNNI. `check_tile` holds: a group of four depths lies at
        // `row * depth + 4 * group` with `4 * group + 4 <= depth`, thus within `ROWS * depth` codes, and its weights at
        // `4 * PANEL * group`, thus within `PANEL * depth`. Each row of `sums` holds 64 integers. All loads and stores
        // are of the unaligned kind.
        unsafe {
            let mut wide = [[_mm512_setzero_si512(); WIDE]; ROWS];
            let mut code = codes.as_ptr();
            let mut weight = panel.as_ptr();
            for _ in 0..depth / 4 {
                let mut weights = [_mm512_setzero_si512(); WIDE];
                for (n, weights) in weights.iter_mut().enumerate() {
                    *weights = _mm512_loadu_si512(weight.add(64 * n).cast());
                }
                for (row, wide) in wide.iter_mut().enumerate() {
                    let four = code.add(row * depth).cast::<i32>().read_unaligned();
                    let four = _mm512_set1_epi32(four);
                    for (sum, weights) in wide.iter_mut().zip(weights) {
                        *sum = _mm512_dpbusd_epi32(*sum, four, weights);
                    }
                }
                code = code.add(4);
                weight = weight.add(4 * PANEL);
            }
            for (wide, sums) in wide.iter().zip(sums) {
                for (n, sum) in wide.iter().enumerate() {
                    _mm512_storeu_si512(sums.as_mut_ptr().add(LANES * n).cast(), *sum);
                }
            }
        }
    }
}

crate::arch::entries!(
    Avx512,
    [target_feature(
        enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"
    )],
    rows = 6,
    scores = 4,
    values = [4, 4, 2],
    parts = 2
);
