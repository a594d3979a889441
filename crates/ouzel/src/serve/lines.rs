//! The lines of an ITCH feed, from the command line to a running lane.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use anyhow::{Context, Result};
use engine::glimpse::{GlimpseClient, Refreshed, SnapshotLink};
use engine::lane::{Idle, Lane, LaneConfig, lane_cores, last_core};
use engine::relay::{RelayConfig, relay};
use engine::source::Source;
use engine::tape::{Recorder, TapeConfig};
use engine::udp::{Opened, ReceiverConfig, RecoveryClient, open_lines};
use market::pipeline::{ItchPipeline, PipelineConfig, Shard};
use server::{Check, Probe};
use stdx::{Clock, SystemClock};

use super::snapshots;
use crate::args::ServeArgs;
use crate::{print, session_day};

const INSTRUMENTS_LIMIT: usize = 12_000;
const ORDERS_LIMIT: usize = 1 << 22;
const LINE_BUFFER: usize = 32 << 20;

/// A running ITCH feed.
pub struct Feed {
    /// Its lanes, in the order of their shares.
    pub lanes: Vec<Lane>,
    /// What records its packets.
    pub recorder: Option<Recorder>,
    /// What fetches its snapshots.
    pub snapshots: Option<GlimpseClient>,
}

/// Opens the lines, as far up the ladder as was asked and this machine goes, and starts the lanes,
/// the recorder of a tape and the client of the snapshot server.
pub fn start(args: &ServeArgs, a: SocketAddr) -> Result<Feed> {
    let midnight_ns = session_day::midnight_ns(args.day.as_deref(), SystemClock.now_ns())?;
    let mut pipeline = PipelineConfig {
        midnight_ns,
        instruments_limit: INSTRUMENTS_LIMIT,
        orders_limit: ORDERS_LIMIT,
        levels_reserve: 64,
        ..PipelineConfig::default()
    };
    args.windows.apply(&mut pipeline);
    pipeline.mold.has_retransmit = args.retransmit.is_some();
    let (snapshots, links) = snapshots::start(args, &mut pipeline)?;
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
    let (source, recorder) = taped(args, opened.source)?;
    let lanes = if args.lanes == 0 {
        let config = lane_config(args, 0, args.core.or_else(last_core));
        vec![lane(config, pipeline, links.into_iter().next(), source)?]
    } else {
        relayed(args, &pipeline, links, source)?
    };
    Ok(Feed {
        lanes,
        recorder,
        snapshots,
    })
}

fn lane(
    config: LaneConfig,
    pipeline: PipelineConfig,
    link: Option<SnapshotLink>,
    source: impl Source + 'static,
) -> Result<Lane> {
    let build = move || ItchPipeline::new(&pipeline);
    Ok(match link {
        Some(link) => Lane::spawn(config, move || Refreshed::new(build(), link), source)?,
        None => Lane::spawn(config, build, source)?,
    })
}

/// A relay on one core, and a lane for each share of the symbols on the cores before it.
fn relayed(
    args: &ServeArgs,
    pipeline: &PipelineConfig,
    links: Vec<SnapshotLink>,
    source: Box<dyn Source>,
) -> Result<Vec<Lane>> {
    let cores = lane_cores(usize::from(args.lanes) + 1, args.core);
    let config = RelayConfig {
        name: "receive".to_owned(),
        core: cores.first().copied().flatten(),
        idle: lane_config(args, 0, None).idle,
    };
    let sources = relay(config, source, usize::from(args.lanes))?;
    let mut lanes = Vec::new();
    let mut links = links.into_iter();
    for (idx, source) in sources.into_iter().enumerate() {
        let pipeline = PipelineConfig {
            shard: Shard::new(idx as u16, args.lanes),
            ..pipeline.clone()
        };
        let config = lane_config(args, idx, cores.get(idx + 1).copied().flatten());
        lanes.push(lane(config, pipeline, links.next(), source)?);
    }
    Ok(lanes)
}

fn taped(args: &ServeArgs, source: Box<dyn Source>) -> Result<(Box<dyn Source>, Option<Recorder>)> {
    let Some(dir) = &args.tape else {
        return Ok((source, None));
    };
    let config = TapeConfig {
        disk_bytes_limit: args.tape_limit << 30,
        ..TapeConfig::new(dir)
    };
    let (taped, recorder) = Recorder::start(config, source)
        .with_context(|| format!("cannot record a tape in {}", dir.display()))?;
    Ok((Box::new(taped), Some(recorder)))
}

/// Health of a tape: it is written, and nothing was left out.
pub fn tape_probe(recorder: Arc<Recorder>) -> Probe {
    let read = Box::new(move || {
        let status = recorder.status();
        let detail = match recorder.failure() {
            Some(why) => why.to_owned(),
            None => format!(
                "{} packets, {} left out, {} old segments removed",
                status.records, status.lost, status.removed
            ),
        };
        Check {
            ok: recorder.failure().is_none() && status.lost == 0,
            detail,
        }
    });
    Probe { name: "tape", read }
}

fn lane_config(args: &ServeArgs, idx: usize, core: Option<usize>) -> LaneConfig {
    let config = LaneConfig::new(&format!("lane-{idx}"));
    LaneConfig {
        idle: if args.spin { Idle::Spin } else { config.idle },
        prefault: args.prefault,
        core,
        ..config
    }
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
