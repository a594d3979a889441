//! Telling the processor what will be read soon, so that it is there when it is.
//!
//! A value far away in memory takes some hundred instructions to come. Who knows early what it will
//! need says so here and goes on; reading it for good measure instead would make everything behind
//! that read wait. A hint changes nothing that a program can see, and one that is wrong costs a few
//! bytes of cache.

/// The line with the start of `items[at]` will be read or written soon. Nothing happens when there is no such
/// item.
#[inline(always)]
pub fn soon<T>(items: &[T], at: usize) {
    if let Some(item) = items.get(at) {
        line(std::ptr::from_ref(item).cast());
    }
}

/// All lines of `items[at]` will be read or written soon.
#[inline(always)]
pub fn soon_all<T>(items: &[T], at: usize) {
    if let Some(item) = items.get(at) {
        let start: *const u8 = std::ptr::from_ref(item).cast();
        for offset in (0..size_of::<T>()).step_by(LINE) {
            line(start.wrapping_add(offset));
        }
    }
}

/// All lines of `bytes` will be read soon.
#[inline(always)]
pub fn soon_bytes(bytes: &[u8]) {
    for chunk in bytes.chunks(LINE) {
        line(chunk.as_ptr());
    }
}

/// Bytes that come together.
const LINE: usize = 64;

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "the instruction has no safe form")]
#[inline(always)]
fn line(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: PREFETCHT0 belongs to SSE, which every x86-64 has. It neither reads nor writes
    // memory as far as the program can see and never faults, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code, reason = "the instruction has no safe form")]
#[inline(always)]
fn line(address: *const u8) {
    // SAFETY: PRFM is a hint of the base instruction set. It neither reads nor writes memory as far
    // as the program can see and never faults, whatever the address.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address, options(nostack, readonly, preserves_flags));
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
fn line(_address: *const u8) {}

#[cfg(test)]
mod tests {
    #[test]
    fn a_hint_changes_nothing_and_may_be_wrong() {
        let items = [[7u64; 20]; 3];
        for at in [0, 2, 3, usize::MAX] {
            super::soon(&items, at);
            super::soon_all(&items, at);
        }
        super::soon::<u8>(&[], 0);
        super::soon_bytes(&[]);
        super::soon_bytes(&[7; 200]);
        assert_eq!(items, [[7; 20]; 3]);
    }
}
