//! AVX2 over lists: what two groups of a table pick is added four times in bytes before it is widened; a
//! group of 64 fine codes is one register of high halves.

use std::arch::x86_64::{
    __m128i, __m256i, _CMP_LT_OQ, _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128,
    _mm_shuffle_epi32, _mm256_add_epi8, _mm256_add_epi16, _mm256_add_epi32, _mm256_add_ps,
    _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_castsi256_si128, _mm256_cmp_ps,
    _mm256_cvtepi32_ps, _mm256_cvtepu8_epi16, _mm256_cvtepu16_epi32, _mm256_cvtph_ps,
    _mm256_extracti128_si256, _mm256_fmadd_ps, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_movemask_ps, _mm256_or_si256, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_set1_ps, _mm256_setr_epi64x, _mm256_setzero_si256, _mm256_shuffle_epi8,
    _mm256_slli_epi16, _mm256_srli_epi16, _mm256_srlv_epi64, _mm256_storeu_ps,
};

use super::avx2_codes::fold;
use super::lists::ListKernels;
use super::prefetch;
use super::{BLOCK, Codes, Planes, Range, Table};

/// Chosen only where `super::avx2::is_here`.
pub(super) const LISTS: ListKernels = ListKernels {
    scan,
    dot_high,
    dot_fine,
};

fn scan(codes: &Codes<'_>, table: &Table<'_>, range: &Range<'_>, out: &mut [f32; BLOCK]) -> u32 {
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn inner(
        codes: &Codes<'_>,
        table: &Table<'_>,
        range: &Range<'_>,
        out: &mut [f32; BLOCK],
    ) -> u32 {
        // SAFETY: features by the attribute. `sums` gets slices of one length in groups of 256; the
        // factors are arrays of 32 halves, read as four of 8, and `out` has 32 floats.
        unsafe {
            let eights = sums(codes.bytes, table.bytes, range.ahead);
            let (slope, offset) = (_mm256_set1_ps(table.slope), _mm256_set1_ps(table.offset));
            let base = _mm256_set1_ps(range.base);
            let bound = _mm256_set1_ps(range.bound);
            let mut below = 0;
            for (n, sums) in eights.into_iter().enumerate() {
                let sums = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(sums));
                let product = _mm256_fmadd_ps(sums, slope, offset);
                let add = _mm_loadu_si128(codes.add.as_ptr().add(8 * n).cast());
                let mul = _mm_loadu_si128(codes.mul.as_ptr().add(8 * n).cast());
                let add = _mm256_add_ps(base, _mm256_cvtph_ps(add));
                let estimate = _mm256_fmadd_ps(_mm256_cvtph_ps(mul), product, add);
                _mm256_storeu_ps(out.as_mut_ptr().add(8 * n), estimate);
                let marks = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(estimate, bound));
                below |= (marks as u32) << (8 * n);
            }
            below
        }
    }
    // SAFETY: `ListKernels::of` chooses this where the features are; `ListKernels::scan` checked the
    // lengths.
    unsafe { inner(codes, table, range, out) }
}

/// Sums of eight rows each, in order.
///
/// # Safety
/// The processor has AVX2; codes and table have one length, a multiple of 256. Four entries of the table
/// fit a byte, or the sums are wrong.
#[inline(always)]
unsafe fn sums(codes: &[u8], table: &[u8], ahead: &[u8]) -> [__m128i; 4] {
    // SAFETY: every load reads 32 bytes at a multiple of 32 below the slices' common length.
    unsafe {
        let half = _mm256_set1_epi8(15);
        // Sums over even and odd bytes together, and over odd bytes alone.
        let mut both = [_mm256_setzero_si256(); 2];
        let mut odd = [_mm256_setzero_si256(); 2];
        let mut at = 0;
        while at < codes.len() {
            let mut part = [_mm256_setzero_si256(); 2];
            for step in 0..4 {
                let at = at + 32 * step;
                let code = _mm256_loadu_si256(codes.as_ptr().add(at).cast());
                let entries = _mm256_loadu_si256(table.as_ptr().add(at).cast());
                let lower = _mm256_and_si256(code, half);
                let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(code), half);
                part[0] = _mm256_add_epi8(part[0], _mm256_shuffle_epi8(entries, lower));
                part[1] = _mm256_add_epi8(part[1], _mm256_shuffle_epi8(entries, upper));
            }
            prefetch(ahead, at);
            prefetch(ahead, at + 64);
            for n in 0..2 {
                both[n] = _mm256_add_epi16(both[n], part[n]);
                odd[n] = _mm256_add_epi16(odd[n], _mm256_srli_epi16::<8>(part[n]));
            }
            at += 128;
        }
        let [a, b] = fold(both[0], odd[0]);
        let [c, d] = fold(both[1], odd[1]);
        [a, b, c, d]
    }
}

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
unsafe fn wide(sums: __m128i) -> i64 {
    // SAFETY: a register of 128 bits is four lanes of 32.
    let lanes: [i32; 4] = unsafe { std::mem::transmute(sums) };
    lanes.into_iter().map(i64::from).sum()
}
