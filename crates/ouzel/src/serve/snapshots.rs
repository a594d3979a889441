//! The snapshots of an ITCH feed: their client, its health, and what is said of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use engine::glimpse::{GlimpseClient, GlimpseConfig, GlimpseStatus, GlimpseView, SnapshotLink};
use market::pipeline::PipelineConfig;
use server::{Check, Probe};

use crate::args::ServeArgs;
use crate::print;

const LOOK: Duration = Duration::from_millis(200);
/// The pipeline gives a fetch up so much later than the client does.
const GRACE_NS: u64 = 5_000_000_000;

/// Starts the client, where there is a server, and tells the pipeline that snapshots can be had.
pub fn start(
    args: &ServeArgs,
    pipeline: &mut PipelineConfig,
) -> Result<(Option<GlimpseClient>, Vec<SnapshotLink>)> {
    let Some(server) = args.glimpse.glimpse else {
        return Ok((None, Vec::new()));
    };
    let config = GlimpseConfig {
        username: args.glimpse.glimpse_user.clone(),
        password: args.glimpse.glimpse_password.clone(),
        timeout: Duration::from_secs(args.glimpse.glimpse_timeout),
        ..GlimpseConfig::new(server)
    };
    anyhow::ensure!(
        config.username.len() <= 6 && config.password.len() <= 10,
        "--glimpse-user has at most 6 characters and --glimpse-password 10, as SoupBinTCP has it"
    );
    pipeline.mold.has_snapshot = true;
    pipeline.snapshot.timeout_ns = args.glimpse.glimpse_timeout * 1_000_000_000 + GRACE_NS;
    pipeline.snapshot.kept_bytes_limit = (args.glimpse.glimpse_kept as usize) << 20;
    let lanes = usize::from(args.lanes.max(1));
    let (client, links) =
        GlimpseClient::spawn(config, lanes).context("cannot start the thread of --glimpse")?;
    Ok((Some(client), links))
}

/// Health of the snapshot server. A server in trouble does not make the node unready by itself: the
/// feed's own check does while books wait for it.
pub fn probe(status: Arc<GlimpseStatus>) -> Probe {
    let read = Box::new(move || Check {
        ok: true,
        detail: words(&status.view()),
    });
    Probe {
        name: "snapshots",
        read,
    }
}

fn words(view: &GlimpseView) -> String {
    let counts = format!(
        "{} fetched, {} loaded, {} failed",
        view.fetches - view.failures.min(view.fetches),
        view.loaded,
        view.failures
    );
    match &view.trouble {
        Some(why) => format!("{counts}; {why}"),
        None if view.is_fetching => format!("{counts}; one is on its way"),
        None => counts,
    }
}

/// Says what fails and what is mended, as it happens.
pub async fn follow(status: Arc<GlimpseStatus>) {
    let mut before = GlimpseView::default();
    loop {
        tokio::time::sleep(LOOK).await;
        let view = status.view();
        if let Some(why) = view
            .trouble
            .as_ref()
            .filter(|_| view.trouble != before.trouble)
        {
            print::warning(&format!("books wait for a snapshot: {why}; trying again"));
        }
        if view.loaded > before.loaded {
            print::warning(&format!(
                "books were loaded from a snapshot of {} messages, fetched in {} ms",
                view.messages,
                view.took_ns / 1_000_000
            ));
        }
        before = view;
    }
}
