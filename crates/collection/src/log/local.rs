//! The log in local files: segments of 16 MiB, named by the number of their first record.
//!
//! A segment is synced before the next one begins, so only the last can be torn. Opening walks the
//! last one: a bad record is cut away with what follows when nothing shows that it had ever been
//! synced, and is an error when something does (`record::has_witness`).

use std::sync::Arc;

use super::record::{
    BadHeader, SEGMENT_HEADER_SIZE, has_witness, parse_record, parse_segment_header,
    segment_header, write_record,
};
use super::tail::{Durable, LocalTail};
use super::{Entry, Log, LogReader, LogTail, fence};
use crate::Error;
use crate::disk::{Disk, DiskFile};

pub(crate) const SEGMENT_BYTES_LIMIT: u64 = 16 << 20;
/// How names of segments end.
pub(crate) const SUFFIX: &str = ".seg";

/// What opening removed from the end of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Bytes removed; 0 when the log ended well.
    pub bytes: u64,
    /// Where and why.
    pub reason: Option<String>,
}

/// The log of one collection in one folder.
pub struct LocalLog {
    disk: Arc<dyn Disk>,
    /// In order; the last is the one written to.
    segments: Vec<Segment>,
    file: Box<dyn DiskFile>,
    next_seq: u64,
    synced_next: u64,
    segment_bytes_limit: u64,
    buffer: Vec<u8>,
    /// Writers of epochs below are refused.
    epoch: u64,
    /// For those that follow.
    durable: Arc<Durable>,
}

#[derive(Clone)]
pub(super) struct Segment {
    pub name: String,
    pub first_seq: u64,
    size: u64,
}

impl LocalLog {
    /// Opens the log, or starts one where there is none. What is found is synced, so that it is
    /// durable whatever happened to the process that wrote it.
    ///
    /// # Errors
    /// `Corrupt` when bytes that had been synced are damaged, `Newer`, or `Io`.
    pub fn open(disk: Arc<dyn Disk>) -> Result<(Self, Cut), Error> {
        Self::open_sized(disk, SEGMENT_BYTES_LIMIT)
    }

    /// As [`open`](Self::open) with segments of another size.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_sized(disk: Arc<dyn Disk>, segment_bytes_limit: u64) -> Result<(Self, Cut), Error> {
        Self::open_from(disk, segment_bytes_limit, 0)
    }

    /// As [`open_sized`](Self::open_sized); a log that is not there begins with entry `first_seq`.
    ///
    /// # Errors
    /// As `open`.
    pub(crate) fn open_from(
        disk: Arc<dyn Disk>,
        segment_bytes_limit: u64,
        first_seq: u64,
    ) -> Result<(Self, Cut), Error> {
        let epoch = fence::read(&*disk)?;
        let mut segments = list_segments(&*disk)?;
        let mut cut = Cut::default();
        let mut end = None;
        while let Some(last) = segments.last_mut() {
            match walk_last(&*disk, last)? {
                Walked::Ends {
                    next_seq,
                    size,
                    reason,
                } => {
                    cut.bytes += last.size - size;
                    cut.reason = cut.reason.take().or(reason);
                    if size < last.size {
                        disk.truncate(&last.name, size)
                            .map_err(Error::io("cut", &last.name))?;
                        last.size = size;
                    }
                    end = Some((next_seq, last.name.clone()));
                    break;
                }
                Walked::NeverBegan { reason } => {
                    cut.bytes += last.size;
                    cut.reason = cut.reason.take().or(Some(reason));
                    disk.remove(&last.name)
                        .map_err(Error::io("remove", &last.name))?;
                    segments.pop();
                }
            }
        }
        let (next_seq, file) = match end {
            Some((next_seq, name)) => (
                next_seq,
                disk.open(&name).map_err(Error::io("open", &name))?,
            ),
            None => {
                let (segment, file) = begin_segment(&*disk, first_seq)?;
                segments.push(segment);
                (first_seq, file)
            }
        };
        let buffer = Vec::new();
        let mut log = Self {
            disk,
            segments,
            file,
            next_seq,
            synced_next: 0,
            segment_bytes_limit,
            buffer,
            epoch,
            durable: Arc::default(),
        };
        log.durable.lies_in(&log.segments);
        log.sync()?;
        Ok((log, cut))
    }

    fn last(&mut self) -> &mut Segment {
        self.segments
            .last_mut()
            .expect("a log has at least one segment")
    }

    fn check_epoch(&self, epoch: u64) -> Result<(), Error> {
        if epoch < self.epoch {
            let by = self.epoch;
            return Err(Error::Fenced { epoch, by });
        }
        Ok(())
    }

    fn roll(&mut self) -> Result<(), Error> {
        self.sync()?;
        let (segment, file) = begin_segment(&*self.disk, self.next_seq)?;
        self.segments.push(segment);
        self.file = file;
        self.durable.lies_in(&self.segments);
        Ok(())
    }
}

impl Drop for LocalLog {
    fn drop(&mut self) {
        self.durable.end();
    }
}

impl Log for LocalLog {
    fn next_seq(&self) -> u64 {
        self.next_seq
    }

    fn first_seq(&self) -> u64 {
        self.segments.first().map_or(0, |first| first.first_seq)
    }

    fn drop_before(&mut self, seq: u64, bytes: u64) -> Result<(), Error> {
        while self.size_bytes() > bytes
            && self
                .segments
                .get(1)
                .is_some_and(|next| next.first_seq <= seq)
        {
            let name = self.segments[0].name.clone();
            self.disk
                .remove(&name)
                .map_err(Error::io("remove", &name))?;
            self.segments.remove(0);
            self.durable.lies_in(&self.segments);
        }
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn fence(&mut self, epoch: u64) -> Result<(), Error> {
        self.check_epoch(epoch)?;
        if epoch > self.epoch {
            // Whatever comes of it: a fence that may stand on disk stands.
            self.epoch = epoch;
            fence::write(&*self.disk, epoch)?;
        }
        Ok(())
    }

    fn append(&mut self, epoch: u64, entries: &[Entry<'_>]) -> Result<(), Error> {
        self.check_epoch(epoch)?;
        if self.last().size >= self.segment_bytes_limit {
            self.roll()?;
        }
        self.buffer.clear();
        let mut next_seq = self.next_seq;
        for entry in entries {
            assert_eq!(entry.seq, next_seq, "entries continue the sequence");
            write_record(entry, self.synced_next, &mut self.buffer);
            next_seq += 1;
        }
        let name = self.last().name.clone();
        self.file
            .append(&self.buffer)
            .map_err(Error::io("append to", &name))?;
        self.last().size += self.buffer.len() as u64;
        self.next_seq = next_seq;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Error> {
        if let Err(e) = self.file.sync() {
            return Err(Error::io("sync", &self.last().name)(e));
        }
        self.synced_next = self.next_seq;
        self.durable.reaches(self.synced_next);
        Ok(())
    }

    fn read(
        &self,
        from: u64,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        read_segments(&*self.disk, &self.segments, from, self.next_seq, visit)
    }

    fn read_one(&self, seq: u64, visit: &mut dyn FnMut(Entry<'_>)) -> Result<(), Error> {
        let end = self.next_seq.min(seq + 1);
        read_segments(&*self.disk, &self.segments, seq, end, &mut |entry| {
            visit(entry);
            Ok(())
        })
    }

    fn reader(&self) -> Box<dyn LogReader> {
        Box::new(LocalReader {
            disk: Arc::clone(&self.disk),
            segments: self.segments.clone(),
            next_seq: self.synced_next,
        })
    }

    fn tail(&self, from: u64) -> Box<dyn LogTail> {
        let (disk, durable) = (Arc::clone(&self.disk), Arc::clone(&self.durable));
        Box::new(LocalTail::new(disk, durable, from))
    }

    fn truncate_to(&mut self, next_seq: u64) -> Result<(), Error> {
        while self.segments.len() > 1 && self.last().first_seq >= next_seq {
            let name = self.last().name.clone();
            self.disk
                .remove(&name)
                .map_err(Error::io("remove", &name))?;
            self.next_seq = self.last().first_seq;
            self.segments.pop();
            let name = &self.segments[self.segments.len() - 1].name;
            self.file = self.disk.open(name).map_err(Error::io("open", name))?;
        }
        if next_seq < self.next_seq {
            let segment = &self.segments[self.segments.len() - 1];
            let bytes = self
                .disk
                .read(&segment.name)
                .map_err(Error::io("read", &segment.name))?;
            let mut at = SEGMENT_HEADER_SIZE;
            for _ in segment.first_seq..next_seq {
                let record = parse_record(bytes.get(at..).unwrap_or_default())
                    .map_err(|reason| corrupt(segment, at, reason))?;
                at += record.size;
            }
            let name = segment.name.clone();
            self.disk
                .truncate(&name, at as u64)
                .map_err(Error::io("cut", &name))?;
            self.last().size = at as u64;
            self.next_seq = next_seq;
        }
        self.synced_next = self.synced_next.min(self.next_seq);
        self.durable.lies_in(&self.segments);
        self.durable.reaches(self.synced_next);
        Ok(())
    }
}

/// A look at the segments as they were at one time.
struct LocalReader {
    disk: Arc<dyn Disk>,
    segments: Vec<Segment>,
    next_seq: u64,
}

impl LogReader for LocalReader {
    fn next_seq(&self) -> u64 {
        self.next_seq
    }

    fn first_seq(&self) -> u64 {
        self.segments.first().map_or(0, |first| first.first_seq)
    }

    fn read(
        &self,
        from: u64,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        read_segments(&*self.disk, &self.segments, from, self.next_seq, visit)
    }
}

/// Gives `visit` the entries from `from` to before `next_seq`.
fn read_segments(
    disk: &dyn Disk,
    segments: &[Segment],
    from: u64,
    next_seq: u64,
    visit: &mut dyn FnMut(Entry<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    for (idx, segment) in segments.iter().enumerate() {
        let next_first = segments.get(idx + 1).map(|next| next.first_seq);
        let end = next_first.map_or(next_seq, |first| first.min(next_seq));
        if end <= from {
            continue;
        }
        let bytes = disk
            .read(&segment.name)
            .map_err(Error::io("read", &segment.name))?;
        check_header(segment, &bytes)?;
        let mut at = SEGMENT_HEADER_SIZE;
        for seq in segment.first_seq..end {
            let record = parse_record(bytes.get(at..).unwrap_or_default())
                .and_then(|record| in_sequence(record.entry, seq).map(|()| record))
                .map_err(|reason| corrupt(segment, at, reason))?;
            if seq >= from {
                visit(record.entry)?;
            }
            at += record.size;
        }
        if next_first == Some(end) && at != bytes.len() {
            return Err(corrupt(segment, at, "the next segment should begin here"));
        }
    }
    Ok(())
}

fn list_segments(disk: &dyn Disk) -> Result<Vec<Segment>, Error> {
    let names = disk
        .list()
        .map_err(Error::io("list", "the collection's folder"))?;
    let mut segments: Vec<Segment> = names
        .into_iter()
        .filter_map(|name| {
            let first_seq = name.strip_suffix(SUFFIX)?.parse().ok()?;
            (name == segment_name(first_seq)).then_some(Segment {
                name,
                first_seq,
                size: 0,
            })
        })
        .collect();
    segments.sort_by_key(|segment| segment.first_seq);
    let count = segments.len();
    for segment in segments.iter_mut().take(count.saturating_sub(1)) {
        segment.size = disk
            .size(&segment.name)
            .map_err(Error::io("measure", &segment.name))?;
    }
    Ok(segments)
}

fn segment_name(first_seq: u64) -> String {
    format!("{first_seq:020}{SUFFIX}")
}

fn begin_segment(disk: &dyn Disk, first_seq: u64) -> Result<(Segment, Box<dyn DiskFile>), Error> {
    let name = segment_name(first_seq);
    let mut file = disk.create(&name).map_err(Error::io("create", &name))?;
    file.append(&segment_header(first_seq))
        .map_err(Error::io("append to", &name))?;
    Ok((
        Segment {
            name,
            first_seq,
            size: SEGMENT_HEADER_SIZE as u64,
        },
        file,
    ))
}

enum Walked {
    /// Good records up to `size`; `reason` says why it ends before the file does.
    Ends {
        next_seq: u64,
        size: u64,
        reason: Option<String>,
    },
    /// Not even the header was written: the process died while it began the segment.
    NeverBegan { reason: String },
}

fn walk_last(disk: &dyn Disk, segment: &mut Segment) -> Result<Walked, Error> {
    let bytes = disk
        .read(&segment.name)
        .map_err(Error::io("read", &segment.name))?;
    segment.size = bytes.len() as u64;
    match parse_segment_header(&bytes) {
        Err(BadHeader::Newer) => {
            return Err(Error::Newer {
                what: segment.name.clone(),
            });
        }
        Err(bad) => {
            // With records behind it, a bad header is damage and not an unfinished beginning.
            let body = bytes.get(SEGMENT_HEADER_SIZE..).unwrap_or_default();
            if parse_record(body).is_ok() || has_witness(body, segment.first_seq) {
                return Err(corrupt(segment, 0, bad.reason()));
            }
            let reason = format!("{} at byte 0: {}", segment.name, bad.reason());
            return Ok(Walked::NeverBegan { reason });
        }
        Ok(_) => check_header(segment, &bytes)?,
    }
    let (mut at, mut seq) = (SEGMENT_HEADER_SIZE, segment.first_seq);
    while at < bytes.len() {
        let parsed = parse_record(&bytes[at..])
            .and_then(|record| in_sequence(record.entry, seq).map(|()| record.size));
        match parsed {
            Ok(size) => {
                at += size;
                seq += 1;
            }
            Err(reason) if has_witness(&bytes[at..], seq) => {
                return Err(corrupt(segment, at, reason));
            }
            Err(reason) => {
                let reason = Some(format!("{} at byte {at}: {reason}", segment.name));
                return Ok(Walked::Ends {
                    next_seq: seq,
                    size: at as u64,
                    reason,
                });
            }
        }
    }
    Ok(Walked::Ends {
        next_seq: seq,
        size: at as u64,
        reason: None,
    })
}

pub(super) fn check_header(segment: &Segment, bytes: &[u8]) -> Result<(), Error> {
    match parse_segment_header(bytes) {
        Ok(first_seq) if first_seq == segment.first_seq => Ok(()),
        Ok(_) => Err(corrupt(segment, 0, "the header's number is not the name's")),
        Err(BadHeader::Newer) => Err(Error::Newer {
            what: segment.name.clone(),
        }),
        Err(bad) => Err(corrupt(segment, 0, bad.reason())),
    }
}

pub(super) fn in_sequence(entry: Entry<'_>, seq: u64) -> Result<(), &'static str> {
    if entry.seq == seq {
        Ok(())
    } else {
        Err("the record's number is out of sequence")
    }
}

pub(super) fn corrupt(segment: &Segment, at: usize, reason: &str) -> Error {
    Error::Corrupt {
        file: segment.name.clone(),
        offset: at as u64,
        reason: reason.to_owned(),
    }
}
