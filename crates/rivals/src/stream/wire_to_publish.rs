//! A packet sent over UDP loopback until its frames are in the ring, open loop, beside a bare
//! receiver of the same packets.
//!
//! One thread sends on core 0, one receives on core 1, both spin. *Ours* is a lane with the full
//! pipeline; *bare* receives with the same socket code, answers each packet with a small datagram
//! and decodes nothing but its number: what the kernel alone costs. Nothing else runs between the
//! two, so the sender also empties our ring while it waits for its next packet.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result};
use engine::lane::{Idle, Lane, LaneConfig, LaneState};
use engine::pipeline::Pipeline;
use engine::ring::FrameSender;
use engine::udp::{MulticastReceiver, ReceiverConfig, UdpSource};
use market::feed::mold::MoldConfig;
use market::pipeline::{ItchPipeline, PipelineConfig};
use stdx::{Clock, Histogram, SystemClock};
use wire::moldudp64::{Packet, Request};

use super::input::MIDNIGHT;
use super::plan::{Noted, Outcome, Plan, Times};
use crate::Size;
use crate::machine::hold_core;
use crate::report::{Better, Figure, Report};

/// Messages a second, and in a packet: a slow feed sends what it has, a fast one fills packets.
const LOADS: [(u32, usize); 3] = [(100_000, 2), (500_000, 38), (1_000_000, 38)];
const ROUNDS: usize = 9;
/// With the warm-up less than a second: Linux takes a core from threads of real-time priority for
/// 50 ms when others have waited for it that long, and every tail would show that.
const MEASURED_S: f64 = 0.5;
/// Between two runs, for whoever else waits for the cores.
const REST: Duration = Duration::from_millis(300);
/// For the last packets to arrive.
const SETTLE: Duration = Duration::from_millis(50);
const SENDER_CORE: usize = 0;
const RECEIVER_CORE: usize = 1;

/// Which latencies of a run.
type Side = fn(&Times) -> &Histogram;

/// All loads, ours and bare in turns.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    for (rate, per_packet) in LOADS {
        report.step(&format!("stream: wire to publish at {rate} messages/s"));
        let seconds = if size.of(10) == 10 {
            MEASURED_S
        } else {
            MEASURED_S / 4.0
        };
        let plan = Arc::new(Plan::new(f64::from(rate), seconds, per_packet));
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            std::thread::sleep(REST);
            bare.push(run_bare(&plan)?);
            std::thread::sleep(REST);
            ours.push(run_ours(&plan)?);
        }
        figures(rate, per_packet, &ours, &bare)
            .into_iter()
            .for_each(|f| report.add(f));
    }
    Ok(())
}

fn figures(rate: u32, per_packet: usize, ours: &[Outcome], bare: &[Outcome]) -> Vec<Figure> {
    const BESIDE: &str = "bare receive and send";
    let name = |what: &str| format!("stream.wire_to_publish.{}k.{what}", rate / 1_000);
    let of = |outcomes: &[Outcome], side: fn(&Times) -> &Histogram, q: f64| -> Vec<f64> {
        let us = |o: &Outcome| side(&o.times).quantile(q).unwrap_or(0) as f64 / 1e3;
        outcomes.iter().map(us).collect()
    };
    let mut figures = Vec::new();
    let sides: [(&str, Side); 2] = [("", |t| &t.intended), ("stamped.", |t| &t.stamped)];
    for (side_name, side) in sides {
        for (q_name, q) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
            let values = of(ours, side, q);
            let figure = Figure::new(
                name(&format!("{side_name}{q_name}")),
                "us",
                Better::Less,
                values,
            );
            figures.push(figure.beside(BESIDE, &of(bare, side, q)).note(if side_name.is_empty() {
                format!("open loop, from the intended send; {per_packet} messages a packet at most; two spinning threads")
            } else {
                "the same runs, from the kernel's receive stamp".to_owned()
            }));
        }
    }
    let lost =
        |outcomes: &[Outcome]| -> Vec<f64> { outcomes.iter().map(|o| o.lost as f64).collect() };
    let figure = Figure::new(name("lost"), "messages", Better::Less, lost(ours));
    figures.push(figure.beside(BESIDE, &lost(bare)));
    figures
}

/// The pipeline under test, and a note of each packet until its frames are published.
struct Measured {
    inner: ItchPipeline,
    plan: Arc<Plan>,
    start_ns: Arc<OnceLock<u64>>,
    waiting: Vec<Noted>,
    times: Times,
    received: u64,
    done: Arc<OnceLock<Outcome>>,
}

impl Drop for Measured {
    fn drop(&mut self) {
        let lost = self.plan.messages.saturating_sub(self.received);
        let _first = self.done.set(Outcome {
            times: self.times.clone(),
            lost,
        });
    }
}

impl Pipeline for Measured {
    fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) {
        self.inner.packet(line, ts_recv, bytes);
        if let Ok(packet) = Packet::parse(bytes) {
            let count = packet.count();
            self.received += u64::from(count);
            if let Some(idx) = self.plan.packet_of(packet.seq()) {
                self.waiting.push(Noted {
                    idx,
                    count,
                    stamp_ns: ts_recv,
                });
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
        for noted in self.waiting.drain(..) {
            self.plan.record(&mut self.times, start, &noted, now);
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

fn receiver() -> Result<(MulticastReceiver, SocketAddrV4)> {
    let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free);
    let receiver = MulticastReceiver::open(&ReceiverConfig::loopback(address))?;
    Ok((receiver, address))
}

/// A lane with the whole pipeline, built and run on its own core.
fn run_ours(plan: &Arc<Plan>) -> Result<Outcome> {
    let (receiver, address) = receiver()?;
    let (start_ns, done) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
    let config = PipelineConfig {
        midnight_ns: MIDNIGHT,
        levels_reserve: 4_096,
        mold: MoldConfig {
            has_retransmit: false,
            ..MoldConfig::default()
        },
        ..PipelineConfig::default()
    };
    let build = {
        let (plan, start_ns, done) = (Arc::clone(plan), Arc::clone(&start_ns), Arc::clone(&done));
        move || {
            let measured = Measured {
                inner: ItchPipeline::new(&config),
                plan,
                start_ns,
                waiting: Vec::with_capacity(4_096),
                times: Times::new(),
                received: 0,
                done,
            };
            hold_core(RECEIVER_CORE);
            measured
        }
    };
    let lane = LaneConfig {
        idle: Idle::Spin,
        ring_capacity: 65_536,
        prefault: true,
        ..LaneConfig::new("ours")
    };
    let mut lane = Lane::spawn(lane, build, UdpSource::new(vec![receiver], None))?;
    while lane.state() == LaneState::Starting {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::scope(|scope| {
        let (lane, start_ns) = (&mut lane, &start_ns);
        scope.spawn(move || {
            hold_core(SENDER_CORE);
            plan.send(address, start_ns, || {
                std::hint::black_box(lane.next_frame());
            });
        });
    });
    std::thread::sleep(SETTLE);
    lane.stop()?;
    drop(lane);
    Arc::into_inner(done)
        .and_then(OnceLock::into_inner)
        .context("the lane left no result")
}

/// Receives the same packets and answers each with a small datagram; decodes only its number.
fn run_bare(plan: &Arc<Plan>) -> Result<Outcome> {
    let (mut receiver, address) = receiver()?;
    let answers = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let out = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    out.connect(answers.local_addr()?)?;
    out.set_nonblocking(true)?;
    let (start_ns, stop) = (OnceLock::new(), AtomicBool::new(false));
    let (times, received) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            hold_core(RECEIVER_CORE);
            let (mut times, mut received) = (Times::new(), 0);
            while !stop.load(Ordering::Relaxed) {
                let polled = receiver.poll(&mut |stamp_ns, bytes| {
                    let Ok(packet) = Packet::parse(bytes) else {
                        return;
                    };
                    // Nobody reads the answers; a full buffer drops them, which costs the same.
                    let _dropped = out.send(&bytes[..20]);
                    let count = packet.count();
                    received += u64::from(count);
                    let now = SystemClock.now_ns();
                    if let (Some(idx), Some(&start)) =
                        (plan.packet_of(packet.seq()), start_ns.get())
                    {
                        plan.record(
                            &mut times,
                            start,
                            &Noted {
                                idx,
                                count,
                                stamp_ns,
                            },
                            now,
                        );
                    }
                });
                polled.expect("a loopback socket works");
            }
            (times, received)
        });
        scope
            .spawn(|| {
                hold_core(SENDER_CORE);
                plan.send(address, &start_ns, std::hint::spin_loop);
            })
            .join()
            .expect("the sender lives to the end");
        std::thread::sleep(SETTLE);
        stop.store(true, Ordering::Relaxed);
        reading.join().expect("the reader lives to the end")
    });
    Ok(Outcome {
        times,
        lost: plan.messages.saturating_sub(received),
    })
}
