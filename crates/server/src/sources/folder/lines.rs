//! A file of one document a line, read on from where it was read to.
//!
//! What was read is known by its length and its last bytes: a file that grew is read from there, one that changed
//! otherwise from the start, which costs looks and no writes for lines that are stored.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::json::document::parse_documents;
use crate::sources::{Failure, Intake, Manner};

/// A longer line is no document.
const LINE_LIMIT: u64 = 8 << 20;

/// Last bytes of what was read that are remembered.
const TAIL: usize = 4_096;

/// How far a file was read.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    bytes: u64,
    lines: u64,
    tail: Vec<u8>,
}

impl Progress {
    fn read(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.tail
            .extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
    }
}

/// Takes the lines of `path` that `progress` does not cover; `shown` is the file's name in reports.
///
/// # Errors
/// Its own when the file cannot be read, another when memory cannot take a document now; `progress` covers what was taken.
pub fn take(
    path: &Path,
    shown: &str,
    (intake, manner): (&Intake, Manner),
    progress: &mut Progress,
) -> Result<(), Failure> {
    let failed = |e: io::Error| Failure::its_own(e.to_string());
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    if !covers(&mut file, progress).map_err(failed)? {
        *progress = Progress::default();
    }
    file.seek(SeekFrom::Start(progress.bytes)).map_err(failed)?;
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut file).take(LINE_LIMIT);
        let got = bounded.read_until(b'\n', &mut line).map_err(failed)?;
        if got == 0 {
            return Ok(());
        }
        let is_whole = line.ends_with(b"\n");
        let place = format!("{shown}:{}", progress.lines + 1);
        if !is_whole && got as u64 == LINE_LIMIT {
            intake.refuse(&place, "the line is longer than 8 MiB");
            let mut beyond = progress.clone();
            beyond.read(&line);
            if !skip(&mut file, &mut beyond).map_err(failed)? {
                return Ok(());
            }
            *progress = beyond;
            continue;
        }
        if let Err(why) = document(&line, &place, (intake, manner))? {
            let half = "; the line has no end: perhaps it is not written yet";
            intake.refuse(
                &place,
                &format!("{why}{}", if is_whole { "" } else { half }),
            );
        }
        if !is_whole {
            // It may yet grow: the next look begins with it.
            return Ok(());
        }
        progress.read(&line);
        progress.lines += 1;
    }
}

/// One line; the inner error says why it is no document.
fn document(
    line: &[u8],
    place: &str,
    (intake, manner): (&Intake, Manner),
) -> Result<Result<(), String>, Failure> {
    let text = match std::str::from_utf8(line) {
        Ok(text) => text.trim_start_matches('\u{feff}').trim(),
        Err(e) => return Ok(Err(format!("is not UTF-8 at byte {}", e.valid_up_to()))),
    };
    if text.is_empty() {
        return Ok(Ok(()));
    }
    let parsed = match parse_documents(text, 1).map(|mut all| all.pop()) {
        Ok(Some(parsed)) => parsed,
        Ok(None) => return Ok(Ok(())),
        Err(why) => return Ok(Err(why.to_string())),
    };
    let mut draft = match parsed {
        Ok(draft) => draft,
        Err(unreadable) => return Ok(Err(unreadable.reason)),
    };
    let source = &intake.status().name;
    draft.source.get_or_insert_with(|| source.clone());
    let took = intake.take(place, draft, manner);
    took.map_err(|fault| Failure::new(fault.to_string()))?;
    Ok(Ok(()))
}

/// Reads to the end of a line and keeps nothing of it; whether it has an end.
fn skip(file: &mut BufReader<File>, progress: &mut Progress) -> io::Result<bool> {
    loop {
        let buffer = file.fill_buf()?;
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let got = end.map_or(buffer.len(), |at| at + 1);
        progress.read(&buffer[..got]);
        file.consume(got);
        if end.is_some() {
            progress.lines += 1;
        }
        if end.is_some() || got == 0 {
            return Ok(end.is_some());
        }
    }
}

/// Whether the file is what was read of it and more.
fn covers(file: &mut BufReader<File>, progress: &Progress) -> io::Result<bool> {
    if file.get_ref().metadata()?.len() <= progress.bytes {
        return Ok(false);
    }
    let mut tail = vec![0; progress.tail.len()];
    file.seek(SeekFrom::Start(progress.bytes - tail.len() as u64))?;
    file.read_exact(&mut tail)?;
    Ok(tail == progress.tail)
}
