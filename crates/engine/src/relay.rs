//! Receiving on one core, books on others: a thread that polls a source and passes every payload
//! to each of several lanes.
//!
//! Each lane gets all payloads, keeps the order itself and leaves other lanes' symbols alone
//! (`market::pipeline::Shard`): there is nothing to merge, and a lane that stalls stops the others
//! only when its hop is full, when the relay leaves what comes to the kernel's buffer and its
//! counter. Requests for lost messages are taken from the first lane; every lane sees the answers.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use rtrb::{Consumer, Producer, RingBuffer};
use wire::moldudp64::Request;

use crate::hop::{HopReceiver, HopSender, PAYLOAD, hop};
use crate::lane::Idle;
use crate::source::{RECOVERY_LINE, Source, Unit};
use crate::sys::thread::pin;

/// Slots of each hop: a megabyte of packets, so that they stay in the caches between two cores.
const SLOTS: usize = 512;
const SLOT_BYTES: usize = 2_048;
/// Requests that wait for the relay.
const REQUESTS: usize = 64;
/// Polls between two looks at requests, drops and the stop flag.
const LOOKS: u32 = 16;

/// How a relay runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayConfig {
    /// Names the thread, at most 15 bytes on Linux.
    pub name: String,
    /// The core to stay on; `None`: where the scheduler puts it.
    pub core: Option<usize>,
    /// What to do when nothing comes.
    pub idle: Idle,
}

/// What the relay's thread tells its lanes.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    ended: AtomicBool,
    drops: [AtomicU64; RECOVERY_LINE],
}

/// The source of one lane behind a relay.
pub struct RelayedSource {
    hop: HopReceiver,
    requests: Option<Producer<Request>>,
    shared: Arc<Shared>,
    unit: Unit,
    is_live: bool,
    bytes: u64,
    relay: Arc<Relay>,
}

/// The thread; it ends when its source does, or when the last lane is gone.
struct Relay {
    shared: Arc<Shared>,
    thread: std::sync::Mutex<Option<JoinHandle<io::Result<()>>>>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        let thread = self.thread.get_mut().map(Option::take);
        if let Ok(Some(thread)) = thread {
            // Its error was told by the lanes' sources, its panic by the thread itself.
            let _ended = thread.join();
        }
    }
}

/// Starts a thread that polls `source` for `lanes` lanes; one source for each.
///
/// # Errors
/// The system gives no thread, or not the core that it is to stay on.
pub fn relay(
    config: RelayConfig,
    source: impl Source + 'static,
    lanes: usize,
) -> io::Result<Vec<RelayedSource>> {
    let shared = Arc::new(Shared::default());
    let (unit, is_live) = (source.unit(), source.is_live());
    let (ask, asked) = RingBuffer::new(REQUESTS);
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..lanes.max(1)).map(|_| hop(SLOTS, SLOT_BYTES)).unzip();
    let worker = Worker {
        source,
        hops: senders,
        asked,
        shared: Arc::clone(&shared),
        idle: config.idle,
    };
    let (tell, is_ready) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new()
        .name(config.name)
        .spawn(move || {
            let shared = Arc::clone(&worker.shared);
            let pinned = config.core.map_or(Ok(()), pin);
            let may_work = pinned.is_ok();
            // Whoever started this waits for it.
            let _ = tell.send(pinned);
            let outcome = if may_work { worker.work() } else { Ok(()) };
            shared.ended.store(true, Ordering::Release);
            outcome
        })?;
    // A caller that spins with real-time priority on the core where the new thread begins would
    // never let it go to its own.
    is_ready
        .recv()
        .map_err(|_| io::Error::other("the relay's thread ended at once"))??;
    let relay = Arc::new(Relay {
        shared: Arc::clone(&shared),
        thread: std::sync::Mutex::new(Some(thread)),
    });
    let mut ask = Some(ask);
    Ok(receivers
        .into_iter()
        .map(|hop| RelayedSource {
            hop,
            requests: ask.take(),
            shared: Arc::clone(&shared),
            unit,
            is_live,
            bytes: 0,
            relay: Arc::clone(&relay),
        })
        .collect())
}

struct Worker<S> {
    source: S,
    hops: Vec<HopSender>,
    asked: Consumer<Request>,
    shared: Arc<Shared>,
    idle: Idle,
}

impl<S: Source> Worker<S> {
    fn work(mut self) -> io::Result<()> {
        let mut empty_polls = 0u32;
        let mut polls = 0u32;
        loop {
            polls = polls.wrapping_add(1);
            if (polls.is_multiple_of(LOOKS) || empty_polls > 0) && self.look()? {
                return Ok(());
            }
            let (hops, shared) = (&mut self.hops, &self.shared);
            let count = self.source.poll(&mut |line, ts_recv, bytes| {
                for hop in hops.iter_mut() {
                    pass(hop, shared, line, ts_recv, bytes);
                }
            })?;
            if count > 0 {
                empty_polls = 0;
                continue;
            }
            if self.source.is_ended() {
                return Ok(());
            }
            empty_polls = empty_polls.saturating_add(1);
            match self.idle {
                Idle::Spin => std::hint::spin_loop(),
                Idle::Park { spins, .. } if empty_polls <= spins => std::hint::spin_loop(),
                Idle::Park { timeout_ns, .. } => self.source.wait(timeout_ns)?,
            }
        }
    }

    /// Requests and counters; true when there is nobody left to receive for.
    fn look(&mut self) -> io::Result<bool> {
        while let Ok(request) = self.asked.pop() {
            self.source.request(&request)?;
        }
        for (line, drops) in self.shared.drops.iter().enumerate() {
            drops.store(self.source.kernel_drops(line), Ordering::Relaxed);
        }
        let gone = self.hops.iter().all(HopSender::is_abandoned);
        Ok(gone || self.shared.stop.load(Ordering::Acquire))
    }
}

/// Waits for a slot, as long as there is somebody who may free one.
#[inline]
fn pass(hop: &mut HopSender, shared: &Shared, line: usize, ts_recv: u64, bytes: &[u8]) {
    while !hop.send(PAYLOAD, line, ts_recv, bytes) {
        if hop.is_abandoned() || shared.stop.load(Ordering::Relaxed) {
            return;
        }
        std::hint::spin_loop();
    }
}

impl Source for RelayedSource {
    fn poll(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> io::Result<usize> {
        let mut bytes = 0;
        let count = self.hop.receive(&mut |passed| {
            bytes += passed.bytes.len() as u64;
            f(passed.line, passed.ts_recv, passed.bytes);
        });
        self.bytes += bytes;
        if count == 0 && self.shared.ended.load(Ordering::Acquire) {
            self.failure()?;
        }
        Ok(count)
    }

    fn unit(&self) -> Unit {
        self.unit
    }

    fn kernel_drops(&self, line: usize) -> u64 {
        let drops = self.shared.drops.get(line);
        drops.map_or(0, |drops| drops.load(Ordering::Relaxed))
    }

    fn request(&mut self, request: &Request) -> io::Result<()> {
        if let Some(requests) = &mut self.requests {
            // A full ring loses the request: the feed asks again when its time-out has passed.
            let _ = requests.push(*request);
        }
        Ok(())
    }

    fn is_live(&self) -> bool {
        self.is_live
    }

    fn is_ended(&self) -> bool {
        self.hop.is_ended()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl RelayedSource {
    /// The error that ended the relay, told to the first lane that asks.
    #[cold]
    fn failure(&mut self) -> io::Result<()> {
        let Ok(mut thread) = self.relay.thread.try_lock() else {
            return Ok(());
        };
        match thread.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(io::Error::other("the relay's thread panicked")),
            None => Ok(()),
        }
    }
}
