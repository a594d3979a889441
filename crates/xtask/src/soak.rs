//! `cargo xtask soak`: hours of a full market through every output, by testdata/outlets/soak.py.

use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};

use crate::check::cargo_in;
use crate::process::{shown, succeeds};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// Builds for speed with every output, unless `--ouzel` names a program, and runs the script with what was given.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let tools = Tools::new(&workspace.root, true);
    let python = tools.python().map_err(|why| anyhow!(why))?;
    let mut command = Command::new(python);
    command
        .arg("testdata/outlets/soak.py")
        .args(arguments)
        .current_dir(&workspace.root);
    if !arguments.iter().any(|argument| argument == "--ouzel") {
        command.arg("--ouzel").arg(build(workspace)?);
    }
    println!("$ {}", shown(&command));
    let status = command.status().context("cannot start the script")?;
    Ok(status.success())
}

/// The program is copied aside: what is built meanwhile must not replace what runs.
fn build(workspace: &Workspace) -> Result<std::path::PathBuf> {
    let what = [
        "build",
        "--release",
        "--package",
        "ouzel",
        "--features",
        "outlets",
    ];
    ensure!(
        succeeds(&mut cargo_in(workspace, &what))?,
        "`ouzel` does not build with --features outlets"
    );
    let folder = workspace.target.join("xtask-soak");
    std::fs::create_dir_all(&folder).context("making a folder for the program")?;
    let program = folder.join("ouzel");
    std::fs::copy(workspace.target.join("release/ouzel"), &program)
        .context("keeping the program")?;
    Ok(program)
}
