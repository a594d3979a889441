//! Plain Rust: the twin that the other instruction sets are tested against, and the way on every other processor.
//!
//! Four lanes in an array, which compilers turn into NEON or SSE2 by themselves.

use super::simd::{PANEL, Simd, check_tile};

/// Needs nothing of the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Portable;

const LANES: usize = 4;

#[inline(always)]
fn each(a: [f32; LANES], b: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    std::array::from_fn(|lane| f(a[lane], b[lane]))
}

impl Simd for Portable {
    type F = [f32; LANES];
    const LANES: usize = LANES;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::F {
        [value; LANES]
    }
    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::F {
        *from.first_chunk().expect("callers give a whole vector")
    }
    #[inline(always)]
    fn load_i32(self, from: &[i32]) -> Self::F {
        let from: &[i32; LANES] = from.first_chunk().expect("callers give a whole vector");
        from.map(|value| value as f32)
    }
    #[inline(always)]
    fn store(self, to: &mut [f32], value: Self::F) {
        to[..LANES].copy_from_slice(&value);
    }
    #[inline(always)]
    fn store_u8(self, to: &mut [u8], value: Self::F) {
        to[..LANES].copy_from_slice(&value.map(|value| value as u8));
    }
    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        each(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        each(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        each(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        // Not `f32::mul_add`: without the instruction it is a call, many times slower.
        std::array::from_fn(|lane| a[lane] * b[lane] + c[lane])
    }
    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        each(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        each(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn round(self, a: Self::F) -> Self::F {
        // Adding 1.5 * 2^23 leaves no room for a fraction; exact for |a| below 2^22, which all callers keep.
        const SHIFT: f32 = 12_582_912.0;
        a.map(|a| (a + SHIFT) - SHIFT)
    }
    #[inline(always)]
    fn scale(self, a: Self::F, n: Self::F) -> Self::F {
        each(a, n, |a, n| {
            a * f32::from_bits(((n as i32 + 127) as u32) << 23)
        })
    }
    #[inline(always)]
    fn sum(self, a: Self::F) -> f32 {
        (a[0] + a[1]) + (a[2] + a[3])
    }
    #[inline(always)]
    fn largest(self, a: Self::F) -> f32 {
        a.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
    #[inline(always)]
    fn smallest(self, a: Self::F) -> f32 {
        a.into_iter().fold(f32::INFINITY, f32::min)
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
        for (codes, sums) in codes.chunks_exact(depth).zip(sums) {
            let mut lanes = [0_i32; 4 * PANEL];
            for (four, group) in codes.as_chunks::<4>().0.iter().zip(panel.as_chunks().0) {
                let four: [i16; 4] = std::array::from_fn(|k| i16::from(four[k]));
                add_products(&mut lanes, group, &four);
            }
            for (sum, lanes) in sums.iter_mut().zip(lanes.as_chunks::<4>().0) {
                *sum = lanes.iter().sum();
            }
        }
    }
}

/// Adds four codes' products with a group of weights, lane by lane. A function and loop of its own: a compiler that
/// sees more of it unrolls the lanes and then gathers across groups, at a tenth of the speed.
#[inline(never)]
fn add_products(lanes: &mut [i32; 4 * PANEL], group: &[i8; 4 * PANEL], four: &[i16; 4]) {
    let mut factors = [0_i16; 4 * PANEL];
    for factors in factors.as_chunks_mut().0 {
        *factors = *four;
    }
    for ((lane, weight), factor) in lanes.iter_mut().zip(group).zip(&factors) {
        // A u8 by an i8 always fits into an i16, which every vector unit multiplies.
        *lane += i32::from(i16::from(*weight) * factor);
    }
}

super::entries!(
    Portable,
    [],
    rows = 4,
    scores = 2,
    values = [1, 1, 1],
    parts = 8
);
