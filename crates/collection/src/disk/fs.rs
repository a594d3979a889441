//! A folder of the file system, locked against a second process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use vector::graph::Piece;

use super::{Disk, DiskFile, map};
use crate::Error;

const LOCK: &str = "lock";

/// A folder that this process alone has open.
#[derive(Debug)]
pub struct FsDisk {
    dir: PathBuf,
    folder: File,
    /// Holds the lock until it is dropped.
    _lock: File,
}

impl FsDisk {
    /// Opens the folder, creating it where it is missing.
    ///
    /// # Errors
    /// `Locked` when another process has it open, else what the operating system says.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let shown = dir.display().to_string();
        fs::create_dir_all(dir).map_err(Error::io("create", &shown))?;
        let folder = File::open(dir).map_err(Error::io("open", &shown))?;
        let path = dir.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let lock = lock.map_err(Error::io("open", &path.display().to_string()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                dir: dir.to_owned(),
                folder,
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { dir: shown }),
            Err(TryLockError::Error(e)) => Err(Error::io("lock", &shown)(e)),
        }
    }
}

impl Disk for FsDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && name != LOCK
                && entry.file_type()?.is_file()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.dir.join(name))
    }

    fn read_from(&self, name: &str, offset: u64) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.dir.join(name))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn map(&self, name: &str) -> io::Result<Bytes> {
        map::whole(&File::open(self.dir.join(name))?)
    }

    fn map_private(&self, name: &str, offset: u64, len: usize) -> io::Result<Piece> {
        let file = File::open(self.dir.join(name))?;
        if file.metadata()?.len() < offset.saturating_add(len as u64) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let map = map::private(&file, offset, len)?;
        Piece::mapped(map).ok_or_else(|| io::Error::other("the part starts within a line"))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.dir.join(from), self.dir.join(to))?;
        self.folder.sync_all()
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.dir.join(name))?.len())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(self.dir.join(name))?;
        self.folder.sync_all()?;
        Ok(Box::new(FsFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().append(true).open(self.dir.join(name))?;
        Ok(Box::new(FsFile(file)))
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.dir.join(name))?;
        file.set_len(len)?;
        file.sync_all()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.dir.join(name))?;
        self.folder.sync_all()
    }
}

struct FsFile(File);

impl DiskFile for FsFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        // Flushes the length too: it is needed to read the data back.
        self.0.sync_data()
    }
}
