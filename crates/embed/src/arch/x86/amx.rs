//! AMX: one instruction multiplies 16 rows of 64 codes by 64 x 16 weights, sixteen times what `vpdpbusd` does.
//!
//! The panels of [`linear`](crate::arch::linear) are already what a tile wants: 16 groups of 4 depths, 256 bytes apart,
//! are the weights of 16 columns. Only linear layers go this way; the rest is AVX-512's.
//!
//! The compiler has no stable intrinsics for tiles, so they are written in assembly. A tile's contents are the
//! thread's own, 8 KiB that the system saves for nobody who did not ask: hence the call in [`permitted`].

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::marker::PhantomData;

use super::avx512::{self, Avx512};
use crate::arch::linear;
use crate::arch::simd::PANEL;
use crate::arch::{Head, Norm, Packed, Quantised, Tail};

/// Proof that processor and system let this process use tiles of bytes, and of AVX-512: only [`Amx::detect`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::arch) struct Amx(Avx512);

impl Amx {
    pub fn detect() -> Option<Self> {
        let vectors = Avx512::detect()?;
        (has_tiles() && permitted()).then_some(Self(vectors))
    }
}

/// Rows of a tile, and depths that one instruction multiplies.
const HEIGHT: usize = 16;
const DEEP: usize = 64;

/// CPUID and XCR0: tiles, products of bytes, and a system that saves both parts of their state.
fn has_tiles() -> bool {
    const TILE_AND_INT8: u32 = 0b11 << 24;
    const OSXSAVE: u32 = 1 << 27;
    const STATE: u64 = 0b11 << 17;
    if __cpuid(0).eax < 7 || __cpuid(1).ecx & OSXSAVE == 0 {
        return false;
    }
    let features = __cpuid_count(7, 0).edx;
    // SAFETY: OSXSAVE says that `xgetbv` exists and register 0 can be read.
    let saved = unsafe { xcr0() };
    features & TILE_AND_INT8 == TILE_AND_INT8 && saved & STATE == STATE
}

/// # Safety
/// The system has switched `xgetbv` on.
#[target_feature(enable = "xsave")]
unsafe fn xcr0() -> u64 {
    // SAFETY: as the caller promises.
    unsafe { _xgetbv(0) }
}

/// Asks Linux to save tiles for this process; it says no when its own limits forbid it. May be asked again.
fn permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;
    let mut outcome = ARCH_PRCTL;
    // SAFETY: the call takes two numbers and touches no memory of ours; the kernel clobbers rcx and r11.
    unsafe {
        asm!("syscall", inlateout("rax") outcome, in("rdi") ARCH_REQ_XCOMP_PERM, in("rsi") XFEATURE_XTILEDATA,
            out("rcx") _, out("r11") _, options(nostack));
    }
    outcome == 0
}

/// How many rows and bytes each tile has, as `ldtilecfg` reads it.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    zeros: [u8; 15],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Tiles of this thread: 0 to 3 are sums of `height` rows, 4 the codes of these rows, 5 to 7 weights.
struct Tiles {
    height: usize,
    /// They are the thread's own.
    here: PhantomData<*const ()>,
}

/// Whole cache lines.
#[repr(align(64))]
struct Sums([[i32; PANEL]; HEIGHT]);

impl Tiles {
    /// Shapes them for `height` rows, 1 to 16.
    fn new(_proof: Amx, height: usize) -> Self {
        assert!((1..=HEIGHT).contains(&height));
        let mut shapes = Shapes {
            palette: 1,
            zeros: [0; 15],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        shapes.row_bytes[..8].fill(DEEP as u16);
        shapes.rows[..5].fill(height as u8);
        shapes.rows[5..8].fill(HEIGHT as u8);
        // SAFETY: the proof says that tiles may be used; 64 bytes are read, of a shape that palette 1 allows.
        unsafe {
            asm!("ldtilecfg [{0}]", in(reg) &raw const shapes, options(nostack, readonly, preserves_flags));
        }
        Self {
            height,
            here: PhantomData,
        }
    }

    /// Exact sums of products of `height` rows of codes with one panel, as `Simd::dot_tile`.
    fn dot(&self, codes: &[u8], depth: usize, panel: &[i8], Sums(sums): &mut Sums) {
        assert!(depth.is_multiple_of(DEEP) && depth > 0);
        assert!(codes.len() >= self.height * depth && panel.len() >= PANEL * depth);
        // SAFETY: `self` says that this thread's tiles have these shapes. Step n of depth/64 reads 64 bytes at `64 n` of
        // `height` rows of codes, `depth` apart, and 4 times 16 x 64 bytes of the panel at `4096 n`, 256 apart: within
        // both slices by the asserts. `height` rows of 4 x 64 bytes, 256 apart, are written to `sums`.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{codes} + {depth}]",
                "tileloadd tmm5, [{panel} + {stride}]",
                "tileloadd tmm6, [{panel} + {stride} + 64]",
                "tdpbusd tmm0, tmm4, tmm5",
                "tileloadd tmm7, [{panel} + {stride} + 128]",
                "tdpbusd tmm1, tmm4, tmm6",
                "tileloadd tmm5, [{panel} + {stride} + 192]",
                "tdpbusd tmm2, tmm4, tmm7",
                "add {codes}, 64",
                "add {panel}, 4096",
                "tdpbusd tmm3, tmm4, tmm5",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{sums} + {stride}], tmm0",
                "tilestored [{sums} + {stride} + 64], tmm1",
                "tilestored [{sums} + {stride} + 128], tmm2",
                "tilestored [{sums} + {stride} + 192], tmm3",
                codes = inout(reg) codes.as_ptr() => _,
                panel = inout(reg) panel.as_ptr() => _,
                steps = inout(reg) depth / DEEP => _,
                depth = in(reg) depth,
                stride = in(reg) 4 * PANEL,
                sums = in(reg) sums.as_mut_ptr(),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: tiles exist, or `self` would not. Afterwards the system has nothing to save for this thread.
        unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::arch) fn linear(
    token: Amx,
    input: &Quantised,
    weights: &Packed,
    tail: Tail,
    out: &mut [f32],
) {
    let rows = linear::check(input, weights, out);
    if rows == 0 {
        return;
    }
    let tiles = Tiles::new(token, rows.min(HEIGHT));
    let mut sums = Sums([[0; PANEL]; HEIGHT]);
    for block in linear::blocks(input, weights, tail) {
        for row in (0..rows).step_by(HEIGHT) {
            // The last tile reaches back over rows that are done; their sums are left alone.
            let start = row.min(rows - tiles.height);
            tiles.dot(
                &input.codes[start * input.width..],
                input.width,
                block.codes,
                &mut sums,
            );
            block.finish_rows(token.0, row, &sums.0[row - start..tiles.height], out);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::arch) fn quantise(token: Amx, input: &[f32], width: usize, out: &mut Quantised) {
    avx512::quantise(token.0, input, width, out);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::arch) fn layer_norm(token: Amx, rows: &mut [f32], norm: &Norm) {
    avx512::layer_norm(token.0, rows, norm);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in crate::arch) fn attention(
    token: Amx,
    head: Head,
    qkv: &[f32],
    width: usize,
    scratch: &mut Vec<f32>,
    out: &mut [f32],
) {
    avx512::attention(token.0, head, qkv, width, scratch, out);
}
