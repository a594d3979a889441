//! A simulated venue over real sockets for `ouzel serve`: two lines, a request server with a short
//! memory, snapshots; and what it knows of its own books.

use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::glimpse::{GlimpseServer, ServeConfig, Snapshot};
use engine::udp::{Sender, SenderConfig};
use market::event::Side;
use serde_json::Value;
use stdx::{Clock, SystemClock};
use venue::{PAYLOAD_LIMIT, Packetiser, Retransmitter, Venue, VenueConfig};
use wire::moldudp64::Request;

use crate::common::{Running, arg};

pub const SESSION: [u8; 10] = *b"GLIMPSE001";
const MS: u64 = 1_000_000;
const DAY_NS: u64 = 86_400_000 * MS;
const SYMBOLS: usize = 30;
/// Messages that the request server keeps: about a tenth of a second.
const HISTORY: usize = 400;

/// A venue that lives in real time on its own thread.
pub struct Market {
    shared: Arc<Shared>,
    /// Where it speaks.
    pub lines: [SocketAddrV4; 2],
    requests: SocketAddr,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    venue: Mutex<Venue>,
    is_cut: AtomicBool,
    /// It says nothing more but heartbeats.
    is_over: AtomicBool,
    stop: AtomicBool,
}

/// A port of loopback that the system picks.
pub fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// For UDP, where nobody listens yet.
pub fn free_port() -> SocketAddrV4 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    match socket.local_addr().expect("bound") {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(address) => panic!("{address}"),
    }
}

impl Market {
    pub fn open() -> Self {
        let now = SystemClock.now_ns();
        let config = VenueConfig {
            symbols: SYMBOLS,
            rate: 4_000.0,
            opening_peak: 0.0,
            ..VenueConfig::new(5, now, now - now % DAY_NS)
        };
        let shared = Arc::new(Shared {
            venue: Mutex::new(Venue::new(config)),
            is_cut: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let lines = [free_port(), free_port()];
        let server = UdpSocket::bind("127.0.0.1:0").expect("a port");
        server.set_nonblocking(true).expect("set");
        let requests = server.local_addr().expect("bound");
        let speaker = Arc::clone(&shared);
        let senders =
            lines.map(|line| Sender::open(&SenderConfig::loopback(line)).expect("a socket"));
        let thread = std::thread::spawn(move || speak(&speaker, &senders, &server));
        Self {
            shared,
            lines,
            requests,
            thread: Some(thread),
        }
    }

    /// Its snapshot server, on `address`; one that was used before may take a moment to be free.
    pub fn snapshots(&self, address: SocketAddr) -> GlimpseServer {
        let shared = Arc::clone(&self.shared);
        let provider = Arc::new(move || {
            let mut snapshot = Snapshot::default();
            let venue = shared.venue.lock().expect("no thread panics");
            venue.snapshot(&mut |message: &[u8]| assert!(snapshot.push(message)));
            Some(snapshot)
        });
        let began = std::time::Instant::now();
        loop {
            let config = ServeConfig::new(SESSION);
            match GlimpseServer::open(address, config, provider.clone()) {
                Ok(server) => return server,
                Err(error) => assert!(began.elapsed() < super::common::PATIENCE, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Cuts both lines, or joins them again.
    pub fn cut(&self, is_cut: bool) {
        self.shared.is_cut.store(is_cut, Ordering::Release);
    }

    pub fn cut_for(&self, ms: u64) {
        self.shared.is_cut.store(true, Ordering::Release);
        std::thread::sleep(Duration::from_millis(ms));
        self.shared.is_cut.store(false, Ordering::Release);
    }

    pub fn end(&self) {
        self.shared.is_over.store(true, Ordering::Release);
    }

    pub fn serve(&self, dir: &tempfile::TempDir, snapshots: SocketAddr, more: &[&str]) -> Running {
        let [a, b] = self.lines.map(|line| line.to_string());
        let (requests, snapshots) = (self.requests.to_string(), snapshots.to_string());
        let args = [
            &[
                "serve",
                "--data",
                arg(dir.path()),
                "--itch-a",
                &a,
                "--itch-b",
                &b,
                "--interface",
                "127.0.0.1",
                "--retransmit",
                &requests,
                "--glimpse",
                &snapshots,
                // Any day: books do not mind, and the two clocks are never compared.
                "--day",
                "2026-01-05",
            ],
            more,
        ]
        .concat();
        Running::start(&args)
    }

    /// Every book that `ouzel` shows, to ten levels, is the venue's, and none is flagged. It must have
    /// ended: nothing changes any more.
    pub fn check_books(&self, ouzel: &Running) {
        assert!(self.shared.is_over.load(Ordering::Acquire));
        let (seq, books) = {
            // Not held for longer: snapshots need it.
            let venue = self.shared.venue.lock().expect("no thread panics");
            let ladder = |idx, side| -> Vec<(i64, u64, u32)> {
                let levels = venue.levels(idx, side).take(10);
                levels
                    .map(|(price, qty, orders)| (i64::from(price) * 100_000, qty, orders))
                    .collect()
            };
            let listings = venue.listings().iter().enumerate();
            let books = listings.map(|(idx, listing)| {
                let sides = [Side::Bid, Side::Ask].map(|side| ladder(idx, side));
                (listing.symbol.clone(), sides)
            });
            (venue.seq(), books.collect::<Vec<_>>())
        };
        ouzel.until("/v1/feed", |feed| {
            feed["next_seq"] == seq + 1 && feed["state"] == "live"
        });
        for (symbol, [bids, asks]) in books {
            let path = format!("/v1/book/{symbol}?depth=10");
            let book = ouzel.until(&path, |book| book["integrity"] == "ok");
            assert_eq!(shown(&book["bids"]), bids, "{symbol}");
            assert_eq!(shown(&book["asks"]), asks, "{symbol}");
        }
    }
}

impl Drop for Market {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no thread panics");
        }
    }
}

/// Prices in billionths, quantities and orders.
fn shown(side: &Value) -> Vec<(i64, u64, u32)> {
    let levels = side.as_array().expect("levels");
    let level = |level: &Value| {
        (
            level["price_e9"].as_i64().expect("exact"),
            level["qty"].as_f64().expect("a number") as u64,
            level["orders"].as_u64().expect("a count") as u32,
        )
    };
    levels.iter().map(level).collect()
}

fn speak(shared: &Shared, lines: &[Sender; 2], server: &UdpSocket) {
    let mut packetiser = Packetiser::new(SESSION, PAYLOAD_LIMIT);
    let mut retransmitter = Retransmitter::new(SESSION, HISTORY, PAYLOAD_LIMIT);
    let mut quiet = 0;
    while !shared.stop.load(Ordering::Acquire) {
        let mut packets: Vec<Vec<u8>> = Vec::new();
        let mut venue = shared.venue.lock().expect("no thread panics");
        if !shared.is_over.load(Ordering::Acquire) {
            let mut send = |_, packet: &[u8]| packets.push(packet.to_vec());
            venue.step(SystemClock.now_ns(), &mut |message: &[u8]| {
                assert!(retransmitter.keep(message));
                assert!(packetiser.push(message, &mut send));
            });
            packetiser.flush(&mut send);
        }
        drop(venue);
        quiet += 1;
        if packets.is_empty() && quiet >= 100 {
            packets.push(packetiser.heartbeat().to_vec());
        }
        for packet in &packets {
            quiet = 0;
            for line in lines {
                if !shared.is_cut.load(Ordering::Acquire) {
                    line.send(packet).expect("sent");
                }
            }
        }
        let mut bytes = [0; 64];
        while let Ok((size, from)) = server.recv_from(&mut bytes) {
            let request = Request::parse(&bytes[..size]).expect("a request");
            // What is too old stays unanswered, as the protocol has it.
            let _refused = retransmitter.answer(&request, &mut |packet: &[u8]| {
                server.send_to(packet, from).expect("answered");
            });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
