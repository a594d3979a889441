//! Checks of processor, memory, clock and limits.

use super::system::System;
use super::{Check, mebibytes};
use crate::sys::thread::{self, Limit};

/// Files that a lane, a store and a few hundred clients may hold open together.
const FILES_WANTED: u64 = 4_096;
/// A lane with a full day's orders.
const LOCKED_WANTED: u64 = 1 << 30;
/// What Regulation (EU) 2017/574 allows high-frequency trading.
const LARGEST_ERROR_US: i64 = 100;

pub(super) fn cpu() -> Check {
    const NAME: &str = "cpu features";
    #[cfg(target_arch = "x86_64")]
    {
        let features = [
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("fma", std::arch::is_x86_feature_detected!("fma")),
            ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
            ("avx512bw", std::arch::is_x86_feature_detected!("avx512bw")),
            (
                "avx512vnni",
                std::arch::is_x86_feature_detected!("avx512vnni"),
            ),
        ];
        let have: Vec<&str> = features.iter().filter(|f| f.1).map(|f| f.0).collect();
        if features[0].1 {
            return Check::ok(NAME, have.join(" "));
        }
        Check::warn(
            NAME,
            if have.is_empty() {
                "none of AVX2, AVX-512".to_owned()
            } else {
                have.join(" ")
            },
            "vector search and embedding run on the portable kernels, several times slower",
        )
    }
    #[cfg(not(target_arch = "x86_64"))]
    Check::ok(NAME, std::env::consts::ARCH)
}

pub(super) fn cores() -> Check {
    const NAME: &str = "cores";
    match thread::allowed_cores() {
        Err(error) => Check::warn(NAME, error.to_string(), "lanes cannot be kept on a core"),
        Ok(cores) if cores.len() < 2 => Check::warn(
            NAME,
            format!("{} usable", cores.len()),
            "a lane and everything else share one core: expect milliseconds, and do not spin",
        ),
        Ok(cores) => Check::ok(NAME, format!("{} usable", cores.len())),
    }
}

pub(super) fn huge_pages(system: &System) -> Check {
    const NAME: &str = "huge pages";
    let path = "/sys/kernel/mm/transparent_hugepage/enabled";
    let Some(setting) = system.read(path) else {
        return Check::warn(
            NAME,
            "no transparent huge pages",
            "large books miss the TLB more often",
        );
    };
    let chosen = setting
        .split(['[', ']'])
        .nth(1)
        .unwrap_or(&setting)
        .to_owned();
    let reserved = system.read("/proc/sys/vm/nr_hugepages").unwrap_or_default();
    let found = format!("transparent: {chosen}, reserved: {reserved}");
    if chosen == "never" {
        return Check::warn(
            NAME,
            found,
            format!("echo madvise > {path}: order tables and vectors gain from large pages"),
        );
    }
    Check::ok(NAME, found)
}

pub(super) fn clock_source(system: &System) -> Check {
    const NAME: &str = "clock source";
    match system.read("/sys/devices/system/clocksource/clocksource0/current_clocksource") {
        None => Check::warn(NAME, "cannot be read", "run on Linux with /sys mounted"),
        // These are read without entering the kernel.
        Some(source) if ["tsc", "kvm-clock", "arch_sys_counter"].contains(&source.as_str()) => {
            Check::ok(NAME, source)
        }
        Some(source) => Check::warn(
            NAME,
            source,
            "reading the time enters the kernel; prefer tsc (kernel parameter clocksource=tsc)",
        ),
    }
}

pub(super) fn clock_sync() -> Check {
    const NAME: &str = "clock synchronised";
    match thread::clock_sync() {
        Ok((true, error_us)) if error_us <= LARGEST_ERROR_US => {
            Check::ok(NAME, format!("yes, largest error {error_us} us"))
        }
        Ok((true, error_us)) => Check::warn(
            NAME,
            format!("yes, but it may be off by {error_us} us"),
            "MiFID II (RTS 25) wants 100 us where trading is fast: use PTP (ptp4l, phc2sys) or \
             chrony with a close, hardware-stamped source",
        ),
        Ok((false, _)) => Check::warn(
            NAME,
            "no",
            "run chrony or ptp4l: latencies against the venue's stamps mean little without",
        ),
        Err(error) => Check::warn(
            NAME,
            error.to_string(),
            "the clock's state cannot be seen here",
        ),
    }
}

/// Clocks on cards that PTP can discipline.
pub(super) fn clock_devices(system: &System) -> Check {
    const NAME: &str = "hardware clocks";
    let clocks: Vec<String> = system
        .names("/sys/class/ptp")
        .into_iter()
        .map(|clock| {
            let path = format!("/sys/class/ptp/{clock}/clock_name");
            let name = system.read(&path).unwrap_or_default();
            format!("{clock} ({name})")
        })
        .collect();
    if clocks.is_empty() {
        return Check::ok(NAME, "none: receive times are the kernel's");
    }
    Check::ok(NAME, clocks.join(", "))
}

pub(super) fn swap(system: &System) -> Check {
    const NAME: &str = "swap";
    let Some(table) = system.read("/proc/swaps") else {
        return Check::warn(NAME, "cannot be read", "run on Linux with /proc mounted");
    };
    let kibibytes = |column: usize| -> u64 {
        let rows = table.lines().skip(1);
        rows.filter_map(|row| row.split_whitespace().nth(column)?.parse::<u64>().ok())
            .sum()
    };
    let (size, used) = (kibibytes(2), kibibytes(3));
    if used > 0 {
        return Check::warn(
            NAME,
            format!(
                "{} of {} in use",
                mebibytes(used << 10),
                mebibytes(size << 10)
            ),
            "a swapped page stops a lane for milliseconds: swapoff -a, or lower vm.swappiness",
        );
    }
    Check::ok(
        NAME,
        if size == 0 {
            "none".to_owned()
        } else {
            "there, not used".to_owned()
        },
    )
}

pub(super) fn limits() -> Vec<Check> {
    let files = match thread::limit(Limit::OpenFiles) {
        Err(error) => Check::warn("open files", error.to_string(), "the limit cannot be seen"),
        Ok((soft, hard)) if soft < FILES_WANTED => Check::warn(
            "open files",
            format!("{soft} (hard limit {hard})"),
            format!("ulimit -n {FILES_WANTED}: each client and each file of the store needs one"),
        ),
        Ok((soft, _)) => Check::ok("open files", shown(soft)),
    };
    let locked = match thread::limit(Limit::LockedMemory) {
        Err(error) => Check::warn(
            "locked memory",
            error.to_string(),
            "the limit cannot be seen",
        ),
        // io_uring and AF_XDP count against it on older kernels, `--lock-memory` everywhere.
        Ok((soft, _)) if soft < LOCKED_WANTED && !thread::may_lock() => Check::warn(
            "locked memory",
            shown(soft),
            "ulimit -l unlimited, or CAP_IPC_LOCK: --lock-memory keeps a lane's pages from being \
             swapped out",
        ),
        Ok((soft, _)) => Check::ok("locked memory", shown(soft)),
    };
    vec![files, locked]
}

fn shown(limit: u64) -> String {
    if limit == u64::MAX {
        "unlimited".to_owned()
    } else {
        limit.to_string()
    }
}
