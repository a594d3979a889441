//! From bytes to books to frames: decoding, books, and the way over a socket.

mod books;
mod books_peers;
mod day;
mod days;
mod decode;
mod fields;
mod hop;
mod input;
mod memory;
mod naive;
mod plan;
mod receive;
mod single;
mod update;
mod vwap;
mod wire_to_publish;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::Size;
use crate::machine::held;
use crate::report::{Figure, Report};
use input::Input;

pub use books::{How, read_day};
pub use day::write as write_day;
pub use days::Day;
pub use memory::child as memory_of_day;

/// Messages of the decode and book figures.
const MESSAGES: usize = 20_000_000;
/// Prints of the sliding VWAP.
const PRINTS: usize = 10_000_000;

/// The figures of receiving alone.
pub fn receiving(size: &Size, report: &mut Report) -> Result<()> {
    receive::run(size, report)
}

/// All figures of the suite.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    day(size, report)?;
    if size.wants("hop") {
        hop::run(size, report);
    }
    if size.wants("windows") {
        windows(size, report)?;
    }
    if size.wants("receive") {
        receive::run(size, report)?;
    }
    if size.wants("wire_to_publish") {
        wire_to_publish::run(size, report)?;
    }
    Ok(())
}

/// Figures of the generated day.
type Part = fn(&Input) -> Vec<Figure>;

/// What is measured over the generated day.
fn day(size: &Size, report: &mut Report) -> Result<()> {
    let parts: [(&str, Part); 4] = [
        ("decode", decode::measure),
        ("books", books::measure),
        ("latency", update::measure),
        ("days", days::measure),
    ];
    let wanted = |name: &str| size.wants(name);
    let has_peers = size.peers() && wanted("books");
    if !wanted("memory") && !parts.iter().any(|(name, _)| wanted(name)) {
        return Ok(());
    }
    let peers = has_peers.then(|| books_peers::build(&root())).transpose()?;
    let messages = size.of(MESSAGES);
    report.step(&format!("stream: generating {messages} ITCH messages"));
    let input = Input::generate(messages);
    for (name, measure) in parts.into_iter().filter(|(name, _)| wanted(name)) {
        report.step(&format!("stream: {name}"));
        let (held, figures) = held(0, || measure(&input));
        report.scheduled(held);
        figures.into_iter().for_each(|figure| report.add(figure));
    }
    if let Some(program) = peers {
        let (held, figure) = held(0, || books_peers::measure(&program, &input));
        report.scheduled(held);
        report.add(figure?);
    }
    if wanted("memory") {
        report.scheduled(false);
        report.add(memory::measure(&input)?);
    }
    Ok(())
}

/// The repository's.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn windows(size: &Size, report: &mut Report) -> Result<()> {
    let root = root();
    let peers = size.peers().then_some(root.as_path());
    let prints = size.of(PRINTS);
    report.step(&format!("stream: sliding VWAP of {prints} prints"));
    let (held, figures) = held(0, || vwap::measure(prints, peers));
    report.scheduled(held);
    figures?.into_iter().for_each(|figure| report.add(figure));
    Ok(())
}
