//! A capture file in place of a live feed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use engine::capture::{ItchFileSource, PcapSource, Speed};
use engine::lane::Lane;
use market::pipeline::{ItchPipeline, PipelineConfig};
use node::{DepthLane, Node};

use crate::args::ServeArgs;
use crate::replay::file::{self, Kind};
use crate::{compose, print};

/// What plays the capture.
pub enum Started {
    /// Packets or ITCH messages, through the same lane as live ones.
    Lane(Box<Lane>),
    /// Recorded JSON.
    Player(Player),
}

/// Starts playing `path` at the pace asked for.
pub fn start(path: &Path, args: &ServeArgs, node: &Arc<Node>) -> Result<Started> {
    let capture = file::open(path, args.day.as_deref())?;
    let speed = if args.speed > 0.0 {
        Speed::Times(args.speed)
    } else {
        Speed::Max
    };
    let config = capture.config();
    let name = compose::lane_config("capture", args.core);
    let pipeline = move || ItchPipeline::new(&config);
    match capture.kind {
        Kind::Pcap => {
            let source = PcapSource::open(&capture.path, &[], speed)?;
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
        Kind::BinanceLines => {
            let text = std::fs::read_to_string(&capture.path)?;
            drop(capture);
            Ok(Started::Player(Player::spawn(
                text,
                args.speed,
                Arc::clone(node),
            )?))
        }
    }
}

/// Plays recorded JSON lines into a depth lane. Dropping it stops it.
pub struct Player {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Player {
    fn spawn(text: String, speed: f64, node: Arc<Node>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("capture".to_owned())
            .spawn(move || play(&text, speed, &node, &stopped))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic in the player was already printed by its thread.
            let _ended = thread.join();
        }
    }
}

fn play(text: &str, speed: f64, node: &Node, stop: &AtomicBool) {
    let mut lane = DepthLane::new(&PipelineConfig::default(), 0);
    let began = Instant::now();
    let mut first = None;
    for (idx, line) in text.lines().enumerate() {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let Some((ts_recv, json)) = file::binance_line(line) else {
            print::warning(&format!(
                "line {}: no receive time before the JSON; skipped",
                idx + 1
            ));
            continue;
        };
        let since_ns = ts_recv.saturating_sub(*first.get_or_insert(ts_recv)) as f64;
        if speed > 0.0 {
            let due = Duration::from_nanos((since_ns / speed) as u64);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
        lane.message(node, ts_recv, json.as_bytes());
    }
    lane.tick(node, node.clock().now_ns());
}
