//! A disk in memory that fails on demand and forgets, on a crash, what was not synced.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Disk, DiskFile};

/// What goes wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The next sync fails; nothing becomes durable by it or any later sync of the file.
    Sync,
    /// The next append writes only this many bytes, then fails.
    ShortWrite(usize),
}

/// Files in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemDisk(Arc<Mutex<Files>>);

#[derive(Debug, Default)]
struct Files {
    files: BTreeMap<String, Content>,
    fault: Option<Fault>,
    syncs: u64,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
    /// A file whose sync failed may have dropped the pages: it never syncs again.
    broken: bool,
}

impl MemDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next matching operation fail.
    pub fn fail_next(&self, fault: Fault) {
        self.lock().fault = Some(fault);
    }

    /// Puts a file there as if it had been written and synced.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let content = Content {
            synced: bytes.len(),
            bytes,
            broken: false,
        };
        self.lock().files.insert(name.to_owned(), content);
    }

    /// The disk after a loss of power: of each file, what was synced and, of the rest, as many bytes
    /// as `keep(name, unsynced)` says.
    #[must_use]
    pub fn crash(&self, keep: impl Fn(&str, usize) -> usize) -> Self {
        let mut files = self.lock().files.clone();
        for (name, content) in &mut files {
            let unsynced = content.bytes.len() - content.synced;
            content
                .bytes
                .truncate(content.synced + keep(name, unsynced).min(unsynced));
            content.synced = content.bytes.len();
            content.broken = false;
        }
        Self(Arc::new(Mutex::new(Files {
            files,
            ..Files::default()
        })))
    }

    /// How many syncs were asked for.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, name: &str, act: impl FnOnce(&mut Content) -> T) -> io::Result<T> {
        match self.lock().files.get_mut(name) {
            Some(content) => Ok(act(content)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Disk for MemDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().files.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.with(name, |content| content.bytes.clone())
    }

    fn read_from(&self, name: &str, offset: u64) -> io::Result<Vec<u8>> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        self.with(name, |content| {
            // A file that ends before has nothing from there on.
            let rest = content.bytes.get(offset..);
            rest.unwrap_or_default().to_vec()
        })
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        self.with(name, |content| content.bytes.len() as u64)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut files = self.lock();
        if files.files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        files.files.insert(name.to_owned(), Content::default());
        Ok(Box::new(MemFile {
            disk: self.clone(),
            name: name.to_owned(),
        }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.with(name, |_| ())?;
        Ok(Box::new(MemFile {
            disk: self.clone(),
            name: name.to_owned(),
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.lock();
        let content = files.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.with(name, |content| {
            content
                .bytes
                .truncate(usize::try_from(len).unwrap_or(usize::MAX));
            content.synced = content.bytes.len();
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.lock().files.remove(name);
        Ok(())
    }
}

struct MemFile {
    disk: MemDisk,
    name: String,
}

impl DiskFile for MemFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fault = {
            let mut files = self.disk.lock();
            match files.fault {
                Some(Fault::ShortWrite(count)) => {
                    files.fault = None;
                    Some(count.min(bytes.len()))
                }
                _ => None,
            }
        };
        let count = fault.unwrap_or(bytes.len());
        self.disk
            .with(&self.name, |content| content.bytes.extend(&bytes[..count]))?;
        if fault.is_some() {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let fails = {
            let mut files = self.disk.lock();
            files.syncs += 1;
            let fails = files.fault == Some(Fault::Sync);
            if fails {
                files.fault = None;
            }
            fails
        };
        let done = self.disk.with(&self.name, |content| {
            content.broken |= fails;
            if !content.broken {
                content.synced = content.bytes.len();
            }
            !content.broken
        })?;
        if done {
            Ok(())
        } else {
            Err(io::Error::other("the disk failed to sync"))
        }
    }
}
