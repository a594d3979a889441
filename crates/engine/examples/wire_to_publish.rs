//! Wire to publish over UDP loopback, open loop, beside a bare receiver in the same run.
//!
//! ```text
//! cargo run --release -p engine --example wire_to_publish -- 100000 500000 1000000
//! ```
//!
//! A sender thread sends the packets of a simulated venue on one line at a fixed rate of messages
//! a second. Each packet has an *intended* send time, fixed before the run; latency counts from
//! there, so a sender or receiver that falls behind is charged for it and nothing is omitted.
//!
//! *ours*: a lane with the full pipeline (arbitration, decode, books, bars, VWAP, signals), up to
//! the frames being in the ring. *bare*: the same socket and packets, received and answered with
//! one small datagram each, nothing decoded: what the kernel alone costs. The two alternate, and
//! the ratio of each pair is what to quote. One JSON line a measurement.
#![allow(clippy::disallowed_methods, reason = "a measurement runs in real time")]

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::lane::{Idle, Lane, LaneConfig, LaneState};
use engine::pipeline::Pipeline;
use engine::ring::FrameSender;
use engine::udp::{MulticastReceiver, ReceiverConfig, Sender, SenderConfig, UdpSource};
use market::feed::mold::MoldConfig;
use market::pipeline::{ItchPipeline, PipelineConfig};
use stdx::{Clock, Histogram, SystemClock};
use venue::{PAYLOAD_LIMIT, Packetiser, Venue, VenueConfig};
use wire::moldudp64::{Packet, Request};

const SECOND: u64 = 1_000_000_000;
const MIDNIGHT: u64 = 1_795_392_000 * SECOND;
const START: u64 = MIDNIGHT + 34_200 * SECOND;
/// Measured part of a run; before it, the same again warms up.
const MEASURED_S: f64 = 2.0;
const PAIRS: usize = 3;

/// A session's packets and when each is to be sent, from the start of the run.
struct Plan {
    packets: Vec<Vec<u8>>,
    /// First sequence number of each packet, ascending.
    first_seq: Vec<u64>,
    messages: u64,
    rate: f64,
}

impl Plan {
    /// Packets of a busy but steady venue, with at most `per_packet` messages each: at a given
    /// rate a real feed fills packets as fast as it must and no faster.
    fn new(rate: f64, messages: u64, per_packet: u16) -> Self {
        let mut venue = Venue::new(VenueConfig {
            rate: 200_000.0,
            opening_peak: 0.0,
            script: None,
            ..VenueConfig::new(1, START, MIDNIGHT)
        });
        let mut packetiser = Packetiser::new(*b"MEASURED01", PAYLOAD_LIMIT);
        let (mut packets, mut first_seq) = (Vec::new(), Vec::new());
        let mut send = |seq, packet: &[u8]| {
            first_seq.push(seq);
            packets.push(packet.to_vec());
        };
        let (mut until, mut waiting) = (START, 0);
        while venue.seq() < messages {
            until += SECOND / 100;
            venue.step(until, &mut |message: &[u8]| {
                packetiser.push(message, &mut send);
                waiting += 1;
                if waiting >= per_packet {
                    packetiser.flush(&mut send);
                    waiting = 0;
                }
            });
        }
        packetiser.flush(&mut send);
        Self {
            packets,
            first_seq,
            messages: venue.seq(),
            rate,
        }
    }

    /// When a packet is to be sent, ns after the start: when its last message is due.
    fn due_ns(&self, packet: usize) -> u64 {
        let end = self
            .first_seq
            .get(packet + 1)
            .map_or(self.messages, |next| next - 1);
        (end as f64 / self.rate * 1e9) as u64
    }

    /// The packet that begins with `seq`.
    fn packet_of(&self, seq: u64) -> Option<usize> {
        self.first_seq.binary_search(&seq).ok()
    }

    fn measures(&self, packet: usize) -> bool {
        self.due_ns(packet) as f64 > self.messages as f64 / self.rate * 0.5e9
    }
}

/// What one run measured.
struct Outcome {
    /// Intended send to publication, one value a message, ns.
    latency: Histogram,
    sent: u64,
    received: u64,
    kernel_drops: u64,
}

impl Outcome {
    fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.received)
    }
}

/// Sends the plan from its own thread, each packet no earlier than intended.
fn send_plan(plan: &Plan, target: SocketAddrV4, start_ns: &OnceLock<u64>) {
    let sender = Sender::open(&SenderConfig::loopback(target)).expect("a sender");
    let clock = SystemClock;
    let start = *start_ns.get_or_init(|| clock.now_ns() + 20_000_000);
    for (idx, packet) in plan.packets.iter().enumerate() {
        let due = start + plan.due_ns(idx);
        while clock.now_ns() < due {
            std::hint::spin_loop();
        }
        // A refused send is a lost packet, and counted as one by the receiver's numbers.
        let _ = sender.send(packet);
    }
}

/// The pipeline under test, and a note of each packet until its frames are published.
struct Measured {
    inner: ItchPipeline,
    plan: Arc<Plan>,
    start_ns: Arc<OnceLock<u64>>,
    waiting: Vec<(usize, u16)>,
    latency: Histogram,
    received: u64,
    done: Arc<OnceLock<Outcome>>,
}

impl Drop for Measured {
    fn drop(&mut self) {
        let outcome = Outcome {
            latency: self.latency.clone(),
            sent: self.plan.messages,
            received: self.received,
            kernel_drops: 0,
        };
        let _ = self.done.set(outcome);
    }
}

impl Pipeline for Measured {
    fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) {
        self.inner.packet(line, ts_recv, bytes);
        if let Ok(packet) = Packet::parse(bytes) {
            self.received += u64::from(packet.count());
            if let Some(idx) = self.plan.packet_of(packet.seq()) {
                self.waiting.push((idx, packet.count()));
            }
        }
    }

    fn message(&mut self, ts_recv: u64, bytes: &[u8]) {
        self.inner.message(ts_recv, bytes);
    }

    fn tick(&mut self, now_ns: u64) {
        self.inner.tick(now_ns);
    }

    fn next_request(&mut self) -> Option<Request> {
        self.inner.next_request()
    }

    fn publish(&mut self, sink: &mut FrameSender) {
        ItchPipeline::publish(&mut self.inner, sink);
        let Some(&start) = self.start_ns.get() else {
            return;
        };
        let now = SystemClock.now_ns();
        for (idx, count) in self.waiting.drain(..) {
            record(&mut self.latency, &self.plan, start, idx, count, now);
        }
    }

    fn kernel_drops(&mut self, line: usize, total: u64) {
        self.inner.kernel_drops(line, total);
    }

    fn digest_at(&mut self, seq: u64) {
        self.inner.digest_at(seq);
    }

    fn take_digest(&mut self) -> Option<(u64, u64)> {
        self.inner.take_digest()
    }
}

fn record(latency: &mut Histogram, plan: &Plan, start: u64, idx: usize, count: u16, now: u64) {
    if plan.measures(idx) {
        let since = now.saturating_sub(start + plan.due_ns(idx));
        (0..count).for_each(|_| latency.record(since));
    }
}

fn receiver(port: u16) -> MulticastReceiver {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    MulticastReceiver::open(&ReceiverConfig::loopback(address)).expect("a receiver")
}

fn free_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    socket.local_addr().expect("bound").port()
}

/// A lane with the whole pipeline; a reader drains the ring at its leisure.
fn run_ours(plan: &Arc<Plan>, core: Option<usize>) -> Outcome {
    let port = free_port();
    let (start_ns, done) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
    let config = PipelineConfig {
        midnight_ns: MIDNIGHT,
        instruments_limit: 128,
        levels_reserve: 4_096,
        mold: MoldConfig {
            has_retransmit: false,
            ..MoldConfig::default()
        },
        ..PipelineConfig::default()
    };
    let measured = {
        let (plan, start_ns, done) = (Arc::clone(plan), Arc::clone(&start_ns), Arc::clone(&done));
        move || Measured {
            inner: ItchPipeline::new(&config),
            plan,
            start_ns,
            waiting: Vec::with_capacity(4_096),
            latency: Histogram::new(),
            received: 0,
            done,
        }
    };
    let lane_config = LaneConfig {
        idle: Idle::Spin,
        core,
        ring_capacity: 65_536,
        ..LaneConfig::new("ours")
    };
    let source = UdpSource::new(vec![receiver(port)], None);
    let mut lane = Lane::spawn(lane_config, measured, source).expect("a lane");
    while lane.state() == LaneState::Starting {
        std::thread::sleep(Duration::from_millis(1));
    }
    let target = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| send_plan(plan, target, &start_ns));
        while !sending.is_finished() {
            while lane.next_frame().is_some() {}
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(100));
    });
    lane.stop().expect("the lane lives to the end");
    let kernel_drops = lane.report().kernel_drops[0];
    let outcome = Arc::into_inner(done).and_then(OnceLock::into_inner);
    Outcome {
        kernel_drops,
        ..outcome.expect("the lane has ended and left it")
    }
}

/// Receives the same packets and answers each with a small datagram; decodes only its number.
fn run_bare(plan: &Arc<Plan>) -> Outcome {
    let port = free_port();
    let mut receiver = receiver(port);
    let answers = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let out = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    out.connect(answers.local_addr().expect("bound"))
        .expect("connected");
    out.set_nonblocking(true).expect("set");
    let (start_ns, stop) = (OnceLock::new(), AtomicBool::new(false));
    let received = AtomicU64::new(0);
    let mut latency = Histogram::new();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut latency = Histogram::new();
            while !stop.load(Ordering::Relaxed) {
                let polled = receiver.poll(&mut |_, bytes| {
                    let Ok(packet) = Packet::parse(bytes) else {
                        return;
                    };
                    // Nobody reads the answers; a full buffer drops them, which costs the same.
                    let _ = out.send(&bytes[..20]);
                    received.fetch_add(u64::from(packet.count()), Ordering::Relaxed);
                    let now = SystemClock.now_ns();
                    if let (Some(idx), Some(&start)) =
                        (plan.packet_of(packet.seq()), start_ns.get())
                    {
                        record(&mut latency, plan, start, idx, packet.count(), now);
                    }
                });
                polled.expect("the socket works");
            }
            (latency, receiver.drops())
        });
        let target = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        send_plan(plan, target, &start_ns);
        std::thread::sleep(Duration::from_millis(100));
        stop.store(true, Ordering::Relaxed);
        let (measured, kernel_drops) = reading.join().expect("the reader lives to the end");
        latency.merge(&measured);
        Outcome {
            latency: latency.clone(),
            sent: plan.messages,
            received: received.load(Ordering::Relaxed),
            kernel_drops,
        }
    })
}

fn print(name: &str, rate: f64, per_packet: u16, outcome: &Outcome) {
    let us = |q| outcome.latency.quantile(q).unwrap_or(0) as f64 / 1e3;
    println!(
        "{{\"name\": \"{name}\", \"rate\": {rate}, \"per_packet\": {per_packet}, \"p50_us\": {:.1}, \
         \"p99_us\": {:.1}, \"p999_us\": {:.1}, \"max_us\": {:.1}, \"sent\": {}, \"lost\": {}, \
         \"kernel_drops\": {}}}",
        us(0.5),
        us(0.99),
        us(0.999),
        us(1.0),
        outcome.sent,
        outcome.lost(),
        outcome.kernel_drops,
    );
}

fn main() {
    let mut rates: Vec<f64> = std::env::args()
        .skip(1)
        .filter_map(|a| a.parse().ok())
        .collect();
    if rates.is_empty() {
        rates = vec![100_000.0, 500_000.0, 1_000_000.0];
    }
    for rate in rates {
        // A packet waits for its last message at most 20 us, or until it is full.
        let per_packet = (rate * 20e-6).clamp(1.0, 44.0) as u16;
        let messages = (rate * MEASURED_S * 2.0) as u64;
        let plan = Arc::new(Plan::new(rate, messages, per_packet));
        let mut ratios = Vec::new();
        for _ in 0..PAIRS {
            let (bare, ours) = (run_bare(&plan), run_ours(&plan, None));
            print("bare", rate, per_packet, &bare);
            print("ours", rate, per_packet, &ours);
            let p50 = |o: &Outcome| o.latency.quantile(0.5).unwrap_or(0) as f64;
            ratios.push(p50(&ours) / p50(&bare));
        }
        ratios.sort_by(f64::total_cmp);
        println!(
            "{{\"name\": \"ratio_p50\", \"rate\": {rate}, \"median\": {:.2}}}",
            ratios[PAIRS / 2]
        );
    }
}
