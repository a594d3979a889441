//! `cargo xtask bench`: hands over to the `rivals` crate, built for speed.

use anyhow::{Result, bail};

use crate::check::cargo_in;
use crate::process::succeeds;
use crate::workspace::Workspace;

const SUITES: &[&str] = &["stream", "receive", "vector", "answers"];

/// Runs one suite, or all of them; what follows the suite is passed on.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    if let Some(first) = arguments.first()
        && !first.starts_with('-')
        && !SUITES.contains(&first.as_str())
    {
        bail!(
            "no suite named `{first}`; there are {}, or none for all",
            SUITES.join(", ")
        );
    }
    println!("building the benchmarks (release), then one JSON object per figure and a table");
    let mut command = cargo_in(
        workspace,
        &["run", "--release", "--quiet", "-p", "rivals", "--"],
    );
    command.args(arguments.iter().filter(|argument| *argument != "--"));
    succeeds(&mut command)
}
