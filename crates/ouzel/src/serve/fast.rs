//! A FAST feed from the command line to a running lane: lines A and B, and the line that repeats whole
//! books.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use engine::lane::Lane;
use market::feed::fast::FastConfig;
use market::pipeline::{FastPipeline, PipelineConfig};
use wire::fast11::Plan;

use super::groups;
use crate::args::ServeArgs;
use crate::compose;
use crate::replay::names;

/// A FAST 1.1 feed with a snapshot line.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct FastArgs {
    /// Line A of a FAST 1.1 feed: GROUP:PORT, or a local address for unicast
    #[arg(long, value_name = "GROUP:PORT", requires = "fast_templates", conflicts_with_all = ["itch_a", "capture"])]
    pub fast_a: Option<SocketAddr>,
    /// Line B of the same feed
    #[arg(long, value_name = "GROUP:PORT", requires = "fast_a")]
    pub fast_b: Option<SocketAddr>,
    /// The line that repeats whole books: without it every book of a feed joined late stays flagged
    #[arg(long, value_name = "GROUP:PORT", requires = "fast_a")]
    pub fast_snapshots: Option<SocketAddr>,
    /// The venue's template file
    #[arg(long, value_name = "FILE", requires = "fast_a")]
    pub fast_templates: Option<PathBuf>,
    /// Names of instruments: a number and a name on each line
    #[arg(long, value_name = "FILE", requires = "fast_a")]
    pub fast_names: Option<PathBuf>,
    /// How far the venue's clock texts are ahead of UTC, seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        allow_negative_numbers = true,
        requires = "fast_a"
    )]
    pub fast_utc_offset: i64,
    /// Address of the interface that joins the groups
    #[arg(
        long,
        value_name = "IP",
        default_value = "0.0.0.0",
        requires = "fast_a"
    )]
    pub fast_interface: Option<Ipv4Addr>,
}

/// Opens the lines and starts the lane.
pub fn start(args: &ServeArgs, a: SocketAddr) -> Result<Lane> {
    let fast = &args.fast;
    let path = fast.fast_templates.as_ref().context("--fast-templates")?;
    let named = || path.display().to_string();
    let xml = std::fs::read_to_string(path).with_context(named)?;
    let plan = Arc::new(Plan::from_xml(&xml).with_context(named)?);
    let names = names(fast.fast_names.as_deref())?;
    let lines = std::iter::once(a).chain(fast.fast_b);
    let source = groups::open(fast.fast_interface, lines, fast.fast_snapshots)?;
    let mut config = PipelineConfig::default();
    args.windows.apply(&mut config);
    let feed = FastConfig {
        utc_offset_s: fast.fast_utc_offset,
        ..FastConfig::default()
    };
    let build = move || FastPipeline::new(plan, &feed, names, &config);
    let name = compose::lane_config("lane-0", args.core);
    Ok(Lane::spawn(name, build, source)?)
}
