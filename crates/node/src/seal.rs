//! A data folder's seal: who holds the folder can tell a receipt that it gave from one that was changed since.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The key's file in a data folder.
pub const SEAL_FILE: &str = "receipt.key";
const KEY_SIZE: usize = 32;

/// Fills a slice with randomness that nobody can guess.
pub type Fill = fn(&mut [u8]) -> io::Result<()>;

/// HMAC-SHA256 under a key that the data folder keeps.
pub struct Seal(Hmac<Sha256>);

impl Seal {
    /// Reads the folder's key; makes one by `fill`, readable by its owner alone, where there is none.
    ///
    /// # Errors
    /// When the file cannot be read or made, or is no key.
    pub fn open(dir: &Path, fill: Fill) -> io::Result<Self> {
        let path = dir.join(SEAL_FILE);
        let key = match File::open(&path) {
            Ok(file) => read(file)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => make(dir, &path, fill)?,
            Err(e) => return Err(e),
        };
        let mac = Hmac::new_from_slice(&key);
        Ok(Self(mac.map_err(|e| io::Error::other(e.to_string()))?))
    }

    /// The seal of some bytes, in hexadecimal.
    #[must_use]
    pub fn of(&self, bytes: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(bytes);
        let digest = mac.finalize().into_bytes();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn read(file: File) -> io::Result<Vec<u8>> {
    let mut key = Vec::new();
    file.take(KEY_SIZE as u64 + 1).read_to_end(&mut key)?;
    if key.len() != KEY_SIZE {
        let what = format!("{SEAL_FILE} is not a key of {KEY_SIZE} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(key)
}

/// Written beside and renamed, so that no half of a key is ever read.
fn make(dir: &Path, path: &Path, fill: Fill) -> io::Result<Vec<u8>> {
    let mut key = vec![0; KEY_SIZE];
    fill(&mut key)?;
    let beside = dir.join(format!("{SEAL_FILE}.new"));
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(&key)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_key() {
        let (one, other) = (tempfile::tempdir(), tempfile::tempdir());
        let (one, other) = (one.expect("a folder"), other.expect("a folder"));
        let fill = |with: u8| -> Fill {
            match with {
                1 => |key| {
                    key.fill(1);
                    Ok(())
                },
                _ => |key| {
                    key.fill(2);
                    Ok(())
                },
            }
        };
        let seal = |dir: &tempfile::TempDir, with: u8| {
            let seal = Seal::open(dir.path(), fill(with));
            seal.expect("opens").of(b"text")
        };
        let first = seal(&one, 1);
        assert_eq!(seal(&one, 2), first, "the key that is there is kept");
        assert_ne!(seal(&other, 2), first);
        std::fs::write(one.path().join(SEAL_FILE), b"short").expect("writes");
        assert!(Seal::open(one.path(), fill(1)).is_err());
    }
}
