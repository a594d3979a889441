//! The thread that fetches, and its rings to the lanes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer, RingBuffer};

use super::fetch::{FetchError, fetch};
use super::{GlimpseConfig, GlimpseStatus, Snapshot};

/// Between two looks at the lanes' rings.
const LOOK: Duration = Duration::from_millis(5);
/// Lanes of one feed lose the same messages: what they ask within this time is one fetch.
const GATHER: Duration = Duration::from_millis(10);
/// Requests or answers that may wait between a lane and the thread.
const RING: usize = 16;

/// A lane's ends of the rings to the fetching thread.
pub struct SnapshotLink {
    pub(super) wanted: Producer<u64>,
    pub(super) answers: Consumer<Answer>,
    pub(super) status: Arc<GlimpseStatus>,
}

/// What became of a lane's request of this number.
pub(super) struct Answer {
    pub request: u64,
    /// `None`: it failed.
    pub snapshot: Option<Arc<Snapshot>>,
}

/// The running client. Dropping it stops its thread: at once, or when a connection that is being
/// made stands or fails.
pub struct GlimpseClient {
    stop: Arc<AtomicBool>,
    status: Arc<GlimpseStatus>,
    thread: Option<JoinHandle<()>>,
}

impl GlimpseClient {
    /// Starts the thread, with a link for each of `lanes` lanes.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(config: GlimpseConfig, lanes: usize) -> io::Result<(Self, Vec<SnapshotLink>)> {
        let stop = Arc::new(AtomicBool::new(false));
        let status = Arc::new(GlimpseStatus::default());
        let (mut links, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..lanes {
            let (wanted, requests) = RingBuffer::new(RING);
            let (sender, answers) = RingBuffer::new(RING);
            links.push(SnapshotLink {
                wanted,
                answers,
                status: Arc::clone(&status),
            });
            ends.push(LaneEnd {
                requests,
                sender,
                wanted: None,
            });
        }
        let worker = Worker {
            config,
            lanes: ends,
            stop: Arc::clone(&stop),
            status: Arc::clone(&status),
            given: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name("glimpse".to_owned())
            .spawn(move || worker.work())?;
        let client = Self {
            stop,
            status,
            thread: Some(thread),
        };
        Ok((client, links))
    }

    /// What it did so far, for any thread.
    #[must_use]
    pub fn status(&self) -> Arc<GlimpseStatus> {
        Arc::clone(&self.status)
    }
}

impl Drop for GlimpseClient {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic was already printed by its thread.
            let _ended = thread.join();
        }
    }
}

struct LaneEnd {
    requests: Consumer<u64>,
    sender: Producer<Answer>,
    /// The newest request that was not answered.
    wanted: Option<u64>,
}

struct Worker {
    config: GlimpseConfig,
    lanes: Vec<LaneEnd>,
    stop: Arc<AtomicBool>,
    status: Arc<GlimpseStatus>,
    /// Snapshots that lanes may still hold: freed or used again here, never on a lane.
    given: Vec<Arc<Snapshot>>,
}

impl Worker {
    #[allow(
        clippy::disallowed_methods,
        reason = "rings have no descriptor to wait on"
    )]
    fn work(mut self) {
        while !self.stop.load(Ordering::Acquire) {
            if self.gather() {
                std::thread::sleep(GATHER);
                self.gather();
                self.answer();
            } else {
                std::thread::sleep(LOOK);
            }
        }
    }

    /// Reads the lanes' requests; whether any wants a snapshot.
    fn gather(&mut self) -> bool {
        for lane in &mut self.lanes {
            while let Ok(request) = lane.requests.pop() {
                lane.wanted = Some(request);
            }
        }
        self.lanes.iter().any(|lane| lane.wanted.is_some())
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "how long a fetch took is told to people"
    )]
    fn answer(&mut self) {
        let memory = self.reclaim();
        // Who asks while it is fetched gets one of its own: this may be too old for it.
        let asked: Vec<Option<u64>> = self.lanes.iter_mut().map(|l| l.wanted.take()).collect();
        let began = Instant::now();
        self.status.began();
        let stop = Arc::clone(&self.stop);
        let outcome = fetch(&self.config, memory, &|| stop.load(Ordering::Acquire));
        let took_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.status.done(&outcome, took_ns);
        let snapshot = outcome
            .map_err(|error: FetchError| drop(error))
            .ok()
            .map(Arc::new);
        for (lane, request) in self.lanes.iter_mut().zip(asked) {
            if let Some(request) = request {
                let snapshot = snapshot.clone();
                // A lane that reads no answers is dead; it needs none.
                let _unread = lane.sender.push(Answer { request, snapshot });
            }
        }
        self.given.extend(snapshot);
    }

    /// Memory of a snapshot that every lane has let go of, for the next one. Others are freed.
    fn reclaim(&mut self) -> Snapshot {
        let mut memory = Snapshot::default();
        let mut kept = Vec::new();
        for mut snapshot in self.given.drain(..) {
            match Arc::get_mut(&mut snapshot) {
                Some(free) => memory = std::mem::take(free),
                None => kept.push(snapshot),
            }
        }
        self.given = kept;
        memory
    }
}
