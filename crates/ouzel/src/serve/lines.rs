//! The lines of an ITCH feed, from the command line to a running lane.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use anyhow::Result;
use engine::lane::{Idle, Lane, LaneConfig};
use engine::udp::{Opened, ReceiverConfig, RecoveryClient, open_lines};
use market::pipeline::{ItchPipeline, PipelineConfig};
use stdx::{Clock, SystemClock};

use crate::args::ServeArgs;
use crate::{compose, print, session_day};

const INSTRUMENTS_LIMIT: usize = 12_000;
const ORDERS_LIMIT: usize = 1 << 22;
const LINE_BUFFER: usize = 32 << 20;

/// Opens the lines, as far up the ladder as was asked and this machine goes, and starts the lane.
pub fn lane(args: &ServeArgs, a: SocketAddr) -> Result<Lane> {
    let midnight_ns = session_day::midnight_ns(args.day.as_deref(), SystemClock.now_ns())?;
    let mut pipeline = PipelineConfig {
        midnight_ns,
        instruments_limit: INSTRUMENTS_LIMIT,
        orders_limit: ORDERS_LIMIT,
        levels_reserve: 64,
        ..PipelineConfig::default()
    };
    pipeline.mold.has_retransmit = args.retransmit.is_some();
    let opened = open(args, a)?;
    opened.notes.iter().for_each(|note| print::warning(note));
    for &granted in &opened.buffer_bytes {
        if granted < LINE_BUFFER {
            print::warning(&format!(
                "the kernel granted {granted} of {LINE_BUFFER} bytes of socket buffer; bursts may \
                 be lost; `ouzel doctor` says how to raise it",
            ));
        }
    }
    let config = compose::lane_config("lane-0", args.core);
    let config = LaneConfig {
        idle: if args.spin { Idle::Spin } else { config.idle },
        ..config
    };
    Ok(Lane::spawn(
        config,
        move || ItchPipeline::new(&pipeline),
        opened.source,
    )?)
}

fn open(args: &ServeArgs, a: SocketAddr) -> Result<Opened> {
    let configs = std::iter::once(a)
        .chain(args.itch_b)
        .map(|address| line(args, address))
        .collect::<Result<Vec<_>>>()?;
    let server = args.retransmit.map(v4).transpose()?;
    Ok(open_lines(&configs, &mut || {
        server
            .map(|server| RecoveryClient::open(server, LINE_BUFFER))
            .transpose()
    })?)
}

fn line(args: &ServeArgs, address: SocketAddr) -> Result<ReceiverConfig> {
    let ip = |given: Option<IpAddr>| match given {
        Some(IpAddr::V4(ip)) => Ok(Some(ip)),
        Some(IpAddr::V6(ip)) => Err(anyhow::anyhow!("{ip}: only IPv4 interfaces are supported")),
        None => Ok(None),
    };
    Ok(ReceiverConfig {
        interface: ip(args.interface)?.unwrap_or(Ipv4Addr::UNSPECIFIED),
        source: ip(args.source)?,
        buffer_bytes: LINE_BUFFER,
        receive: args.receive,
        busy_poll_us: args.busy_poll,
        ..ReceiverConfig::loopback(v4(address)?)
    })
}

fn v4(address: SocketAddr) -> Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(address) => anyhow::bail!("{address}: only IPv4 lines are supported"),
    }
}
