//! AVX-512 with VNNI, and AVX2 with FMA.

pub(super) mod avx2;
pub(super) mod avx512;

pub(super) use avx2::Avx2;
pub(super) use avx512::Avx512;
