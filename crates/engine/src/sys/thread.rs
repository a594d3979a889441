//! Where a thread runs and how it waits.

use std::io;
use std::mem;
use std::os::fd::RawFd;

/// Keeps the calling thread on one core.
pub fn pin(core: usize) -> io::Result<()> {
    // SAFETY: an all-zero `cpu_set_t` is the empty set: it is a plain bit mask.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    if core >= 8 * mem::size_of::<libc::cpu_set_t>() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("core {core} is beyond what the kernel can number; take one of 0..1024"),
        ));
    }
    // SAFETY: `core` is within the mask, checked above.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: `set` is a whole mask of the size given, read only; 0 means the calling thread.
    let result = unsafe { libc::sched_setaffinity(0, mem::size_of_val(&set), &raw const set) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Cores that this process may use.
pub fn allowed_cores() -> io::Result<Vec<usize>> {
    // SAFETY: an all-zero `cpu_set_t` is the empty set: it is a plain bit mask.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes at most the size given into `set`; 0 means the calling thread.
    let result = unsafe { libc::sched_getaffinity(0, mem::size_of_val(&set), &raw mut set) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let limit = 8 * mem::size_of::<libc::cpu_set_t>();
    // SAFETY: every index is within the mask.
    Ok((0..limit)
        .filter(|&core| unsafe { libc::CPU_ISSET(core, &set) })
        .collect())
}

/// Waits until one of the descriptors is readable, at most `timeout_ns`. At most eight
/// descriptors; an interrupted wait counts as a short one.
pub fn wait_readable(descriptors: &[RawFd], timeout_ns: u64) -> io::Result<bool> {
    const LIMIT: usize = 8;
    let mut polled = [libc::pollfd {
        fd: -1,
        events: libc::POLLIN,
        revents: 0,
    }; LIMIT];
    let count = descriptors.len().min(LIMIT);
    for (place, &fd) in polled.iter_mut().zip(descriptors) {
        place.fd = fd;
    }
    let timeout = libc::timespec {
        tv_sec: (timeout_ns / 1_000_000_000) as libc::time_t,
        tv_nsec: (timeout_ns % 1_000_000_000) as libc::c_long,
    };
    // SAFETY: `polled` has at least `count` entries, `timeout` outlives the call, and a null mask
    // leaves the signal mask as it is.
    let ready = unsafe {
        libc::ppoll(
            polled.as_mut_ptr(),
            count as libc::nfds_t,
            &raw const timeout,
            std::ptr::null(),
        )
    };
    if ready >= 0 {
        return Ok(ready > 0);
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::Interrupted {
        Ok(false)
    } else {
        Err(error)
    }
}

/// A resource limit of this process: soft and hard; `u64::MAX` is unlimited.
pub fn limit(resource: Limit) -> io::Result<(u64, u64)> {
    let resource = match resource {
        Limit::OpenFiles => libc::RLIMIT_NOFILE,
        Limit::LockedMemory => libc::RLIMIT_MEMLOCK,
    };
    let mut both = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel fills the one `rlimit` it is given.
    let result = unsafe { libc::getrlimit(resource, &raw mut both) };
    if result == 0 {
        Ok((both.rlim_cur, both.rlim_max))
    } else {
        Err(io::Error::last_os_error())
    }
}

/// What [`limit`] reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `RLIMIT_NOFILE`.
    OpenFiles,
    /// `RLIMIT_MEMLOCK`.
    LockedMemory,
}

/// What the kernel says about its clock: whether it is disciplined, and its largest error, us.
pub fn clock_sync() -> io::Result<(bool, i64)> {
    // SAFETY: an all-zero `timex` is a valid request to change nothing (`modes` 0).
    let mut timex: libc::timex = unsafe { mem::zeroed() };
    // SAFETY: the kernel fills the one `timex` it is given.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    let synced = state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0;
    Ok((synced, timex.maxerror as i64))
}

/// Seconds that TAI is ahead of UTC by the kernel's book; 0 where nobody has told it.
pub fn tai_ahead_s() -> io::Result<i64> {
    // SAFETY: an all-zero `timex` is a valid request to change nothing (`modes` 0).
    let mut timex: libc::timex = unsafe { mem::zeroed() };
    // SAFETY: the kernel fills the one `timex` it is given.
    if unsafe { libc::adjtimex(&raw mut timex) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(i64::from(timex.tai))
}

/// Whether memory may be locked beyond the limit: root, or no hard limit.
pub fn may_lock() -> bool {
    let Ok((_, hard)) = limit(Limit::LockedMemory) else {
        return false;
    };
    // SAFETY: plain integers; the effective user is read.
    hard == u64::MAX || unsafe { libc::geteuid() } == 0
}
