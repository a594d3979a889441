//! One pinned thread that turns a source's bytes into published frames.
//!
//! ```text
//! source.poll -> pipeline.packet ... -> tick -> next_request -> publish -> ring -> control side
//!      ^                                                                      |
//!      '---------------------------- commands <------------------------------'
//! ```
//!
//! The thread never waits for a reader, takes no lock and allocates nothing once it runs. A panic
//! or a socket error ends it as a dead lane with a reason, never in silence.

mod report;
mod thread;
mod timeline;

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

pub use report::{Latency, Report, Stages};
pub use timeline::Timeline;

use crate::pipeline::Pipeline;
use crate::ring::FrameSender;
use crate::source::Source;
use market::pipeline::Offender;
use market::publish::Frame;
use market::reference::Table;
use rtrb::{Consumer, Producer, RingBuffer};
use stdx::{Buckets, Clock, SystemClock};

/// What a lane does when nothing comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Poll again at once: lowest latency, a whole core.
    Spin,
    /// Poll `spins` times more, then sleep in the kernel until something comes, at most
    /// `timeout_ns`: a few tens of microseconds slower, nearly no core in silence.
    Park {
        /// Empty polls before the first sleep.
        spins: u32,
        /// Longest sleep; timers run at least this often.
        timeout_ns: u64,
    },
}

impl Default for Idle {
    fn default() -> Self {
        Self::Park {
            spins: 32,
            timeout_ns: 200_000,
        }
    }
}

/// How a lane runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneConfig {
    /// Names the thread, at most 15 bytes on Linux.
    pub name: String,
    /// The core to stay on; `None`: where the scheduler puts it.
    pub core: Option<usize>,
    /// What to do when nothing comes.
    pub idle: Idle,
    /// Frames between the lane and its reader.
    pub ring_capacity: usize,
    /// At least this long between two calls of the pipeline's `tick`, ns.
    pub tick_ns: u64,
    /// At least this long between two calls of the pipeline's `publish`, ns; 0: after every batch.
    pub publish_ns: u64,
    /// Between two reports, ns.
    pub report_ns: u64,
    /// Whether all pages of the pipeline's tables are there from the start, instead of as they are
    /// used; by [`HugeHeap`](crate::memory::HugeHeap), where it is the program's allocator.
    pub prefault: bool,
}

impl LaneConfig {
    /// Parks when idle, publishes after every batch, ticks each millisecond, 8,192 frames of ring.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            core: None,
            idle: Idle::default(),
            ring_capacity: 8_192,
            tick_ns: 1_000_000,
            publish_ns: 0,
            report_ns: 250_000_000,
            prefault: false,
        }
    }
}

/// The core for a machine's only lane: the last one that this process may use, since interrupts
/// gather on the first. `None` where there is only one, or none can be asked for.
#[must_use]
pub fn last_core() -> Option<usize> {
    let cores = crate::sys::thread::allowed_cores().ok()?;
    (cores.len() > 1).then(|| cores.last().copied()).flatten()
}

/// Cores for `count` threads that each want one: counted down from `from`, or from the last that
/// this process may use. All `None` where there are not so many beside the first, which is left to
/// everything else.
#[must_use]
pub fn lane_cores(count: usize, from: Option<usize>) -> Vec<Option<usize>> {
    let cores = crate::sys::thread::allowed_cores().unwrap_or_default();
    let last = from.unwrap_or(usize::MAX);
    let usable = cores.iter().skip(1).rev().filter(|&&core| core <= last);
    let chosen: Vec<usize> = usable.take(count).copied().collect();
    if chosen.len() < count {
        return vec![None; count];
    }
    chosen.into_iter().map(Some).collect()
}

/// What the control side can ask of a running lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Finish: publish what is there and end.
    Stop,
    /// Keep the digest of all books as of after this sequence number.
    DigestAt(u64),
    /// Change what to do when nothing comes.
    SetIdle(Idle),
    /// Put reference data in force, between two payloads. Whoever sends it keeps a clone until the
    /// lane has let go of it, so that the lane never frees memory.
    Reference(Arc<Table>),
}

/// Where a lane is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LaneState {
    /// Its memory is being taken.
    Starting,
    /// It polls.
    Running,
    /// It was told to stop, or its source came to the end.
    Ended,
    /// It failed: see [`Lane::death`].
    Dead,
}

/// Why a lane could not start or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// The system gave no thread.
    #[error("cannot start the thread of lane {name}")]
    Spawn {
        /// The lane.
        name: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The lane ended with a panic or an error of its source.
    #[error("lane {name} is dead: {why}; its books stand still, restart it")]
    Dead {
        /// The lane.
        name: String,
        /// The panic's message or the error.
        why: String,
    },
}

/// State that both sides see, written by the lane.
#[derive(Default)]
struct Shared {
    state: AtomicU8,
    stop: AtomicBool,
    death: OnceLock<String>,
}

/// Sends commands from any thread. Commands are rare, so the control side may share a lock; the
/// lane's end of the ring has none.
#[derive(Clone)]
pub struct Commander {
    ring: Arc<Mutex<Producer<Command>>>,
}

impl Commander {
    /// False when the lane has 64 commands waiting: try again later.
    #[must_use = "a command that was refused was not sent"]
    pub fn send(&self, command: Command) -> bool {
        // A panic while pushing leaves the ring whole, so a poisoned lock is still good.
        self.ring
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(command)
            .is_ok()
    }
}

/// The control side of a running lane. Dropping it stops the lane and waits for its end.
pub struct Lane {
    name: String,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    frames: Consumer<Frame>,
    digests: Consumer<(u64, u64)>,
    reports: Consumer<Report>,
    /// After how many frames something was published, and when.
    marks: Consumer<(u64, u64)>,
    /// Frames taken out of the ring.
    taken: u64,
    /// Of them, those whose wait was counted.
    marked: u64,
    outlet: Buckets,
    offenders: Consumer<Offender>,
    commander: Commander,
    newest: Report,
}

impl Lane {
    /// Starts a lane. `pipeline` is built on the lane's own thread, so that its memory is touched
    /// first on the core that uses it.
    ///
    /// # Errors
    /// [`LaneError::Spawn`]. A core that cannot be had makes the lane dead with that reason.
    pub fn spawn<P: Pipeline>(
        config: LaneConfig,
        pipeline: impl FnOnce() -> P + Send + 'static,
        source: impl Source + 'static,
    ) -> Result<Self, LaneError> {
        let (sender, frames) = FrameSender::ring(config.ring_capacity);
        let (digest_sender, digests) = RingBuffer::new(64);
        let (report_sender, reports) = RingBuffer::new(16);
        let (mark_sender, marks) = RingBuffer::new(4_096);
        let (offender_sender, offenders) = RingBuffer::new(64);
        let (commands, command_receiver) = RingBuffer::new(64);
        let shared = Arc::new(Shared::default());
        let name = config.name.clone();
        let ends = thread::Ends {
            sender,
            digests: digest_sender,
            reports: report_sender,
            marks: mark_sender,
            offenders: offender_sender,
            commands: command_receiver,
            shared: Arc::clone(&shared),
        };
        let thread = std::thread::Builder::new()
            .name(name.clone())
            .spawn(move || thread::run(&config, pipeline, source, ends))
            .map_err(|source| LaneError::Spawn {
                name: name.clone(),
                source,
            })?;
        Ok(Self {
            name,
            thread: Some(thread),
            shared,
            frames,
            digests,
            reports,
            marks,
            taken: 0,
            marked: 0,
            outlet: Buckets::default(),
            offenders,
            commander: Commander {
                ring: Arc::new(Mutex::new(commands)),
            },
            newest: Report::default(),
        })
    }

    /// The oldest frame that waits, if any.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let frame = self.frames.pop().ok()?;
        self.taken += 1;
        Some(frame)
    }

    /// Frames that wait in the ring now.
    #[must_use]
    pub fn frames_waiting(&self) -> usize {
        self.frames.slots()
    }

    /// A digest asked for with [`Command::DigestAt`], once it is ready: sequence number, digest.
    pub fn take_digest(&mut self) -> Option<(u64, u64)> {
        self.digests.pop().ok()
    }

    /// Counts how long the frames taken since the last look had waited in the ring.
    fn note_taken(&mut self) {
        let mut now_ns = None;
        while let Ok(&(sent, published_ns)) = self.marks.peek() {
            if sent > self.taken {
                return;
            }
            let now_ns = *now_ns.get_or_insert_with(|| SystemClock.now_ns());
            let waited_ns = now_ns.saturating_sub(published_ns);
            self.outlet.record(waited_ns, sent - self.marked);
            self.marked = sent;
            // Peeked above: it is there.
            let _ = self.marks.pop();
        }
    }

    /// The newest report. All zero until the first.
    pub fn report(&mut self) -> Report {
        while let Ok(report) = self.reports.pop() {
            self.newest = report;
        }
        self.note_taken();
        self.newest.stages.published_to_outlet = self.outlet;
        self.newest
    }

    /// The oldest rejected packet or message that waits, if any. When more than 64 wait, newer ones
    /// are passed over; the feed's status counts them all.
    pub fn next_offender(&mut self) -> Option<Offender> {
        self.offenders.pop().ok()
    }

    /// A handle to send commands with, for any thread.
    #[must_use]
    pub fn commander(&self) -> Commander {
        self.commander.clone()
    }

    /// Where the lane is in its life.
    #[must_use]
    pub fn state(&self) -> LaneState {
        match self.shared.state.load(Ordering::Acquire) {
            0 => LaneState::Starting,
            1 => LaneState::Running,
            2 => LaneState::Ended,
            _ => LaneState::Dead,
        }
    }

    /// Why the lane died; `None` while it has not.
    #[must_use]
    pub fn death(&self) -> Option<&str> {
        self.shared.death.get().map(String::as_str)
    }

    /// Stops the lane and waits for its end. What it published last is still in the ring.
    ///
    /// # Errors
    /// [`LaneError::Dead`] when it had died.
    pub fn stop(&mut self) -> Result<(), LaneError> {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // The thread catches panics itself; a join can only fail if that failed.
            if thread.join().is_err() {
                let _ = self
                    .shared
                    .death
                    .set("its thread ended with a panic".to_owned());
            }
        }
        match self.death() {
            None => Ok(()),
            Some(why) => Err(LaneError::Dead {
                name: self.name.clone(),
                why: why.to_owned(),
            }),
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Whoever wants the reason asks `stop` or `death` before.
        let _ = self.stop();
    }
}
