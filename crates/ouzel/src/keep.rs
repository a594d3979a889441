//! `ouzel backup` and `ouzel trim`: copies of what is remembered, and how far back the past is kept.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};
use server::client::Client;
use server::http::{backup_row, trim_row};
use server::json::parse_instant;

use crate::args::{BackupArgs, TrimArgs};
use crate::{compose, print};

/// Copies, and says what was copied.
pub fn backup(args: &BackupArgs) -> Result<ExitCode> {
    let made = match &args.target.data {
        Some(dir) => backup_row(compose::open_existing(dir)?.backup(&args.name)?),
        None => {
            let body = json!({"name": args.name});
            Client::new(&args.target.url).post("/v1/backups", &body.to_string())?
        }
    };
    if args.json {
        print::json(&made);
        return Ok(ExitCode::SUCCESS);
    }
    for (name, store) in stores(&made) {
        let digest = store["digest"].as_str().unwrap_or_default();
        print::line(format!(
            "{name}: up to entry {}, digest {digest}",
            store["entry"]
        ));
    }
    let dir = made["dir"].as_str().unwrap_or_default();
    print::line(format!("the copy is in {dir}"));
    Ok(ExitCode::SUCCESS)
}

/// Forgets, and says since when the past is kept.
pub fn trim(args: &TrimArgs) -> Result<ExitCode> {
    let known_before = parse_instant(&args.known_before);
    let known_before = known_before.map_err(|why| anyhow::anyhow!("--known-before: {why}"))?;
    let done = match &args.target.data {
        Some(dir) => {
            let node = compose::open_existing(dir)?;
            let done = trim_row(known_before, node.trim(known_before)?);
            node.checkpoint()?;
            done
        }
        None => {
            let body = json!({"known_before": known_before});
            Client::new(&args.target.url).post("/v1/trim", &body.to_string())?
        }
    };
    if args.json {
        print::json(&done);
        return Ok(ExitCode::SUCCESS);
    }
    let since = done["known_before"].as_str().unwrap_or_default();
    for (name, store) in stores(&done) {
        print::line(format!(
            "{name}: the past begins at {since} (entry {})",
            store["entry"]
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn stores(row: &Value) -> impl Iterator<Item = (&String, &Value)> {
    row["stores"].as_object().into_iter().flatten()
}
