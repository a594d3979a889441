//! Every order of ES over Christmas as a stream: from a file and from a server that breaks off in the
//! middle, always the books of a replay.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]

mod common;

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;

use common::eventually;
use engine::capture::{DbnFile, DbnFrom, DbnSource, Speed};
use engine::lane::{Command, Lane, LaneConfig, LaneState};
use market::pipeline::{DbnPipeline, PipelineConfig};
use market::publish::{FeedState, FeedStatus, Frame, Integrity};

fn recorded() -> Option<PathBuf> {
    let root = std::env::var_os("OUZEL_SHARED")
        .map(PathBuf::from)
        .or_else(|| {
            let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
            let mut beside = here.ancestors().map(|folder| folder.join("shared"));
            beside.find(|folder| folder.is_dir())
        });
    let name = "data/market/dbn/nautilus/esh4-glbx-mdp3-20231225.mbo.dbn.zst";
    let path = root?.join(name);
    path.exists().then_some(path)
}

const RECORDS: u64 = 68_792;

fn pipeline() -> DbnPipeline {
    DbnPipeline::new(&PipelineConfig {
        levels_reserve: 16,
        orders_limit: 1 << 14,
        ..PipelineConfig::default()
    })
}

/// The digest after `count` records, without threads.
fn replayed(path: &std::path::Path, count: u64) -> u64 {
    let mut file = DbnFile::open(path).expect("a DBN file");
    let mut pipeline = pipeline();
    pipeline.header(&file.metadata().expect("it has a header"));
    while let Some(record) = file.next_record() {
        pipeline.record(record.expect("a whole file"));
        if pipeline.feed().records() == count {
            break;
        }
    }
    pipeline.events().book_digest()
}

/// What a lane published last.
#[derive(Default)]
struct Seen {
    status: FeedStatus,
    integrity: Option<Integrity>,
    prints: usize,
}

impl Seen {
    fn look(&mut self, lane: &mut Lane) {
        while let Some(frame) = lane.next_frame() {
            match frame {
                Frame::Feed(status) => self.status = status,
                Frame::Book(top) => self.integrity = Some(top.integrity),
                Frame::Trade(_) => self.prints += 1,
                Frame::Dropped { .. } => panic!("the ring is drained"),
                _ => {}
            }
        }
    }
}

fn start(from: DbnFrom) -> Lane {
    let source = DbnSource::spawn(from, Speed::Max).expect("a thread");
    Lane::spawn(LaneConfig::new("dbn"), pipeline, source).expect("a thread")
}

#[test]
fn a_file_through_a_lane_gives_the_books_of_a_replay() {
    let Some(path) = recorded() else {
        println!("skipped: no DBN recording beside the checkout (OUZEL_SHARED names it)");
        return;
    };
    let mut lane = start(DbnFrom::File(path.clone()));
    assert!(lane.commander().send(Command::DigestAt(RECORDS)));
    let (mut seen, mut digest) = (Seen::default(), None);
    eventually("the end of the file", || {
        seen.look(&mut lane);
        digest = digest.or_else(|| lane.take_digest());
        lane.state() == LaneState::Ended
    });
    seen.look(&mut lane);
    digest = digest.or_else(|| lane.take_digest());
    assert_eq!(digest, Some((RECORDS, replayed(&path, RECORDS))));
    assert_eq!((seen.prints, seen.integrity), (2_973, Some(Integrity::Ok)));
    assert_eq!(lane.death(), None);
}

#[test]
fn a_server_that_breaks_off_is_asked_again_and_all_is_flagged_until_then() {
    let Some(path) = recorded() else {
        println!("skipped: no DBN recording beside the checkout (OUZEL_SHARED names it)");
        return;
    };
    let packed = std::fs::read(&path).expect("readable");
    let whole = zstd::decode_all(&packed[..]).expect("zstd");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let mut lane = start(DbnFrom::new(&address));
    let mut seen = Seen::default();
    // Half of it in odd pieces, and gone.
    let (mut wire, _) = listener.accept().expect("it connects");
    let half = whole.len() / 2;
    for piece in whole[..half].chunks(7_777) {
        wire.write_all(piece).expect("it reads");
        seen.look(&mut lane);
    }
    drop(wire);
    eventually("the break to be told", || {
        seen.look(&mut lane);
        seen.status.state == FeedState::Refreshing && seen.integrity == Some(Integrity::Stale)
    });
    let before = seen.status.next_seq - 1;
    assert!(before > 10_000, "{before} records");
    // It comes again by itself, and the stream begins anew: packed this time.
    assert!(lane.commander().send(Command::DigestAt(before + RECORDS)));
    let (mut wire, _) = listener.accept().expect("it connects again");
    for piece in packed.chunks(7_777) {
        wire.write_all(piece).expect("it reads");
        seen.look(&mut lane);
    }
    drop(wire);
    let mut digest = None;
    eventually("the last record", || {
        seen.look(&mut lane);
        digest = digest.or_else(|| lane.take_digest());
        digest.is_some()
    });
    let wanted = replayed(&path, RECORDS);
    assert_eq!(digest, Some((before + RECORDS, wanted)));
}
