//! A capture file in place of a live feed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use engine::capture::{DbnFrom, ItchFileSource, PcapSource, Speed};
use engine::lane::Lane;
use engine::tape::TapeSource;
use market::pipeline::{IexPipeline, ItchPipeline, PipelineConfig};
use node::{DepthLane, Node};
use server::{Check, Probe};

use super::dbn;
use crate::args::ServeArgs;
use crate::replay::file::{self, Kind};
use crate::replay::recorded;
use crate::{compose, print};

/// Longest sleep between two looks at whether to stop.
const SLICE: Duration = Duration::from_millis(100);

/// Between two looks at whether a blocking reader has room.
const READERS_LOOK: Duration = Duration::from_millis(1);

/// What plays the capture.
pub enum Started {
    /// Packets or ITCH messages, through the same lane as live ones.
    Lane(Box<Lane>),
    /// Recorded JSON.
    Player(Player),
}

/// Starts playing `path` at the pace asked for.
pub fn start(path: &Path, args: &ServeArgs, node: &Arc<Node>) -> Result<Started> {
    let mut capture = file::open(path, args.day.as_deref())?;
    capture.windows = args.windows.clone();
    let speed = if args.speed > 0.0 {
        Speed::Times(args.speed)
    } else {
        Speed::Max
    };
    let config = capture.config();
    let name = compose::lane_config("capture", args.core);
    let of_itch = config.clone();
    let pipeline = move || ItchPipeline::new(&of_itch);
    match capture.kind {
        Kind::Pcap => {
            let source = PcapSource::open(&capture.path, &[], speed)?;
            Ok(Started::Lane(Box::new(Lane::spawn(
                name, pipeline, source,
            )?)))
        }
        Kind::Tape => {
            let source = TapeSource::open(&capture.path, speed)?;
            Ok(Started::Lane(Box::new(Lane::spawn(
                name, pipeline, source,
            )?)))
        }
        Kind::Itch => {
            let source = ItchFileSource::open(&capture.path, capture.midnight_ns, speed)?;
            Ok(Started::Lane(Box::new(Lane::spawn(
                name, pipeline, source,
            )?)))
        }
        Kind::Iex => {
            let source = PcapSource::open(&capture.path, &[], speed)?;
            let pipeline = move || IexPipeline::new(&config);
            Ok(Started::Lane(Box::new(Lane::spawn(
                name, pipeline, source,
            )?)))
        }
        Kind::Dbn => {
            let from = DbnFrom::File(capture.path.clone());
            let (lane, _status) = dbn::spawn(args, from, speed)?;
            Ok(Started::Lane(Box::new(lane)))
        }
        Kind::Fast => {
            anyhow::bail!("`ouzel replay --templates` plays FAST captures; `serve` does not")
        }
        Kind::BinanceLines | Kind::Recorded(_) => {
            let kind = capture.kind;
            let text = std::fs::read_to_string(&capture.path)?;
            drop(capture);
            Ok(Started::Player(Player::spawn(
                kind,
                text,
                args.speed,
                args.windows.config(),
                Arc::clone(node),
            )?))
        }
    }
}

/// What the player has done, and what it is told.
#[derive(Default)]
struct Progress {
    stop: AtomicBool,
    lines: AtomicU64,
    has_ended: AtomicBool,
    has_failed: AtomicBool,
}

/// Says how the player ended, by a panic too.
struct Ending<'a>(&'a Progress);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        self.0.has_failed.store(failed, Ordering::Relaxed);
        self.0.has_ended.store(true, Ordering::Release);
    }
}

/// Plays recorded JSON lines into a depth lane. Dropping it stops it.
pub struct Player {
    progress: Arc<Progress>,
    thread: Option<JoinHandle<()>>,
}

impl Player {
    fn spawn(
        kind: Kind,
        text: String,
        speed: f64,
        config: PipelineConfig,
        node: Arc<Node>,
    ) -> std::io::Result<Self> {
        let progress = Arc::new(Progress::default());
        let shared = Arc::clone(&progress);
        let thread = std::thread::Builder::new()
            .name("capture".to_owned())
            .spawn(move || play(kind, &text, speed, &config, &node, &shared))?;
        Ok(Self {
            progress,
            thread: Some(thread),
        })
    }

    /// Its health.
    pub fn probe(&self) -> Probe {
        let progress = Arc::clone(&self.progress);
        let read = Box::new(move || {
            let lines = progress.lines.load(Ordering::Relaxed);
            let ended = progress.has_ended.load(Ordering::Acquire);
            let ok = !progress.has_failed.load(Ordering::Relaxed);
            let state = match (ok, ended) {
                (false, _) => "the player failed after",
                (true, true) => "the capture has ended after",
                (true, false) => "playing, so far",
            };
            Check {
                ok,
                detail: format!("{state} {lines} lines"),
            }
        });
        Probe {
            name: "capture",
            read,
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.progress.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic in the player was already printed by its thread.
            let _ended = thread.join();
        }
    }
}

/// Waits until `due` after `began`; false when told to stop meanwhile.
fn wait(began: Instant, due: Duration, progress: &Progress) -> bool {
    loop {
        if progress.stop.load(Ordering::Acquire) {
            return false;
        }
        let left = due.saturating_sub(began.elapsed());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(SLICE));
    }
}

/// A file can wait for a blocking reader as long as it likes; false when told to stop meanwhile.
fn wait_for_readers(node: &Node, progress: &Progress) -> bool {
    if !node.outlets().is_pressed() {
        return true;
    }
    let began = Instant::now();
    while node.outlets().is_pressed() && !progress.stop.load(Ordering::Acquire) {
        std::thread::sleep(READERS_LOOK);
    }
    let waited = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    node.outlets().waited(waited);
    !progress.stop.load(Ordering::Acquire)
}

fn play(
    kind: Kind,
    text: &str,
    speed: f64,
    config: &PipelineConfig,
    node: &Node,
    progress: &Progress,
) {
    let _ending = Ending(progress);
    let venue = recorded::venue(kind);
    let mut lane = DepthLane::new(venue, "capture", config, 0);
    let began = Instant::now();
    let mut first = None;
    let (all, bad) = recorded::read(kind, text);
    if bad > 0 {
        print::warning(&format!("{bad} lines are no line of a recording; skipped"));
    }
    for said in all {
        let ts_recv = said.at_ns;
        let since_ns = ts_recv.saturating_sub(*first.get_or_insert(ts_recv)) as f64;
        let due = match speed > 0.0 {
            true => Duration::from_nanos((since_ns / speed) as u64),
            false => Duration::ZERO,
        };
        if !wait(began, due, progress) {
            return;
        }
        if !wait_for_readers(node, progress) {
            return;
        }
        let bytes = said.text.as_bytes();
        match said.answer_of {
            Some(symbol) => lane.snapshot(node, ts_recv, symbol, bytes),
            None => lane.message(node, ts_recv, bytes),
        }
        progress.lines.fetch_add(1, Ordering::Relaxed);
    }
    lane.tick(node, node.clock().now_ns());
}
