//! `cargo test` with its tests counted, and a test that skipped itself called skipped.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::check::cargo_in;
use crate::process::shown;
use crate::steps::{Count, Outcome};
use crate::workspace::Workspace;

/// Runs every test of the workspace.
pub fn run(workspace: &Workspace) -> Result<Outcome> {
    counted(cargo_in(
        workspace,
        &[
            "test",
            "--workspace",
            "--no-fail-fast",
            "--color",
            "never",
            "--",
            "--show-output",
        ],
    ))
}

/// Runs the models of a collection's threads; in a folder of their own, because all is built anew for them.
pub fn models(workspace: &Workspace) -> Result<Outcome> {
    let mut command = cargo_in(
        workspace,
        &[
            "test",
            "--package",
            "collection",
            "--lib",
            "--target-dir",
            "target/loom",
            "--color",
            "never",
            "models",
        ],
    );
    command.env("RUSTFLAGS", "--cfg loom");
    counted(command)
}

/// Runs a command that runs tests, and counts them.
pub fn counted(mut command: Command) -> Result<Outcome> {
    println!("$ {}", shown(&command));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo test")?;
    let output = child
        .stdout
        .take()
        .context("cargo test was started with a pipe")?;
    let mut reader = Reader::default();
    for line in BufReader::new(output).lines() {
        let line = line.context("reading what cargo test says")?;
        if let Some(shown) = reader.line(&line) {
            println!("{shown}");
        }
    }
    let ok = child.wait().context("waiting for cargo test")?.success();
    let count = reader.count;
    if ok && count.failed == 0 {
        Ok(Outcome::Passed(count))
    } else if count.failed > 0 {
        Ok(Outcome::Failed(
            format!("{} tests failed, named above", count.failed),
            count,
        ))
    } else {
        Ok(Outcome::Failed(
            "it does not build, or a test program ended early".to_string(),
            count,
        ))
    }
}

/// Reads what the test programs say, line by line: counts, and drops what only says that all is well.
#[derive(Default)]
struct Reader {
    count: Count,
    /// Inside the output of tests that passed.
    in_passed: bool,
    test: String,
    skipped_here: usize,
    /// The test whose skip was counted last, so that two lines of one test count once.
    last_skipped: String,
}

impl Reader {
    /// Takes a line; what to show of it.
    fn line(&mut self, line: &str) -> Option<String> {
        if let Some(result) = line.strip_prefix("test result: ") {
            return self.result(result).then(|| line.to_string());
        }
        match line {
            "successes:" => self.in_passed = true,
            "failures:" => self.in_passed = false,
            _ => {}
        }
        if self.in_passed {
            return self.passed_output(line);
        }
        let is_routine = line.is_empty()
            || line.starts_with("test ") && line.ends_with("... ok")
            || line.starts_with("running ") && line.ends_with(['s', 't']);
        (!is_routine).then(|| line.to_string())
    }

    fn passed_output(&mut self, line: &str) -> Option<String> {
        if let Some(name) = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            self.test = name.to_string();
        }
        let skipped = line.trim_start().starts_with("skipped:");
        if skipped && self.last_skipped != self.test {
            self.skipped_here += 1;
            self.last_skipped.clone_from(&self.test);
        }
        skipped.then(|| format!("{}: {}", self.test, line.trim()))
    }

    /// Adds a line like `ok. 5 passed; 0 failed; 1 ignored; ...`; whether any test ran.
    fn result(&mut self, result: &str) -> bool {
        let number = |word: &str| {
            result
                .split([';', '.'])
                .find_map(|part| part.trim().strip_suffix(word)?.trim().parse::<usize>().ok())
                .unwrap_or(0)
        };
        let (passed, failed, ignored) = (number("passed"), number("failed"), number("ignored"));
        let skipped = self.skipped_here.min(passed);
        self.count.add(Count {
            passed: passed - skipped,
            failed,
            skipped: ignored + skipped,
        });
        self.in_passed = false;
        self.skipped_here = 0;
        self.last_skipped.clear();
        passed + failed + ignored > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_and_self_skips_are_not_passes() {
        let said = "\nrunning 3 tests\ntest a ... ok\ntest b ... ok\ntest c ... FAILED\n\nsuccesses:\n\n---- b stdout ----\nnoise\nskipped: no shared data\nskipped: again\n\nsuccesses:\n    a\n    b\n\nfailures:\n\n---- c stdout ----\nwhy\n\ntest result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        let mut reader = Reader::default();
        let shown: Vec<String> = said.lines().filter_map(|line| reader.line(line)).collect();
        assert_eq!(
            reader.count,
            Count {
                passed: 1,
                failed: 1,
                skipped: 2
            }
        );
        assert!(shown.contains(&"b: skipped: no shared data".to_string()));
        assert!(shown.contains(&"why".to_string()));
        assert!(
            !shown
                .iter()
                .any(|line| line == "noise" || line.ends_with("ok"))
        );
    }
}
