//! `ouzel search`: passages, from a server or from a data folder.

use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use server::client::Client;
use server::json::answer::{Helpers, SearchBody, search};
use server::json::parse_instant;

use crate::args::{ModeArg, SearchArgs};
use crate::{compose, explain, print};

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
        "filter": args.filter.as_deref().map(filter).transpose()?,
        "explain": args.explain,
    });
    let found = match &args.target.data {
        Some(dir) => search_here(args, dir, body)?,
        None => Client::new(&args.target.url).post("/v1/search", &body.to_string())?,
    };
    if args.json {
        print::json(&found);
    } else {
        print::line(print::hits(&found));
        if args.explain {
            print::line(explain::told(&found["explain"]));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn search_here(args: &SearchArgs, dir: &std::path::Path, body: Value) -> Result<Value> {
    let node = compose::open_existing(dir)?;
    let body: SearchBody = serde_json::from_value(body).context("the request")?;
    let rerank = compose::rerank(&args.rerank)?;
    let helpers = Helpers {
        rerank: rerank.as_deref(),
        ..Helpers::default()
    };
    let found = search(&node, body, helpers)?;
    serde_json::to_value(found.row).context("the hits cannot be shown as JSON")
}

/// Reads a filter, or the file that it is in.
fn filter(given: &str) -> Result<Value> {
    let text = match given.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("--filter: {path}"))?,
        None => given.to_owned(),
    };
    serde_json::from_str(&text).context("--filter is not JSON")
}
