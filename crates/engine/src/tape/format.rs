//! The bytes of segment and index files.

use std::path::Path;

use crate::source::Unit;

/// Bytes before the first record of a segment.
pub const SEGMENT_HEADER_BYTES: usize = 32;
/// Bytes of a record before its payload.
pub(super) const RECORD_HEADER_BYTES: usize = 24;
/// Bytes before the first entry of an index.
pub(super) const INDEX_HEADER_BYTES: usize = 16;
/// Bytes of an entry of an index.
pub(super) const INDEX_ENTRY_BYTES: usize = 32;
/// Records between two entries of an index.
pub(super) const INDEX_EVERY: u64 = 1_024;
/// The longest payload: a UDP datagram, or an ITCH message.
pub(super) const PAYLOAD_LIMIT: usize = 65_535;

const SEGMENT_MAGIC: &[u8; 8] = b"OUZTAPE1";
const INDEX_MAGIC: &[u8; 8] = b"OUZTIDX1";
const MESSAGES: u16 = 1;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mark {
    /// A payload.
    Payload = 0,
    /// A hole: the payload is how many were left out here, 8 bytes.
    Hole = 1,
}

/// The first bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub unit: Unit,
    pub first_record: u64,
    pub made_ns: u64,
}

impl SegmentHeader {
    pub fn to_bytes(self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..8].copy_from_slice(SEGMENT_MAGIC);
        let flags = if self.unit == Unit::Message {
            MESSAGES
        } else {
            0
        };
        bytes[8..10].copy_from_slice(&flags.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_record.to_le_bytes());
        bytes[24..].copy_from_slice(&self.made_ns.to_le_bytes());
        let crc = crc32fast::hash(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut header: [u8; SEGMENT_HEADER_BYTES] = *bytes.first_chunk()?;
        let crc = u32_at(&header, 12);
        header[12..16].fill(0);
        if &header[..8] != SEGMENT_MAGIC || crc32fast::hash(&header) != crc {
            return None;
        }
        let flags = u16::from_le_bytes([header[8], header[9]]);
        Some(Self {
            unit: if flags & MESSAGES != 0 {
                Unit::Message
            } else {
                Unit::Packet
            },
            first_record: u64_at(&header, 16),
            made_ns: u64_at(&header, 24),
        })
    }
}

/// The bytes of a record before its payload.
pub(super) fn record_header(
    mark: Mark,
    line: usize,
    ts_recv: u64,
    record: u64,
    payload: &[u8],
) -> [u8; RECORD_HEADER_BYTES] {
    let mut bytes = [0; RECORD_HEADER_BYTES];
    bytes[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes[8..16].copy_from_slice(&ts_recv.to_le_bytes());
    bytes[16] = line as u8;
    bytes[17] = mark as u8;
    bytes[20..].copy_from_slice(&(record as u32).to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..4]);
    crc.update(&bytes[8..]);
    crc.update(payload);
    bytes[4..8].copy_from_slice(&crc.finalize().to_le_bytes());
    bytes
}

/// A record that was read and checked.
pub(super) struct RawRecord<'a> {
    pub mark: Mark,
    pub line: usize,
    pub ts_recv: u64,
    pub payload: &'a [u8],
}

/// Reads the record at the front of `bytes`, which must be number `record`. `None` when it is not
/// whole, or not what was written: the tape ends before it.
pub(super) fn read_record(bytes: &[u8], record: u64) -> Option<RawRecord<'_>> {
    let header: &[u8; RECORD_HEADER_BYTES] = bytes.first_chunk()?;
    let size = u32_at(header, 0) as usize;
    if size > PAYLOAD_LIMIT || u32_at(header, 20) != record as u32 {
        return None;
    }
    let payload = bytes.get(RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + size)?;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[..4]);
    crc.update(&header[8..]);
    crc.update(payload);
    if crc.finalize() != u32_at(header, 4) {
        return None;
    }
    Some(RawRecord {
        mark: match header[17] {
            0 => Mark::Payload,
            1 => Mark::Hole,
            _ => return None,
        },
        line: usize::from(header[16]),
        ts_recv: u64_at(header, 8),
        payload,
    })
}

/// Where a record lies in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub record: u64,
    pub ts_recv: u64,
    pub offset: u64,
}

impl IndexEntry {
    pub fn to_bytes(self) -> [u8; INDEX_ENTRY_BYTES] {
        let mut bytes = [0; INDEX_ENTRY_BYTES];
        bytes[..8].copy_from_slice(&self.record.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.ts_recv.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.offset.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..24]);
        bytes[24..28].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        (crc32fast::hash(bytes.get(..24)?) == u32_at(bytes, 24)).then(|| Self {
            record: u64_at(bytes, 0),
            ts_recv: u64_at(bytes, 8),
            offset: u64_at(bytes, 16),
        })
    }
}

pub(super) fn index_header(first_record: u64) -> [u8; INDEX_HEADER_BYTES] {
    let mut bytes = [0; INDEX_HEADER_BYTES];
    bytes[..8].copy_from_slice(INDEX_MAGIC);
    bytes[8..].copy_from_slice(&first_record.to_le_bytes());
    bytes
}

/// The entries of an index file up to the first that is not whole; none of a file that is no
/// index. An index only saves reading: without it a reader walks the segment.
pub(super) fn read_index(bytes: &[u8]) -> Vec<IndexEntry> {
    if !bytes.starts_with(INDEX_MAGIC) {
        return Vec::new();
    }
    let entries = bytes.get(INDEX_HEADER_BYTES..).unwrap_or_default();
    entries
        .chunks_exact(INDEX_ENTRY_BYTES)
        .map_while(IndexEntry::read)
        .collect()
}

/// Whether `path` is a folder with segments.
#[must_use]
pub fn is_tape(path: &Path) -> bool {
    path.is_dir() && !segments(path).unwrap_or_default().is_empty()
}

/// The name of the segment that begins with `record`.
pub(super) fn segment_name(record: u64) -> String {
    format!("{record:020}.tape")
}

/// The first records and paths of the segments of a folder, oldest first.
pub(super) fn segments(dir: &Path) -> std::io::Result<Vec<(u64, std::path::PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let is_segment = path
            .extension()
            .is_some_and(|extension| extension == "tape");
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        if let (true, Some(number)) = (is_segment, number) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..]
        .first_chunk()
        .map_or(0, |four| u32::from_le_bytes(*four))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..]
        .first_chunk()
        .map_or(0, |eight| u64::from_le_bytes(*eight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_written_is_read_and_any_changed_byte_ends_it(
            payload in proptest::collection::vec(any::<u8>(), 0..200),
            line in 0usize..3, ts in any::<u64>(), record in any::<u64>(),
            at in any::<prop::sample::Index>(), flip in 1u8..,
        ) {
            let mut bytes = record_header(Mark::Payload, line, ts, record, &payload).to_vec();
            bytes.extend(&payload);
            let read = read_record(&bytes, record).expect("as written");
            prop_assert_eq!((read.mark, read.line, read.ts_recv), (Mark::Payload, line, ts));
            prop_assert_eq!(read.payload, &payload[..]);
            prop_assert!(read_record(&bytes[..bytes.len() - 1], record).is_none());
            prop_assert!(read_record(&bytes, record ^ 1).is_none());
            let place = at.index(bytes.len());
            bytes[place] ^= flip;
            prop_assert!(read_record(&bytes, record).is_none());
        }

        #[test]
        fn no_bytes_are_a_fault_of_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = read_record(&bytes, 0);
            let _ = SegmentHeader::read(&bytes);
            let _ = read_index(&bytes);
        }
    }

    #[test]
    fn headers_come_back() {
        let header = SegmentHeader {
            unit: Unit::Message,
            first_record: 77,
            made_ns: 5,
        };
        let mut bytes = header.to_bytes();
        assert_eq!(SegmentHeader::read(&bytes), Some(header));
        bytes[20] ^= 1;
        assert_eq!(SegmentHeader::read(&bytes), None);
        let entry = IndexEntry {
            record: 1,
            ts_recv: 2,
            offset: 3,
        };
        let mut index = index_header(0).to_vec();
        index.extend(entry.to_bytes());
        index.extend(&entry.to_bytes()[..20]);
        assert_eq!(read_index(&index), [entry]);
    }
}
