//! The control side of the lanes: a thread that drains their rings in batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use engine::lane::{Command, Lane, LaneState};
use market::publish::Frame;

use super::DigestCheck;
use crate::market::Rejected;
use crate::node::Node;

/// Frames applied under one lock: long enough to be cheap, short enough for readers.
const BATCH: usize = 1_024;
/// Wait when every ring is empty. Readers see a frame at most this much later.
const IDLE: Duration = Duration::from_millis(1);

/// A running pump. Dropping it stops the lanes, applies what they published last, and ends.
pub struct Pump {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pump {
    /// Starts moving frames of `lanes` into the node's view. The first lane's index there is
    /// `first`: further ones follow.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(
        node: Arc<Node>,
        lanes: Vec<Lane>,
        first: usize,
        check: Arc<DigestCheck>,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("pump".to_owned())
            .spawn(move || run(&node, lanes, first, &check, &stopped))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic in the pump was already printed by its thread; there is nobody to tell.
            let _ended = thread.join();
        }
    }
}

fn run(node: &Node, mut lanes: Vec<Lane>, first: usize, check: &DigestCheck, stop: &AtomicBool) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut revision = 0;
    loop {
        hand_over_reference(node, &lanes, &mut revision);
        let stopping = stop.load(Ordering::Acquire);
        if stopping {
            for lane in &mut lanes {
                // Whoever asked for the end has read `lane_death` if there was one.
                let _dead = lane.stop();
            }
        }
        let moved: usize = lanes
            .iter_mut()
            .enumerate()
            .map(|(idx, lane)| drain(node, lane, first + idx, check, &mut batch))
            .sum();
        if moved == 0 {
            if stopping {
                return;
            }
            idle();
        }
    }
}

/// Gives every lane a table that was loaded since. A lane whose commands are all waiting gets it in
/// a later round.
fn hand_over_reference(node: &Node, lanes: &[Lane], revision: &mut u32) {
    let loaded = node.reference().revision();
    if loaded == *revision {
        return;
    }
    let table = node.reference().table();
    let sent = lanes.iter().all(|lane| {
        let command = Command::Reference(Arc::clone(&table));
        lane.commander().send(command)
    });
    if sent {
        *revision = loaded;
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "rings have no descriptor to wait on"
)]
fn idle() {
    std::thread::sleep(IDLE);
}

fn drain(
    node: &Node,
    lane: &mut Lane,
    idx: usize,
    check: &DigestCheck,
    batch: &mut Vec<Frame>,
) -> usize {
    batch.clear();
    batch.extend(std::iter::from_fn(|| lane.next_frame()).take(BATCH));
    if !batch.is_empty() {
        node.publish(idx, batch);
    }
    let mut view = None;
    while let Some((seq, digest)) = lane.take_digest() {
        let view = view.get_or_insert_with(|| node.market_mut());
        check.saw(seq, digest, &mut view.check);
    }
    let report = lane.report();
    let rejected: Vec<Rejected> = std::iter::from_fn(|| lane.next_offender())
        .map(reject)
        .collect();
    let dead = lane.state() == LaneState::Dead;
    if report.at_ns != 0 || dead || !rejected.is_empty() {
        let view = view.get_or_insert_with(|| node.market_mut());
        if idx == 0 {
            view.report = report;
        }
        view.note_late(idx, report.late);
        rejected.into_iter().for_each(|r| view.reject(r));
        if dead {
            view.lane_death = lane.death().map(str::to_owned);
        }
    }
    batch.len()
}

fn reject(offender: market::pipeline::Offender) -> Rejected {
    Rejected {
        at: offender.at_ns,
        line: ["A", "B"]
            .get(offender.line)
            .copied()
            .unwrap_or("recovery")
            .to_owned(),
        reason: with_causes(&offender.reason),
        bytes: offender.bytes().to_vec(),
    }
}

/// An error and what caused it, in one line.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
