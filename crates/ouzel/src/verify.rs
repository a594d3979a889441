//! `ouzel verify`: a receipt checked again, by a server or against a data folder.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use serde_json::Value;
use server::client::Client;

use crate::args::TargetArgs;
use crate::{compose, print};

/// The receipt is not what was answered.
const DIFFERS: u8 = 3;
/// What it rests on is not kept here.
const UNKNOWN: u8 = 4;

/// Arguments of `verify`.
#[derive(Debug, ClapArgs)]
pub struct VerifyArgs {
    /// A file with a receipt, or with a whole answer as `--json` prints it; `-` is standard input
    pub receipt: PathBuf,
    /// Who checks
    #[command(flatten)]
    pub target: TargetArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Checks and says what differs.
pub fn run(args: &VerifyArgs) -> Result<ExitCode> {
    let text = match args.receipt.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()).context("standard input")?,
        _ => compose::read_text(&args.receipt)?,
    };
    let told: Value = serde_json::from_str(&text)
        .with_context(|| format!("{} is not JSON", args.receipt.display()))?;
    let verdict = match &args.target.data {
        Some(dir) => {
            let verdict = server::verify::verify(&compose::open_existing(dir)?, &told)?;
            serde_json::to_value(verdict).context("the verdict cannot be shown as JSON")?
        }
        None => Client::new(&args.target.url).post("/v1/verify", &told.to_string())?,
    };
    if args.json {
        print::json(&verdict);
    } else {
        print::line(shown(&verdict));
    }
    Ok(match verdict["outcome"].as_str() {
        Some("verified") => ExitCode::SUCCESS,
        Some("unknown") => ExitCode::from(UNKNOWN),
        _ => ExitCode::from(DIFFERS),
    })
}

fn shown(verdict: &Value) -> String {
    let checks = verdict["checks"].as_array().map(Vec::as_slice);
    let mut lines: Vec<String> = Vec::new();
    for check in checks.unwrap_or_default() {
        let word = |name: &str| check[name].as_str().unwrap_or_default();
        lines.push(format!(
            "{:<9} {:<12} {}",
            word("outcome"),
            word("name"),
            word("detail")
        ));
    }
    let outcome = verdict["outcome"].as_str().unwrap_or_default();
    lines.push(outcome.to_uppercase());
    lines.join("\n")
}
