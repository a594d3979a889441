//! A DBN file or fragment, plain or packed with zstd, one record at a time.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use wire::dbn::{self, Metadata, PRELUDE_SIZE};

/// Bytes read ahead: many records, and no more memory however long the file is.
const BUFFER: usize = 1 << 20;
/// A header with a million symbol mappings is below this.
const HEADER_LIMIT: usize = 1 << 28;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Why a file cannot be read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum DbnFault {
    /// Reading or unpacking failed: what came before is good.
    #[error("the file cannot be read or unpacked further")]
    Io(#[from] io::Error),
    /// The bytes are not DBN, or are cut.
    #[error(transparent)]
    Format(#[from] dbn::Error),
    /// A header larger than any that would be sent.
    #[error("the DBN header says {0} bytes, more than the 256 MiB allowed: the file is damaged")]
    Header(usize),
}

/// Reads records, unpacking on the way: several zstd frames, one after another, are one file.
/// Memory is bounded: the header, one buffer, the unpacker's window.
pub struct DbnFile {
    reader: Box<dyn Read + Send>,
    header: Vec<u8>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    bytes: u64,
    has_ended: bool,
}

/// Whether a file that begins with `start` may be DBN: told by the header, the packing, or the
/// first record of a fragment.
#[must_use]
pub fn looks_like_dbn(start: &[u8]) -> bool {
    let is_fragment = || {
        dbn::Records::new(start)
            .next()
            .is_some_and(|first| first.is_ok())
    };
    start.starts_with(b"DBN")
        || start.starts_with(&ZSTD_MAGIC)
        || dbn::is_legacy(start)
        || is_fragment()
}

impl DbnFile {
    /// Opens `path` and reads its header, if it has one.
    ///
    /// # Errors
    /// When it cannot be read or is neither a DBN file nor a fragment.
    pub fn open(path: &Path) -> Result<Self, DbnFault> {
        Self::over(File::open(path)?)
    }

    /// The same over any bytes.
    ///
    /// # Errors
    /// As [`DbnFile::open`].
    pub fn over(reader: impl Read + Send + 'static) -> Result<Self, DbnFault> {
        let mut file = Self {
            reader: Box::new(io::empty()),
            header: Vec::new(),
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            bytes: 0,
            has_ended: false,
        };
        file.reader = Box::new(reader);
        file.fill(PRELUDE_SIZE + 8)?;
        if dbn::is_legacy(file.unread()) {
            return Err(dbn::Error::LegacyDbz.into());
        }
        if file.unread().starts_with(&ZSTD_MAGIC) {
            let packed = file.unread().to_vec();
            let rest = std::mem::replace(&mut file.reader, Box::new(io::empty()));
            file.reader = Box::new(zstd::stream::read::Decoder::new(
                io::Cursor::new(packed).chain(rest),
            )?);
            (file.start, file.end, file.has_ended) = (0, 0, false);
            file.fill(PRELUDE_SIZE)?;
        }
        if file.unread().starts_with(b"DBN") {
            file.read_header()?;
        } else {
            file.check_fragment()?;
        }
        Ok(file)
    }

    /// The header; `None` for a fragment.
    #[must_use]
    pub fn metadata(&self) -> Option<Metadata<'_>> {
        Metadata::parse(&self.header)
            .ok()
            .map(|(metadata, _)| metadata)
    }

    /// The header as it came; empty for a fragment.
    #[must_use]
    pub fn header_bytes(&self) -> &[u8] {
        &self.header
    }

    /// Whether the next record is here already, so that it can be had without waiting.
    #[must_use]
    pub fn has_record(&self) -> bool {
        let mut records = dbn::Records::new(self.unread());
        matches!(records.next_bytes(), Some(Ok(_)))
    }

    /// Unpacked bytes of records handed over.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes of the next record, to be given to [`dbn::split`]; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read on: it ends there. What came before is good.
    pub fn next_record(&mut self) -> Option<Result<&[u8], DbnFault>> {
        let length = match self.next_length() {
            Ok(0) => return None,
            Ok(length) => length,
            Err(fault) => {
                self.start = self.end;
                self.has_ended = true;
                return Some(Err(fault));
            }
        };
        let at = self.start;
        self.start += length;
        self.bytes += length as u64;
        Some(Ok(&self.buffer[at..self.start]))
    }

    /// Bytes of the record at `start`, all in the buffer; 0 at the end.
    fn next_length(&mut self) -> Result<usize, DbnFault> {
        if self.start == self.end {
            self.fill(1)?;
        }
        let mut records = dbn::Records::new(self.unread());
        match records.next_bytes() {
            None => Ok(0),
            Some(Ok(bytes)) => Ok(bytes.len()),
            Some(Err(dbn::Error::RecordCut { want, .. })) => {
                self.fill(want)?;
                let have = self.unread().len();
                if have < want {
                    return Err(dbn::Error::RecordCut { want, have }.into());
                }
                Ok(want)
            }
            Some(Err(error)) => Err(error.into()),
        }
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Reads until `want` unread bytes are in the buffer, or the file has ended.
    fn fill(&mut self, want: usize) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        while self.end < want && !self.has_ended {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.has_ended = true,
                Ok(count) => self.end += count,
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn read_header(&mut self) -> Result<(), DbnFault> {
        self.fill(PRELUDE_SIZE)?;
        let length = self.unread().first_chunk::<PRELUDE_SIZE>();
        let length = length.map_or(0, |&[.., a, b, c, d]| u32::from_le_bytes([a, b, c, d]));
        let size = PRELUDE_SIZE + length as usize;
        if size > HEADER_LIMIT {
            return Err(DbnFault::Header(size));
        }
        let here = self.unread().len().min(size);
        self.header = self.unread()[..here].to_vec();
        self.start += here;
        let missing = (size - here) as u64;
        self.reader
            .by_ref()
            .take(missing)
            .read_to_end(&mut self.header)?;
        Metadata::parse(&self.header)?;
        Ok(())
    }

    /// A fragment has no mark of its own: its first record must be one.
    fn check_fragment(&mut self) -> Result<(), DbnFault> {
        let length = self.next_length().map_err(|_| dbn::Error::NotDbn)?;
        let first = &self.unread()[..length];
        if length > 0 && dbn::decode(first).is_err() {
            return Err(dbn::Error::NotDbn.into());
        }
        Ok(())
    }
}
