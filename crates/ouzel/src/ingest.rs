//! `ouzel ingest`: documents and day bars from files.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

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
/// Bytes in one request, well under what a server takes.
const BULK_BYTES: usize = 8 << 20;
/// A document is refused far below this; larger ones need not be sent to hear so.
const ROW_BYTES: usize = 7 << 20;
/// Refused lines that are listed; the rest are counted.
const LISTED_LIMIT: usize = 1_000;
/// Storing many documents takes its time.
const PATIENCE: Duration = Duration::from_secs(600);

/// Stores everything and prints what became of it.
pub fn run(args: &IngestArgs) -> Result<ExitCode> {
    anyhow::ensure!(
        !(args.files.is_empty() && args.days.is_empty()),
        "nothing to store: name a file of JSON lines, or --days FILE; see `ouzel ingest --help`",
    );
    let node = match &args.target.data {
        Some(dir) => {
            let rules = args.words.rules()?;
            Some(compose::open_node_for(
                dir,
                SyncPolicy::Always,
                (
                    node::memory::document_limits(),
                    node::EmbeddingLimits::default(),
                ),
                rules.as_ref(),
                (&args.embed, false),
            )?)
        }
        None => {
            let asked = args.words.rules()?.is_some();
            anyhow::ensure!(
                !asked,
                "the server's data folder has its own rules for words: give --text flags to `ouzel serve`, or here \
                 with --data"
            );
            None
        }
    };
    let there = || Target::There(Client::new(&args.target.url).patience(PATIENCE));
    let target = node.as_ref().map_or_else(there, Target::Here);
    let mut total = Total::default();
    let outcome = store(args, &target, &mut total);
    // What was stored before a failure stays stored, so it is told as well.
    report(args, &total);
    outcome?;
    Ok(if total.refused == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Stores every file of `args` and adds up what became of it.
pub fn store(args: &IngestArgs, target: &Target<'_>, total: &mut Total) -> Result<()> {
    for path in &args.files {
        documents(args, path, target, total)?;
    }
    for path in &args.days {
        total.days += target.days(path)?;
    }
    Ok(())
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
    refused: u64,
    rejected: Vec<Value>,
}

impl Total {
    fn refuse(&mut self, file: &str, line: usize, id: Option<&str>, reason: &str) {
        if self.rejected.len() < LISTED_LIMIT {
            let lacks_id = reason.contains("missing field `id`");
            let advice = if lacks_id { "; --number makes ids" } else { "" };
            self.rejected.push(json!({
                "file": file, "line": line, "id": id, "reason": format!("{reason}{advice}"),
            }));
        }
    }
}

/// Documents on their way in one request, and the lines they stand in.
#[derive(Default)]
struct Bulk {
    rows: Vec<String>,
    lines: Vec<usize>,
    bytes: usize,
}

impl Bulk {
    fn has_room(&self, bytes: usize) -> bool {
        self.rows.len() < BULK && self.bytes + bytes <= BULK_BYTES
    }

    fn push(&mut self, row: String, line: usize) {
        self.bytes += row.len() + 1;
        self.rows.push(row);
        self.lines.push(line);
    }
}

fn documents(args: &IngestArgs, path: &Path, target: &Target<'_>, total: &mut Total) -> Result<()> {
    let text = compose::read_text(path)?;
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut bulk = Bulk::default();
    for (idx, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        match row(args, &name, idx + 1, line) {
            Ok(row) => {
                if !bulk.has_room(row.len()) {
                    send(args, &name, std::mem::take(&mut bulk), target, total)?;
                }
                bulk.push(row, idx + 1);
            }
            Err(why) => {
                total.refused += 1;
                total.refuse(&name, idx + 1, None, &why);
            }
        }
    }
    if !bulk.rows.is_empty() {
        send(args, &name, bulk, target, total)?;
    }
    Ok(())
}

fn send(
    args: &IngestArgs,
    file: &str,
    bulk: Bulk,
    target: &Target<'_>,
    total: &mut Total,
) -> Result<()> {
    let report = target.documents(&format!("[{}]", bulk.rows.join(",")))?;
    // A server of an older version lists all that it refuses and does not count them.
    total.refused += report.rejected_count.max(report.rejected.len()) as u64;
    for rejected in &report.rejected {
        let line = bulk.lines.get(rejected.index).copied().unwrap_or_default();
        total.refuse(file, line, rejected.id.as_deref(), &rejected.reason);
    }
    total.stored += report.stored as u64;
    total.chunks += report.chunks as u64;
    if !args.json {
        print::line(format!("{file}: {} documents stored", total.stored));
    }
    Ok(())
}

/// One line as a document of ours: fields renamed as asked, nothing else changed. The error says
/// why it is none.
fn row(args: &IngestArgs, file: &str, number: usize, line: &str) -> Result<String, String> {
    let parsed = serde_json::from_str(line);
    let mut value: Value =
        parsed.map_err(|e| format!("is not a JSON object: {}", server::json::words(&e)))?;
    let Some(object) = value.as_object_mut() else {
        return Err("is not a JSON object".to_owned());
    };
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
    let row = value.to_string();
    if row.len() > ROW_BYTES {
        return Err(format!(
            "is larger than {ROW_BYTES} bytes; send it in parts"
        ));
    }
    Ok(row)
}

impl Target<'_> {
    fn documents(&self, body: &str) -> Result<Report> {
        match self {
            Self::Here(node) => {
                let parsed = parse_documents(body, BULK)?;
                Ok(load::documents(node, parsed))
            }
            Self::There(client) => {
                let said = client.post_for("/v1/documents", body, "stored")?;
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
            Self::There(client) => {
                for part in csv_parts(&text, BULK_BYTES) {
                    client.post("/v1/days", &part)?;
                }
            }
        }
        Ok(bars.len() as u64)
    }
}

/// A table in parts of about `bytes`, each with the header.
fn csv_parts(text: &str, bytes: usize) -> Vec<String> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let mut parts: Vec<String> = Vec::new();
    for line in lines {
        match parts.last_mut() {
            Some(part) if part.len() + line.len() < bytes => {
                part.push('\n');
                part.push_str(line);
            }
            _ => parts.push(format!("{header}\n{line}")),
        }
    }
    parts
}

/// Prints what became of it.
pub fn report(args: &IngestArgs, total: &Total) {
    if args.json {
        print::json(&json!({
            "stored": total.stored, "chunks": total.chunks, "days": total.days,
            "rejected_count": total.refused, "rejected": total.rejected,
        }));
        return;
    }
    let refused = total.refused;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_table_goes_in_parts_that_each_have_the_header() {
        let parts = csv_parts("date,close\na,1\nb,2\nc,3\n", 19);
        assert_eq!(parts, ["date,close\na,1\nb,2", "date,close\nc,3"]);
        assert!(csv_parts("date,close\n", 9).is_empty());
    }
}
