//! The ways out that are cargo features, through independent readers: one build with all of them, then a script each.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::outside::{run_script, with_tool};
use crate::check::cargo_in;
use crate::process::{shown, succeeds};
use crate::steps::Step;
use crate::tools::Tools;
use crate::workspace::Workspace;

/// The feature of `ouzel` that has them all.
const FEATURE: &str = "outlets";
const STEPS: [(&str, &str); 1] = [(
    "nats",
    "frames through a real nats-server, read by nats-py: equal to the stream, holes told",
)];

/// One step a way out.
pub fn steps<'a>(workspace: &'a Workspace, tools: &'a Tools) -> Vec<Step<'a>> {
    let step = |(name, about): (&'static str, &'static str)| {
        Step::new(format!("outlets:{name}"), about, move || {
            with_tool(tools.python(), |python| {
                let mut command = Command::new(python);
                command.arg(format!("testdata/outlets/{name}_test.py"));
                command.arg("--ouzel").arg(build(workspace)?);
                run_script(command.current_dir(&workspace.root))
            })
        })
    };
    STEPS.into_iter().map(step).collect()
}

/// Builds the binary with the settings of the tests, unless it is built, and keeps it apart from the one without
/// the features.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let profile = ["build", "--quiet", "--profile", "test"];
    let what = ["--package", "ouzel", "--features", FEATURE];
    let mut command = cargo_in(workspace, &[profile.as_slice(), &what].concat());
    println!("$ {}", shown(&command));
    ensure!(
        succeeds(&mut command)?,
        "`ouzel` does not build with --features {FEATURE}"
    );
    let folder = workspace.target.join("xtask-outlets");
    std::fs::create_dir_all(&folder).context("making a folder for the program")?;
    let program = folder.join("ouzel");
    std::fs::copy(workspace.target.join("debug/ouzel"), &program).context("keeping the program")?;
    Ok(program)
}
