//! The twin without intrinsics: the oracle of the tests, and the kernels of any other processor.

use super::codes::{BLOCK, CodeKernels, Codes, Planes, Range, Table, finish};
use super::element::{Bf16, Element, F16};
use super::generic::{LANES, Lanes, kernels};
use super::portable;

#[derive(Clone, Copy)]
struct Scalar([f32; LANES]);

impl Scalar {
    /// # Safety
    /// Sixteen elements at `at` can be read.
    #[inline(always)]
    unsafe fn of<E: Element>(at: *const E) -> Self {
        // SAFETY: the caller promises sixteen readable elements; arrays align as what they hold.
        let elements = unsafe { at.cast::<[E; LANES]>().read() };
        Self(elements.map(Element::value))
    }
}

impl Lanes for Scalar {
    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; LANES])
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller promises sixteen readable floats; arrays of floats align as floats.
        Self(unsafe { at.cast::<[f32; LANES]>().read() })
    }

    #[inline(always)]
    unsafe fn load_f16(at: *const F16) -> Self {
        // SAFETY: passed on from the caller.
        unsafe { Self::of(at) }
    }

    #[inline(always)]
    unsafe fn load_bf16(at: *const Bf16) -> Self {
        // SAFETY: passed on from the caller.
        unsafe { Self::of(at) }
    }

    #[inline(always)]
    unsafe fn load_i8(at: *const i8) -> Self {
        // SAFETY: passed on from the caller.
        unsafe { Self::of(at) }
    }

    #[inline(always)]
    unsafe fn load_tail(at: *const f32, count: usize) -> Self {
        let mut lanes = [0.0; LANES];
        // SAFETY: the caller promises `count` readable floats.
        lanes[..count].copy_from_slice(unsafe { std::slice::from_raw_parts(at, count) });
        Self(lanes)
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }

    #[inline(always)]
    unsafe fn fma(self, other: Self, acc: Self) -> Self {
        Self(std::array::from_fn(|i| {
            self.0[i].mul_add(other.0[i], acc.0[i])
        }))
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let mut lanes = self.0;
        let mut half = LANES / 2;
        while half > 0 {
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
            half /= 2;
        }
        lanes[0]
    }
}

kernels!("scalar", Scalar, #[inline]);

pub(super) const CODES: CodeKernels = CodeKernels {
    estimate,
    dot_planes,
    dot_signed,
    dot_rows: portable::dot_rows,
    squares: portable::squares,
    dot_nibbles,
    edge: portable::edge,
    at_most: portable::at_most,
    hadamard: portable::hadamard,
    lookup: portable::lookup,
    split: portable::split,
    spread: portable::spread,
    weigh: portable::weigh,
};

fn estimate(
    codes: &Codes<'_>,
    table: &Table<'_>,
    range: &Range<'_>,
    out: &mut [f32; BLOCK],
) -> u32 {
    let sums = portable::sums32(codes.bytes, table.bytes);
    finish(&sums, codes, table, range, out)
}

fn dot_planes(row: &[u8], query: &Planes) -> i64 {
    portable::dot_wide(row, &query.wide)
}

fn dot_signed(row: &[i8], query: &Planes, _ahead: &[i8]) -> i64 {
    portable::dot_signed(row, &query.wide)
}

fn dot_nibbles(row: &[u8], query: &Planes) -> i32 {
    portable::dot_nibbles(row, &query.high)
}
