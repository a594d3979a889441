//! Checks of the network card and of the ways to receive.

use super::system::System;
use super::{Check, Wanted};
use crate::sys::{bpf, interface, uring};

pub(super) fn card(system: &System, wanted: &Wanted) -> Check {
    const NAME: &str = "network interface";
    let (name, _) = match interface::by_address(wanted.interface) {
        Ok(found) => found,
        Err(error) => {
            return Check::warn(
                NAME,
                error.to_string(),
                "give the address of the interface that the groups come in on (--interface)",
            );
        }
    };
    describe(system, &name)
}

fn describe(system: &System, name: &str) -> Check {
    const NAME: &str = "network interface";
    let folder = format!("/sys/class/net/{name}");
    let queues = system.names(&format!("{folder}/queues"));
    let receiving = queues
        .iter()
        .filter(|queue| queue.starts_with("rx-"))
        .count();
    let node = system
        .number(&format!("{folder}/device/numa_node"))
        .filter(|&node| node >= 0)
        .map_or(String::new(), |node| format!(", on memory node {node}"));
    let count = |counter: &str| {
        let path = format!("{folder}/statistics/{counter}");
        system.number(&path).unwrap_or(0)
    };
    let (missed, fifo) = (count("rx_missed_errors"), count("rx_fifo_errors"));
    let found = format!("{name}, receive queues: {receiving}{node}");
    if missed + fifo > 0 {
        return Check::warn(
            NAME,
            format!("{found}; it lost {missed} packets for want of buffers, {fifo} in its queue"),
            format!(
                "larger rings: ethtool -G {name} rx N (ethtool -g {name} says how large they may \
                 be)"
            ),
        );
    }
    Check::ok(NAME, format!("{found}, no packet lost in it"))
}

pub(super) fn io_uring(system: &System) -> Check {
    const NAME: &str = "io_uring";
    let setting = system.number("/proc/sys/kernel/io_uring_disabled");
    match uring::RingArena::new(8, 2_048) {
        Ok(_) => Check::ok(NAME, "multishot receive with provided buffers can be used"),
        Err(error) => Check::warn(
            NAME,
            match setting {
                Some(level) if level > 0 => format!("{error} (kernel.io_uring_disabled={level})"),
                _ => error.to_string(),
            },
            "--receive io_uring falls back to recvmmsg: needs Linux 6.1, and sysctl -w \
             kernel.io_uring_disabled=0; containers often forbid it by seccomp",
        ),
    }
}

pub(super) fn af_xdp() -> Check {
    const NAME: &str = "AF_XDP";
    match bpf::probe() {
        Ok(()) => Check::ok(NAME, "its socket and program can be made"),
        Err((step, error)) => Check::warn(
            NAME,
            format!("cannot {step}: {error}"),
            "--receive af_xdp falls back to gro: needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF (or \
             root) and Linux 6.1 with XDP sockets",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn a_card_that_lost_packets_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |path: &str, text: &str| {
            let path = folder.path().join("sys/class/net/eth9").join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        put("queues/rx-0/rps_cpus", "0");
        put("queues/rx-1/rps_cpus", "0");
        put("queues/tx-0/xps_cpus", "0");
        put("device/numa_node", "1");
        put("statistics/rx_missed_errors", "0");
        let system = System::at(folder.path());
        let check = describe(&system, "eth9");
        assert_eq!(check.status, Status::Ok);
        assert_eq!(
            check.found,
            "eth9, receive queues: 2, on memory node 1, no packet lost in it"
        );
        put("statistics/rx_missed_errors", "12");
        let check = describe(&system, "eth9");
        assert_eq!(check.status, Status::Warn);
        assert!(check.found.contains("lost 12") && check.advice.contains("ethtool -G eth9"));
    }
}
