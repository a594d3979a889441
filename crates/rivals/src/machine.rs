//! What a figure was measured on: processor, cores, commit; and quiet cores where we may have them.

use std::process::Command;

/// Said with every figure.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Processor and cores.
    pub name: String,
    /// Short hash, with `-dirty` when tracked files differ from it.
    pub commit: String,
    /// How measuring threads run: real-time priority on fixed cores, or as any other thread.
    pub scheduling: &'static str,
}

impl Machine {
    /// Reads `/proc/cpuinfo` and asks git; what cannot be had is `unknown`.
    pub fn here() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let model = std::fs::read_to_string("/proc/cpuinfo")
            .ok()
            .and_then(|text| {
                let line = text.lines().find(|line| line.starts_with("model name"))?;
                Some(line.split_once(':')?.1.trim().to_owned())
            });
        let model = model.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        Self {
            name: format!("{model}, {cores} cores"),
            commit: commit().unwrap_or_else(|| "unknown".to_owned()),
            scheduling: "normal",
        }
    }

    /// Load averages as the system says them, for the reader to judge how quiet it was.
    pub fn load() -> String {
        let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        text.split(' ').take(3).collect::<Vec<_>>().join(" ")
    }
}

fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let hash = git(&["rev-parse", "--short", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() {
        hash
    } else {
        format!("{hash}-dirty")
    })
}

/// Puts the calling thread on `core` with real-time priority, so that what else runs on the
/// machine does not show. Goes through `taskset` and `chrt`, which name a thread by its number,
/// because std has no call for it. False where the system does not allow it: the thread then runs
/// as any other. `OUZEL_BENCH_FIFO=0` leaves it alone.
pub fn hold_core(core: usize) -> bool {
    if std::env::var("OUZEL_BENCH_FIFO").is_ok_and(|value| value == "0") {
        return false;
    }
    // "4711/task/4712": the last part is this thread.
    let Ok(link) = std::fs::read_link("/proc/thread-self") else {
        return false;
    };
    let Some(thread) = link.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let ran = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    let core = core.to_string();
    ran("taskset", &["-p", "-c", &core, thread]) && ran("chrt", &["-f", "-p", "50", thread])
}

/// Runs `work` on a thread of its own that holds `core` if it may, and says whether it did: priority
/// and core stay with a thread and whatever it starts, so the caller's must not change.
pub fn held<T: Send>(core: usize, work: impl FnOnce() -> T + Send) -> (bool, T) {
    std::thread::scope(|scope| {
        let measuring = scope.spawn(|| (hold_core(core), work()));
        measuring
            .join()
            .expect("a comparison that failed has said why on its own thread")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_a_name_and_a_commit() {
        let machine = Machine::here();
        assert!(machine.name.contains("core") && !machine.commit.is_empty());
        assert_eq!(Machine::load().split(' ').count(), 3);
    }
}
