//! A disk for tests of crashes.

use std::io;
use std::sync::{Arc, Mutex};

use collection::disk::DiskFile;
use collection::{Disk, MemDisk};
use stdx::Rng;

/// A disk that keeps what a loss of power would leave after each step.
#[derive(Clone)]
pub struct Watched {
    pub disk: MemDisk,
    pub images: Arc<Mutex<Vec<MemDisk>>>,
    /// Whether each append is a step; else all of them up to a sync are one.
    each_append: bool,
}

struct WatchedFile(Box<dyn DiskFile>, Watched);

impl Watched {
    pub fn new(each_append: bool) -> Self {
        Self {
            disk: MemDisk::new(),
            images: Arc::default(),
            each_append,
        }
    }

    fn note(&self) {
        let mut images = self.images.lock().expect("images");
        let seed = images.len() as u64;
        images.push(self.disk.crash(|name, unsynced| {
            let mut rng = Rng::new(seed ^ name.len() as u64);
            rng.below(unsynced as u64 + 1) as usize
        }));
    }
}

impl DiskFile for WatchedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)?;
        if self.1.each_append {
            self.1.note();
        }
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        if !self.1.each_append {
            self.1.note();
        }
        self.0.sync()?;
        self.1.note();
        Ok(())
    }
}

impl Disk for Watched {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.disk.read(name)
    }
    fn size(&self, name: &str) -> io::Result<u64> {
        self.disk.size(name)
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(WatchedFile(self.disk.create(name)?, self.clone())))
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(WatchedFile(self.disk.open(name)?, self.clone())))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)?;
        self.note();
        Ok(())
    }
    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.disk.truncate(name, len)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)?;
        self.note();
        Ok(())
    }
}
