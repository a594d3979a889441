//! The index as bytes that are searched where they lie. Byte map: `docs/formats/payload-index.md`.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::column::{Column, ENTRY_BYTES};
use super::field::Field;
use super::keys::ROW_BYTES;
use super::{Damaged, PayloadIndex};

const MAGIC: &[u8; 8] = b"OUZELPAY";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 48;
/// Parts of a field, and which of them are made of entries of one size.
const PARTS: [usize; 9] = [
    ROW_BYTES,
    1,
    ROW_BYTES,
    1,
    ENTRY_BYTES,
    ENTRY_BYTES,
    1,
    1,
    1,
];

/// Bytes that are no index of payloads, or not all of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIndex {
    /// It is something else. Build the index anew from the points.
    #[error("this is no payload index")]
    NoIndex,
    /// Upgrade, or build the index anew from the points.
    #[error("the payload index has format {version}, this program reads {VERSION}")]
    Newer {
        /// Its version.
        version: u16,
    },
    /// Bytes are not what was written. Build the index anew from the points.
    #[error("the payload index is damaged: {what}")]
    Damaged {
        /// Where.
        what: &'static str,
    },
}

impl From<Damaged> for BadIndex {
    fn from(_: Damaged) -> Self {
        Self::Damaged {
            what: "a part does not hold what it says",
        }
    }
}

/// Parts on their way to a file.
#[derive(Default)]
pub(super) struct Sections {
    body: Vec<u8>,
    /// Start, length and checksum of each, as the directory has them.
    rows: Vec<u8>,
}

impl Sections {
    pub(super) fn add(&mut self, part: Vec<u8>) {
        self.rows.extend((self.body.len() as u64).to_le_bytes());
        self.rows.extend((part.len() as u64).to_le_bytes());
        self.rows.extend(crc32fast::hash(&part).to_le_bytes());
        self.body.extend(part);
    }

    pub(super) fn add_column(&mut self, column: &Column) {
        let mut part = Vec::with_capacity(column.len() as usize * ENTRY_BYTES);
        for (key, rest) in column.sorted() {
            part.extend(key.to_le_bytes());
            part.extend(rest.to_le_bytes());
        }
        self.add(part);
    }

    fn take_rows(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rows)
    }
}

/// Checked parts on their way from a file.
pub(super) struct Parts(std::vec::IntoIter<Bytes>);

impl Parts {
    /// The next one; empty after the last.
    pub(super) fn next(&mut self) -> Bytes {
        self.0.next().unwrap_or_default()
    }
}

impl PayloadIndex {
    /// The whole index as bytes.
    ///
    /// # Errors
    /// `Damaged` when the bytes it was opened from are.
    pub fn freeze(&self) -> Result<Vec<u8>, BadIndex> {
        let (mut sections, mut directory) = (Sections::default(), Vec::new());
        sections.add_column(&self.event_at);
        directory.extend(sections.take_rows());
        for (name, field) in &self.fields {
            directory.extend((name.len() as u32).to_le_bytes());
            directory.extend_from_slice(name.as_bytes());
            directory.push(u8::from(field.wholes.is_some()));
            for slots in [&field.present, &field.several, &field.long] {
                directory.extend(slots.len().to_le_bytes());
            }
            field.freeze(&mut sections)?;
            directory.extend(sections.take_rows());
        }
        let mut bytes = Vec::with_capacity(HEADER_BYTES + directory.len() + sections.body.len());
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((HEADER_BYTES as u16).to_le_bytes());
        bytes.extend(self.slots.to_le_bytes());
        bytes.extend((self.fields.len() as u32).to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend((directory.len() as u64).to_le_bytes());
        bytes.extend((sections.body.len() as u64).to_le_bytes());
        bytes.extend(crc32fast::hash(&directory).to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes.extend(directory);
        bytes.extend(sections.body);
        Ok(bytes)
    }

    /// The index that these bytes are. Reads the directory and nothing of the slots; later payloads
    /// lie beside the bytes in memory.
    ///
    /// Bytes of a part that are not what was written make a condition cost a look at every point
    /// where that is noticed, and answers wrong where it is not: [`verify`](Self::verify) notices.
    ///
    /// # Errors
    /// `BadIndex`: build it anew from the points.
    pub fn open(bytes: Bytes) -> Result<Self, BadIndex> {
        let damaged = |what| BadIndex::Damaged { what };
        if bytes.get(..8) != Some(MAGIC) {
            return Err(BadIndex::NoIndex);
        }
        let mut header = Reader(bytes.get(8..).unwrap_or_default());
        let version = header.u16()?;
        if version != VERSION {
            return Err(BadIndex::Newer { version });
        }
        let (_size, slots, fields, _zero) =
            (header.u16()?, header.u32()?, header.u32()?, header.u32()?);
        let (directory_len, body_len) = (header.u64()?, header.u64()?);
        let (directory_crc, crc) = (header.u32()?, header.u32()?);
        if crc32fast::hash(&bytes[..HEADER_BYTES - 4]) != crc {
            return Err(damaged("its header"));
        }
        let rest = bytes.slice(HEADER_BYTES..);
        let ends = directory_len.checked_add(body_len);
        if ends != Some(rest.len() as u64) {
            return Err(damaged("its length"));
        }
        let body = rest.slice(directory_len as usize..);
        let directory = &rest[..directory_len as usize];
        if crc32fast::hash(directory) != directory_crc {
            return Err(damaged("its directory"));
        }
        let mut reader = Reader(directory);
        let mut checks = Vec::new();
        let event_at = reader.part(&body, ENTRY_BYTES, &mut checks)?;
        let mut index = Self {
            slots,
            fields: BTreeMap::new(),
            event_at: Column::open(event_at),
            checks: Vec::new(),
        };
        for _ in 0..fields {
            let (name, field) = reader.field(slots, &body, &mut checks)?;
            index.fields.insert(name, field);
        }
        index.checks = checks;
        Ok(index)
    }

    /// Reads all bytes it was opened from and compares checksums.
    ///
    /// # Errors
    /// `Damaged`: build it anew from the points.
    pub fn verify(&self) -> Result<(), BadIndex> {
        let differs = |(part, crc): &(Bytes, u32)| crc32fast::hash(part) != *crc;
        if self.checks.iter().any(differs) {
            return Err(BadIndex::Damaged {
                what: "a part differs from its checksum",
            });
        }
        Ok(())
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8], BadIndex> {
        let short = BadIndex::Damaged {
            what: "it ends too early",
        };
        let (taken, rest) = self.0.split_at_checked(count).ok_or(short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadIndex> {
        let taken = self.take(N)?;
        Ok(std::array::from_fn(|n| taken[n]))
    }

    fn u16(&mut self) -> Result<u16, BadIndex> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, BadIndex> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, BadIndex> {
        self.array().map(u64::from_le_bytes)
    }

    fn part(
        &mut self,
        body: &Bytes,
        entry_bytes: usize,
        checks: &mut Vec<(Bytes, u32)>,
    ) -> Result<Bytes, BadIndex> {
        let (at, len, crc) = (self.u64()?, self.u64()?, self.u32()?);
        let end = at.checked_add(len);
        let end = end.filter(|&end| end <= body.len() as u64 && len % entry_bytes as u64 == 0);
        let end = end.ok_or(BadIndex::Damaged {
            what: "a part lies outside",
        })?;
        let part = body.slice(at as usize..end as usize);
        checks.push((part.clone(), crc));
        Ok(part)
    }

    fn field(
        &mut self,
        slots: u32,
        body: &Bytes,
        checks: &mut Vec<(Bytes, u32)>,
    ) -> Result<(Box<str>, Field), BadIndex> {
        let len = self.u32()? as usize;
        let name = std::str::from_utf8(self.take(len)?);
        let name = name.map_err(|_| BadIndex::Damaged {
            what: "a name is not UTF-8",
        })?;
        let name = name.into();
        let has_wholes = self.array::<1>()?[0] != 0;
        let counts = [self.u64()?, self.u64()?, self.u64()?];
        let mut parts = Vec::with_capacity(PARTS.len());
        for entry_bytes in PARTS {
            parts.push(self.part(body, entry_bytes, checks)?);
        }
        let mut parts = Parts(parts.into_iter());
        Ok((name, Field::open(slots, has_wholes, counts, &mut parts)))
    }
}
