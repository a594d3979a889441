//! The kernels that need no intrinsics: plain loops over sixteen lanes, compiled once for each
//! instruction set. Every element goes through the same operations in the same order whatever the
//! width of a register, so the bits agree everywhere.

use super::codes::Planes;

/// Lanes of an accumulator; they are folded in halves (16, 8, 4, 2, 1) as in `generic`.
const LANES: usize = 16;

/// The Hadamard transform of `values` (a power of two of them) in natural order, not scaled.
#[inline(always)]
pub(super) fn hadamard(values: &mut [f32]) {
    let mut stride = values.len() / 2;
    while stride >= LANES || stride > 0 && values.len() < LANES {
        for pairs in values.chunks_exact_mut(2 * stride) {
            let (low, high) = pairs.split_at_mut(stride);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        stride /= 2;
    }
    for block in values.as_chunks_mut::<LANES>().0 {
        *block = step::<1>(step::<2>(step::<4>(step::<8>(*block))));
    }
}

/// Sums and differences of components `STRIDE` apart, within a register.
#[inline(always)]
fn step<const STRIDE: usize>(block: [f32; LANES]) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    for i in 0..LANES {
        let sign = if i & STRIDE == 0 { 1.0 } else { -1.0 };
        out[i] = block[i ^ STRIDE] + sign * block[i];
    }
    out
}

/// The table of a query: for each four dimensions the sums of every subset of them, above the least
/// sum, in steps of `1 / steps`. Sixteen bytes a group.
#[inline(always)]
pub(super) fn lookup(query: &[f32], steps: f32, table: &mut [u8]) {
    for (four, bytes) in query.chunks_exact(4).zip(table.chunks_exact_mut(16)) {
        let least = four[0].min(0.0) + four[1].min(0.0) + (four[2].min(0.0) + four[3].min(0.0));
        for (subset, byte) in bytes.iter_mut().enumerate() {
            let pick = |i: usize| if subset >> i & 1 == 1 { four[i] } else { 0.0 };
            let sum = (pick(0) + pick(1)) + (pick(2) + pick(3));
            // Both are the same sum for the least subset; elsewhere the difference is positive up to
            // rounding, and the cast saturates.
            *byte = ((sum - least) * steps + 0.5) as u8;
        }
    }
}

/// What holds for all components of a vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The greatest absolute value.
    pub most: f32,
    /// The sum.
    pub total: f32,
    /// The sum of the negative ones.
    pub negative: f32,
    /// The greatest sum of absolute values of four, aligned.
    pub most_of_four: f32,
}

/// All of it in one pass; four by four, so that a lane holds one of sixteen fours.
#[inline(always)]
pub(super) fn spread(values: &[f32]) -> Spread {
    let (mut most, mut fours) = ([0.0f32; LANES], [0.0f32; LANES]);
    let (mut totals, mut negatives) = ([0.0f32; LANES], [0.0f32; LANES]);
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    for lines in values.chunks_exact(4 * LANES) {
        for n in 0..LANES {
            let mut four = 0.0;
            for i in 0..4 {
                let value = lines[4 * n + i];
                most[n] = larger(most[n], value.abs());
                totals[n] += value;
                negatives[n] += if value < 0.0 { value } else { 0.0 };
                four += value.abs();
            }
            fours[n] = larger(fours[n], four);
        }
    }
    Spread {
        most: most.into_iter().fold(0.0, larger),
        total: fold(totals),
        negative: fold(negatives),
        most_of_four: fours.into_iter().fold(0.0, larger),
    }
}

/// The nearest whole number, ties to even, of one below 2^22: adding so much that no fraction fits
/// rounds, on every processor alike and in every lane.
#[inline(always)]
pub(crate) fn nearest(value: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT) - SHIFT
}

/// Writes `values * inverse` into all three vectors of the planes; returns the greatest absolute one.
#[inline(always)]
pub(super) fn split(values: &[f32], inverse: f32, planes: &mut Planes) -> i16 {
    let mut most = 0i16;
    let bytes = planes.high.iter_mut().zip(&mut planes.low);
    for ((&value, wide), (high, low)) in values.iter().zip(&mut planes.wide).zip(bytes) {
        let whole = nearest(value * inverse) as i32 as i16;
        // The nearest multiple of 128, so that what is left is in -64..64.
        let upper = (whole + 64) >> 7;
        (*wide, *high, *low) = (whole, upper as i8, (whole - (upper << 7)) as i8);
        most = most.max(whole.wrapping_abs());
    }
    most
}

/// What one edge's code keeps of `row - vertex`, both in bytes above 128 in their own steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EdgeSums {
    /// Sum of the absolute differences.
    pub l1: f32,
    /// Sum of the squared differences.
    pub l2_squared: f32,
    /// Sum of the vertex's components, each with the sign of the difference.
    pub signed_vertex: f32,
}

/// Signs (bit set where the difference is not negative) and sums of `row - vertex`.
#[inline(always)]
pub(super) fn edge(
    vertex: &[u8],
    vertex_step: f32,
    row: &[u8],
    row_step: f32,
    signs: &mut [u16],
) -> EdgeSums {
    let (mut l1, mut l2, mut signed) = ([0.0f32; LANES], [0.0f32; LANES], [0.0f32; LANES]);
    let blocks = vertex.chunks_exact(LANES).zip(row.chunks_exact(LANES));
    for ((v, x), bits) in blocks.zip(signs) {
        let mut positive = 0u16;
        for i in 0..LANES {
            let at = f32::from(i16::from(v[i]) - 128) * vertex_step;
            let difference = f32::from(i16::from(x[i]) - 128).mul_add(row_step, -at);
            let is_positive = difference >= 0.0;
            positive |= u16::from(is_positive) << i;
            l1[i] += difference.abs();
            l2[i] = difference.mul_add(difference, l2[i]);
            signed[i] += if is_positive { at } else { -at };
        }
        *bits = positive;
    }
    EdgeSums {
        l1: fold(l1),
        l2_squared: fold(l2),
        signed_vertex: fold(signed),
    }
}

#[inline(always)]
fn fold(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// The sum of `(a - 128) * (b - 128)`. Exact: 4,096 products of 127 squared fit.
#[inline(always)]
pub(super) fn dot_rows(a: &[u8], b: &[u8]) -> i32 {
    let centred = |byte: u8| i32::from(byte) - 128;
    a.iter()
        .zip(b)
        .map(|(&a, &b)| centred(a) * centred(b))
        .sum()
}

/// The sum of `(row - 128) * wide`, where `wide` holds components of at most 15 bits. Exact: sums
/// of eight dimensions fit 32 bits, and those are added in 64.
#[inline(always)]
pub(super) fn dot_wide(row: &[u8], wide: &[i16]) -> i64 {
    let mut sum = 0i64;
    for (bytes, wide) in row.chunks_exact(8).zip(wide.chunks_exact(8)) {
        let mut part = 0i32;
        for i in 0..8 {
            part += (i32::from(bytes[i]) - 128) * i32::from(wide[i]);
        }
        sum += i64::from(part);
    }
    sum
}

/// The sum of `row * wide`, as far as the row goes.
#[inline(always)]
pub(super) fn dot_signed(row: &[i8], wide: &[i16]) -> i64 {
    let products = row.iter().zip(wide);
    products
        .map(|(&row, &wide)| i64::from(i32::from(row) * i32::from(wide)))
        .sum()
}

/// The sum of the squares. Exact: 4,096 of 128 squared fit.
#[inline(always)]
pub(super) fn squares(row: &[i8]) -> i32 {
    row.iter().map(|&value| i32::from(value).pow(2)).sum()
}

/// Which values are at most `limit`.
#[inline(always)]
pub(super) fn at_most(values: &[f32; 32], limit: f32) -> u32 {
    let bits = values
        .iter()
        .enumerate()
        .map(|(n, &value)| u32::from(value <= limit) << n);
    bits.fold(0, |all, bit| all | bit)
}

/// The sum of `nibble * high`, with component `i` of 64 in the low half of byte `i` or the high half of
/// byte `i - 32`. Exact: 4,096 products of 15 and 127 fit.
#[inline(always)]
pub(super) fn dot_nibbles(row: &[u8], high: &[i8]) -> i32 {
    let mut sum = 0;
    for (bytes, high) in row.chunks_exact(32).zip(high.chunks_exact(64)) {
        for i in 0..32 {
            sum += i32::from(bytes[i] & 15) * i32::from(high[i]);
            sum += i32::from(bytes[i] >> 4) * i32::from(high[i + 32]);
        }
    }
    sum
}

/// Sums of the table's entries that 32 codes pick: group `g` of dimensions is bytes `16 g..16 g +
/// 16`, where byte `n` holds the entry of code `n` in its low half and of code `n + 16` in its high.
#[inline(always)]
pub(super) fn sums32(codes: &[u8], table: &[u8]) -> [u32; 32] {
    let mut sums = [0u32; 32];
    for (bytes, entries) in codes.chunks_exact(16).zip(table.chunks_exact(16)) {
        for n in 0..16 {
            sums[n] += u32::from(entries[usize::from(bytes[n] & 15)]);
            sums[n + 16] += u32::from(entries[usize::from(bytes[n] >> 4)]);
        }
    }
    sums
}

/// The sum of levels where bits are set; of each word of bits, `planes` has four words.
#[inline(always)]
pub(super) fn weigh(bits: &[u64], planes: &[u64]) -> u32 {
    let mut sums = [0u32; 4];
    for (bits, planes) in bits.iter().zip(planes.chunks_exact(4)) {
        for n in 0..4 {
            sums[n] += (bits & planes[n]).count_ones();
        }
    }
    sums[0] + 2 * sums[1] + 4 * sums[2] + 8 * sums[3]
}

/// A half-precision number as `f32`; exact.
#[inline(always)]
pub(crate) fn half(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let rest = u32::from(bits & 0x7fff);
    // The exponent's bias differs by 112; multiplying by 2^112 also makes subnormals normal.
    let magnitude = f32::from_bits(rest << 13) * f32::from_bits((112 + 127) << 23);
    f32::from_bits(sign | magnitude.to_bits())
}

/// Writes the kernels of an instruction set around the loops above.
#[cfg(target_arch = "x86_64")]
macro_rules! portable {
    (#[$($features:tt)*]) => {
        pub(super) fn hadamard(values: &mut [f32]) {
            #[$($features)*]
            unsafe fn inner(values: &mut [f32]) {
                super::portable::hadamard(values);
            }
            // SAFETY: `Kernels::available` detected the features; the code inside is safe.
            unsafe { inner(values) }
        }

        pub(super) fn spread(values: &[f32]) -> super::Spread {
            #[$($features)*]
            unsafe fn inner(values: &[f32]) -> super::Spread {
                super::portable::spread(values)
            }
            // SAFETY: as for `hadamard`.
            unsafe { inner(values) }
        }

        pub(super) fn split(values: &[f32], inverse: f32, planes: &mut Planes) -> i16 {
            #[$($features)*]
            unsafe fn inner(values: &[f32], inverse: f32, planes: &mut Planes) -> i16 {
                super::portable::split(values, inverse, planes)
            }
            // SAFETY: as for `hadamard`.
            unsafe { inner(values, inverse, planes) }
        }

        pub(super) fn edge(
            vertex: &[u8],
            vertex_step: f32,
            row: &[u8],
            row_step: f32,
            signs: &mut [u16],
        ) -> super::EdgeSums {
            #[$($features)*]
            unsafe fn inner(
                vertex: &[u8],
                vertex_step: f32,
                row: &[u8],
                row_step: f32,
                signs: &mut [u16],
            ) -> super::EdgeSums {
                super::portable::edge(vertex, vertex_step, row, row_step, signs)
            }
            // SAFETY: as for `hadamard`.
            unsafe { inner(vertex, vertex_step, row, row_step, signs) }
        }
    };
}

#[cfg(target_arch = "x86_64")]
pub(super) use portable;
