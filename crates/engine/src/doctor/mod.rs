//! Whether this machine is fit to receive a market, and what to change when it is not.
//!
//! Every check looks, none changes anything. What cannot be looked at (another kernel, a closed
//! `/proc`) is a warning that says so, never a guess.

mod card;
mod machine;
mod network;
mod quiet;
mod system;

use std::net::Ipv4Addr;

use crate::lane::last_core;

pub use system::System;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Nothing to do.
    Ok,
    /// Works, but slower or less safe than it could.
    Warn,
    /// Something that a lane needs does not work.
    Fail,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How bad it is.
    pub status: Status,
    /// What was found, in one line.
    pub found: String,
    /// What to do about it; empty when nothing.
    pub advice: String,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            found: found.into(),
            advice: String::new(),
        }
    }

    fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Warn,
            found: found.into(),
            advice: advice.into(),
        }
    }

    fn fail(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Fail,
            found: found.into(),
            advice: advice.into(),
        }
    }
}

/// What the machine is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Socket buffer per line, bytes.
    pub buffer_bytes: usize,
    /// The interface that lines come in on.
    pub interface: Ipv4Addr,
    /// The core of the lane; `None`: the last one, where there are several.
    pub core: Option<usize>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            buffer_bytes: 8 << 20,
            interface: Ipv4Addr::LOCALHOST,
            core: None,
        }
    }
}

/// Whether somebody keeps the kernel's clock (chrony, ntpd, ptp4l), and how far it may be from UTC
/// at most by their own account, microseconds.
///
/// # Errors
/// What the kernel says.
pub fn clock_error() -> std::io::Result<(bool, i64)> {
    crate::sys::thread::clock_sync()
}

/// All checks with the default wants. Takes up to a second when multicast does not work.
#[must_use]
pub fn checks() -> Vec<Check> {
    checks_for(&Wanted::default())
}

/// All checks: network first, then the machine.
#[must_use]
pub fn checks_for(wanted: &Wanted) -> Vec<Check> {
    let system = &System::default();
    let lane_core = wanted.core.or_else(last_core);
    let mut all = vec![
        network::buffer_limit(system, wanted),
        network::buffer_granted(wanted),
        network::multicast(wanted),
        card::card(system, wanted),
        network::stamps(),
        network::offload(),
        card::io_uring(system),
        card::af_xdp(),
        network::busy_poll(system),
        machine::cpu(),
        machine::cores(),
        quiet::isolation(system),
        quiet::interrupts(system, lane_core),
        quiet::governor(system),
        quiet::idle_states(system),
        quiet::siblings(system),
        quiet::nodes(system),
        quiet::throttling(system),
        quiet::watchdog(system),
        quiet::mitigations(system),
        quiet::container(system),
        quiet::steal(system),
        machine::huge_pages(system),
        machine::clock_source(system),
        machine::clock_sync(),
        machine::clock_devices(system),
        machine::swap(system),
    ];
    all.extend(machine::limits());
    all
}

fn mebibytes(bytes: u64) -> String {
    let tenths = bytes * 10 / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_finding_is_named_once_and_advises_when_not_fine() {
        let all = checks();
        let names: HashSet<_> = all.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), all.len());
        for check in &all {
            assert!(!check.found.is_empty(), "{check:?}");
            assert_eq!(
                check.status == Status::Ok,
                check.advice.is_empty(),
                "{check:?}"
            );
        }
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(mebibytes(212_992), "0.2 MiB");
        assert_eq!(mebibytes(8 << 20), "8.0 MiB");
    }
}
