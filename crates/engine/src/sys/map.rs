//! Files seen as memory.

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::{Advice, Mmap};
use wire::pcap::{self, Reader, Record};

/// Maps a file for reading from front to back. An empty file maps to no bytes.
///
/// The file must not be cut short while it is mapped: reading behind its new end would end the
/// process with SIGBUS. Capture files are written once and then only read.
pub fn read_only(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the map is private to reading. Capture files are not written after they were closed
    // (see above); bytes that change under us could give wrong messages, which every decoder
    // survives, but no undefined choice of an enum, since they are only read as `u8`.
    let map = unsafe { Mmap::map(&file)? };
    // Only a hint: a kernel that refuses it reads just as well, a little later.
    let _ = map.advise(Advice::Sequential);
    Ok(map)
}

/// The records of a mapped capture file, read in place.
pub struct MappedPcap {
    /// Dropped before the map (fields drop in order), and never handed out with this lifetime.
    reader: Reader<'static>,
    _map: Mmap,
}

impl MappedPcap {
    /// Maps the file and recognises its format.
    ///
    /// # Errors
    /// The file cannot be opened, or is no capture (`InvalidData`).
    pub fn open(path: &Path) -> io::Result<Self> {
        let map = read_only(path)?;
        // SAFETY: the map's address is fixed until it is dropped, moving `Mmap` does not move its
        // memory, and `reader` lives in the same struct and is dropped first. No method hands out
        // a record for longer than `&mut self` is borrowed.
        let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(map.as_ptr(), map.len()) };
        let reader = Reader::new(bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(Self { reader, _map: map })
    }

    /// The next record; `None` at the end.
    pub fn next_record(&mut self) -> Option<Result<Record<'_>, pcap::Error>> {
        self.reader.next()
    }
}
