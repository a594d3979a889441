//! Reads the packed weights file: checks it whole, then lends its tensors by name.
//!
//! Byte map: docs/formats/minilm-asset.md. All integers are little-endian.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::Error;
use crate::identity::ModelId;

const MAGIC: &[u8; 8] = b"OUZELEMB";
const VERSION: u32 = 1;
const HEADER_SIZE: usize = 128;
const ENTRY_SIZE: usize = 64;
/// The checksum covers everything from here to the end.
const GUARDED_FROM: usize = 32;
const TENSORS_MAX: usize = 4096;

/// The model's sizes, as the header states them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dims {
    pub vocabulary: usize,
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub positions: usize,
    pub tokens_default: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    F32,
    I8,
    Text,
}

#[derive(Debug)]
struct Entry {
    name: String,
    kind: Kind,
    rows: usize,
    columns: usize,
    bytes: Range<usize>,
}

/// A checked weights file.
#[derive(Debug)]
pub(crate) struct Asset {
    bytes: Cow<'static, [u8]>,
    entries: Vec<Entry>,
    pub dims: Dims,
    pub model_id: ModelId,
}

impl Asset {
    /// Checks `bytes` from end to end and reads the tensor table.
    pub fn read(bytes: Cow<'static, [u8]>) -> Result<Self, Error> {
        check_whole(&bytes)?;
        let number = |at: usize| read_u32(&bytes, 64 + 4 * at) as usize;
        let dims = Dims {
            vocabulary: number(0),
            hidden: number(1),
            layers: number(2),
            heads: number(3),
            intermediate: number(4),
            positions: number(5),
            tokens_default: number(6),
        };
        let name = read_name(&bytes[96..128]).ok_or_else(|| shape("header.name"))?;
        let (sha256, _) = bytes[32..]
            .split_first_chunk()
            .expect("the header was checked to be whole");
        let entries = read_table(&bytes)?;
        Ok(Self {
            model_id: ModelId::new(&name, sha256),
            entries,
            dims,
            bytes,
        })
    }

    /// The int8 tensor `name`, which must be `[rows, columns]`.
    pub fn i8(&self, name: &str, rows: usize, columns: usize) -> Result<&[u8], Error> {
        let range = self.find(name, Kind::I8, rows, columns)?;
        Ok(&self.bytes[range])
    }

    /// Where the int8 tensor `name` lies in [`Asset::into_bytes`].
    pub fn i8_range(&self, name: &str, rows: usize, columns: usize) -> Result<Range<usize>, Error> {
        self.find(name, Kind::I8, rows, columns)
    }

    /// The f32 tensor `name`, which must hold `rows * columns` finite numbers.
    pub fn f32(&self, name: &str, rows: usize, columns: usize) -> Result<Vec<f32>, Error> {
        let range = self.find(name, Kind::F32, rows, columns)?;
        let (numbers, _) = self.bytes[range].as_chunks::<4>();
        let values: Vec<f32> = numbers
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(shape(name));
        }
        Ok(values)
    }

    /// The text tensor `name` of `lines` lines.
    pub fn text(&self, name: &str, lines: usize) -> Result<&str, Error> {
        let found = self
            .entries
            .iter()
            .find(|entry| entry.name == name && entry.kind == Kind::Text);
        let entry = found
            .filter(|entry| entry.rows == lines)
            .ok_or_else(|| shape(name))?;
        std::str::from_utf8(&self.bytes[entry.bytes.clone()]).map_err(|_| shape(name))
    }

    /// The whole file, in which the ranges lie.
    pub fn into_bytes(self) -> Cow<'static, [u8]> {
        self.bytes
    }

    fn find(
        &self,
        name: &str,
        kind: Kind,
        rows: usize,
        columns: usize,
    ) -> Result<Range<usize>, Error> {
        let want = |entry: &&Entry| {
            entry.name == name
                && entry.kind == kind
                && entry.rows == rows
                && entry.columns == columns
        };
        let entry = self.entries.iter().find(want).ok_or_else(|| shape(name))?;
        Ok(entry.bytes.clone())
    }
}

/// Magic, version, size and checksum, in the order in which a wrong file is best explained.
fn check_whole(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() < MAGIC.len() || &bytes[..MAGIC.len()] != MAGIC {
        return Err(Error::NotAModel);
    }
    let have = bytes.len() as u64;
    if bytes.len() < HEADER_SIZE {
        return Err(Error::Size {
            have,
            want: HEADER_SIZE as u64,
        });
    }
    let found = read_u32(bytes, 8);
    if found != VERSION {
        return Err(Error::Version {
            found,
            want: VERSION,
        });
    }
    let want = read_u64(bytes, 16);
    if have != want {
        return Err(Error::Size { have, want });
    }
    let (found, want) = (crc32fast::hash(&bytes[GUARDED_FROM..]), read_u32(bytes, 24));
    if found != want {
        return Err(Error::Checksum { found, want });
    }
    Ok(())
}

fn read_table(bytes: &[u8]) -> Result<Vec<Entry>, Error> {
    let count = read_u32(bytes, 12) as usize;
    if count > TENSORS_MAX || HEADER_SIZE + count * ENTRY_SIZE > bytes.len() {
        return Err(shape("header.tensor_count"));
    }
    let table = &bytes[HEADER_SIZE..HEADER_SIZE + count * ENTRY_SIZE];
    table
        .chunks_exact(ENTRY_SIZE)
        .map(|entry| read_entry(entry, bytes.len()))
        .collect()
}

fn read_entry(entry: &[u8], file_size: usize) -> Result<Entry, Error> {
    let name = read_name(&entry[..40]).ok_or_else(|| shape("table.name"))?;
    let (kind, size_of_one) = match read_u32(entry, 40) {
        0 => (Kind::F32, 4),
        1 => (Kind::I8, 1),
        2 => (Kind::Text, 1),
        _ => return Err(shape(&name)),
    };
    let (rows, columns) = (read_u32(entry, 44) as usize, read_u32(entry, 48) as usize);
    // A text's `columns` is its size in bytes, its `rows` the number of lines in it.
    let items = if kind == Kind::Text {
        Some(columns)
    } else {
        rows.checked_mul(columns)
    };
    let size = items.and_then(|items| items.checked_mul(size_of_one));
    let start = usize::try_from(read_u64(entry, 56)).ok();
    let range = start
        .zip(size)
        .and_then(|(start, size)| Some(start..start.checked_add(size)?));
    let range = range
        .filter(|range| range.end <= file_size)
        .ok_or_else(|| shape(&name))?;
    Ok(Entry {
        name,
        kind,
        rows,
        columns,
        bytes: range,
    })
}

fn read_name(padded: &[u8]) -> Option<String> {
    let end = padded
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(padded.len());
    let name = std::str::from_utf8(&padded[..end]).ok()?;
    name.is_ascii().then(|| name.to_owned())
}

pub(crate) fn shape(what: &str) -> Error {
    Error::Shape {
        what: what.to_owned(),
    }
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    let (first, _) = bytes[at..]
        .split_first_chunk()
        .expect("callers stay within the header");
    u32::from_le_bytes(*first)
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    let (first, _) = bytes[at..]
        .split_first_chunk()
        .expect("callers stay within the header");
    u64::from_le_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of one tensor, `numbers` = [1, 2] f32.
    fn small() -> Vec<u8> {
        let mut content = vec![0; ENTRY_SIZE + 8];
        content[..7].copy_from_slice(b"numbers");
        content[44..48].copy_from_slice(&1_u32.to_le_bytes());
        content[48..52].copy_from_slice(&2_u32.to_le_bytes());
        content[56..64].copy_from_slice(&((HEADER_SIZE + ENTRY_SIZE) as u64).to_le_bytes());
        content[64..68].copy_from_slice(&1.5_f32.to_le_bytes());
        content[68..72].copy_from_slice(&(-2.0_f32).to_le_bytes());
        let mut file = vec![0; HEADER_SIZE];
        file[..8].copy_from_slice(MAGIC);
        file[8..12].copy_from_slice(&VERSION.to_le_bytes());
        file[12..16].copy_from_slice(&1_u32.to_le_bytes());
        file.extend(content);
        let size = file.len() as u64;
        file[16..24].copy_from_slice(&size.to_le_bytes());
        reseal(&mut file);
        file
    }

    fn reseal(file: &mut [u8]) {
        let sum = crc32fast::hash(&file[GUARDED_FROM..]);
        file[24..28].copy_from_slice(&sum.to_le_bytes());
    }

    fn read(file: Vec<u8>) -> Result<Asset, Error> {
        Asset::read(Cow::Owned(file))
    }

    #[test]
    fn a_whole_file_lends_its_tensors() {
        let asset = read(small()).unwrap();
        assert_eq!(asset.f32("numbers", 1, 2).unwrap(), [1.5, -2.0]);
        assert_eq!(asset.f32("numbers", 2, 1).unwrap_err(), shape("numbers"));
        assert_eq!(asset.i8("numbers", 1, 2).unwrap_err(), shape("numbers"));
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_refused() {
        let whole = small();
        for cut in 0..whole.len() {
            assert!(read(whole[..cut].to_vec()).is_err(), "cut at {cut}");
        }
        for at in (0..whole.len()).filter(|at| !(28..32).contains(at)) {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            // The tensor count is checked by the table's fit, not by the checksum.
            assert!(read(changed).is_err(), "byte {at}");
        }
        let mut longer = whole;
        longer.push(0);
        assert!(matches!(read(longer), Err(Error::Size { .. })));
    }

    #[test]
    fn the_error_names_the_cause() {
        let mut other = small();
        other[8] = 9;
        assert_eq!(
            read(other).unwrap_err(),
            Error::Version { found: 9, want: 1 }
        );
        assert_eq!(read(b"GGUF....".to_vec()).unwrap_err(), Error::NotAModel);
        let mut beyond = small();
        beyond[HEADER_SIZE + 56] = 0xff;
        reseal(&mut beyond);
        assert_eq!(read(beyond).unwrap_err(), shape("numbers"));
    }
}
