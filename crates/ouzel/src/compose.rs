//! Pieces that several commands put together.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use std::time::Duration;

use anyhow::{Context, Result};
use collection::{Options, SyncPolicy, TextRules};
use engine::lane::{LaneConfig, last_core};
use market::publish::{FeedState, FeedStatus};
use node::memory::document_limits;
use node::{EmbeddingLimits, EvidenceWorker, Maker, Models, Node, ReembedWorker, Settings};
use rag::{Model, Rerank};
use server::model::{
    ChatModel, ChatSettings, EmbeddingModel, RerankBody, RerankModel, RerankSettings,
};
use server::standing::Watch;
use server::{Check, Probe};
use stdx::SystemClock;
use tokio::runtime::Runtime;

use crate::args::{BodyArg, EmbedArgs, ModelArgs, OutArgs, RerankArgs, SyncArg, WatchArgs};
use crate::{brokers, models, print};

const INTERVAL_MS: u32 = 100;
/// Between two looks at whether the lane lives.
const LANE_LOOK: Duration = Duration::from_millis(100);
/// The exit status of a process that was interrupted: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

/// An open FIX door: wait for `task` after the word to stop, so that everybody is logged out.
pub struct OpenFixDoor {
    pub door: Arc<server::fix_door::FixDoor>,
    pub address: std::net::SocketAddr,
    pub task: tokio::task::JoinHandle<()>,
}

/// Opens the FIX door and lets it run until told to stop.
///
/// # Errors
/// When the address is taken, or the configuration, a dictionary or a store cannot be used.
pub async fn fix_door(
    node: &Arc<Node>,
    address: std::net::SocketAddr,
    config: &server::fix_door::FixConfig,
    stopped: tokio::sync::watch::Receiver<bool>,
) -> Result<OpenFixDoor> {
    let door = Arc::new(server::fix_door::FixDoor::open(Arc::clone(node), config)?);
    let listener = server::fix_door::bind(address)
        .with_context(|| format!("cannot listen for FIX on {address}; choose another --fix"))?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(Arc::clone(&door).run(listener, stopped));
    Ok(OpenFixDoor {
        door,
        address,
        task,
    })
}

/// The policy behind the word.
pub fn sync_policy(sync: SyncArg) -> SyncPolicy {
    match sync {
        SyncArg::Always => SyncPolicy::Always,
        SyncArg::Interval => SyncPolicy::IntervalMs(INTERVAL_MS),
        SyncArg::Never => SyncPolicy::Never,
    }
}

/// Opens a data folder with the machine's clock.
pub fn open_node(dir: &Path, sync: SyncPolicy) -> Result<Node> {
    open_node_for(
        dir,
        sync,
        (document_limits(), EmbeddingLimits::default()),
        None,
        (&EmbedArgs::of_env(), false),
    )
}

/// As [`open_node`], within limits; `rules` are what the words of its documents must go by, `embed` says whose vectors they have, and whether they are made
/// anew where they are another model's.
pub fn open_node_for(
    dir: &Path,
    sync: SyncPolicy,
    (limits, embedding): (Options, EmbeddingLimits),
    rules: Option<&TextRules>,
    (embed, reembed): (&EmbedArgs, bool),
) -> Result<Node> {
    let settings = Settings {
        dir: dir.to_path_buf(),
        sync,
        limits,
        embedding,
    };
    let models = Models {
        model: maker(embed)?,
        before: before(embed)?,
        reembed,
    };
    Ok(Node::open_among(
        &settings,
        Arc::new(SystemClock),
        rules,
        models,
    )?)
}

/// The makers of the vectors that the folder had before. Where its endpoint does not answer, questions about its instants are
/// answered by words, and say so.
fn before(args: &EmbedArgs) -> Result<Vec<Maker>> {
    let mut makers = Vec::new();
    if let Some(dir) = &args.embed_before_model {
        let wish = models::Wish {
            question: args.embed_before_query_prefix.clone(),
            passage: args.embed_before_passage_prefix.clone(),
        };
        makers.push(folder(dir, &wish).context("--embed-before-model")?);
    }
    let Some(url) = args.embed_before_url.clone() else {
        return Ok(makers);
    };
    let settings = ChatSettings {
        url,
        model: args.embed_before_name.clone(),
        key: key(&args.embed_before_key_env),
    };
    match EmbeddingModel::connect(settings, Arc::new(SystemClock)) {
        Ok(model) => makers.push(Maker::Elsewhere(Box::new(model))),
        Err(fault) => print::warning(&format!(
            "--embed-before-url: {fault}; questions about its instants are answered by words alone"
        )),
    }
    Ok(makers)
}

/// A model of a folder.
fn folder(dir: &Path, wish: &models::Wish) -> Result<Maker> {
    let loaded = models::load(dir, wish)?;
    for note in &loaded.notes {
        print::warning(&format!("{}: {note}", dir.display()));
    }
    Ok(Maker::Here(Box::new(loaded.embedder)))
}

/// Begins to make vectors anew where the folder asks for it, and keeps those of earlier models true. `None` where there
/// is one model.
///
/// # Errors
/// When the system gives no thread.
pub fn reembed(node: &Arc<Node>) -> Result<Option<ReembedWorker>> {
    if node.model_change().is_none() && node.earlier_models().is_empty() {
        return Ok(None);
    }
    let worker = ReembedWorker::spawn(Arc::clone(node), print::warning);
    Ok(Some(worker.context("cannot begin to make vectors anew")?))
}

/// The maker of vectors.
fn maker(args: &EmbedArgs) -> Result<Maker> {
    if let Some(dir) = &args.embed_model {
        let wish = models::Wish {
            question: args.embed_query_prefix.clone(),
            passage: args.embed_passage_prefix.clone(),
        };
        return folder(dir, &wish);
    }
    let Some(url) = &args.embed_url else {
        return Ok(Maker::Packaged);
    };
    let settings = ChatSettings {
        url: url.clone(),
        model: args.embed_name.clone(),
        key: key(&args.embed_key_env),
    };
    let model = EmbeddingModel::connect(settings, Arc::new(SystemClock));
    let model = model.context("--embed-url: the endpoint gave no vector to begin with")?;
    Ok(Maker::Elsewhere(Box::new(model)))
}

/// A secret that the environment holds.
fn key(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|key| !key.is_empty())
}

/// The writer of answers, if one is configured.
pub fn chat_model(args: &ModelArgs) -> Option<Arc<dyn Model>> {
    let url = args.model_url.clone()?;
    let settings = ChatSettings {
        url,
        model: args.model.clone(),
        key: key(&args.model_key_env),
    };
    Some(Arc::new(ChatModel::new(settings, Arc::new(SystemClock))))
}

/// The cross-encoder, if one is configured.
///
/// # Errors
/// When the file with its key cannot be read.
pub fn rerank(args: &RerankArgs) -> Result<Option<Arc<dyn Rerank>>> {
    let Some(url) = args.rerank_url.clone() else {
        return Ok(None);
    };
    let key = match &args.rerank_key_file {
        Some(path) => Some(
            read_text(path)
                .context("--rerank-key-file")?
                .trim()
                .to_owned(),
        ),
        None => key("OUZEL_RERANK_KEY"),
    };
    let settings = RerankSettings {
        endpoint: ChatSettings {
            url,
            model: args.rerank_name.clone(),
            key,
        },
        body: match args.rerank_body {
            BodyArg::Documents => RerankBody::Documents,
            BodyArg::Texts => RerankBody::Texts,
        },
        limit: args.rerank_top,
    };
    Ok(Some(Arc::new(RerankModel::new(
        settings,
        Arc::new(SystemClock),
    ))))
}

/// Begins to match what comes with the standing questions, and to tell who waits.
///
/// # Errors
/// When what earlier runs kept cannot be read, or a broker's settings cannot be used.
pub fn watch(node: &Arc<Node>, args: WatchArgs, out: &OutArgs) -> Result<Watch> {
    let settings = server::standing::Settings {
        private_webhooks: args.webhook_private,
    };
    let others = brokers::alerts(node, &out.nats)?;
    Ok(Watch::start(node, settings, others.into_iter().collect())?)
}

/// A whole file as text; gzip is recognised by its first bytes.
pub fn read_text(path: &Path) -> Result<String> {
    let mut text = String::new();
    let mut reader = open_maybe_gzip(path)?;
    reader
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text)
}

/// Opens a file, unpacking it if it is gzip.
pub fn open_maybe_gzip(path: &Path) -> Result<Box<dyn Read>> {
    let context = || format!("cannot open {}", path.display());
    let mut file = File::open(path).with_context(context)?;
    let mut magic = [0; 2];
    let got = read_up_to(&mut file, &mut magic).with_context(context)?;
    let start = io::Cursor::new(magic[..got].to_vec());
    let whole = start.chain(file);
    if magic[..got] == [0x1f, 0x8b] {
        return Ok(Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(
            whole,
        ))));
    }
    Ok(Box::new(BufReader::new(whole)))
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read(&mut buffer[got..])? {
            0 => break,
            n => got += n,
        }
    }
    Ok(got)
}

/// Opens a data folder that must be there: asking an empty new one would only confuse.
pub fn open_existing(dir: &Path) -> Result<Node> {
    anyhow::ensure!(
        dir.join("documents").is_dir(),
        "{} is not a data folder; make one with `ouzel ingest FILE --data {}`",
        dir.display(),
        dir.display(),
    );
    open_node(dir, SyncPolicy::Always)
}

/// The runtime of the doors.
pub fn runtime() -> Result<Runtime> {
    let builder = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    builder.context("cannot start the server's threads; raise the limit on processes (ulimit -u)")
}

/// Resolves at Ctrl-C, at a request to terminate, or after `limit`. Whoever asks again meanwhile
/// wants the end at once: `at_once` tidies up and the process exits.
pub async fn until_stopped(limit: Option<Duration>, at_once: impl FnOnce() + Send + 'static) {
    let limit = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = asked_to_stop() => {}
        () = limit => {}
    }
    tokio::spawn(async {
        asked_to_stop().await;
        at_once();
        std::process::exit(INTERRUPTED);
    });
}

/// Resolves at the next Ctrl-C or request to terminate.
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut asked) => drop(asked.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}

/// Leaves checkpoints behind, so that the next start is quick. One that fails costs only that.
pub fn checkpoint(node: &Node) {
    if let Err(error) = node.checkpoint() {
        let error = anyhow::Error::from(error);
        crate::print::warning(&format!("{error:#}"));
    }
}

/// Answers signals with evidence until dropped.
///
/// # Errors
/// When the system gives no thread.
pub fn evidence(node: &Arc<Node>) -> Result<EvidenceWorker> {
    EvidenceWorker::spawn(Arc::clone(node))
        .context("cannot start the thread that looks for evidence")
}

/// Resolves when the lane has died: a market that nothing feeds any more must be told of.
pub async fn lane_death(node: &Node) {
    while node.market().lane_death.is_none() {
        tokio::time::sleep(LANE_LOOK).await;
    }
}

/// What a process whose lane has died ends with.
///
/// # Errors
/// When the lane is dead.
pub fn check_lane(node: &Node) -> Result<()> {
    match &node.market().lane_death {
        None => Ok(()),
        Some(why) => anyhow::bail!("the feed's lane died: {why}"),
    }
}

/// Silence after which a feed that was live is not healthy any more.
const SILENCE_NS: u64 = 5_000_000_000;

/// Health of the first feed, which `lanes` lanes share: they live, hear something, have books, and
/// their reader keeps up. The lane that is worst off speaks for all.
pub fn lane_probe(node: &Arc<Node>, lanes: usize) -> Probe {
    let node = Arc::clone(node);
    let read = Box::new(move || {
        let view = node.market();
        if let Some(why) = &view.lane_death {
            return Check {
                ok: false,
                detail: format!("the lane is dead: {why}"),
            };
        }
        let rank = |status: &&FeedStatus| match status.state {
            FeedState::Ended => 0,
            FeedState::Live => 1,
            FeedState::Recovering => 2,
            FeedState::Refreshing => 3,
            FeedState::Joining => 4,
        };
        let feeds = view.feeds().iter().take(lanes);
        let status = feeds.max_by_key(rank).copied().unwrap_or_default();
        let heard = status
            .lines
            .iter()
            .map(|line| line.last_recv_ns)
            .max()
            .unwrap_or(0);
        let silence_ns = node.clock().now_ns().saturating_sub(heard);
        match status.state {
            FeedState::Joining => Check {
                ok: false,
                detail: "nothing received yet".to_owned(),
            },
            FeedState::Ended => Check {
                ok: true,
                detail: "the session has ended".to_owned(),
            },
            FeedState::Live | FeedState::Recovering if silence_ns > SILENCE_NS => Check {
                ok: false,
                detail: format!("silent for {} s", silence_ns / 1_000_000_000),
            },
            FeedState::Refreshing => Check {
                ok: false,
                detail: format!(
                    "books are stale until a snapshot has come: {} messages lost, {} snapshots \
                     asked for, {} failed",
                    status.lost, status.snapshots_asked, status.snapshots_failed
                ),
            },
            FeedState::Live | FeedState::Recovering => Check {
                ok: true,
                detail: format!(
                    "next sequence {}, {} frames dropped",
                    status.next_seq,
                    view.dropped()
                ),
            },
        }
    });
    Probe { name: "feed", read }
}

/// Health of a lane that plays a capture: its stamps are old, so silence means nothing.
pub fn capture_probe(node: &Arc<Node>) -> Probe {
    let node = Arc::clone(node);
    let read = Box::new(move || {
        let view = node.market();
        if let Some(why) = &view.lane_death {
            return Check {
                ok: false,
                detail: format!("the capture cannot be played: {why}"),
            };
        }
        let status = view.feeds().first().copied().unwrap_or_default();
        let detail = match status.state {
            FeedState::Joining => "nothing played yet".to_owned(),
            FeedState::Ended => "the session has ended".to_owned(),
            FeedState::Live | FeedState::Recovering | FeedState::Refreshing => {
                format!("next sequence {}", status.next_seq)
            }
        };
        Check {
            ok: status.state != FeedState::Joining,
            detail,
        }
    });
    Probe {
        name: "capture",
        read,
    }
}

/// Health of memory: it still takes writes.
pub fn memory_probe(node: &Arc<Node>) -> Probe {
    let node = Arc::clone(node);
    let read = Box::new(move || match node.documents().collection().poison() {
        Some(why) => Check {
            ok: false,
            detail: why,
        },
        None => Check {
            ok: true,
            detail: format!("sequence {}", node.documents().collection().head_seq()),
        },
    });
    Probe {
        name: "memory",
        read,
    }
}

/// What is behind the ways out. A dead output is told here and does not make the node unready: the
/// market goes on, and so do its other readers.
pub fn outputs_probe(node: &Arc<Node>) -> Probe {
    let node = Arc::clone(node);
    let read = Box::new(move || {
        let outlets = node.outlets().status();
        let troubles: Vec<String> = outlets
            .iter()
            .filter_map(|outlet| Some(format!("{}: {}", outlet.name, outlet.trouble.as_ref()?)))
            .collect();
        let detail = match troubles.len() {
            0 => format!("{} readers, none in trouble", outlets.len()),
            n => format!(
                "{n} of {} in trouble: {}",
                outlets.len(),
                troubles.join("; ")
            ),
        };
        Check { ok: true, detail }
    });
    Probe {
        name: "outputs",
        read,
    }
}

/// How a lane runs: on a core of its own where there are several.
pub fn lane_config(name: &str, core: Option<usize>) -> LaneConfig {
    LaneConfig {
        core: core.or_else(last_core),
        ..LaneConfig::new(name)
    }
}

/// Health of a node with a feed.
pub fn probes(node: &Arc<Node>) -> Vec<Probe> {
    vec![lane_probe(node, 1), memory_probe(node), outputs_probe(node)]
}
