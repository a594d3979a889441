//! NEON over codes: sixteen neighbours of one group looked up by one table instruction.

use std::arch::aarch64::{
    int8x16_t, int16x8_t, vaddlvq_s32, vaddq_u8, vaddw_high_u8, vaddw_u8, vandq_u8, vdupq_n_s16,
    vdupq_n_s32, vdupq_n_u8, vdupq_n_u16, veorq_u8, vget_low_s8, vget_low_s16, vget_low_u8,
    vld1_s8, vld1q_s8, vld1q_s16, vld1q_u8, vmlal_high_s16, vmlal_s16, vmovl_high_u8, vmovl_s8,
    vmovl_u8, vmull_high_s8, vmull_s8, vpadalq_s16, vqtbl1q_u8, vreinterpretq_s8_u8,
    vreinterpretq_s16_u16, vshrq_n_u8, vst1q_u16, vsubq_s16,
};

use super::codes::{BLOCK, CodeKernels, Codes, Planes, Range, Table, finish};

/// What has no kernel here is the loops of the twin, which the compiler turns into NEON.
pub(super) const CODES: CodeKernels = CodeKernels {
    estimate,
    dot_planes,
    dot_signed,
    dot_rows,
    dot_nibbles,
    ..super::scalar::CODES
};

fn estimate(
    codes: &Codes<'_>,
    table: &Table<'_>,
    range: &Range<'_>,
    out: &mut [f32; BLOCK],
) -> u32 {
    let sums = sums(codes.bytes, table.bytes);
    finish(&sums.map(u32::from), codes, table, range, out)
}

/// Sums of all neighbours. Four entries at most 63 add up within a byte.
#[inline]
fn sums(codes: &[u8], table: &[u8]) -> [u16; BLOCK] {
    assert!(codes.len() == table.len() && codes.len().is_multiple_of(64));
    let mut out = [0; BLOCK];
    // SAFETY: NEON is part of the target. Every load reads sixteen bytes at a multiple of 16 below the
    // length that both slices have; the stores write eight of 32 sums each.
    unsafe {
        let low_half = vdupq_n_u8(15);
        let mut sums = [vdupq_n_u16(0); 4];
        for at in (0..codes.len()).step_by(64) {
            let mut found = [vdupq_n_u8(0); 2];
            for at in [at, at + 16, at + 32, at + 48] {
                let code = vld1q_u8(codes.as_ptr().add(at));
                let entries = vld1q_u8(table.as_ptr().add(at));
                let picks = [vandq_u8(code, low_half), vshrq_n_u8::<4>(code)];
                for n in 0..2 {
                    found[n] = vaddq_u8(found[n], vqtbl1q_u8(entries, picks[n]));
                }
            }
            for n in 0..2 {
                sums[2 * n] = vaddw_u8(sums[2 * n], vget_low_u8(found[n]));
                sums[2 * n + 1] = vaddw_high_u8(sums[2 * n + 1], found[n]);
            }
        }
        for (n, sums) in sums.into_iter().enumerate() {
            vst1q_u16(out.as_mut_ptr().add(8 * n), sums);
        }
    }
    out
}

fn dot_planes(row: &[u8], query: &Planes) -> i64 {
    let wide = query.wide.as_slice();
    assert!(row.len() == wide.len() && row.len().is_multiple_of(16));
    // SAFETY: NEON is part of the target. Every load reads sixteen components at a multiple of 16
    // below the length that both slices have. A lane adds at most 512 products of 128 and 127 * 128,
    // which fit 31 bits.
    unsafe {
        let mut sums = [vdupq_n_s32(0); 2];
        for at in (0..row.len()).step_by(16) {
            let bytes = vld1q_u8(row.as_ptr().add(at));
            let centre = vdupq_n_s16(128);
            let halves: [int16x8_t; 2] = [
                vsubq_s16(vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes))), centre),
                vsubq_s16(vreinterpretq_s16_u16(vmovl_high_u8(bytes)), centre),
            ];
            for (n, half) in halves.into_iter().enumerate() {
                let query = vld1q_s16(wide.as_ptr().add(at + 8 * n));
                sums[0] = vmlal_s16(sums[0], vget_low_s16(half), vget_low_s16(query));
                sums[1] = vmlal_high_s16(sums[1], half, query);
            }
        }
        vaddlvq_s32(sums[0]) + vaddlvq_s32(sums[1])
    }
}

fn dot_signed(row: &[i8], query: &Planes, _ahead: &[i8]) -> i64 {
    let wide = query.wide.as_slice();
    let whole = row.len() - row.len() % 16;
    assert!(row.len() <= wide.len());
    // SAFETY: NEON is part of the target. Every load reads eight components at a multiple of 8 below
    // `whole`, which both slices have. Lanes as in `dot_planes`.
    let sum = unsafe {
        let mut sums = [vdupq_n_s32(0); 2];
        for at in (0..whole).step_by(8) {
            let half = vmovl_s8(vld1_s8(row.as_ptr().add(at)));
            let query = vld1q_s16(wide.as_ptr().add(at));
            sums[0] = vmlal_s16(sums[0], vget_low_s16(half), vget_low_s16(query));
            sums[1] = vmlal_high_s16(sums[1], half, query);
        }
        vaddlvq_s32(sums[0]) + vaddlvq_s32(sums[1])
    };
    sum + super::portable::dot_signed(&row[whole..], &wide[whole..])
}

fn dot_rows(a: &[u8], b: &[u8]) -> i32 {
    assert!(a.len() == b.len() && a.len().is_multiple_of(16));
    // SAFETY: NEON is part of the target. Every load reads sixteen bytes at a multiple of 16 below the
    // length that both slices have. Products of signed bytes fit 16 bits.
    unsafe {
        let mut sum = vdupq_n_s32(0);
        for at in (0..a.len()).step_by(16) {
            let signed = |slice: &[u8]| {
                let bytes = veorq_u8(vld1q_u8(slice.as_ptr().add(at)), vdupq_n_u8(128));
                vreinterpretq_s8_u8(bytes)
            };
            let (a, b): (int8x16_t, int8x16_t) = (signed(a), signed(b));
            sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
            sum = vpadalq_s16(sum, vmull_high_s8(a, b));
        }
        vaddlvq_s32(sum) as i32
    }
}

fn dot_nibbles(row: &[u8], query: &Planes) -> i32 {
    let high = query.high.as_slice();
    assert!(2 * row.len() == high.len() && row.len().is_multiple_of(32));
    // SAFETY: NEON is part of the target. Every load reads sixteen bytes at a multiple of 16, from a
    // row of whole 32 bytes and a plane twice as long. Products of 15 and 127 fit 16 bits.
    unsafe {
        let mut sum = vdupq_n_s32(0);
        for at in (0..row.len()).step_by(16) {
            let bytes = vld1q_u8(row.as_ptr().add(at));
            let halves = [vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8::<4>(bytes)];
            for (n, half) in halves.into_iter().enumerate() {
                // Component `i` of 64 is in the low half of byte `i`, `i + 32` in the high one.
                let high = vld1q_s8(high.as_ptr().add(at / 32 * 64 + at % 32 + 32 * n));
                let half = vreinterpretq_s8_u8(half);
                sum = vpadalq_s16(sum, vmull_high_s8(half, high));
                sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(half), vget_low_s8(high)));
            }
        }
        vaddlvq_s32(sum) as i32
    }
}
