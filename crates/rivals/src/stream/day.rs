//! The generated day as a file, for engines that run outside this program, and what is in it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use wire::itchfile::Frames;

use super::days::Day;
use super::input::Input;

/// Writes `messages` generated messages of such a day to `path`, framed as the input of the suite, and says what
/// they are: mix, live orders and the checksum that a reader's aggregate depth must have.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, messages: usize, day: Day) -> Result<String> {
    let input = day.of(&Input::generate(messages));
    std::fs::write(path, &input.file)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let mut counts = [0u64; 256];
    for frame in Frames::new(&input.file).flatten() {
        let kind = frame.first().copied().unwrap_or(0);
        counts[usize::from(kind)] += 1;
    }
    let mut text = input.words();
    let _ = write!(text, "\nbook digest {:#018x}\n", input.digest);
    for (kind, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let share = *count as f64 * 100.0 / input.messages as f64;
        let _ = writeln!(text, "{} {count} {share:.3} %", char::from(kind as u8));
    }
    Ok(text)
}
