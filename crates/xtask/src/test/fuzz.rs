//! The fuzz targets, each for a few seconds: long enough to catch a decoder that any bytes can break, short enough
//! for every run. fuzz/README.md says how to run one for longer.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::check::cargo_in;
use crate::process::succeeds;
use crate::steps::{Outcome, Step};
use crate::tools::Tools;
use crate::workspace::Workspace;

const SECONDS: u32 = 10;
/// Coverage feedback without nightly: the passes that `cargo fuzz` asks for by a flag of its own, through the
/// stable `-C` switches.
const RUSTFLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions";

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
    let mut build = cargo_in(
        workspace,
        &["build", "--quiet", "--release", "--bin", target],
    );
    build.arg("--target-dir").arg(fuzz.join("target"));
    build.current_dir(&fuzz).env("RUSTFLAGS", RUSTFLAGS);
    if !succeeds(&mut build)? {
        return Ok(Outcome::of(false, "the target does not build"));
    }
    let corpus = fuzz.join("corpus").join(target);
    std::fs::create_dir_all(&corpus)?;
    std::fs::create_dir_all(fuzz.join("artifacts"))?;
    let mut command = Command::new(fuzz.join("target/release").join(target));
    command
        .arg(&corpus)
        .args(seeds(&fuzz, target))
        .current_dir(&fuzz)
        .args([
            &format!("-max_total_time={SECONDS}"),
            "-rss_limit_mb=2048",
            "-timeout=5",
            "-verbosity=0",
            "-print_final_stats=1",
            "-artifact_prefix=artifacts/",
        ]);
    Ok(Outcome::of(
        succeeds(&mut command)?,
        "the input that broke it is in fuzz/artifacts; make it a unit test",
    ))
}

/// The folder of inputs kept in the repository for a target, when there is one.
fn seeds(fuzz: &Path, target: &str) -> Option<std::path::PathBuf> {
    Some(fuzz.join("seeds").join(target)).filter(|folder| folder.is_dir())
}
