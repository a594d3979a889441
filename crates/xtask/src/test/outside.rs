//! Tests that look from outside: independent decoders on the same bytes, a real browser on the console, the
//! Prometheus checker on the metrics.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::demo::Demo;
use crate::process::shown;
use crate::steps::{Outcome, Step};
use crate::tools::{Found, Tools};
use crate::workspace::Workspace;

const STREAM_TEST: &str = "testdata/stream/stream_test.py";
const DASHBOARDS_TEST: &str = "testdata/metrics/dashboards_test.py";
const OPENAI_TEST: &str = "testdata/doors/openai_test.py";
const STANDING_TEST: &str = "testdata/doors/standing_test.py";
const MCP_TEST: &str = "testdata/doors/mcp_test.py";
const CONSOLE_TEST: &str = "testdata/console/console_test.py";
/// The exit status by which a script says that it could not run.
const SKIP_STATUS: i32 = 77;

/// The conformance scripts, then what needs a running demo.
pub fn steps<'a>(
    workspace: &'a Workspace,
    tools: &'a Tools,
    demo: &'a RefCell<Option<Demo>>,
) -> Vec<Step<'a>> {
    let scripts = workspace.files("testdata/conformance", &["py"]);
    let mut steps: Vec<Step> = scripts
        .into_iter()
        .map(|script| {
            let stem = script
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let about = "equal to an independent decoder on the same bytes";
            Step::new(format!("conformance:{stem}"), about, move || {
                conformance(workspace, tools, &script)
            })
        })
        .collect();
    steps.push(Step::new(
        "console",
        "the console of a running demo, in headless Chromium",
        move || console(workspace, tools, demo),
    ));
    steps.push(Step::new(
        "stream",
        "the stream of a running demo through another WebSocket library, packed and not",
        move || script(workspace, tools, demo, STREAM_TEST),
    ));
    steps.push(Step::new(
        "openai",
        "OpenAI's own Python client, unchanged, asks a running demo",
        move || script(workspace, tools, demo, OPENAI_TEST),
    ));
    steps.push(Step::new(
        "standing",
        "standing questions: webhooks by the reference library of Standard Webhooks, WebSocket, a killed server",
        move || standing(workspace, tools, demo),
    ));
    steps.push(Step::new(
        "mcp",
        "the Inspector and the conformance suite of the Model Context Protocol, on a running demo and `ouzel mcp`",
        move || agents(workspace, tools, demo),
    ));
    steps.push(Step::new(
        "metrics",
        "promtool reads the /metrics of a running demo",
        move || metrics(workspace, tools, demo),
    ));
    steps.push(Step::new(
        "dashboards",
        "every panel and alert, asked of a real Prometheus that scrapes a running demo",
        move || dashboards(workspace, tools, demo),
    ));
    steps
}

fn conformance(workspace: &Workspace, tools: &Tools, script: &Path) -> Result<Outcome> {
    // A script names what it lacks itself; tshark is the one that is not a Python package.
    let tshark = tools.debian("tshark", &["tshark"]);
    with_tool(tools.python(), |python| {
        let mut command = Command::new(python);
        command.arg(script).current_dir(&workspace.root);
        if let Err(why) = &tshark {
            println!("no tshark: {why}");
        }
        run_script(&mut command)
    })
}

fn console(workspace: &Workspace, tools: &Tools, demo: &RefCell<Option<Demo>>) -> Result<Outcome> {
    if !workspace.root.join(CONSOLE_TEST).is_file() {
        return Ok(Outcome::Skipped(format!("no {CONSOLE_TEST}")));
    }
    let chromium = match tools.debian("chromium", &["chromium", "fonts-dejavu-core"]) {
        Ok(chromium) => chromium,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    with_tool(tools.python(), |python| {
        with_demo(workspace, demo, |demo| {
            let mut command = Command::new(&python);
            let shots = workspace.target.join("console-shots");
            std::fs::create_dir_all(&shots).context("making a folder for the screenshots")?;
            command
                .args([CONSOLE_TEST, "--url", &demo.url(), "--shots"])
                .arg(&shots);
            run_script(
                command
                    .env("CHROMIUM", &chromium)
                    .current_dir(&workspace.root),
            )
        })
    })
}

/// A script in Python that asks a running demo.
fn script(
    workspace: &Workspace,
    tools: &Tools,
    demo: &RefCell<Option<Demo>>,
    script: &str,
) -> Result<Outcome> {
    with_tool(tools.python(), |python| {
        with_demo(workspace, demo, |demo| {
            let mut command = Command::new(&python);
            command.args([script, "--url", &demo.url()]);
            run_script(command.current_dir(&workspace.root))
        })
    })
}

fn agents(workspace: &Workspace, tools: &Tools, demo: &RefCell<Option<Demo>>) -> Result<Outcome> {
    with_tool(tools.python(), |python| {
        with_demo(workspace, demo, |demo| {
            let mut command = Command::new(&python);
            command.args([MCP_TEST, "--url", &demo.url(), "--ouzel"]);
            command.arg(Demo::binary(workspace));
            run_script(command.current_dir(&workspace.root))
        })
    })
}

fn standing(workspace: &Workspace, tools: &Tools, demo: &RefCell<Option<Demo>>) -> Result<Outcome> {
    with_tool(tools.python(), |python| {
        // The demo stands for a binary that is built; the script starts servers of its own.
        with_demo(workspace, demo, |_demo| {
            let mut command = Command::new(&python);
            command.args([STANDING_TEST, "--ouzel"]);
            command.arg(Demo::binary(workspace));
            run_script(command.current_dir(&workspace.root))
        })
    })
}

fn metrics(workspace: &Workspace, tools: &Tools, demo: &RefCell<Option<Demo>>) -> Result<Outcome> {
    with_tool(tools.promtool(), |promtool| {
        with_demo(workspace, demo, |demo| {
            let body = demo.get("/metrics")?;
            let mut command = Command::new(&promtool);
            command.args(["check", "metrics"]).stdin(Stdio::piped());
            println!("$ curl {}/metrics | {}", demo.url(), shown(&command));
            let mut child = command.spawn().context("cannot start promtool")?;
            let mut input = child
                .stdin
                .take()
                .context("promtool was started with a pipe")?;
            input
                .write_all(body.as_bytes())
                .context("handing the metrics to promtool")?;
            drop(input);
            let ok = child.wait()?.success();
            println!("{} lines of metrics", body.lines().count());
            Ok(Outcome::of(ok, "promtool's complaints above"))
        })
    })
}

fn dashboards(
    workspace: &Workspace,
    tools: &Tools,
    demo: &RefCell<Option<Demo>>,
) -> Result<Outcome> {
    with_tool(tools.prometheus(), |prometheus| {
        with_tool(tools.python(), |python| {
            with_demo(workspace, demo, |demo| {
                let mut command = Command::new(&python);
                command
                    .args([DASHBOARDS_TEST, "--url", &demo.url(), "--prometheus"])
                    .arg(&prometheus);
                run_script(command.current_dir(&workspace.root))
            })
        })
    })
}

pub(super) fn with_tool(
    tool: Found,
    work: impl FnOnce(PathBuf) -> Result<Outcome>,
) -> Result<Outcome> {
    match tool {
        Ok(path) => work(path),
        Err(why) => Ok(Outcome::Skipped(why)),
    }
}

/// Starts the demo for the first step that wants it and keeps it for the next.
fn with_demo(
    workspace: &Workspace,
    demo: &RefCell<Option<Demo>>,
    work: impl FnOnce(&Demo) -> Result<Outcome>,
) -> Result<Outcome> {
    let mut slot = demo.borrow_mut();
    if slot.is_none() {
        *slot = Some(Demo::start(workspace)?);
    }
    let running = slot.as_ref().context("the demo was just started")?;
    work(running)
}

/// Runs a script of ours: status 0 passes; status 77, or a line `skipped: <why>` beside status 0, is a skip.
pub(super) fn run_script(command: &mut Command) -> Result<Outcome> {
    println!("$ {}", shown(command));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the script")?;
    let output = child
        .stdout
        .take()
        .context("the script was started with a pipe")?;
    let mut skipped = None;
    for line in BufReader::new(output).lines() {
        let line = line.context("reading what the script says")?;
        println!("{line}");
        if let Some(why) = line.trim().strip_prefix("skipped:") {
            skipped = Some(why.trim().to_string());
        }
    }
    let status = child.wait()?;
    Ok(match (status.code(), skipped) {
        (Some(SKIP_STATUS), why) => {
            Outcome::Skipped(why.unwrap_or_else(|| "it said so".to_string()))
        }
        (Some(0), Some(why)) => Outcome::Skipped(why),
        (Some(0), None) => Outcome::of(true, ""),
        _ => Outcome::of(false, format!("the script ended with {status}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Outcome {
        run_script(Command::new("sh").args(["-c", text])).unwrap()
    }

    #[test]
    fn a_script_passes_fails_or_skips() {
        assert!(matches!(script("echo fine"), Outcome::Passed(_)));
        assert!(matches!(script("exit 1"), Outcome::Failed(..)));
        assert!(
            matches!(script("echo skipped: no data"), Outcome::Skipped(why) if why == "no data")
        );
        assert!(matches!(script("exit 77"), Outcome::Skipped(_)));
    }
}
