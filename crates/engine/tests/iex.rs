//! The capture of TOPS over real sockets, on two lines that each lose what the other brings: the books
//! of a replay. What both lose is told.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]

mod common;

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use common::{eventually, line};
use engine::lane::{Command, Lane, LaneConfig, LaneState};
use engine::udp::UdpSource;
use market::pipeline::{IexPipeline, PipelineConfig};
use market::publish::{FeedState, FeedStatus, Frame};
use wire::iextp::Packet;
use wire::pcap;

/// What neither line brings in the second run.
const LOST: std::ops::Range<usize> = 5_000..5_100;

fn recorded() -> Option<Vec<Vec<u8>>> {
    let root = std::env::var_os("OUZEL_SHARED")
        .map(PathBuf::from)
        .or_else(|| {
            let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
            let mut beside = here.ancestors().map(|folder| folder.join("shared"));
            beside.find(|folder| folder.is_dir())
        });
    let packed = std::fs::read(root?.join("data/market/iex/TOPS16.pcapng.gz")).ok()?;
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(&packed[..])
        .read_to_end(&mut bytes)
        .expect("whole gzip");
    let records = pcap::Reader::new(&bytes).expect("a capture");
    let payloads = records.map_while(Result::ok);
    let payloads = payloads.map(|record| pcap::udp(&record).expect("UDP only").payload.to_vec());
    Some(payloads.collect())
}

fn pipeline() -> IexPipeline {
    IexPipeline::new(&PipelineConfig {
        instruments_limit: 8_000,
        levels_reserve: 8,
        ..PipelineConfig::default()
    })
}

/// Packets that wait in the sockets before anyone reads: more than many polls take, and sent over
/// a longer time than a packet that is ahead waits for the other line.
const BACKLOG: usize = 1_500;

/// What a lane said.
struct Said {
    digest: u64,
    /// The last status, and every state before it.
    status: FeedStatus,
    states: Vec<FeedState>,
}

/// Sends packets by `lost` (which says by place and line what is lost) to a lane that comes late;
/// with the digest as of `last_seq`.
fn run(packets: &[Vec<u8>], last_seq: u64, lost: fn(usize, usize) -> bool) -> Said {
    let (receivers, senders): (Vec<_>, Vec<_>) = (50..52).map(|n| line(n, 16 << 20)).unzip();
    let send = |range: std::ops::Range<usize>| {
        for idx in range {
            for (line, sender) in senders.iter().enumerate() {
                if !lost(idx, line) {
                    sender.send(&packets[idx]).expect("sent");
                }
            }
        }
        std::thread::sleep(Duration::from_micros(300));
    };
    for start in (0..BACKLOG).step_by(20) {
        send(start..start + 20);
    }
    let source = UdpSource::new(receivers, None);
    let mut lane = Lane::spawn(LaneConfig::new("iex"), pipeline, source).expect("a thread");
    eventually("the lane to run", || lane.state() == LaneState::Running);
    assert!(lane.commander().send(Command::DigestAt(last_seq)));
    let (mut status, mut states) = (FeedStatus::default(), Vec::new());
    let mut look = |lane: &mut Lane| {
        while let Some(frame) = lane.next_frame() {
            if let Frame::Feed(newest) = frame {
                status = newest;
                states.push(newest.state);
            }
        }
    };
    for start in (BACKLOG..packets.len()).step_by(8) {
        send(start..packets.len().min(start + 8));
        look(&mut lane);
    }
    let mut got = None;
    eventually("the last message", || {
        look(&mut lane);
        got = got.or_else(|| lane.take_digest());
        got.is_some()
    });
    let until = std::time::Instant::now() + Duration::from_millis(150);
    while std::time::Instant::now() < until {
        look(&mut lane);
        std::thread::sleep(Duration::from_millis(1));
    }
    Said {
        digest: got.expect("awaited").1,
        status,
        states,
    }
}

#[test]
fn tops_over_sockets_gives_the_books_of_a_replay() {
    let Some(packets) = recorded() else {
        println!("skipped: no IEX capture beside the checkout (OUZEL_SHARED names it)");
        return;
    };
    let mut replay = pipeline();
    for packet in &packets {
        replay.packet(0, 1, packet);
    }
    let last_seq = replay.status().next_seq - 1;
    replay.digest_at(last_seq);
    let wanted = replay.take_digest().expect("it is there").1;

    let said = run(&packets, last_seq, |idx, line| idx % 7 == 3 + line);
    assert_eq!(said.digest, wanted);
    let status = said.status;
    // The last message of the capture is the end of messages.
    assert_eq!(
        (status.state, status.lost, status.gaps, status.rejected),
        (FeedState::Ended, 0, 0, 0),
        "{status:?}"
    );
    assert!(!said.states.contains(&FeedState::Refreshing));
    let wins = status.lines.map(|line| line.wins);
    assert!(wins.iter().all(|wins| *wins > 1_000), "{wins:?}");

    // A hundred packets on both lines: told, and the feed goes on.
    let said = run(&packets, last_seq, |idx, _| LOST.contains(&idx));
    let count = |packet: &Vec<u8>| Packet::parse(packet).map_or(0, |p| u64::from(p.count()));
    let missing: u64 = packets[LOST].iter().map(count).sum();
    let status = said.status;
    assert_eq!(
        (status.state, status.lost, status.gaps),
        (FeedState::Ended, missing, 1),
        "{status:?}"
    );
    assert!(said.states.contains(&FeedState::Refreshing));
}
