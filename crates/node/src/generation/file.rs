//! The file that says whose vectors a data folder has: `docs/formats/model.md`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::embedding::MadeBy;

/// The file that names the models, in the data folder.
pub const MODEL_FILE: &str = "model";

const HEAD: &str = "models 1";
/// No number, so that a build that knows one model a folder refuses it.
const TAIL: &str = "end";

/// What the vectors of a model are to questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// They were dropped: nobody can ask about its instants by meaning.
    Forgotten,
    /// They answer about instants before the next model's.
    Past,
    /// They answer about now.
    Now,
    /// They are being made.
    Coming,
}

/// One model's vectors, as the file names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Counted from 0 in each folder.
    pub number: u32,
    /// What they are to questions.
    pub stage: Stage,
    /// The first instant that they answer about, ns UTC; 0 of those that are being made.
    pub from: u64,
    /// Whose they are.
    pub made_by: MadeBy,
}

impl Stage {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Forgotten, "forgotten"),
        (Self::Past, "past"),
        (Self::Now, "now"),
        (Self::Coming, "coming"),
    ];

    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(stage, _)| *stage == self);
        found.map_or("", |(_, word)| word)
    }
}

impl Entry {
    /// The folder of such vectors, in the data folder.
    #[must_use]
    pub fn folder(number: u32) -> String {
        match number {
            0 => "documents".to_owned(),
            n => format!("documents.{n}"),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(5, ' ');
        let word = fields.next()?;
        let stage = Stage::ALL.iter().find(|(_, of)| *of == word)?.0;
        // What is no number is refused as a whole.
        let number = fields.next()?.parse().ok()?;
        let from = fields.next()?.parse().ok()?;
        let dim = fields.next()?.parse().ok()?;
        let id = fields.next()?.to_owned();
        let made_by = MadeBy { id, dim };
        Some(Self {
            number,
            stage,
            from,
            made_by,
        })
    }
}

/// Reads what the folder says; `None` where it says nothing.
///
/// # Errors
/// When the file cannot be read, or is not what was written: whose vectors they are is not guessed.
pub fn read(dir: &Path) -> io::Result<Option<Vec<Entry>>> {
    let text = match fs::read_to_string(dir.join(MODEL_FILE)) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let found = match text.strip_prefix(HEAD) {
        Some(rest) => many(rest),
        None => one(&text),
    };
    found.map(Some).ok_or_else(|| {
        let what = format!(
            "the file `{MODEL_FILE}` does not name a model and its dimension, or several as docs/formats/model.md says; take it from a backup"
        );
        io::Error::new(io::ErrorKind::InvalidData, what)
    })
}

fn one(text: &str) -> Option<Vec<Entry>> {
    let (id, dim) = text.trim_end().rsplit_once('\n')?;
    let made_by = MadeBy {
        id: id.to_owned(),
        // What is no number is refused by the caller.
        dim: dim.parse().ok()?,
    };
    Some(vec![first(made_by)])
}

fn many(rest: &str) -> Option<Vec<Entry>> {
    let lines: Vec<&str> = rest.trim().lines().collect();
    let (last, lines) = lines.split_last()?;
    if *last != TAIL {
        return None;
    }
    let entries: Option<Vec<Entry>> = lines.iter().map(|line| Entry::parse(line)).collect();
    let count = |entries: &[Entry], stage| entries.iter().filter(|e| e.stage == stage).count();
    entries.filter(|found| count(found, Stage::Now) == 1 && count(found, Stage::Coming) <= 1)
}

/// The vectors of a folder that has one model's.
#[must_use]
pub fn first(made_by: MadeBy) -> Entry {
    Entry {
        number: 0,
        stage: Stage::Now,
        from: 0,
        made_by,
    }
}

/// Writes all of it or nothing, should the power go.
///
/// # Errors
/// When the disk refuses.
pub fn write(dir: &Path, entries: &[Entry]) -> io::Result<()> {
    put(dir, entries)?;
    settle(dir)
}

/// As [`write`], but a loss of power may bring back what was there before, until [`settle`].
///
/// # Errors
/// When the disk refuses; what was there stands.
pub fn put(dir: &Path, entries: &[Entry]) -> io::Result<()> {
    let (new, path) = (dir.join("model.new"), dir.join(MODEL_FILE));
    let mut file = File::create(&new)?;
    file.write_all(text(entries).as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, &path)
}

/// Makes what was put last outlive a loss of power.
///
/// # Errors
/// When the disk refuses.
pub fn settle(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn text(entries: &[Entry]) -> String {
    if let [
        Entry {
            number: 0,
            stage: Stage::Now,
            made_by,
            ..
        },
    ] = entries
    {
        return format!("{}\n{}\n", made_by.id, made_by.dim);
    }
    let line = |entry: &Entry| {
        let (stage, MadeBy { id, dim }) = (entry.stage.word(), &entry.made_by);
        format!("{stage} {} {} {dim} {id}\n", entry.number, entry.from)
    };
    let lines: String = entries.iter().map(line).collect();
    format!("{HEAD}\n{lines}{TAIL}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u32, stage: Stage, id: &str) -> Entry {
        Entry {
            number,
            stage,
            from: u64::from(number) * 7,
            made_by: MadeBy {
                id: id.to_owned(),
                dim: 3,
            },
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_cut_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(read(dir.path()).expect("reads"), None);
        for entries in [
            vec![entry(0, Stage::Now, "one word")],
            vec![entry(2, Stage::Now, "two words")],
            vec![
                entry(0, Stage::Forgotten, "a"),
                entry(1, Stage::Past, "b c"),
                entry(3, Stage::Now, "d"),
                entry(4, Stage::Coming, "e\u{e9}"),
            ],
        ] {
            write(dir.path(), &entries).expect("writes");
            assert_eq!(read(dir.path()).expect("reads"), Some(entries.clone()));
            let text = text(&entries);
            for (end, _) in text.char_indices().filter(|_| entries.len() > 1) {
                if end + 1 < text.len() {
                    fs::write(dir.path().join(MODEL_FILE), &text[..end]).expect("writes");
                    assert!(read(dir.path()).is_err(), "{:?}", &text[..end]);
                }
            }
        }
    }
}
