//! `cargo xtask check`: what a change must pass before it is read.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process::succeeds;
use crate::steps::{self, Outcome, Step};
use crate::tidy;
use crate::tools::Tools;
use crate::workspace::{Workspace, cargo};

/// Runs the checks; false when one failed.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    if !arguments.is_empty() {
        bail!("`cargo xtask check` takes no arguments");
    }
    let tools = Tools::new(&workspace.root, true);
    Ok(steps::run(checks(workspace, &tools)))
}

/// The checks as steps, so that `test` can begin with them.
pub fn checks<'a>(workspace: &'a Workspace, tools: &'a Tools) -> Vec<Step<'a>> {
    vec![
        Step::new("tidy", "layers, bans, sizes, stale paths", || {
            Ok(Outcome::of(
                tidy::run(workspace, &[])?,
                "the findings above",
            ))
        }),
        Step::new("fmt", "formatting", || {
            let ok = succeeds(&mut cargo_in(workspace, &["fmt", "--all", "--", "--check"]))?;
            Ok(Outcome::of(ok, "run `cargo fmt --all`"))
        }),
        Step::new("clippy", "lints, warnings are errors", || {
            let arguments = [
                "clippy",
                "--workspace",
                "--all-targets",
                "--quiet",
                "--",
                "-D",
                "warnings",
            ];
            Ok(Outcome::of(
                succeeds(&mut cargo_in(workspace, &arguments))?,
                "the lints above",
            ))
        }),
        Step::new(
            "licences",
            "cargo deny: licences, bans and sources of every dependency",
            || deny(workspace, tools, &["licenses", "bans", "sources"]),
        ),
        Step::new("advisories", "cargo deny: known vulnerabilities", || {
            advisories(workspace, tools)
        }),
    ]
}

/// `cargo` with these arguments in the root. What the cargo that runs us told us about ourselves is taken away:
/// build scripts that watch those variables would run again on every change between a plain build and ours.
pub fn cargo_in(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo());
    command.args(arguments).current_dir(&workspace.root);
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        let is_ours = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
            "CARGO_PRIMARY_",
        ];
        if is_ours.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&key);
        }
    }
    command
}

fn deny(workspace: &Workspace, tools: &Tools, checks: &[&str]) -> Result<Outcome> {
    let program = match tools.cargo_deny() {
        Ok(program) => program,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    let mut command = deny_command(&program, &workspace.root);
    command
        .arg("check")
        .arg("--hide-inclusion-graph")
        .args(checks);
    Ok(Outcome::of(
        succeeds(&mut command)?,
        "see deny.toml: choose another dependency, or allow it with a reason",
    ))
}

/// The advisory database is fetched from GitHub, which a closed network does not reach: that is a skip and not a
/// pass. A database from an earlier run is used when there is one.
fn advisories(workspace: &Workspace, tools: &Tools) -> Result<Outcome> {
    let program = match tools.cargo_deny() {
        Ok(program) => program,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    let mut fetch = deny_command(&program, &workspace.root);
    let fetched = fetch.args(["fetch", "db"]).output()?.status.success();
    let mut command = deny_command(&program, &workspace.root);
    command.args(["--offline", "check", "advisories"]);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        let age = if fetched {
            "fetched now"
        } else {
            "from an earlier run"
        };
        println!("no known vulnerability (database {age})");
        return Ok(Outcome::of(true, ""));
    }
    // A finding is `error[vulnerability]` and its like; without a fetch, any other failure is a missing database.
    if !fetched && !said.contains("error[") {
        return Ok(Outcome::Skipped(
            "no database: github.com/rustsec/advisory-db is not reachable from here".to_string(),
        ));
    }
    print!("{said}");
    Ok(Outcome::of(
        false,
        "update the dependency, or ignore the advisory in deny.toml with a reason",
    ))
}

fn deny_command(program: &Path, root: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--all-features", "--color", "never"])
        .current_dir(root);
    command
}
