//! A Databento stream from the command line to a running lane: a file, standard input, a server.

use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use engine::capture::{DbnFrom, DbnSource, DbnStatus, Speed};
use engine::lane::Lane;
use market::pipeline::{DbnPipeline, PipelineConfig};
use server::{Check, Probe};

use crate::args::ServeArgs;
use crate::compose;

/// Databento records.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct DbnArgs {
    /// A stream of DBN 1 to 3, plain or packed with zstd: a file, `-` for standard input (pipe a
    /// Databento client into it), or HOST:PORT of a server that sends DBN; a connection that ends is
    /// made again, and everything is flagged until then. Taken as fast as it comes (--capture FILE
    /// plays a file at its own pace)
    #[arg(long, value_name = "FILE|-|HOST:PORT", conflicts_with_all = ["itch_a", "fast_a", "iex_a", "mdp3_a", "capture"])]
    pub dbn: Option<String>,
}

/// Starts the reader and the lane.
pub fn start(args: &ServeArgs, text: &str) -> Result<(Lane, Arc<DbnStatus>)> {
    spawn(args, DbnFrom::new(text), Speed::Max).with_context(|| format!("--dbn {text}"))
}

/// The same for any stream and pace.
pub fn spawn(args: &ServeArgs, from: DbnFrom, speed: Speed) -> Result<(Lane, Arc<DbnStatus>)> {
    let mut config = PipelineConfig::default();
    args.windows.apply(&mut config);
    let source = DbnSource::spawn(from, speed)?;
    let status = source.status();
    let name = compose::lane_config("dbn", args.core);
    let lane = Lane::spawn(name, move || DbnPipeline::new(&config), source)?;
    Ok((lane, status))
}

/// Health of the stream.
pub fn probe(status: Arc<DbnStatus>) -> Probe {
    let read = Box::new(move || {
        let view = status.view();
        let trouble = view.trouble.is_some();
        let state = match (view.is_up, view.streams) {
            (true, n) => format!("stream {n} is being read"),
            (false, 0) => "no stream yet".to_owned(),
            (false, n) => format!("stream {n} has ended"),
        };
        Check {
            ok: !trouble,
            detail: view
                .trouble
                .map_or(state.clone(), |why| format!("{state}: {why}")),
        }
    });
    Probe { name: "dbn", read }
}
