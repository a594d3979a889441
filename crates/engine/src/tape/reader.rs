//! From the disk to a lane.

use std::io;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::format::{
    IndexEntry, Mark, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES, SegmentHeader, read_index,
    read_record, segments,
};
use crate::capture::{BATCH, Playback, Speed};
use crate::source::{Source, Unit};
use crate::sys::map;

/// One record of a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapeRecord<'a> {
    /// Its number, from 0 on, holes included.
    pub number: u64,
    /// A payload or a hole.
    pub mark: Mark,
    /// The line it came on.
    pub line: usize,
    /// When it came, ns UTC.
    pub ts_recv: u64,
    /// The payload; of a hole its size, 8 bytes.
    pub bytes: &'a [u8],
}

/// What a reader met that is not as a recorder leaves it. It reads on in the next segment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TapeFault {
    /// A record that is not whole: the recorder's machine went down, or the file was changed.
    #[error("{segment} ends at byte {offset}: the {bytes} bytes behind are no whole record")]
    Torn {
        /// The segment's file.
        segment: String,
        /// Where the first record that is not whole begins.
        offset: usize,
        /// How many bytes are left unread.
        bytes: usize,
    },
    /// A file that is named as a segment and is none.
    #[error("{segment} is no segment of a tape: its header does not check")]
    Header {
        /// The file.
        segment: String,
    },
    /// Records between two segments are missing.
    #[error("records {from} to {to} are missing between two segments")]
    Missing {
        /// The first one.
        from: u64,
        /// The one after the last.
        to: u64,
    },
}

struct Open {
    map: Mmap,
    name: String,
    offset: usize,
}

/// Reads the records of a tape in order, each in place in a mapped segment.
pub struct TapeReader {
    /// Newest first: the next one is at the end.
    rest: Vec<(u64, PathBuf)>,
    open: Option<Open>,
    unit: Unit,
    record: u64,
    faults: Vec<TapeFault>,
}

impl TapeReader {
    /// Opens the tape in a folder, at its oldest record.
    ///
    /// # Errors
    /// The folder cannot be read, or has no segment (`NotFound`).
    pub fn open(dir: &Path) -> io::Result<Self> {
        let mut rest = segments(dir)?;
        rest.reverse();
        let mut reader = Self {
            rest,
            open: None,
            unit: Unit::Packet,
            record: 0,
            faults: Vec::new(),
        };
        reader.record = reader.rest.last().map_or(0, |(first, _)| *first);
        if !reader.open_next()? {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{} holds no segment of a tape", dir.display()),
            ));
        }
        Ok(reader)
    }

    /// Opens one segment alone.
    pub(super) fn open_segment(dir: &Path, first: u64) -> io::Result<Self> {
        let rest = segments(dir)?;
        let mut reader = Self {
            rest: rest
                .into_iter()
                .filter(|(number, _)| *number == first)
                .collect(),
            open: None,
            unit: Unit::Packet,
            record: first,
            faults: Vec::new(),
        };
        reader.open_next()?;
        Ok(reader)
    }

    /// Opens the tape at the first record that came at `ts_recv` or later, as far as indexes and
    /// order of the stamps tell: what lies before the nearest index entry is not read.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_at(dir: &Path, ts_recv: u64) -> io::Result<Self> {
        let mut reader = Self::open(dir)?;
        let mut from: Option<IndexEntry> = None;
        for (_, path) in segments(dir)? {
            let bytes = std::fs::read(path.with_extension("index")).unwrap_or_default();
            let entries = read_index(&bytes);
            let before = entries.iter().take_while(|entry| entry.ts_recv < ts_recv);
            from = before.last().copied().or(from);
        }
        if let Some(entry) = from {
            reader.seek(&entry)?;
        }
        while reader.peek().is_some_and(|record| record.ts_recv < ts_recv) {
            reader.advance();
        }
        Ok(reader)
    }

    /// Goes to an entry's record, if it is there.
    fn seek(&mut self, entry: &IndexEntry) -> io::Result<()> {
        while self
            .rest
            .last()
            .is_some_and(|(first, _)| *first <= entry.record)
        {
            self.record = self.rest.last().map_or(0, |(first, _)| *first);
            self.open_next()?;
        }
        let offset = usize::try_from(entry.offset).unwrap_or(usize::MAX);
        if let Some(open) = &mut self.open
            && let Some(bytes) = open.map.get(offset..)
            && read_record(bytes, entry.record).is_some()
        {
            open.offset = offset;
            self.record = entry.record;
        }
        Ok(())
    }

    /// What the payloads are.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// What was met so far that is not as it should be.
    #[must_use]
    pub fn faults(&self) -> &[TapeFault] {
        &self.faults
    }

    /// The next record; `None` at the end.
    pub fn next_record(&mut self) -> Option<TapeRecord<'_>> {
        self.peek()?;
        let (offset, number) = (self.open.as_ref()?.offset, self.record);
        self.advance();
        self.at(offset, number)
    }

    /// The next record, which stays the next.
    pub fn peek(&mut self) -> Option<TapeRecord<'_>> {
        loop {
            let open = self.open.as_ref()?;
            if read_record(&open.map[open.offset..], self.record).is_some() {
                break;
            }
            self.note_torn();
            // A segment that cannot be mapped ends the tape as one that is not there.
            if !self.open_next().unwrap_or(false) {
                return None;
            }
        }
        self.at(self.open.as_ref()?.offset, self.record)
    }

    /// Passes the record that [`peek`](Self::peek) showed.
    pub fn advance(&mut self) {
        if let Some(open) = &mut self.open
            && let Some(record) = read_record(&open.map[open.offset..], self.record)
        {
            open.offset += RECORD_HEADER_BYTES + record.payload.len();
            self.record += 1;
        }
    }

    fn at(&self, offset: usize, number: u64) -> Option<TapeRecord<'_>> {
        let raw = read_record(&self.open.as_ref()?.map[offset..], number)?;
        Some(TapeRecord {
            number,
            mark: raw.mark,
            line: raw.line,
            ts_recv: raw.ts_recv,
            bytes: raw.payload,
        })
    }

    fn note_torn(&mut self) {
        if let Some(open) = &self.open
            && open.offset < open.map.len()
        {
            self.faults.push(TapeFault::Torn {
                segment: open.name.clone(),
                offset: open.offset,
                bytes: open.map.len() - open.offset,
            });
        }
    }

    fn open_next(&mut self) -> io::Result<bool> {
        self.open = None;
        while let Some((first, path)) = self.rest.pop() {
            let map = map::read_only(&path)?;
            let name = path.file_name().unwrap_or_default();
            let name = name.to_string_lossy().into_owned();
            let header = SegmentHeader::read(&map).filter(|header| header.first_record == first);
            let Some(header) = header else {
                self.faults.push(TapeFault::Header { segment: name });
                continue;
            };
            if first > self.record {
                self.faults.push(TapeFault::Missing {
                    from: self.record,
                    to: first,
                });
            }
            self.unit = header.unit;
            self.record = first;
            self.open = Some(Open {
                map,
                name,
                offset: SEGMENT_HEADER_BYTES,
            });
            return Ok(true);
        }
        Ok(false)
    }
}

/// Plays a tape: the same payloads, lines and receive times as the lane had that recorded it.
pub struct TapeSource {
    reader: TapeReader,
    playback: Playback,
    due_in_ns: u64,
    lost: u64,
    bytes: u64,
    ended: bool,
}

impl TapeSource {
    /// Opens the tape in a folder.
    ///
    /// # Errors
    /// As for [`TapeReader::open`].
    pub fn open(dir: &Path, speed: Speed) -> io::Result<Self> {
        Ok(Self {
            reader: TapeReader::open(dir)?,
            playback: Playback::new(speed),
            due_in_ns: 0,
            lost: 0,
            bytes: 0,
            ended: false,
        })
    }

    /// Payloads that the recorder left out, as far as the tape was played.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// What was met so far that is not as it should be.
    #[must_use]
    pub fn faults(&self) -> &[TapeFault] {
        self.reader.faults()
    }
}

impl Source for TapeSource {
    fn poll(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> io::Result<usize> {
        let mut count = 0;
        self.due_in_ns = 0;
        while count < BATCH {
            let Some(record) = self.reader.peek() else {
                self.ended = true;
                break;
            };
            self.due_in_ns = self.playback.wait_ns(record.ts_recv);
            if self.due_in_ns > 0 {
                break;
            }
            match record.mark {
                Mark::Payload => {
                    f(record.line, record.ts_recv, record.bytes);
                    self.bytes += record.bytes.len() as u64;
                    count += 1;
                }
                Mark::Hole => {
                    let hole = record.bytes.first_chunk().copied().unwrap_or_default();
                    self.lost += u64::from_le_bytes(hole);
                }
            }
            self.reader.advance();
        }
        Ok(count)
    }

    fn unit(&self) -> Unit {
        self.reader.unit()
    }

    fn wait(&mut self, timeout_ns: u64) -> io::Result<()> {
        crate::sys::thread::wait_readable(&[], timeout_ns.min(self.due_in_ns)).map(|_| ())
    }

    fn is_ended(&self) -> bool {
        self.ended
    }

    fn is_live(&self) -> bool {
        false
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
