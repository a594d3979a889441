//! `ouzel mcp`: the tools for agents over the standard streams.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use server::App;
use server::client::Client;
use server::mcp::{Agent, Remote};

use crate::args::{ModelArgs, TargetArgs};
use crate::compose;

/// Arguments of `mcp`.
#[derive(Debug, Args)]
pub struct McpArgs {
    /// What the tools look at
    #[command(flatten)]
    target: TargetArgs,
    /// The writer of answers, with --data
    #[command(flatten)]
    model: ModelArgs,
}

/// Speaks until the other side hangs up. Nothing else may be written to the standard output.
pub fn run(args: &McpArgs) -> Result<ExitCode> {
    let runtime = compose::runtime()?;
    let done = match &args.target.data {
        Some(dir) => {
            let node = Arc::new(compose::open_existing(dir)?);
            let probes = vec![compose::memory_probe(&node)];
            let app = App::new(node, compose::chat_model(&args.model), probes)
                .with_rerank(compose::rerank(&args.model.rerank)?);
            let agent = Agent::new(server::http::inside(Arc::new(app)));
            runtime.block_on(agent.run_stdio())
        }
        None => {
            let agent = Agent::new(Remote::new(Client::new(&args.target.url)));
            runtime.block_on(agent.run_stdio())
        }
    };
    // A read of the standard input that waits cannot be called off.
    runtime.shutdown_background();
    done.context("the session broke off")?;
    Ok(ExitCode::SUCCESS)
}
