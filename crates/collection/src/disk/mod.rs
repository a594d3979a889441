//! The few blocking file operations the log needs, so that tests can put a faulty disk under it.
//!
//! The log drives the disk; a disk never calls back. Names are plain file names in one folder.

mod fs;
mod map;
mod memory;

use std::io;

use bytes::Bytes;
use vector::graph::Piece;

pub use fs::FsDisk;
pub use memory::{Fault, MemDisk};

/// One folder of append-only files.
pub trait Disk: Send + Sync {
    /// The names of all files, in any order.
    ///
    /// # Errors
    /// Those of the operating system, as everywhere below.
    fn list(&self) -> io::Result<Vec<String>>;

    /// The whole content of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// The content of a file from byte `offset` on; nothing where it ends before.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_from(&self, name: &str, offset: u64) -> io::Result<Vec<u8>> {
        let mut bytes = self.read(name)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(bytes.split_off(offset.min(bytes.len())))
    }

    /// The whole content of a file that is never written to again, read as it is looked at where the disk can.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn map(&self, name: &str) -> io::Result<Bytes> {
        self.read(name).map(Bytes::from)
    }

    /// A part of such a file, to be changed in memory alone.
    ///
    /// # Errors
    /// When it cannot be opened or ends before.
    fn map_private(&self, name: &str, offset: u64, len: usize) -> io::Result<Piece> {
        let bytes = self.map(name)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let part = from.checked_add(len).and_then(|to| bytes.get(from..to));
        let part = part.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Piece::copied(part))
    }

    /// Gives a file another name, in the place of whatever had it, and makes that durable.
    ///
    /// # Errors
    /// When it cannot be renamed.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// The size of a file in bytes.
    ///
    /// # Errors
    /// When it is not there.
    fn size(&self, name: &str) -> io::Result<u64>;

    /// Creates an empty file that must not exist, and makes its name durable.
    ///
    /// # Errors
    /// When it exists or cannot be created.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file to append to its end.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Cuts a file to `len` bytes and makes that durable.
    ///
    /// # Errors
    /// When it cannot be cut.
    fn truncate(&self, name: &str, len: u64) -> io::Result<()>;

    /// Removes a file and makes that durable.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send {
    /// Writes all of `bytes` at the end. After an error any part of them may have been written.
    ///
    /// # Errors
    /// When not everything was written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns when everything appended survives a loss of power.
    ///
    /// # Errors
    /// When that is not certain; it then never becomes certain by asking again.
    fn sync(&mut self) -> io::Result<()>;
}
