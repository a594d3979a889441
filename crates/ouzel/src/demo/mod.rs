//! `ouzel demo`: a simulated venue and everything that watches it, in one process over real
//! sockets.

mod newswire;
mod tape;
mod wires;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::venue::{Venue, VenueConfig};
use anyhow::{Context, Result};
use collection::SyncPolicy;
use engine::glimpse::{GlimpseClient, GlimpseConfig, GlimpseServer, Refreshed, ServeConfig};
use engine::lane::Lane;
use market::pipeline::{ItchPipeline, PipelineConfig};
use node::reference::Listing;
use node::{DigestCheck, Node, Pump};
use serde_json::json;
use server::App;
use server::fix_door::FixConfig;
use stdx::{Clock, SystemClock};
use tokio::net::TcpListener;

use crate::args::DemoArgs;
use crate::outputs::Outputs;
use crate::speaker::{self, Outgoing, VenueThread};
use crate::{columns, compose, print};
use wires::Wires;

const DAY_NS: u64 = 86_400_000_000_000;
const SESSION: [u8; 10] = *b"OUZELDEMO1";
const HISTORY: usize = 1 << 20;
const ORDERS_LIMIT: usize = 1 << 18;
/// Planted shocks move 3 to 9 %; the flow around them less than 0.6 %.
const JUMP_BP: u32 = 100;

/// Runs until Ctrl-C or the time given.
pub fn run(mut args: DemoArgs) -> Result<ExitCode> {
    anyhow::ensure!(
        (0.0..=50.0).contains(&args.loss),
        "--loss {} is outside 0 to 50 percent",
        args.loss,
    );
    let runtime = compose::runtime()?;
    // A taken port is told before anything starts.
    let door = runtime.block_on(server::http::bind(args.listen))?;
    let folder = Folder::new()?;
    let node = Arc::new(compose::open_node(&folder.0, SyncPolicy::Never)?);
    node.moments().set_limit(args.windows.keep_states());
    let config = venue_config(&args);
    let mut wires = Wires::open(args.unicast)?;
    label(&node, &config, &wires);
    let check = Arc::new(DigestCheck::default());
    let (provider, asked) = speaker::snapshots();
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = GlimpseServer::open(here, ServeConfig::new(SESSION), provider)
        .context("the snapshot server")?;
    let (lane, client) = lane(&args, &config, &wires, &server)?;
    node.market_mut().snapshots = Some(client.status());
    let commander = lane.commander();
    let stop = Arc::new(AtomicBool::new(false));
    let evidence = compose::evidence(&node)?;
    let pump = Pump::spawn(Arc::clone(&node), vec![lane], 0, Arc::clone(&check))?;
    let news = newswire::Newswire::spawn(Arc::clone(&node))?;
    let outgoing = Outgoing {
        senders: vec![wires.sender_a()?, wires.sender_b()?],
        requests: wires.requests.take(),
        history: HISTORY,
        loss: speaker::loss(args.loss),
        cut: None,
        news: Some(news.sender()),
        check: Some((check, commander)),
        snapshots: asked,
    };
    let outputs = Outputs::start(&node, &args.out)?;
    let venue = Venue::new(config.clone());
    let venue = VenueThread::spawn(venue, SESSION, outgoing, Arc::clone(&stop))?;
    let served = runtime.block_on(serve(&args, &node, &config, &wires, door, &folder));
    stop.store(true, Ordering::Release);
    drop(venue);
    drop(news);
    drop(pump);
    drop(evidence);
    drop((client, server));
    drop(outputs);
    // Calls of a model that hangs must not hold up the end.
    runtime.shutdown_background();
    compose::checkpoint(&node);
    let summary = summary(&node);
    if args.json {
        print::json(&summary);
    } else {
        print::line(tape::closing(&summary));
    }
    compose::check_lane(&node)?;
    served.map(|()| ExitCode::SUCCESS)
}

fn venue_config(args: &DemoArgs) -> VenueConfig {
    let now = SystemClock.now_ns();
    VenueConfig {
        symbols: usize::from(args.symbols),
        rate: f64::from(args.rate),
        ..VenueConfig::new(args.seed, now, now - now % DAY_NS)
    }
}

fn label(node: &Node, config: &VenueConfig, wires: &Wires) {
    let mut view = node.market_mut();
    view.venue.simulated = true;
    view.venue.label = format!("SIMULATED VENUE, seed {}", config.seed);
    view.venue.groups = wires.groups();
    let listings = ::venue::listings(config.symbols);
    for listing in &listings {
        view.names.insert(&listing.symbol, &listing.name);
    }
    drop(view);
    let listed = listings.iter().map(|listing| Listing {
        symbol: listing.symbol.to_string(),
        name: Some(listing.name.to_string()),
        sector: Some(listing.sector.name().to_owned()),
        ..Listing::default()
    });
    node.reference().load(listed.collect(), config.start_ns);
}

fn lane(
    args: &DemoArgs,
    config: &VenueConfig,
    wires: &Wires,
    server: &GlimpseServer,
) -> Result<(Lane, GlimpseClient)> {
    let mut pipeline = PipelineConfig {
        midnight_ns: config.midnight_ns,
        orders_limit: ORDERS_LIMIT,
        ..PipelineConfig::default()
    };
    args.windows.apply(&mut pipeline);
    pipeline.mold.join_from = Some(1);
    pipeline.mold.has_snapshot = true;
    pipeline.jump.threshold_bp = JUMP_BP;
    let source = wires.source()?;
    let (client, links) = GlimpseClient::spawn(GlimpseConfig::new(server.address()), 1)?;
    let link = links.into_iter().next().context("a link for one lane")?;
    let lane = Lane::spawn(
        compose::lane_config("lane-0", args.core),
        move || Refreshed::new(ItchPipeline::new(&pipeline), link),
        source,
    )?;
    Ok((lane, client))
}

async fn serve(
    args: &DemoArgs,
    node: &Arc<Node>,
    config: &VenueConfig,
    wires: &Wires,
    (listener, address): (TcpListener, SocketAddr),
    folder: &Folder,
) -> Result<()> {
    let model = compose::chat_model(&args.model);
    let watch = compose::watch(node, args.watch, &args.out)?;
    let app = App::new(Arc::clone(node), model, compose::probes(node));
    let mut app = app
        .with_rerank(compose::rerank(&args.model.rerank)?)
        .with_standing(&watch);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (mut fix_address, mut fix_task) = (None, None);
    if let Some(port) = args.fix {
        let fix_config = FixConfig::demo(folder.0.join("fix"));
        let local = SocketAddr::from(([127, 0, 0, 1], port));
        let open = compose::fix_door(node, local, &fix_config, stopped).await?;
        app = app.with_fix(open.door);
        fix_address = Some(open.address.to_string());
        fix_task = Some(open.task);
    }
    let app = Arc::new(app);
    columns::flight(&args.out.columns, &app).await?;
    if args.json {
        print::json(&json!({
            "listening": format!("http://{address}"), "seed": config.seed, "fix": fix_address,
            "simulated": true, "lines": wires.groups(), "multicast": wires.multicast,
        }));
    } else {
        print::line(tape::opening(args, address, wires, fix_address.as_deref()));
    }
    let limit = args.for_s.map(Duration::from_secs);
    let printer = tokio::spawn(tape::follow(Arc::clone(node), args.json));
    let left_over = folder.0.clone();
    let watched = Arc::clone(node);
    let stop_asked = async move {
        tokio::select! {
            () = compose::until_stopped(limit, move || drop(Folder(left_over))) => {}
            () = compose::lane_death(&watched) => {}
        }
    };
    let done = server::http::serve(listener, app, stop_asked).await;
    printer.abort();
    // Without a FIX door nobody listens.
    let _told = stop.send(true);
    if let Some(task) = fix_task {
        task.await.context("the FIX door")?;
    }
    done.context("the server stopped")
}

fn summary(node: &Node) -> serde_json::Value {
    let view = node.market();
    let feed = view.feeds().first().copied().unwrap_or_default();
    json!({
        "messages": feed.next_seq.saturating_sub(1), "gaps": feed.gaps,
        "recovered": feed.recovered, "lost": feed.lost, "signals": view.signal_count(),
        "book_checks": view.check.checked, "book_checks_unequal": view.check.unequal,
        "documents": node.documents().collection().stats().points,
    })
}

/// A folder of our own that goes when the demo ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("ouzel-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| {
            format!(
                "cannot make {}; set TMPDIR to a folder you may write",
                path.display()
            )
        })?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left-over files in the temporary folder are the system's to clear.
        let _cleared = std::fs::remove_dir_all(&self.0);
    }
}
