//! The bytes of segment headers and records. Byte map: `docs/formats/collection-log.md`.

use super::Entry;

/// Bytes before the first record of a segment.
pub const SEGMENT_HEADER_SIZE: usize = 32;
/// Bytes before the body of a record.
pub const RECORD_HEADER_SIZE: usize = 25;

const MAGIC: [u8; 8] = *b"OUZELLOG";
const VERSION: u16 = 1;
/// A batch is at most 16 MiB; twice that leaves room for entries of later kinds.
const BODY_LIMIT: usize = 32 << 20;

/// Why a header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadHeader {
    Short,
    NotOurs,
    Checksum,
    Newer,
}

impl BadHeader {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Short => "the header is cut short",
            Self::NotOurs => "the header does not start with OUZELLOG",
            Self::Checksum => "the header's checksum does not match",
            Self::Newer => "the header's version is newer",
        }
    }
}

/// The header of a segment whose first record is `first_seq`.
pub(super) fn segment_header(first_seq: u64) -> [u8; SEGMENT_HEADER_SIZE] {
    let mut header = [0; SEGMENT_HEADER_SIZE];
    header[..8].copy_from_slice(&MAGIC);
    header[8..10].copy_from_slice(&VERSION.to_le_bytes());
    header[10..12].copy_from_slice(&(SEGMENT_HEADER_SIZE as u16).to_le_bytes());
    header[16..24].copy_from_slice(&first_seq.to_le_bytes());
    let crc = crc32fast::hash(&header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// The number of a segment's first record.
pub(super) fn parse_segment_header(bytes: &[u8]) -> Result<u64, BadHeader> {
    let header = bytes.get(..SEGMENT_HEADER_SIZE).ok_or(BadHeader::Short)?;
    if header[..8] != MAGIC {
        return Err(BadHeader::NotOurs);
    }
    if crc32fast::hash(&header[..28]) != u32_at(header, 28) {
        return Err(BadHeader::Checksum);
    }
    if u16::from_le_bytes([header[8], header[9]]) != VERSION {
        return Err(BadHeader::Newer);
    }
    Ok(u64_at(header, 16))
}

/// A record that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub entry: Entry<'a>,
    /// Every number below was known to be synced when this record was written.
    pub synced_next: u64,
    /// Bytes it takes in the file.
    pub size: usize,
}

/// Appends a record to `out`.
pub(super) fn write_record(entry: &Entry<'_>, synced_next: u64, out: &mut Vec<u8>) {
    let start = out.len();
    let len = u32::try_from(entry.body.len()).expect("bodies are limited to 32 MiB");
    out.extend(len.to_le_bytes());
    out.extend([0; 4]);
    out.extend(entry.seq.to_le_bytes());
    out.extend(synced_next.to_le_bytes());
    out.push(entry.kind);
    out.extend_from_slice(entry.body);
    let crc = checksum(&out[start..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

/// Reads the record at the start of `bytes`.
///
/// # Errors
/// Says what does not hold.
pub(super) fn parse_record(bytes: &[u8]) -> Result<Record<'_>, &'static str> {
    if bytes.len() < RECORD_HEADER_SIZE {
        return Err("the record's header is cut short");
    }
    let len = u32_at(bytes, 0) as usize;
    if len > BODY_LIMIT {
        return Err("the record's length is over the limit");
    }
    let size = RECORD_HEADER_SIZE + len;
    let record = bytes.get(..size).ok_or("the record is cut short")?;
    if checksum(record) != u32_at(record, 4) {
        return Err("the record's checksum does not match");
    }
    let entry = Entry {
        seq: u64_at(record, 8),
        kind: record[24],
        body: &record[RECORD_HEADER_SIZE..],
    };
    Ok(Record {
        entry,
        synced_next: u64_at(record, 16),
        size,
    })
}

/// Whether bytes after a bad record numbered `bad_seq` prove that it had been synced: a good record
/// that was written when all numbers up to it were. Without such a witness, the bad record and what
/// follows it may be writes that a crash cut or reordered, and none of them was acknowledged as
/// durable by a later one.
pub(super) fn has_witness(bytes: &[u8], bad_seq: u64) -> bool {
    let most = bad_seq + bytes.len() as u64;
    let mut at = 1;
    while at + RECORD_HEADER_SIZE <= bytes.len() {
        let seq = u64_at(bytes, at + 8);
        let plausible = seq > bad_seq && seq <= most && u64_at(bytes, at + 16) <= seq;
        match plausible.then(|| parse_record(&bytes[at..])) {
            Some(Ok(record)) if record.synced_next > bad_seq => return true,
            Some(Ok(record)) => at += record.size,
            _ => at += 1,
        }
    }
    false
}

/// Covers everything but the checksum's own four bytes.
fn checksum(record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&record[..4]);
    hasher.update(&record[8..]);
    hasher.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout() {
        let header = segment_header(0x0102);
        assert_eq!(&header[..12], b"OUZELLOG\x01\0\x20\0");
        assert_eq!(header[16..18], [2, 1]);
        assert_eq!(parse_segment_header(&header), Ok(0x0102));
        let mut bytes = Vec::new();
        write_record(
            &Entry {
                seq: 7,
                kind: 2,
                body: b"abc",
            },
            6,
            &mut bytes,
        );
        assert_eq!(bytes.len(), RECORD_HEADER_SIZE + 3);
        assert_eq!((bytes[0], bytes[8], bytes[16], bytes[24]), (3, 7, 6, 2));
        let record = parse_record(&bytes).expect("own bytes");
        assert_eq!((record.entry.body, record.synced_next), (&b"abc"[..], 6));
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let mut bytes = Vec::new();
        write_record(
            &Entry {
                seq: 7,
                kind: 2,
                body: b"abc",
            },
            6,
            &mut bytes,
        );
        let header = segment_header(3);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(parse_record(&bad).is_err(), "bit {bit}");
        }
        for bit in 0..header.len() * 8 {
            let mut bad = header;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(parse_segment_header(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_witness_is_a_later_record_that_knew_of_the_sync() {
        let record = |seq, synced_next| {
            let mut bytes = Vec::new();
            write_record(
                &Entry {
                    seq,
                    kind: 2,
                    body: b"xyz",
                },
                synced_next,
                &mut bytes,
            );
            bytes
        };
        let mut bad = record(5, 4);
        bad[30 - 4] ^= 1;
        for (synced_next, want) in [(4, false), (5, false), (6, true)] {
            let bytes = [bad.clone(), record(6, synced_next)].concat();
            assert_eq!(has_witness(&bytes, 5), want, "{synced_next}");
        }
        // Found although the bad record's length lies.
        bad[0] = 0xff;
        assert!(has_witness(&[bad, record(6, 6)].concat(), 5));
    }
}
