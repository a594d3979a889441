//! FORTS datagrams as they were recorded, over real sockets: lines A, B and the snapshot line come out
//! as the books that the same datagrams give without sockets.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]

mod common;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use common::{eventually, line};
use engine::lane::{Command, Lane, LaneConfig, LaneState};
use engine::udp::UdpSource;
use market::feed::fast::FastConfig;
use market::pipeline::{FastPipeline, PipelineConfig, SecurityNames};
use market::publish::{FeedState, FeedStatus, Frame, Integrity};
use wire::fast11::{Decoder, Limits, Plan};

fn recorded(name: &str) -> Option<Vec<u8>> {
    let root = std::env::var_os("OUZEL_SHARED")
        .map(PathBuf::from)
        .or_else(|| {
            let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
            let mut beside = here.ancestors().map(|folder| folder.join("shared"));
            beside.find(|folder| folder.is_dir())
        });
    let path = root?.join("data/market/fast/forts_20130801").join(name);
    std::fs::read(path).ok()
}

/// A line's datagrams: each begins with a reset message. With the time that it says it was sent at.
fn datagrams(plan: &Arc<Plan>, line: usize, bytes: &[u8]) -> Vec<(u64, usize, Vec<u8>)> {
    let mut decoder = Decoder::new(Arc::clone(plan), Limits::default());
    let (mut start, mut at, mut sent, mut all) = (0, 0, 0, Vec::new());
    while let Ok((record, used)) = decoder.decode(&bytes[at..]) {
        if at > start && plan.is_reset(record.template_id()) {
            all.push((sent, line, bytes[start..at].to_vec()));
            start = at;
        }
        let slot = record.shape().slot_of_id(52);
        sent = slot.and_then(|slot| record.u64(slot)).unwrap_or(sent);
        at += used;
    }
    all.push((sent, line, bytes[start..at].to_vec()));
    all
}

fn pipeline(plan: &Arc<Plan>) -> FastPipeline {
    let feed = FastConfig {
        utc_offset_s: 14_400,
        ..FastConfig::default()
    };
    let config = PipelineConfig::default();
    FastPipeline::new(Arc::clone(plan), &feed, SecurityNames::new(), &config)
}

#[test]
fn recorded_datagrams_over_sockets_give_the_books_of_a_replay() {
    let files = ["increment_a.dat", "increment_b.dat", "snapshot.dat"].map(recorded);
    let ([Some(a), Some(b), Some(snapshots)], Some(xml)) = (files, recorded("templates.xml"))
    else {
        println!("skipped: no FORTS captures beside the checkout (OUZEL_SHARED names it)");
        return;
    };
    let xml = String::from_utf8(xml).expect("text");
    let plan = Arc::new(Plan::from_xml(&xml).expect("templates"));
    let mut all = Vec::new();
    for (line, bytes) in [a, b, snapshots].iter().enumerate() {
        all.extend(datagrams(&plan, line, bytes));
    }
    all.sort_by_key(|(sent, line, _)| (*sent, *line));

    // Time stands still in between: what a gap waits for is the other line, not the clock.
    let mut replay = pipeline(&plan);
    for (_, line, bytes) in &all {
        replay.packet(*line, 1, bytes).expect("well formed");
    }
    let last_seq = replay.events().status().next_seq - 1;
    replay.digest_at(last_seq);
    let wanted = replay.take_digest().expect("it is there");

    let (receivers, senders): (Vec<_>, Vec<_>) = (30..33).map(|n| line(n, 16 << 20)).unzip();
    let mut receivers = receivers.into_iter();
    let lines = receivers.by_ref().take(2).collect();
    let source = UdpSource::new(lines, None).with_snapshots(receivers.next().expect("three"));
    let build = {
        let plan = Arc::clone(&plan);
        move || pipeline(&plan)
    };
    let mut lane = Lane::spawn(LaneConfig::new("fast"), build, source).expect("a thread");
    eventually("the lane to run", || lane.state() == LaneState::Running);
    assert!(lane.commander().send(Command::DigestAt(last_seq)));
    let (mut status, mut flags) = (FeedStatus::default(), std::collections::BTreeMap::new());
    let mut look = |lane: &mut Lane| {
        while let Some(frame) = lane.next_frame() {
            match frame {
                Frame::Feed(newest) => status = newest,
                Frame::Book(top) => drop(flags.insert(top.instrument.0, top.integrity)),
                _ => {}
            }
        }
    };
    for (idx, (_, line, bytes)) in all.iter().enumerate() {
        senders[*line].send(bytes).expect("sent");
        if idx % 8 == 7 {
            look(&mut lane);
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    let mut got = None;
    eventually("the last message", || {
        look(&mut lane);
        got = got.or_else(|| lane.take_digest());
        got.is_some()
    });
    assert_eq!(got, Some(wanted));
    let until = std::time::Instant::now() + Duration::from_millis(100);
    while std::time::Instant::now() < until {
        look(&mut lane);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(
        (status.state, status.lost, status.rejected),
        (FeedState::Live, 0, 0),
        "{status:?}"
    );
    assert_eq!(flags.len(), 11);
    assert!(
        flags.values().all(|flag| *flag == Integrity::Ok),
        "{flags:?}"
    );
}
