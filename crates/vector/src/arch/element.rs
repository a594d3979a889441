//! What a component of a row may be: the element type is a parameter of every scan.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Kernels, portable};

/// A half-precision number as its bits: 11 bits of precision, up to 65,504.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct F16(pub u16);

/// The upper half of an `f32`: 8 bits of precision, the whole range.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Bf16(pub u16);

impl F16 {
    /// The nearest one, ties to even; beyond the greatest finite one that one, and NaN is 0.
    #[must_use]
    pub fn nearest(value: f32) -> Self {
        Self(crate::code::to_half(value))
    }
}

impl Bf16 {
    /// The nearest one, ties to even; beyond the greatest finite one that one, and NaN is 0.
    #[must_use]
    pub fn nearest(value: f32) -> Self {
        const MOST: u32 = 0x7f7f;
        if value.is_nan() {
            return Self(0);
        }
        let bits = value.abs().to_bits();
        let magnitude = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        let sign = value.to_bits() >> 16 & 0x8000;
        Self((sign | magnitude.min(MOST)) as u16)
    }
}

/// One query against one row of `E`, both of one length, and what of memory is needed next.
type One<E> = fn(&[f32], &[E], &[E]) -> f32;
/// One query against four rows.
type Four<E> = fn(&[f32], [&[E]; 4]) -> [f32; 4];

/// The kernels of an element type.
#[derive(Clone, Copy)]
pub struct Pairs<E: 'static> {
    pub(super) dot: One<E>,
    pub(super) l2_squared: One<E>,
    pub(super) dot4: Four<E>,
    pub(super) l2_squared4: Four<E>,
}

/// The kernels of all element types but `f32`.
#[derive(Clone, Copy)]
pub(super) struct ElementKernels {
    pub f16: Pairs<F16>,
    pub bf16: Pairs<Bf16>,
    pub i8: Pairs<i8>,
}

/// A component of a row: `f32`, [`F16`], [`Bf16`] or `i8`. Each is a number that an `f32` holds exactly,
/// and every kernel computes with that, so scores of equal values have equal bits whatever the type.
pub trait Element: Copy + Default + IntoBytes + Immutable + 'static {
    /// The component's value.
    fn value(self) -> f32;

    /// The kernels of rows of this type.
    #[doc(hidden)]
    fn pairs(kernels: &Kernels) -> &Pairs<Self>;

    /// The row, if it is one of bytes: those are multiplied as whole numbers first.
    #[doc(hidden)]
    #[inline(always)]
    fn signed(_row: &[Self]) -> Option<&[i8]> {
        None
    }
}

impl Element for f32 {
    #[inline(always)]
    fn value(self) -> f32 {
        self
    }

    #[inline(always)]
    fn pairs(kernels: &Kernels) -> &Pairs<Self> {
        &kernels.f32
    }
}

impl Element for F16 {
    #[inline(always)]
    fn value(self) -> f32 {
        portable::half(self.0)
    }

    #[inline(always)]
    fn pairs(kernels: &Kernels) -> &Pairs<Self> {
        &kernels.others.f16
    }
}

impl Element for Bf16 {
    #[inline(always)]
    fn value(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    #[inline(always)]
    fn pairs(kernels: &Kernels) -> &Pairs<Self> {
        &kernels.others.bf16
    }
}

impl Element for i8 {
    #[inline(always)]
    fn value(self) -> f32 {
        f32::from(self)
    }

    #[inline(always)]
    fn pairs(kernels: &Kernels) -> &Pairs<Self> {
        &kernels.others.i8
    }

    #[inline(always)]
    fn signed(row: &[Self]) -> Option<&[i8]> {
        Some(row)
    }
}
