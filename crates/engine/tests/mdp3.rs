//! A synthetic MDP 3.0 channel over real sockets: lines A and B that lose packets, and the loops of
//! snapshots and definitions, come out as the books that the same packets give without sockets.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]

mod common;
#[path = "common/mdp3.rs"]
mod mdp3;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::{eventually, line};
use engine::lane::{Command, Lane, LaneConfig, LaneState};
use engine::udp::UdpSource;
use market::feed::mdp3::{LINE_SNAPSHOT, Mdp3Config};
use market::pipeline::{Mdp3Pipeline, PipelineConfig, SecurityNames};
use market::publish::{FeedStatus, Frame, Integrity};
use mdp3::Channel;
use wire::sbe::Schema;

const INSTRUMENTS: usize = 6;
const START_NS: u64 = 1_795_392_000_000_000_000;

fn pipeline() -> Mdp3Pipeline {
    let xml = std::fs::read_to_string(mdp3::schema_path()).expect("testdata");
    let schema = Arc::new(Schema::from_xml(&xml).expect("our schema"));
    let config = PipelineConfig::default();
    Mdp3Pipeline::new(
        schema,
        &Mdp3Config::default(),
        SecurityNames::new(),
        &config,
    )
    .expect("it has all that is read")
}

/// Line and packet, in the order of sending: each increment is lost on at most one line. Half of the
/// definitions come when their instruments were heard of already.
fn packets() -> (Vec<(usize, Vec<u8>)>, u64) {
    let mut channel = Channel::new(5, INSTRUMENTS, START_NS);
    let mut rng = stdx::Rng::new(6);
    let mut packets = Vec::new();
    let define = |channel: &Channel, at: usize| {
        let name = format!("ES{at}");
        (LINE_SNAPSHOT, channel.definition(at, &name))
    };
    packets.extend((0..INSTRUMENTS / 2).map(|at| define(&channel, at)));
    for step in 0..4_000 {
        if step == 1_000 {
            packets.extend((INSTRUMENTS / 2..INSTRUMENTS).map(|at| define(&channel, at)));
        }
        let increment = channel.increment();
        let lost = rng.below(20) as usize;
        for line in (0..2).filter(|line| *line != lost) {
            packets.push((line, increment.clone()));
        }
        if step % 20 == 10 {
            packets.push((LINE_SNAPSHOT, channel.snapshot(step / 20 % INSTRUMENTS)));
        }
    }
    (packets, channel.seq())
}

#[test]
fn packets_over_sockets_give_the_books_of_a_replay() {
    let (packets, last_seq) = packets();
    let mut replay = pipeline();
    for (line, bytes) in &packets {
        replay.packet(*line, 1, bytes).expect("well formed");
    }
    replay.digest_at(last_seq);
    let wanted = replay.take_digest().expect("it is there");
    let named = replay.events().instruments().iter();
    let names: Vec<&str> = named.map(|instrument| instrument.symbol()).collect();
    assert_eq!((names.len(), names[0].len()), (INSTRUMENTS, 3), "{names:?}");

    let (receivers, senders): (Vec<_>, Vec<_>) = (40..43).map(|n| line(n, 16 << 20)).unzip();
    let mut receivers = receivers.into_iter();
    let lines = receivers.by_ref().take(2).collect();
    let source = UdpSource::new(lines, None).with_snapshots(receivers.next().expect("three"));
    let mut lane = Lane::spawn(LaneConfig::new("mdp3"), pipeline, source).expect("a thread");
    eventually("the lane to run", || lane.state() == LaneState::Running);
    assert!(lane.commander().send(Command::DigestAt(last_seq)));
    let (mut status, mut flags) = (FeedStatus::default(), BTreeMap::new());
    let (mut ticks, mut trades) = (BTreeMap::new(), 0);
    let mut look = |lane: &mut Lane| {
        while let Some(frame) = lane.next_frame() {
            match frame {
                Frame::Feed(newest) => status = newest,
                Frame::Book(top) => drop(flags.insert(top.instrument.0, top.integrity)),
                Frame::Instrument(i) => drop(ticks.insert(i.id.0, i.terms.tick_size)),
                Frame::Trade(_) => trades += 1,
                _ => {}
            }
        }
    };
    for (idx, (line, bytes)) in packets.iter().enumerate() {
        senders[*line].send(bytes).expect("sent");
        if idx % 8 == 7 {
            look(&mut lane);
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    let mut got = None;
    eventually("the last packet", || {
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
    assert_eq!((status.lost, status.rejected), (0, 0), "{status:?}");
    let is_good = |flag: &Integrity| *flag == Integrity::Ok;
    assert!(
        flags.len() == INSTRUMENTS && flags.values().all(is_good),
        "{flags:?}"
    );
    assert!(ticks.values().all(Option::is_some), "{ticks:?}");
    assert!(trades > 200, "{trades} trades");
}
