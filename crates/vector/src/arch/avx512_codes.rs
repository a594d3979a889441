//! AVX-512 with VNNI over codes: a line of codes is one register, four groups looked up at once.

use std::arch::x86_64::{
    __m128i, __m512i, _CMP_LT_OQ, _mm_add_epi16, _mm_storeu_si128, _mm_unpackhi_epi16,
    _mm_unpacklo_epi16, _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256,
    _mm256_castsi256_si128, _mm256_dpbusd_epi32, _mm256_extracti128_si256, _mm256_loadu_si256,
    _mm256_set_m128i, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_srli_epi16, _mm512_add_epi8,
    _mm512_add_epi16, _mm512_add_epi32, _mm512_add_epi64, _mm512_add_ps, _mm512_and_si512,
    _mm512_castsi512_si256, _mm512_cmp_ps_mask, _mm512_cvtepi32_epi64, _mm512_cvtepi32_ps,
    _mm512_cvtepu16_epi32, _mm512_cvtph_ps, _mm512_cvttps_epi32, _mm512_cvtusepi32_epi8,
    _mm512_dpbusd_epi32, _mm512_extracti64x4_epi64, _mm512_fmadd_ps, _mm512_loadu_si512,
    _mm512_maskz_loadu_epi8, _mm512_maskz_mov_ps, _mm512_mul_ps, _mm512_reduce_add_epi32,
    _mm512_reduce_add_epi64, _mm512_set1_epi8, _mm512_set1_ps, _mm512_setzero_si512,
    _mm512_shuffle_epi8, _mm512_slli_epi16, _mm512_slli_epi32, _mm512_srli_epi16, _mm512_storeu_ps,
    _mm512_sub_epi16, _mm512_sub_epi32, _mm512_sub_ps, _mm512_xor_si512,
};

use super::codes::{BLOCK, CodeKernels, Codes, Planes, Range, Table};

super::portable::portable!(#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma")]);

/// Put in the list of available kernels only where `super::avx512::is_here`.
pub(super) const CODES: CodeKernels = CodeKernels {
    estimate,
    dot_planes,
    dot_signed,
    dot_rows,
    squares,
    dot_nibbles,
    edge,
    at_most: super::avx2_codes::at_most,
    hadamard,
    lookup,
    split,
    spread,
    weigh,
};

fn weigh(bits: &[u64], planes: &[u64]) -> u32 {
    // Without AVX2: its vectors have no instruction that counts, and the compiler would use them.
    #[target_feature(enable = "popcnt")]
    fn inner(bits: &[u64], planes: &[u64]) -> u32 {
        super::portable::weigh(bits, planes)
    }
    // SAFETY: these kernels are listed only where `super::avx2::is_here`, which asks for it.
    unsafe { inner(bits, planes) }
}

fn estimate(
    codes: &Codes<'_>,
    table: &Table<'_>,
    range: &Range<'_>,
    out: &mut [f32; BLOCK],
) -> u32 {
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn inner(
        codes: &Codes<'_>,
        table: &Table<'_>,
        range: &Range<'_>,
        out: &mut [f32; BLOCK],
    ) -> u32 {
        // SAFETY: features by the attribute. `sums` gets slices of one length in whole lines; the
        // factors are arrays of 32 halves, read as two of 16, and `out` has 32 floats.
        unsafe {
            let halves = sums(codes.bytes, table.bytes, range.ahead);
            let (slope, offset) = (_mm512_set1_ps(table.slope), _mm512_set1_ps(table.offset));
            let base = _mm512_set1_ps(range.base);
            let bound = _mm512_set1_ps(range.bound);
            let mut below = 0;
            for (n, sums) in halves.into_iter().enumerate() {
                let sums =
                    _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm256_set_m128i(sums.1, sums.0)));
                let product = _mm512_fmadd_ps(sums, slope, offset);
                let add = _mm256_loadu_si256(codes.add.as_ptr().add(16 * n).cast());
                let mul = _mm256_loadu_si256(codes.mul.as_ptr().add(16 * n).cast());
                let add = _mm512_add_ps(base, _mm512_cvtph_ps(add));
                let estimate = _mm512_fmadd_ps(_mm512_cvtph_ps(mul), product, add);
                _mm512_storeu_ps(out.as_mut_ptr().add(16 * n), estimate);
                below |= u32::from(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(estimate, bound)) << (16 * n);
            }
            below
        }
    }
    // SAFETY: `Kernels::available` detected the features; `Kernels::estimate` checked the lengths.
    unsafe { inner(codes, table, range, out) }
}

/// Sums of neighbours 0 to 15 and 16 to 31, each as two registers of eight 16-bit sums. Four entries at
/// most 63 add up within a byte, so that bytes are made wider once in four lines.
///
/// # Safety
/// The processor has AVX-512BW; the slices have one length, a multiple of 256.
#[inline(always)]
unsafe fn sums(codes: &[u8], table: &[u8], ahead: &[u8]) -> [(__m128i, __m128i); 2] {
    // SAFETY: every load reads 64 bytes at a multiple of 64 below the slices' common length.
    unsafe {
        let low_half = _mm512_set1_epi8(15);
        // Sums over even and odd bytes together, and over odd bytes alone.
        let mut both = [_mm512_setzero_si512(); 2];
        let mut odd = [_mm512_setzero_si512(); 2];
        let mut at = 0;
        while at < codes.len() {
            let mut found = [_mm512_setzero_si512(); 2];
            for at in [at, at + 64, at + 128, at + 192] {
                super::prefetch(ahead, at);
                super::prefetch(ahead, at + codes.len());
                let code = _mm512_loadu_si512(codes.as_ptr().add(at).cast());
                let entries = _mm512_loadu_si512(table.as_ptr().add(at).cast());
                let high = _mm512_and_si512(_mm512_srli_epi16::<4>(code), low_half);
                let picks = [_mm512_and_si512(code, low_half), high];
                for n in 0..2 {
                    found[n] = _mm512_add_epi8(found[n], _mm512_shuffle_epi8(entries, picks[n]));
                }
            }
            for n in 0..2 {
                both[n] = _mm512_add_epi16(both[n], found[n]);
                odd[n] = _mm512_add_epi16(odd[n], _mm512_srli_epi16::<8>(found[n]));
            }
            at += 256;
        }
        [fold(both[0], odd[0]), fold(both[1], odd[1])]
    }
}

/// Takes the odd bytes out of the even ones, adds the four groups of a line and puts the sums in
/// order.
///
/// # Safety
/// The processor has AVX-512BW.
#[inline(always)]
unsafe fn fold(both: __m512i, odd: __m512i) -> (__m128i, __m128i) {
    // SAFETY: the caller has the features; no memory is touched.
    unsafe {
        let even = four(_mm512_sub_epi16(both, _mm512_slli_epi16::<8>(odd)));
        let odd = four(odd);
        (_mm_unpacklo_epi16(even, odd), _mm_unpackhi_epi16(even, odd))
    }
}

/// # Safety
/// The processor has AVX-512BW.
#[inline(always)]
unsafe fn four(lanes: __m512i) -> __m128i {
    // SAFETY: the caller has the features; no memory is touched.
    unsafe {
        let two = _mm256_add_epi16(
            _mm512_castsi512_si256(lanes),
            _mm512_extracti64x4_epi64::<1>(lanes),
        );
        _mm_add_epi16(
            _mm256_castsi256_si128(two),
            _mm256_extracti128_si256::<1>(two),
        )
    }
}

fn dot_planes(row: &[u8], query: &Planes) -> i64 {
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    unsafe fn inner(row: &[u8], query: &Planes) -> i64 {
        // SAFETY: features by the attribute. Row and planes have one length, a multiple of 64, and
        // every load reads 64 bytes at a multiple of 64 below it. A lane adds at most 64 times four
        // products of 255 and 127: it cannot overflow.
        unsafe {
            let (mut high, mut low) = (_mm512_setzero_si512(), _mm512_setzero_si512());
            let mut at = 0;
            while at < row.len() {
                let bytes = _mm512_loadu_si512(row.as_ptr().add(at).cast());
                let plane = _mm512_loadu_si512(query.high.as_ptr().add(at).cast());
                high = _mm512_dpbusd_epi32(high, bytes, plane);
                let plane = _mm512_loadu_si512(query.low.as_ptr().add(at).cast());
                low = _mm512_dpbusd_epi32(low, bytes, plane);
                at += 64;
            }
            let high = i64::from(_mm512_reduce_add_epi32(high));
            128 * high + i64::from(_mm512_reduce_add_epi32(low)) - query.excess
        }
    }
    // SAFETY: `Kernels::available` detected the features; `Kernels::dot_planes` checked lengths, and
    // `Planes::set` that they are whole lines.
    unsafe { inner(row, query) }
}

fn dot_signed(row: &[i8], query: &Planes, ahead: &[i8]) -> i64 {
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    unsafe fn inner(row: &[i8], query: &Planes, ahead: &[i8]) -> i64 {
        // SAFETY: features by the attribute. The planes have a line for each line of the row, and of the
        // row's last line only what it has is read. Lanes as in `dot_planes`.
        unsafe {
            let top = _mm512_set1_epi8(-128);
            let (mut high, mut low) = (_mm512_setzero_si512(), _mm512_setzero_si512());
            let mut at = 0;
            while at < row.len() {
                super::prefetch(ahead, at);
                // Signed bytes as bytes above 128; behind the row they meet zeros of the query.
                let bytes = _mm512_xor_si512(part(row, at), top);
                let plane = _mm512_loadu_si512(query.high.as_ptr().add(at).cast());
                high = _mm512_dpbusd_epi32(high, bytes, plane);
                let plane = _mm512_loadu_si512(query.low.as_ptr().add(at).cast());
                low = _mm512_dpbusd_epi32(low, bytes, plane);
                at += 64;
            }
            // A lane of both fits 31 bits: at most 256 products of 255 with 127 * 128 + 64.
            let lanes = _mm512_add_epi32(_mm512_slli_epi32::<7>(high), low);
            let halves = _mm512_add_epi64(
                _mm512_cvtepi32_epi64(_mm512_castsi512_si256(lanes)),
                _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64::<1>(lanes)),
            );
            _mm512_reduce_add_epi64(halves) - query.excess
        }
    }
    // SAFETY: `Kernels::available` detected the features; `Kernels::dot_signed` checked lengths.
    unsafe { inner(row, query, ahead) }
}

/// 64 bytes from `at` on, or what there is of them and zeros.
///
/// # Safety
/// The processor has AVX-512BW, and `at` is within the row.
#[inline(always)]
unsafe fn part(row: &[i8], at: usize) -> __m512i {
    let left = row.len() - at;
    // SAFETY: lanes that the mask leaves out are not read; the others are of the row.
    unsafe {
        let start = row.as_ptr().add(at);
        if left >= 64 {
            _mm512_loadu_si512(start.cast())
        } else {
            _mm512_maskz_loadu_epi8((1 << left) - 1, start)
        }
    }
}

fn squares(row: &[i8]) -> i32 {
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    unsafe fn inner(row: &[i8]) -> i32 {
        // SAFETY: features by the attribute; `at` is within the row.
        unsafe {
            let top = _mm512_set1_epi8(-128);
            let (mut products, mut excess) = (_mm512_setzero_si512(), _mm512_setzero_si512());
            let mut at = 0;
            while at < row.len() {
                let bytes = part(row, at);
                products = _mm512_dpbusd_epi32(products, _mm512_xor_si512(bytes, top), bytes);
                excess = _mm512_dpbusd_epi32(excess, top, bytes);
                at += 64;
            }
            _mm512_reduce_add_epi32(_mm512_sub_epi32(products, excess))
        }
    }
    // SAFETY: `Kernels::available` detected the features.
    unsafe { inner(row) }
}

fn dot_rows(a: &[u8], b: &[u8]) -> i32 {
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    unsafe fn inner(a: &[u8], b: &[u8]) -> i32 {
        // SAFETY: features by the attribute; the slices have one length, a multiple of 64.
        unsafe {
            let top = _mm512_set1_epi8(-128);
            let (mut products, mut excess) = (_mm512_setzero_si512(), _mm512_setzero_si512());
            let mut at = 0;
            while at < a.len() {
                let a = _mm512_loadu_si512(a.as_ptr().add(at).cast());
                // Bytes above 128 as signed bytes; 128 times them is taken out at the end.
                let b = _mm512_xor_si512(_mm512_loadu_si512(b.as_ptr().add(at).cast()), top);
                products = _mm512_dpbusd_epi32(products, a, b);
                excess = _mm512_dpbusd_epi32(excess, top, b);
                at += 64;
            }
            _mm512_reduce_add_epi32(_mm512_sub_epi32(products, excess))
        }
    }
    // SAFETY: `Kernels::available` detected the features; `Kernels::dot_rows` checked the lengths.
    unsafe { inner(a, b) }
}

/// Registers of 32 bytes, as a group of 64 components is one of them.
fn dot_nibbles(row: &[u8], query: &Planes) -> i32 {
    #[target_feature(enable = "avx512f,avx512vl,avx512vnni,avx2")]
    unsafe fn inner(row: &[u8], high: &[i8]) -> i32 {
        // SAFETY: features by the attribute; `high` is twice as long as `row`, whole lines of it, so
        // every load of 32 bytes lies inside.
        unsafe {
            let low_half = _mm256_set1_epi8(15);
            let mut sums = [_mm256_setzero_si256(); 2];
            let mut at = 0;
            while at < row.len() {
                let bytes = _mm256_loadu_si256(row.as_ptr().add(at).cast());
                let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low_half);
                let halves = [_mm256_and_si256(bytes, low_half), upper];
                for n in 0..2 {
                    let plane = _mm256_loadu_si256(high.as_ptr().add(2 * at + 32 * n).cast());
                    sums[n] = _mm256_dpbusd_epi32(sums[n], halves[n], plane);
                }
                at += 32;
            }
            super::avx2_codes::total(_mm256_add_epi32(sums[0], sums[1]))
        }
    }
    // SAFETY: `Kernels::available` detected the features; `Kernels::dot_nibbles` checked lengths, and
    // `Planes::set` that the planes are whole lines.
    unsafe { inner(row, &query.high) }
}

/// As the portable one, with the sixteen sums of a group in one register.
fn lookup(query: &[f32], steps: f32, table: &mut [u8]) {
    #[target_feature(enable = "avx512f")]
    unsafe fn inner(query: &[f32], steps: f32, table: &mut [u8]) {
        let groups = query.chunks_exact(4).zip(table.chunks_exact_mut(16));
        for (four, bytes) in groups {
            let negative = |i: usize| four[i].min(0.0);
            let least = (negative(0) + negative(1)) + (negative(2) + negative(3));
            // SAFETY: features by the attribute; a chunk of the table has the sixteen bytes written.
            unsafe {
                // Lane n holds subset n: component i where bit i of n is set.
                let pick = |mask, i: usize| _mm512_maskz_mov_ps(mask, _mm512_set1_ps(four[i]));
                let low = _mm512_add_ps(pick(0xaaaa, 0), pick(0xcccc, 1));
                let high = _mm512_add_ps(pick(0xf0f0, 2), pick(0xff00, 3));
                let above = _mm512_sub_ps(_mm512_add_ps(low, high), _mm512_set1_ps(least));
                let scaled = _mm512_mul_ps(above, _mm512_set1_ps(steps));
                let rounded = _mm512_add_ps(scaled, _mm512_set1_ps(0.5));
                let entries = _mm512_cvtusepi32_epi8(_mm512_cvttps_epi32(rounded));
                _mm_storeu_si128(bytes.as_mut_ptr().cast(), entries);
            }
        }
    }
    // SAFETY: `Kernels::available` detected the features; the code checks its lengths by chunks.
    unsafe { inner(query, steps, table) }
}
