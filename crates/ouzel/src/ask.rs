//! `ouzel ask`: one question, to a server or to a data folder.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use rag::{Asker, Question};
use serde_json::{Value, json};
use server::client::Client;
use server::json::answer::AnswerRow;
use server::json::parse_instant;

use crate::args::AskArgs;
use crate::{compose, print};

/// Time for the way there and back, beside the answer's own deadline.
const MARGIN: Duration = Duration::from_secs(10);

/// Asks and prints.
pub fn run(args: &AskArgs) -> Result<ExitCode> {
    let as_of = args.as_of.as_deref().map(parse_instant).transpose();
    let as_of = as_of.map_err(|why| anyhow::anyhow!("--as-of: {why}"))?;
    let answer = match &args.target.data {
        Some(dir) => ask_here(args, dir, as_of)?,
        None => ask_there(args)?,
    };
    if args.json {
        print::json(&answer);
    } else {
        print::line(print::answer(&answer, args.receipt));
    }
    Ok(ExitCode::SUCCESS)
}

fn ask_there(args: &AskArgs) -> Result<Value> {
    let body = json!({
        "q": args.question,
        "symbol": args.symbol,
        "as_of": args.as_of,
        "k": args.k,
        "deadline_ms": args.deadline_ms,
        "conversation": args.after,
    });
    let mut client = Client::new(&args.target.url);
    if let Some(ms) = args.deadline_ms {
        client = client.patience(Duration::from_millis(ms).saturating_add(MARGIN));
    }
    Ok(client.post("/v1/ask", &body.to_string())?)
}

fn ask_here(args: &AskArgs, dir: &std::path::Path, as_of: Option<u64>) -> Result<Value> {
    let node = compose::open_existing(dir)?;
    let model = compose::chat_model(&args.model);
    let question = Question {
        q: args.question.clone(),
        symbol: args.symbol.as_ref().map(|s| s.to_uppercase()),
        as_of,
        k: args.k,
        deadline_ms: args.deadline_ms,
        conversation: args.after.clone(),
    };
    let rerank = compose::rerank(&args.model.rerank)?;
    let asker = Asker {
        rerank: rerank.as_deref(),
        ..node.asker(model.as_deref())
    };
    let answer = asker.ask(&question, &mut |_| true)?;
    serde_json::to_value(AnswerRow::sealed(answer, server::seal::seal(&node)?))
        .context("the answer cannot be shown as JSON")
}
