//! The algorithm every instruction set shares, over a tiny trait of sixteen lanes.

use super::element::{Bf16, Element, F16};

/// Lanes of one accumulator, on every instruction set.
pub(super) const LANES: usize = 16;

/// Sixteen `f32` lanes.
///
/// # Safety
/// Callers of every method must run on a processor with the implementor's instructions. Loads need
/// sixteen readable elements at `at`, `load_tail` needs `count < 16` of them.
pub(super) trait Lanes: Copy {
    unsafe fn zero() -> Self;
    unsafe fn load(at: *const f32) -> Self;
    unsafe fn load_f16(at: *const F16) -> Self;
    unsafe fn load_bf16(at: *const Bf16) -> Self;
    unsafe fn load_i8(at: *const i8) -> Self;
    /// The first `count` floats, then zeros.
    unsafe fn load_tail(at: *const f32, count: usize) -> Self;
    /// `self - other`.
    unsafe fn sub(self, other: Self) -> Self;
    /// `self * other + acc`, rounded once.
    unsafe fn fma(self, other: Self, acc: Self) -> Self;
    /// Folds in halves: 16, 8, 4, 2, 1.
    unsafe fn sum(self) -> f32;
}

/// An element that lanes can be loaded from.
///
/// # Safety
/// As for [`Lanes`].
pub(super) trait Load: Element {
    unsafe fn load<V: Lanes>(at: *const Self) -> V;

    /// The first `count < 16` elements, then zeros.
    #[inline(always)]
    unsafe fn load_tail<V: Lanes>(at: *const Self, count: usize) -> V {
        let mut lanes = [Self::default(); LANES];
        // SAFETY: the caller promises `count < 16` readable elements, which fit the local array; the
        // array has the sixteen elements that `load` reads.
        unsafe {
            std::ptr::copy_nonoverlapping(at, lanes.as_mut_ptr(), count);
            Self::load(lanes.as_ptr())
        }
    }
}

/// Writes [`Load`] for an element type by a method of the lanes.
macro_rules! load {
    ($element:ty, $method:ident) => {
        impl Load for $element {
            #[inline(always)]
            unsafe fn load<V: Lanes>(at: *const Self) -> V {
                // SAFETY: passed on from the caller.
                unsafe { V::$method(at) }
            }
        }
    };
}

load!(F16, load_f16);
load!(Bf16, load_bf16);
load!(i8, load_i8);

impl Load for f32 {
    #[inline(always)]
    unsafe fn load<V: Lanes>(at: *const Self) -> V {
        // SAFETY: passed on from the caller.
        unsafe { V::load(at) }
    }

    #[inline(always)]
    unsafe fn load_tail<V: Lanes>(at: *const Self, count: usize) -> V {
        // SAFETY: passed on from the caller.
        unsafe { V::load_tail(at, count) }
    }
}

/// One query against `N` rows, `L2` choosing the distance over the product. Sums wait for each other
/// within a row, not between rows. With each line of the rows a line of what is `ahead` is asked for: in
/// bursts of whole rows more is asked for than a processor keeps track of, and some of it is lost.
///
/// # Safety
/// The processor has the instructions of `V`, and `query` and `rows` have one length.
#[inline(always)]
pub(super) unsafe fn many<V: Lanes, E: Load, const N: usize, const L2: bool>(
    query: &[f32],
    rows: [&[E]; N],
    ahead: &[E],
) -> [f32; N] {
    let len = query.len();
    let whole = len - len % LANES;
    let line = 64 / size_of::<E>();
    // SAFETY: the caller has the instructions. Whole blocks end at `whole <= len`, and the tail
    // reads `len - whole < 16` elements from `whole`; all rows are as long as the query.
    unsafe {
        let mut acc = [V::zero(); N];
        let mut at = 0;
        while at + line <= whole {
            super::prefetch(ahead, at);
            for block in 0..line / LANES {
                blocks::<V, E, N, L2>(query, rows, at + block * LANES, &mut acc);
            }
            at += line;
        }
        super::prefetch(ahead, at);
        while at < whole {
            blocks::<V, E, N, L2>(query, rows, at, &mut acc);
            at += LANES;
        }
        if whole < len {
            let q = V::load_tail(query.as_ptr().add(whole), len - whole);
            for n in 0..N {
                let row = E::load_tail(rows[n].as_ptr().add(whole), len - whole);
                acc[n] = step::<V, L2>(q, row, acc[n]);
            }
        }
        acc.map(|acc| acc.sum())
    }
}

/// One block of sixteen components of each row.
///
/// # Safety
/// The processor has the instructions of `V`, and query and rows have sixteen elements from `at` on.
#[inline(always)]
unsafe fn blocks<V: Lanes, E: Load, const N: usize, const L2: bool>(
    query: &[f32],
    rows: [&[E]; N],
    at: usize,
    acc: &mut [V; N],
) {
    // SAFETY: passed on from the caller.
    unsafe {
        let q = V::load(query.as_ptr().add(at));
        for n in 0..N {
            acc[n] = step::<V, L2>(q, E::load(rows[n].as_ptr().add(at)), acc[n]);
        }
    }
}

/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
unsafe fn step<V: Lanes, const L2: bool>(query: V, row: V, acc: V) -> V {
    // SAFETY: passed on from the caller; only registers are touched.
    unsafe {
        if L2 {
            let difference = query.sub(row);
            difference.fma(difference, acc)
        } else {
            query.fma(row, acc)
        }
    }
}

/// Writes the kernels of an instruction set around [`many`]. `features` is the attribute that lets the
/// compiler use the instructions inside.
macro_rules! kernels {
    ($name:literal, $lanes:ty, #[$($features:tt)*]) => {
        /// The kernels of this instruction set. Put in the list of available ones only where the
        /// processor has the instructions, which is what makes the calls inside sound.
        pub(super) const KERNELS: super::Kernels = super::Kernels {
            name: $name,
            f32: pairs(),
            others: super::element::ElementKernels { f16: pairs(), bf16: pairs(), i8: pairs() },
            codes: CODES,
        };

        const fn pairs<E: super::generic::Load>() -> super::element::Pairs<E> {
            super::element::Pairs {
                dot: one::<E, false>,
                l2_squared: one::<E, true>,
                dot4: four::<E, false>,
                l2_squared4: four::<E, true>,
            }
        }

        fn one<E: super::generic::Load, const L2: bool>(
            query: &[f32],
            row: &[E],
            ahead: &[E],
        ) -> f32 {
            many::<E, 1, L2>(query, [row], ahead)[0]
        }

        fn four<E: super::generic::Load, const L2: bool>(
            query: &[f32],
            rows: [&[E]; 4],
        ) -> [f32; 4] {
            many::<E, 4, L2>(query, rows, &[])
        }

        #[inline(always)]
        fn many<E: super::generic::Load, const N: usize, const L2: bool>(
            query: &[f32],
            rows: [&[E]; N],
            ahead: &[E],
        ) -> [f32; N] {
            #[$($features)*]
            unsafe fn inner<E: super::generic::Load, const N: usize, const L2: bool>(
                query: &[f32],
                rows: [&[E]; N],
                ahead: &[E],
            ) -> [f32; N] {
                // SAFETY: features by the attribute, lengths by the caller.
                unsafe { super::generic::many::<$lanes, E, N, L2>(query, rows, ahead) }
            }
            // SAFETY: `Kernels::available` detected the features; the methods of `Kernels` checked
            // lengths.
            unsafe { inner::<E, N, L2>(query, rows, ahead) }
        }
    };
}

pub(super) use kernels;
