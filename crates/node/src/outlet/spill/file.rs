//! A bounded queue of records on disk: appended at one end, read at the other.
//!
//! ```text
//!  0000000007.spill   [len][crc][bytes] [len][crc][bytes] ..    read from here on, then removed
//!  0000000008.spill   [len][crc][bytes] ..                      appended to
//! ```
//!
//! Nothing waits for the disk: what the process wrote outlives the process, not a power cut. A record
//! whose checksum does not hold ends its segment; what was behind it is counted as lost.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Length and checksum.
const HEAD: usize = 8;
/// Larger than any record: what claims more is damaged.
const RECORD_LIMIT: usize = 64 << 10;
/// Segments that the limit is shared between, at least.
const SEGMENTS: u64 = 8;
const SEGMENT_BYTES_MAX: u64 = 64 << 20;
/// Bytes read at once.
const READ: usize = 256 << 10;

/// Records on disk between a writer and a reader.
pub struct SpillFile {
    dir: PathBuf,
    limit: u64,
    segments: VecDeque<Segment>,
    next_number: u64,
    /// Of all segments, bytes appended and not removed.
    bytes: u64,
    records: u64,
    /// Read ahead from the first segment.
    ahead: Vec<u8>,
    ahead_at: usize,
    pending: Vec<u8>,
    pending_records: u64,
}

struct Segment {
    path: PathBuf,
    file: File,
    written: u64,
    read: u64,
    /// Records written and not read.
    records: u64,
}

/// What reading gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A record, copied to the caller's buffer.
    Record,
    /// Nothing waits.
    Empty,
    /// So many records cannot be read any more.
    Lost(u64),
}

impl SpillFile {
    /// An empty one in the folder `dir`, which is made if need be, for at most `limit` bytes; and how many
    /// whole records of an earlier run were found there and removed.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(dir: &Path, limit: u64) -> io::Result<(Self, u64)> {
        fs::create_dir_all(dir)?;
        let mut left = 0;
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "spill") {
                left += count(&path)?;
                fs::remove_file(&path)?;
            }
        }
        let file = Self {
            dir: dir.to_owned(),
            limit,
            segments: VecDeque::new(),
            next_number: 0,
            bytes: 0,
            records: 0,
            ahead: Vec::new(),
            ahead_at: 0,
            pending: Vec::new(),
            pending_records: 0,
        };
        Ok((file, left))
    }

    /// Records that wait.
    pub fn len(&self) -> u64 {
        self.records
    }

    /// Takes a record to be written by [`SpillFile::flush`]; false when the limit is reached.
    pub fn push(&mut self, record: &[u8]) -> bool {
        debug_assert!(record.len() <= RECORD_LIMIT);
        let size = (HEAD + record.len()) as u64;
        if self.bytes + self.pending.len() as u64 + size > self.limit {
            return false;
        }
        let crc = crc32fast::hash(record);
        self.pending
            .extend_from_slice(&(record.len() as u32).to_le_bytes());
        self.pending.extend_from_slice(&crc.to_le_bytes());
        self.pending.extend_from_slice(record);
        self.pending_records += 1;
        true
    }

    /// Writes what was taken.
    ///
    /// # Errors
    /// When the disk refuses: then none of what was taken since the last call is written.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let (bytes, records) = (self.pending.len() as u64, self.pending_records);
        let written = self.segment().and_then(|segment| {
            let at = segment.written;
            Ok((segment.file.try_clone()?, at))
        });
        let written = written.and_then(|(file, at)| file.write_all_at(&self.pending, at));
        self.pending.clear();
        self.pending_records = 0;
        written?;
        let last = self.segments.back_mut().expect("the segment just written");
        last.written += bytes;
        last.records += records;
        self.bytes += bytes;
        self.records += records;
        Ok(())
    }

    /// The segment that is appended to.
    fn segment(&mut self) -> io::Result<&mut Segment> {
        let size = (self.limit / SEGMENTS).clamp(1, SEGMENT_BYTES_MAX);
        if self.segments.back().is_none_or(|last| last.written >= size) {
            let path = self.dir.join(format!("{:010}.spill", self.next_number));
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(&path)?;
            self.next_number += 1;
            self.segments.push_back(Segment {
                path,
                file,
                written: 0,
                read: 0,
                records: 0,
            });
        }
        Ok(self.segments.back_mut().expect("pushed above"))
    }

    /// Copies the oldest record to `record`.
    pub fn next(&mut self, record: &mut Vec<u8>) -> Next {
        while self.is_read_up() {}
        if self.segments.is_empty() {
            return Next::Empty;
        }
        record.clear();
        // A disk that refuses to read is as good as a damaged record: the segment is given up.
        if !self.record(record).unwrap_or(false) {
            return Next::Lost(self.give_up());
        }
        if let Some(first) = self.segments.front_mut() {
            first.records -= 1;
            first.read += (HEAD + record.len()) as u64;
            self.records -= 1;
        }
        while self.is_read_up() {}
        Next::Record
    }

    /// Removes the first segment if all of it was read; whether it did.
    fn is_read_up(&mut self) -> bool {
        let is_done = self.segments.front().is_some_and(|s| s.records == 0);
        if is_done {
            self.remove_first();
        }
        is_done
    }

    fn give_up(&mut self) -> u64 {
        let lost = self.segments.front().map_or(0, |first| first.records);
        self.records -= lost;
        self.remove_first();
        lost
    }

    fn remove_first(&mut self) {
        if let Some(first) = self.segments.pop_front() {
            self.bytes -= first.written;
            // A file that cannot be removed is removed by the next run.
            let _removed = fs::remove_file(&first.path);
        }
        self.ahead.clear();
        self.ahead_at = 0;
    }

    /// The record at the reader's place; false when it is damaged.
    fn record(&mut self, record: &mut Vec<u8>) -> io::Result<bool> {
        if !self.have(HEAD)? {
            return Ok(false);
        }
        let head = &self.ahead[self.ahead_at..self.ahead_at + HEAD];
        let (size, crc) = head_of(head);
        if size > RECORD_LIMIT || !self.have(HEAD + size)? {
            return Ok(false);
        }
        let start = self.ahead_at + HEAD;
        record.extend_from_slice(&self.ahead[start..start + size]);
        self.ahead_at = start + size;
        Ok(crc32fast::hash(record) == crc)
    }

    /// Reads on until `size` bytes are ahead; false when the segment ends before.
    fn have(&mut self, size: usize) -> io::Result<bool> {
        let has = self.ahead.len() - self.ahead_at;
        if has >= size {
            return Ok(true);
        }
        self.ahead.drain(..self.ahead_at);
        self.ahead_at = 0;
        let Some(first) = self.segments.front() else {
            return Ok(false);
        };
        let from = first.read + has as u64;
        let left = first.written.saturating_sub(from);
        let more = left.min(READ.max(size) as u64) as usize;
        self.ahead.resize(has + more, 0);
        first.file.read_exact_at(&mut self.ahead[has..], from)?;
        Ok(self.ahead.len() >= size)
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        // What was not read stays, for the next run to count.
        if self.records == 0 {
            while !self.segments.is_empty() {
                self.remove_first();
            }
        }
    }
}

fn head_of(head: &[u8]) -> (usize, u32) {
    let number = |at: usize| {
        let bytes = [head[at], head[at + 1], head[at + 2], head[at + 3]];
        u32::from_le_bytes(bytes)
    };
    (number(0) as usize, number(4))
}

/// Whole records of a segment that an earlier run left.
fn count(path: &Path) -> io::Result<u64> {
    let mut reader = io::BufReader::new(File::open(path)?);
    let (mut head, mut record, mut records) = ([0; HEAD], Vec::new(), 0);
    loop {
        if reader.read_exact(&mut head).is_err() {
            return Ok(records);
        }
        let (size, crc) = head_of(&head);
        record.resize(size.min(RECORD_LIMIT + 1), 0);
        let is_whole = size <= RECORD_LIMIT
            && reader.read_exact(&mut record).is_ok()
            && crc32fast::hash(&record) == crc;
        if !is_whole {
            return Ok(records);
        }
        records += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path, limit: u64) -> SpillFile {
        SpillFile::open(dir, limit).expect("a folder").0
    }

    fn drain(file: &mut SpillFile) -> Vec<Vec<u8>> {
        let (mut all, mut record) = (Vec::new(), Vec::new());
        while file.next(&mut record) == Next::Record {
            all.push(record.clone());
        }
        all
    }

    fn records(count: u32) -> Vec<Vec<u8>> {
        (0..count)
            .map(|n| n.to_le_bytes().repeat(n as usize % 40))
            .collect()
    }

    #[test]
    fn it_gives_back_what_it_took_and_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut file = open(dir.path(), 1 << 20);
        for part in records(500).chunks(70) {
            part.iter().for_each(|record| assert!(file.push(record)));
            file.flush().expect("written");
        }
        assert_eq!(file.len(), 500);
        assert_eq!(drain(&mut file), records(500));
        assert_eq!((file.len(), file.bytes), (0, 0));
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn the_limit_holds_and_room_comes_back() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut file = open(dir.path(), 10_000);
        let record = [7; 92];
        let taken = (0..200).filter(|_| file.push(&record)).count();
        file.flush().expect("written");
        assert_eq!(taken, 100);
        let on_disk: u64 = fs::read_dir(dir.path())
            .expect("a folder")
            .map(|e| e.and_then(|e| e.metadata()).expect("a file").len())
            .sum();
        assert!(on_disk <= 10_000, "{on_disk}");
        drain(&mut file);
        assert!(file.push(&record));
    }

    /// Written by a process that was killed: the last record is cut, and is not counted.
    #[test]
    fn what_an_earlier_run_left_is_counted_and_removed() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut file = open(dir.path(), 1 << 20);
        records(10)
            .iter()
            .for_each(|record| assert!(file.push(record)));
        file.flush().expect("written");
        let path = file.segments[0].path.clone();
        drop(file);
        let bytes = fs::read(&path).expect("it is there");
        fs::write(&path, &bytes[..bytes.len() - 3]).expect("cut");
        let (mut file, left) = SpillFile::open(dir.path(), 1 << 20).expect("a folder");
        assert_eq!((left, file.len()), (9, 0));
        assert_eq!(file.next(&mut Vec::new()), Next::Empty);
        assert!(!path.exists());
    }

    #[test]
    fn a_damaged_record_costs_its_segment_and_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut file = open(dir.path(), 80_000);
        for _ in 0..300 {
            assert!(file.push(&[1; 92]));
            file.flush().expect("written");
        }
        assert!(file.segments.len() > 2);
        let (path, in_first) = (file.segments[0].path.clone(), file.segments[0].records);
        let mut bytes = fs::read(&path).expect("it is there");
        bytes[250] ^= 1;
        fs::write(&path, bytes).expect("damaged");
        let mut record = Vec::new();
        assert_eq!(file.next(&mut record), Next::Record);
        assert_eq!(file.next(&mut record), Next::Record);
        assert_eq!(file.next(&mut record), Next::Lost(in_first - 2));
        assert_eq!(drain(&mut file).len() as u64, 300 - in_first);
    }
}
