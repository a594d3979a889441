//! A file of checked sections, written once from front to back. Byte map: `docs/formats/checkpoint.md`.

use bytes::Bytes;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, little_endian as le};

use crate::Error;
use crate::disk::{Disk, DiskFile};

const MAGIC: [u8; 8] = *b"OUZELCKP";
/// The newest that is read; 1 has all rows in blocks, and tables that name them otherwise.
const VERSION: u16 = 2;
/// Every section starts at a multiple of this, so that it can be looked at in place and mapped as lines.
const ALIGN: u64 = 4096;

/// The first bytes of a file.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    version: le::U16,
    kind: u8,
    zero: [u8; 5],
}

/// Where a section lies.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Place {
    kind: le::U32,
    crc: le::U32,
    offset: le::U64,
    len: le::U64,
}

/// The last bytes of a file.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Trailer {
    table: le::U64,
    count: le::U32,
    /// Of header and table.
    crc: le::U32,
    magic: [u8; 8],
}

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The state but rows and points.
    Tables = 1,
    /// Rows and points of whole blocks.
    Blocks = 2,
    /// The graph.
    Graph = 3,
    /// Rows that were moved out of it.
    Cold = 4,
}

impl Kind {
    /// The version that such files are written in.
    fn version(self) -> u16 {
        match self {
            Self::Tables | Self::Blocks => VERSION,
            Self::Graph | Self::Cold => 1,
        }
    }
}

/// A file being written. It has its name only once it is [`published`](Self::publish).
pub(crate) struct Writer<'d> {
    disk: &'d dyn Disk,
    file: Box<dyn DiskFile>,
    temp: String,
    header: Header,
    places: Vec<Place>,
    at: u64,
}

/// Names of files that are not finished.
pub(crate) const TEMP_SUFFIX: &str = ".tmp";

impl<'d> Writer<'d> {
    /// Begins a file.
    pub(crate) fn create(disk: &'d dyn Disk, kind: Kind, name: &str) -> Result<Self, Error> {
        let temp = format!("{name}{TEMP_SUFFIX}");
        // One that a crash left.
        if disk.size(&temp).is_ok() {
            disk.remove(&temp).map_err(Error::io("remove", &temp))?;
        }
        let file = disk.create(&temp).map_err(Error::io("create", &temp))?;
        let header = Header {
            magic: MAGIC,
            version: kind.version().into(),
            kind: kind as u8,
            zero: [0; 5],
        };
        let mut writer = Self {
            disk,
            file,
            temp,
            header,
            places: Vec::new(),
            at: 0,
        };
        let bytes = writer.header.as_bytes().to_vec();
        writer.append(&bytes)?;
        Ok(writer)
    }

    /// Writes a section; several may have one kind.
    pub(crate) fn section(&mut self, kind: u32, bytes: &[u8]) -> Result<(), Error> {
        self.section_of(kind, std::iter::once(bytes))
    }

    /// Writes a section from parts.
    pub(crate) fn section_of<'b>(
        &mut self,
        kind: u32,
        parts: impl Iterator<Item = &'b [u8]>,
    ) -> Result<(), Error> {
        let padding = self.at.next_multiple_of(ALIGN) - self.at;
        self.append(&[0; ALIGN as usize][..padding as usize])?;
        let offset = self.at;
        let mut crc = crc32fast::Hasher::new();
        for part in parts {
            crc.update(part);
            self.append(part)?;
        }
        self.places.push(Place {
            kind: kind.into(),
            crc: crc.finalize().into(),
            offset: offset.into(),
            len: (self.at - offset).into(),
        });
        Ok(())
    }

    /// Bytes so far.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.at
    }

    /// Ends the file, makes it durable and gives it its name.
    pub(crate) fn publish(mut self, name: &str) -> Result<(), Error> {
        let table = self.places.as_bytes().to_vec();
        let mut crc = crc32fast::Hasher::new();
        crc.update(self.header.as_bytes());
        crc.update(&table);
        let trailer = Trailer {
            table: self.at.into(),
            count: (self.places.len() as u32).into(),
            crc: crc.finalize().into(),
            magic: MAGIC,
        };
        self.append(&table)?;
        self.append(trailer.as_bytes())?;
        self.file.sync().map_err(Error::io("sync", &self.temp))?;
        self.disk
            .rename(&self.temp, name)
            .map_err(Error::io("rename", &self.temp))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file
            .append(bytes)
            .map_err(Error::io("append to", &self.temp))?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

/// A file of sections, mapped.
#[derive(Clone, Debug)]
pub(crate) struct Sections {
    name: String,
    bytes: Bytes,
    places: Vec<Place>,
}

impl Sections {
    /// Opens a file; its table is checked, its sections are not.
    ///
    /// # Errors
    /// `Corrupt`, `Newer` or `Io`.
    pub(crate) fn open(disk: &dyn Disk, kind: Kind, name: &str) -> Result<Self, Error> {
        let bytes = disk.map(name).map_err(Error::io("open", name))?;
        let corrupt = |offset: usize, reason: &str| Error::Corrupt {
            file: name.to_owned(),
            offset: offset as u64,
            reason: reason.to_owned(),
        };
        let Some((header, _)) = Header::ref_from_prefix(&bytes).ok() else {
            return Err(corrupt(0, "shorter than a header"));
        };
        if header.magic != MAGIC || header.kind != kind as u8 {
            return Err(corrupt(0, "the header is not that of such a file"));
        }
        if header.version.get() > VERSION {
            return Err(Error::Newer { what: name.into() });
        }
        let Some((rest, trailer)) = Trailer::ref_from_suffix(&bytes).ok() else {
            return Err(corrupt(0, "shorter than a trailer"));
        };
        let end = rest.len();
        let table = usize::try_from(trailer.table.get()).ok();
        let table = table.and_then(|at| rest.get(at..));
        let places = table.and_then(|table| <[Place]>::ref_from_bytes(table).ok());
        let Some(places) = places.filter(|p| p.len() == trailer.count.get() as usize) else {
            return Err(corrupt(end, "the trailer says no table"));
        };
        let mut crc = crc32fast::Hasher::new();
        crc.update(header.as_bytes());
        crc.update(places.as_bytes());
        if trailer.magic != MAGIC || crc.finalize() != trailer.crc.get() {
            return Err(corrupt(end, "the checksum of the table does not match"));
        }
        let is_inside = |place: &Place| {
            let to = place.offset.get().checked_add(place.len.get());
            to.is_some_and(|to| to <= end as u64)
        };
        if !places.iter().all(is_inside) {
            return Err(corrupt(end, "a section ends behind the file"));
        }
        Ok(Self {
            name: name.to_owned(),
            places: places.to_vec(),
            bytes,
        })
    }

    /// The file's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The sections of a kind, in the order in which they were written.
    pub(crate) fn all(&self, kind: u32) -> impl Iterator<Item = Bytes> {
        let of_kind = self.places.iter().filter(move |p| p.kind.get() == kind);
        of_kind.map(|place| self.at(place))
    }

    /// The section of a kind.
    ///
    /// # Errors
    /// `Corrupt` when there is none.
    pub(crate) fn one(&self, kind: u32) -> Result<Bytes, Error> {
        let missing = || self.corrupt(0, &format!("there is no section of kind {kind}"));
        self.all(kind).next().ok_or_else(missing)
    }

    /// Where the sections of a kind lie: offset and length.
    pub(crate) fn places(&self, kind: u32) -> impl Iterator<Item = (u64, usize)> {
        let of_kind = self.places.iter().filter(move |p| p.kind.get() == kind);
        of_kind.map(|place| (place.offset.get(), place.len.get() as usize))
    }

    /// Reads all sections of these kinds and compares their checksums.
    ///
    /// # Errors
    /// `Corrupt` for the first that does not match.
    pub(crate) fn verify(&self, is_meant: impl Fn(u32) -> bool) -> Result<(), Error> {
        let meant = self
            .places
            .iter()
            .filter(|place| is_meant(place.kind.get()));
        for place in meant {
            if crc32fast::hash(&self.at(place)) != place.crc.get() {
                let kind = place.kind.get();
                let reason = format!("the checksum of a section of kind {kind} does not match");
                return Err(self.corrupt(place.offset.get(), &reason));
            }
        }
        Ok(())
    }

    /// Copies the file under its name to another disk.
    ///
    /// # Errors
    /// `Corrupt` when a section is not what was written, else `Io`.
    pub(crate) fn copy(&self, to: &dyn Disk) -> Result<(), Error> {
        self.verify(|_| true)?;
        let temp = format!("{}{TEMP_SUFFIX}", self.name);
        let mut file = to.create(&temp).map_err(Error::io("create", &temp))?;
        file.append(&self.bytes)
            .map_err(Error::io("append to", &temp))?;
        file.sync().map_err(Error::io("sync", &temp))?;
        to.rename(&temp, &self.name)
            .map_err(Error::io("rename", &temp))
    }

    /// The error of something in this file.
    pub(crate) fn corrupt(&self, offset: u64, reason: &str) -> Error {
        Error::Corrupt {
            file: self.name.clone(),
            offset,
            reason: reason.to_owned(),
        }
    }

    fn at(&self, place: &Place) -> Bytes {
        let from = place.offset.get() as usize;
        self.bytes.slice(from..from + place.len.get() as usize)
    }
}
