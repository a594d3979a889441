//! NEON: sixteen lanes as four registers of four. Every aarch64 processor has it.

use std::arch::aarch64::{
    float32x4_t, vaddq_f32, vdupq_n_f32, vfmaq_f32, vgetq_lane_f32, vld1q_f32, vsubq_f32,
};

use super::element::{Bf16, Element, F16};
use super::generic::{LANES, Lanes, kernels};
use super::neon_codes::CODES;

#[derive(Clone, Copy)]
struct Neon([float32x4_t; 4]);

impl Neon {
    /// # Safety
    /// Sixteen elements at `at` can be read.
    #[inline(always)]
    unsafe fn of<E: Element>(at: *const E) -> Self {
        // SAFETY: the caller promises sixteen readable elements; arrays align as what they hold. The
        // array of values has the sixteen floats that `load` reads.
        unsafe {
            let values = at.cast::<[E; LANES]>().read().map(Element::value);
            Self::load(values.as_ptr())
        }
    }
}

impl Lanes for Neon {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: NEON is part of the target; no memory is touched.
        unsafe { Self([vdupq_n_f32(0.0); 4]) }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller promises sixteen readable floats; the loads need no alignment.
        unsafe {
            Self([
                vld1q_f32(at),
                vld1q_f32(at.add(4)),
                vld1q_f32(at.add(8)),
                vld1q_f32(at.add(12)),
            ])
        }
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
        // SAFETY: NEON is part of the target; no memory is touched.
        Self(std::array::from_fn(|i| unsafe {
            vsubq_f32(self.0[i], other.0[i])
        }))
    }

    #[inline(always)]
    unsafe fn fma(self, other: Self, acc: Self) -> Self {
        // SAFETY: NEON is part of the target; no memory is touched.
        Self(std::array::from_fn(|i| unsafe {
            vfmaq_f32(acc.0[i], self.0[i], other.0[i])
        }))
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: NEON is part of the target; no memory is touched.
        unsafe {
            let low = vaddq_f32(self.0[0], self.0[2]);
            let high = vaddq_f32(self.0[1], self.0[3]);
            let four = vaddq_f32(low, high);
            let even = vgetq_lane_f32::<0>(four) + vgetq_lane_f32::<2>(four);
            let odd = vgetq_lane_f32::<1>(four) + vgetq_lane_f32::<3>(four);
            even + odd
        }
    }
}

kernels!("neon", Neon, #[inline]);
