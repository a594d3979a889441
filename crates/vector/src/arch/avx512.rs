//! AVX-512F: sixteen lanes in one register, tails by a masked load.

use std::arch::x86_64::{
    __m512, _mm_loadu_si128, _mm256_add_ps, _mm256_castpd_ps, _mm256_loadu_si256, _mm512_castps_pd,
    _mm512_castps512_ps256, _mm512_castsi512_ps, _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps,
    _mm512_cvtepu16_epi32, _mm512_cvtph_ps, _mm512_extractf64x4_pd, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_maskz_loadu_ps, _mm512_setzero_ps, _mm512_slli_epi32, _mm512_sub_ps,
};

use super::avx2::sum8;
use super::avx512_codes::CODES;
use super::element::{Bf16, F16};
use super::generic::{Lanes, kernels};

/// Whether this processor has all that the kernels of this instruction set need.
pub(super) fn is_here() -> bool {
    super::avx2::is_here()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

#[derive(Clone, Copy)]
struct Avx512(__m512);

impl Lanes for Avx512 {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has AVX-512F; no memory is touched.
        unsafe { Self(_mm512_setzero_ps()) }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller promises sixteen readable floats; the load needs no alignment.
        unsafe { Self(_mm512_loadu_ps(at)) }
    }

    #[inline(always)]
    unsafe fn load_f16(at: *const F16) -> Self {
        // SAFETY: the caller has AVX-512F and promises sixteen readable halves.
        unsafe { Self(_mm512_cvtph_ps(_mm256_loadu_si256(at.cast()))) }
    }

    #[inline(always)]
    unsafe fn load_bf16(at: *const Bf16) -> Self {
        // SAFETY: the caller has AVX-512F and promises sixteen readable elements of two bytes.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(at.cast()));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide)))
        }
    }

    #[inline(always)]
    unsafe fn load_i8(at: *const i8) -> Self {
        // SAFETY: the caller has AVX-512F and promises sixteen readable bytes.
        unsafe {
            Self(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(
                at.cast(),
            ))))
        }
    }

    #[inline(always)]
    unsafe fn load_tail(at: *const f32, count: usize) -> Self {
        let mask = (1u16 << count) - 1;
        // SAFETY: the mask has `count < 16` bits, and lanes outside it are not read.
        unsafe { Self(_mm512_maskz_loadu_ps(mask, at)) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller has AVX-512F; no memory is touched.
        unsafe { Self(_mm512_sub_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn fma(self, other: Self, acc: Self) -> Self {
        // SAFETY: the caller has AVX-512F; no memory is touched.
        unsafe { Self(_mm512_fmadd_ps(self.0, other.0, acc.0)) }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: the caller has AVX-512F, which includes AVX; no memory is touched.
        unsafe {
            let low = _mm512_castps512_ps256(self.0);
            let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0)));
            sum8(_mm256_add_ps(low, high))
        }
    }
}

kernels!("avx512", Avx512, #[target_feature(enable = "avx512f,avx2,fma")]);
