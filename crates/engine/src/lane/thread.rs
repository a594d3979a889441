//! The lane's own side: the loop.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{Command, Idle, LaneConfig, LaneState, Latency, Report, Shared, Stages, Timeline};
use crate::memory::{held_here, touching};
use crate::pipeline::Pipeline;
use crate::ring::FrameSender;
use crate::source::{RECOVERY_LINE, Source, Unit};
use crate::sys::thread::{pin, wait_readable};
use market::pipeline::{Offender, RejectRing};
use market::publish::Frame;
use rtrb::{Consumer, Producer};
use stdx::{Clock, Histogram, SystemClock};

/// Receive stamps kept between two publications; beyond it payloads are not measured.
const STAMPS_LIMIT: usize = 65_536;
/// Batches kept between two publications; beyond it they are not measured.
const BATCHES_LIMIT: usize = 4_096;
/// Between two looks at commands and the stop flag, loops.
const COMMAND_LOOPS: u32 = 16;
/// How long a reader who is behind has for the last frames, and how often it is looked at.
const REST_WAIT_NS: u64 = 1_000_000;
const REST_TRIES: u32 = 1_000;

/// The lane's ends of all rings.
pub(super) struct Ends {
    pub sender: FrameSender,
    pub digests: Producer<(u64, u64)>,
    pub reports: Producer<Report>,
    pub marks: Producer<(u64, u64)>,
    pub offenders: Producer<Offender>,
    pub commands: Consumer<Command>,
    pub shared: Arc<Shared>,
}

/// The body of the thread: runs until told to stop, and says how it ended.
pub(super) fn run<P: Pipeline>(
    config: &LaneConfig,
    pipeline: impl FnOnce() -> P,
    source: impl Source,
    ends: Ends,
) {
    let shared = Arc::clone(&ends.shared);
    // Nothing that a panic could leave half done is used after it: the lane is dead then.
    let outcome = catch_unwind(AssertUnwindSafe(|| -> io::Result<()> {
        if let Some(core) = config.core {
            pin(core).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot stay on core {core}: {error}"))
            })?;
        }
        let held = held_here();
        let pipeline = match config.prefault {
            true => touching(pipeline),
            false => pipeline(),
        };
        let mut worker = Worker::new(config, pipeline, source, ends);
        worker.memory_bound = match held_here().saturating_sub(held) {
            0 => 0,
            // The ring was made by whoever made the lane.
            tables => tables + (config.ring_capacity * size_of::<Frame>()) as u64,
        };
        worker
            .ends
            .shared
            .state
            .store(LaneState::Running as u8, Ordering::Release);
        worker.work()
    }));
    let death = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("its source failed: {error}")),
        Err(panic) => Some(format!("it panicked: {}", panic_text(&*panic))),
    };
    let state = match death {
        None => LaneState::Ended,
        Some(why) => {
            // Set once, here; a second death cannot happen.
            let _ = shared.death.set(why);
            LaneState::Dead
        }
    };
    shared.state.store(state as u8, Ordering::Release);
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// The machine's clock without its jumps.
struct LaneClock {
    timeline: Timeline,
    began: Instant,
}

impl LaneClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "jumps of the clock are known by a clock that only counts"
    )]
    fn new() -> Self {
        let began = Instant::now();
        let mut clock = Self {
            timeline: Timeline::default(),
            began,
        };
        clock.compare();
        clock
    }

    #[inline]
    fn now_ns(&mut self) -> u64 {
        let utc_ns = SystemClock.now_ns();
        if self.timeline.is_doubtful(utc_ns) {
            self.compare();
        }
        self.timeline.now(utc_ns)
    }

    #[cold]
    fn compare(&mut self) {
        let passed_ns = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.timeline.compare(SystemClock.now_ns(), passed_ns);
    }

    /// What the machine's clock showed at this lane time.
    fn utc_ns(&self, lane_ns: u64) -> u64 {
        lane_ns.saturating_sub_signed(self.timeline.skew_ns())
    }
}

struct Worker<P, S> {
    pipeline: P,
    source: S,
    ends: Ends,
    clock: LaneClock,
    idle: Idle,
    tick_ns: u64,
    publish_ns: u64,
    report_ns: u64,
    next_tick_ns: u64,
    next_publish_ns: u64,
    next_report_ns: u64,
    stamps: Vec<u64>,
    total: Histogram,
    recent: Histogram,
    stages: Stages,
    /// Batches that are applied and not published: when, and how many payloads.
    applied: Vec<(u64, u64)>,
    /// When the first payload of the newest batch was in our hands; 0 in a batch without.
    received_ns: u64,
    payloads: u64,
    requests: u64,
    /// What the tables may hold, bytes.
    memory_bound: u64,
    is_live: bool,
    /// The newest receive time of a recording, and our time when it came.
    recorded: Option<(u64, u64)>,
    /// When the last poll was over, and thus before the next began.
    polled_ns: u64,
    /// All that lines A and B brought before this was handed over.
    heard_ns: u64,
    /// Rejects handed over so far.
    offenders_seen: u64,
    stopping: bool,
}

impl<P: Pipeline, S: Source> Worker<P, S> {
    fn new(config: &LaneConfig, pipeline: P, source: S, ends: Ends) -> Self {
        Self {
            is_live: source.is_live(),
            pipeline,
            source,
            ends,
            clock: LaneClock::new(),
            idle: config.idle,
            tick_ns: config.tick_ns,
            publish_ns: config.publish_ns,
            report_ns: config.report_ns,
            next_tick_ns: 0,
            next_publish_ns: 0,
            next_report_ns: 0,
            stamps: Vec::with_capacity(STAMPS_LIMIT),
            total: Histogram::new(),
            recent: Histogram::new(),
            stages: Stages::default(),
            applied: Vec::with_capacity(BATCHES_LIMIT),
            received_ns: 0,
            payloads: 0,
            requests: 0,
            memory_bound: 0,
            recorded: None,
            polled_ns: 0,
            heard_ns: 0,
            offenders_seen: 0,
            stopping: false,
        }
    }

    fn work(&mut self) -> io::Result<()> {
        let mut empty_polls = 0u32;
        let mut loops = 0u32;
        self.polled_ns = self.clock.now_ns();
        loop {
            loops = loops.wrapping_add(1);
            if loops.is_multiple_of(COMMAND_LOOPS) || empty_polls > 0 {
                self.obey();
            }
            let count = self.receive()?;
            let now_ns = self.clock.now_ns();
            self.polled_ns = now_ns;
            if count > 0 {
                self.note_applied(now_ns, count as u64);
            }
            self.run_timers(now_ns);
            self.send_requests()?;
            if now_ns >= self.next_publish_ns {
                self.publish(now_ns);
            }
            if now_ns >= self.next_report_ns {
                self.report(now_ns);
            }
            if self.stopping || (count == 0 && self.source.is_ended()) {
                return self.finish();
            }
            if count > 0 {
                empty_polls = 0;
                continue;
            }
            empty_polls = empty_polls.saturating_add(1);
            match self.idle {
                Idle::Spin => std::hint::spin_loop(),
                Idle::Park { spins, .. } if empty_polls <= spins => std::hint::spin_loop(),
                Idle::Park { timeout_ns, .. } => self.source.wait(timeout_ns)?,
            }
        }
    }

    fn receive(&mut self) -> io::Result<usize> {
        let (pipeline, stamps, is_live) = (&mut self.pipeline, &mut self.stamps, self.is_live);
        let (clock, stages) = (&mut self.clock, &mut self.stages);
        let received_ns = &mut self.received_ns;
        // A line that brings nothing was heard until its poll, and no poll was before the last.
        let (mut newest_ns, mut heard_ns) = (0, [self.polled_ns; RECOVERY_LINE]);
        *received_ns = 0;
        let count = match self.source.unit() {
            Unit::Packet => self.source.poll(&mut |line, ts_recv, bytes| {
                if *received_ns == 0 {
                    *received_ns = clock.now_ns();
                }
                let ts_recv = match is_live {
                    true => clock.timeline.stamp(ts_recv, *received_ns),
                    false => ts_recv,
                };
                if is_live {
                    let waited_ns = received_ns.saturating_sub(ts_recv);
                    stages.kernel_to_receive.record(waited_ns, 1);
                }
                newest_ns = newest_ns.max(ts_recv);
                if let Some(heard_ns) = heard_ns.get_mut(line) {
                    *heard_ns = ts_recv;
                }
                pipeline.packet(line, ts_recv, bytes);
                if is_live && stamps.len() < STAMPS_LIMIT {
                    stamps.push(ts_recv);
                }
            })?,
            Unit::Message => self.source.poll(&mut |_, ts_recv, bytes| {
                newest_ns = newest_ns.max(ts_recv);
                pipeline.message(ts_recv, bytes);
            })?,
        };
        self.payloads += count as u64;
        self.heard_ns = heard_ns[0].min(heard_ns[1]).min(self.polled_ns);
        if !is_live && newest_ns > self.recorded.map_or(0, |(newest_ns, _)| newest_ns) {
            self.recorded = Some((newest_ns, self.clock.now_ns()));
        }
        Ok(count)
    }

    /// The time of what is played. Live it is ours, but no further than both lines were heard: when
    /// we are behind, what one line lacks may wait in the other's socket, and no wait for it is over.
    /// In a recording it is the newest receive time and what has passed since; `None` before the
    /// first payload.
    fn playing_ns(&self, now_ns: u64) -> Option<u64> {
        if self.is_live {
            return Some(now_ns.min(self.heard_ns));
        }
        let (newest_ns, came_ns) = self.recorded?;
        Some(newest_ns.saturating_add(now_ns.saturating_sub(came_ns)))
    }

    fn note_applied(&mut self, now_ns: u64, count: u64) {
        if self.received_ns > 0 {
            let took_ns = now_ns.saturating_sub(self.received_ns);
            self.stages.receive_to_applied.record(took_ns, count);
        }
        if self.applied.len() < BATCHES_LIMIT {
            self.applied.push((now_ns, count));
        }
    }

    fn obey(&mut self) {
        self.stopping |= self.ends.shared.stop.load(Ordering::Acquire);
        while let Ok(command) = self.ends.commands.pop() {
            match command {
                Command::Stop => self.stopping = true,
                Command::SetIdle(idle) => self.idle = idle,
                Command::DigestAt(seq) => self.pipeline.digest_at(seq),
                Command::Reference(table) => self.pipeline.swap_reference(table),
            }
        }
    }

    fn run_timers(&mut self, now_ns: u64) {
        if now_ns < self.next_tick_ns {
            return;
        }
        self.next_tick_ns = now_ns + self.tick_ns;
        self.clock.compare();
        for line in 0..RECOVERY_LINE {
            self.pipeline
                .kernel_drops(line, self.source.kernel_drops(line));
        }
        if let Some(playing_ns) = self.playing_ns(now_ns) {
            self.pipeline.tick(playing_ns);
        }
        let rejected = self.pipeline.rejected().map_or(0, RejectRing::total);
        if rejected > self.offenders_seen {
            self.hand_over_offenders(rejected);
        }
    }

    #[cold]
    fn hand_over_offenders(&mut self, total: u64) {
        let new = total - self.offenders_seen;
        self.offenders_seen = total;
        let Some(ring) = self.pipeline.rejected() else {
            return;
        };
        // Oldest first; the ring keeps 64 at most.
        for place in (0..new.min(64) as usize).rev() {
            if let Some(offender) = ring.newest_first().nth(place) {
                // Nobody reads: the status still counts them.
                let _ = self.ends.offenders.push(*offender);
            }
        }
    }

    fn send_requests(&mut self) -> io::Result<()> {
        while let Some(request) = self.pipeline.next_request() {
            self.source.request(&request)?;
            self.requests += 1;
        }
        Ok(())
    }

    fn publish(&mut self, now_ns: u64) {
        self.next_publish_ns = now_ns + self.publish_ns;
        let sent = self.ends.sender.sent();
        self.pipeline.publish(&mut self.ends.sender);
        self.hand_over_digests();
        let has_sent = self.ends.sender.sent() > sent;
        if self.applied.is_empty() && !has_sent {
            return;
        }
        let published_ns = self.clock.now_ns();
        for (applied_ns, count) in self.applied.drain(..) {
            let waited_ns = published_ns.saturating_sub(applied_ns);
            self.stages.applied_to_published.record(waited_ns, count);
        }
        if has_sent {
            // A reader that is so far behind has its frames counted with the next mark. It reads
            // the machine's clock.
            let published_utc_ns = self.clock.utc_ns(published_ns);
            let _ = self
                .ends
                .marks
                .push((self.ends.sender.sent(), published_utc_ns));
        }
        for &ts_recv in &self.stamps {
            let latency_ns = published_ns.saturating_sub(ts_recv);
            self.total.record(latency_ns);
            self.recent.record(latency_ns);
        }
        self.stamps.clear();
    }

    fn hand_over_digests(&mut self) {
        while !self.ends.digests.is_full() {
            let Some(digest) = self.pipeline.take_digest() else {
                return;
            };
            // There is room: the ring is not full and only this thread fills it.
            let _ = self.ends.digests.push(digest);
        }
    }

    fn report(&mut self, now_ns: u64) {
        self.next_report_ns = now_ns + self.report_ns;
        if self.ends.reports.is_full() {
            return; // Nobody reads: the next report says it all, since counters run on.
        }
        let report = Report {
            at_ns: now_ns,
            memory_bound: self.memory_bound,
            payloads: self.payloads,
            bytes: self.source.bytes(),
            kernel_drops: [self.source.kernel_drops(0), self.source.kernel_drops(1)],
            requests: self.requests,
            clock_steps: self.clock.timeline.steps(),
            clock_skew_ns: self.clock.timeline.skew_ns(),
            late: self.pipeline.late(),
            frames: self.ends.sender.sent(),
            frames_refused: self.ends.sender.refused(),
            latency: Latency::of(&self.total),
            latency_recent: Latency::of(&self.recent),
            stages: self.stages,
        };
        self.recent.clear();
        // Checked above: there is room.
        let _ = self.ends.reports.push(report);
    }

    /// Publishes what is left when the source has ended: a reader who is behind has a moment for it,
    /// since nothing newer comes that would say it again.
    fn publish_rest(&mut self, now_ns: u64) -> io::Result<()> {
        for _ in 0..REST_TRIES {
            let refused = self.ends.sender.refused();
            self.publish(now_ns);
            let is_stopping = self.stopping || self.ends.shared.stop.load(Ordering::Acquire);
            if self.ends.sender.refused() == refused || is_stopping {
                break;
            }
            wait_readable(&[], REST_WAIT_NS)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let now_ns = self.clock.now_ns();
        // Bare messages are a whole day: what is open at its end is closed.
        let last_ns = match self.source.unit() {
            Unit::Message => Some(now_ns),
            Unit::Packet => self.playing_ns(now_ns),
        };
        if let Some(last_ns) = last_ns {
            self.pipeline.tick(last_ns);
        }
        self.pipeline.finish();
        self.publish_rest(now_ns)?;
        self.report(now_ns);
        Ok(())
    }
}
