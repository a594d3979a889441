//! `ouzel venue`: the simulated venue alone, for a receiver in another process.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::venue::{Venue, VenueConfig};
use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use engine::glimpse::{GlimpseServer, ServeConfig};
use engine::udp::{RequestServer, Sender, SenderConfig};
use serde_json::json;
use stdx::{Clock, SystemClock};

use crate::outputs::v4;
use crate::speaker::{self, Outgoing, VenueThread};
use crate::{compose, print, session_day};

const SESSION: [u8; 10] = *b"OUZELVENUE";
const SECOND: u64 = 1_000_000_000;

/// Arguments of `venue`.
#[derive(Debug, ClapArgs)]
pub struct ExchangeArgs {
    /// Line A: GROUP:PORT, or a local address for unicast
    #[arg(long, value_name = "GROUP:PORT")]
    pub line_a: SocketAddr,
    /// Line B
    #[arg(long, value_name = "GROUP:PORT")]
    pub line_b: Option<SocketAddr>,
    /// Take MoldUDP64 requests for lost messages here (UDP)
    #[arg(long, value_name = "ADDR")]
    pub retransmit: Option<SocketAddr>,
    /// Tell snapshots here (GLIMPSE over SoupBinTCP)
    #[arg(long, value_name = "ADDR")]
    pub glimpse: Option<SocketAddr>,
    /// Address of the interface to send from
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub interface: Ipv4Addr,
    /// Fixes every price, shock and headline
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Instruments listed
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(4..=10_000))]
    pub symbols: u16,
    /// Messages a second
    #[arg(long, default_value_t = 8_000, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub rate: u32,
    /// Packets lost on each line, on its own
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    pub loss: f64,
    /// Messages that can be asked for again
    #[arg(long, default_value_t = 1 << 20, value_name = "MESSAGES")]
    pub history: usize,
    /// Both lines fall silent after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub cut_after: Option<u64>,
    /// For so many seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 1,
        requires = "cut_after"
    )]
    pub cut_for: u64,
    /// Stop after this many seconds; without it, run until Ctrl-C
    #[arg(long = "for", value_name = "SECONDS")]
    pub for_s: Option<u64>,
    /// Print machine-readable lines
    #[arg(long)]
    pub json: bool,
}

/// Speaks until Ctrl-C or the time given.
pub fn run(args: &ExchangeArgs) -> Result<ExitCode> {
    anyhow::ensure!(
        (0.0..=50.0).contains(&args.loss),
        "--loss {} is outside 0 to 50 percent",
        args.loss,
    );
    let now = SystemClock.now_ns();
    let config = VenueConfig {
        symbols: usize::from(args.symbols),
        rate: f64::from(args.rate),
        ..VenueConfig::new(args.seed, now, session_day::midnight_ns(None, now)?)
    };
    let open = |address| -> Result<Sender> {
        Ok(Sender::open(&SenderConfig {
            interface: args.interface,
            ..SenderConfig::loopback(v4(address)?)
        })?)
    };
    let lines = std::iter::once(args.line_a).chain(args.line_b);
    let requests = args.retransmit.map(RequestServer::open).transpose();
    let requests = requests.context("--retransmit")?;
    let (provider, asked) = speaker::snapshots();
    let server = args
        .glimpse
        .map(|address| GlimpseServer::open(address, ServeConfig::new(SESSION), provider))
        .transpose()
        .context("--glimpse")?;
    let cut_from = now.saturating_add(args.cut_after.unwrap_or(0) * SECOND);
    let cut_to = cut_from.saturating_add(args.cut_for * SECOND);
    let outgoing = Outgoing {
        senders: lines.map(open).collect::<Result<_>>()?,
        requests,
        history: args.history,
        loss: speaker::loss(args.loss),
        cut: args.cut_after.map(|_| (cut_from, cut_to)),
        news: None,
        check: None,
        snapshots: asked,
    };
    greet(args, &outgoing, server.as_ref());
    let stop = Arc::new(AtomicBool::new(false));
    let thread = VenueThread::spawn(Venue::new(config), SESSION, outgoing, Arc::clone(&stop))?;
    let runtime = compose::runtime()?;
    let limit = args.for_s.map(Duration::from_secs);
    runtime.block_on(compose::until_stopped(limit, || ()));
    stop.store(true, Ordering::Release);
    let said = thread.join();
    let summary = json!({
        "messages": said.messages, "snapshots": said.snapshots,
        "requests_answered": said.requests.answered, "requests_refused": said.requests.refused,
        "messages_resent": said.requests.messages,
    });
    if args.json {
        print::json(&summary);
    } else {
        print::line(format!(
            "{} messages said, {} sent again, {} snapshots told",
            said.messages, said.requests.messages, said.snapshots
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn greet(args: &ExchangeArgs, outgoing: &Outgoing, server: Option<&GlimpseServer>) {
    let requests = outgoing.requests.as_ref().and_then(|r| r.address().ok());
    let glimpse = server.map(GlimpseServer::address);
    if args.json {
        print::json(&json!({
            "simulated": true, "seed": args.seed, "line_a": args.line_a, "line_b": args.line_b,
            "retransmit": requests, "glimpse": glimpse,
        }));
        return;
    }
    let mut command = format!("ouzel serve --itch-a {}", args.line_a);
    for (flag, address) in [
        ("--itch-b", args.line_b),
        ("--retransmit", requests),
        ("--glimpse", glimpse),
    ] {
        if let Some(address) = address {
            command.push_str(&format!(" {flag} {address}"));
        }
    }
    print::line(format!(
        "SIMULATED VENUE, seed {}, {} symbols at {} messages a second\n  listen   {command} --interface {}\n  stop     Ctrl-C",
        args.seed, args.symbols, args.rate, args.interface
    ));
}
