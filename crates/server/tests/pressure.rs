//! A reader that may not lose anything and stands still: the connector reads no more, the venue's own
//! socket fills, and when the reader goes on nothing is missing.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use collection::SyncPolicy;
use market::pipeline::{DepthVenue, PipelineConfig};
use market::publish::Frame;
use node::outlet::{Laned, SlowPolicy};
use node::{DepthLane, Node};
use server::connect::{self, Status, Venue};
use stdx::SystemClock;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::{Message, accept};

/// Far more bytes than two sockets of loopback hold.
const TRADES: u64 = 4_000;
const PADDING: usize = 16 << 10;
const CAPACITY: usize = 256;

fn trade(id: u64) -> String {
    let padding = "x".repeat(PADDING);
    format!(
        "{{\"e\":\"trade\",\"E\":{id},\"s\":\"BTCUSDT\",\"t\":{id},\"p\":\"60000.00\",\"q\":\"0.5\",\
         \"T\":{id},\"m\":true,\"M\":true,\"padding\":\"{padding}\"}}"
    )
}

/// Says all trades on the first connection, as fast as its reader reads; how many it has said.
fn venue() -> (String, Arc<AtomicU64>) {
    let door = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = door.local_addr().expect("bound");
    let said = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&said);
    std::thread::spawn(move || {
        let (line, _) = door.accept().expect("a reader");
        let mut socket = accept(line).expect("a handshake");
        for id in 1..=TRADES {
            socket.send(Message::text(trade(id))).expect("a reader");
            counted.store(id, Ordering::Release);
        }
        // Kept open: a lost connection is another story.
        std::thread::sleep(Duration::from_secs(60));
    });
    (format!("ws://{address}/stream"), said)
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < until, "no {what} in 30 s");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_blocking_reader_stops_the_venue_and_loses_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = node::Settings {
        dir: dir.path().to_owned(),
        sync: SyncPolicy::Never,
        limits: collection::Options::default(),
        embedding: node::EmbeddingLimits::default(),
    };
    let node = Arc::new(Node::open(&settings, Arc::new(SystemClock)).expect("a node"));
    let mut reader = node.outlets().open("store", SlowPolicy::Block, CAPACITY);
    let (url, said) = venue();
    let config = PipelineConfig::default();
    let lane = DepthLane::new(DepthVenue::Binance, "binance", &config, 0);
    let connector = connect::Settings {
        venue: Venue::Binance,
        urls: vec![url],
        symbols: Vec::new(),
        rest: None,
        silence: None,
    };
    let status = Arc::new(Status::new(Venue::Binance.label(), &connector.urls));
    let (stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.spawn(connect::run(
        Arc::clone(&node),
        lane,
        connector,
        status,
        stopped,
    ));
    eventually("pressure", || node.outlets().is_pressed());
    // Until the sockets between are full, the venue still gets rid of something.
    let mut before = 0;
    eventually("stop of the venue", || {
        std::thread::sleep(Duration::from_millis(200));
        let now = said.load(Ordering::Acquire);
        std::mem::replace(&mut before, now) == now
    });
    assert!(before < TRADES, "the venue was never held up");
    let waiting = node.outlets().status()[0].waiting;
    assert!(waiting < 2 * CAPACITY, "read on: {waiting} frames wait");

    let (mut frames, mut trades): (Vec<Laned>, u64) = (Vec::new(), 0);
    eventually("all trades", || {
        reader.take(CAPACITY, &mut frames);
        for (_, frame) in frames.drain(..) {
            match frame {
                Frame::Trade(trade) => {
                    trades += 1;
                    assert_eq!(trade.match_id, trades);
                }
                Frame::Dropped { count } => panic!("{count} frames were dropped"),
                _ => {}
            }
        }
        trades == TRADES
    });
    let outlet = node.outlets().status().remove(0);
    assert_eq!(outlet.totals.dropped, 0);
    assert!(outlet.totals.blocked_ns > 100_000_000, "{outlet:?}");
    assert!(stop.send(true).is_ok());
}
