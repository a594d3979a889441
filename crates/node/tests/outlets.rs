//! Outlets behind a real lane and the pump: a reader that keeps up, one that is stuck, one that dies
//! and one that comes late. Whatever they do, the lane loses nothing and the view sees everything.
#![allow(clippy::disallowed_methods, reason = "real threads run in real time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use collection::SyncPolicy;
use engine::lane::{Lane, LaneConfig};
use engine::pipeline::Pipeline;
use engine::ring::FrameSender;
use engine::source::{Source, Unit};
use market::event::{Instrument, InstrumentId, Price, Qty, Stamp, TradingState};
use market::publish::{
    BookTop, FeedState, FeedStatus, Frame, Integrity, Level, Sink, TOP_LEVELS, TradePrint,
};
use node::outlet::{Kind, Kinds, Laned, SlowPolicy};
use node::{DigestCheck, Node, Pump, Settings};
use stdx::ManualClock;
use wire::moldudp64::Request;

const PRINTS: u64 = 200_000;

fn node() -> (Arc<Node>, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = Settings {
        dir: dir.path().to_owned(),
        sync: SyncPolicy::Never,
        limits: collection::Options::default(),
        embedding: node::EmbeddingLimits::default(),
    };
    let node = Node::open(&settings, Arc::new(ManualClock::at(1))).expect("a node");
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

fn book(seq: u64) -> Frame {
    Frame::Book(BookTop {
        instrument: InstrumentId(0),
        stamp: Stamp {
            seq,
            ts_event: seq,
            ts_recv: seq,
        },
        bids: [Level::default(); TOP_LEVELS],
        asks: [Level::default(); TOP_LEVELS],
        bid_count: 0,
        ask_count: 0,
        locked: false,
        crossed: false,
        integrity: Integrity::Ok,
        state: TradingState::Trading,
        last: None,
    })
}

/// A payload is a print; every tenth changes the book.
#[derive(Default)]
struct Prints {
    seen: u64,
    published: u64,
    is_named: bool,
}

impl Pipeline for Prints {
    fn packet(&mut self, _line: usize, _ts_recv: u64, _bytes: &[u8]) {
        self.seen += 1;
    }
    fn message(&mut self, _ts_recv: u64, _bytes: &[u8]) {}
    fn tick(&mut self, _now_ns: u64) {}
    fn next_request(&mut self) -> Option<Request> {
        None
    }
    fn publish(&mut self, sink: &mut FrameSender) {
        self.is_named = self.is_named || sink.offer(&name(0));
        while self.is_named && self.published < self.seen && sink.offer(&print(self.published + 1))
        {
            self.published += 1;
            if self.published.is_multiple_of(10) {
                // Conflated: a refusal costs nothing.
                let _taken = sink.offer(&book(self.published));
            }
        }
    }
    fn kernel_drops(&mut self, _line: usize, _total: u64) {}
    fn digest_at(&mut self, _seq: u64) {}
    fn take_digest(&mut self) -> Option<(u64, u64)> {
        None
    }
}

struct Count(u64);

impl Source for Count {
    fn poll(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> std::io::Result<usize> {
        let n = self.0.min(64);
        self.0 -= n;
        (0..n).for_each(|_| f(0, 1, b"print"));
        Ok(n as usize)
    }
    fn unit(&self) -> Unit {
        Unit::Packet
    }
    fn is_ended(&self) -> bool {
        // The end of a real feed stays open; the test stops the lane.
        false
    }
    fn bytes(&self) -> u64 {
        0
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn prints_seen(node: &Node) -> u64 {
    node.market().symbol("S0").map_or(0, |s| s.trades)
}

fn seqs(frames: &[Laned]) -> Vec<u64> {
    frames
        .iter()
        .filter_map(|(_, frame)| match frame {
            Frame::Trade(print) => Some(print.stamp.seq),
            _ => None,
        })
        .collect()
}

#[test]
fn stuck_and_dead_readers_hold_up_nobody() {
    let (node, _dir) = node();
    let capacity = 2 * PRINTS as usize;
    let mut quick = node
        .outlets()
        .open("quick", SlowPolicy::DropWithMark, capacity);
    let stuck = node
        .outlets()
        .open("stuck", SlowPolicy::DropWithMark, 1_000);
    let conflating = node
        .outlets()
        .open("conflating", SlowPolicy::Conflate, 1_000);
    let blocking = node.outlets().open("blocking", SlowPolicy::Block, 1_000);
    let dead = node.outlets().open("dead", SlowPolicy::Conflate, 10);
    let reader = std::thread::spawn(move || {
        let mut frames = Vec::new();
        while seqs(&frames[frames.len().saturating_sub(16)..]).last() != Some(&PRINTS) {
            quick.wait(Duration::from_millis(100));
            quick.take(usize::MAX, &mut frames);
        }
        frames
    });
    let lane = Lane::spawn(LaneConfig::new("lane"), Prints::default, Count(PRINTS));
    let check = Arc::new(DigestCheck::default());
    let pump = Pump::spawn(Arc::clone(&node), vec![lane.expect("a lane")], 0, check);
    let pump = pump.expect("a pump");
    eventually("some prints", || prints_seen(&node) > 0);
    drop(dead);
    eventually("all prints", || prints_seen(&node) == PRINTS);
    let frames = reader.join().expect("the reader ends");
    drop(pump);

    assert_eq!(
        node.market().dropped(),
        0,
        "the lane's ring never overflowed"
    );
    assert_eq!(frames.first(), Some(&(0, name(0))), "names come first");
    assert_eq!(seqs(&frames), (1..=PRINTS).collect::<Vec<u64>>());
    for outlet in node.outlets().status() {
        let bound = match outlet.policy {
            // The name waits beside what counts.
            SlowPolicy::Block => 2_001,
            // So may the book and the feed.
            _ => 1_003,
        };
        if outlet.name != "quick" {
            assert!(outlet.waiting <= bound, "{outlet:?}");
            assert!(outlet.totals.dropped > PRINTS - 3_000, "{outlet:?}");
        }
    }
    assert!(
        node.outlets().is_pressed(),
        "the blocking reader asks to wait"
    );
    drop(blocking);
    assert!(!node.outlets().is_pressed(), "and no more once it is gone");
    // What they find is the newest, with one mark for all that went before.
    let mut stuck = stuck;
    let mut found = Vec::new();
    stuck.take(usize::MAX, &mut found);
    let Some((0, Frame::Dropped { count })) =
        found.iter().find(|(_, f)| Kind::of(f) == Kind::Dropped)
    else {
        panic!("no mark in {} frames", found.len());
    };
    assert!(*count > PRINTS);
    assert_eq!(seqs(&found).last(), Some(&PRINTS));
    let totals = node.outlets().totals();
    assert!(
        totals["dead"].dropped > 0,
        "the totals of the dead stay: {totals:?}"
    );
    drop(conflating);
}

#[test]
fn a_late_reader_starts_whole_and_sees_an_interruption() {
    let (node, _dir) = node();
    let live = FeedStatus {
        state: FeedState::Live,
        ..FeedStatus::default()
    };
    node.publish(0, &[name(0), book(1), print(2), Frame::Feed(live)]);
    node.publish(1, &[name(0), book(5)]);
    let kinds = Kinds::of(&[Kind::Book, Kind::Trade]);
    let mut late = node
        .outlets()
        .open_for("late", SlowPolicy::Conflate, 8, kinds);
    node.publish(0, &[print(3), Frame::Feed(live)]);
    let mut frames = Vec::new();
    late.take(usize::MAX, &mut frames);
    let want = [
        (0, name(0)),
        (0, book(1)),
        (1, name(0)),
        (1, book(5)),
        (0, print(3)),
    ];
    assert_eq!(frames, want);
    node.interrupt(1);
    let Some((1, Frame::Book(book))) = late.next() else {
        panic!("no flagged book");
    };
    assert_eq!(book.integrity, Integrity::Recovering);
    assert_eq!(late.next(), None);
    assert!(!late.wait(Duration::from_millis(1)));
    late.trouble("the broker is gone");
    let status = node.outlets().status();
    assert_eq!(status[0].trouble.as_deref(), Some("the broker is gone"));
}
