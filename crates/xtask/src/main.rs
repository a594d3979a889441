//! The project's own commands, run as `cargo xtask <command>`.
//!
//! Everything a contributor or a build machine runs goes through here, so that the README, the build machine and
//! a person at a keyboard all say the same words. Plain Rust and two small dependencies, because this is the
//! first thing a stranger compiles.

#![allow(
    clippy::disallowed_methods,
    reason = "steps are timed and a starting demo is waited for, in real time"
)]

mod bench;
mod check;
mod demo;
mod process;
mod soak;
mod source;
mod steps;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

const USAGE: &str = "\
cargo xtask <command>

  test [--only NAME] [--list] [--no-install]
                  everything: the checks below, unit and property tests, fuzz targets, conformance with
                  independent decoders, the console in a real browser. Installs what the tests need into
                  .venv and .tools (and Debian packages where it may), and says so.
  check           tidy, formatting, lints, licences: what a change must pass before it is read
  tidy [--update] the house rules: layers, bans, sizes, stale paths. --update lowers the ratchet, never raises it
  bench [stream|vector|answers] [-- ARGS]
                  benchmarks beside a peer or a physical limit; one JSON object per line, then a table
  soak [--minutes 60] [--rate 500000] [--folder DIR] [--ouzel BINARY]
                  a simulated venue through `ouzel serve` with every output on and a reader behind each; PASS when
                  memory stood still and every loss was told
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs one command; false when it ran and found something wrong.
fn run(arguments: &[String]) -> anyhow::Result<bool> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    match command {
        "test" => test::run(&Workspace::load()?, rest),
        "check" => check::run(&Workspace::load()?, rest),
        "tidy" => tidy::run(&Workspace::load()?, rest),
        "bench" => bench::run(&Workspace::load()?, rest),
        "soak" => soak::run(&Workspace::load()?, rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(true)
        }
        other => anyhow::bail!("no command named `{other}`\n\n{USAGE}"),
    }
}
