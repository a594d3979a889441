//! Memory straight from the kernel: page aligned, on huge pages where it may be, touched at once.

use std::io;
use std::ptr::NonNull;

/// Anonymous pages of this process, all zero and all present. Given back when dropped.
pub struct Region {
    start: NonNull<u8>,
    size: usize,
}

// SAFETY: a region owns its pages; nothing about them belongs to one thread.
unsafe impl Send for Region {}

impl Region {
    /// At least `size` bytes, rounded up to whole pages.
    pub fn new(size: usize) -> io::Result<Self> {
        let size = size.max(1).next_multiple_of(4_096);
        // SAFETY: a new private mapping at an address of the kernel's choice touches nothing of
        // ours.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast::<u8>())
            .ok_or_else(|| io::Error::other("the kernel mapped memory at address zero"))?;
        let region = Self { start, size };
        // SAFETY: the range is exactly our mapping; the advice only chooses page sizes, and a
        // refusal leaves ordinary pages.
        unsafe { libc::madvise(start.as_ptr().cast(), size, libc::MADV_HUGEPAGE) };
        for offset in (0..size).step_by(4_096) {
            // SAFETY: `offset < size`. Volatile, so that the page is really touched.
            unsafe { start.as_ptr().add(offset).write_volatile(0) };
        }
        Ok(region)
    }

    /// Where it begins. Good for [`size`](Self::size) bytes while the region lives.
    pub fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// How many bytes there are.
    pub fn size(&self) -> usize {
        self.size
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `new` made, whole, and nobody can use it after this.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.size) };
    }
}
