//! AVX2 over fine codes: a group of 64 components is one register of high halves.

use std::arch::x86_64::{
    __m256i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_shuffle_epi32,
    _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256, _mm256_broadcastsi128_si256,
    _mm256_castsi256_si128, _mm256_cvtepu8_epi16, _mm256_extracti128_si256, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_or_si256, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_setr_epi64x, _mm256_setzero_si256, _mm256_slli_epi16, _mm256_srli_epi16,
    _mm256_srlv_epi64,
};

use super::Planes;
use super::fine::FineKernels;

/// Chosen only where `super::avx2::is_here`.
pub(super) const FINE: FineKernels = FineKernels { dot_high, dot_fine };

fn dot_high(high: &[u8], query: &Planes) -> i32 {
    #[target_feature(enable = "avx2")]
    unsafe fn inner(high: &[u8], query: &[i8]) -> i32 {
        // SAFETY: features by the attribute. `high` is whole groups of 32 bytes and `query` twice as
        // long; a group reads 32 bytes of one and 64 of the other. A 16-bit lane adds two products of
        // at most 15 * 127 twice a group, for at most four groups: 30,480.
        unsafe {
            let (half, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
            let mut sums = _mm256_setzero_si256();
            let groups = high.len() / 32;
            let mut group = 0;
            while group < groups {
                let mut part = _mm256_setzero_si256();
                let end = groups.min(group + 4);
                while group < end {
                    let codes = _mm256_loadu_si256(high.as_ptr().add(32 * group).cast());
                    let at = query.as_ptr().add(64 * group);
                    let first = _mm256_loadu_si256(at.cast());
                    let second = _mm256_loadu_si256(at.add(32).cast());
                    let lower = _mm256_and_si256(codes, half);
                    let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), half);
                    part = _mm256_add_epi16(part, _mm256_maddubs_epi16(lower, first));
                    part = _mm256_add_epi16(part, _mm256_maddubs_epi16(upper, second));
                    group += 1;
                }
                sums = _mm256_add_epi32(sums, _mm256_madd_epi16(part, ones));
            }
            total(sums)
        }
    }
    // SAFETY: `FineKernels::of` chooses this where the features are; lengths were checked there, and
    // `Planes` are whole groups.
    unsafe { inner(high, &query.high) }
}

fn dot_fine(high: &[u8], low: &[u8], query: &Planes) -> i64 {
    #[target_feature(enable = "avx2")]
    unsafe fn inner(high: &[u8], low: &[u8], query: &[i16]) -> i64 {
        let groups = high.len() / 32;
        let lows = low.len() / groups.max(1);
        // SAFETY: features by the attribute. `high` is whole groups of 32 bytes, `low` as many of 0, 16
        // or 32, `query` as many of 64 components. A lane adds at most 512 products of 255 and
        // 127 * 128: below 2^31.
        unsafe {
            let half = _mm256_set1_epi8(15);
            let mut sums = _mm256_setzero_si256();
            for group in 0..groups {
                let codes = _mm256_loadu_si256(high.as_ptr().add(32 * group).cast());
                let lower = _mm256_and_si256(codes, half);
                let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), half);
                let at = low.as_ptr().add(lows * group);
                let (lower, upper) = match lows {
                    0 => (lower, upper),
                    16 => {
                        let bytes = _mm256_broadcastsi128_si256(_mm_loadu_si128(at.cast()));
                        let three = _mm256_set1_epi8(3);
                        let first = _mm256_srlv_epi64(bytes, _mm256_setr_epi64x(0, 0, 2, 2));
                        let second = _mm256_srlv_epi64(bytes, _mm256_setr_epi64x(4, 4, 6, 6));
                        (
                            _mm256_or_si256(
                                _mm256_slli_epi16::<2>(lower),
                                _mm256_and_si256(first, three),
                            ),
                            _mm256_or_si256(
                                _mm256_slli_epi16::<2>(upper),
                                _mm256_and_si256(second, three),
                            ),
                        )
                    }
                    _ => {
                        let bytes = _mm256_loadu_si256(at.cast());
                        let first = _mm256_and_si256(bytes, half);
                        let second = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), half);
                        (
                            _mm256_or_si256(_mm256_slli_epi16::<4>(lower), first),
                            _mm256_or_si256(_mm256_slli_epi16::<4>(upper), second),
                        )
                    }
                };
                let at = query.as_ptr().add(64 * group);
                sums = _mm256_add_epi32(sums, products(lower, at));
                sums = _mm256_add_epi32(sums, products(upper, at.add(32)));
            }
            let low = _mm256_castsi256_si128(sums);
            wide(low) + wide(_mm256_extracti128_si256::<1>(sums))
        }
    }
    // SAFETY: as for `dot_high`.
    unsafe { inner(high, low, &query.wide) }
}

/// Products of 32 codes and components, in eight sums.
///
/// # Safety
/// The processor has AVX2, and 32 components at `query` can be read.
#[inline(always)]
unsafe fn products(codes: __m256i, query: *const i16) -> __m256i {
    // SAFETY: passed on from the caller.
    unsafe {
        let first = _mm256_cvtepu8_epi16(_mm256_castsi256_si128(codes));
        let second = _mm256_cvtepu8_epi16(_mm256_extracti128_si256::<1>(codes));
        _mm256_add_epi32(
            _mm256_madd_epi16(first, _mm256_loadu_si256(query.cast())),
            _mm256_madd_epi16(second, _mm256_loadu_si256(query.add(16).cast())),
        )
    }
}

/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn total(sums: __m256i) -> i32 {
    // SAFETY: the caller has AVX2; no memory is touched.
    unsafe {
        let four = _mm_add_epi32(
            _mm256_castsi256_si128(sums),
            _mm256_extracti128_si256::<1>(sums),
        );
        let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b00_00_11_10>(four));
        _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b00_00_00_01>(two)))
    }
}

/// The sum of four lanes that may not fit one of them.
///
/// # Safety
/// The processor has SSE2, as all of this architecture have.
#[inline(always)]
unsafe fn wide(sums: std::arch::x86_64::__m128i) -> i64 {
    // SAFETY: a register of 128 bits is four lanes of 32.
    let lanes: [i32; 4] = unsafe { std::mem::transmute(sums) };
    lanes.into_iter().map(i64::from).sum()
}
