//! `ouzel profile`: where a running program spends its time, by `perf`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};

use crate::args::ProfileArgs;
use crate::print;

/// A prime, so that it keeps no step with timers.
const SAMPLES_PER_SECOND: &str = "997";
/// Hot functions shown.
const SHOWN: usize = 15;

const RECIPE: &str = "\
perf is not here. Where it is, the same by hand:
  perf record -F 997 --call-graph dwarf -p PID -- sleep 30
  perf script | stackcollapse-perf.pl | flamegraph.pl > profile.svg
It comes with the kernel's tools (Debian: linux-perf). Build with debug = \"line-tables-only\" for names of inlined functions.";

/// Samples the stacks of a process, writes them folded and says what is hot.
pub fn run(args: &ProfileArgs) -> Result<ExitCode> {
    let has_perf = Command::new("perf")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has_perf {
        print::line(RECIPE);
        return Ok(ExitCode::FAILURE);
    }
    let data = args.out.with_extension("perf");
    record(args, &data)?;
    let script = Command::new("perf")
        .args(["script", "-F", "comm,ip,sym", "-i"])
        .arg(&data)
        .stderr(Stdio::null())
        .output()
        .context("cannot read what perf recorded")?;
    let stacks = fold(&String::from_utf8_lossy(&script.stdout));
    ensure!(
        !stacks.is_empty(),
        "perf took no sample of process {}: is it running, and at work?",
        args.pid
    );
    let text: String = stacks
        .iter()
        .map(|(stack, count)| format!("{stack} {count}\n"))
        .collect();
    std::fs::write(&args.out, text)
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    // Large, and folded now; what cannot be removed is the user's to remove.
    let _ = std::fs::remove_file(&data);
    report(args, &stacks);
    Ok(ExitCode::SUCCESS)
}

fn record(args: &ProfileArgs, data: &Path) -> Result<()> {
    let output = Command::new("perf")
        .args(["record", "-q", "-F", SAMPLES_PER_SECOND])
        .args(["--call-graph", "dwarf,16384", "-p", &args.pid.to_string()])
        .arg("-o")
        .arg(data)
        .args(["--", "sleep", &args.seconds.to_string()])
        .output()
        .context("cannot run perf")?;
    ensure!(
        output.status.success(),
        "perf cannot sample process {}: {}; root may, or sysctl -w kernel.perf_event_paranoid=1",
        args.pid,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

fn report(args: &ProfileArgs, stacks: &BTreeMap<String, u64>) {
    let total: u64 = stacks.values().sum();
    let mut own: BTreeMap<&str, u64> = BTreeMap::new();
    for (stack, count) in stacks {
        let leaf = stack.rsplit(';').next().unwrap_or_default();
        *own.entry(leaf).or_default() += count;
    }
    let mut hot: Vec<(&str, u64)> = own.into_iter().collect();
    hot.sort_by_key(|&(name, count)| (std::cmp::Reverse(count), name));
    print::line(format!(
        "{total} samples; by the function that was running:"
    ));
    for (name, count) in hot.into_iter().take(SHOWN) {
        let share = count as f64 * 100.0 / total as f64;
        print::line(format!("  {share:5.1} %  {name}"));
    }
    print::line(format!(
        "stacks in {}: open it at speedscope.app, or flamegraph.pl {} > profile.svg",
        args.out.display(),
        args.out.display()
    ));
}

/// One line a stack, the outermost function first, and how often it was seen: what flame graph
/// programs read. `script` is the output of `perf script -F comm,ip,sym`.
fn fold(script: &str) -> BTreeMap<String, u64> {
    let mut stacks = BTreeMap::new();
    let mut thread = "";
    let mut frames: Vec<&str> = Vec::new();
    for line in script.lines() {
        if line.trim().is_empty() {
            end(&mut stacks, thread, &mut frames);
        } else if !line.starts_with(char::is_whitespace) {
            end(&mut stacks, thread, &mut frames);
            thread = line.trim();
        } else if let Some((_, name)) = line.trim().split_once(' ') {
            frames.push(name.trim());
        }
    }
    end(&mut stacks, thread, &mut frames);
    stacks
}

/// Counts a stack that is whole, innermost function first, and begins the next.
fn end<'a>(stacks: &mut BTreeMap<String, u64>, thread: &'a str, frames: &mut Vec<&'a str>) {
    if frames.is_empty() {
        return;
    }
    frames.push(thread);
    frames.reverse();
    *stacks.entry(frames.join(";")).or_default() += 1;
    frames.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_are_folded_from_the_outside_in() {
        let script = "lane-0 \n\t    55d0 market::book::add\n\t    55a0 engine::lane::work\n\n\
            lane-0 \n\t    55d0 market::book::add\n\t    55a0 engine::lane::work\n\n\
            pump \n\t  7f00 [unknown]\n";
        let folded = fold(script);
        let want = [
            ("lane-0;engine::lane::work;market::book::add", 2),
            ("pump;[unknown]", 1),
        ];
        let want = want.map(|(stack, count)| (stack.to_owned(), count));
        assert_eq!(folded, BTreeMap::from(want));
        assert!(fold("").is_empty() && fold("lane-0 \n\n").is_empty());
    }
}
