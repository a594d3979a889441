//! Checks of whatever may interrupt a lane or slow its core: the scheduler, other cores' work,
//! power saving, the container, the hypervisor.

use super::Check;
use super::system::{System, names_core};

/// A wake-up from an idle state slower than this shows in a p99.
const IDLE_EXIT_US: i64 = 10;
/// Share of time taken by the hypervisor that is worth a word, in thousandths.
const STEAL_PERMILLE: u64 = 1;

pub(super) fn isolation(system: &System) -> Check {
    const NAME: &str = "isolated cores";
    let list = |path: &str| {
        system
            .read(path)
            .filter(|text| !text.is_empty() && text != "(null)")
    };
    let isolated = list("/sys/devices/system/cpu/isolated");
    let tickless = list("/sys/devices/system/cpu/nohz_full");
    match (isolated, tickless) {
        (Some(isolated), Some(tickless)) => {
            Check::ok(NAME, format!("isolcpus {isolated}, nohz_full {tickless}"))
        }
        (isolated, tickless) => Check::warn(
            NAME,
            format!(
                "isolcpus {}, nohz_full {}",
                isolated.as_deref().unwrap_or("none"),
                tickless.as_deref().unwrap_or("none")
            ),
            "other threads and the clock tick share the lane's core: boot with isolcpus=N \
             nohz_full=N rcu_nocbs=N and run with --core N",
        ),
    }
}

pub(super) fn governor(system: &System) -> Check {
    const NAME: &str = "frequency governor";
    let mut governors: Vec<String> = cpus(system)
        .into_iter()
        .filter_map(|cpu| {
            let path = format!("/sys/devices/system/cpu/{cpu}/cpufreq/scaling_governor");
            system.read(&path)
        })
        .collect();
    governors.dedup();
    match &governors[..] {
        [] => Check::ok(NAME, "not controlled from here"),
        [one] if one == "performance" => Check::ok(NAME, one.clone()),
        _ => Check::warn(
            NAME,
            governors.join(", "),
            "cores clock down when idle and need time to come back: cpupower frequency-set -g \
             performance",
        ),
    }
}

pub(super) fn idle_states(system: &System) -> Check {
    const NAME: &str = "idle states";
    let states = "/sys/devices/system/cpu/cpu0/cpuidle";
    if system.names(states).is_empty() {
        return Check::ok(NAME, "not controlled from here");
    }
    let mut deepest = (0, String::from("none"));
    for state in system.names(states) {
        let read = |file: &str| system.read(&format!("{states}/{state}/{file}"));
        if read("disable").is_some_and(|disabled| disabled != "0") {
            continue;
        }
        let exit_us = read("latency")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        if exit_us > deepest.0 {
            deepest = (exit_us, read("name").unwrap_or(state));
        }
    }
    let found = format!("deepest {} ({} us to leave)", deepest.1, deepest.0);
    if deepest.0 > IDLE_EXIT_US {
        return Check::warn(
            NAME,
            found,
            "a lane that parks wakes late: run with --spin, or boot with processor.max_cstate=1 \
             (intel_idle.max_cstate=1)",
        );
    }
    Check::ok(NAME, found)
}

pub(super) fn siblings(system: &System) -> Check {
    const NAME: &str = "hyper-threads";
    match system.read("/sys/devices/system/cpu/smt/active").as_deref() {
        Some("1") => Check::warn(
            NAME,
            "on",
            "a lane shares its core's caches and units with whatever runs on the sibling: leave \
             that idle, or echo off > /sys/devices/system/cpu/smt/control",
        ),
        Some(_) => Check::ok(NAME, "off"),
        None => Check::ok(NAME, "not told here"),
    }
}

pub(super) fn nodes(system: &System) -> Check {
    const NAME: &str = "memory nodes";
    match system.read("/sys/devices/system/node/online").as_deref() {
        None => Check::ok(NAME, "one"),
        Some("0") => Check::ok(NAME, "one"),
        Some(nodes) => Check::warn(
            NAME,
            nodes,
            "memory of another node is slower: run under numactl --cpunodebind=N --membind=N, N \
             being the card's node",
        ),
    }
}

pub(super) fn interrupts(system: &System, core: Option<usize>) -> Check {
    const NAME: &str = "interrupts on the lane's core";
    let Some(core) = core else {
        return Check::ok(NAME, "no core of its own");
    };
    let irqs = system.names("/proc/irq");
    let here = irqs
        .iter()
        .filter(|irq| irq.parse::<u32>().is_ok())
        .filter(|irq| {
            let list = |file: &str| {
                system
                    .read(&format!("/proc/irq/{irq}/{file}"))
                    .filter(|text| !text.is_empty())
            };
            // Where the kernel tells where it really sends them, that; else where it may.
            let cores = list("effective_affinity_list").or_else(|| list("smp_affinity_list"));
            cores.is_some_and(|cores| names_core(&cores, core))
        });
    match here.count() {
        0 => Check::ok(NAME, format!("none on core {core}")),
        count => Check::warn(
            NAME,
            format!("{count} may come to core {core}"),
            "each stops the lane for microseconds: stop irqbalance and write other cores to \
             /proc/irq/*/smp_affinity_list (tuna --cpus N --isolate does both)",
        ),
    }
}

pub(super) fn throttling(system: &System) -> Check {
    const NAME: &str = "real-time throttling";
    let runtime = system.number("/proc/sys/kernel/sched_rt_runtime_us");
    let period = system
        .number("/proc/sys/kernel/sched_rt_period_us")
        .unwrap_or(1_000_000);
    match runtime {
        None => Check::ok(NAME, "not told here"),
        Some(us) if us < 0 || us >= period => Check::ok(NAME, "off"),
        Some(us) => Check::warn(
            NAME,
            format!("{us} of {period} us"),
            "a lane that spins with real-time priority is stopped for the rest of each period: \
             sysctl -w kernel.sched_rt_runtime_us=-1, with a core left for everything else",
        ),
    }
}

pub(super) fn watchdog(system: &System) -> Check {
    const NAME: &str = "watchdog";
    match system.read("/proc/sys/kernel/nmi_watchdog").as_deref() {
        Some("1") => Check::warn(
            NAME,
            "on",
            "it interrupts every core: sysctl -w kernel.nmi_watchdog=0",
        ),
        _ => Check::ok(NAME, "off"),
    }
}

pub(super) fn mitigations(system: &System) -> Check {
    const NAME: &str = "kernel mitigations";
    let folder = "/sys/devices/system/cpu/vulnerabilities";
    let active: Vec<String> = system
        .names(folder)
        .into_iter()
        .filter(|name| {
            let state = system.read(&format!("{folder}/{name}"));
            state.is_some_and(|state| state.starts_with("Mitigation"))
        })
        .collect();
    let has = |name: &str| active.iter().any(|active| active == name);
    let found = if active.is_empty() {
        "none active".to_owned()
    } else {
        active.join(" ")
    };
    if has("meltdown") || has("retbleed") || has("mds") {
        return Check::warn(
            NAME,
            found,
            "each system call costs more: receive with --receive io_uring or af_xdp, which make \
             fewer; mitigations=off only on a machine that runs nothing else",
        );
    }
    Check::ok(NAME, found)
}

/// What the container may use. Both versions of control groups.
pub(super) fn container(system: &System) -> Check {
    const NAME: &str = "container limits";
    let own = system.read("/proc/self/cgroup").unwrap_or_default();
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap_or("/");
    let groups = [own.trim_end_matches('/'), ""].map(|group| format!("/sys/fs/cgroup{group}"));
    let first = |file: &str| {
        groups
            .iter()
            .find_map(|group| system.read(&format!("{group}/{file}")))
    };
    let quota = first("cpu.max")
        .and_then(|text| {
            let (quota, period) = text.split_once(' ')?;
            Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
        })
        .or_else(|| {
            let quota = system.number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")?;
            let period = system.number("/sys/fs/cgroup/cpu/cpu.cfs_period_us")?;
            (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
        });
    let memory = first("memory.max").and_then(|text| text.parse::<u64>().ok());
    let memory = memory.map_or("no limit of memory".to_owned(), |bytes| {
        format!("{} of memory", super::mebibytes(bytes))
    });
    match quota {
        None => Check::ok(NAME, format!("no limit of processor time, {memory}")),
        Some(cores) => Check::warn(
            NAME,
            format!("{cores:.1} cores of processor time, {memory}"),
            "when the quota of a period is used up all threads stand still for tens of \
             milliseconds: give whole cores (cpuset) instead of a quota",
        ),
    }
}

/// Processor time that the hypervisor gave to others, since the start of the machine.
pub(super) fn steal(system: &System) -> Check {
    const NAME: &str = "stolen time";
    let stat = system.read("/proc/stat").unwrap_or_default();
    let times: Vec<u64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|number| number.parse().ok())
        .collect();
    let (total, stolen) = (
        times.iter().take(8).sum::<u64>(),
        times.get(7).copied().unwrap_or(0),
    );
    if total == 0 {
        return Check::warn(NAME, "cannot be read", "run on Linux with /proc mounted");
    }
    let found = format!(
        "{:.2} % since the machine started",
        stolen as f64 * 100.0 / total as f64
    );
    if stolen * 1_000 > total * STEAL_PERMILLE {
        return Check::warn(
            NAME,
            found,
            "the hypervisor takes the cores away at times: no setting here helps, a machine with \
             cores of its own does",
        );
    }
    Check::ok(NAME, found)
}

fn cpus(system: &System) -> Vec<String> {
    let names = system.names("/sys/devices/system/cpu");
    let is_cpu = |name: &String| {
        name.strip_prefix("cpu")
            .is_some_and(|number| number.parse::<u32>().is_ok())
    };
    names.into_iter().filter(is_cpu).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    /// A system made of files.
    struct Fake(tempfile::TempDir);

    impl Fake {
        fn new(files: &[(&str, &str)]) -> Self {
            let fake = Self(tempfile::tempdir().expect("a folder"));
            files.iter().for_each(|(path, text)| fake.put(path, text));
            fake
        }

        fn put(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, format!("{text}\n")).expect("written");
        }

        fn system(&self) -> System {
            System::at(self.0.path())
        }
    }

    type Checking = fn(&System) -> Check;
    type Files = &'static [(&'static str, &'static str)];

    /// Each check on a system that is as it should be and on one that is not.
    const CASES: &[(Checking, Files, Files)] = &[
        (
            isolation,
            &[
                ("sys/devices/system/cpu/isolated", "2-3"),
                ("sys/devices/system/cpu/nohz_full", "2-3"),
            ],
            &[
                ("sys/devices/system/cpu/isolated", ""),
                ("sys/devices/system/cpu/nohz_full", "(null)"),
            ],
        ),
        (
            governor,
            &[
                (
                    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
                    "performance",
                ),
                (
                    "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor",
                    "performance",
                ),
                ("sys/devices/system/cpu/cpufreq/policy0", ""),
            ],
            &[
                (
                    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
                    "performance",
                ),
                (
                    "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor",
                    "powersave",
                ),
            ],
        ),
        (
            idle_states,
            &[
                ("sys/devices/system/cpu/cpu0/cpuidle/state0/latency", "0"),
                ("sys/devices/system/cpu/cpu0/cpuidle/state1/latency", "2"),
                ("sys/devices/system/cpu/cpu0/cpuidle/state2/latency", "133"),
                ("sys/devices/system/cpu/cpu0/cpuidle/state2/disable", "1"),
            ],
            &[
                ("sys/devices/system/cpu/cpu0/cpuidle/state2/latency", "133"),
                ("sys/devices/system/cpu/cpu0/cpuidle/state2/name", "C6"),
                ("sys/devices/system/cpu/cpu0/cpuidle/state2/disable", "0"),
            ],
        ),
        (
            siblings,
            &[("sys/devices/system/cpu/smt/active", "0")],
            &[("sys/devices/system/cpu/smt/active", "1")],
        ),
        (
            nodes,
            &[("sys/devices/system/node/online", "0")],
            &[("sys/devices/system/node/online", "0-1")],
        ),
        (
            |system| interrupts(system, Some(3)),
            &[
                ("proc/irq/24/smp_affinity_list", "0-3"),
                ("proc/irq/24/effective_affinity_list", "1"),
                ("proc/irq/default_smp_affinity", "f"),
            ],
            &[
                ("proc/irq/24/smp_affinity_list", "0-3"),
                ("proc/irq/25/smp_affinity_list", "0"),
            ],
        ),
        (
            throttling,
            &[("proc/sys/kernel/sched_rt_runtime_us", "-1")],
            &[("proc/sys/kernel/sched_rt_runtime_us", "950000")],
        ),
        (
            watchdog,
            &[("proc/sys/kernel/nmi_watchdog", "0")],
            &[("proc/sys/kernel/nmi_watchdog", "1")],
        ),
        (
            mitigations,
            &[(
                "sys/devices/system/cpu/vulnerabilities/meltdown",
                "Not affected",
            )],
            &[(
                "sys/devices/system/cpu/vulnerabilities/meltdown",
                "Mitigation: PTI",
            )],
        ),
        (
            container,
            &[
                ("proc/self/cgroup", "0::/"),
                ("sys/fs/cgroup/cpu.max", "max 100000"),
            ],
            &[
                ("proc/self/cgroup", "0::/app"),
                ("sys/fs/cgroup/app/cpu.max", "150000 100000"),
                ("sys/fs/cgroup/app/memory.max", "1073741824"),
            ],
        ),
        (
            steal,
            &[("proc/stat", "cpu  100 0 100 100000 0 0 0 0 0 0\ncpu0 1 2 3")],
            &[("proc/stat", "cpu  100 0 100 1000 0 0 0 77 0 0")],
        ),
    ];

    #[test]
    fn each_check_tells_a_good_system_from_a_bad_one() {
        for (check, good, bad) in CASES {
            let good = check(&Fake::new(good).system());
            assert_eq!(
                (good.status, good.advice.as_str()),
                (Status::Ok, ""),
                "{good:?}"
            );
            let bad = check(&Fake::new(bad).system());
            assert_eq!(bad.status, Status::Warn, "{bad:?}");
            assert!(!bad.advice.is_empty() && bad.name == good.name, "{bad:?}");
        }
    }

    #[test]
    fn what_is_found_is_said() {
        let fake = Fake::new(CASES[9].2);
        assert_eq!(
            container(&fake.system()).found,
            "1.5 cores of processor time, 1024.0 MiB of memory"
        );
        let fake = Fake::new(CASES[2].2);
        assert_eq!(
            idle_states(&fake.system()).found,
            "deepest C6 (133 us to leave)"
        );
        let fake = Fake::new(CASES[5].2);
        assert_eq!(
            interrupts(&fake.system(), Some(3)).found,
            "1 may come to core 3"
        );
    }

    #[test]
    fn nothing_is_guessed_where_nothing_can_be_read() {
        let empty = Fake::new(&[]).system();
        for (check, ..) in CASES {
            let check = check(&empty);
            assert!(!check.found.is_empty(), "{check:?}");
        }
    }
}
