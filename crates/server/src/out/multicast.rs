//! Every published frame, numbered, on one or two multicast groups, with a server that sends again
//! what a receiver lost.
//!
//! One thread: what the outlet has is packed and sent with one system call per 64 packets. A quiet
//! stream sends a heartbeat every tenth of a second, and a share of all names and books, so that a
//! receiver that came late is whole within seconds. Formats: `docs/formats/ouzel-frames.md`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use engine::udp::{OpenError, RequestServer, Sender, SenderConfig};
use market::pipeline::{Sequencer, session_name};
use node::Node;
use node::outlet::{Laned, Outlet, SlowPolicy};

use super::Health;
use super::thread::Thread;

/// Frames that may wait for this thread; it sends faster than one core publishes.
const CAPACITY: usize = 16_384;
const BATCH: usize = 1_024;
/// Between two heartbeats of a quiet stream, and two steps of the cycle.
const BEAT: Duration = Duration::from_millis(100);
/// Longest wait for a frame: requests are answered at least so often.
const LOOK: Duration = Duration::from_millis(2);

/// Where to send.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The groups; what is sent to each is the same. A receiver takes the first of two for line A.
    pub groups: Vec<SocketAddrV4>,
    /// The address of the interface to send from.
    pub interface: Ipv4Addr,
    /// Routers that a packet may pass; 0 stays on this machine.
    pub ttl: u8,
    /// Where requests for lost messages are taken; `None`: nobody can ask.
    pub retransmit: Option<SocketAddr>,
    /// Bytes of messages kept for those who ask.
    pub store_bytes: usize,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A group's socket.
    #[error("multicast out cannot start")]
    Group(#[from] OpenError),
    /// The socket of the retransmit server.
    #[error("the retransmit server cannot listen on {address}; choose another address")]
    Retransmit {
        /// The address asked for.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The system gave no thread.
    #[error("multicast out gets no thread; raise the limit on processes (ulimit -u)")]
    Thread(#[source] io::Error),
}

/// What was sent so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Packets sent, heartbeats included; counted once for all groups.
    pub packets: AtomicU64,
    /// Packets that the kernel refused to send to some group.
    pub refused: AtomicU64,
    /// Messages sent again.
    pub resent: AtomicU64,
}

/// The running sender. Dropping it says end of session and stops it.
pub struct Multicast {
    counts: Arc<Counts>,
    retransmit: Option<SocketAddr>,
    session: [u8; 10],
    _thread: Thread,
}

impl Multicast {
    /// Opens an outlet named `multicast` and sends all of it.
    ///
    /// # Errors
    /// When a socket or the thread cannot be had.
    pub fn start(node: &Node, settings: &Settings) -> Result<Self, StartError> {
        let open = |&target| {
            Sender::open(&SenderConfig {
                target,
                interface: settings.interface,
                ttl: settings.ttl,
            })
        };
        let senders = settings.groups.iter().map(open).collect::<Result<_, _>>()?;
        let server = settings.retransmit.map(listen).transpose()?;
        let retransmit = server.as_ref().and_then(|server| server.address().ok());
        let stop = Arc::new(AtomicBool::new(false));
        let counts = Arc::new(Counts::default());
        let session = session_name(node.clock().now_ns());
        let worker = Worker {
            outlet: node
                .outlets()
                .open("multicast", SlowPolicy::DropWithMark, CAPACITY),
            sequencer: Sequencer::new(session, settings.store_bytes),
            wire: Wire {
                senders,
                packets: Vec::new(),
                ends: Vec::new(),
                counts: Arc::clone(&counts),
                failure: None,
            },
            server,
            began: Instant::now(),
            stop: Arc::clone(&stop),
            health: Health::default(),
        };
        let thread = Thread::spawn("multicast", stop, move || worker.work());
        let thread = thread.map_err(StartError::Thread)?;
        Ok(Self {
            counts,
            retransmit,
            session,
            _thread: thread,
        })
    }

    /// What was sent.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Where requests are taken, with the port that was got.
    #[must_use]
    pub fn retransmit(&self) -> Option<SocketAddr> {
        self.retransmit
    }

    /// The session's name.
    #[must_use]
    pub fn session(&self) -> [u8; 10] {
        self.session
    }
}

fn listen(address: SocketAddr) -> Result<RequestServer, StartError> {
    RequestServer::open(address).map_err(|source| StartError::Retransmit { address, source })
}

struct Worker {
    outlet: Outlet,
    sequencer: Sequencer,
    wire: Wire,
    server: Option<RequestServer>,
    began: Instant,
    stop: Arc<AtomicBool>,
    health: Health,
}

impl Worker {
    fn work(mut self) {
        let mut batch: Vec<Laned> = Vec::with_capacity(BATCH);
        let mut beat = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            if self.outlet.wait(LOOK) {
                self.outlet.take(BATCH, &mut batch);
            }
            let (sequencer, wire) = (&mut self.sequencer, &mut self.wire);
            for (lane, frame) in batch.drain(..) {
                sequencer.push(lane, &frame, &mut |packet| wire.put(packet));
            }
            sequencer.flush(&mut |packet| wire.put(packet));
            if beat.elapsed() >= BEAT {
                beat = Instant::now();
                sequencer.cycle(&mut |packet| wire.put(packet));
                sequencer.heartbeat(&mut |packet| wire.put(packet));
            }
            wire.send();
            match wire.failure.take() {
                Some(why) => self.health.fails(&self.outlet, why),
                None => self.health.works(&self.outlet),
            }
            self.answer();
        }
        let (sequencer, wire) = (&mut self.sequencer, &mut self.wire);
        sequencer.end(&mut |packet| wire.put(packet));
        wire.send();
    }

    fn answer(&mut self) {
        let Some(server) = &mut self.server else {
            return;
        };
        let sequencer = &mut self.sequencer;
        let now_ns = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        server.serve(now_ns, &mut |request, send| {
            sequencer.answer(request, &mut |packet: &[u8]| send(packet))
        });
        let resent = server.counts().messages;
        self.wire.counts.resent.store(resent, Ordering::Relaxed);
    }
}

/// Packets on their way out: gathered, then sent to every group.
struct Wire {
    senders: Vec<Sender>,
    packets: Vec<u8>,
    ends: Vec<usize>,
    counts: Arc<Counts>,
    failure: Option<String>,
}

impl Wire {
    fn put(&mut self, packet: &[u8]) {
        self.packets.extend_from_slice(packet);
        self.ends.push(self.packets.len());
    }

    fn send(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let packets: Vec<&[u8]> = starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.packets[start..end])
            .collect();
        self.counts
            .packets
            .fetch_add(packets.len() as u64, Ordering::Relaxed);
        for sender in &self.senders {
            if let Err(error) = send_all(sender, &packets, &self.counts.refused) {
                self.failure = Some(format!("cannot send to {}: {error}", sender.target()));
            }
        }
        self.packets.clear();
        self.ends.clear();
    }
}

/// Sends what it can: a packet that is refused costs only itself, its messages can be asked for again.
fn send_all(sender: &Sender, packets: &[&[u8]], refused: &AtomicU64) -> io::Result<()> {
    if sender.send_many(packets).is_ok() {
        return Ok(());
    }
    let mut outcome = Ok(());
    for packet in packets {
        if let Err(error) = sender.send(packet) {
            refused.fetch_add(1, Ordering::Relaxed);
            outcome = Err(error);
        }
    }
    outcome
}
