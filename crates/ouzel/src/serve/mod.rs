//! `ouzel serve`: live feeds, captures, documents and questions behind the doors.

mod capture;
mod dbn;
mod fast;
mod groups;
mod iex;
mod lines;
mod mdp3;
mod reference;
mod snapshots;
mod sources;
mod venues;
mod worries;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use engine::glimpse::GlimpseClient;
use engine::lane::Lane;
use engine::tape::Recorder;
use node::{DigestCheck, Node, Pump};
use rag::Semantic;
use serde_json::json;
use server::fix_door::FixConfig;
use server::{App, Probe};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use dbn::DbnArgs;
pub use fast::FastArgs;
pub use iex::IexArgs;
pub use mdp3::Mdp3Args;

use crate::args::{EmbedArgs, IngestArgs, ServeArgs, TargetArgs};
use crate::outputs::Outputs;
use crate::words::WordArgs;
use crate::{columns, compose, ingest, print};

/// Serves until Ctrl-C.
pub fn run(mut args: Box<ServeArgs>) -> Result<ExitCode> {
    if args.lock_memory {
        engine::memory::lock_all()
            .context("--lock-memory: raise the limit (ulimit -l) or give CAP_IPC_LOCK")?;
    }
    let rules = args.words.rules()?;
    let node = Arc::new(compose::open_node_for(
        &args.data,
        compose::sync_policy(args.sync),
        ((&args.limits).into(), (&args.limits).into()),
        rules.as_ref(),
        (&args.embed, args.reembed),
    )?);
    let states_bytes = args.windows.keep_states();
    node.moments().set_limit(states_bytes);
    report_recovery(&node);
    let keeper = match states_bytes {
        0 => None,
        _ => Some(keep_states(&node)?),
    };
    let runtime = compose::runtime()?;
    // A taken port is told at once, not after a million documents.
    let door = runtime.block_on(server::http::bind(args.listen))?;
    preload(&args, &node)?;
    if let Some(path) = &args.reference {
        reference::load(path, &node)?;
    }
    let served = runtime.block_on(serve(&args, &node, door));
    // Calls of a model that hangs must not hold up the end.
    runtime.shutdown_background();
    compose::checkpoint(&node);
    drop(keeper);
    if let Some(why) = node.moments().kept().failed {
        print::warning(&format!("the last market states were not written: {why}"));
    }
    compose::check_lane(&node)?;
    served.map(|()| ExitCode::SUCCESS)
}

async fn serve(
    args: &ServeArgs,
    node: &Arc<Node>,
    (listener, address): (TcpListener, SocketAddr),
) -> Result<()> {
    let (stop, stopped) = watch::channel(false);
    let mut probes = vec![compose::memory_probe(node), compose::outputs_probe(node)];
    let outputs = Outputs::start(node, &args.out)?;
    let evidence = compose::evidence(node)?;
    let feeds = Feeds::start(args, node, &mut probes, &stopped)?;
    let sources = sources::start(&args.sources, node, &stopped)?;
    let watch = compose::watch(node, args.watch, &args.out)?;
    let _reembed = compose::reembed(node)?;
    let app = App::new(Arc::clone(node), compose::chat_model(&args.model), probes);
    let mut app = app
        .with_rerank(compose::rerank(&args.model.rerank)?)
        .with_semantic(args.limits.semantic_cache.map(Semantic::new))
        .with_sources(sources.statuses.clone())
        .with_standing(&watch);
    let fix = open_fix(args, node, stopped).await?;
    if let Some(fix) = &fix {
        app = app.with_fix(Arc::clone(&fix.door));
    }
    let app = Arc::new(app);
    if let Some(path) = &args.reference {
        reference::follow(path, node)?;
    }
    if let Some(path) = &args.risk_record {
        let opened = app.risk.record_to(path);
        opened.with_context(|| format!("cannot append to {}", path.display()))?;
    }
    columns::flight(&args.out.columns, &app).await?;
    greet(args, node, address, fix.as_ref().map(|fix| fix.address));
    let watched = Arc::clone(node);
    let stop_asked = async move {
        tokio::select! {
            () = compose::until_stopped(None, || ()) => {}
            () = compose::lane_death(&watched) => {}
        }
    };
    let done = server::http::serve(listener, app, stop_asked).await;
    // Connectors that have ended already do not need to be told.
    let _told = stop.send(true);
    if let Some(fix) = fix {
        fix.task.await.context("the FIX door")?;
    }
    drop(sources);
    drop(feeds);
    drop(evidence);
    drop(outputs);
    drop(watch);
    done.context("the server stopped")
}

async fn open_fix(
    args: &ServeArgs,
    node: &Arc<Node>,
    stopped: watch::Receiver<bool>,
) -> Result<Option<compose::OpenFixDoor>> {
    let Some(listen) = args.fix else {
        return Ok(None);
    };
    let config = match &args.fix_config {
        Some(path) => FixConfig::read(path)?,
        None => FixConfig::demo(args.data.join("fix")),
    };
    let open = compose::fix_door(node, listen, &config, stopped).await?;
    Ok(Some(open))
}

/// What brings the market, alive until dropped.
#[derive(Default)]
struct Feeds {
    // Dropped first: its lanes end, and with them what the recorder takes from.
    _pump: Option<Pump>,
    _recorder: Option<Arc<Recorder>>,
    _capture: Option<capture::Player>,
    _snapshots: Option<GlimpseClient>,
}

impl Feeds {
    fn start(
        args: &ServeArgs,
        node: &Arc<Node>,
        probes: &mut Vec<Probe>,
        stopped: &watch::Receiver<bool>,
    ) -> Result<Self> {
        let mut feeds = Self::default();
        if let Some(a) = args.itch_a {
            let lines::Feed {
                lanes,
                recorder,
                snapshots,
            } = lines::start(args, a)?;
            node.market_mut().venue.label = "ITCH 5.0".to_owned();
            node.market_mut().venue.groups = groups::shown(&[args.itch_a, args.itch_b]);
            feeds._pump = Some(pump(node, lanes)?);
            let shares = usize::from(args.lanes.max(1));
            probes.push(compose::lane_probe(node, shares));
            tokio::spawn(worries::follow(Arc::clone(node)));
            if !args.json {
                let said = worries::say_bound(Arc::clone(node), shares, args.prefault);
                tokio::spawn(said);
            }
            if let Some(client) = snapshots {
                probes.push(snapshots::probe(client.status()));
                tokio::spawn(snapshots::follow(client.status()));
                node.market_mut().snapshots = Some(client.status());
                feeds._snapshots = Some(client);
            }
            if let Some(recorder) = recorder.map(Arc::new) {
                probes.push(lines::tape_probe(Arc::clone(&recorder)));
                feeds._recorder = Some(recorder);
            }
        }
        if let Some((label, lines, lane)) = only_lane(args)? {
            feeds.only(node, (label, lines), lane)?;
            probes.push(compose::lane_probe(node, 1));
        }
        if let Some(stream) = &args.dbn.dbn {
            let (lane, status) = dbn::start(args, stream)?;
            feeds.only(node, ("DBN", vec![stream.clone()]), lane)?;
            // Its records may be old: silence is told by the stream.
            probes.push(compose::capture_probe(node));
            probes.push(dbn::probe(status));
        }
        let first_free = match (args.itch_a, &feeds._pump) {
            (Some(_), _) => usize::from(args.lanes.max(1)),
            (None, Some(_)) => 1,
            (None, None) => 0,
        };
        probes.extend(venues::start(args, first_free, node, stopped));
        if let Some(path) = &args.capture {
            node.market_mut().venue.label = format!("capture {}", path.display());
            match capture::start(path, args, node)? {
                capture::Started::Lane(lane) => {
                    feeds._pump = Some(pump(node, vec![*lane])?);
                    probes.push(compose::capture_probe(node));
                }
                capture::Started::Player(player) => {
                    probes.push(player.probe());
                    feeds._capture = Some(player);
                }
            }
        }
        Ok(feeds)
    }

    /// A feed of one lane: names it, drains it and watches it.
    fn only(
        &mut self,
        node: &Arc<Node>,
        (label, lines): (&str, Vec<String>),
        lane: Lane,
    ) -> Result<()> {
        node.market_mut().venue.label = label.to_owned();
        node.market_mut().venue.groups = lines;
        self._pump = Some(pump(node, vec![lane])?);
        tokio::spawn(worries::follow(Arc::clone(node)));
        Ok(())
    }
}

/// The feed over UDP that has one lane, where one was asked for: what it is, its lines, its lane.
fn only_lane(args: &ServeArgs) -> Result<Option<(&'static str, Vec<String>, Lane)>> {
    let (fast, iex, mdp3) = (&args.fast, &args.iex, &args.mdp3);
    Ok(if let Some(a) = fast.fast_a {
        let lines = groups::shown(&[fast.fast_a, fast.fast_b, fast.fast_snapshots]);
        Some(("FAST 1.1", lines, fast::start(args, a)?))
    } else if let Some(a) = iex.iex_a {
        let lines = groups::shown(&[iex.iex_a, iex.iex_b]);
        Some(("IEX-TP", lines, iex::start(args, a)?))
    } else if let Some(a) = mdp3.mdp3_a {
        let repeated = [mdp3.mdp3_snapshots, mdp3.mdp3_definitions];
        let lines = groups::shown(&[[mdp3.mdp3_a, mdp3.mdp3_b], repeated].concat());
        Some(("CME MDP 3.0", lines, mdp3::start(args, a)?))
    } else {
        None
    })
}

fn pump(node: &Arc<Node>, lanes: Vec<Lane>) -> Result<Pump> {
    let check = Arc::new(DigestCheck::default());
    Pump::spawn(Arc::clone(node), lanes, 0, check).context("cannot start the pump's thread")
}

fn report_recovery(node: &Node) {
    for (store, recovery) in node.recovery() {
        if let Some(reason) = &recovery.reason {
            let cut = recovery.cut_bytes;
            print::warning(&format!(
                "{store}: {cut} bytes of a torn write were cut: {reason}"
            ));
        }
        for reason in &recovery.set_aside {
            print::warning(&format!(
                "{store}: a file was set aside, the log says the same: {reason}"
            ));
        }
    }
}

/// Earlier runs' market states are there again, and this one's are kept.
fn keep_states(node: &Node) -> Result<node::moments::Keeper> {
    let (keeper, kept) = node.keep_states()?;
    for (path, bytes) in &kept.torn {
        print::warning(&format!(
            "market states: {bytes} bytes at the end of {} are not what was written and were left out",
            path.display()
        ));
    }
    Ok(keeper)
}

fn preload(args: &ServeArgs, node: &Node) -> Result<()> {
    if args.documents.is_empty() && args.days.is_empty() {
        return Ok(());
    }
    let ingest = IngestArgs {
        embed: EmbedArgs::default(),
        files: args.documents.clone(),
        days: args.days.clone(),
        number: true,
        known_at: "known_at".to_owned(),
        symbol_field: "symbol".to_owned(),
        text_field: "text".to_owned(),
        source: None,
        words: WordArgs::default(),
        target: TargetArgs {
            url: String::new(),
            data: None,
        },
        json: args.json,
    };
    let mut total = ingest::Total::default();
    let outcome = ingest::store(&ingest, &ingest::Target::Here(node), &mut total);
    ingest::report(&ingest, &total);
    outcome
}

fn greet(args: &ServeArgs, node: &Node, address: SocketAddr, fix: Option<SocketAddr>) {
    let stats = node.documents().collection().stats();
    if args.json {
        print::json(&json!({
            "listening": format!("http://{address}"), "data": args.data, "fix": fix,
            "chunks": stats.points, "days": node.days().count(),
        }));
        return;
    }
    print::line(format!(
        "Ouzel serves {}\n  console  http://{address}\n  memory   {} chunks, {} day bars\n  stop     Ctrl-C",
        args.data.display(),
        stats.points,
        node.days().count(),
    ));
    if let Some(fix) = fix {
        print::line(format!("  FIX      {fix}"));
    }
    let has_feed = args.itch_a.is_some()
        || args.fast.fast_a.is_some()
        || args.iex.iex_a.is_some()
        || args.mdp3.mdp3_a.is_some()
        || args.dbn.dbn.is_some()
        || args.venues.is_any()
        || args.capture.is_some();
    if !has_feed {
        print::line(
            "  no market feed is configured: see `ouzel serve --help`, or try `ouzel demo`",
        );
    }
}
