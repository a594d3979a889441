//! The peers in Python, one process, asked line by line.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;
use vector::Metric;

use super::sets::Set;
use crate::Size;
use crate::python;

/// What to run.
pub struct Script<'a> {
    /// From the root of the repository.
    pub path: &'a str,
    /// Of PyPI.
    pub packages: &'a [&'a str],
    /// Words after the set's.
    pub more: &'a [String],
}

const GRAPHS: Script<'static> = Script {
    path: "crates/rivals/python/graph_peers.py",
    packages: &[
        "numpy",
        "rabitqlib==0.7.1",
        "hnswlib==0.8.0",
        "usearch==2.26.6",
        "scann==1.4.2",
        "qdrant-edge-py==0.9.0",
    ],
    more: &[],
};

/// The process; it ends when its input does.
pub struct Peers {
    child: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Peers {
    /// Installs and starts them, when `--peers` was said.
    pub fn start(size: &Size, set: &Set, metric: Metric) -> Result<Option<Self>> {
        Self::start_script(size, set, metric, &GRAPHS)
    }

    /// As `start`, of another script.
    pub fn start_script(
        size: &Size,
        set: &Set,
        metric: Metric,
        script: &Script<'_>,
    ) -> Result<Option<Self>> {
        if !size.peers() {
            return Ok(None);
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let python = python::venv(&root, script.packages)?;
        let metric = if metric == Metric::L2 { "l2" } else { "cosine" };
        let mut child = Command::new(python)
            .arg(root.join(script.path))
            .args(&set.paths)
            .args([metric, &set.query_count().to_string()])
            .args(script.more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the peers' script")?;
        let asks = child.stdin.take();
        let answers = child
            .stdout
            .take()
            .context("the script's output is piped")?;
        Ok(Some(Self {
            child,
            asks,
            answers: BufReader::new(answers),
        }))
    }

    /// CPU seconds and resident bytes a vector.
    pub fn build(&mut self, peer: &str) -> Option<(f64, f64)> {
        let said = self.ask(&format!("build {peer}"))?;
        Some((said["seconds"].as_f64()?, said["bytes"].as_f64()?))
    }

    /// CPU seconds and what was found.
    pub fn search(&mut self, peer: &str, effort: usize) -> Option<(f64, Vec<Vec<u32>>)> {
        let said = self.ask(&format!("search {peer} {effort}"))?;
        let ids = said["ids"].as_array()?.iter().map(|ids| {
            let ids = ids.as_array().into_iter().flatten();
            ids.filter_map(Value::as_u64).map(|id| id as u32).collect()
        });
        Some((said["seconds"].as_f64()?, ids.collect()))
    }

    fn ask(&mut self, line: &str) -> Option<Value> {
        writeln!(self.asks.as_mut()?, "{line}").ok()?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).ok()?;
        let said: Value = serde_json::from_str(&answer).ok()?;
        if let Some(error) = said["error"].as_str() {
            eprintln!("no figure of `{line}`: {error}");
            return None;
        }
        Some(said)
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.asks = None;
        // It has nothing left to read; how it ends says nothing.
        let _status = self.child.wait();
    }
}
