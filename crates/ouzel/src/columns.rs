//! Arrow on the command line, and from there to running doors and files.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::Args as ClapArgs;
use node::Node;
use server::App;

use crate::brokers::Sender;
use crate::brokers::SpillArgs;

/// Prints and bars as columns.
#[derive(Clone, Debug, ClapArgs)]
pub struct ColumnArgs {
    /// Answer Arrow Flight here: tables trades and bars (needs a build with --features arrow)
    #[arg(long, value_name = "ADDR")]
    pub flight: Option<SocketAddr>,
    /// Write prints and bars to Parquet files in this folder (needs a build with --features arrow)
    #[arg(long, value_name = "DIR")]
    pub parquet: Option<PathBuf>,
    /// Seconds of one Parquet file: what a crash can cost
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "parquet", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub parquet_roll: u64,
}

/// The writer of Parquet files, if one was asked for. With --spill, frames wait there for a slow disk.
pub fn parquet(node: &Arc<Node>, args: &ColumnArgs, spill: &SpillArgs) -> Result<Option<Sender>> {
    let Some(dir) = &args.parquet else {
        return Ok(None);
    };
    #[cfg(not(feature = "arrow"))]
    {
        // Used by the build that has the feature.
        let _ = (node, dir, spill);
        anyhow::bail!(
            "--parquet: built without the feature arrow; build with `cargo build --release --features arrow`"
        )
    }
    #[cfg(feature = "arrow")]
    {
        use node::outlet::SlowPolicy;
        use server::out::arrow::parquet::{Parquet, Settings};
        use server::out::broker::Stream;

        let spill = spill.settings();
        let settings = Settings {
            dir: dir.clone(),
            roll: std::time::Duration::from_secs(args.parquet_roll),
            stream: Stream {
                slow: match spill {
                    Some(_) => SlowPolicy::Spill,
                    None => SlowPolicy::DropWithMark,
                },
                spill,
                ..Stream::default()
            },
        };
        Ok(Some(Box::new(Parquet::start(node, &settings)?)))
    }
}

/// Opens the door of Flight, if one was asked for; it closes with the runtime.
#[cfg_attr(
    not(feature = "arrow"),
    allow(clippy::unused_async, reason = "no door is built in")
)]
pub async fn flight(args: &ColumnArgs, app: &Arc<App>) -> Result<()> {
    let Some(address) = args.flight else {
        return Ok(());
    };
    #[cfg(not(feature = "arrow"))]
    {
        // Used by the build that has the feature.
        let _ = (address, app);
        anyhow::bail!(
            "--flight: built without the feature arrow; build with `cargo build --release --features arrow`"
        )
    }
    #[cfg(feature = "arrow")]
    {
        use anyhow::Context;
        use server::out::arrow::flight;

        let bound = flight::bind(address).await;
        let (listener, got) =
            bound.with_context(|| format!("--flight: cannot listen on {address}"))?;
        crate::print::warning(&format!("Arrow Flight answers on grpc://{got}"));
        let app = Arc::clone(app);
        tokio::spawn(async move {
            if let Err(error) = flight::serve(listener, app).await {
                crate::print::warning(&format!("Arrow Flight has ended: {error}"));
            }
        });
        Ok(())
    }
}
