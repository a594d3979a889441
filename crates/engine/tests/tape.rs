//! What was received is on the tape as it came: across segments, after a crash, behind a recorder
//! that could not keep up.

use std::io;
use std::path::Path;

use engine::capture::Speed;
use engine::source::{Source, Unit};
use engine::tape::{Mark, Recorder, TapeConfig, TapeFault, TapeReader, TapeSource};

/// Line, receive time, bytes.
type Payload = (usize, u64, Vec<u8>);

/// Payloads that a test made, handed over a few at a time.
struct Made {
    payloads: Vec<Payload>,
    at: usize,
    batch: usize,
}

fn made(from: u64, count: u64) -> Vec<Payload> {
    (from..from + count)
        .map(|n| {
            let size = (n * 37 % 1_400) as usize;
            (n as usize % 3, 1_000 + n, vec![n as u8; size])
        })
        .collect()
}

impl Source for Made {
    fn poll(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> io::Result<usize> {
        let end = (self.at + self.batch).min(self.payloads.len());
        let count = end - self.at;
        for (line, ts_recv, bytes) in &self.payloads[self.at..end] {
            f(*line, *ts_recv, bytes);
        }
        self.at = end;
        Ok(count)
    }

    fn unit(&self) -> Unit {
        Unit::Packet
    }

    fn is_ended(&self) -> bool {
        self.at == self.payloads.len()
    }

    fn bytes(&self) -> u64 {
        0
    }
}

fn config(dir: &Path) -> TapeConfig {
    TapeConfig {
        segment_bytes: 100_000,
        is_patient: true,
        ..TapeConfig::new(dir)
    }
}

/// Records and ends; how many were left out.
fn record(config: TapeConfig, payloads: Vec<Payload>, batch: usize) -> u64 {
    let source = Made {
        payloads,
        at: 0,
        batch,
    };
    let (mut taped, recorder) = Recorder::start(config, source).expect("started");
    while !taped.is_ended() {
        taped.poll(&mut |_, _, _| {}).expect("polled");
    }
    drop(taped);
    let shared = recorder;
    while shared.status().records + shared.status().lost < 1 {
        std::thread::yield_now();
    }
    assert_eq!(shared.failure(), None);
    // Dropping waits for the recorder; what it lost is told by the tape itself.
    let lost = shared.status().lost;
    drop(shared);
    lost
}

fn read(dir: &Path) -> (Vec<Payload>, Vec<TapeFault>) {
    let mut reader = TapeReader::open(dir).expect("a tape");
    let mut got = Vec::new();
    while let Some(record) = reader.next_record() {
        assert_eq!(record.mark, Mark::Payload);
        got.push((record.line, record.ts_recv, record.bytes.to_vec()));
    }
    (got, reader.faults().to_vec())
}

fn files(dir: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    found.sort();
    found
}

#[test]
fn a_tape_of_many_segments_is_read_from_any_instant_and_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    assert_eq!(record(config(dir.path()), made(0, 5_000), 64), 0);
    let segments = files(dir.path(), "tape");
    assert!(segments.len() > 10, "{segments:?}");
    assert_eq!(files(dir.path(), "index").len(), segments.len());
    assert_eq!(read(dir.path()), (made(0, 5_000), vec![]));
    for from in [0, 1, 999, 1_000, 2_500, 4_444, 5_998, 6_000, 9_000] {
        let mut reader = TapeReader::open_at(dir.path(), from).expect("a tape");
        let want = (from.max(1_000) < 6_000).then(|| from.max(1_000));
        assert_eq!(reader.next_record().map(|r| r.ts_recv), want, "{from}");
    }
    // Without its index a tape is read all the same.
    for path in files(dir.path(), "index") {
        std::fs::remove_file(path).expect("removed");
    }
    let mut reader = TapeReader::open_at(dir.path(), 4_444).expect("a tape");
    assert_eq!(reader.next_record().map(|r| r.ts_recv), Some(4_444));
    record(config(dir.path()), made(5_000, 300), 64);
    assert_eq!(read(dir.path()), (made(0, 5_300), vec![]));
    let mut source = TapeSource::open(dir.path(), Speed::Max).expect("a tape");
    let mut count = 0;
    while !source.is_ended() {
        count += source.poll(&mut |_, _, _| {}).expect("polled");
    }
    assert_eq!(
        (count, source.lost(), source.unit()),
        (5_300, 0, Unit::Packet)
    );
}

#[test]
fn a_torn_end_costs_only_what_is_torn_and_the_tape_goes_on_behind_it() {
    let whole = tempfile::tempdir().expect("a folder");
    record(config(whole.path()), made(0, 40), 64);
    let segment = files(whole.path(), "tape").pop().expect("one");
    let bytes = std::fs::read(&segment).expect("readable");
    let last = 24 + made(39, 1)[0].2.len();
    let name = segment.file_name().expect("a name");
    for cut in (1..last).step_by(7).chain([last - 1]) {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(name), &bytes[..bytes.len() - cut]).expect("written");
        let (got, faults) = read(dir.path());
        assert_eq!(got, made(0, 39));
        let torn = &faults[..];
        assert!(
            matches!(torn, [TapeFault::Torn { bytes, .. }] if *bytes == last - cut),
            "{faults:?}"
        );
        record(config(dir.path()), made(39, 10), 64);
        let (got, faults) = read(dir.path());
        assert_eq!(got, made(0, 49));
        assert_eq!(faults.len(), 1, "{faults:?}");
    }
    // A bit that turned in the middle ends its segment, and says so.
    let dir = tempfile::tempdir().expect("a folder");
    let mut turned = bytes;
    let middle = turned.len() / 2;
    turned[middle] ^= 4;
    std::fs::write(dir.path().join(name), turned).expect("written");
    let (got, faults) = read(dir.path());
    assert!(got.len() < 39 && got[..] == made(0, got.len() as u64)[..]);
    assert!(
        matches!(&faults[..], [TapeFault::Torn { .. }]),
        "{faults:?}"
    );
}

#[test]
fn old_segments_go_before_the_limit_is_passed() {
    let dir = tempfile::tempdir().expect("a folder");
    let limited = TapeConfig {
        disk_bytes_limit: 450_000,
        ..config(dir.path())
    };
    record(limited, made(0, 5_000), 64);
    let held: u64 = files(dir.path(), "tape")
        .iter()
        .map(|path| path.metadata().expect("there").len())
        .sum();
    assert!(held < 460_000, "{held}");
    let (got, faults) = read(dir.path());
    assert_eq!(faults, []);
    let from = 5_000 - got.len() as u64;
    assert!(from > 0);
    assert_eq!(got, made(from, got.len() as u64));
}

#[test]
fn a_recorder_that_is_behind_never_stops_the_lane_and_the_holes_are_on_the_tape() {
    const COUNT: u64 = 50_000;
    let dir = tempfile::tempdir().expect("a folder");
    let hurried = TapeConfig {
        slots: 2,
        is_patient: false,
        ..config(dir.path())
    };
    let lost = record(hurried, made(0, COUNT), COUNT as usize);
    assert!(lost > 0, "two slots held fifty thousand payloads");
    let mut source = TapeSource::open(dir.path(), Speed::Max).expect("a tape");
    let (mut count, mut newest) = (0u64, 0);
    while !source.is_ended() {
        source
            .poll(&mut |_, ts_recv, bytes| {
                assert!(ts_recv > newest);
                newest = ts_recv;
                let n = ts_recv - 1_000;
                assert_eq!(bytes, made(n, 1)[0].2);
                count += 1;
            })
            .expect("polled");
    }
    assert_eq!(count + source.lost(), COUNT);
    assert_eq!(source.lost(), lost);
}

#[test]
fn a_disk_that_refuses_is_told_and_the_source_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let gone = dir.path().join("gone");
    let source = Made {
        payloads: made(0, 1_000),
        at: 0,
        batch: 64,
    };
    let (mut taped, recorder) = Recorder::start(config(&gone), source).expect("started");
    std::fs::remove_dir(&gone).expect("removed");
    let mut count = 0;
    while !taped.is_ended() {
        count += taped.poll(&mut |_, _, _| {}).expect("polled");
    }
    drop(taped);
    while recorder.status().lost + recorder.status().records < 1_000 {
        std::thread::yield_now();
    }
    assert_eq!(count, 1_000);
    let why = recorder.failure().expect("it cannot be written");
    assert!(why.contains("gone"), "{why}");
}
