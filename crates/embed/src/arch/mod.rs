//! The arithmetic: one generic algorithm over a tiny vector trait, one file for each instruction set, one dispatch point.
//!
//! All `unsafe` of the crate is in this folder. A token such as [`x86::Avx512`] exists only where the processor was
//! asked first, so whoever holds one may run its instructions; the generic code above the tokens is safe.
//!
//! Integer parts (codes of a given row, i32 sums) are the same on every instruction set. The f32 parts differ in the
//! last bits, because only some have a fused multiply-add.
#![allow(unsafe_code)]

mod simd;

mod attention;
mod linear;
mod rows;

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

pub(crate) use attention::Head;
pub use linear::Activation;
pub(crate) use linear::{Packed, Tail};
pub(crate) use rows::{Norm, Quantised};
pub(crate) use simd::PANEL;

/// The instruction set that computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel(Set);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    #[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
    Amx(x86::Amx),
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    Portable(portable::Portable),
}

impl Kernel {
    /// All that this machine can run, fastest first. The last one is plain Rust and always there.
    pub fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
        found.extend(x86::Amx::detect().map(Set::Amx));
        #[cfg(target_arch = "x86_64")]
        found.extend(x86::Avx512::detect().map(Set::Avx512));
        #[cfg(target_arch = "x86_64")]
        found.extend(x86::Avx2::detect().map(Set::Avx2));
        found.push(Set::Portable(portable::Portable));
        found.into_iter().map(Self).collect()
    }

    /// The fastest that this machine can run.
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// `amx-int8`, `avx512-vnni`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
            Set::Amx(_) => "amx-int8",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(_) => "avx512-vnni",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => "avx2",
            Set::Portable(_) => "portable",
        }
    }
}

impl Kernel {
    /// Does nothing but the products and sums of `rounds` small linear layers whose weights and codes stay in the L1
    /// cache, and gives their number: the bound that a pass over real weights is held against.
    pub fn products(self, rounds: usize) -> u64 {
        const ROWS: usize = 48;
        const DEPTH: usize = 384;
        let weights = Packed::new(
            &vec![1; simd::PANEL * DEPTH],
            DEPTH,
            vec![1.0; simd::PANEL],
            vec![0.0; simd::PANEL],
        );
        let codes = Quantised {
            codes: vec![1; ROWS * DEPTH],
            scale: vec![1.0; ROWS],
            low: vec![0.0; ROWS],
            width: DEPTH,
        };
        let mut out = vec![0.0; ROWS * simd::PANEL];
        for _ in 0..rounds {
            self.linear(&codes, &weights, Tail::Store, &mut out);
        }
        std::hint::black_box(&out);
        (rounds * ROWS * DEPTH * simd::PANEL) as u64
    }
}

/// Makes one method of [`Kernel`] that calls the function of the same name in each instruction set's file.
macro_rules! dispatch {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),* $(,)?);)*) => {
        impl Kernel {
            $($(#[$doc])*
            pub(crate) fn $name(self, $($argument: $type),*) {
                match self.0 {
                    // SAFETY: the token proves that the processor has the features that the function enables.
                    #[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
                    Set::Amx(token) => unsafe { x86::amx::$name(token, $($argument),*) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Set::Avx512(token) => unsafe { x86::avx512::$name(token, $($argument),*) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Set::Avx2(token) => unsafe { x86::avx2::$name(token, $($argument),*) },
                    Set::Portable(token) => portable::$name(token, $($argument),*),
                }
            })*
        }
    };
}
pub(crate) use entries::entries;

dispatch! {
    /// `out = input * weights + bias`, finished as `tail` says; `out` is `[rows, weights.columns]`, row-major.
    fn linear(input: &Quantised, weights: &Packed, tail: Tail, out: &mut [f32]);
    /// Codes every row of `input` (`[rows, width]`) with its own offset and scale.
    fn quantise(input: &[f32], width: usize, out: &mut Quantised);
    /// Layer normalisation of every row in place; a row is as long as the norm's `gain`.
    fn layer_norm(rows: &mut [f32], norm: &Norm);
    /// Softmax attention of every head of one sequence: `qkv` is `[tokens, 3 * width]`, `out` is `[tokens, width]`.
    fn attention(head: Head, qkv: &[f32], width: usize, scratch: &mut Vec<f32>, out: &mut [f32]);
}

mod entries {
    /// The same four entry functions for an instruction set: generic code, compiled with its features.
    macro_rules! entries {
        ($token:ty, [$($feature:meta)?], rows = $rows:literal, scores = $scores:literal, values = $values:expr, parts = $parts:literal) => {
            use crate::arch::{Head, Norm, Packed, Quantised, Tail, attention as attend, linear as multiply, rows};

            $(#[$feature])?
            pub(in crate::arch) fn linear(token: $token, input: &Quantised, weights: &Packed, tail: Tail, out: &mut [f32]) {
                multiply::linear::<$token, $rows>(token, input, weights, tail, out);
            }

            $(#[$feature])?
            pub(in crate::arch) fn quantise(token: $token, input: &[f32], width: usize, out: &mut Quantised) {
                rows::quantise(token, input, width, out);
            }

            $(#[$feature])?
            pub(in crate::arch) fn layer_norm(token: $token, rows: &mut [f32], norm: &Norm) {
                rows::layer_norm(token, rows, norm);
            }

            $(#[$feature])?
            pub(in crate::arch) fn attention(token: $token, head: Head, qkv: &[f32], width: usize, scratch: &mut Vec<f32>, out: &mut [f32]) {
                // Wider heads take more registers a row of values, so fewer rows.
                match head {
                    Head::W32 => attend::attention::<$token, 32, $scores, { $values[0] }, { $parts }>(token, qkv, width, scratch, out),
                    Head::W64 => attend::attention::<$token, 64, $scores, { $values[1] }, { 2 * $parts }>(token, qkv, width, scratch, out),
                    Head::W128 => attend::attention::<$token, 128, $scores, { $values[2] }, { 4 * $parts }>(token, qkv, width, scratch, out),
                }
            }
        };
    }
    pub(crate) use entries;
}
