//! From bytes to books to frames: decoding, books, and the way over a socket.

mod books;
mod day;
mod decode;
mod fields;
mod input;
mod naive;
mod plan;
mod receive;
mod vwap;
mod wire_to_publish;

use std::path::Path;

use anyhow::Result;

use crate::Size;
use crate::machine::held;
use crate::report::Report;
use input::Input;

pub use books::read_day;
pub use day::write as write_day;

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
    let wanted = [size.wants("decode"), size.wants("books")];
    if wanted.contains(&true) {
        let messages = size.of(MESSAGES);
        report.step(&format!("stream: generating {messages} ITCH messages"));
        let input = Input::generate(messages);
        let (held, figures) = held(0, || {
            let mut figures = Vec::new();
            if wanted[0] {
                figures.extend(decode::measure(&input));
            }
            if wanted[1] {
                figures.extend(books::measure(&input));
            }
            figures
        });
        report.scheduled(held);
        figures.into_iter().for_each(|figure| report.add(figure));
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

fn windows(size: &Size, report: &mut Report) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let peers = size.peers().then_some(root.as_path());
    let prints = size.of(PRINTS);
    report.step(&format!("stream: sliding VWAP of {prints} prints"));
    let (held, figures) = held(0, || vwap::measure(prints, peers));
    report.scheduled(held);
    figures?.into_iter().for_each(|figure| report.add(figure));
    Ok(())
}
