//! AVX2 with FMA: sixteen lanes as two registers of eight.

use std::arch::x86_64::{
    __m256, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_loadl_epi64, _mm_loadu_si128, _mm_movehl_ps,
    _mm_shuffle_ps, _mm256_add_ps, _mm256_castps256_ps128, _mm256_castsi256_ps,
    _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_cvtepu16_epi32, _mm256_cvtph_ps,
    _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_slli_epi32,
    _mm256_sub_ps,
};

use super::avx2_codes::CODES;
use super::element::{Bf16, F16};
use super::generic::{LANES, Lanes, kernels};

/// Whether this processor has all that the kernels of this instruction set need.
pub(super) fn is_here() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
        && is_x86_feature_detected!("popcnt")
}

#[derive(Clone, Copy)]
struct Avx2(__m256, __m256);

impl Lanes for Avx2 {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has AVX2; no memory is touched.
        unsafe { Self(_mm256_setzero_ps(), _mm256_setzero_ps()) }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller promises sixteen readable floats; unaligned loads need no alignment.
        unsafe { Self(_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8))) }
    }

    #[inline(always)]
    unsafe fn load_f16(at: *const F16) -> Self {
        // SAFETY: the caller has F16C and promises sixteen readable halves.
        unsafe {
            let eight = |at: *const F16| _mm256_cvtph_ps(_mm_loadu_si128(at.cast()));
            Self(eight(at), eight(at.add(8)))
        }
    }

    #[inline(always)]
    unsafe fn load_bf16(at: *const Bf16) -> Self {
        // SAFETY: the caller has AVX2 and promises sixteen readable elements of two bytes.
        unsafe {
            let eight = |at: *const Bf16| {
                let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(at.cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
            };
            Self(eight(at), eight(at.add(8)))
        }
    }

    #[inline(always)]
    unsafe fn load_i8(at: *const i8) -> Self {
        // SAFETY: the caller has AVX2 and promises sixteen readable bytes.
        unsafe {
            let eight = |at: *const i8| {
                _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(at.cast())))
            };
            Self(eight(at), eight(at.add(8)))
        }
    }

    #[inline(always)]
    unsafe fn load_tail(at: *const f32, count: usize) -> Self {
        let mut lanes = [0.0f32; LANES];
        // SAFETY: the caller promises `count < 16` readable floats, which fit the local array; the
        // array has the sixteen floats that `load` reads.
        unsafe {
            std::ptr::copy_nonoverlapping(at, lanes.as_mut_ptr(), count);
            Self::load(lanes.as_ptr())
        }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller has AVX2; no memory is touched.
        unsafe {
            Self(
                _mm256_sub_ps(self.0, other.0),
                _mm256_sub_ps(self.1, other.1),
            )
        }
    }

    #[inline(always)]
    unsafe fn fma(self, other: Self, acc: Self) -> Self {
        // SAFETY: the caller has FMA; no memory is touched.
        unsafe {
            Self(
                _mm256_fmadd_ps(self.0, other.0, acc.0),
                _mm256_fmadd_ps(self.1, other.1, acc.1),
            )
        }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: the caller has AVX2; no memory is touched.
        unsafe { sum8(_mm256_add_ps(self.0, self.1)) }
    }
}

/// Folds eight lanes: 8, 4, 2, 1. AVX-512 ends the same way.
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
pub(super) unsafe fn sum8(lanes: __m256) -> f32 {
    // SAFETY: the caller has AVX; no memory is touched.
    unsafe {
        let four = _mm_add_ps(
            _mm256_castps256_ps128(lanes),
            _mm256_extractf128_ps::<1>(lanes),
        );
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
    }
}

kernels!("avx2", Avx2, #[target_feature(enable = "avx2,fma,f16c")]);
