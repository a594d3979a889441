//! AVX2 over codes: a line of codes is two registers, two groups looked up at once; bytes are
//! multiplied as 16-bit numbers, because the byte products of AVX2 saturate.

use std::arch::x86_64::{
    __m128i, __m256i, _CMP_LE_OQ, _CMP_LT_OQ, _mm_add_epi16, _mm_add_epi32, _mm_cvtsi128_si32,
    _mm_loadu_si128, _mm_packus_epi16, _mm_shuffle_epi32, _mm_storeu_si128, _mm_unpackhi_epi16,
    _mm_unpacklo_epi16, _mm256_add_epi8, _mm256_add_epi16, _mm256_add_epi32, _mm256_add_ps,
    _mm256_and_ps, _mm256_and_si256, _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cmp_ps,
    _mm256_cvtepi8_epi16, _mm256_cvtepi32_ps, _mm256_cvtepu8_epi16, _mm256_cvtepu16_epi32,
    _mm256_cvtph_ps, _mm256_cvttps_epi32, _mm256_extracti128_si256, _mm256_fmadd_ps,
    _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_movemask_ps, _mm256_mul_ps, _mm256_packs_epi32, _mm256_permute4x64_epi64,
    _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi64x, _mm256_set1_ps, _mm256_setr_epi64x,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16,
    _mm256_storeu_ps, _mm256_storeu_si256, _mm256_sub_epi16, _mm256_sub_ps,
};

use super::codes::{BLOCK, CodeKernels, Codes, Planes, Range, Table};

super::portable::portable!(#[target_feature(enable = "avx2,fma")]);

/// Put in the list of available kernels only where `super::avx2::is_here`.
pub(super) const CODES: CodeKernels = CodeKernels {
    estimate,
    dot_planes,
    dot_signed,
    dot_rows,
    squares,
    dot_nibbles,
    edge,
    at_most,
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
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn inner(
        codes: &Codes<'_>,
        table: &Table<'_>,
        range: &Range<'_>,
        out: &mut [f32; BLOCK],
    ) -> u32 {
        // SAFETY: features by the attribute. `sums` gets slices of one length in fours of lines; the
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

/// Sums of eight neighbours each, in order. Four entries at most 63 add up within a byte, so that
/// bytes are made wider once in four.
///
/// # Safety
/// The processor has AVX2; the slices have one length, a multiple of 128.
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
            for line in [at, at + 64] {
                super::prefetch(ahead, line);
                super::prefetch(ahead, line + codes.len());
            }
            let mut found = [_mm256_setzero_si256(); 2];
            for at in [at, at + 32, at + 64, at + 96] {
                let code = _mm256_loadu_si256(codes.as_ptr().add(at).cast());
                let entries = _mm256_loadu_si256(table.as_ptr().add(at).cast());
                let high = _mm256_and_si256(_mm256_srli_epi16::<4>(code), low_half);
                let picks = [_mm256_and_si256(code, low_half), high];
                for n in 0..2 {
                    found[n] = _mm256_add_epi8(found[n], _mm256_shuffle_epi8(entries, picks[n]));
                }
            }
            for n in 0..2 {
                both[n] = _mm256_add_epi16(both[n], found[n]);
                odd[n] = _mm256_add_epi16(odd[n], _mm256_srli_epi16::<8>(found[n]));
            }
            at += 128;
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

fn dot_signed(row: &[i8], query: &Planes, ahead: &[i8]) -> i64 {
    #[target_feature(enable = "avx2")]
    unsafe fn inner(row: &[i8], wide: &[i16], ahead: &[i8]) -> i64 {
        let whole = row.len() - row.len() % 16;
        // SAFETY: features by the attribute; the query is at least as long as the row, and every load
        // reads sixteen components at a multiple of 16 below `whole`. A lane adds at most 512 products
        // of 128 and 127 * 128, which fit 31 bits and a sign.
        unsafe {
            let mut sums = [_mm256_setzero_si256(); 2];
            let mut at = 0;
            while at + 32 <= whole {
                super::prefetch(ahead, at);
                sums[0] = _mm256_add_epi32(sums[0], products(row, wide, at));
                sums[1] = _mm256_add_epi32(sums[1], products(row, wide, at + 16));
                at += 32;
            }
            if at < whole {
                sums[0] = _mm256_add_epi32(sums[0], products(row, wide, at));
            }
            let all = lanes(sums[0]).into_iter().chain(lanes(sums[1]));
            let rest = super::portable::dot_signed(&row[whole..], &wide[whole..]);
            all.map(i64::from).sum::<i64>() + rest
        }
    }
    // SAFETY: `Kernels::available` detected the features; `Kernels::dot_signed` checked lengths.
    unsafe { inner(row, &query.wide, ahead) }
}

/// Sums of two products each.
///
/// # Safety
/// The processor has AVX2, and both have sixteen components from `at` on.
#[inline(always)]
unsafe fn products(row: &[i8], wide: &[i16], at: usize) -> __m256i {
    // SAFETY: passed on from the caller.
    unsafe {
        let bytes = _mm256_cvtepi8_epi16(_mm_loadu_si128(row.as_ptr().add(at).cast()));
        _mm256_madd_epi16(bytes, _mm256_loadu_si256(wide.as_ptr().add(at).cast()))
    }
}

fn squares(row: &[i8]) -> i32 {
    #[target_feature(enable = "avx2")]
    unsafe fn inner(row: &[i8]) -> i32 {
        super::portable::squares(row)
    }
    // SAFETY: `Kernels::available` detected the features; the code inside is safe.
    unsafe { inner(row) }
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

/// AVX-512 has it as well, as every processor with AVX-512 has AVX2.
pub(super) fn at_most(values: &[f32; BLOCK], limit: f32) -> u32 {
    #[target_feature(enable = "avx2")]
    unsafe fn inner(values: &[f32; BLOCK], limit: f32) -> u32 {
        let mut bits = 0;
        for n in 0..4 {
            // SAFETY: features by the attribute; eight of 32 floats are read at a multiple of 8.
            unsafe {
                let eight = _mm256_loadu_ps(values.as_ptr().add(8 * n));
                let marks = _mm256_cmp_ps::<_CMP_LE_OQ>(eight, _mm256_set1_ps(limit));
                bits |= (_mm256_movemask_ps(marks) as u32) << (8 * n);
            }
        }
        bits
    }
    // SAFETY: `Kernels::available` detected the features.
    unsafe { inner(values, limit) }
}

/// The sum of all lanes.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub(super) unsafe fn total(sums: __m256i) -> i32 {
    // SAFETY: the caller has AVX2; no memory is touched.
    unsafe {
        let four = _mm_add_epi32(
            _mm256_castsi256_si128(sums),
            _mm256_extracti128_si256::<1>(sums),
        );
        let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
        let one = _mm_add_epi32(two, _mm_shuffle_epi32::<0b10_11_00_01>(two));
        _mm_cvtsi128_si32(one)
    }
}

fn dot_nibbles(row: &[u8], query: &Planes) -> i32 {
    #[target_feature(enable = "avx2")]
    unsafe fn inner(row: &[u8], high: &[i8]) -> i32 {
        // SAFETY: features by the attribute; `high` is twice as long as `row`, whole lines of it, so
        // every load of 32 bytes lies inside. A 16-bit lane adds two pairs of products of 15 and 127
        // before it is made wider.
        unsafe {
            let low_half = _mm256_set1_epi8(15);
            let ones = _mm256_set1_epi16(1);
            let mut sums = _mm256_setzero_si256();
            let mut at = 0;
            while at < row.len() {
                let bytes = _mm256_loadu_si256(row.as_ptr().add(at).cast());
                let first = _mm256_loadu_si256(high.as_ptr().add(2 * at).cast());
                let second = _mm256_loadu_si256(high.as_ptr().add(2 * at + 32).cast());
                let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low_half);
                let pairs = _mm256_add_epi16(
                    _mm256_maddubs_epi16(_mm256_and_si256(bytes, low_half), first),
                    _mm256_maddubs_epi16(upper, second),
                );
                sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, ones));
                at += 32;
            }
            total(sums)
        }
    }
    // SAFETY: `Kernels::available` detected the features; `Kernels::dot_nibbles` checked lengths, and
    // `Planes::set` that the planes are whole lines.
    unsafe { inner(row, &query.high) }
}

/// As the portable one, with the sixteen sums of a group in two registers.
fn lookup(query: &[f32], steps: f32, table: &mut [u8]) {
    #[target_feature(enable = "avx2")]
    unsafe fn inner(query: &[f32], steps: f32, table: &mut [u8]) {
        let groups = query.as_chunks::<4>().0.iter();
        for (four, bytes) in groups.zip(table.as_chunks_mut::<16>().0) {
            let negative = |i: usize| four[i].min(0.0);
            let least = (negative(0) + negative(1)) + (negative(2) + negative(3));
            // SAFETY: features by the attribute; a chunk of the table has the sixteen bytes written.
            unsafe {
                // Lane n of the first register holds subset n, of the second subset n + 8: component
                // i where bit i of n is set, and the last one in all of the second.
                let pick = |i: usize, lanes| _mm256_and_ps(_mm256_set1_ps(four[i]), lanes);
                let every_other = _mm256_castsi256_ps(_mm256_set1_epi64x(-1 << 32));
                let pairs = _mm256_castsi256_ps(_mm256_setr_epi64x(0, -1, 0, -1));
                let upper = _mm256_castsi256_ps(_mm256_setr_epi64x(0, 0, -1, -1));
                let low = _mm256_add_ps(pick(0, every_other), pick(1, pairs));
                let third = pick(2, upper);
                let high = [third, _mm256_add_ps(third, _mm256_set1_ps(four[3]))];
                let entries = high.map(|high| {
                    let above = _mm256_sub_ps(_mm256_add_ps(low, high), _mm256_set1_ps(least));
                    let scaled = _mm256_mul_ps(above, _mm256_set1_ps(steps));
                    _mm256_cvttps_epi32(_mm256_add_ps(scaled, _mm256_set1_ps(0.5)))
                });
                // Lanes of 0..4 and 8..12 of both, then bytes of all four quarters in order.
                let words = _mm256_packs_epi32(entries[0], entries[1]);
                let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
                let halves = (
                    _mm256_castsi256_si128(words),
                    _mm256_extracti128_si256::<1>(words),
                );
                let packed = _mm_packus_epi16(halves.0, halves.1);
                _mm_storeu_si128(bytes.as_mut_ptr().cast(), packed);
            }
        }
    }
    // SAFETY: `Kernels::available` detected the features; the code checks its lengths by chunks.
    unsafe { inner(query, steps, table) }
}
