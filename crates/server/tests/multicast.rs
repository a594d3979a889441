//! Multicast out over real sockets with loss between: what a receiver gets is what was published, or
//! a mark; and what the user sees when nothing can be sent.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use collection::SyncPolicy;
use engine::lane::{Lane, LaneConfig};
use engine::udp::{ReceiverConfig, RecoveryClient, open_lines};
use market::event::{Instrument, InstrumentId, Price, Qty, Stamp};
use market::feed::mold::MoldConfig;
use market::pipeline::RelayPipeline;
use market::publish::{Frame, Integrity, TradePrint};
use node::{Node, Settings};
use server::out::multicast::{self, Multicast};
use stdx::{Rng, SystemClock};

fn node() -> (Arc<Node>, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = Settings {
        dir: dir.path().to_owned(),
        sync: SyncPolicy::Never,
        limits: collection::Options::default(),
        embedding: node::EmbeddingLimits::default(),
    };
    let node = Node::open(&settings, Arc::new(SystemClock)).expect("a node");
    (Arc::new(node), dir)
}

fn name(id: u32) -> Frame {
    Frame::Instrument(Instrument::new(InstrumentId(id), &format!("S{id}"), 0, 2))
}

fn print(seq: u64) -> Frame {
    Frame::Trade(TradePrint {
        instrument: InstrumentId(0),
        stamp: Stamp {
            seq,
            ts_event: seq,
            ts_recv: seq,
        },
        price: Price(100),
        qty: Qty(1),
        aggressor: None,
        cross: false,
        match_id: seq,
        integrity: Integrity::Ok,
    })
}

fn free_port() -> SocketAddrV4 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("bound").port();
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

fn settings(group: SocketAddrV4) -> multicast::Settings {
    multicast::Settings {
        groups: vec![group],
        interface: Ipv4Addr::LOCALHOST,
        ttl: 0,
        retransmit: Some("127.0.0.1:0".parse().expect("an address")),
        store_bytes: 16 << 20,
    }
}

/// Passes datagrams on, but for a share of them.
struct LossyWire {
    address: SocketAddrV4,
    stop: Arc<AtomicBool>,
    dropped: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl LossyWire {
    fn new(to: SocketAddrV4, loss: f64) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let std::net::SocketAddr::V4(address) = socket.local_addr().expect("bound") else {
            panic!("not IPv4");
        };
        let wait = Some(Duration::from_millis(20));
        socket.set_read_timeout(wait).expect("a time-out");
        let (stop, dropped) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stopped, lost) = (Arc::clone(&stop), Arc::clone(&dropped));
        let thread = std::thread::spawn(move || {
            let mut rng = Rng::new(11);
            let mut bytes = [0; 2_048];
            while !stopped.load(Ordering::Acquire) {
                let Ok(size) = socket.recv(&mut bytes) else {
                    continue;
                };
                if rng.chance(loss) {
                    lost.fetch_add(1, Ordering::Relaxed);
                } else {
                    // Nobody may listen yet.
                    let _sent = socket.send_to(&bytes[..size], to);
                }
            }
        });
        Self {
            address,
            stop,
            dropped,
            thread: Some(thread),
        }
    }
}

impl Drop for LossyWire {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the wire ends");
        }
    }
}

fn receiver(at: SocketAddrV4, retransmit: Option<SocketAddrV4>) -> Lane {
    let config = ReceiverConfig::loopback(at);
    let opened = open_lines(&[config], &mut || {
        let open = |server| RecoveryClient::open(server, 1 << 20);
        retransmit.map(open).transpose()
    });
    let mold = MoldConfig {
        has_retransmit: retransmit.is_some(),
        ..MoldConfig::default()
    };
    let pipeline = move || RelayPipeline::new(mold, 64, 100_000);
    let source = opened.expect("a socket").source;
    Lane::spawn(LaneConfig::new("relay"), pipeline, source).expect("a lane")
}

/// Publishes prints at a pace that a loopback socket bears.
fn publish(node: &Node, seqs: std::ops::RangeInclusive<u64>) {
    let all: Vec<Frame> = seqs.map(print).collect();
    for batch in all.chunks(50) {
        node.publish(0, batch);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Reads until print `last` has come or ten seconds are over.
fn read(lane: &mut Lane, last: u64) -> (Vec<u64>, u64) {
    let until = Instant::now() + Duration::from_secs(20);
    let (mut seqs, mut marked) = (Vec::new(), 0);
    while seqs.last() != Some(&last) && Instant::now() < until {
        match lane.next_frame() {
            Some(Frame::Trade(print)) => seqs.push(print.stamp.seq),
            Some(Frame::Dropped { count }) => marked += count,
            Some(_) => {}
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    (seqs, marked)
}

#[test]
fn what_the_wire_loses_is_sent_again() {
    let (node, _dir) = node();
    let at = free_port();
    let wire = LossyWire::new(at, 0.1);
    let sender = Multicast::start(&node, &settings(wire.address)).expect("a sender");
    let Some(std::net::SocketAddr::V4(server)) = sender.retransmit() else {
        panic!("no server");
    };
    let mut lane = receiver(at, Some(server));
    node.publish(0, &[name(0)]);
    // Joined once its name came, by packet or by the cycle; what follows is compared.
    std::thread::sleep(Duration::from_millis(500));
    publish(&node, 1..=20_000);
    let (seqs, marked) = read(&mut lane, 20_000);
    assert!(
        wire.dropped.load(Ordering::Relaxed) > 10,
        "the wire lost something"
    );
    assert!(sender.counts().resent.load(Ordering::Relaxed) > 0);
    assert_eq!(marked, 0);
    assert_eq!(seqs, (1..=20_000).collect::<Vec<u64>>());
}

#[test]
fn what_nobody_sends_again_is_marked() {
    let (node, _dir) = node();
    let at = free_port();
    let wire = LossyWire::new(at, 0.1);
    let _sender = Multicast::start(&node, &settings(wire.address)).expect("a sender");
    let mut lane = receiver(at, None);
    node.publish(0, &[name(0)]);
    std::thread::sleep(Duration::from_millis(500));
    publish(&node, 1..=5_000);
    // The last one may be lost itself: more follow until one comes through.
    publish(&node, 5_001..=5_400);
    let (seqs, marked) = read(&mut lane, 5_400);
    let newest = *seqs.last().expect("something came");
    assert!(seqs.is_sorted() && marked > 0);
    assert!(
        seqs.len() as u64 + marked >= newest,
        "{} + {marked}",
        seqs.len()
    );
}

#[test]
fn a_route_that_is_gone_is_told_and_stops_nothing() {
    let (node, _dir) = node();
    // Broadcast without leave: the kernel refuses every packet.
    let group = "255.255.255.255:9".parse().expect("an address");
    let sender = Multicast::start(&node, &settings(group)).expect("a sender");
    node.publish(0, &[name(0)]);
    publish(&node, 1..=1_000);
    let until = Instant::now() + Duration::from_secs(10);
    let trouble = loop {
        let trouble = node.outlets().status()[0].trouble.clone();
        if trouble.is_some() || Instant::now() > until {
            break trouble;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(
        trouble.is_some_and(|why| why.contains("255.255.255.255")),
        "told"
    );
    assert!(sender.counts().refused.load(Ordering::Relaxed) > 0);
    assert_eq!(node.market().symbol("S0").map(|s| s.trades), Some(1_000));
}
