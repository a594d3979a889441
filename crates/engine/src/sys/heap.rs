//! Big blocks of the heap on huge pages, and memory that stays where it is.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io;

/// Blocks from this size on are worth a hint: two huge pages, so that one surely fits inside.
const HINT_BYTES: usize = 4 << 20;
const PAGE: usize = 4_096;
/// Blocks from this size on are tables: they are touched where that is asked for.
const TABLE_BYTES: usize = 64 << 10;

thread_local! {
    /// Bytes that this thread has taken less those that it has given back. Made without an
    /// allocation and dropped without a trace, so that the allocator may use it at any time.
    static HELD: Cell<i64> = const { Cell::new(0) };
    /// Whether this thread's tables get their pages at once.
    static IS_TOUCHING: Cell<bool> = const { Cell::new(false) };
}

/// Does `work`; the tables that this thread takes from [`HugeHeap`] meanwhile have all their pages
/// from the start. A kernel before Linux 5.14 cannot do so: there they come as they are used.
pub fn touching<T>(work: impl FnOnce() -> T) -> T {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            IS_TOUCHING.set(self.0);
        }
    }
    let _before = Before(IS_TOUCHING.replace(true));
    work()
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

/// Asks for huge pages behind the whole pages inside `[block, block + size)`, and for the pages.
#[inline]
fn hint(block: *mut u8, size: usize) {
    if size < TABLE_BYTES || block.is_null() {
        return;
    }
    if size >= HINT_BYTES {
        advise(block, size, libc::MADV_HUGEPAGE);
    }
    if IS_TOUCHING.get() {
        advise(block, size, libc::MADV_POPULATE_WRITE);
    }
}

#[cold]
fn advise(block: *mut u8, size: usize, advice: libc::c_int) {
    let skip = block.addr().next_multiple_of(PAGE) - block.addr();
    let whole = (size - skip) / PAGE * PAGE;
    // SAFETY: the range lies inside the block (`size >= TABLE_BYTES > PAGE > skip`), is page
    // aligned, and neither advice changes its contents or its addresses: a page that is populated
    // for writing is as it was, or zeroed where it was never there. A refusal leaves ordinary
    // pages, so the answer is not needed.
    unsafe { libc::madvise(block.add(skip).cast(), whole, advice) };
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
    fn tables_are_in_memory_before_they_are_used_where_that_is_asked_for() {
        const BYTES: usize = 64 << 20;
        let layout = Layout::from_size_align(BYTES, PAGE).expect("a layout");
        let present = |block: *mut u8| {
            let mut pages = vec![0u8; BYTES / PAGE];
            // SAFETY: the block begins at a page and has as many as `pages` has places.
            let answer = unsafe { libc::mincore(block.cast(), BYTES, pages.as_mut_ptr()) };
            assert_eq!(answer, 0);
            pages.iter().filter(|&&page| page & 1 == 1).count()
        };
        // SAFETY: the layout has a size, and each block is freed once with its layout.
        unsafe {
            let block = touching(|| HugeHeap.alloc(layout));
            assert_eq!(present(block), BYTES / PAGE);
            HugeHeap.dealloc(block, layout);
            let block = HugeHeap.alloc(layout);
            assert!(present(block) < BYTES / PAGE / 2);
            HugeHeap.dealloc(block, layout);
        }
        assert!(!IS_TOUCHING.get());
    }

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
