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
use wire::pcap;

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

/// Sends packets by `lost` (which says by place and line what is lost) to a lane that stops with the
/// digest as of `last_seq`; the last status too.
fn run(packets: &[Vec<u8>], last_seq: u64, lost: fn(usize, usize) -> bool) -> (u64, FeedStatus) {
    let (receivers, senders): (Vec<_>, Vec<_>) = (50..52).map(|n| line(n, 16 << 20)).unzip();
    let source = UdpSource::new(receivers, None);
    let mut lane = Lane::spawn(LaneConfig::new("iex"), pipeline, source).expect("a thread");
    eventually("the lane to run", || lane.state() == LaneState::Running);
    assert!(lane.commander().send(Command::DigestAt(last_seq)));
    let mut status = FeedStatus::default();
    let mut look = |lane: &mut Lane| {
        while let Some(frame) = lane.next_frame() {
            if let Frame::Feed(newest) = frame {
                status = newest;
            }
        }
    };
    for (idx, packet) in packets.iter().enumerate() {
        for (line, sender) in senders.iter().enumerate() {
            if !lost(idx, line) {
                sender.send(packet).expect("sent");
            }
        }
        if idx % 8 == 7 {
            look(&mut lane);
            std::thread::sleep(Duration::from_micros(300));
        }
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
    (got.expect("awaited").1, status)
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

    let (digest, status) = run(&packets, last_seq, |idx, line| {
        idx % 7 == 3 + line && idx > 0
    });
    assert_eq!(digest, wanted);
    assert_eq!(
        (status.state, status.lost, status.gaps, status.rejected),
        (FeedState::Live, 0, 0, 0),
        "{status:?}"
    );
    let wins = status.lines.map(|line| line.wins);
    assert!(wins.iter().all(|wins| *wins > 1_000), "{wins:?}");

    // A hundred packets on both lines: told, and the feed goes on.
    let both = |idx: usize, _| (5_000..5_100).contains(&idx);
    let (_, status) = run(&packets, last_seq, both);
    assert_eq!((status.state, status.gaps), (FeedState::Refreshing, 1));
    assert!(status.lost >= 100, "{status:?}");
}
