//! AVX2 over codes: a line of codes is two registers, two groups looked up at once; bytes are
//! multiplied as 16-bit numbers, because the byte products of AVX2 saturate.

use std::arch::x86_64::{
    __m128i, __m256i, _CMP_LT_OQ, _mm_add_epi16, _mm_loadu_si128, _mm_unpackhi_epi16,
    _mm_unpacklo_epi16, _mm256_add_epi16, _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256,
    _mm256_castsi256_si128, _mm256_cmp_ps, _mm256_cvtepi32_ps, _mm256_cvtepu8_epi16,
    _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_extracti128_si256, _mm256_fmadd_ps,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_movemask_ps, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_set1_ps, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16,
    _mm256_srli_epi16, _mm256_storeu_ps, _mm256_storeu_si256, _mm256_sub_epi16,
};

use super::codes::{BLOCK, CodeKernels, Codes, Planes, Range, Table, prefetch};

super::portable::portable!(#[target_feature(enable = "avx2,fma")]);

/// Put in the list of available kernels only where `super::avx2::is_here`.
pub(super) const CODES: CodeKernels = CodeKernels {
    estimate,
    dot_planes,
    dot_rows,
    edge,
    hadamard,
    lookup,
    split,
    spread,
};

fn estimate(
    codes: &Codes<'_>,
    table: &Table<'_>,
    range: &Range<'_>,
    out: &mut [f32; BLOCK],
) -> u32 {
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn inner(
        codes: &Codes<'_>,
        table: &Table<'_>,
        range: &Range<'_>,
        out: &mut [f32; BLOCK],
    ) -> u32 {
        // SAFETY: features by the attribute. `sums` gets slices of one length in whole lines; the
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
    // SAFETY: `Kernels::available` detected the features; `Kernels::estimate` checked the lengths.
    unsafe { inner(codes, table, range, out) }
}

/// Sums of eight neighbours each, in order.
///
/// # Safety
/// The processor has AVX2; the slices have one length, a multiple of 64.
#[inline(always)]
unsafe fn sums(codes: &[u8], table: &[u8], ahead: &[u8]) -> [__m128i; 4] {
    // SAFETY: every load reads 32 bytes at a multiple of 32 below the slices' common length.
    unsafe {
        let low_half = _mm256_set1_epi8(15);
        // Sums over even and odd bytes together, and over odd bytes alone.
        let mut both = [_mm256_setzero_si256(); 2];
        let mut odd = [_mm256_setzero_si256(); 2];
        let mut at = 0;
        while at < codes.len() {
            let code = _mm256_loadu_si256(codes.as_ptr().add(at).cast());
            let entries = _mm256_loadu_si256(table.as_ptr().add(at).cast());
            if at.is_multiple_of(64) {
                prefetch(ahead, at);
                prefetch(ahead, at + codes.len());
            }
            let picks = [
                _mm256_and_si256(code, low_half),
                _mm256_and_si256(_mm256_srli_epi16::<4>(code), low_half),
            ];
            for n in 0..2 {
                let found = _mm256_shuffle_epi8(entries, picks[n]);
                both[n] = _mm256_add_epi16(both[n], found);
                odd[n] = _mm256_add_epi16(odd[n], _mm256_srli_epi16::<8>(found));
            }
            at += 32;
        }
        let [a, b] = fold(both[0], odd[0]);
        let [c, d] = fold(both[1], odd[1]);
        [a, b, c, d]
    }
}

/// Takes the odd bytes out of the even ones, adds the two groups and puts the sums in order.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub(super) unsafe fn fold(both: __m256i, odd: __m256i) -> [__m128i; 2] {
    // SAFETY: the caller has the features; no memory is touched.
    unsafe {
        let even = two(_mm256_sub_epi16(both, _mm256_slli_epi16::<8>(odd)));
        let odd = two(odd);
        [_mm_unpacklo_epi16(even, odd), _mm_unpackhi_epi16(even, odd)]
    }
}

/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn two(lanes: __m256i) -> __m128i {
    // SAFETY: the caller has the features; no memory is touched.
    unsafe {
        _mm_add_epi16(
            _mm256_castsi256_si128(lanes),
            _mm256_extracti128_si256::<1>(lanes),
        )
    }
}

/// Sixteen bytes above 128 as 16-bit numbers.
///
/// # Safety
/// The processor has AVX2, and sixteen bytes at `at` can be read.
#[inline(always)]
unsafe fn centred(at: *const u8) -> __m256i {
    // SAFETY: passed on from the caller.
    unsafe {
        let bytes = _mm256_cvtepu8_epi16(_mm_loadu_si128(at.cast()));
        _mm256_sub_epi16(bytes, _mm256_set1_epi16(128))
    }
}

/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn lanes(sums: __m256i) -> [i32; 8] {
    let mut lanes = [0; 8];
    // SAFETY: the caller has AVX2; the array is as long as the register.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sums) };
    lanes
}

fn dot_planes(row: &[u8], query: &Planes) -> i64 {
    #[target_feature(enable = "avx2")]
    unsafe fn inner(row: &[u8], wide: &[i16]) -> i64 {
        // SAFETY: features by the attribute; both have one length, a multiple of 64, and every load
        // reads sixteen components at a multiple of 16 below it. A lane adds at most 512 products of
        // 128 and 127 * 128, which fit 31 bits and a sign.
        unsafe {
            let mut sums = _mm256_setzero_si256();
            let mut at = 0;
            while at < row.len() {
                let query = _mm256_loadu_si256(wide.as_ptr().add(at).cast());
                let products = _mm256_madd_epi16(centred(row.as_ptr().add(at)), query);
                sums = _mm256_add_epi32(sums, products);
                at += 16;
            }
            lanes(sums).into_iter().map(i64::from).sum()
        }
    }
    // SAFETY: `Kernels::available` detected the features; `Kernels::dot_planes` checked lengths, and
    // `Planes::set` that they are whole lines.
    unsafe { inner(row, &query.wide) }
}

fn dot_rows(a: &[u8], b: &[u8]) -> i32 {
    #[target_feature(enable = "avx2")]
    unsafe fn inner(a: &[u8], b: &[u8]) -> i32 {
        // SAFETY: features by the attribute; the slices have one length, a multiple of 64.
        unsafe {
            let mut sums = _mm256_setzero_si256();
            let mut at = 0;
            while at < a.len() {
                let products =
                    _mm256_madd_epi16(centred(a.as_ptr().add(at)), centred(b.as_ptr().add(at)));
                sums = _mm256_add_epi32(sums, products);
                at += 16;
            }
            lanes(sums).into_iter().sum()
        }
    }
    // SAFETY: `Kernels::available` detected the features; `Kernels::dot_rows` checked the lengths.
    unsafe { inner(a, b) }
}

fn lookup(query: &[f32], steps: f32, table: &mut [u8]) {
    #[target_feature(enable = "avx2")]
    unsafe fn inner(query: &[f32], steps: f32, table: &mut [u8]) {
        super::portable::lookup(query, steps, table);
    }
    // SAFETY: `Kernels::available` detected the features; the code inside is safe.
    unsafe { inner(query, steps, table) }
}
