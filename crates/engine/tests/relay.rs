//! Receiving on one thread and books on two: the venue's own books, with loss on both lines.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]

mod common;
#[path = "common/venue.rs"]
mod over_wire;

use common::eventually;
use engine::lane::{Command, Idle, Lane, LaneConfig};
use engine::relay::{RelayConfig, relay};
use market::pipeline::{ItchPipeline, PipelineConfig, Shard};
use over_wire::{MIDNIGHT, day, wire};
use venue::LossConfig;

fn lanes(source: impl engine::source::Source + 'static, count: u16) -> Vec<Lane> {
    let config = RelayConfig {
        name: "receive".to_owned(),
        core: None,
        idle: Idle::default(),
    };
    let sources = relay(config, source, usize::from(count)).expect("a thread");
    let pipeline = PipelineConfig {
        midnight_ns: MIDNIGHT,
        ..PipelineConfig::default()
    };
    sources
        .into_iter()
        .enumerate()
        .map(|(idx, source)| {
            let config = PipelineConfig {
                shard: Shard::new(idx as u16, count),
                ..pipeline.clone()
            };
            let lane = LaneConfig::new(&format!("lane-{idx}"));
            Lane::spawn(lane, move || ItchPipeline::new(&config), source).expect("a lane")
        })
        .collect()
}

#[test]
fn two_lanes_behind_one_receiver_build_the_venue_s_books_in_spite_of_loss() {
    let day = day(11, 4_000.0, 4);
    let loss = LossConfig {
        random: 0.03,
        burst: 0.002,
        burst_mean: 12.0,
    };
    let (mut wire, source) = wire(loss, 1 << 20);
    let mut lanes = lanes(source, 2);
    for lane in &lanes {
        for &(seq, _) in &day.digests {
            assert!(lane.commander().send(Command::DigestAt(seq)));
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(50));
    for packet in &day.packets {
        wire.send(packet);
        wire.serve();
        std::thread::sleep(std::time::Duration::from_micros(50));
    }
    let last = day.digests.last().expect("some").0;
    let mut taken = vec![Vec::new(); lanes.len()];
    eventually("both lanes' digests", || {
        wire.serve();
        for (lane, taken) in lanes.iter_mut().zip(&mut taken) {
            while lane.next_frame().is_some() {}
            taken.extend(std::iter::from_fn(|| lane.take_digest()));
        }
        taken
            .iter()
            .all(|t| t.last().is_some_and(|&(seq, _)| seq == last))
    });
    assert_eq!(taken[0].len(), taken[1].len());
    let mut compared = 0;
    for (&(seq, a), &(other, b)) in taken[0].iter().zip(&taken[1]) {
        assert_eq!(seq, other);
        let want = day.digests.iter().find(|digest| digest.0 == seq);
        assert_eq!(
            Some(a.wrapping_add(b)),
            want.map(|digest| digest.1),
            "{seq}"
        );
        compared += 1;
    }
    assert!(compared > 4);
    let report = lanes[0].report();
    assert!(
        report.requests > 0,
        "loss on both lines asks for messages again"
    );
    for lane in &mut lanes {
        lane.stop().expect("alive to the end");
    }
}
