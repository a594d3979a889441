//! Standing questions on disk: a file that grows by a record for each write, of one change or of many, and is written anew
//! when most of it is of no use. Byte map: `docs/formats/standing.md`.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The file's name in a data folder.
pub const QUESTIONS_FILE: &str = "standing.questions";

const MAGIC: &[u8; 8] = b"OUZELSQ1";
/// What each record begins with: behind damage it says whether anything whole follows.
const MARKER: &[u8; 4] = b"OZSR";
const HEAD_SIZE: usize = MARKER.len() + 4 + 4;
const PUT: u8 = 1;
const REMOVE: u8 = 2;
/// Changes of no use that are not worth writing the file anew for.
const DEAD_FEW: usize = 1_024;

/// A question as it is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// The user's key.
    pub id: String,
    /// It waits for entries behind this one.
    pub after_seq: u64,
    /// What its meaning is compared by; empty where none is asked for.
    pub vector: Vec<f32>,
    /// What the border said of it.
    pub definition: String,
}

/// The open file.
#[derive(Debug)]
pub(super) struct QuestionFile {
    path: PathBuf,
    file: File,
    size: u64,
    /// It was renamed, and a crash could still bring back the one before.
    is_new: bool,
    /// Changes that a reader needs, and that none does.
    live: usize,
    dead: usize,
}

impl QuestionFile {
    /// Opens the file of a folder, makes one where there is none, and reads what is in it. A record that a crash left
    /// half written is cut off; nobody was told that it was kept.
    pub fn open(dir: &Path) -> io::Result<(Self, Vec<Kept>)> {
        let path = dir.join(QUESTIONS_FILE);
        let mut file = open(&path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut found = BTreeMap::new();
        let (mut changes, mut size) = (0, 0);
        if bytes.len() < MAGIC.len() && MAGIC.starts_with(&bytes) {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(MAGIC)?;
            file.sync_all()?;
        } else if !bytes.starts_with(MAGIC) {
            return Err(damaged(&path, 0, "it does not begin as such a file does"));
        } else {
            let read = read_all(&path, &bytes)?;
            (found, changes, size) = (read.0, read.1, read.2);
        }
        let size = size.max(MAGIC.len()) as u64;
        if size < bytes.len() as u64 {
            file.set_len(size)?;
            file.sync_all()?;
        }
        file.seek(SeekFrom::Start(size))?;
        let this = Self {
            path,
            file,
            size,
            is_new: false,
            live: found.len(),
            dead: changes - found.len(),
        };
        Ok((this, found.into_values().collect()))
    }

    /// Keeps questions, durably, all or none. `replaced` of them stand in the place of others.
    pub fn put(&mut self, questions: &[Kept], replaced: usize) -> io::Result<()> {
        let mut body = Vec::new();
        questions.iter().for_each(|kept| write_put(kept, &mut body));
        self.append(&body)?;
        self.live += questions.len() - replaced;
        self.dead += replaced;
        Ok(())
    }

    /// Forgets a question, durably.
    pub fn remove(&mut self, id: &str) -> io::Result<()> {
        let mut body = vec![REMOVE];
        write_text(id, &mut body);
        self.append(&body)?;
        self.live -= 1;
        self.dead += 2;
        Ok(())
    }

    /// Whether most of it is of no use.
    pub fn is_wasteful(&self) -> bool {
        self.dead > self.live + DEAD_FEW
    }

    /// Writes the file anew with these alone: beside, then in its place. Where that fails, the file stands as it was, or
    /// the new one is synced to its folder by the next write, before anything is added.
    pub fn rewrite(&mut self, questions: &[Kept]) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        for kept in questions {
            let mut body = Vec::new();
            write_put(kept, &mut body);
            write_record(&body, &mut bytes);
        }
        self.file = put_in_place(&self.path, &bytes)?;
        (self.size, self.is_new) = (bytes.len() as u64, true);
        (self.live, self.dead) = (questions.len(), 0);
        self.settle()
    }

    fn settle(&mut self) -> io::Result<()> {
        if self.is_new {
            sync_folder(&self.path)?;
            self.is_new = false;
        }
        Ok(())
    }

    /// What cannot be written whole is cut off again, so that what comes next follows whole records.
    fn append(&mut self, body: &[u8]) -> io::Result<()> {
        self.settle()?;
        let mut bytes = Vec::with_capacity(HEAD_SIZE + body.len());
        write_record(body, &mut bytes);
        let written = self
            .file
            .write_all(&bytes)
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            self.file.set_len(self.size)?;
            self.file.seek(SeekFrom::Start(self.size))?;
            return Err(error);
        }
        self.size += bytes.len() as u64;
        Ok(())
    }
}

/// Writes a file beside and renames it, so that there is the old one or the new one, whole.
pub(super) fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put_in_place(path, bytes)?;
    sync_folder(path)
}

/// As [`write_beside`], and the file that now has the name, at its end; the folder is not synced yet.
fn put_in_place(path: &Path, bytes: &[u8]) -> io::Result<File> {
    // All of its name: files that differ in their ending alone are written by different threads.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = private()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    Ok(file)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

fn open(path: &Path) -> io::Result<File> {
    private()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
}

/// Definitions hold the secrets of webhooks: the file is its owner's alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

type Records = (BTreeMap<String, Kept>, usize, usize);

/// What stands, how many changes made it so, and where the last whole record ends.
fn read_all(path: &Path, bytes: &[u8]) -> io::Result<Records> {
    let (mut found, mut changes, mut at) = (BTreeMap::new(), 0, MAGIC.len());
    while at < bytes.len() {
        let Some(mut body) = record(&bytes[at..]) else {
            // Only the last write can be torn: behind damage that was whole once, more would follow.
            if is_followed(&bytes[at..]) {
                return Err(damaged(path, at, "a record is not what was written"));
            }
            break;
        };
        let size = HEAD_SIZE + body.len();
        while !body.is_empty() {
            let change = change(&mut body);
            match change.ok_or_else(|| damaged(path, at, "a record makes no sense"))? {
                Change::Put(kept) => drop(found.insert(kept.id.clone(), kept)),
                Change::Remove(id) => drop(found.remove(&id)),
            }
            changes += 1;
        }
        at += size;
    }
    Ok((found, changes, at))
}

/// Whether a whole record begins anywhere behind the first byte.
fn is_followed(bytes: &[u8]) -> bool {
    let behind = (1..bytes.len()).filter(|at| bytes[*at..].starts_with(MARKER));
    behind.into_iter().any(|at| record(&bytes[at..]).is_some())
}

/// The body of the record that begins here.
fn record(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(MARKER)?;
    let (size, rest) = rest.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let body = rest.get(..u32::from_le_bytes(*size) as usize)?;
    (crc32fast::hash(body) == u32::from_le_bytes(*sum)).then_some(body)
}

enum Change {
    Put(Kept),
    Remove(String),
}

fn change(rest: &mut &[u8]) -> Option<Change> {
    let [kind] = read(rest)?;
    let id = read_text(rest)?;
    match kind {
        REMOVE => Some(Change::Remove(id)),
        PUT => {
            let after_seq = u64::from_le_bytes(read(rest)?);
            let count = u32::from_le_bytes(read(rest)?) as usize;
            let (floats, behind) = rest.split_at_checked(count.checked_mul(4)?)?;
            *rest = behind;
            let floats = floats.as_chunks::<4>().0.iter();
            Some(Change::Put(Kept {
                id,
                after_seq,
                vector: floats.map(|bytes| f32::from_le_bytes(*bytes)).collect(),
                definition: read_text(rest)?,
            }))
        }
        _ => None,
    }
}

fn read<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*bytes)
}

fn read_text(rest: &mut &[u8]) -> Option<String> {
    let size = u32::from_le_bytes(read(rest)?) as usize;
    let (text, behind) = rest.split_at_checked(size)?;
    *rest = behind;
    String::from_utf8(text.to_vec()).ok()
}

fn write_put(kept: &Kept, body: &mut Vec<u8>) {
    body.push(PUT);
    write_text(&kept.id, body);
    body.extend(kept.after_seq.to_le_bytes());
    body.extend((kept.vector.len() as u32).to_le_bytes());
    body.extend(kept.vector.iter().flat_map(|value| value.to_le_bytes()));
    write_text(&kept.definition, body);
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

fn write_record(body: &[u8], out: &mut Vec<u8>) {
    out.extend(MARKER);
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(crc32fast::hash(body).to_le_bytes());
    out.extend(body);
}

fn damaged(path: &Path, at: usize, what: &str) -> io::Error {
    let path = path.display();
    let what = format!(
        "{path}, byte {at}: {what}; put the file of a backup in its place, or move it away to begin without questions"
    );
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(id: &str, floats: usize) -> Kept {
        Kept {
            id: id.to_owned(),
            after_seq: 7,
            vector: vec![0.25; floats],
            definition: format!("{{\"id\": {id:?}}}"),
        }
    }

    fn reread(dir: &tempfile::TempDir) -> Vec<Kept> {
        QuestionFile::open(dir.path()).expect("opens").1
    }

    #[test]
    fn what_was_kept_is_read_back_wherever_the_last_write_was_cut() {
        let dir = tempfile::tempdir().expect("a folder");
        let (mut file, none) = QuestionFile::open(dir.path()).expect("opens");
        assert!(none.is_empty());
        let (a, b) = (kept("a", 0), kept("b", 3));
        file.put(&[a.clone(), b.clone()], 0).expect("keeps");
        file.remove("a").expect("forgets");
        assert_eq!(reread(&dir), std::slice::from_ref(&b));
        let path = dir.path().join(QUESTIONS_FILE);
        let before = std::fs::read(&path).expect("reads").len();
        file.put(std::slice::from_ref(&a), 0).expect("keeps");
        let whole = std::fs::read(&path).expect("reads");
        for size in (before..whole.len()).rev() {
            std::fs::write(&path, &whole[..size]).expect("writes");
            assert_eq!(reread(&dir), std::slice::from_ref(&b), "cut at {size}");
        }
        for size in 0..MAGIC.len() {
            std::fs::write(&path, &whole[..size]).expect("writes");
            assert!(reread(&dir).is_empty());
        }
    }

    #[test]
    fn damage_before_the_end_is_told_and_nothing_is_lost_to_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let (mut file, _) = QuestionFile::open(dir.path()).expect("opens");
        file.put(&[kept("a", 2)], 0).expect("keeps");
        file.put(&[kept("b", 2)], 0).expect("keeps");
        let path = dir.path().join(QUESTIONS_FILE);
        let mut bytes = std::fs::read(&path).expect("reads");
        bytes[MAGIC.len() + 20] ^= 1;
        std::fs::write(&path, &bytes).expect("writes");
        let why = QuestionFile::open(dir.path())
            .expect_err("refused")
            .to_string();
        assert!(why.contains("byte 8") && why.contains("backup"), "{why}");
        assert_eq!(std::fs::read(&path).expect("reads"), bytes);
    }

    #[test]
    fn a_file_of_removed_questions_is_written_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        let (mut file, _) = QuestionFile::open(dir.path()).expect("opens");
        for _ in 0..DEAD_FEW {
            file.put(&[kept("a", 0)], 0).expect("keeps");
            file.remove("a").expect("forgets");
        }
        file.put(&[kept("b", 1)], 0).expect("keeps");
        assert!(file.is_wasteful());
        file.rewrite(&[kept("b", 1)]).expect("writes");
        file.put(&[kept("c", 1)], 0).expect("keeps");
        assert!(file.size < 300, "{}", file.size);
        assert_eq!(reread(&dir), [kept("b", 1), kept("c", 1)]);
    }
}
