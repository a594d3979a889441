//! The whole way: a venue speaks on two lossy lines, a lane rebuilds its books exactly.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]

mod common;
#[path = "common/venue.rs"]
mod over_wire;

use std::time::Duration;

use common::eventually;
use engine::capture::{ItchFileSource, Speed};
use engine::lane::{Command, Lane, LaneConfig, LaneState};
use market::pipeline::{ItchPipeline, PipelineConfig};
use market::publish::{FeedState, FeedStatus, Frame};
use over_wire::{Day, MIDNIGHT, day, wire};
use venue::LossConfig;

fn pipeline() -> PipelineConfig {
    PipelineConfig {
        midnight_ns: MIDNIGHT,
        ..PipelineConfig::default()
    }
}

/// The newest feed status and how many frames came of it.
fn drain(lane: &mut Lane, status: &mut FeedStatus, frames: &mut u64) {
    while let Some(frame) = lane.next_frame() {
        *frames += 1;
        if let Frame::Feed(newest) = frame {
            *status = newest;
        }
    }
}

#[test]
fn books_equal_the_venues_in_spite_of_loss_on_both_lines() {
    let Day {
        packets,
        digests,
        last_seq,
        ..
    } = day(42, 3_000.0, 5);
    let loss = LossConfig {
        random: 0.03,
        burst: 0.002,
        burst_mean: 12.0,
    };
    let (mut wire, source) = wire(loss, 1 << 20);
    let config = pipeline();
    let mut lane = Lane::spawn(
        LaneConfig::new("feed"),
        move || ItchPipeline::new(&config),
        source,
    )
    .expect("a thread");
    let commander = lane.commander();
    for &(seq, _) in &digests {
        assert!(commander.send(Command::DigestAt(seq)));
    }
    eventually("the lane to run", || lane.state() == LaneState::Running);
    let (mut status, mut frames, mut got) = (FeedStatus::default(), 0, Vec::new());
    for packet in packets.chunks(16) {
        packet.iter().for_each(|packet| wire.send(packet));
        wire.serve();
        drain(&mut lane, &mut status, &mut frames);
        std::thread::sleep(Duration::from_micros(500));
    }
    let heartbeat = wire::moldudp64::heartbeat(over_wire::SESSION, last_seq + 1);
    eventually("every message", || {
        wire.lines[0].send(&heartbeat).expect("sent");
        wire.serve();
        drain(&mut lane, &mut status, &mut frames);
        got.extend(std::iter::from_fn(|| lane.take_digest()));
        got.len() == digests.len() && status.next_seq == last_seq + 1
    });
    assert_eq!(got, digests);
    assert_eq!(
        (status.state, status.lost, status.rejected),
        (FeedState::Live, 0, 0),
        "{status:?}"
    );
    assert!(wire.losses.iter().all(|loss| loss.lost() > 20));
    assert!(
        status.recovered > 0 && wire.answered >= status.recovered && wire.refused == 0,
        "{status:?}"
    );
    lane.stop().expect("alive to the end");
    let report = lane.report();
    assert!(
        report.latency.count > packets.len() as u64 && frames > 100,
        "{report:?}"
    );
}

#[test]
fn a_recording_of_the_same_day_gives_the_same_books() {
    let Day {
        messages,
        digests,
        last_seq,
        ..
    } = day(42, 3_000.0, 5);
    let mut bytes = Vec::new();
    for message in &messages {
        bytes.extend_from_slice(&wire::itchfile::length_prefix(message).expect("short enough"));
        bytes.extend_from_slice(message);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("day.itch");
    std::fs::write(&path, bytes).expect("written");
    let source = ItchFileSource::open(&path, MIDNIGHT, Speed::Max).expect("opened");
    let mut pipeline = ItchPipeline::new(&pipeline());
    pipeline.digest_at(last_seq);
    let mut lane =
        Lane::spawn(LaneConfig::new("file"), move || pipeline, source).expect("a thread");
    let mut trades = 0;
    eventually("the end of the file", || {
        trades += std::iter::from_fn(|| lane.next_frame())
            .filter(|frame| matches!(frame, Frame::Trade(_)))
            .count();
        lane.state() == LaneState::Ended
    });
    assert_eq!(lane.report().payloads, last_seq);
    assert!(trades > 100, "{trades}");
    assert_eq!(lane.take_digest(), digests.last().copied());
}
