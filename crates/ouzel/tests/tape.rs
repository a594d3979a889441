//! The same digest of books, windows and frames: on repeated runs, with one lane or several, from
//! a pcap or from a tape; on simulated and on real captures.
#![allow(clippy::disallowed_methods, reason = "real sockets run in real time")]

mod common;

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Running, arg, ouzel, ouzel_json, shared};
use serde_json::Value;
use venue::{Loss, LossConfig, PAYLOAD_LIMIT, Packetiser, Venue, VenueConfig};

const SECOND: u64 = 1_000_000_000;
/// Midnight in New York, 2026-11-23.
const MIDNIGHT: u64 = 1_795_410_000 * SECOND;
const START: u64 = MIDNIGHT + 34_200 * SECOND;

/// Simulated packets with their receive times, and the digest of the venue's books at the end.
fn session(seed: u64, seconds: u64) -> (Vec<(u64, Vec<u8>)>, u64) {
    let mut venue = Venue::new(VenueConfig {
        rate: 4_000.0,
        ..VenueConfig::new(seed, START, MIDNIGHT)
    });
    let mut packetiser = Packetiser::new(*b"TAPE000001", PAYLOAD_LIMIT);
    let mut packets = Vec::new();
    for step in 1..=seconds * 1_000 {
        let now = START + step * SECOND / 1_000;
        let mut keep = |_, packet: &[u8]| packets.push((now + 40_000, packet.to_vec()));
        venue.step(now, &mut |message: &[u8]| {
            assert!(packetiser.push(message, &mut keep));
        });
        packetiser.flush(&mut keep);
    }
    (packets, venue.book_digest())
}

/// A pcap with nanoseconds: both lines, each with losses of its own.
fn pcap(packets: &[(u64, Vec<u8>)], loss: LossConfig) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xA1B2_3C4D_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    let mut losses = [Loss::new(loss, 1), Loss::new(loss, 2)];
    for (ts, payload) in packets {
        for (line, loss) in losses.iter_mut().enumerate() {
            if loss.loses() {
                continue;
            }
            let mut frame = vec![1, 0, 94, 0, 0, 1 + line as u8, 2, 0, 0, 0, 0, 1, 8, 0];
            let total = (28 + payload.len()) as u16;
            frame.extend([0x45, 0]);
            frame.extend(total.to_be_bytes());
            frame.extend([
                0,
                0,
                0,
                0,
                1,
                17,
                0,
                0,
                10,
                0,
                0,
                1,
                239,
                1,
                1,
                1 + line as u8,
            ]);
            frame.extend(30_000u16.to_be_bytes());
            frame.extend((26_000 + line as u16).to_be_bytes());
            frame.extend((total - 20).to_be_bytes());
            frame.extend([0, 0]);
            frame.extend(payload);
            let ts = ts + 1_000 * line as u64;
            for word in [
                ts / SECOND,
                ts % SECOND,
                frame.len() as u64,
                frame.len() as u64,
            ] {
                file.extend((word as u32).to_le_bytes());
            }
            file.extend(frame);
        }
    }
    file
}

fn digest(input: &Path, more: &[&str]) -> String {
    let output = ouzel(&[&["replay", arg(input), "--digest"], more].concat());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(text.trim().len(), 16, "{text}");
    text
}

/// All ways of replaying a capture come to one digest, whole and cut at a message.
fn all_ways(capture: &Path, until: u64) {
    let dir = tempfile::tempdir().expect("a folder");
    let tape = dir.path().join("tape");
    let whole = digest(capture, &["--tape", arg(&tape)]);
    let until = until.to_string();
    let cut = digest(capture, &["--until", &until]);
    for input in [capture, &tape] {
        for lanes in ["1", "2", "3"] {
            let runs = if lanes == "2" { 2 } else { 1 };
            for _run in 0..runs {
                assert_eq!(
                    digest(input, &["--lanes", lanes]),
                    whole,
                    "{input:?} {lanes}"
                );
            }
            let more = ["--lanes", lanes, "--until", &until];
            assert_eq!(digest(input, &more), cut, "{input:?} {lanes}");
        }
    }
    let by = |lanes: &str| -> Value {
        let mut said = ouzel_json(&["replay", arg(&tape), "--json", "--lanes", lanes]);
        let known = [
            "messages",
            "frames",
            "instruments",
            "prints",
            "bars",
            "vwaps",
            "gaps",
        ];
        let known = known
            .iter()
            .chain(&["lost", "rejected", "books_digest", "frames_digest"]);
        let row = known.map(|key| ((*key).to_owned(), said[*key].take()));
        Value::Object(row.collect())
    };
    let (one, mut two) = (by("1"), by("2"));
    // Each lane tells the feed's state; everything else adds up.
    two["frames"] = one["frames"].clone();
    assert_eq!(one, two);
    let has_frames = one["frames_digest"] != "0000000000000000";
    // The venue's own states are frames too, without any instrument.
    assert!(has_frames || one["instruments"] == 0, "{one}");
}

fn simulated(name: &str, loss: LossConfig) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(name);
    let (packets, _) = session(5, 6);
    std::fs::write(&path, pcap(&packets, loss)).expect("written");
    (dir, path)
}

#[test]
fn a_simulated_capture_has_one_digest() {
    let (_dir, path) = simulated("day.pcap", LossConfig::NONE);
    all_ways(&path, 9_000);
}

#[test]
fn a_simulated_capture_with_messages_lost_for_good_has_one_digest() {
    let loss = LossConfig {
        random: 0.1,
        burst: 0.002,
        burst_mean: 10.0,
    };
    let (_dir, path) = simulated("lossy.pcap", loss);
    let said = ouzel_json(&["replay", arg(&path), "--json"]);
    assert!(said["lost"].as_u64() > Some(0), "{said}");
    all_ways(&path, 9_000);
}

#[test]
fn real_captures_have_one_digest_each() {
    let mut seen = 0;
    for folder in [
        "itch/omi_nasdaq_live_20230822",
        "itch/omi_nasdaq_rewrapped_20230822",
    ] {
        let Some(folder) = shared(&format!("market/{folder}")) else {
            return;
        };
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("an entry").path();
            // A few keep the test short: each is seventeen runs of the program.
            if path.extension().is_some_and(|e| e == "pcap") && seen % 6 == 0 {
                all_ways(&path, 19_009_120);
            }
            seen += 1;
        }
    }
    assert!(seen > 8);
}

#[test]
fn what_serve_records_replays_to_the_venue_s_books() {
    let dir = tempfile::tempdir().expect("a folder");
    let (tape, data) = (dir.path().join("tape"), dir.path().join("data"));
    let free = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        SocketAddrV4::new(
            Ipv4Addr::LOCALHOST,
            socket.local_addr().expect("bound").port(),
        )
    };
    let lines = [free(), free()];
    let [a, b] = lines.map(|line| line.to_string());
    let (packets, books) = session(9, 2);
    let last = packets.iter().map(|(_, packet)| {
        let parsed = wire::moldudp64::Packet::parse(packet).expect("our own");
        parsed.seq() + u64::from(parsed.count())
    });
    let next_seq = last.max().expect("some");
    let mut ouzel = Running::start(&[
        "serve",
        "--data",
        arg(&data),
        "--itch-a",
        &a,
        "--itch-b",
        &b,
        "--tape",
        arg(&tape),
        "--lanes",
        "2",
        "--receive",
        "gro",
        "--day",
        "2026-11-23",
    ]);
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    for (idx, (_, packet)) in packets.iter().enumerate() {
        for line in lines {
            sender.send_to(packet, line).expect("sent");
        }
        if idx % 16 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let feed = ouzel.until("/v1/feed", |feed| {
        feed["next_seq"].as_u64() == Some(next_seq)
    });
    assert_eq!(feed["lost"], 0, "{feed}");
    let wanted = 2 * packets.len();
    ouzel.until("/readyz", |ready| {
        ready
            .to_string()
            .contains(&format!("{wanted} packets, 0 left out"))
    });
    ouzel.signal("TERM");
    assert_eq!(ouzel.ends_within(Duration::from_secs(10)), Some(0));
    for lanes in ["1", "2"] {
        let said = ouzel_json(&[
            "replay",
            arg(&tape),
            "--json",
            "--lanes",
            lanes,
            "--day",
            "2026-11-23",
        ]);
        assert_eq!(said["kind"], "tape");
        assert_eq!(said["books_digest"], format!("{books:016x}"), "{said}");
        assert_eq!(
            (&said["lost"], &said["notes"]),
            (&0.into(), &Value::Array(vec![])),
            "{said}"
        );
    }
}
