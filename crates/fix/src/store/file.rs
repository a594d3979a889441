//! A store in one file that only grows, until it is written anew without its older half.
//!
//! ```text
//! record   length u32 LE | crc32 u32 LE of kind, number and bytes | kind u8 | number u64 LE | bytes
//! kind     1 sent: number is its sequence, bytes the message    2 expected: number is the next one
//!          3 reset: number is the time, ns UTC                  4 base: number is the next to send
//! ```
//!
//! `length` counts the bytes of the message. A record that is cut or does not add up ends the file:
//! it was being written when the process died, so its bytes never reached the counterparty.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::Store;

const HEAD_SIZE: usize = 4 + 4 + 1 + 8;
/// Longest message that is believed: a length beyond it is a torn record.
const MESSAGE_LIMIT: usize = 16 << 20;

const SENT: u8 = 1;
const EXPECTED: u8 = 2;
const RESET: u8 = 3;
const BASE: u8 = 4;

/// Where a message is.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: u64,
    size: usize,
}

/// Numbers and sent messages in a file.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    file: File,
    /// Bytes of the file that are written; what follows them is in `pending`.
    size: u64,
    pending: Vec<u8>,
    size_limit: u64,
    sync: bool,
    /// Something was committed that the disk may not have yet, and should.
    unsynced: bool,
    first: u64,
    places: VecDeque<Place>,
    next_target: u64,
    reset_ns: u64,
    cut: u64,
}

impl FileStore {
    /// Opens or makes the file. It is written anew, without the older half of its messages, when it
    /// goes beyond `size_limit`. With `sync` each commit owes a wait for the disk, so that numbers
    /// outlive a power cut too; without it they outlive the process.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, locked against a second process, or read.
    pub fn open(path: &Path, size_limit: u64, sync: bool) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        file.try_lock()
            .map_err(|_| io::Error::new(io::ErrorKind::WouldBlock, "in use by another process"))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut store = Self {
            path: path.to_path_buf(),
            file,
            size: 0,
            pending: Vec::new(),
            size_limit,
            sync,
            unsynced: false,
            first: 1,
            places: VecDeque::new(),
            next_target: 1,
            reset_ns: 0,
            cut: 0,
        };
        store.recover(&bytes);
        store.cut = bytes.len() as u64 - store.size;
        if store.cut > 0 {
            store.file.set_len(store.size)?;
        }
        store.file.seek(SeekFrom::Start(store.size))?;
        Ok(store)
    }

    /// Bytes of a torn record that were cut off when the file was opened.
    #[must_use]
    pub const fn cut_bytes(&self) -> u64 {
        self.cut
    }

    fn recover(&mut self, bytes: &[u8]) {
        while let Some((kind, number, size)) = record(&bytes[self.size as usize..]) {
            let at = self.size + HEAD_SIZE as u64;
            match kind {
                SENT if number == self.next_sender() => self.places.push_back(Place { at, size }),
                EXPECTED => self.next_target = number,
                RESET => self.forget(number, 1),
                BASE => self.forget(self.reset_ns, number),
                _ => return,
            }
            self.size = at + size as u64;
        }
    }

    fn forget(&mut self, reset_ns: u64, first: u64) {
        self.places.clear();
        self.first = first;
        self.next_target = 1;
        self.reset_ns = reset_ns;
    }

    fn push(&mut self, kind: u8, number: u64, bytes: &[u8]) -> u64 {
        let at = self.size + self.pending.len() as u64 + HEAD_SIZE as u64;
        append(&mut self.pending, kind, number, bytes);
        at
    }

    /// Writes the file anew with the newer half of what it has.
    fn compact(&mut self) -> io::Result<()> {
        let mut kept = 0_u64;
        let newer = self.places.iter().rev().take_while(|place| {
            kept += (place.size + HEAD_SIZE) as u64;
            kept <= self.size_limit / 2
        });
        let drop = self.places.len() - newer.count();
        let first = self.first + drop as u64;
        let mut bytes = Vec::new();
        append(&mut bytes, RESET, self.reset_ns, b"");
        append(&mut bytes, BASE, first, b"");
        append(&mut bytes, EXPECTED, self.next_target, b"");
        let mut places = VecDeque::new();
        for (idx, place) in self.places.clone().into_iter().enumerate().skip(drop) {
            let message = read_at(&self.file, place)?;
            let at = (bytes.len() + HEAD_SIZE) as u64;
            append(&mut bytes, SENT, self.first + idx as u64, &message);
            places.push_back(Place {
                at,
                size: place.size,
            });
        }
        let beside = self.path.with_extension("new");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&beside)?;
        file.try_lock().map_err(io::Error::other)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        std::fs::rename(&beside, &self.path)?;
        self.file = file;
        self.unsynced = false;
        self.size = bytes.len() as u64;
        self.first = first;
        self.places = places;
        Ok(())
    }
}

fn append(out: &mut Vec<u8>, kind: u8, number: u64, bytes: &[u8]) {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&[kind]);
    crc.update(&number.to_le_bytes());
    crc.update(bytes);
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(crc.finalize().to_le_bytes());
    out.push(kind);
    out.extend(number.to_le_bytes());
    out.extend(bytes);
}

/// Kind, number and message size of the record at the start of `bytes`; `None` when it is torn.
fn record(bytes: &[u8]) -> Option<(u8, u64, usize)> {
    let (head, rest) = bytes.split_at_checked(HEAD_SIZE)?;
    let size = u32::from_le_bytes(*head.first_chunk()?) as usize;
    let told = u32::from_le_bytes(*head[4..].first_chunk()?);
    if size > MESSAGE_LIMIT {
        return None;
    }
    let message = rest.get(..size)?;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&head[8..]);
    crc.update(message);
    (crc.finalize() == told).then_some(())?;
    Some((head[8], u64::from_le_bytes(*head[9..].first_chunk()?), size))
}

fn read_at(file: &File, place: Place) -> io::Result<Vec<u8>> {
    let mut message = vec![0; place.size];
    file.read_exact_at(&mut message, place.at)?;
    Ok(message)
}

impl Store for FileStore {
    fn next_sender(&self) -> u64 {
        self.first + self.places.len() as u64
    }

    fn next_target(&self) -> u64 {
        self.next_target
    }

    fn reset_ns(&self) -> u64 {
        self.reset_ns
    }

    fn sent(&mut self, message: &[u8]) -> io::Result<()> {
        let seq = self.next_sender();
        let at = self.push(SENT, seq, message);
        let size = message.len();
        self.places.push_back(Place { at, size });
        Ok(())
    }

    fn set_next_target(&mut self, seq: u64) -> io::Result<()> {
        self.next_target = seq;
        self.push(EXPECTED, seq, b"");
        Ok(())
    }

    fn read(&mut self, seq: u64) -> io::Result<Option<Vec<u8>>> {
        self.commit()?;
        let idx = seq.checked_sub(self.first).map(|idx| idx as usize);
        let Some(&place) = idx.and_then(|idx| self.places.get(idx)) else {
            return Ok(None);
        };
        read_at(&self.file, place).map(Some)
    }

    fn reset(&mut self, now_ns: u64) -> io::Result<()> {
        // What was sent before is of no use: the file starts anew with the reset.
        self.pending.clear();
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.size = 0;
        self.forget(now_ns, 1);
        self.push(RESET, now_ns, b"");
        self.commit()
    }

    fn commit(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.file.write_all(&self.pending)?;
        self.size += self.pending.len() as u64;
        self.pending.clear();
        self.unsynced |= self.sync;
        Ok(())
    }

    fn owes(&self) -> bool {
        self.unsynced || self.size > self.size_limit
    }

    fn settle(&mut self) -> io::Result<()> {
        if self.size > self.size_limit {
            return self.compact();
        }
        if self.unsynced {
            self.file.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }
}
