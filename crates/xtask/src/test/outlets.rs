//! The ways out that are cargo features, through independent readers: one build with all of them, then a script each.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::outside::{run_script, with_tool};
use crate::check::cargo_in;
use crate::process::{shown, succeeds, which};
use crate::steps::{Outcome, Step};
use crate::tools::Tools;
use crate::workspace::Workspace;

const KAFKA: &str = "kafka";
const SOURCES: &str = "sources";
const STEPS: [(&str, &str); 4] = [
    (
        "nats",
        "frames through a real nats-server, read by nats-py: equal to the stream, holes told",
    ),
    (
        "arrow",
        "IPC, Flight and Parquet files read by pyarrow and DuckDB: equal to the stream",
    ),
    (
        KAFKA,
        "frames through librdkafka's mock cluster and Tansu, read by confluent-kafka",
    ),
    (
        SOURCES,
        "documents in by a real nats-server and librdkafka's mock cluster, killed on the way: each once",
    ),
];

/// One step a way out.
pub fn steps<'a>(workspace: &'a Workspace, tools: &'a Tools) -> Vec<Step<'a>> {
    let step = |(name, about): (&'static str, &'static str)| {
        Step::new(format!("outlets:{name}"), about, move || {
            with_tool(tools.python(), |python| {
                if [KAFKA, SOURCES].contains(&name) && !has_compiler() {
                    let why = "librdkafka is built from source: install a C compiler and make";
                    return Ok(Outcome::Skipped(why.to_string()));
                }
                let mut command = Command::new(python);
                command.arg(format!("testdata/outlets/{name}_test.py"));
                command.arg("--ouzel").arg(build(workspace)?);
                run_script(command.current_dir(&workspace.root))
            })
        })
    };
    let mut steps = vec![Step::new(
        "outlets:unit",
        "what lies beside the code of the ways out that are features",
        move || unit(workspace),
    )];
    steps.extend(STEPS.into_iter().map(step));
    steps
}

/// Whether librdkafka can be built; everything else needs Rust alone.
fn has_compiler() -> bool {
    ["cc", "make"]
        .into_iter()
        .all(|program| which(program).is_some())
}

/// As both `ouzel` and `server` call them.
fn features() -> &'static str {
    if has_compiler() {
        "arrow,kafka,nats"
    } else {
        "arrow,nats"
    }
}

fn unit(workspace: &Workspace) -> Result<Outcome> {
    let what = ["test", "--quiet", "--package", "server", "--lib"];
    let with = ["--features", features(), "out::"];
    let mut command = cargo_in(workspace, &[what.as_slice(), &with].concat());
    println!("$ {}", shown(&command));
    Ok(Outcome::of(
        succeeds(&mut command)?,
        "a test failed, named above",
    ))
}

/// Builds the binary with the settings of the tests, unless it is built, and keeps it apart from the one without
/// the features.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let profile = ["build", "--quiet", "--profile", "test"];
    let features = features();
    let what = ["--package", "ouzel", "--features", features];
    let mut command = cargo_in(workspace, &[profile.as_slice(), &what].concat());
    println!("$ {}", shown(&command));
    ensure!(
        succeeds(&mut command)?,
        "`ouzel` does not build with --features {features}"
    );
    let folder = workspace.target.join("xtask-outlets");
    std::fs::create_dir_all(&folder).context("making a folder for the program")?;
    let program = folder.join("ouzel");
    std::fs::copy(workspace.target.join("debug/ouzel"), &program).context("keeping the program")?;
    Ok(program)
}
