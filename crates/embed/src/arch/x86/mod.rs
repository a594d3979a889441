//! AMX, AVX-512 with VNNI, and AVX2 with FMA.

#[cfg(all(target_os = "linux", not(miri)))]
pub(super) mod amx;
pub(super) mod avx2;
pub(super) mod avx512;

#[cfg(all(target_os = "linux", not(miri)))]
pub(super) use amx::Amx;
pub(super) use avx2::Avx2;
pub(super) use avx512::Avx512;
