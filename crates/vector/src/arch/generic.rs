//! The algorithm every instruction set shares, over a tiny trait of sixteen lanes.

/// Lanes of one accumulator, on every instruction set.
pub(super) const LANES: usize = 16;

/// Sixteen `f32` lanes.
///
/// # Safety
/// Callers of every method must run on a processor with the implementor's instructions. `load`
/// needs sixteen readable floats at `at`, `load_tail` needs `count < 16` of them.
pub(super) trait Lanes: Copy {
    unsafe fn zero() -> Self;
    unsafe fn load(at: *const f32) -> Self;
    /// The first `count` floats, then zeros.
    unsafe fn load_tail(at: *const f32, count: usize) -> Self;
    /// `self - other`.
    unsafe fn sub(self, other: Self) -> Self;
    /// `self * other + acc`, rounded once.
    unsafe fn fma(self, other: Self, acc: Self) -> Self;
    /// Folds in halves: 16, 8, 4, 2, 1.
    unsafe fn sum(self) -> f32;
}

/// One query against `N` rows, `L2` choosing the distance over the product.
///
/// # Safety
/// The processor has the instructions of `V`, and all slices have one length.
#[inline(always)]
pub(super) unsafe fn many<V: Lanes, const N: usize, const L2: bool>(
    query: &[f32],
    rows: [&[f32]; N],
) -> [f32; N] {
    let len = query.len();
    let whole = len - len % LANES;
    // SAFETY: the caller has the instructions. Whole blocks end at `whole <= len`, and the tail
    // reads `len - whole < 16` floats from `whole`; all rows are as long as the query.
    unsafe {
        let mut acc = [V::zero(); N];
        let mut at = 0;
        while at < whole {
            let q = V::load(query.as_ptr().add(at));
            for n in 0..N {
                acc[n] = step::<V, L2>(q, V::load(rows[n].as_ptr().add(at)), acc[n]);
            }
            at += LANES;
        }
        if whole < len {
            let q = V::load_tail(query.as_ptr().add(whole), len - whole);
            for n in 0..N {
                let row = V::load_tail(rows[n].as_ptr().add(whole), len - whole);
                acc[n] = step::<V, L2>(q, row, acc[n]);
            }
        }
        let mut sums = [0.0; N];
        for n in 0..N {
            sums[n] = acc[n].sum();
        }
        sums
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

/// Writes the four kernels of an instruction set around [`many`]. `features` is the attribute that
/// lets the compiler use the instructions inside.
macro_rules! kernels {
    ($name:literal, $lanes:ty, #[$($features:tt)*]) => {
        /// The kernels of this instruction set. Put in the list of available ones only where the
        /// processor has the instructions, which is what makes the calls inside sound.
        pub(super) const KERNELS: super::Kernels =
            super::Kernels { name: $name, dot, l2_squared, dot4, l2_squared4, codes: CODES };

        fn dot(a: &[f32], b: &[f32]) -> f32 {
            #[$($features)*]
            unsafe fn inner(a: &[f32], b: &[f32]) -> f32 {
                // SAFETY: features by the attribute, lengths by the caller.
                unsafe { super::generic::many::<$lanes, 1, false>(a, [b])[0] }
            }
            // SAFETY: `Kernels::available` detected the features; `Kernels::dot` checked lengths.
            unsafe { inner(a, b) }
        }

        fn l2_squared(a: &[f32], b: &[f32]) -> f32 {
            #[$($features)*]
            unsafe fn inner(a: &[f32], b: &[f32]) -> f32 {
                // SAFETY: features by the attribute, lengths by the caller.
                unsafe { super::generic::many::<$lanes, 1, true>(a, [b])[0] }
            }
            // SAFETY: as for `dot`.
            unsafe { inner(a, b) }
        }

        fn dot4(query: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
            #[$($features)*]
            unsafe fn inner(query: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
                // SAFETY: features by the attribute, lengths by the caller.
                unsafe { super::generic::many::<$lanes, 4, false>(query, rows) }
            }
            // SAFETY: as for `dot`.
            unsafe { inner(query, rows) }
        }

        fn l2_squared4(query: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
            #[$($features)*]
            unsafe fn inner(query: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
                // SAFETY: features by the attribute, lengths by the caller.
                unsafe { super::generic::many::<$lanes, 4, true>(query, rows) }
            }
            // SAFETY: as for `dot`.
            unsafe { inner(query, rows) }
        }
    };
}

pub(super) use kernels;
