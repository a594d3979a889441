//! A file of one document a line, read on from where it was read to.
//!
//! What was read is known by its length and hash: a file that grew by lines is read from there, one that changed
//! otherwise from the start, which costs looks and no writes for lines that are stored.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::json::document::parse_documents;
use crate::sources::{Failure, Intake, Manner};

/// A longer line is no document.
const LINE_LIMIT: u64 = 8 << 20;

/// How far a file was read.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    bytes: u64,
    lines: u64,
    hash: Sha256,
}

/// Takes the lines of `path` that `progress` does not cover; `shown` is the file's name in reports.
///
/// # Errors
/// When the file cannot be read, or memory cannot take a document now; `progress` covers what was taken.
pub fn take(
    path: &Path,
    shown: &str,
    (intake, manner): (&Intake, Manner),
    progress: &mut Progress,
) -> Result<(), Failure> {
    let failed = |e: io::Error| Failure::new(format!("{shown}: {e}"));
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
            intake.refuse(
                &place,
                "the line is longer than 8 MiB; what follows it is not read",
            );
            return Ok(());
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
        progress.bytes += got as u64;
        progress.lines += 1;
        progress.hash.update(&line);
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

/// Whether the file begins with what was read of it.
fn covers(file: &mut BufReader<File>, progress: &Progress) -> io::Result<bool> {
    let mut hash = Sha256::new();
    let mut begin = file.take(progress.bytes);
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        match begin.read(&mut buffer)? {
            0 => break,
            got => {
                hash.update(&buffer[..got]);
                bytes += got as u64;
            }
        }
    }
    Ok(bytes == progress.bytes && hash.finalize() == progress.hash.clone().finalize())
}
