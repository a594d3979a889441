//! A venue that speaks to a lane of this process, and that can be held still.
//!
//! Its time is the time it was let run: while it is held, the node's clock stands too, so that a
//! question means the same with and without the stream.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender as Tell, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use engine::lane::{Lane, LaneConfig};
use engine::udp::{MulticastReceiver, ReceiverConfig, Sender, SenderConfig, UdpSource};
use market::feed::mold::MoldConfig;
use market::pipeline::{ItchPipeline, PipelineConfig};
use stdx::{Clock, ManualClock};
use venue::{NewsItem, PAYLOAD_LIMIT, Packetiser, ScriptConfig, Shock, Venue, VenueConfig};

const STEP: Duration = Duration::from_millis(1);
const SECOND: u64 = 1_000_000_000;
const STATE_NS: u64 = SECOND / 10;
/// Planted shocks move 3 to 9 %; the flow around them less than 0.6 %.
const JUMP_BP: u32 = 100;

/// What the venue says.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Messages a second.
    pub rate: f64,
    /// Symbols listed.
    pub symbols: usize,
    /// Between two shocks, drawn from `[low, high)`, ns.
    pub gap_ns: (u64, u64),
}

/// What the venue's thread and its owner both see.
struct Common {
    flows: AtomicBool,
    ended: AtomicBool,
    said: AtomicU64,
    clock: Arc<ManualClock>,
    planted: Mutex<Vec<Shock>>,
}

/// The running venue; dropping it ends its thread.
pub struct Load {
    common: Arc<Common>,
    /// What it published, in order.
    pub news: Receiver<NewsItem>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    /// A venue that begins at the clock's time, held still, and the lane that hears it.
    pub fn start(pace: Pace, clock: Arc<ManualClock>) -> Result<(Self, Lane)> {
        let start_ns = clock.now_ns();
        let config = VenueConfig {
            rate: pace.rate,
            symbols: pace.symbols,
            opening_peak: 0.0,
            script: Some(ScriptConfig {
                first_ns: (2 * SECOND, 3 * SECOND),
                gap_ns: pace.gap_ns,
                halt_every: 0,
                ..ScriptConfig::default()
            }),
            ..VenueConfig::new(5, start_ns, start_ns - start_ns % (86_400 * SECOND))
        };
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let receiver = MulticastReceiver::open(&ReceiverConfig::loopback(address))?;
        let pipeline = pipeline(config.midnight_ns);
        let source = UdpSource::new(vec![receiver], None);
        let lane = LaneConfig::new("lane");
        let lane = Lane::spawn(lane, move || ItchPipeline::new(&pipeline), source)?;
        let sender = Sender::open(&SenderConfig::loopback(address))?;
        let common = Arc::new(Common {
            flows: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            said: AtomicU64::new(0),
            clock,
            planted: Mutex::default(),
        });
        let (tell, news) = channel();
        let seen = Arc::clone(&common);
        let thread = std::thread::Builder::new()
            .name("venue".to_owned())
            .spawn(move || speak(Venue::new(config), &sender, &tell, &seen))?;
        Ok((
            Self {
                common,
                news,
                thread: Some(thread),
            },
            lane,
        ))
    }

    /// Lets it speak, or holds it still.
    pub fn flow(&self, flows: bool) {
        self.common.flows.store(flows, Ordering::Release);
    }

    /// The shocks planted so far, some of which may lie ahead.
    pub fn planted(&self) -> Vec<Shock> {
        let planted = self.common.planted.lock();
        planted.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Messages said so far.
    pub fn said(&self) -> u64 {
        self.common.said.load(Ordering::Acquire)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.common.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic in the venue was printed by its thread.
            let _ended = thread.join();
        }
    }
}

fn pipeline(midnight_ns: u64) -> PipelineConfig {
    let mut pipeline = PipelineConfig {
        midnight_ns,
        mold: MoldConfig {
            has_retransmit: false,
            join_from: Some(1),
            ..MoldConfig::default()
        },
        state_step_ns: Some(STATE_NS),
        // While the venue is held, its time stands still.
        quiet_ns: u64::MAX / 4,
        ..PipelineConfig::default()
    };
    pipeline.jump.threshold_bp = JUMP_BP;
    pipeline
}

fn speak(mut venue: Venue, sender: &Sender, news: &Tell<NewsItem>, common: &Common) {
    let mut packetiser = Packetiser::new(*b"LOADEDLANE", PAYLOAD_LIMIT);
    let mut last = Instant::now();
    let mut venue_ns = common.clock.now_ns();
    while !common.ended.load(Ordering::Acquire) {
        let now = Instant::now();
        if common.flows.load(Ordering::Acquire) {
            venue_ns += now.duration_since(last).as_nanos() as u64;
            // A refused packet is lost, and counted as such by the lane.
            let mut send = |_: u64, packet: &[u8]| drop(sender.send(packet));
            venue.step(venue_ns, &mut |message: &[u8]| {
                packetiser.push(message, &mut send);
            });
            packetiser.flush(&mut send);
            common.clock.set(venue_ns);
            common.said.store(venue.seq(), Ordering::Release);
            let published = venue.news_until(venue_ns);
            if !published.is_empty() {
                let mut planted = common
                    .planted
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                *planted = venue.truth();
            }
            for item in published {
                // Nobody listens any more only when the run ends.
                let _gone = news.send(item);
            }
        }
        last = now;
        std::thread::sleep(STEP);
    }
}
