//! How far matching has got, on disk, and what holds it back. Byte map: `docs/formats/standing.md`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::file::write_beside;

/// The file's name in a data folder.
pub const MARK_FILE: &str = "standing.mark";

const MAGIC: &[u8; 8] = b"OUZELSM1";

/// What a later run goes on from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// All up to this entry was matched and told.
    pub seq: u64,
    /// Entries up to it of which a document has yet to become known, or became known and is still on its way.
    pub ahead: Vec<u64>,
}

impl Mark {
    /// The mark of a folder; `None` where there is none, or none that is whole.
    pub fn read(dir: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(path(dir)) {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts the mark in the place of the old one.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let mut body = self.seq.to_le_bytes().to_vec();
        body.extend(self.ahead.iter().flat_map(|seq| seq.to_le_bytes()));
        let mut bytes = MAGIC.to_vec();
        bytes.extend(crc32fast::hash(&body).to_le_bytes());
        bytes.extend(body);
        write_beside(&path(dir), &bytes)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (sum, body) = rest.split_first_chunk::<4>()?;
        let (numbers, []) = body.as_chunks::<8>() else {
            return None;
        };
        let mut numbers = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let seq = numbers.next()?;
        (crc32fast::hash(body) == u32::from_le_bytes(*sum)).then(|| Self {
            seq,
            ahead: numbers.collect(),
        })
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join(MARK_FILE)
}

/// Entries whose alerts are still on their way.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<BTreeMap<u64, usize>>);

/// An alert on its way out. Until it is dropped a later run would match its entry again: drop it when the alert was
/// delivered, or was given up and counted.
#[derive(Debug)]
pub struct Hold {
    ledger: Arc<Ledger>,
    seq: u64,
}

impl Ledger {
    /// Holds the mark before `seq`.
    pub fn hold(self: &Arc<Self>, seq: u64) -> Hold {
        *self.lock().entry(seq).or_default() += 1;
        Hold {
            ledger: Arc::clone(self),
            seq,
        }
    }

    /// The last entry of `matched` and before, up to which nothing is on its way.
    pub fn settled(&self, matched: u64) -> u64 {
        let first = self.lock().first_key_value().map(|(seq, _)| seq - 1);
        first.map_or(matched, |before| before.min(matched))
    }

    /// The entries held, in order.
    pub fn held(&self) -> Vec<u64> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.ledger.lock();
        if let Some(count) = held.get_mut(&self.seq) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.seq);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_half_of_one_is_none() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(Mark::read(dir.path()).expect("reads"), None);
        let mark = Mark {
            seq: 300,
            ahead: vec![7, 9],
        };
        mark.write(dir.path()).expect("writes");
        assert_eq!(Mark::read(dir.path()).expect("reads"), Some(mark));
        let bytes = std::fs::read(path(dir.path())).expect("reads");
        for size in 0..bytes.len() {
            assert_eq!(Mark::parse(&bytes[..size]), None);
        }
    }

    #[test]
    fn a_mark_is_written_beside_under_a_name_of_its_own() {
        let dir = tempfile::tempdir().expect("a folder");
        let beside = dir.path().join("standing.mark.new");
        std::fs::create_dir(beside).expect("a folder in its way");
        Mark::default().write(dir.path()).expect_err("in the way");
        let questions = dir.path().join(super::super::QUESTIONS_FILE);
        write_beside(&questions, b"whole").expect("not in its way");
        assert_eq!(std::fs::read(questions).expect("reads"), b"whole");
    }

    #[test]
    fn the_oldest_alert_on_its_way_holds_the_mark() {
        let ledger = Arc::new(Ledger::default());
        assert_eq!(ledger.settled(9), 9);
        let (first, again, later) = (ledger.hold(5), ledger.hold(5), ledger.hold(7));
        assert_eq!(ledger.settled(9), 4);
        drop(first);
        assert_eq!(ledger.settled(9), 4);
        drop(again);
        assert_eq!(ledger.settled(9), 6);
        assert_eq!(ledger.held(), [7]);
        drop(later);
        assert_eq!(ledger.settled(9), 9);
    }
}
