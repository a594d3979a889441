//! An ITCH capture through one lane, or through several that share its symbols.
//!
//! Every lane sees every payload, and all of them publish after the same batches: what a symbol's
//! lane says does not depend on how many lanes there are.

use std::thread::{Scope, ScopedJoinHandle};

use anyhow::{Result, bail};
use engine::hop::{HopReceiver, HopSender, PAYLOAD, hop};
use engine::source::{Source, Unit};
use market::pipeline::{ItchPipeline, PipelineConfig, Shard};
use market::publish::FeedStatus;

use super::file::Capture;
use super::summary::Summary;

/// The kind of a hop's item that ends a batch.
const BATCH_END: u32 = PAYLOAD + 1;
const SLOTS: usize = 1_024;
const SLOT_BYTES: usize = 2_048;

/// Replays `source` until after message `until`, through `lanes` lanes.
pub fn replay(
    capture: &Capture,
    source: &mut dyn Source,
    lanes: u16,
    until: u64,
) -> Result<Summary> {
    let config = capture.config();
    let lane = |idx| {
        Lane::new(
            capture,
            &config,
            Shard::new(idx, lanes),
            source.unit(),
            until,
        )
    };
    let mut first = lane(0);
    let others: Vec<Lane> = (1..lanes).map(lane).collect();
    if others.is_empty() {
        while !source.is_ended() && !first.is_done() {
            source.poll(&mut |line, ts_recv, bytes| first.payload(line, ts_recv, bytes))?;
            first.batch_end();
        }
        return Ok(first.finish().0);
    }
    let done = std::thread::scope(|scope| {
        let (mut hops, threads): (Vec<_>, Vec<_>) = std::iter::once(first)
            .chain(others)
            .map(|lane| spawn(scope, lane))
            .unzip();
        feed(source, &mut hops)?;
        drop(hops);
        let ended = threads.into_iter().map(ScopedJoinHandle::join);
        anyhow::Ok(ended.collect::<Vec<_>>())
    })?;
    let mut whole: Option<Summary> = None;
    for ended in done {
        let Ok((summary, rejected)) = ended else {
            bail!("a lane panicked; its message stands above");
        };
        match &mut whole {
            None => whole = Some(summary),
            Some(whole) => whole.merge(summary, rejected),
        }
    }
    Ok(whole.unwrap_or_else(|| Summary::new(capture)))
}

fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    mut lane: Lane,
) -> (HopSender, ScopedJoinHandle<'scope, (Summary, u64)>) {
    let (sender, mut receiver) = hop(SLOTS, SLOT_BYTES);
    let thread = scope.spawn(move || {
        take(&mut lane, &mut receiver);
        lane.finish()
    });
    (sender, thread)
}

fn take(lane: &mut Lane, receiver: &mut HopReceiver) {
    loop {
        let ended = receiver.is_ended();
        let count = receiver.receive(&mut |passed| match passed.kind {
            BATCH_END => lane.batch_end(),
            _ => lane.payload(passed.line, passed.ts_recv, passed.bytes),
        });
        if count == 0 {
            if ended {
                return;
            }
            std::thread::yield_now();
        }
    }
}

/// Passes everything to every lane, waiting for the slowest.
fn feed(source: &mut dyn Source, hops: &mut [HopSender]) -> Result<()> {
    let pass = |hops: &mut [HopSender], kind, line, ts_recv, bytes: &[u8]| {
        for hop in hops {
            while !hop.send(kind, line, ts_recv, bytes) && !hop.is_abandoned() {
                std::thread::yield_now();
            }
        }
    };
    while !source.is_ended() {
        source.poll(&mut |line, ts_recv, bytes| pass(hops, PAYLOAD, line, ts_recv, bytes))?;
        pass(hops, BATCH_END, 0, 0, &[]);
    }
    Ok(())
}

/// A pipeline for some symbols and what it published.
struct Lane {
    pipeline: ItchPipeline,
    summary: Summary,
    unit: Unit,
    until: u64,
    gap_wait_ns: u64,
    /// Of the newest payload.
    newest_ns: u64,
}

impl Lane {
    fn new(
        capture: &Capture,
        config: &PipelineConfig,
        shard: Shard,
        unit: Unit,
        until: u64,
    ) -> Self {
        let config = PipelineConfig {
            shard,
            ..config.clone()
        };
        Self {
            pipeline: ItchPipeline::new(&config),
            summary: Summary::new(capture),
            unit,
            until,
            gap_wait_ns: config.mold.gap_wait_ns,
            newest_ns: 0,
        }
    }

    fn is_done(&self) -> bool {
        self.pipeline.status().next_seq > self.until
    }

    fn payload(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) {
        if self.is_done() {
            return;
        }
        match self.unit {
            Unit::Packet => self.pipeline.packet(line, ts_recv, bytes),
            Unit::Message => self.pipeline.message(ts_recv, bytes),
        }
        self.newest_ns = ts_recv;
    }

    fn batch_end(&mut self) {
        if self.newest_ns > 0 {
            self.pipeline.tick(self.newest_ns);
        }
        self.pipeline.publish(&mut self.summary);
    }

    /// What was found, and how many messages could not be used.
    fn finish(mut self) -> (Summary, u64) {
        // Nothing comes after the end: a hole that is still open there is given up.
        self.pipeline.tick(self.newest_ns + 2 * self.gap_wait_ns);
        self.pipeline.publish(&mut self.summary);
        let status = self.pipeline.status();
        if self.unit == Unit::Packet {
            self.summary.note(nothing_in(&status));
        }
        let rejected = self.pipeline.rejected_messages();
        let digest = self.pipeline.book_digest();
        self.summary
            .finish(status, digest, self.pipeline.rejected());
        (self.summary, rejected)
    }
}

/// Says so when there were packets and none could be put in order.
fn nothing_in(status: &FeedStatus) -> Option<String> {
    let packets: u64 = status.lines.iter().map(|line| line.packets).sum();
    (packets > 0 && status.next_seq <= 1).then(|| {
        format!(
            "{packets} packets were read and none brought a message: a feed numbers its messages \
             from 1, and what has no number cannot be put in order"
        )
    })
}
