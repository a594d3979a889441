//! How the process holds its memory: huge pages behind big tables, nothing swapped out.

use std::io;

pub use crate::sys::heap::HugeHeap;

/// Keeps every page of the process in memory once it was touched (`mlockall` with
/// `MCL_ONFAULT`), pages to come included.
///
/// # Errors
/// What the kernel says; most often that the limit on locked memory (`ulimit -l`) is too small
/// for a process without `CAP_IPC_LOCK`.
pub fn lock_all() -> io::Result<()> {
    crate::sys::heap::lock_all()
}
