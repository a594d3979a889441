//! `ouzel search`: passages, from a server or from a data folder.

use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use server::client::Client;
use server::json::answer::{SearchBody, SearchRow};
use server::json::parse_instant;

use crate::args::{ModeArg, SearchArgs};
use crate::{compose, print};

/// Searches and prints.
pub fn run(args: &SearchArgs) -> Result<ExitCode> {
    if let Some(as_of) = &args.as_of {
        parse_instant(as_of).map_err(|why| anyhow::anyhow!("--as-of: {why}"))?;
    }
    let mode = match args.mode {
        ModeArg::Hybrid => "hybrid",
        ModeArg::Dense => "dense",
        ModeArg::Text => "text",
    };
    let body = json!({
        "q": args.query,
        "k": args.k,
        "symbol": args.symbol,
        "source": args.source,
        "as_of": args.as_of,
        "mode": mode,
    });
    let found = match &args.target.data {
        Some(dir) => search_here(dir, body)?,
        None => Client::new(&args.target.url).post("/v1/search", &body.to_string())?,
    };
    if args.json {
        print::json(&found);
    } else {
        print::line(print::hits(&found));
    }
    Ok(ExitCode::SUCCESS)
}

fn search_here(dir: &std::path::Path, body: Value) -> Result<Value> {
    let node = compose::open_existing(dir)?;
    let body: SearchBody = serde_json::from_value(body).context("the request")?;
    let found = node.asker(None).search(&body.into())?;
    serde_json::to_value(SearchRow::from(found)).context("the hits cannot be shown as JSON")
}
