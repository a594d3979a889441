//! A lane around a pipeline of our own: life, death, commands, rings, recordings.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]

mod common;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::eventually;
use engine::capture::{ItchFileSource, PcapSource, Speed};
use engine::lane::{Command, Idle, Lane, LaneConfig, LaneState};
use engine::pipeline::Pipeline;
use engine::ring::FrameSender;
use engine::source::{Source, Unit};
use market::publish::{Frame, Sink};
use wire::moldudp64::Request;

/// Counts, and does what the payload says: `panic`, or publish a frame per payload.
#[derive(Default)]
struct Echo {
    seen: u64,
    published: u64,
    wanted_digest: Option<u64>,
    hash: Arc<AtomicU64>,
}

impl Echo {
    fn take(&mut self, bytes: &[u8]) {
        assert_ne!(bytes, b"panic", "as told");
        self.seen += 1;
        let hash = bytes
            .iter()
            .fold(self.hash.load(Ordering::Relaxed), |hash, &byte| {
                hash.wrapping_mul(31).wrapping_add(u64::from(byte))
            });
        self.hash.store(hash, Ordering::Relaxed);
    }
}

impl Pipeline for Echo {
    fn packet(&mut self, _line: usize, _ts_recv: u64, bytes: &[u8]) {
        self.take(bytes);
    }
    fn message(&mut self, _ts_recv: u64, bytes: &[u8]) {
        self.take(bytes);
    }
    fn tick(&mut self, _now_ns: u64) {}
    fn next_request(&mut self) -> Option<Request> {
        None
    }
    fn publish(&mut self, sink: &mut FrameSender) {
        while self.published < self.seen {
            if !sink.offer(&Frame::Dropped {
                count: self.published + 1,
            }) {
                return;
            }
            self.published += 1;
        }
    }
    fn kernel_drops(&mut self, _line: usize, _total: u64) {}
    fn digest_at(&mut self, seq: u64) {
        self.wanted_digest = Some(seq);
    }
    fn take_digest(&mut self) -> Option<(u64, u64)> {
        self.wanted_digest
            .take_if(|seq| *seq <= self.seen)
            .map(|seq| (seq, self.seen))
    }
}

/// Hands over a list, then ends, fails or goes on in silence.
struct Listed {
    payloads: std::vec::IntoIter<Vec<u8>>,
    then: Then,
}

enum Then {
    End,
    Fail,
    Silence,
}

impl Source for Listed {
    fn poll(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> io::Result<usize> {
        match (self.payloads.next(), &self.then) {
            (Some(payload), _) => {
                f(0, 1, &payload);
                Ok(1)
            }
            (None, Then::Fail) => Err(io::Error::other("the cable was pulled")),
            (None, _) => Ok(0),
        }
    }
    fn unit(&self) -> Unit {
        Unit::Packet
    }
    fn is_ended(&self) -> bool {
        matches!(self.then, Then::End) && self.payloads.len() == 0
    }
    fn bytes(&self) -> u64 {
        0
    }
}

fn listed(payloads: &[&[u8]], then: Then) -> Listed {
    let payloads: Vec<Vec<u8>> = payloads.iter().map(|p| p.to_vec()).collect();
    Listed {
        payloads: payloads.into_iter(),
        then,
    }
}

fn spawn(config: LaneConfig, source: impl Source + 'static) -> Lane {
    Lane::spawn(config, Echo::default, source).expect("a thread")
}

#[test]
fn a_lane_ends_with_its_source_and_loses_nothing() {
    let mut lane = spawn(
        LaneConfig::new("ends"),
        listed(&[b"a", b"b", b"c"], Then::End),
    );
    eventually("the end", || lane.state() == LaneState::Ended);
    let frames: Vec<_> = std::iter::from_fn(|| lane.next_frame()).collect();
    assert_eq!(
        frames,
        (1..=3)
            .map(|count| Frame::Dropped { count })
            .collect::<Vec<_>>()
    );
    assert_eq!((lane.report().payloads, lane.report().frames), (3, 3));
    assert!(lane.stop().is_ok() && lane.death().is_none());
}

#[test]
fn a_panic_is_contained_and_told() {
    let mut lane = spawn(
        LaneConfig::new("panics"),
        listed(&[b"a", b"panic"], Then::Silence),
    );
    eventually("its death", || lane.state() == LaneState::Dead);
    assert!(
        lane.death().is_some_and(|why| why.contains("as told")),
        "{:?}",
        lane.death()
    );
    let error = lane.stop().expect_err("it died");
    assert!(error.to_string().contains("lane panics is dead"), "{error}");
}

#[test]
fn a_failing_source_is_told() {
    let mut lane = spawn(LaneConfig::new("fails"), listed(&[b"a"], Then::Fail));
    eventually("its death", || lane.state() == LaneState::Dead);
    assert!(
        lane.stop()
            .expect_err("it died")
            .to_string()
            .contains("cable")
    );
}

#[test]
fn a_core_that_cannot_be_had_is_told() {
    let config = LaneConfig {
        core: Some(100_000),
        ..LaneConfig::new("far")
    };
    let mut lane = spawn(config, listed(&[], Then::Silence));
    eventually("its death", || lane.state() == LaneState::Dead);
    assert!(
        lane.stop()
            .expect_err("it died")
            .to_string()
            .contains("100000")
    );
}

#[test]
fn commands_are_obeyed() {
    let config = LaneConfig {
        core: Some(0),
        ..LaneConfig::new("obeys")
    };
    let mut lane = spawn(config, listed(&[b"a", b"b"], Then::Silence));
    let commander = lane.commander();
    assert!(commander.send(Command::SetIdle(Idle::Park {
        spins: 0,
        timeout_ns: 50_000
    })));
    assert!(commander.send(Command::DigestAt(2)));
    let mut digest = None;
    eventually("the digest", || {
        digest = digest.or_else(|| lane.take_digest());
        digest.is_some()
    });
    assert_eq!(digest, Some((2, 2)));
    assert!(commander.send(Command::Stop));
    eventually("the end", || lane.state() == LaneState::Ended);
}

#[test]
fn a_slow_reader_is_never_waited_for() {
    let payloads: Vec<&[u8]> = vec![b"x"; 100];
    let config = LaneConfig {
        ring_capacity: 4,
        ..LaneConfig::new("slow")
    };
    let mut lane = spawn(config, listed(&payloads, Then::Silence));
    eventually("refusals", || lane.report().frames_refused > 0);
    assert_eq!(
        (lane.report().payloads > 4, lane.frames_waiting()),
        (true, 4)
    );
    let mut got = Vec::new();
    eventually("all frames, late", || {
        got.extend(std::iter::from_fn(|| lane.next_frame()));
        got.len() == 100
    });
    assert!(got.iter().enumerate().all(|(i, f)| *f
        == Frame::Dropped {
            count: i as u64 + 1
        }));
}

#[test]
fn an_itch_file_plays_and_its_cut_tail_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("day.itch");
    std::fs::write(&path, b"\x00\x03one\x00\x03two\x00\x09thr").expect("written");
    let mut source = ItchFileSource::open(&path, 5, Speed::Max).expect("opened");
    let mut got = Vec::new();
    while !source.is_ended() {
        source
            .poll(&mut |line, ts, bytes| got.push((line, ts, bytes.to_vec())))
            .expect("polled");
    }
    assert_eq!(got, [(0, 0, b"one".to_vec()), (0, 0, b"two".to_vec())]);
    assert_eq!((source.cut_at(), source.bytes()), (Some(10), 10));
    assert!(ItchFileSource::open(&folder.path().join("none"), 0, Speed::Max).is_err());
}

/// A classic pcap with nanosecond stamps: one UDP datagram per `(ts_ns, last octet, payload)`.
fn pcap_of(packets: &[(u64, u8, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend_from_slice(&0xa1b2_3c4du32.to_le_bytes());
    file.extend_from_slice(&[
        2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0,
    ]);
    for &(ts_ns, octet, payload) in packets {
        let size = (28 + payload.len()) as u16;
        let mut packet = vec![0x45, 0];
        packet.extend_from_slice(&size.to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0x40, 0, 1, 17, 0, 0, 127, 0, 0, 1, 239, 1, 1, octet]);
        packet.extend_from_slice(&[0x10, 0, 0x20, 0]);
        packet.extend_from_slice(&(size - 20).to_be_bytes());
        packet.extend_from_slice(&[0, 0]);
        packet.extend_from_slice(payload);
        for word in [
            (ts_ns / 1_000_000_000) as u32,
            (ts_ns % 1_000_000_000) as u32,
            packet.len() as u32,
            packet.len() as u32,
        ] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(&packet);
    }
    file
}

#[test]
fn a_capture_plays_both_lines_at_its_own_pace() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("feed.pcap");
    let second = 1_000_000_000;
    let packets: [(u64, u8, &[u8]); 4] = [
        (second, 1, b"a1"),
        (second + 1, 2, b"b1"),
        (2 * second, 3, b"else"),
        (3 * second, 1, b"a2"),
    ];
    std::fs::write(&path, pcap_of(&packets)).expect("written");
    for speed in [Speed::Max, Speed::Times(20.0)] {
        let mut source = PcapSource::open(&path, &[], speed).expect("opened");
        let start = std::time::Instant::now();
        let mut got = Vec::new();
        while !source.is_ended() {
            let count = source
                .poll(&mut |line, ts, bytes| got.push((line, ts, bytes.to_vec())))
                .expect("polled");
            if count == 0 {
                source.wait(10_000_000).expect("waited");
            }
        }
        assert_eq!(
            got,
            [
                (0, second, b"a1".to_vec()),
                (1, second + 1, b"b1".to_vec()),
                (0, 3 * second, b"a2".to_vec())
            ]
        );
        assert_eq!(source.skipped(), 1);
        let took = start.elapsed().as_millis();
        assert!(
            speed == Speed::Max || (95..2_000).contains(&took),
            "{took} ms"
        );
    }
    std::fs::write(&path, b"no capture at all, whatever the name").expect("written");
    assert!(PcapSource::open(&path, &[], Speed::Max).is_err());
}

/// The shared material beside the checkout, or where the environment says.
fn shared() -> Option<std::path::PathBuf> {
    if let Some(path) = std::env::var_os("OUZEL_SHARED") {
        return Some(path.into());
    }
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = here.ancestors().map(|folder| folder.join("shared"));
    folders.into_iter().find(|folder| folder.is_dir())
}

#[test]
fn real_frames_play_through_a_lane() {
    let folder = shared().map(|s| s.join("data/market/itch/omi_nasdaq_live_20230822"));
    let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
        println!("skipped: no captures of real NASDAQ frames beside the checkout");
        return;
    };
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "pcap") {
            continue;
        }
        let mut source = PcapSource::open(&path, &[], Speed::Max).expect("a capture");
        let mut messages = 0;
        while !source.is_ended() {
            source
                .poll(&mut |_, ts_recv, bytes| {
                    assert!(ts_recv > 1_600_000_000_000_000_000, "{path:?}");
                    let packet = wire::moldudp64::Packet::parse(bytes).expect("a packet");
                    for message in packet.messages() {
                        wire::itch50::decode(message.expect("whole")).expect("ITCH 5.0");
                        messages += 1;
                    }
                })
                .expect("polled");
        }
        assert!(messages > 0 && source.fault().is_none(), "{path:?}");
        let source = PcapSource::open(&path, &[], Speed::Max).expect("a capture");
        let config = market::pipeline::PipelineConfig::default();
        let pipeline = move || market::pipeline::ItchPipeline::new(&config);
        let mut lane = Lane::spawn(LaneConfig::new("real"), pipeline, source).expect("a thread");
        eventually("the end", || lane.state() == LaneState::Ended);
        lane.stop().expect("alive to the end");
        // A frame from the middle of a day speaks of orders and symbols that were never announced:
        // that is told as an offender, and never ends the lane.
        assert!(lane.report().payloads > 0);
        if let Some(offender) = lane.next_offender() {
            assert!(!offender.bytes().is_empty());
        }
    }
}
