//! After warm-up the path from the socket to the published frame allocates nothing.
//!
//! The allocator counts for the whole process. In the measured part this thread only sends packets
//! made before, answers requests and takes frames, none of which allocates; so any count is the
//! lane's.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]
#![allow(unsafe_code, reason = "a counting allocator is unsafe by its trait")]

mod common;
#[path = "common/venue.rs"]
mod over_wire;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::eventually;
use engine::lane::{Command, Lane, LaneConfig, LaneState};
use market::pipeline::{ItchPipeline, PipelineConfig};
use market::publish::{FeedStatus, Frame};
use over_wire::{Day, MIDNIGHT, Wire, day, wire};
use venue::LossConfig;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator unchanged; counting has no effect on it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn play(wire: &mut Wire, lane: &mut Lane, packets: &[Vec<u8>], status: &mut FeedStatus) -> u64 {
    let mut frames = 0;
    for packet in packets.chunks(16) {
        packet.iter().for_each(|packet| wire.send(packet));
        wire.serve();
        while let Some(frame) = lane.next_frame() {
            frames += 1;
            if let Frame::Feed(newest) = frame {
                *status = newest;
            }
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    frames
}

#[test]
fn nothing_is_allocated_between_socket_and_ring() {
    let Day {
        packets,
        digests,
        last_seq,
        ..
    } = day(7, 3_000.0, 8);
    let loss = LossConfig {
        random: 0.02,
        burst: 0.001,
        burst_mean: 8.0,
    };
    let (mut wire, source) = wire(loss, 1 << 20);
    let config = PipelineConfig {
        midnight_ns: MIDNIGHT,
        instruments_limit: 128,
        levels_reserve: 4_096,
        ..PipelineConfig::default()
    };
    let mut lane = Lane::spawn(
        LaneConfig::new("measured"),
        move || ItchPipeline::new(&config),
        source,
    )
    .expect("a thread");
    assert!(lane.commander().send(Command::DigestAt(last_seq)));
    eventually("the lane to run", || lane.state() == LaneState::Running);
    let mut status = FeedStatus::default();
    // The opening fills books, directory and every ring once.
    let (warm, measured) = packets.split_at(packets.len() / 2);
    play(&mut wire, &mut lane, warm, &mut status);
    let next_before = status.next_seq;
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    assert!(before > 0, "the counter counts");
    let frames = play(&mut wire, &mut lane, measured, &mut status);
    let heartbeat = wire::moldudp64::heartbeat(over_wire::SESSION, last_seq + 1);
    eventually("the last message", || {
        wire.lines[1].send(&heartbeat).expect("sent");
        play(&mut wire, &mut lane, &[], &mut status);
        wire.serve();
        while let Some(frame) = lane.next_frame() {
            if let Frame::Feed(newest) = frame {
                status = newest;
            }
        }
        status.next_seq == last_seq + 1
    });
    let allocations = ALLOCATIONS.load(Ordering::SeqCst) - before;
    let messages = last_seq - next_before;
    assert_eq!(
        allocations, 0,
        "over {messages} messages and {frames} frames"
    );
    assert!(
        messages > 5_000 && frames > 1_000 && status.recovered > 0,
        "{messages} {frames}"
    );
    let mut digest = None;
    eventually("the digest", || {
        digest = digest.or_else(|| lane.take_digest());
        digest.is_some()
    });
    assert_eq!(digest, digests.last().copied(), "and the books are right");
}
