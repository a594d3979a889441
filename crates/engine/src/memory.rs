//! How the process holds its memory: huge pages behind big tables, nothing swapped out.

use std::io;

pub use crate::sys::heap::{HugeHeap, held_here, touching};

/// Keeps every page of the process in memory once it was touched (`mlockall` with
/// `MCL_ONFAULT`), pages to come included.
///
/// # Errors
/// What the kernel says; most often that the limit on locked memory (`ulimit -l`) is too small
/// for a process without `CAP_IPC_LOCK`.
pub fn lock_all() -> io::Result<()> {
    crate::sys::heap::lock_all()
}

/// What the process has in memory, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resident {
    /// Now.
    pub now: u64,
    /// At most so far.
    pub peak: u64,
}

/// The kernel's account of this process; `None` where `/proc` does not tell.
#[must_use]
pub fn resident() -> Option<Resident> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    Some(Resident {
        now: bytes(&text, "VmRSS:")?,
        peak: bytes(&text, "VmHWM:")?,
    })
}

fn bytes(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_account_is_read() {
        let status = "Name:\tx\nVmHWM:\t   12 kB\nVmRSS:\t    8 kB\n";
        assert_eq!(bytes(status, "VmRSS:"), Some(8_192));
        assert_eq!(bytes(status, "VmHWM:"), Some(12_288));
        assert_eq!(bytes(status, "VmSwap:"), None);
        let here = resident().expect("Linux tells");
        assert!(0 < here.now && here.now <= here.peak);
    }
}
