//! The kernels under Miri, which interprets them and sees a read outside a slice, a wrong alignment or an
//! uninitialised byte that happens to do no harm.
//!
//! Miri takes the processor to have no more than its target, so what runs is the pointer code that all
//! instruction sets share, over the twin's lanes; intrinsics and mapped files it does not run.

use std::process::Command;

use anyhow::Result;

use super::cargo_test;
use crate::check::cargo_in;
use crate::process::{output_of, which};
use crate::steps::{Outcome, Step};
use crate::workspace::Workspace;

/// The step.
pub fn step(workspace: &Workspace) -> Step<'_> {
    Step::new("miri", "the kernels' unsafe code, interpreted", || {
        run(workspace)
    })
}

fn run(workspace: &Workspace) -> Result<Outcome> {
    // rustup's own cargo, as only that one takes the name of a toolchain; it is asked for no download.
    let has_miri = which("rustup").is_some()
        && output_of(Command::new("rustup").args(["run", "nightly", "cargo-miri", "--version"]))
            .is_some();
    if !has_miri {
        return Ok(Outcome::Skipped(
            "no nightly with miri; `rustup toolchain install nightly --component miri,rust-src`"
                .to_string(),
        ));
    }
    let inner = cargo_in(workspace, &[]);
    let mut command = Command::new("rustup");
    command.args([
        "run", "nightly", "cargo", "miri", "test", "-p", "vector", "--lib",
    ]);
    command.current_dir(&workspace.root);
    for (key, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    // The cargo that runs us is of another toolchain.
    command
        .env_remove("CARGO")
        .env_remove("RUSTC")
        .env_remove("RUSTUP_TOOLCHAIN");
    command.env("CARGO_TARGET_DIR", workspace.root.join("target/miri"));
    cargo_test::counted(command)
}
