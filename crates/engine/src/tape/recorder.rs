//! From a lane to the disk.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use stdx::{Clock, SystemClock};
use wire::moldudp64::Request;

use super::TapeReader;
use super::format::{
    INDEX_EVERY, IndexEntry, Mark, PAYLOAD_LIMIT, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES,
    SegmentHeader, index_header, record_header, segment_name, segments,
};
use crate::hop::{HopReceiver, HopSender, Passed, hop};
use crate::source::{Source, Unit};

const SLOT_BYTES: usize = 2_048;
/// Between two looks at an empty hop.
const IDLE: Duration = Duration::from_millis(1);
/// Written in one call, about.
const WRITE_BYTES: usize = 1 << 20;
/// Pause of a patient sender whose hop is full.
const PATIENCE: Duration = Duration::from_micros(50);

/// Where a tape goes and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapeConfig {
    /// The folder; made if it is not there. An older tape in it goes on.
    pub dir: PathBuf,
    /// A new segment begins after so many bytes.
    pub segment_bytes: u64,
    /// The oldest segments are removed before all of them together pass this.
    pub disk_bytes_limit: u64,
    /// Payloads that wait for the recorder at most: 2 KiB each.
    pub slots: usize,
    /// At least this often what was written is made to last, ns.
    pub sync_ns: u64,
    /// Wait for the recorder instead of leaving payloads out: for recordings, never for a live
    /// feed.
    pub is_patient: bool,
}

impl TapeConfig {
    /// Segments of 256 MiB, 64 GiB in all, 32 MiB of payloads on their way, synced every second.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            segment_bytes: 256 << 20,
            disk_bytes_limit: 64 << 30,
            slots: 16_384,
            sync_ns: 1_000_000_000,
            is_patient: false,
        }
    }
}

/// Counters of a tape since its recorder started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TapeStatus {
    /// Payloads written.
    pub records: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
    /// Payloads left out because the recorder was behind, or the disk refused them.
    pub lost: u64,
    /// Segments removed for the limit.
    pub removed: u64,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    records: AtomicU64,
    bytes: AtomicU64,
    lost: AtomicU64,
    removed: AtomicU64,
    failure: OnceLock<String>,
}

/// The recorder's thread. Dropping it writes what waits and ends it.
pub struct Recorder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A source whose payloads also go to a tape: one more copy of each, into the recorder's hop.
pub struct TapedSource<S> {
    source: S,
    hop: HopSender,
    shared: Arc<Shared>,
    /// Left out since the last mark on the tape.
    unmarked: u64,
    is_patient: bool,
}

impl Recorder {
    /// Starts recording what `source` brings.
    ///
    /// # Errors
    /// The folder cannot be made or read, or the system gives no thread.
    pub fn start<S: Source>(config: TapeConfig, source: S) -> io::Result<(TapedSource<S>, Self)> {
        fs::create_dir_all(&config.dir)?;
        let next = next_record(&config.dir)?;
        let (sender, receiver) = hop(config.slots, SLOT_BYTES);
        let shared = Arc::new(Shared::default());
        let taped = TapedSource {
            unmarked: 0,
            is_patient: config.is_patient,
            hop: sender,
            shared: Arc::clone(&shared),
            source,
        };
        let mut writer = Writer {
            unit: taped.source.unit(),
            config,
            shared: Arc::clone(&shared),
            segment: None,
            record: next,
            marked: 0,
            index: VecDeque::new(),
        };
        let thread = std::thread::Builder::new()
            .name("tape".to_owned())
            .spawn(move || writer.work(receiver))?;
        Ok((
            taped,
            Self {
                shared,
                thread: Some(thread),
            },
        ))
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> TapeStatus {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TapeStatus {
            records: read(&self.shared.records),
            bytes: read(&self.shared.bytes),
            lost: read(&self.shared.lost),
            removed: read(&self.shared.removed),
        }
    }

    /// Why nothing is written any more; `None` while all is well.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.shared.failure.get().map(String::as_str)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic in the recorder was already printed by its thread.
            let _ended = thread.join();
        }
    }
}

impl<S> TapedSource<S> {
    /// Ends the recording and gives the source back.
    pub fn into_source(self) -> S {
        self.source
    }

    #[inline]
    fn record(
        hop: &mut HopSender,
        unmarked: &mut u64,
        shared: &Shared,
        is_patient: bool,
        (line, ts_recv, bytes): (usize, u64, &[u8]),
    ) {
        if *unmarked > 0 && hop.send(Mark::Hole as u32, 0, ts_recv, &unmarked.to_le_bytes()) {
            *unmarked = 0;
        }
        if *unmarked == 0 && hop.send(Mark::Payload as u32, line, ts_recv, bytes) {
            return;
        }
        if is_patient && !hop.is_abandoned() {
            pause(PATIENCE);
            return Self::record(hop, unmarked, shared, is_patient, (line, ts_recv, bytes));
        }
        *unmarked += 1;
        shared.lost.fetch_add(1, Ordering::Relaxed);
    }
}

impl<S: Source> Source for TapedSource<S> {
    fn poll(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> io::Result<usize> {
        let (hop, unmarked, shared, is_patient) = (
            &mut self.hop,
            &mut self.unmarked,
            &*self.shared,
            self.is_patient,
        );
        self.source.poll(&mut |line, ts_recv, bytes| {
            Self::record(hop, unmarked, shared, is_patient, (line, ts_recv, bytes));
            f(line, ts_recv, bytes);
        })
    }

    fn unit(&self) -> Unit {
        self.source.unit()
    }

    fn wait(&mut self, timeout_ns: u64) -> io::Result<()> {
        self.source.wait(timeout_ns)
    }

    fn kernel_drops(&self, line: usize) -> u64 {
        self.source.kernel_drops(line)
    }

    fn request(&mut self, request: &Request) -> io::Result<()> {
        self.source.request(request)
    }

    fn is_live(&self) -> bool {
        self.source.is_live()
    }

    fn is_ended(&self) -> bool {
        self.source.is_ended()
    }

    fn bytes(&self) -> u64 {
        self.source.bytes()
    }
}

/// The number after the last whole record of the tape in `dir`; 0 where there is none.
fn next_record(dir: &Path) -> io::Result<u64> {
    let Some((first, _)) = segments(dir)?.pop() else {
        return Ok(0);
    };
    let mut reader = TapeReader::open_segment(dir, first)?;
    let mut next = first;
    while let Some(record) = reader.next_record() {
        next = record.number + 1;
    }
    Ok(next)
}

struct Segment {
    file: BufWriter<File>,
    index: BufWriter<File>,
    bytes: u64,
    records: u64,
}

struct Writer {
    config: TapeConfig,
    unit: Unit,
    shared: Arc<Shared>,
    segment: Option<Segment>,
    /// The next record's number.
    record: u64,
    /// Left-out payloads that the tape tells of.
    marked: u64,
    /// Entries whose records are not yet flushed: an index must not run ahead of its segment.
    index: VecDeque<IndexEntry>,
}

impl Writer {
    fn work(&mut self, mut hop: HopReceiver) {
        let clock = SystemClock;
        let mut next_sync_ns = clock.now_ns() + self.config.sync_ns;
        loop {
            let stopping = self.shared.stop.load(Ordering::Acquire) || hop.is_ended();
            let count = hop.receive(&mut |passed| self.take(&passed));
            let now_ns = clock.now_ns();
            if now_ns >= next_sync_ns {
                next_sync_ns = now_ns + self.config.sync_ns;
                self.guarded(Writer::sync);
            }
            if count > 0 {
                continue;
            }
            if stopping {
                break;
            }
            // What was written survives the end of this process, if not of the machine.
            self.guarded(Writer::flush);
            pause(IDLE);
        }
        let lost = self.shared.lost.load(Ordering::Acquire);
        if lost > self.marked {
            let hole = lost - self.marked;
            self.guarded(|writer| {
                writer.append(Mark::Hole, 0, SystemClock.now_ns(), &hole.to_le_bytes())
            });
        }
        self.guarded(Writer::sync);
    }

    fn take(&mut self, passed: &Passed<'_>) {
        if self.shared.failure.get().is_some() {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let is_hole = passed.kind == Mark::Hole as u32;
        let mark = if is_hole { Mark::Hole } else { Mark::Payload };
        let bytes = &passed.bytes[..passed.bytes.len().min(PAYLOAD_LIMIT)];
        self.guarded(|writer| writer.append(mark, passed.line, passed.ts_recv, bytes));
        if is_hole && let Some(&count) = passed.bytes.first_chunk() {
            self.marked += u64::from_le_bytes(count);
        } else {
            self.shared.records.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Runs a step; a disk that refuses ends the recording, with the reason.
    fn guarded(&mut self, step: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.shared.failure.get().is_none()
            && let Err(error) = step(self)
        {
            let dir = self.config.dir.display();
            let _first = self
                .shared
                .failure
                .set(format!("cannot write {dir}: {error}"));
            self.segment = None;
        }
    }

    fn append(&mut self, mark: Mark, line: usize, ts_recv: u64, bytes: &[u8]) -> io::Result<()> {
        if self
            .segment
            .as_ref()
            .is_some_and(|s| s.bytes >= self.config.segment_bytes)
        {
            self.sync()?;
            self.segment = None;
        }
        if self.segment.is_none() {
            self.segment = Some(self.open_segment()?);
        }
        let Some(segment) = &mut self.segment else {
            return Ok(());
        };
        if segment.records.is_multiple_of(INDEX_EVERY) {
            self.index.push_back(IndexEntry {
                record: self.record,
                ts_recv,
                offset: segment.bytes,
            });
        }
        let header = record_header(mark, line, ts_recv, self.record, bytes);
        segment.file.write_all(&header)?;
        segment.file.write_all(bytes)?;
        let size = (RECORD_HEADER_BYTES + bytes.len()) as u64;
        segment.bytes += size;
        segment.records += 1;
        self.record += 1;
        self.shared.bytes.fetch_add(size, Ordering::Relaxed);
        Ok(())
    }

    fn open_segment(&mut self) -> io::Result<Segment> {
        self.make_room()?;
        let path = self.config.dir.join(segment_name(self.record));
        let mut file = BufWriter::with_capacity(WRITE_BYTES, File::create(&path)?);
        let header = SegmentHeader {
            unit: self.unit,
            first_record: self.record,
            made_ns: SystemClock.now_ns(),
        };
        file.write_all(&header.to_bytes())?;
        let mut index = BufWriter::new(File::create(path.with_extension("index"))?);
        index.write_all(&index_header(self.record))?;
        Ok(Segment {
            file,
            index,
            bytes: SEGMENT_HEADER_BYTES as u64,
            records: 0,
        })
    }

    /// Removes the oldest segments until a new one fits under the limit.
    fn make_room(&mut self) -> io::Result<()> {
        let mut all: VecDeque<(PathBuf, u64)> = segments(&self.config.dir)?
            .into_iter()
            .map(|(_, path)| {
                let bytes = fs::metadata(&path).map_or(0, |found| found.len());
                (path, bytes)
            })
            .collect();
        let mut held: u64 = all.iter().map(|(_, bytes)| bytes).sum();
        while held + self.config.segment_bytes > self.config.disk_bytes_limit {
            let Some((path, bytes)) = all.pop_front() else {
                break;
            };
            fs::remove_file(&path)?;
            // An index that is not there was not needed.
            let _ = fs::remove_file(path.with_extension("index"));
            held -= bytes;
            self.shared.removed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.segment
            .as_mut()
            .map_or(Ok(()), |segment| segment.file.flush())
    }

    /// Makes what was written last, records before the index that points at them.
    fn sync(&mut self) -> io::Result<()> {
        let Some(segment) = &mut self.segment else {
            return Ok(());
        };
        segment.file.flush()?;
        segment.file.get_ref().sync_data()?;
        for entry in self.index.drain(..) {
            segment.index.write_all(&entry.to_bytes())?;
        }
        segment.index.flush()
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a hop has no descriptor to wait on, and this is no lane"
)]
fn pause(length: Duration) {
    std::thread::sleep(length);
}
