//! An IEX feed (DEEP or TOPS over IEX-TP) from the command line to a running lane.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use clap::Args as ClapArgs;
use engine::lane::Lane;
use market::pipeline::{IexPipeline, PipelineConfig};

use super::groups;
use crate::args::ServeArgs;
use crate::compose;

/// Symbols that IEX lists, with room.
const INSTRUMENTS_LIMIT: usize = 12_000;
const LEVELS_RESERVE: usize = 64;

/// IEX DEEP or TOPS.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct IexArgs {
    /// Line A of an IEX feed (DEEP or TOPS in IEX-TP): GROUP:PORT, or a local address for unicast.
    /// What both lines lose is lost: everything is flagged from there until the session ends
    #[arg(long, value_name = "GROUP:PORT", conflicts_with_all = ["itch_a", "fast_a", "capture"])]
    pub iex_a: Option<SocketAddr>,
    /// Line B of the same feed
    #[arg(long, value_name = "GROUP:PORT", requires = "iex_a")]
    pub iex_b: Option<SocketAddr>,
    /// Address of the interface that joins the groups [default: 0.0.0.0]
    #[arg(long, value_name = "IP", requires = "iex_a")]
    pub iex_interface: Option<Ipv4Addr>,
}

/// Opens the lines and starts the lane.
pub fn start(args: &ServeArgs, a: SocketAddr) -> Result<Lane> {
    let iex = &args.iex;
    let lines = std::iter::once(a).chain(iex.iex_b);
    let source = groups::open(iex.iex_interface, lines, None)?;
    let mut config = PipelineConfig {
        instruments_limit: INSTRUMENTS_LIMIT,
        levels_reserve: LEVELS_RESERVE,
        ..PipelineConfig::default()
    };
    args.windows.apply(&mut config);
    let build = move || IexPipeline::new(&config);
    let name = compose::lane_config("lane-0", args.core);
    Ok(Lane::spawn(name, build, source)?)
}
