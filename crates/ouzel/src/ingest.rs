//! `ouzel ingest`: documents and day bars from files.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use collection::SyncPolicy;
use serde_json::{Value, json};
use server::client::Client;
use server::json::document::parse_documents;
use server::load::{self, Report};

use crate::args::IngestArgs;
use crate::{compose, print};

/// Documents in one request: large enough to share disk syncs, small enough to report progress.
const BULK: usize = 2_000;

/// Stores everything and prints what became of it.
pub fn run(args: &IngestArgs) -> Result<ExitCode> {
    anyhow::ensure!(
        !(args.files.is_empty() && args.days.is_empty()),
        "nothing to store: name a file of JSON lines, or --days FILE; see `ouzel ingest --help`",
    );
    let node = match &args.target.data {
        Some(dir) => Some(compose::open_node(dir, SyncPolicy::Always)?),
        None => None,
    };
    let there = || Target::There(Client::new(&args.target.url));
    let target = node.as_ref().map_or_else(there, Target::Here);
    let total = store(args, &target)?;
    report(args, &total);
    Ok(if total.rejected.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Stores every file of `args`.
pub fn store(args: &IngestArgs, target: &Target<'_>) -> Result<Total> {
    let mut total = Total::default();
    for path in &args.files {
        documents(args, path, target, &mut total)?;
    }
    for path in &args.days {
        total.days += target.days(path)?;
    }
    Ok(total)
}

/// Where things are stored.
pub enum Target<'a> {
    /// In a node of this process.
    Here(&'a node::Node),
    /// In a running server.
    There(Client),
}

/// What became of all files.
#[derive(Default)]
pub struct Total {
    stored: u64,
    chunks: u64,
    days: u64,
    rejected: Vec<Value>,
}

fn documents(args: &IngestArgs, path: &Path, target: &Target<'_>, total: &mut Total) -> Result<()> {
    let text = compose::read_text(path)?;
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let lines: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .collect();
    for bulk in lines.chunks(BULK) {
        let mut rows = Vec::with_capacity(bulk.len());
        for (idx, line) in bulk {
            let row = row(args, &name, idx + 1, line);
            rows.push(row.with_context(|| format!("{}, line {}", path.display(), idx + 1))?);
        }
        let mut report = target.documents(&rows)?;
        for rejected in &mut report.rejected {
            let line = bulk[rejected.index].0 + 1;
            total.rejected.push(json!({
                "file": name, "line": line, "id": rejected.id, "reason": rejected.reason,
            }));
        }
        total.stored += report.stored as u64;
        total.chunks += report.chunks as u64;
        if !args.json {
            print::line(format!("{name}: {} documents stored", total.stored));
        }
    }
    Ok(())
}

/// One line as a document of ours: fields renamed as asked, nothing else changed.
fn row(args: &IngestArgs, file: &str, number: usize, line: &str) -> Result<Value> {
    let mut value: Value = serde_json::from_str(line).context("is not a JSON object")?;
    let object = value.as_object_mut().context("is not a JSON object")?;
    let mut rename = |from: &str, to: &str| {
        if from != to
            && let Some(value) = object.remove(from)
        {
            object.insert(to.to_owned(), value);
        }
    };
    rename(&args.known_at, "known_at");
    rename(&args.symbol_field, "symbol");
    rename(&args.text_field, "text");
    if args.number && !object.contains_key("id") {
        object.insert("id".to_owned(), json!(format!("{file}:{number}")));
    }
    if let Some(source) = &args.source {
        object.entry("source").or_insert_with(|| json!(source));
    }
    Ok(value)
}

impl Target<'_> {
    fn documents(&self, rows: &[Value]) -> Result<Report> {
        match self {
            Self::Here(node) => {
                let parsed = parse_documents(&json!(rows).to_string());
                Ok(load::documents(node, parsed.map_err(anyhow::Error::msg)?))
            }
            Self::There(client) => {
                let said = client.post("/v1/documents", &json!(rows).to_string())?;
                serde_json::from_value(said).context("the server's report")
            }
        }
    }

    fn days(&self, path: &Path) -> Result<u64> {
        let text = compose::read_text(path)?;
        let bars = node::memory::read_csv(text.as_bytes()).map_err(anyhow::Error::msg);
        let bars = bars.with_context(|| path.display().to_string())?;
        match self {
            Self::Here(node) => node.days().store(&bars)?,
            Self::There(client) => client.post("/v1/days", &text).map(drop)?,
        }
        Ok(bars.len() as u64)
    }
}

/// Prints what became of it.
pub fn report(args: &IngestArgs, total: &Total) {
    if args.json {
        print::line(json!({
            "stored": total.stored, "chunks": total.chunks, "days": total.days,
            "rejected": total.rejected,
        }));
        return;
    }
    let refused = total.rejected.len();
    let (stored, chunks, days) = (total.stored, total.chunks, total.days);
    print::line(format!(
        "{stored} documents in {chunks} chunks, {days} day bars, {refused} refused"
    ));
    for row in total.rejected.iter().take(10) {
        let reason = row["reason"].as_str().unwrap_or_default();
        print::line(format!(
            "  {}:{}: {reason}",
            row["file"].as_str().unwrap_or_default(),
            row["line"]
        ));
    }
}
