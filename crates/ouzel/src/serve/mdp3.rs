//! A CME MDP 3.0 channel from the command line to a running lane: lines A and B, the loop of snapshots
//! and that of definitions.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args as ClapArgs, ValueEnum};
use engine::lane::Lane;
use market::feed::mdp3::{Mdp3Books, Mdp3Config, Mdp3Feed};
use market::pipeline::{Mdp3Pipeline, PipelineConfig};
use wire::sbe::Schema;

use super::groups;
use crate::args::ServeArgs;
use crate::compose;
use crate::replay::names;

/// Which of the venue's books is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum BooksArg {
    /// Price levels (messages 46 and 52).
    #[default]
    Price,
    /// Every order (messages 46, 47 and 53).
    Order,
}

/// A CME MDP 3.0 channel.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Mdp3Args {
    /// Incremental line A of a CME MDP 3.0 channel: GROUP:PORT, or a local address for unicast
    #[arg(long, value_name = "GROUP:PORT", requires = "mdp3_schema", conflicts_with_all = ["itch_a", "fast_a", "iex_a", "capture"])]
    pub mdp3_a: Option<SocketAddr>,
    /// Incremental line B of the same channel
    #[arg(long, value_name = "GROUP:PORT", requires = "mdp3_a")]
    pub mdp3_b: Option<SocketAddr>,
    /// The loop of whole books (of the kind that --mdp3-books keeps): without it every book of a
    /// channel joined late stays flagged
    #[arg(long, value_name = "GROUP:PORT", requires = "mdp3_a")]
    pub mdp3_snapshots: Option<SocketAddr>,
    /// The loop of instrument definitions: names and tick sizes
    #[arg(long, value_name = "GROUP:PORT", requires = "mdp3_a")]
    pub mdp3_definitions: Option<SocketAddr>,
    /// The venue's message schema (templates_FixBinary.xml)
    #[arg(long, value_name = "FILE", requires = "mdp3_a")]
    pub mdp3_schema: Option<PathBuf>,
    /// Names of instruments: a number and a name on each line
    #[arg(long, value_name = "FILE", requires = "mdp3_a")]
    pub mdp3_names: Option<PathBuf>,
    /// Which books are kept
    #[arg(long, value_enum, default_value_t, requires = "mdp3_a")]
    pub mdp3_books: BooksArg,
    /// Address of the interface that joins the groups [default: 0.0.0.0]
    #[arg(long, value_name = "IP", requires = "mdp3_a")]
    pub mdp3_interface: Option<Ipv4Addr>,
}

/// Opens the lines and starts the lane.
pub fn start(args: &ServeArgs, a: SocketAddr) -> Result<Lane> {
    let mdp3 = &args.mdp3;
    let path = mdp3.mdp3_schema.as_ref().context("--mdp3-schema")?;
    let named = || path.display().to_string();
    let xml = std::fs::read_to_string(path).with_context(named)?;
    let schema = Arc::new(Schema::from_xml(&xml).with_context(named)?);
    let names = names(mdp3.mdp3_names.as_deref())?;
    let feed = Mdp3Config {
        books: match mdp3.mdp3_books {
            BooksArg::Price => Mdp3Books::ByPrice,
            BooksArg::Order => Mdp3Books::ByOrder,
        },
        ..Mdp3Config::default()
    };
    let mut config = PipelineConfig::default();
    args.windows.apply(&mut config);
    // A schema that lacks what is read is told here, not by a lane that dies.
    Mdp3Feed::new(Arc::clone(&schema), &feed).with_context(named)?;
    let build = move || {
        let pipeline = Mdp3Pipeline::new(schema, &feed, names, &config);
        pipeline.expect("a feed was made of this schema above")
    };
    let lines = std::iter::once(a).chain(mdp3.mdp3_b);
    let repeated = mdp3.mdp3_snapshots.into_iter().chain(mdp3.mdp3_definitions);
    let source = groups::open(mdp3.mdp3_interface, lines, repeated)?;
    let name = compose::lane_config("lane-0", args.core);
    Ok(Lane::spawn(name, build, source)?)
}
