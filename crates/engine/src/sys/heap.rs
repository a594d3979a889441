//! Big blocks of the heap on huge pages, and memory that stays where it is.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io;

/// Blocks from this size on are worth a hint: two huge pages, so that one surely fits inside.
const HINT_BYTES: usize = 4 << 20;
const PAGE: usize = 4_096;

thread_local! {
    /// Bytes that this thread has taken less those that it has given back. Made without an
    /// allocation and dropped without a trace, so that the allocator may use it at any time.
    static HELD: Cell<i64> = const { Cell::new(0) };
}

/// Bytes that the calling thread has taken from [`HugeHeap`] less those that it has given back,
/// whoever holds them now; 0 where the program has another allocator.
pub fn held_here() -> u64 {
    HELD.get().max(0) as u64
}

#[inline]
fn count(block: *mut u8, bytes: i64) {
    if !block.is_null() {
        // Wraps only in theory: no address space holds so much.
        HELD.set(HELD.get().wrapping_add(bytes));
    }
}

/// The system's allocator, which asks the kernel for huge pages behind every block of 4 MiB or
/// more.
///
/// A table of orders or a vector segment of hundreds of megabytes touched at random misses the
/// TLB at nearly every access on 4 KiB pages; on 2 MiB pages its map fits. The hint costs one
/// system call a block, at allocation, and changes nothing about what the program may do: where
/// the kernel refuses (`never`), the block is an ordinary one. What it may cost is memory: a
/// sparsely touched block is resident in steps of 2 MiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct HugeHeap;

// SAFETY: every call goes to `System` with the caller's own arguments and hands back what it
// answered, so `System`'s promises are ours. What happens between reads no memory of a block, changes
// no contents and allocates nothing.
unsafe impl GlobalAlloc for HugeHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout, unchanged.
        let block = unsafe { System.alloc(layout) };
        count(block, layout.size() as i64);
        hint(block, layout.size());
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout, unchanged.
        let block = unsafe { System.alloc_zeroed(layout) };
        count(block, layout.size() as i64);
        hint(block, layout.size());
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's block, layout and size, unchanged.
        let moved = unsafe { System.realloc(block, layout, new_size) };
        count(moved, new_size as i64 - layout.size() as i64);
        if new_size > layout.size() {
            hint(moved, new_size);
        }
        moved
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's block and layout, unchanged.
        unsafe { System.dealloc(block, layout) };
        count(block, -(layout.size() as i64));
    }
}

/// Asks for huge pages behind the whole pages inside `[block, block + size)`.
#[inline]
fn hint(block: *mut u8, size: usize) {
    if size >= HINT_BYTES && !block.is_null() {
        advise(block, size);
    }
}

#[cold]
fn advise(block: *mut u8, size: usize) {
    let skip = block.addr().next_multiple_of(PAGE) - block.addr();
    let whole = (size - skip) / PAGE * PAGE;
    // SAFETY: the range lies inside the block (`size >= HINT_BYTES > PAGE > skip`), is page
    // aligned, and this advice changes neither its contents nor its addresses. A refusal leaves
    // ordinary pages, so the answer is not needed.
    unsafe { libc::madvise(block.add(skip).cast(), whole, libc::MADV_HUGEPAGE) };
}

/// Keeps every page of the process in memory from when it is first touched: `mlockall`.
pub fn lock_all() -> io::Result<()> {
    // Locked as touched: the tables' reserves are address space, and faulting them all in would
    // take memory that a quiet day never needs.
    let flags = libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT;
    // SAFETY: plain integers; nothing of ours moves or changes.
    if unsafe { libc::mlockall(flags) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_their_contents_through_growth() {
        for size in [1, PAGE, HINT_BYTES, HINT_BYTES + 1, 3 * HINT_BYTES + 123] {
            let layout = Layout::from_size_align(size, 8).expect("a layout");
            // SAFETY: the layout has a size, the block is used within it and freed once with the
            // layout it has then.
            unsafe {
                let before = held_here();
                let block = HugeHeap.alloc_zeroed(layout);
                assert!(!block.is_null());
                assert_eq!(held_here() - before, size as u64);
                assert_eq!((*block, *block.add(size - 1)), (0, 0));
                block.write(7);
                block.add(size - 1).write(9);
                let grown = HugeHeap.realloc(block, layout, size + HINT_BYTES);
                assert!(!grown.is_null());
                assert_eq!(
                    (*grown, *grown.add(size - 1)),
                    (if size == 1 { 9 } else { 7 }, 9)
                );
                let layout = Layout::from_size_align(size + HINT_BYTES, 8).expect("a layout");
                assert_eq!(held_here() - before, layout.size() as u64);
                HugeHeap.dealloc(grown, layout);
                assert_eq!(held_here(), before);
            }
        }
    }
}
