//! The fuzz targets, each for a few seconds: long enough to catch a decoder that any bytes can break, short enough
//! for every run. fuzz/README.md says how to run one for longer.

use std::process::Command;

use anyhow::{Context, Result};

use crate::check::cargo_in;
use crate::process::{output_of, succeeds};
use crate::steps::{Outcome, Step};
use crate::tools::Tools;
use crate::workspace::Workspace;

const SECONDS: u32 = 10;
/// Coverage feedback without nightly, as fuzz/README.md has it: the passes that `cargo fuzz` asks for by a flag of
/// its own, through the stable `-C` switches.
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks --cfg fuzzing";

/// One step per target; a single skipped step where there is no fuzz folder.
pub fn steps<'a>(workspace: &'a Workspace, tools: &'a Tools) -> Vec<Step<'a>> {
    let targets = workspace.files("fuzz/fuzz_targets", &["rs"]);
    if targets.is_empty() {
        let skipped = || {
            Ok(Outcome::Skipped(
                "no targets in fuzz/fuzz_targets".to_string(),
            ))
        };
        return vec![Step::new("fuzz", "fuzz targets", skipped)];
    }
    targets
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .map(|target| {
            let about = format!("any bytes into the decoder for {SECONDS} s");
            Step::new(format!("fuzz:{target}"), about, move || {
                run(workspace, tools, &target)
            })
        })
        .collect()
}

fn run(workspace: &Workspace, tools: &Tools, target: &str) -> Result<Outcome> {
    // libFuzzer comes as C++ source inside its crate.
    if let Err(why) = tools.debian("g++", &["g++"]) {
        return Ok(Outcome::Skipped(why));
    }
    let fuzz = workspace.root.join("fuzz");
    let host = host()?;
    // Naming the target keeps the flags away from build scripts and proc macros.
    let mut build = cargo_in(
        workspace,
        &["build", "--quiet", "--release", "--bin", target],
    );
    build
        .args(["--target", &host, "--target-dir"])
        .arg(fuzz.join("target"));
    build.current_dir(&fuzz).env("RUSTFLAGS", RUSTFLAGS);
    if !succeeds(&mut build)? {
        return Ok(Outcome::of(false, "the target does not build"));
    }
    let corpus = fuzz.join("corpus").join(target);
    let artifacts = fuzz.join("artifacts").join(target);
    std::fs::create_dir_all(&corpus)?;
    std::fs::create_dir_all(&artifacts)?;
    let mut command = Command::new(fuzz.join("target").join(&host).join("release").join(target));
    command.arg(&corpus).current_dir(&fuzz).args([
        &format!("-max_total_time={SECONDS}"),
        "-max_len=4096",
        "-timeout=5",
        "-rss_limit_mb=512",
        "-verbosity=0",
        "-print_final_stats=1",
        &format!("-artifact_prefix={}/", artifacts.display()),
    ]);
    let dictionary = fuzz
        .join("dictionaries")
        .join(target)
        .with_extension("dict");
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    Ok(Outcome::of(
        succeeds(&mut command)?,
        "the input that broke it is in fuzz/artifacts; make it a unit test",
    ))
}

/// The machine we build on, as rustc names it.
fn host() -> Result<String> {
    let said = output_of(Command::new("rustc").arg("-vV")).context("cannot start rustc")?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_string())
}
